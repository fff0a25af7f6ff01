/* Names and versions of the libraries under net/, for --version and the start-up log line. Any thread. */
#ifndef NET_LIBRARIES_H
#define NET_LIBRARIES_H

#include <stddef.h>

#include "base/attr.h"

/* "2.1.12-stable" */
const char *libraries_event_version(void);
/* "OpenSSL 3.0.15 3 Sep 2024" */
const char *libraries_tls_version(void);
/* How names are looked up: "libc-2.36", or "libc" where the library does not say its version. Returns `buf`. */
const char *libraries_dns_backend(char *buf, size_t size);

#endif
