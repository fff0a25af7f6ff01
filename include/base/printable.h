/*
 * Text from elsewhere (names, servers' errors), taken apart character by character and made fit for one line of a log,
 * a table, a terminal or an error. Pure, any thread.
 */
#ifndef BASE_PRINTABLE_H
#define BASE_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Of one text at most this much is kept. */
#define PRINTABLE_MAX_BYTES 8192u

enum printable_kind {
	PRINTABLE_PLAIN,   /* can be shown as it is */
	PRINTABLE_SPACE,   /* a tab or a line break */
	PRINTABLE_HARMFUL, /* a control character, or one that changes the direction of writing or cannot be seen */
	PRINTABLE_INVALID  /* one byte that is no UTF-8 */
};

struct printable_char {
	enum printable_kind kind;
	uint32_t code; /* Unicode; 0 if invalid */
	size_t len;    /* bytes, at least 1 */
};

/* The character at the front of a text that is not empty. */
struct printable_char printable_first(const char *at, size_t len);

/*
 * Appends it as one line of UTF-8: tabs and line breaks become spaces; what else is not plain becomes question marks.
 * What is longer than PRINTABLE_MAX_BYTES is cut between two characters, and "… (cut)" follows.
 */
void printable_add(struct str *out, const char *text, size_t len);

/* The same for `size` bytes of fixed room (at least 4, the terminator included); where it is cut stands "...". NULL is
   empty. */
void printable_copy(char *out, size_t size, const char *text);

/* True if printable_add would change nothing. */
bool printable_is(const char *text);

#endif
