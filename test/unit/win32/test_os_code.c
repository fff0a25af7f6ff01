/* Tests of src/os/win32/code.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <winsock2.h>

#include "os/win32/code.h"

static void codes_of_both_kinds_become_errno_values(void **state)
{
	static const struct {
		unsigned long code;
		int error;
	} cases[] = {
	    {0, 0},
	    {ERROR_FILE_NOT_FOUND, ENOENT},
	    {ERROR_PATH_NOT_FOUND, ENOENT},
	    {ERROR_ACCESS_DENIED, EACCES},
	    {ERROR_SHARING_VIOLATION, EBUSY},
	    {ERROR_FILE_EXISTS, EEXIST},
	    {ERROR_DISK_FULL, ENOSPC},
	    {WSAECONNREFUSED, ECONNREFUSED},
	    {WSAEADDRINUSE, EADDRINUSE},
	    {WSAEWOULDBLOCK, EAGAIN},
	    {WSAESHUTDOWN, EPIPE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(errno_of_code(cases[i].code), cases[i].error);
}

static void what_nobody_knows_is_an_input_output_error(void **state)
{
	(void)state;
	assert_int_equal(errno_of_code(999999), EIO);
}

static void errors_have_texts_and_numbers(void **state)
{
	(void)state;
	assert_non_null(strstr(win32_error_text(ERROR_ACCESS_DENIED).text, " (error 5)"));
	assert_string_equal(win32_error_text(0x2fffffff).text, "error 805306367");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(codes_of_both_kinds_become_errno_values),
	    cmocka_unit_test(what_nobody_knows_is_an_input_output_error),
	    cmocka_unit_test(errors_have_texts_and_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
