/* JSON strings and numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/json.h"
#include <cmocka.h>

static void check_string(const char *text, size_t len, const char *expected)
{
	struct str out;

	str_init(&out, 1000);
	json_string(&out, text, len);
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

static void check_number(const char *text, const char *expected)
{
	struct str out;

	str_init(&out, 1000);
	json_number(&out, text, strlen(text));
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

static void strings_are_escaped(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
	    {"", "\"\""},
	    {"app", "\"app\""},
	    {"a\"b\\c/d", "\"a\\\"b\\\\c/d\""},
	    {"line\nnext\ttab\r\x01\x1f\x7f", "\"line\\u000anext\\u0009tab\\u000d\\u0001\\u001f\\u007f\""},
	    {"<script>alert('&')</script>", "\"\\u003cscript\\u003ealert('\\u0026')\\u003c/script\\u003e\""},
	    {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98",
	     "\"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x90\x98\""},
	    {"\xc2\x85", "\"\\u0085\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(cases[i].text, strlen(cases[i].text), cases[i].expected);
	check_string("a\0b", 3, "\"a\\u0000b\"");
	check_string(NULL, 0, "null");
}

static void what_is_no_utf8_is_replaced_byte_by_byte(void **state)
{
	static const struct {
		const char *text, *expected;
	} cases[] = {
	    {"\xff", "\"\\ufffd\""},
	    {"a\xc3", "\"a\\ufffd\""},
	    {"\xc3(", "\"\\ufffd(\""},
	    {"\xc0\xaf", "\"\\ufffd\\ufffd\""},                       /* a slash in two bytes */
	    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},            /* half of a pair */
	    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* beyond Unicode */
	    {"\xe2\x82", "\"\\ufffd\\ufffd\""},
	    {"\x80\"", "\"\\ufffd\\\"\""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_string(cases[i].text, strlen(cases[i].text), cases[i].expected);
}

static void numbers_that_a_double_would_change_are_strings(void **state)
{
	(void)state;
	check_number("0", "0");
	check_number("-1", "-1");
	check_number("42", "42");
	check_number("9007199254740991", "9007199254740991");
	check_number("-9007199254740991", "-9007199254740991");
	check_number("9007199254740992", "\"9007199254740992\"");
	check_number("18446744073709551615", "\"18446744073709551615\"");
	check_number("-9223372036854775808", "\"-9223372036854775808\"");
}

static void what_is_no_number_is_a_string(void **state)
{
	(void)state;
	check_number("", "\"\"");
	check_number("-", "\"-\"");
	check_number("007", "\"007\"");
	check_number("1e9", "\"1e9\"");
	check_number("+1", "\"+1\"");
	check_number("1<2", "\"1\\u003c2\"");
}

static void a_full_string_fails(void **state)
{
	struct str out;

	(void)state;
	str_init(&out, 10);
	json_string(&out, "0123456789abcdef", 16);
	assert_true(out.failed);
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(strings_are_escaped),
	    cmocka_unit_test(what_is_no_utf8_is_replaced_byte_by_byte),
	    cmocka_unit_test(numbers_that_a_double_would_change_are_strings),
	    cmocka_unit_test(what_is_no_number_is_a_string),
	    cmocka_unit_test(a_full_string_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
