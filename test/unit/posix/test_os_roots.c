/* Tests of src/os/posix/roots.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "os/roots.h"

static void authorities_are_in_files(void **state)
{
	struct str pem;

	(void)state;
	str_init(&pem, 100);
	assert_int_equal(system_roots_read(&pem), SYSTEM_ROOTS_IN_FILES);
	assert_int_equal(pem.len, 0);
	str_fini(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(authorities_are_in_files)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
