/* Tests of os/directory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/directory.h"
#include "os/file.h"
#include "place.h"
#include <cmocka.h>

static const char *const files[] = {"b.ini", "a.ini", "c.txt", ".hidden.ini", "B1.ini", "a.ini.bak"};
#define N_FILES (sizeof(files) / sizeof(files[0]))

static void change(const char *place, bool make)
{
	for (size_t i = 0; i < N_FILES; i++) {
		char path[PLACE_BYTES + 40];

		snprintf(path, sizeof(path), "%s/%s", place, files[i]);
		if (make)
			place_put(path, "");
		else
			assert_true(file_remove(path));
	}
}

static void check(const char *place, const char *pattern, const char *expected)
{
	char said[200] = "", **names = NULL;

	assert_int_equal(directory_names(place, pattern, &names), 0);
	for (size_t i = 0; names[i] != NULL; i++)
		snprintf(said + strlen(said), sizeof(said) - strlen(said), "%s ", names[i]);
	assert_string_equal(said, expected);
	directory_names_free(names);
}

static void names_that_fit_come_in_order(void **state)
{
	char place[PLACE_BYTES];

	(void)state;
	place_make(place);
	change(place, true);
	check(place, "*.ini", "B1.ini a.ini b.ini ");
	check(place, "?.ini", "a.ini b.ini ");
	check(place, "[a-b].*", "a.ini a.ini.bak b.ini ");
	check(place, ".*.ini", ".hidden.ini ");
	check(place, "a.ini", "a.ini ");
	check(place, "x*", "");
	check(place, "[", "");
	change(place, false);
	place_remove(place);
}

static void many_names_are_found(void **state)
{
	char place[PLACE_BYTES], path[PLACE_BYTES + 8], **names = NULL;
	size_t n = 0;

	(void)state;
	place_make(place);
	for (int i = 0; i < 100; i++) {
		snprintf(path, sizeof(path), "%s/%02d", place, i);
		place_put(path, "");
	}
	assert_int_equal(directory_names(place, "??", &names), 0);
	for (; names[n] != NULL; n++)
		assert_int_equal(atoi(names[n]), n);
	assert_int_equal(n, 100);
	directory_names_free(names);
	place_remove(place);
}

static void what_cannot_be_read_is_an_error(void **state)
{
	char place[PLACE_BYTES], path[PLACE_BYTES + 8], **names = NULL;

	(void)state;
	place_make(place);
	snprintf(path, sizeof(path), "%s/file", place);
	place_put(path, "");
	assert_int_equal(directory_names("/there/is/none", "*", &names), ENOENT);
	assert_int_equal(directory_names(path, "*", &names), ENOTDIR);
	assert_null(names);
	directory_names_free(NULL);
	assert_true(directory_exists(place) && directory_exists("/") && directory_exists(""));
	assert_false(directory_exists("/there/is/none") || directory_exists(path));
	/* one that is read-only: test/docker */
	assert_false(directory_is_read_only(place) || directory_is_read_only("/there/is/none"));
	place_remove(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_that_fit_come_in_order),
	    cmocka_unit_test(many_names_are_found),
	    cmocka_unit_test(what_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
