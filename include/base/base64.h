/* Base64 as SCRAM uses it (RFC 4648 section 4): padded, no line breaks, nothing tolerated. Pure, any thread. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"

/* Appends the encoded bytes. */
void base64_write(struct str *out, const void *data, size_t len);

/* Decodes all of text; false if it is malformed (also: stray bits at the end) or longer than `room` bytes. */
bool base64_read(const char *text, size_t len, uint8_t *out, size_t room, size_t *out_len) MUST_USE;

#endif
