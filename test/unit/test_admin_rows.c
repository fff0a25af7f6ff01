/* Tests of src/admin/rows.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "admin/rows.h"
#include "place.h"

static void a_row_is_a_message_of_texts(void **state)
{
	static const char expected[] = "D\0\0\0\x1a"
	                               "\0\3"
	                               "\0\0\0\3abc"
	                               "\xff\xff\xff\xff"
	                               "\0\0\0\5-1234";
	struct str out;
	struct row r;

	(void)state;
	str_init(&out, 100);
	row_begin(&r, &out, 3);
	row_text(&r, "abc");
	row_text(&r, NULL);
	row_int(&r, -1234);
	row_end(&r);
	assert_false(out.failed);
	assert_int_equal(out.len, sizeof(expected) - 1);
	assert_memory_equal(out.data, expected, out.len);
	str_fini(&out);
}

/* The text of the one value that `out` got; `out` is emptied. */
static const char *value_of(struct str *out)
{
	static char text[100];

	assert_true(out->len >= 4 && out->len - 4 < sizeof(text));
	memcpy(text, out->data + 4, out->len - 4);
	text[out->len - 4] = '\0';
	str_clear(out);
	return text;
}

static void values_are_written_as_postgres_would(void **state)
{
	struct str out;
	struct row r = {.out = &out};

	(void)state;
	place_set_variable("TZ", "UTC");
	tzset();
	str_init(&out, 100);
	row_int(&r, INT32_MAX);
	assert_string_equal(value_of(&out), "2147483647");
	row_int(&r, (int64_t)INT32_MAX + 1);
	assert_string_equal(value_of(&out), "2147483647");
	row_int(&r, INT64_MIN);
	assert_string_equal(value_of(&out), "-2147483648");
	row_number(&r, UINT64_MAX);
	assert_string_equal(value_of(&out), "18446744073709551615");
	row_time(&r, 1778241600123456);
	assert_string_equal(value_of(&out), "2026-05-08 12:00:00 UTC");
	row_pointer(&r, NULL);
	assert_string_equal(value_of(&out), "");
	row_pointer(&r, (void *)0x1234);
	assert_string_equal(value_of(&out), "0x1234");
	str_fini(&out);
}

static void a_row_beyond_the_limit_fails_as_a_whole(void **state)
{
	struct str out;
	struct row r;

	(void)state;
	str_init(&out, 20);
	row_begin(&r, &out, 1);
	row_text(&r, "longer than the limit is");
	row_end(&r);
	assert_true(out.failed);
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_row_is_a_message_of_texts),
	    cmocka_unit_test(values_are_written_as_postgres_would),
	    cmocka_unit_test(a_row_beyond_the_limit_fails_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
