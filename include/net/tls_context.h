/*
 * What handshakes need, made from settings: our certificate and key, whom we trust, protocols and ciphers. All files
 * are read and checked when a context is made, and never again. Immutable, shared, counted (base/shared.h). Any thread.
 */
#ifndef NET_TLS_CONTEXT_H
#define NET_TLS_CONTEXT_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/shared.h"
#include "conf/error.h"
#include "conf/tls.h"

/*
 * The context for these settings, a reference; NULL in `*out` where they say "disable". `was` (may be NULL) is given
 * back with one more reference if settings and files are what it was made from, so that "the same" is one pointer.
 * False with `why`, which names the setting and the file.
 */
bool tls_context_make(const struct tls_settings *s, struct shared *was, struct shared **out,
                      struct conf_error *why) MUST_USE;

enum tls_mode tls_context_mode(const struct shared *context);
/* Towards servers: the handshake comes first, without asking. */
bool tls_context_is_direct(const struct shared *context);

#endif
