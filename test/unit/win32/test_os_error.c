/* Texts of errors: the same words as elsewhere, in no system's language. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>

#include "os/error.h"
#include "os/socket.h"
#include "os/win32/code.h"

static void networks_have_words(void **state)
{
	char buf[64];

	(void)state;
	assert_string_equal(os_error_text(ECONNREFUSED, buf, sizeof(buf)), "Connection refused");
	assert_string_equal(os_error_text(EADDRINUSE, buf, sizeof(buf)), "Address already in use");
	assert_string_equal(os_error_text(EWOULDBLOCK, buf, sizeof(buf)), "Resource temporarily unavailable");
	assert_string_equal(os_error_text(54321, buf, sizeof(buf)), "error 54321");
}

static void whatever_a_code_becomes_has_words(void **state)
{
	char buf[64];

	(void)state;
	for (unsigned long code = 0; code < 20000; code++)
		assert_memory_not_equal(os_error_text(errno_of_code(code), buf, sizeof(buf)), "error ", 6);
}

static void a_small_buffer_gets_the_beginning_and_not_a_byte_more(void **state)
{
	char buf[8] = "#######";

	(void)state;
	assert_string_equal(os_error_text(ECONNREFUSED, buf, 5), "Conn");
	assert_string_equal(buf + 5, "##");
}

static void lookups_have_words(void **state)
{
	(void)state;
	assert_string_equal(os_lookup_error_text(EAI_NONAME), "Name or service not known");
	assert_string_equal(os_lookup_error_text(EAI_AGAIN), "Temporary failure in name resolution");
	assert_int_not_equal(os_lookup_error_text(54321)[0], '\0');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(networks_have_words),
	    cmocka_unit_test(whatever_a_code_becomes_has_words),
	    cmocka_unit_test(a_small_buffer_gets_the_beginning_and_not_a_byte_more),
	    cmocka_unit_test(lookups_have_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
