/* The serial of a zone in a DNS message. */
#ifndef NET_SOA_H
#define NET_SOA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* The serial of the first SOA record among answers and authorities: a name that is no zone's own has the zone's SOA in
   its negative answer. False if there is none or the message is malformed; it may be anything. Any thread. */
bool soa_serial(const uint8_t *message, size_t len, uint32_t *serial) MUST_USE;

#endif
