/* The table of counters and its structure belong together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag/counters.h"

static uint64_t *at(struct counters *c, const struct counter_row *row)
{
	return (uint64_t *)(void *)((char *)c + row->offset);
}

static void every_counter_is_added_and_set_off(void **state)
{
	struct counters sum, more, since, less;
	uint64_t n = 0;

	(void)state;
	for (const struct counter_row *row = counter_rows; row->name != NULL; row++) {
		n++;
		*at(&sum, row) = n;
		*at(&more, row) = 100 * n;
	}
	assert_int_equal(n * sizeof(uint64_t), sizeof(struct counters));
	counters_add(&sum, &more);
	n = 0;
	for (const struct counter_row *row = counter_rows; row->name != NULL; row++)
		assert_int_equal(*at(&sum, row), 101 * ++n);
	since = counters_since(&sum, &more);
	less = counters_since(&more, &sum);
	n = 0;
	for (const struct counter_row *row = counter_rows; row->name != NULL; row++) {
		assert_int_equal(*at(&since, row), ++n);
		assert_int_equal(*at(&less, row), 0);
	}
}

static void rows_have_the_order_of_show_stats(void **state)
{
	static const char *const names[] = {"server_assignment_count",
	                                    "xact_count",
	                                    "query_count",
	                                    "bytes_received",
	                                    "bytes_sent",
	                                    "xact_time",
	                                    "query_time",
	                                    "wait_time",
	                                    "client_parse_count",
	                                    "server_parse_count",
	                                    "bind_count",
	                                    "client_login_count"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_string_equal(counter_rows[i].name, names[i]);
	}
	assert_null(counter_rows[sizeof(names) / sizeof(names[0])].name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_counter_is_added_and_set_off),
	    cmocka_unit_test(rows_have_the_order_of_show_stats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
