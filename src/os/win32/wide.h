/* Texts between UTF-8, which is used everywhere here, and UTF-16, which Windows takes. Any thread. */
#ifndef OS_WIN32_WIDE_H
#define OS_WIN32_WIDE_H

#include <stddef.h>
#include <wchar.h>

#include "base/attr.h"

/* Both for mem_free; NULL with errno set (EILSEQ: it is no UTF-8). Of UTF-16 everything can be said: halves of pairs
   become U+FFFD. */
wchar_t *wide_of(const char *text) MUST_USE;
char *utf8_of(const wchar_t *text) MUST_USE;

/* A path as CreateFileW takes it (mem_free): a long one begins with "\\?\". NULL with errno set. */
wchar_t *wide_path_of(const char *path) MUST_USE;

#endif
