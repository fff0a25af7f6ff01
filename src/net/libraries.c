/* Asks libevent, OpenSSL and the C library for their versions. Any thread. */
#include "net/libraries.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdio.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "net/question.h"

const char *libraries_event_version(void)
{
	return event_get_version();
}

const char *libraries_tls_version(void)
{
	return OpenSSL_version(OPENSSL_VERSION);
}

const char *libraries_dns_backend(char *buf, size_t size)
{
	if (question_is_possible())
		return question_backend(buf, size);
#ifdef __GLIBC__
	snprintf(buf, size, "libc-%s", gnu_get_libc_version());
#else
	snprintf(buf, size, "libc");
#endif
	return buf;
}
