/* Tests of src/admin/stats.c: averages, periods, the log line, and SHOW STATS and its kin. */
#include "console_bench.h"

#include "admin/stats.h"
#include "base/clock.h"

static const struct counter_row *row_named(const char *name)
{
	const struct counter_row *row = counter_rows;

	while (strcmp(row->name, name) != 0)
		row++;
	return row;
}

static void counts_are_per_second_and_times_per_item(void **state)
{
	const struct counters since = {.server_assignment_count = 10,
	                               .xact_count = 100,
	                               .query_count = 200,
	                               .bytes_received = 5000,
	                               .xact_time = 30000,
	                               .query_time = 20000,
	                               .wait_time = 999,
	                               .client_login_count = 9};

	(void)state;
	assert_int_equal(counter_average(row_named("xact_count"), &since, 10 * US_PER_S), 10);
	assert_int_equal(counter_average(row_named("bytes_received"), &since, 2500000), 2000);
	assert_int_equal(counter_average(row_named("client_login_count"), &since, 10 * US_PER_S), 0);
	assert_int_equal(counter_average(row_named("xact_time"), &since, 1), 300);
	assert_int_equal(counter_average(row_named("query_time"), &since, 1), 100);
	assert_int_equal(counter_average(row_named("wait_time"), &since, 1), 99);
}

static void averages_of_nothing_are_nothing(void **state)
{
	const struct counters none = {.xact_time = 5, .query_time = 5, .wait_time = 5};

	(void)state;
	for (const struct counter_row *row = counter_rows; row->name != NULL; row++) {
		assert_int_equal(counter_average(row, &none, 0), 0);
		assert_int_equal(counter_average(row, &none, US_PER_S), 0);
	}
}

static void averages_of_very_much_do_not_overflow(void **state)
{
	const struct counters much = {.bytes_sent = UINT64_MAX};

	(void)state;
	assert_true(counter_average(row_named("bytes_sent"), &much, 2 * US_PER_S) == UINT64_MAX / 2);
}

static void freed_pools_do_not_make_figures_negative(void **state)
{
	const struct counters now = {.query_count = 5, .xact_count = 7}, old = {.query_count = 9, .xact_count = 3};
	struct counters since = counters_since(&now, &old);

	(void)state;
	assert_int_equal(since.query_count, 0);
	assert_int_equal(since.xact_count, 4);
}

static void the_log_line_is_pgbouncers(void **state)
{
	const struct counters since = {.server_assignment_count = 4,
	                               .xact_count = 20,
	                               .query_count = 40,
	                               .client_parse_count = 6,
	                               .server_parse_count = 4,
	                               .bind_count = 8,
	                               .client_login_count = 2,
	                               .bytes_received = 1000,
	                               .bytes_sent = 3000,
	                               .xact_time = 200,
	                               .query_time = 120,
	                               .wait_time = 36};
	struct str line, status;

	(void)state;
	str_init(&line, 1000);
	stats_line(&line, &since, 2 * US_PER_S);
	assert_string_equal(str_text(&line), "stats: 10 xacts/s, 20 queries/s, 3 client parses/s, 2 server parses/s, "
	                                     "4 binds/s, 1 client logins/s, in 500 B/s, out 1500 B/s, xact 10 us, "
	                                     "query 3 us, wait 9 us");
	str_init(&status, 1000);
	stats_status(&status, str_text(&line));
	assert_string_equal(str_text(&status), "STATUS=stats: 10 xacts/s, 20 queries/s, 3 client parses/s, 2 server "
	                                       "parses/s, 4 binds/s, 1 client logins/s, in 500 B/s, out 1500 B/s, "
	                                       "xact 10 μs, query 3 μs, wait 9 μs");
	str_fini(&status);
	str_fini(&line);
}

