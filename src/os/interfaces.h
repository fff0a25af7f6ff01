/* What of addresses differs between systems. Any thread. */
#ifndef OS_INTERFACES_H
#define OS_INTERFACES_H

#include "os/socket.h"

/* It means a Unix socket: the path of its file, or an abstract name. */
bool address_text_is_local(const char *text) MUST_USE;
bool address_text_is_abstract(const char *text) MUST_USE;

/* Calls `look` for each address that this machine has on TCP, with the mask of its network. False: the system does not
   say. */
bool interfaces_look(void (*look)(void *arg, const struct peer *at, const struct peer *mask), void *arg) MUST_USE;

/* The number of an interface ("eth0"); 0: there is none of that name. */
uint32_t interface_number(const char *name);

#endif
