/*
 * Regular expressions of rule files, by PCRE2. What one of them may cost is bounded: names come from clients. Immutable
 * once made, any thread.
 */
#ifndef AUTH_PATTERN_H
#define AUTH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

#define PATTERN_WHY_BYTES 200

struct pattern;

/* NULL with the reason in `why`, one line: it is malformed, or there is no memory, or this build has no PCRE2. */
struct pattern *pattern_new(const char *text, char why[PATTERN_WHY_BYTES]) MUST_USE;
void pattern_free(struct pattern *p); /* NULL is fine */

/* Parentheses that capture. */
unsigned pattern_groups(const struct pattern *p);

enum pattern_result {
	PATTERN_MATCHES,
	PATTERN_DIFFERS,
	PATTERN_FAILED /* nobody knows: it would have taken too much work, or there was no memory */
};

/* What the first parentheses have captured; empty if they did not take part. */
struct pattern_group {
	size_t begin, end;
};

/* Whether it is found anywhere in the text. `first` may be NULL. */
enum pattern_result pattern_match(const struct pattern *p, const char *text, struct pattern_group *first) MUST_USE;

#endif
