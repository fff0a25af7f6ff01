/*
 * Memory. Every allocation may fail and says so by NULL: callers treat it like
 * any other failure. Tests make the n-th allocation fail by replacing mem_alloc
 * and mem_resize when they link.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stddef.h>

#include "base/attr.h"

/* Zeroed memory, or NULL. The caller frees it with mem_free. */
void *mem_alloc(size_t size) MUST_USE;

/* Like realloc: on failure NULL, and the old block stays. New bytes are not zeroed. */
void *mem_resize(void *ptr, size_t size) MUST_USE;

void mem_free(void *ptr);

/* Copies of a string or of bytes (NUL-terminated behind the end); NULL when out of memory. */
char *mem_copy_str(const char *s) MUST_USE;
char *mem_copy(const void *bytes, size_t len) MUST_USE;

/* Overwrites a secret in a way that compilers do not remove. */
void mem_wipe(void *ptr, size_t len);

/* One zeroed structure of this type, or NULL. */
#define mem_new(type) ((type *)mem_alloc(sizeof(type)))

#endif
