/*
 * A user's secret that auth_query has found or that a client has sent, for logging in to servers as that
 * user; kept by the pool. Immutable once published; wiped when the last reference goes.
 */
#ifndef POOL_FOUND_SECRET_H
#define POOL_FOUND_SECRET_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/shared.h"

struct found_secret {
	struct shared shared;
	bool by_client; /* the password that a client sent, which somebody else has found right: it goes before what is
	                   configured. Set before it is published */
	size_t len;     /* bytes of text */
	char text[];    /* as stored, with a NUL behind it; never printed */
};

/* A copy. NULL: out of memory. Any thread. */
struct found_secret *found_secret_new(const char *text, size_t len) MUST_USE;

/* The same text from the same source; NULL is the same as NULL only. */
bool found_secret_same(const struct found_secret *a, const struct found_secret *b);

static inline struct found_secret *found_secret_of(struct shared *s)
{
	return (struct found_secret *)s; /* its first field; NULL stays NULL */
}

#endif
