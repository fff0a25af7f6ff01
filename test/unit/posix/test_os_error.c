/* Tests of src/os/posix/error.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "os/error.h"

static void the_text_is_the_systems_and_stands_in_the_buffer(void **state)
{
	static const int errors[] = {EPERM, ENOENT, EINTR, EAGAIN, ENOMEM, EMFILE, EPIPE, ETIMEDOUT, EHOSTUNREACH};
	char buf[128];

	(void)state;
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		assert_ptr_equal(os_error_text(errors[i], buf, sizeof(buf)), buf);
		assert_string_equal(buf, strerror(errors[i]));
	}
}

static void numbers_that_are_no_errors_have_texts_too(void **state)
{
	static const int numbers[] = {0, -1, 123456, INT32_MAX, INT32_MIN};
	char buf[128];

	(void)state;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		buf[0] = '\0';
		assert_true(os_error_text(numbers[i], buf, sizeof(buf))[0] != '\0');
	}
}

static void a_small_buffer_gets_the_beginning_and_not_a_byte_more(void **state)
{
	const char *whole = "Connection refused";

	(void)state;
	for (size_t size = 1; size <= strlen(whole) + 1; size++) {
		char buf[32];

		memset(buf, '#', sizeof(buf));
		assert_ptr_equal(os_error_text(ECONNREFUSED, buf, size), buf);
		assert_int_equal(strlen(buf), size - 1);
		assert_memory_equal(buf, whole, size - 1);
		assert_int_equal(buf[size], '#');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_text_is_the_systems_and_stands_in_the_buffer),
	    cmocka_unit_test(numbers_that_are_no_errors_have_texts_too),
	    cmocka_unit_test(a_small_buffer_gets_the_beginning_and_not_a_byte_more),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
