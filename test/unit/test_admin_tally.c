/* Tests of src/admin/tally.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "admin/tally.h"
#include "base/mem.h"

static struct counters queries(uint64_t n)
{
	struct counters c;

	memset(&c, 0, sizeof(c));
	c.query_count = n;
	return c;
}

static void add(struct tally *t, const char *database, uint64_t n)
{
	struct counters c = queries(n);

	tally_add(t, database, &c);
}

static void counters_add_up_by_database(void **state)
{
	const struct tally_row **rows;
	struct tally t;

	(void)state;
	tally_init(&t, 1);
	add(&t, "b", 1);
	add(&t, "a", 2);
	add(&t, "b", 4);
	assert_false(t.failed);
	assert_int_equal(t.rows.count, 2);
	assert_int_equal(tally_find(&t, "b")->sum.query_count, 5);
	assert_null(tally_find(&t, "c"));
	assert_int_equal(tally_sum(&t).query_count, 7);
	rows = tally_sorted(&t);
	assert_non_null(rows);
	assert_string_equal(rows[0]->database, "a");
	assert_string_equal(rows[1]->database, "b");
	mem_free(rows);
	tally_fini(&t);
}

static void an_empty_tally_is_fine(void **state)
{
	const struct tally_row **rows;
	struct tally t;

	(void)state;
	tally_init(&t, 1);
	rows = tally_sorted(&t);
	assert_non_null(rows);
	mem_free(rows);
	assert_int_equal(tally_sum(&t).query_count, 0);
	tally_fini(&t);
}

static void rows_move_to_another_tally(void **state)
{
	struct tally from, to;
	char name[16];

	(void)state;
	tally_init(&from, 1);
	tally_init(&to, 2);
	add(&to, "old", 1);
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "db%u", i);
		add(&from, name, i);
	}
	tally_take(&to, &from);
	assert_int_equal(from.rows.count, 0);
	assert_int_equal(to.rows.count, 100);
	assert_null(tally_find(&to, "old"));
	assert_int_equal(tally_find(&to, "db42")->sum.query_count, 42);
	tally_fini(&from);
	tally_fini(&to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counters_add_up_by_database),
	    cmocka_unit_test(an_empty_tally_is_fine),
	    cmocka_unit_test(rows_move_to_another_tally),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
