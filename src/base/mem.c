/* Allocation that says when it fails. Any thread. */
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define SMALL_BYTES 4096u

/* calloc knows of fresh pages that are zero already, but glibc's does not use the thread's cache: small blocks are
   several times cheaper this way. */
void *mem_alloc(size_t size)
{
	void *ptr;

	if (size > SMALL_BYTES)
		return calloc(1, size);
	ptr = malloc(size);
	__asm__ __volatile__("" : "+r"(ptr)); /* or the compiler would make a calloc of these two */
	if (ptr != NULL)
		memset(ptr, 0, size);
	return ptr;
}

void *mem_resize(void *ptr, size_t size)
{
	return realloc(ptr, size);
}

void mem_free(void *ptr)
{
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
	if (len > 0)
		memset(ptr, 0, len);
	__asm__ __volatile__("" : : "r"(ptr) : "memory"); /* the compiler must believe that somebody looks */
}
