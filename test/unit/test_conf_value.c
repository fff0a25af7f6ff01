/* Tests of src/conf/value.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "conf/value.h"
#include <cmocka.h>

static void whole_numbers_are_read_as_in_c(void **state)
{
	long long n = 0;

	(void)state;
	assert_true(value_number("0", &n) && n == 0);
	assert_true(value_number("0777", &n) && n == 511);
	assert_true(value_number("0x1F", &n) && n == 31);
	assert_true(value_number("-12", &n) && n == -12);
	assert_true(value_number("+7", &n) && n == 7);
	assert_true(value_number("9223372036854775807", &n) && n == INT64_MAX);
}

static void what_is_no_whole_number_is_refused(void **state)
{
	static const char *const bad[] = {
	    "", " 1", "1 ", "1x", "08", "1.5", "--1", "-", "x", "0x", "9223372036854775808", "1e3"};
	long long n = 42;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(value_number(bad[i], &n));
	assert_int_equal(n, 42);
}

static void decimal_numbers_fit_an_int(void **state)
{
	int n = 0;

	(void)state;
	assert_true(value_decimal("010", &n) && n == 10);
	assert_true(value_decimal("2147483647", &n) && n == 2147483647);
	assert_true(value_decimal("-2147483648", &n) && n == -2147483647 - 1);
	assert_false(value_decimal("2147483648", &n));
	assert_false(value_decimal("0x10", &n));
	assert_false(value_decimal("12abc", &n));
	assert_false(value_decimal(" 12", &n));
}

static void seconds_become_microseconds(void **state)
{
	static const struct {
		const char *text;
		uint64_t us;
	} good[] = {{"0", 0},        {"15", 15000000},    {"0.5", 500000},  {".25", 250000},
	            {"1.", 1000000}, {"1e3", 1000000000}, {"2.5e-3", 2500}, {"1E+2", 100000000},
	            {"+1", 1000000}, {"0.000001", 1}};
	uint64_t us = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_true(value_seconds(good[i].text, 1000000, &us));
		assert_int_equal(us, good[i].us);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const bad[] = {"",    "-1", "5s", "5 ", " 5",  "nan",       "inf",  "0x10",
	                                  "1,5", ".",  "e3", "1e", "1e-", "1000000.1", "1e99", "1e999999999999"};
	uint64_t us = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(value_seconds(bad[i], 1000000, &us));
	assert_int_equal(us, 7);
}

static const struct value_unit sizes[] = {{"kB", 1024}, {"MB", 1024 * 1024}, {NULL, 0}};

static void numbers_may_have_a_unit(void **state)
{
	static const struct {
		const char *text, *shown;
		uint64_t amount;
	} good[] = {
	    {"0", "0", 0},
	    {"0MB", "0", 0},
	    {"1", "1kB", 1024},
	    {"007", "7kB", 7168},
	    {"10MB", "10MB", 10485760},
	    {"10 mb", "10MB", 10485760},
	    {"1025KB", "1025kB", 1049600},
	    {"1024", "1MB", 1048576},
	    {"1048576", "1024MB", 1073741824},
	    {"1024  MB", "1024MB", 1073741824},
	};
	char buf[64];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		uint64_t amount = 1;

		assert_true(value_measure(good[i].text, sizes, 1024 * 1024, &amount));
		assert_int_equal(amount, good[i].amount);
		assert_string_equal(value_measure_text(amount, sizes, buf, sizeof(buf)), good[i].shown);
	}
}

static void what_measures_nothing_is_refused(void **state)
{
	static const char *const bad[] = {"",
	                                  "MB",
	                                  "-1",
	                                  "+1",
	                                  "1.5MB",
	                                  "1 MB ",
	                                  " 1",
	                                  "1GB",
	                                  "1M",
	                                  "1MBs",
	                                  "1e3",
	                                  "0x10",
	                                  "1048577",
	                                  "1025MB",
	                                  "99999999999999999999999",
	                                  "18446744073709551616",
	                                  "18014398509481985kB"};
	uint64_t amount = 7;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(value_measure(bad[i], sizes, 1024 * 1024, &amount));
	assert_int_equal(amount, 7);
}

static void quoted_text_is_taken_off_without_its_quotes(void **state)
{
	static const struct {
		const char *text, *value, *rest;
	} good[] = {{"'a b' c", "a b", " c"},
	            {"''", "", ""},
	            {"'it''s'x", "it's", "x"},
	            {"'\"'", "\"", ""},
	            {"\"a\"\"b'\"", "a\"b'", ""}};
	static const char *const open[] = {"'", "'a", "'a''", "\"a'"};
	char text[16], *at;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(text, sizeof(text), "%s", good[i].text);
		at = text;
		assert_string_equal(value_take_quoted(&at), good[i].value);
		assert_string_equal(at, good[i].rest);
	}
	for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++) {
		snprintf(text, sizeof(text), "%s", open[i]);
		at = text;
		assert_null(value_take_quoted(&at));
	}
}

static void words_are_found_in_any_case(void **state)
{
	static const char *const words[] = {"one", "two", NULL};

	(void)state;
	assert_int_equal(value_word("one", words), 0);
	assert_int_equal(value_word("TwO", words), 1);
	assert_int_equal(value_word("", words), -1);
	assert_int_equal(value_word("on", words), -1);
	assert_int_equal(value_word("ones", words), -1);
}

static void lists_are_searched_by_whole_words(void **state)
{
	(void)state;
	assert_true(value_is_among("b", "a|b|c"));
	assert_true(value_is_among("", ""));
	assert_true(value_is_among("", "a|"));
	assert_false(value_is_among("", "a"));
	assert_false(value_is_among("ab", "a|b|abc"));
	assert_false(value_is_among("a|b", "a|b"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(whole_numbers_are_read_as_in_c),
	                                   cmocka_unit_test(what_is_no_whole_number_is_refused),
	                                   cmocka_unit_test(decimal_numbers_fit_an_int),
	                                   cmocka_unit_test(seconds_become_microseconds),
	                                   cmocka_unit_test(numbers_may_have_a_unit),
	                                   cmocka_unit_test(what_measures_nothing_is_refused),
	                                   cmocka_unit_test(what_is_no_time_is_refused),
	                                   cmocka_unit_test(words_are_found_in_any_case),
	                                   cmocka_unit_test(lists_are_searched_by_whole_words),
	                                   cmocka_unit_test(quoted_text_is_taken_off_without_its_quotes)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
