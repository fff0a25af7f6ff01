/*
 * What was typed on the console, taken apart. Pure text, any thread.
 *
 *	WORD [WORD] [;]                  SET WORD = VALUE [;]   SET WORD TO VALUE [;]
 *
 * WORD: letters, digits and underscores, or "quoted" with "" for one "; VALUE: a WORD, or 'quoted' with '' for one '.
 */
#ifndef ADMIN_PARSE_H
#define ADMIN_PARSE_H

#include <stdbool.h>

#include "base/attr.h"

/* Longest words, in bytes. */
#define PARSE_NAME_MAX 15
#define PARSE_ARGUMENT_MAX 63
#define PARSE_VALUE_MAX 255

enum parse_result {
	PARSE_NOTHING, /* blanks, a semicolon, a comment of one line */
	PARSE_GOT,
	PARSE_NO_COMMAND, /* of none of the forms */
	PARSE_TOO_LONG    /* of the right form, but with a word beyond its limit */
};

struct parsed {
	char name[PARSE_NAME_MAX + 1];
	char argument[PARSE_ARGUMENT_MAX + 1]; /* the second word, or what is SET; "" when there is none */
	char value[PARSE_VALUE_MAX + 1];
	bool has_argument;
	bool has_value; /* of the form SET argument = value */
};

/* `out` is set for PARSE_GOT. */
enum parse_result command_parse(const char *text, struct parsed *out) MUST_USE;

#endif
