/* SHOW STATE_GUARD. */
#include "console_bench.h"

#include "diag/session_state.h"

#define CONF "[databases]\napp = host=127.0.0.1 pool_mode=transaction\n[pgbouncer]\nauth_type=trust\nstate_guard=pin\n"

static void counts_of_all_workers_are_one_row_for_each_pool(void **state)
{
	struct bench_client *c;
	struct bench b;
	struct entry entry;
	struct pool *p;
	const char *story;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	assert_null(strstr(bench_ask(c, "show state_guard"), " D("));
	memset(&entry, 0, sizeof(entry));
	assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", 0, &entry), ENTERED);
	p = entry.seat->pool;
	assert_int_equal(p->n_seats, 2);
	for (uint16_t i = 0; i < p->n_seats; i++) {
		p->seat[i].guard.left[STATE_SET] = 3;
		p->seat[i].guard.left[STATE_LOAD] = 1;
		p->seat[i].guard.pinned = 1;
	}
	story = bench_ask(c, "show state_guard");
	assert_non_null(strstr(story, "D(app,ann,pin,6,0,0,0,0,0,2,0,0,2) "));
	assert_null(strstr(strstr(story, "D(") + 1, "D("));
	bench_disconnect(c);
	bench_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_of_all_workers_are_one_row_for_each_pool),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
