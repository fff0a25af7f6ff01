/* What is wrong with a value, a file or a URL, in words for the operator. */
#ifndef CONF_ERROR_H
#define CONF_ERROR_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Filled in only on failure. */
struct conf_error {
	char file[1024]; /* empty when no file is concerned */
	unsigned line;   /* 0 when no line is concerned */
	char text[2560]; /* what is wrong, one line; names file and line where there are any */
	char hint[256];  /* what to do, whole sentences; may be empty */
};

/* " in configuration (file:line)", or empty without a file; for use inside a text. Of a path beyond all reason the
   beginning is left out. */
struct conf_place {
	char text[1100];
};
struct conf_place conf_place(const char *file, unsigned line);

/* Sets text, file and line and empties the hint. `file` may be NULL. Always returns false, for `return conf_fail(…)`.
 */
bool conf_fail(struct conf_error *why, const char *file, unsigned line, const char *fmt, ...) PRINTF(4, 5);

/* Out of memory while reading this place. Returns false. */
bool conf_fail_memory(struct conf_error *why, const char *file, unsigned line);

/* Sets the hint of a failure that has its text. */
void conf_hint(struct conf_error *why, const char *fmt, ...) PRINTF(2, 3);

/*
 * Finds the known name that is most like one that is not known: call conf_nearest_try for each candidate, then use
 * `best` (NULL if none is near enough to be meant).
 */
struct conf_nearest {
	const char *wanted;
	const char *best;
	size_t distance; /* of `best`, in letters inserted, left out or changed */
};
void conf_nearest_init(struct conf_nearest *n, const char *wanted);
void conf_nearest_try(struct conf_nearest *n, const char *candidate);

#endif
