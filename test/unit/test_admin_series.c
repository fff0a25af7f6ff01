/* Tests of src/admin/series.c: rows into sets of labels, and what they say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "admin/rows.h"
#include "admin/series.h"

static const struct message_column columns[] = {
    COLUMN_TEXT("name"), COLUMN_TEXT("user"), COLUMN_BIG("n"), COLUMN_TEXT("word"), {NULL, 0, 0}};

static struct str rows;
static struct series_set set;

static int begin(void **state)
{
	(void)state;
	str_init(&rows, 1 << 24);
	return 0;
}

static int end(void **state)
{
	(void)state;
	series_fini(&set);
	str_fini(&rows);
	return 0;
}

static void add(const char *name, const char *user, const char *n)
{
	struct row r;

	row_begin(&r, &rows, 4);
	row_text(&r, name);
	row_text(&r, user);
	row_text(&r, n);
	row_text(&r, "word");
	row_end(&r);
}

static const char *labels_of(size_t i)
{
	static char text[600];

	snprintf(text, sizeof(text), "%.*s", (int)set.series[i].labels_len, set.labels.data + set.series[i].labels);
	return text;
}

static uint64_t value_of(size_t i, const char *column, enum series_fold fold)
{
	uint64_t value = 0;

	assert_true(series_value(&set, &set.series[i], column, fold, &value));
	return value;
}

static void each_row_has_its_labels_and_values(void **state)
{
	(void)state;
	add("app", "ann", "7");
	add("app", NULL, "18446744073709551615");
	add("b\"", "", NULL);
	assert_true(series_init(&set, &rows, columns, "name,user", 100, 1));
	assert_int_equal(set.n_series, 3);
	assert_string_equal(labels_of(0), "name=\"app\",user=\"ann\"");
	assert_string_equal(labels_of(1), "name=\"app\",user=\"\"");
	assert_string_equal(labels_of(2), "name=\"b\\\"\",user=\"\"");
	assert_int_equal(value_of(0, "n", SERIES_SUM), 7);
	assert_true(value_of(1, "n", SERIES_GREATEST) == UINT64_MAX);
	assert_int_equal(value_of(2, NULL, SERIES_SUM), 1);
}

static void what_has_no_number_has_no_value(void **state)
{
	static const char *const none[] = {NULL, "", "-1", "1.5", "x", "18446744073709551616"};
	uint64_t value = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		char name[8];

		snprintf(name, sizeof(name), "%zu", i);
		add(name, "u", none[i]);
	}
	assert_true(series_init(&set, &rows, columns, "name", 100, 1));
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_false(series_value(&set, &set.series[i], "n", SERIES_SUM, &value));
	assert_false(series_value(&set, &set.series[0], "no such column", SERIES_SUM, &value));
	assert_int_equal(value, 42);
}

static void rows_with_the_same_labels_are_one(void **state)
{
	(void)state;
	add("a\xff", "x", "3");
	add("b", "x", "100");
	add("a\xfe", "x", "5");
	add("<invalid>", "x", NULL);
	assert_true(series_init(&set, &rows, columns, "name,user", 100, 1));
	assert_int_equal(set.n_series, 2);
	assert_string_equal(labels_of(0), "name=\"<invalid>\",user=\"x\"");
	assert_int_equal(value_of(0, "n", SERIES_SUM), 8);
	assert_int_equal(value_of(0, "n", SERIES_GREATEST), 5);
	assert_int_equal(value_of(1, "n", SERIES_SUM), 100);
}

static void more_than_the_limit_are_others(void **state)
{
	uint64_t sum = 0;

	(void)state;
	for (unsigned i = 0; i < 50; i++) {
		char name[8];

		snprintf(name, sizeof(name), "%u", i % 40);
		add(name, "x", "1");
	}
	assert_true(series_init(&set, &rows, columns, "name,user", 10, 1));
	assert_int_equal(set.n_series, 11);
	assert_string_equal(labels_of(9), "name=\"9\",user=\"x\"");
	assert_string_equal(labels_of(10), "name=\"(other)\",user=\"(other)\"");
	assert_int_equal(value_of(9, "n", SERIES_SUM), 2);
	assert_int_equal(value_of(10, "n", SERIES_SUM), 30);
	for (size_t i = 0; i < set.n_series; i++)
		sum += value_of(i, "n", SERIES_SUM);
	assert_int_equal(sum, 50);
}

static void keys_are_found(void **state)
{
	uint64_t value;

	(void)state;
	add("first", "17", "1");
	add("second", NULL, "1");
	add("third", "0", "1");
	assert_true(series_init(&set, &rows, columns, "", 10, 1));
	assert_true(series_value_of_key(&set, "first", &value));
	assert_int_equal(value, 17);
	assert_true(series_value_of_key(&set, "third", &value));
	assert_int_equal(value, 0);
	assert_false(series_value_of_key(&set, "second", &value));
	assert_false(series_value_of_key(&set, "fourth", &value));
}

static void no_rows_are_no_series(void **state)
{
	(void)state;
	assert_true(series_init(&set, &rows, columns, "name", 10, 1));
	assert_int_equal(set.n_series, 0);
}

/* Cut anywhere, it is no row. */
static void what_are_no_rows_is_refused(void **state)
{
	struct str part;
	size_t len;

	(void)state;
	add("app", "ann", "7");
	len = rows.len;
	for (size_t cut = 1; cut < len; cut++) {
		str_init(&part, 1000);
		str_add(&part, rows.data, cut);
		assert_false(series_init(&set, &part, columns, "name", 10, 1));
		series_fini(&set);
		str_fini(&part);
	}
	assert_false(series_init(&set, &rows, columns, "name,nonsense", 10, 1));
	series_fini(&set);
	assert_false(series_init(&set, &rows, columns + 1, "user", 10, 1)); /* has other columns */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(each_row_has_its_labels_and_values, begin, end),
	    cmocka_unit_test_setup_teardown(what_has_no_number_has_no_value, begin, end),
	    cmocka_unit_test_setup_teardown(rows_with_the_same_labels_are_one, begin, end),
	    cmocka_unit_test_setup_teardown(more_than_the_limit_are_others, begin, end),
	    cmocka_unit_test_setup_teardown(keys_are_found, begin, end),
	    cmocka_unit_test_setup_teardown(no_rows_are_no_series, begin, end),
	    cmocka_unit_test_setup_teardown(what_are_no_rows_is_refused, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
