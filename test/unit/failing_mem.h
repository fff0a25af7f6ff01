/*
 * Takes the place of base/mem.c in the one test that includes this: counts blocks, so that a test sees leaks, and
 * makes chosen allocations fail. It defines every function of base/mem.h, so the linker leaves the real ones out.
 */
#ifndef FAILING_MEM_H
#define FAILING_MEM_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static size_t mem_blocks;        /* allocated and not yet freed */
static size_t mem_until_failure; /* 0: none fails; n: the n-th from now fails, and all after it */
static bool mem_fails_once;      /* only that one fails */
static bool mem_spared;          /* while set, none fails and none counts: the test itself allocates */

static inline bool mem_fails(void)
{
	if (mem_until_failure == 0 || mem_spared)
		return false;
	if (mem_until_failure == 1) {
		mem_until_failure = mem_fails_once ? 0 : 1;
		return true;
	}
	mem_until_failure--;
	return false;
}

void *mem_alloc(size_t size)
{
	void *block = mem_fails() ? NULL : calloc(1, size == 0 ? 1 : size);

	mem_blocks += block != NULL;
	return block;
}

void *mem_resize(void *ptr, size_t size)
{
	void *block = mem_fails() ? NULL : realloc(ptr, size == 0 ? 1 : size);

	mem_blocks += block != NULL && ptr == NULL;
	return block;
}

void mem_free(void *ptr)
{
	mem_blocks -= ptr != NULL;
	free(ptr);
}

char *mem_copy(const void *bytes, size_t len)
{
	char *copy = (char *)mem_alloc(len + 1);

	if (copy != NULL && len > 0)
		memcpy(copy, bytes, len);
	return copy;
}

char *mem_copy_str(const char *s)
{
	return mem_copy(s, strlen(s));
}

void mem_wipe(void *ptr, size_t len)
{
	memset(ptr, 0, len);
}

#endif
