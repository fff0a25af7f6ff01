/* Tests of src/net/libraries.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <ctype.h>
#include <event2/event.h>
#include <openssl/crypto.h>
#include <string.h>
#ifdef __GLIBC__
#include <gnu/libc-version.h>
#endif

#include "net/libraries.h"

static void the_event_librarys_version_is_a_number_with_dots(void **state)
{
	const char *version = libraries_event_version();

	(void)state;
	assert_true(isdigit((unsigned char)version[0]));
	assert_non_null(strchr(version, '.'));
	assert_string_equal(version, event_get_version());
}

static void the_tls_librarys_version_begins_with_its_name(void **state)
{
	const char *version = libraries_tls_version();

	(void)state;
	assert_int_equal(strncmp(version, "OpenSSL ", 8), 0);
	assert_true(isdigit((unsigned char)version[8]));
	assert_string_equal(version, OpenSSL_version(OPENSSL_VERSION));
}

static void what_looks_names_up_is_named(void **state)
{
	char buf[64];

	(void)state;
	assert_ptr_equal(libraries_dns_backend(buf, sizeof(buf)), buf);
#ifdef HAVE_CARES
	assert_int_equal(strncmp(buf, "c-ares 1.", 9), 0);
#elif defined(__GLIBC__)
	assert_int_equal(strncmp(buf, "libc-", 5), 0);
	assert_string_equal(buf + 5, gnu_get_libc_version());
#else
	assert_string_equal(buf, "libc");
#endif
}

static void a_small_buffer_is_not_overrun(void **state)
{
	char buf[8] = "#######";

	(void)state;
#ifdef HAVE_CARES
	assert_string_equal(libraries_dns_backend(buf, 4), "c-a");
#else
	assert_string_equal(libraries_dns_backend(buf, 4), "lib");
#endif
	assert_int_equal(buf[4], '#');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_event_librarys_version_is_a_number_with_dots),
	    cmocka_unit_test(the_tls_librarys_version_begins_with_its_name),
	    cmocka_unit_test(what_looks_names_up_is_named),
	    cmocka_unit_test(a_small_buffer_is_not_overrun),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
