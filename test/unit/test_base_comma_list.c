/* Lists in one text: what is an item, what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/comma_list.h"

static void check(const char *list, const char *expected)
{
	char all[100] = "";
	const char *item;
	size_t len, used = 0;

	while (comma_list_next(&list, &item, &len))
		used += (size_t)snprintf(all + used, sizeof(all) - used, "<%.*s>", (int)len, item);
	assert_string_equal(all, expected);
	assert_false(comma_list_next(&list, &item, &len));
}

static void items_are_what_stands_between_commas(void **state)
{
	(void)state;
	check("a", "<a>");
	check("a,b", "<a><b>");
	check(" a ,\tb\t", "<a><b>");
	check("a b, c", "<a b><c>");
	check("a\tb", "<a\tb>");
}

static void empty_items_are_none(void **state)
{
	(void)state;
	check(NULL, "");
	check("", "");
	check(" ", "");
	check(",", "");
	check(" , \t,", "");
	check(",a,,b, ,", "<a><b>");
}

static void copies_are_cut_to_their_room(void **state)
{
	const char *list = "abc, abcd ,d";
	char item[4];

	(void)state;
	assert_true(comma_list_copy_next(&list, item, sizeof(item)));
	assert_string_equal(item, "abc");
	assert_true(comma_list_copy_next(&list, item, sizeof(item)));
	assert_string_equal(item, "abc");
	assert_true(comma_list_copy_next(&list, item, sizeof(item)));
	assert_string_equal(item, "d");
	assert_false(comma_list_copy_next(&list, item, sizeof(item)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(items_are_what_stands_between_commas),
	    cmocka_unit_test(empty_items_are_none),
	    cmocka_unit_test(copies_are_cut_to_their_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
