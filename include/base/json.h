/* Pieces of JSON (RFC 8259), appended to a growing string. Pure, any thread. */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stddef.h>

#include "base/str.h"

/*
 * A string with its quotes. Bytes that are no UTF-8 become U+FFFD, one for each; control characters are escaped, and
 * so are <, > and &, so that no reader can take the text for a document. NULL becomes null.
 */
void json_string(struct str *out, const char *text, size_t len);
void json_text(struct str *out, const char *text);

/*
 * A whole number in decimal digits, as it is; a string if it is beyond ±(2⁵³ - 1), for most readers keep numbers as
 * doubles, or if the text is no such number.
 */
void json_number(struct str *out, const char *text, size_t len);

#endif
