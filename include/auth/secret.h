/*
 * What is stored about a user's password. There is no way to print it, and it
 * is wiped when the last reference goes. Immutable once published, except for
 * one slot that is filled at most once (the derived SCRAM verifier).
 */
#ifndef AUTH_SECRET_H
#define AUTH_SECRET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/scram.h"
#include "base/attr.h"
#include "conf/userlist.h"

struct secret;

/* Copies the text (any bytes but NUL; NULL is as empty). NULL: out of memory. The caller owns one reference. */
struct secret *secret_new(const char *text, size_t len) MUST_USE;

/* Any thread that already has a reference; returns its argument. NULL is fine for both. */
struct secret *secret_ref(struct secret *s);
void secret_unref(struct secret *s);

enum secret_kind secret_kind(const struct secret *s); /* NULL: SECRET_NONE */
const char *secret_kind_text(enum secret_kind kind);  /* "a plain password", "an MD5 hash", … for details and hints */

/* NUL-terminated; for those who compute with it, never for texts. */
const char *secret_text(const struct secret *s);
size_t secret_len(const struct secret *s);

/* SECRET_SCRAM: what the text says. SECRET_PLAIN: what has been remembered, NULL if nothing yet. Else NULL. */
const struct scram_verifier *secret_verifier(const struct secret *s);

/* Remembers what was derived from a plain password so that it is derived once. Any thread; the first one wins, and
   being out of memory only means that nothing is remembered. */
void secret_remember(struct secret *s, const struct scram_verifier *derived);

#endif
