/* memmem, which not every system has. */
#ifndef TEST_FIND_H
#define TEST_FIND_H

#include <stddef.h>
#include <string.h>

/* NULL: it is not in there. */
static inline const void *find_bytes(const void *in, size_t in_len, const void *what, size_t len)
{
	const char *at = (const char *)in;

	for (; in_len >= len; at++, in_len--)
		if (memcmp(at, what, len) == 0)
			return at;
	return NULL;
}

#endif
