/* Windows' times as numbers. Any thread. */
#ifndef OS_WIN32_FILETIME_H
#define OS_WIN32_FILETIME_H

#include <stdint.h>

#include <windows.h>

/* Units of 100 ns, since 1601 if it is a date. */
static inline uint64_t filetime_100ns(FILETIME t)
{
	return (uint64_t)t.dwHighDateTime << 32 | t.dwLowDateTime;
}

#endif
