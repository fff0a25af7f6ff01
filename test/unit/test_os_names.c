#include "os/names.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/mem.h"
#include "os/directory.h"

static void names_come_in_the_order_of_their_bytes(void **state)
{
	struct names names = {NULL, 0, 0};
	char **all = NULL;
	char text[2] = "z";

	(void)state;
	/* more than there is room for at first */
	for (; text[0] >= 'A'; text[0]--)
		assert_int_equal(names_add(&names, mem_copy_str(text)), 0);
	assert_int_equal(names_end(&names, 0, &all), 0);
	for (size_t i = 0; i < 'z' - 'A' + 1; i++)
		assert_int_equal(all[i][0], 'A' + (int)i);
	assert_null(all['z' - 'A' + 1]);
	directory_names_free(all);
}

static void no_names_are_a_list_too(void **state)
{
	struct names names = {NULL, 0, 0};
	char **all = NULL;

	(void)state;
	assert_int_equal(names_end(&names, 0, &all), 0);
	assert_non_null(all);
	assert_null(all[0]);
	directory_names_free(all);
}

static void too_many_are_refused_and_freed(void **state)
{
	struct names names = {NULL, 0, 0};
	char **all = NULL;
	int error = names_add(&names, NULL);

	(void)state;
	assert_int_equal(error, ENOMEM);
	for (unsigned i = 0; i < DIRECTORY_NAMES_MAX; i++)
		assert_int_equal(names_add(&names, mem_copy_str("x")), 0);
	error = names_add(&names, mem_copy_str("x"));
	assert_int_equal(error, EOVERFLOW);
	assert_int_equal(names_end(&names, error, &all), EOVERFLOW);
	assert_null(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_come_in_the_order_of_their_bytes),
	    cmocka_unit_test(no_names_are_a_list_too),
	    cmocka_unit_test(too_many_are_refused_and_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
