/* Preparing passwords for SCRAM (RFC 4013) the way PostgreSQL does. Pure, any thread. */
#ifndef AUTH_SASLPREP_H
#define AUTH_SASLPREP_H

#include <stddef.h>

#include "base/attr.h"

/* The prepared password, NUL-terminated, mem_free by the caller (wipe it first). What is ASCII, not UTF-8, or
   prohibited comes back unchanged. Without libidn (HAVE_LIBIDN) everything does. NULL: out of memory. */
char *saslprep(const char *password, size_t len, size_t *prepared_len) MUST_USE;

#endif
