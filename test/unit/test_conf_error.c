/* Tests of src/conf/error.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <string.h>

#include "conf/error.h"

static void a_place_names_file_and_line(void **state)
{
	(void)state;
	assert_string_equal(conf_place("a.ini", 3).text, " in configuration (a.ini:3)");
	assert_string_equal(conf_place("a.ini", 0).text, " in configuration (a.ini)");
	assert_string_equal(conf_place(NULL, 0).text, "");
}

static void a_place_names_the_line_however_long_the_path_is(void **state)
{
	struct conf_place place;
	char path[3000];

	(void)state;
	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	place = conf_place(path, 4000000000u);
	assert_non_null(strstr(place.text, "(...aaa"));
	assert_string_equal(place.text + strlen(place.text) - 13, "a:4000000000)");
	path[700] = '\0';
	place = conf_place(path, 7);
	assert_int_equal(strlen(place.text), strlen(" in configuration (:7)") + 700);
	assert_null(strstr(place.text, "..."));
}

static void a_failure_is_one_line_without_an_old_hint(void **state)
{
	struct conf_error why;

	(void)state;
	memset(&why, 'x', sizeof(why));
	assert_false(conf_fail(&why, "a.ini", 7, "one\ntwo %s", "\x7f\x01"));
	assert_string_equal(why.text, "one?two ??");
	assert_string_equal(why.file, "a.ini");
	assert_int_equal(why.line, 7);
	assert_string_equal(why.hint, "");
	conf_hint(&why, "Do %d.", 3);
	assert_string_equal(why.hint, "Do 3.");
	assert_false(conf_fail_memory(&why, NULL, 0));
	assert_string_equal(why.text, "out of memory");
	assert_string_equal(why.file, "");
}

static void texts_that_are_too_long_are_cut(void **state)
{
	struct conf_error why;
	char text[4096];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(conf_fail(&why, text, 1, "%s", text));
	assert_int_equal(strlen(why.text), sizeof(why.text) - 1);
	assert_int_equal(strlen(why.file), sizeof(why.file) - 1);
}

static const char *nearest(const char *wanted)
{
	static const char *const names[] = {"pool_mode", "pool_size", "user", "server_lifetime"};
	struct conf_nearest n;

	conf_nearest_init(&n, wanted);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		conf_nearest_try(&n, names[i]);
	return n.best;
}

static void the_nearest_name_is_found(void **state)
{
	(void)state;
	assert_string_equal(nearest("pol_mode"), "pool_mode");
	assert_string_equal(nearest("poolsize"), "pool_size");
	assert_string_equal(nearest("usr"), "user");
	assert_string_equal(nearest("server_life_time"), "server_lifetime");
}

static void names_that_are_like_nothing_have_no_nearest(void **state)
{
	char wanted[200];

	(void)state;
	assert_null(nearest("xyzzy"));
	assert_null(nearest(""));
	memset(wanted, 'u', sizeof(wanted) - 1);
	wanted[sizeof(wanted) - 1] = '\0';
	assert_null(nearest(wanted));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_place_names_file_and_line),
	                                   cmocka_unit_test(a_place_names_the_line_however_long_the_path_is),
	                                   cmocka_unit_test(a_failure_is_one_line_without_an_old_hint),
	                                   cmocka_unit_test(texts_that_are_too_long_are_cut),
	                                   cmocka_unit_test(the_nearest_name_is_found),
	                                   cmocka_unit_test(names_that_are_like_nothing_have_no_nearest)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
