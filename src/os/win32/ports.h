/* Who has which port. Any thread. */
#ifndef OS_WIN32_PORTS_H
#define OS_WIN32_PORTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* Somebody on this machine listens on that TCP port, at whatever address of the family (AF_INET, AF_INET6). False also
   if the system does not say. */
bool port_is_taken(int family, uint16_t port) MUST_USE;

#endif