static void a_period_moves_on(void **state)
{
	const uint32_t seed[2] = {1, 2};
	struct counters c = {.query_count = 5};
	struct tally now;
	struct stats s;

	(void)state;
	stats_init(&s, 100, seed);
	tally_init(&now, 3);
	tally_add(&now, "app", &c);
	stats_turn(&s, &now, 200);
	assert_true(s.old_us == 100 && s.last_us == 200);
	assert_null(tally_find(&s.old, "app"));
	assert_int_equal(tally_find(&s.last, "app")->sum.query_count, 5);
	c.query_count = 8;
	tally_add(&now, "app", &c);
	stats_turn(&s, &now, 300);
	assert_true(s.old_us == 200 && s.last_us == 300);
	assert_int_equal(tally_find(&s.old, "app")->sum.query_count, 5);
	assert_int_equal(tally_find(&s.last, "app")->sum.query_count, 8);
	tally_fini(&now);
	stats_fini(&s);
}

/* ---- through a console ---- */

#define CONF "[databases]\napp = host=127.0.0.1\nzoo = host=127.0.0.1 pool_size=8\n[pgbouncer]\nauth_type=trust\n"

static struct seat *enter(struct bench *b, const char *database, const char *user, uint16_t worker)
{
	struct entry entry;

	assert_int_equal(registry_enter(b->office->registry, b->conf, database, user, worker, &entry), ENTERED);
	return entry.seat;
}

static void each_worker_adds_its_own_part(void **state)
{
	struct bench b;
	struct bench_client *c;
	struct pool *p;

	(void)state;
	bench_begin(&b, CONF, NULL);
	p = enter(&b, "zoo", "ann", 0)->pool;
	assert_int_equal(p->n_seats, 2);
	p->seat[0].counters.query_count = 1;
	p->seat[1].counters.query_count = 20;
	enter(&b, "zoo", "bob", 0)->counters.query_count = 300;
	enter(&b, "app", "ann", 0)->counters.bytes_sent = 77;
	c = bench_connect(&b, CONSOLE_STATS);
	assert_string_equal(
	    bench_ask(c, "show stats_totals"),
	    "T(database:t server_assignment_count:n xact_count:n query_count:n bytes_received:n "
	    "bytes_sent:n xact_time:n query_time:n wait_time:n client_parse_count:n server_parse_count:n "
	    "bind_count:n client_login_count:n) "
	    "D(app,0,0,0,0,77,0,0,0,0,0,0,0) "
	    "D(pgbouncer,0,1,1,0,0,0,0,0,0,0,0,1) "
	    "D(zoo,0,0,321,0,0,0,0,0,0,0,0,0) C(SHOW) Z");
	assert_non_null(strstr(bench_ask(c, "show stats"), " D(zoo,0,0,321,0,0,0,0,0,0,0,0,0,0,"));
	assert_non_null(strstr(bench_ask(c, "show totals"), " D(total_query_count,322) D(total_client_bytes,0) "
	                                                    "D(total_server_bytes,77) "));
	assert_non_null(strstr(bench_ask(c, "show stats_averages"), " D(zoo,0,0,"));
	bench_disconnect(c);
	bench_finish(&b);
}

static void queries_on_the_console_count_once_per_connection(void **state)
{
	struct bench b;
	struct bench_client *one, *two;

	(void)state;
	bench_begin(&b, CONF, NULL);
	one = bench_connect(&b, CONSOLE_STATS);
	two = bench_connect(&b, CONSOLE_STATS);
	(void)bench_ask(one, "show version");
	(void)bench_ask(one, "show version");
	assert_non_null(strstr(bench_ask(two, "show stats_totals"), " D(pgbouncer,0,2,2,0,0,0,0,0,0,0,0,2) "));
	bench_disconnect(one);
	bench_disconnect(two);
	bench_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_are_per_second_and_times_per_item),
	    cmocka_unit_test(averages_of_nothing_are_nothing),
	    cmocka_unit_test(averages_of_very_much_do_not_overflow),
	    cmocka_unit_test(freed_pools_do_not_make_figures_negative),
	    cmocka_unit_test(the_log_line_is_pgbouncers),
	    cmocka_unit_test(a_period_moves_on),
	    cmocka_unit_test(each_worker_adds_its_own_part),
	    cmocka_unit_test(queries_on_the_console_count_once_per_connection),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
