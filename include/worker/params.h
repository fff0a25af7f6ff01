/*
 * Session parameters as immutable, interned sets: equal sets are one pointer, so
 * that giving a server to a client costs one comparison. Any thread.
 *
 * A set holds the parameters that servers report (ParameterStatus) and that a
 * client can set; what a server reports but nobody can set is in the welcome only.
 * It also holds the wishes of clients for parameters that servers do not report:
 * those are known only as far as we have set them.
 */
#ifndef WORKER_PARAMS_H
#define WORKER_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/shared.h"
#include "base/str.h"

struct params;
struct params_book;

/* The book of all sets in use, shared by all threads. NULL: out of memory. */
struct params_book *params_book_new(uint32_t seed) MUST_USE;
void params_book_free(struct params_book *b);

/* The empty set; always there. */
struct params *params_empty(struct params_book *b);
struct params *params_ref(struct params *p);
void params_unref(struct params *p);

/* The set like `p` with one value changed or added (name compared without case; the spelling of the first wins). Takes
   the reference to `p` and returns one; NULL when out of memory or beyond 64 names or 16 KB (then `p` is still the
   caller's). */
struct params *params_with(struct params *p, const char *name, const char *value) MUST_USE;

/* Whether one more would fit, even if it is not in the set yet: then params_with fails for want of memory only. */
bool params_have_room(const struct params *p, const char *name, const char *value);

/* The set with `name` as something that was set, nobody knows to what: who gets the session next sets it or RESETs it.
   Nothing changes if it is in the set already. References as params_with. */
struct params *params_with_unsure(struct params *p, const char *name) MUST_USE;

/* Whether servers report it. */
bool params_is_reported(const struct params *p, const char *name);

/* NULL if it is not in the set. */
const char *params_value(const struct params *p, const char *name);

/* Walks in order of names; `i` from 0. False at the end. */
bool params_at(const struct params *p, unsigned i, const char **name, const char **value);

/* Appends what brings a session from `have` to `want`: one "SET name='value';" for each parameter of `want` that `have`
   knows with another value or that is a wish, and one "RESET name;" for each wish of another client's that was set
   there. Returns how many. */
unsigned params_write_sets(const struct params *want, const struct params *have, struct str *sql);

/* True for parameters that are reported but cannot be set by a session (server_version, is_superuser, …). */
bool params_is_fixed(const char *name);

/* What the session runs with after these statements: what it has reported by now, and the wishes of `want`. Takes the
   reference to `have` and returns one; NULL when out of memory (then `have` is still the caller's). */
struct params *params_after_sets(struct params *have, const struct params *want) MUST_USE;

/* After a reset query: whatever was set to fulfil wishes may be gone or not, so it is set again or RESET in any case.
   References as above. */
struct params *params_unsure(struct params *have) MUST_USE;

/* `base` with the values of `own` in place of its own; what it does not know becomes a wish: what a client that asked
   for `own` runs with. Takes no references; returns one, NULL when out of memory. */
struct params *params_fitted(struct params *base, const struct params *own) MUST_USE;

/* What new clients are told: everything the pool's first server reported, in its order. */
struct welcome {
	struct shared shared;
	struct params *params; /* the settable ones */
	char *names_values;    /* all: name NUL value NUL …, empty name at the end */
};
struct welcome *welcome_new(struct params *params, const char *names_values, size_t len) MUST_USE;

#endif
