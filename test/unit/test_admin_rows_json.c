/* Rows as JSON. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "failing_mem.h"

#include "admin/rows.h"
#include "admin/rows_json.h"
#include <cmocka.h>

static const struct message_column columns[] = {
    COLUMN_TEXT("name"), COLUMN_INT("port"), COLUMN_BIG("id"), COLUMN_NUMBER("sum"), {NULL, 0, 0},
};

static void add_row(struct str *rows, const char *name, const char *port, const char *id, const char *sum)
{
	const char *const values[] = {name, port, id, sum};

	message_data_row(rows, values, 4);
}

static void check_json(const struct str *rows, const char *expected)
{
	struct str out;

	str_init(&out, 100000);
	assert_true(rows_write_json(&out, columns, rows));
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

static void each_type_has_its_form(void **state)
{
	struct str rows;

	(void)state;
	str_init(&rows, 10000);
	check_json(&rows, "[]");
	add_row(&rows, "<script>alert(1)</script>", "-5432", "9007199254740993", "18446744073709551615");
	check_json(&rows, "[{\"name\":\"\\u003cscript\\u003ealert(1)\\u003c/script\\u003e\",\"port\":-5432,"
	                  "\"id\":\"9007199254740993\",\"sum\":\"18446744073709551615\"}]");
	str_clear(&rows);
	add_row(&rows, "", "0", "1", "2");
	add_row(&rows, NULL, NULL, NULL, NULL);
	add_row(&rows, "a\xff\"b\n", "7", "8", "9");
	check_json(&rows, "[{\"name\":\"\",\"port\":0,\"id\":1,\"sum\":2},"
	                  "{\"name\":null,\"port\":null,\"id\":null,\"sum\":null},"
	                  "{\"name\":\"a\\ufffd\\\"b\\u000a\",\"port\":7,\"id\":8,\"sum\":9}]");
	str_fini(&rows);
}

static uint64_t by_id(const struct bytes *values)
{
	return row_value(values[2]);
}

static void heaviest_rows_come_first_and_others_are_counted(void **state)
{
	struct str rows, out;
	size_t total = 0;

	(void)state;
	str_init(&rows, 10000);
	str_init(&out, 10000);
	add_row(&rows, "light", "1", "1", "0");
	add_row(&rows, "heavy", "2", "90", "0");
	add_row(&rows, "first", "3", "20", "0");
	add_row(&rows, "second", "4", "20", "0");
	assert_true(rows_write_json_most(&out, columns, &rows, by_id, 3, &total));
	assert_int_equal(total, 4);
	assert_string_equal(str_text(&out), "[{\"name\":\"heavy\",\"port\":2,\"id\":90,\"sum\":0},"
	                                    "{\"name\":\"first\",\"port\":3,\"id\":20,\"sum\":0},"
	                                    "{\"name\":\"second\",\"port\":4,\"id\":20,\"sum\":0}]");
	str_clear(&out);
	assert_true(rows_write_json_most(&out, columns, &rows, NULL, 1, &total));
	assert_string_equal(str_text(&out), "[{\"name\":\"light\",\"port\":1,\"id\":1,\"sum\":0}]");
	assert_int_equal(total, 4);
	str_fini(&rows);
	str_fini(&out);
}

static void malformed_rows_are_refused_at_every_cut(void **state)
{
	struct str rows, cut, out;

	(void)state;
	str_init(&rows, 10000);
	add_row(&rows, "name", "1", "2", "3");
	str_init(&cut, 10000);
	for (size_t len = 1; len < rows.len; len++) {
		str_clear(&cut);
		str_add(&cut, rows.data, len);
		str_init(&out, 10000);
		assert_false(rows_write_json(&out, columns, &cut));
		str_fini(&out);
	}
	str_clear(&cut);
	str_add(&cut, rows.data, rows.len);
	cut.data[6]++; /* another number of columns */
	str_init(&out, 10000);
	assert_false(rows_write_json(&out, columns, &cut));
	str_fini(&out);
	str_fini(&cut);
	str_fini(&rows);
}

static void values_of_numbers_are_read(void **state)
{
	(void)state;
	assert_int_equal(row_value((struct bytes){"1234", 4}), 1234);
	assert_int_equal(row_value((struct bytes){"-1", 2}), 0);
	assert_int_equal(row_value((struct bytes){NULL, 0}), 0);
}

static void failing_memory_is_told(void **state)
{
	struct str rows, out;
	size_t total;

	(void)state;
	str_init(&rows, 10000);
	for (int i = 0; i < 20; i++)
		add_row(&rows, "name", "1", "2", "3");
	mem_fails_once = true;
	for (size_t nth = 1;; nth++) {
		bool failed;

		str_init(&out, 100000);
		mem_until_failure = nth;
		assert_true(rows_write_json_most(&out, columns, &rows, by_id, 10, &total));
		failed = mem_until_failure == 0;
		mem_until_failure = 0;
		assert_int_equal(out.failed, failed);
		str_fini(&out);
		if (!failed)
			break;
	}
	str_fini(&rows);
	assert_int_equal(mem_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_type_has_its_form),
	    cmocka_unit_test(heaviest_rows_come_first_and_others_are_counted),
	    cmocka_unit_test(malformed_rows_are_refused_at_every_cut),
	    cmocka_unit_test(values_of_numbers_are_read),
	    cmocka_unit_test(failing_memory_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
