/*
 * A growing byte string with a maximum. It also works as a message builder.
 * Failing to grow is remembered in `failed` and later additions do nothing, so
 * that callers build first and ask once.
 */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* Owned by whoever owns the structure it is in. */
struct str {
	char *data;      /* NUL-terminated whenever it is not NULL */
	size_t len;      /* without the NUL */
	size_t capacity; /* bytes allocated */
	size_t limit;    /* `len` never exceeds this */
	bool failed;     /* out of memory, or the limit was met */
};

/* An empty string that may grow to `limit` bytes; allocates nothing yet. */
void str_init(struct str *s, size_t limit);

/* Frees the bytes; `s` is empty and usable afterwards. */
void str_fini(struct str *s);

/* Forgets content and failure, keeps the memory. */
void str_clear(struct str *s);

/* Room for `len` more bytes, which count as added and are the caller's to write at once; NULL: it has failed. */
char *str_extend(struct str *s, size_t len) MUST_USE;

void str_add(struct str *s, const void *bytes, size_t len);
void str_add_str(struct str *s, const char *text);
void str_add_char(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...) PRINTF(2, 3);
void str_vprintf(struct str *s, const char *fmt, va_list args) PRINTF(2, 0);

/* Removes the first `len` bytes (at most all). */
void str_cut_front(struct str *s, size_t len);

/* The text, never NULL. */
const char *str_text(const struct str *s);

/* Hands the bytes over to the caller (mem_free); NULL if it failed or nothing was ever added. */
char *str_take(struct str *s) MUST_USE;

#endif
