/* Tests of src/pool/outage.c. This program brings its own base/mem. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "failing_mem.h"
#include "pool/outage.h"

static struct verdict some_verdict(void)
{
	struct verdict v;

	verdict_init(&v);
	str_add_str(&v.message, "no server can be reached");
	str_add_str(&v.detail, "Connection refused");
	str_add_str(&v.hint, "Start the server.");
	assert_false(v.message.failed || v.detail.failed || v.hint.failed);
	return v;
}

static void an_outage_knows_its_times_and_its_verdict(void **state)
{
	struct verdict v = some_verdict();
	struct outage *o = outage_new(&v, 17, UINT64_MAX, 3);

	(void)state;
	assert_non_null(o);
	assert_true(o->since_us == 17);
	assert_true(o->tell_at_us == UINT64_MAX);
	assert_int_equal(o->attempts, 3);
	assert_string_equal(str_text(&o->verdict.message), "no server can be reached");
	assert_string_equal(str_text(&o->verdict.detail), "Connection refused");
	assert_string_equal(str_text(&o->verdict.hint), "Start the server.");
	shared_unref(&o->shared);
	assert_int_equal(mem_blocks, 0);
}

static void the_verdict_moves_and_leaves_an_empty_one_behind(void **state)
{
	struct verdict v = some_verdict();
	const char *text = v.message.data;
	struct outage *o = outage_new(&v, 1, 2, 1);

	(void)state;
	assert_non_null(o);
	assert_ptr_equal(o->verdict.message.data, text);
	assert_string_equal(str_text(&v.message), "");
	assert_string_equal(str_text(&v.detail), "");
	/* usable again, and its own */
	str_add_str(&v.message, "another");
	assert_string_equal(str_text(&o->verdict.message), "no server can be reached");
	verdict_fini(&v);
	shared_unref(&o->shared);
	assert_int_equal(mem_blocks, 0);
}

static void the_last_holder_frees(void **state)
{
	struct verdict v = some_verdict();
	struct outage *o = outage_new(&v, 1, 2, 1);
	size_t blocks;

	(void)state;
	assert_non_null(o);
	blocks = mem_blocks;
	shared_ref(&o->shared);
	shared_unref(&o->shared);
	assert_int_equal(mem_blocks, blocks);
	assert_string_equal(str_text(&o->verdict.message), "no server can be reached");
	shared_unref(&o->shared);
	assert_int_equal(mem_blocks, 0);
}

static void without_memory_the_verdict_stays_the_callers(void **state)
{
	struct verdict v = some_verdict();

	(void)state;
	mem_until_failure = 1;
	assert_null(outage_new(&v, 1, 2, 1));
	mem_until_failure = 0;
	assert_string_equal(str_text(&v.message), "no server can be reached");
	assert_string_equal(str_text(&v.hint), "Start the server.");
	verdict_fini(&v);
	assert_int_equal(mem_blocks, 0);
}

static void idle_servers_are_let_go_only_for_a_shutdown(void **state)
{
	static const struct {
		const char *class, *message;
		bool lets_go;
	} cases[] = {{"not_yet_ready", "the database system is shutting down", true},
	             {"not_yet_ready", "the database system is starting up", false},
	             {"not_yet_ready", "the database system is in recovery mode", false},
	             {"server_refused", "the database system is shutting down", false}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct verdict v;
		struct outage *o;

		verdict_init(&v);
		v.class = cases[i].class;
		str_add_str(&v.message, cases[i].message);
		o = outage_new(&v, 1, 2, 1);
		assert_non_null(o);
		assert_int_equal(o->lets_go, cases[i].lets_go);
		shared_unref(&o->shared);
	}
	assert_int_equal(mem_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_outage_knows_its_times_and_its_verdict),
	    cmocka_unit_test(the_verdict_moves_and_leaves_an_empty_one_behind),
	    cmocka_unit_test(the_last_holder_frees),
	    cmocka_unit_test(idle_servers_are_let_go_only_for_a_shutdown),
	    cmocka_unit_test(without_memory_the_verdict_stays_the_callers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
