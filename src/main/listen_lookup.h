/* The addresses that a name of listen_addr or http_listen stands for. Main thread; asks the system, which may block. */
#ifndef MAIN_LISTEN_LOOKUP_H
#define MAIN_LISTEN_LOOKUP_H

#include "base/attr.h"
#include "os/socket.h"

/* All that are found, "*" being those of all kinds, for freeaddrinfo. 0, or an error of getaddrinfo. */
int listen_lookup(const char *name, int port, struct addrinfo **found) MUST_USE;

#endif
