/* Tests of src/admin/binary.c: values against the bytes that PostgreSQL's own send functions make. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "admin/binary.h"
#include <cmocka.h>

static const struct {
	uint32_t type;
	const char *text, *hex; /* NULL: no value of that type */
} values[] = {
    {TYPE_OID_TEXT, "", ""},
    {TYPE_OID_TEXT, "a b", "612062"},
    {TYPE_OID_INT4, "0", "00000000"},
    {TYPE_OID_INT4, "6432", "00001920"},
    {TYPE_OID_INT4, "-1", "ffffffff"},
    {TYPE_OID_INT4, "2147483647", "7fffffff"},
    {TYPE_OID_INT4, "2147483648", "7fffffff"},
    {TYPE_OID_INT4, "-2147483648", "80000000"},
    {TYPE_OID_INT4, "-2147483649", "80000000"},
    {TYPE_OID_INT4, "", NULL},
    {TYPE_OID_INT4, "-", NULL},
    {TYPE_OID_INT4, "1x", NULL},
    {TYPE_OID_INT4, " 1", NULL},
    {TYPE_OID_INT8, "0", "0000000000000000"},
    {TYPE_OID_INT8, "-2", "fffffffffffffffe"},
    {TYPE_OID_INT8, "9223372036854775807", "7fffffffffffffff"},
    {TYPE_OID_INT8, "18446744073709551615", "7fffffffffffffff"},
    {TYPE_OID_INT8, "-9223372036854775808", "8000000000000000"},
    {TYPE_OID_INT8, "18446744073709551616", NULL},
    {TYPE_OID_INT8, "100000000000000000000", NULL},
    {TYPE_OID_NUMERIC, "0", "0000000000000000"},
    {TYPE_OID_NUMERIC, "1", "00010000000000000001"},
    {TYPE_OID_NUMERIC, "-1", "00010000400000000001"},
    {TYPE_OID_NUMERIC, "9999", "0001000000000000270f"},
    {TYPE_OID_NUMERIC, "10000", "000200010000000000010000"},
    {TYPE_OID_NUMERIC, "18446744073709551615", "000500040000000007341a5802e103bb064f"},
    {TYPE_OID_NUMERIC, "1.5", NULL},
    {TYPE_OID_BOOL, "1", NULL},
};

static void values_are_as_postgresql_sends_them(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		char hex[128] = "";
		struct str out;
		bool good;

		str_init(&out, 1000);
		good = binary_value(&out, values[i].type, values[i].text, strlen(values[i].text));
		assert_int_equal(good, values[i].hex != NULL);
		for (size_t at = 0; good && at < out.len; at++)
			snprintf(hex + 2 * at, 3, "%02x", (unsigned)(unsigned char)out.data[at]);
		if (good)
			assert_string_equal(hex, values[i].hex);
		str_fini(&out);
	}
}

static const struct message_column columns[] = {
    {"a", TYPE_OID_TEXT, -1}, {"b", TYPE_OID_INT4, 4}, {"c", TYPE_OID_INT4, 4}};

/* A row ("x", "5", NULL), and the same behind it. */
static void two_rows(struct str *rows)
{
	static const char *const texts[] = {"x", "5", NULL};

	str_init(rows, 1000);
	message_data_row(rows, texts, 3);
	message_data_row(rows, texts, 3);
}

static void rows_have_each_column_in_its_format(void **state)
{
	static const struct {
		binary_columns binary;
		const char *row;
		size_t len;
	} cases[] = {
	    {0,
	     "D\0\0\0\24\0\3\0\0\0\1x\0\0\0\1"
	     "5\xff\xff\xff\xff",
	     21},
	    {1,
	     "D\0\0\0\24\0\3\0\0\0\1x\0\0\0\1"
	     "5\xff\xff\xff\xff",
	     21},
	    {2, "D\0\0\0\27\0\3\0\0\0\1x\0\0\0\4\0\0\0\5\xff\xff\xff\xff", 24},
	    {UINT64_MAX, "D\0\0\0\27\0\3\0\0\0\1x\0\0\0\4\0\0\0\5\xff\xff\xff\xff", 24},
	};
	struct str rows;

	(void)state;
	two_rows(&rows);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str out;

		str_init(&out, 1000);
		assert_int_equal(binary_row(&out, columns, cases[i].binary, rows.data, rows.len), rows.len / 2);
		assert_int_equal(out.len, cases[i].len);
		assert_memory_equal(out.data, cases[i].row, cases[i].len);
		str_fini(&out);
	}
	str_fini(&rows);
}

static void half_a_row_is_none(void **state)
{
	struct str rows;

	(void)state;
	two_rows(&rows);
	for (size_t len = 0; len < rows.len / 2; len++) {
		struct str out;

		str_init(&out, 1000);
		assert_int_equal(binary_row(&out, columns, 2, rows.data, len), 0);
		str_fini(&out);
	}
	str_fini(&rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_as_postgresql_sends_them),
	    cmocka_unit_test(rows_have_each_column_in_its_format),
	    cmocka_unit_test(half_a_row_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
