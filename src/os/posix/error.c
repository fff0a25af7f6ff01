/* Texts of error numbers. Any thread. */
#include "os/error.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#ifdef __GLIBC__
/* glibc's strerror_r returns the text, which need not be in the buffer */
const char *os_error_text(int err, char *buf, size_t size)
{
	char room[128];

	snprintf(buf, size, "%s", strerror_r(err, room, sizeof(room)));
	return buf;
}
#else
const char *os_error_text(int err, char *buf, size_t size)
{
	if (strerror_r(err, buf, size) != 0)
		snprintf(buf, size, "error %d", err);
	return buf;
}
#endif

const char *os_lookup_error_text(int code)
{
	return gai_strerror(code);
}
