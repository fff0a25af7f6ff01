/* A configuration that somebody else has open for himself alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include <windows.h>

#include "../place.h"
#include "conf/config.h"
#include "os/file.h"

#define NAME "test_conf_load.ini"

static void a_file_that_is_in_use_is_said_to_be(void **state)
{
	struct conf_error why = {.line = 0};
	HANDLE h;

	(void)state;
	place_put(NAME, "[databases]\n");
	h = CreateFileA(NAME, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
	assert_true(h != INVALID_HANDLE_VALUE);
	assert_null(config_load(NAME, NULL, conf_read_file, NULL, &why));
	assert_string_equal(why.text, "could not load file \"" NAME "\": The file is in use by another process");
	CloseHandle(h);
	assert_true(file_remove(NAME));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_that_is_in_use_is_said_to_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
