/* Tests of src/admin/history.c: samples, and what is told of them. */
#include "console_bench.h"

#include "admin/history.h"
#include "admin/terminal.h"
#include "base/clock.h"
#include "diag/error_ring.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"

static struct history *history;
static struct tally tally;
static struct str text;

static int set_up(void **state)
{
	(void)state;
	history = history_new(1);
	tally_init(&tally, 2);
	str_init(&text, 1 << 20);
	return history == NULL;
}

static int tear_down(void **state)
{
	(void)state;
	history_free(history);
	tally_fini(&tally);
	str_fini(&text);
	return 0;
}

static void count(const char *database, uint64_t queries)
{
	struct counters c = {
	    .query_count = queries, .query_time = queries * 30, .xact_count = queries / 2, .bytes_sent = queries * 100};

	tally_add(&tally, database, &c);
}

static void add_at(uint64_t at_us, uint64_t errors)
{
	struct history_totals totals = {
	    .at_us = at_us, .errors = errors, .logging_in = 1, .sums = {.clients = 5, .idle = 2}};

	history_add(history, &tally, &totals);
	assert_int_equal(tally.rows.count, 0);
}

/* What stands in the columns of the sample that was written last. */
static const char *told(uint64_t now_us)
{
	const char *last;

	str_clear(&text);
	history_write(history, now_us, &text);
	assert_false(text.failed);
	last = strrchr(str_text(&text), '[');
	assert_non_null(last);
	return last;
}

static void a_sample_is_what_came_since_the_one_before(void **state)
{
	(void)state;
	count("app", 1000);
	add_at(7 * US_PER_S, 3);
	assert_int_equal(history_count(history), 0); /* since when is not known */
	count("app", 1100);
	count("new", 50);
	add_at(12 * US_PER_S, 8);
	assert_int_equal(history_count(history), 1);
	assert_int_equal(history_sample(history, 0)->interval_us, 5 * US_PER_S);
	assert_int_equal(history_sample(history, 0)->since.query_count, 150);
	assert_int_equal(history_sample(history, 0)->errors, 5);
	/* age, transactions, queries, received, sent, assignments, logins, errors, mean times, counts */
	assert_string_equal(told(13 * US_PER_S + 500000),
	                    "[1.5,15.00,30.00,0.00,3000.00,0.00,0.00,1.00,0,30,0,5,0,1,0,2,0,0]]}");
}

static void what_is_told_names_its_columns(void **state)
{
	unsigned commas = 0, names = 1;
	const char *at, *end;

	(void)state;
	(void)told(1);
	assert_string_equal(
	    str_text(&text),
	    "{\"every_s\":5,\"columns\":[\"age_s\",\"transactions\",\"queries\",\"received_bytes\","
	    "\"sent_bytes\",\"assignments\",\"logins\",\"errors\",\"transaction_us\",\"query_us\",\"wait_us\","
	    "\"clients\",\"waiting\",\"logging_in\",\"servers_active\",\"servers_idle\",\"servers_opening\","
	    "\"pools\"],\"samples\":[]}");
	for (at = strchr(str_text(&text), '['), end = strchr(at, ']'); at < end; at++)
		names += *at == ',';
	add_at(1, 0);
	add_at(2, 0);
	for (at = told(3); *at != '\0'; at++)
		commas += *at == ',';
	assert_int_equal(commas + 1, names);
	str_clear(&text);
	history_write(NULL, 1, &text);
	assert_non_null(strstr(str_text(&text), "\"samples\":[]}"));
}

static void pools_that_were_freed_do_not_hide_what_others_did(void **state)
{
	(void)state;
	count("gone", 5000);
	count("app", 10);
	add_at(1 * US_PER_S, 0);
	count("app", 20);
	add_at(6 * US_PER_S, 0);
	assert_int_equal(history_sample(history, 0)->since.query_count, 10);
}

static void the_oldest_sample_makes_room(void **state)
{
	(void)state;
	for (uint64_t i = 0; i <= HISTORY_SAMPLES + 20; i++) {
		count("app", i * i);
		add_at((i + 1) * 5 * US_PER_S, 0);
	}
	assert_int_equal(history_count(history), HISTORY_SAMPLES);
	assert_int_equal(history_sample(history, 0)->at_us, 22 * 5 * US_PER_S);
	assert_int_equal(history_sample(history, HISTORY_SAMPLES - 1)->at_us, (HISTORY_SAMPLES + 21) * 5 * US_PER_S);
	for (unsigned i = 1; i < HISTORY_SAMPLES; i++)
		assert_int_equal(history_sample(history, i)->since.query_count,
		                 history_sample(history, i - 1)->since.query_count + 2);
}

static void rates_are_of_the_time_that_has_really_gone(void **state)
{
	(void)state;
	add_at(5 * US_PER_S, 0);
	count("app", 1000);
	add_at(105 * US_PER_S, 0); /* the process was stopped meanwhile */
	assert_memory_equal(told(105 * US_PER_S), "[0.0,5.00,10.00,", 16);
}

static void a_clock_that_stands_still_makes_no_sample(void **state)
{
	struct history_totals again = {.at_us = 5 * US_PER_S};

	(void)state;
	add_at(5 * US_PER_S, 0);
	count("app", 1000);
	history_add(history, &tally, &again);
	assert_int_equal(history_count(history), 0);
	add_at(10 * US_PER_S, 0);
	assert_int_equal(history_sample(history, 0)->since.query_count, 1000);
	assert_memory_equal(told(2 * US_PER_S), "[0.0,", 5); /* asked before it was taken */
}

static void very_much_does_not_overflow(void **state)
{
	struct counters much = {.bytes_sent = UINT64_MAX, .query_time = UINT64_MAX, .query_count = 1};

	(void)state;
	add_at(US_PER_S, 0);
	tally_add(&tally, "app", &much);
	add_at(6 * US_PER_S, UINT64_MAX);
	assert_non_null(strstr(told(6 * US_PER_S), ",3074457345618258602,"));
	assert_non_null(strstr(told(6 * US_PER_S), ",18446744073709551615,"));
}

/* ---- by the console ---- */

static void take_sample(struct bench *b)
{
	struct view *under_way;

	assert_true(view_start(b->console, &history_topic, NULL, NULL, &under_way));
	run_turns(b->loop, 20);
}

static void the_console_takes_samples_while_it_shall(void **state)
{
	struct error_note n = {.at_us = 1, .class = "x", .count = 7, .text = "t"};
	struct bench b;

	(void)state;
	bench_begin(&b, CONF, NULL);
	b.worker[1].errors = error_ring_new();
	assert_non_null(b.worker[1].errors);
	assert_null(b.console->history);
	assert_true(console_keep_history(b.console, true));
	assert_true(console_keep_history(b.console, true));
	run_turns(b.loop, 20); /* the first one is taken at once, later ones by a timer */
	assert_true(timer_is_set(b.console->sample_timer));
	error_ring_add(b.worker[1].errors, &n);
	error_ring_add(b.control.opener->errors, &n);
	take_sample(&b);
	take_sample(&b);
	assert_int_equal(history_count(b.console->history), 2);
	assert_int_equal(history_sample(b.console->history, 0)->errors, 14);
	assert_int_equal(history_sample(b.console->history, 1)->errors, 0);
	assert_true(console_keep_history(b.console, false));
	assert_null(b.console->history);
	bench_finish(&b);
	error_ring_free(b.worker[1].errors);
}

static void a_sample_under_way_is_forgotten(void **state)
{
	struct bench b;

	(void)state;
	bench_begin(&b, CONF, NULL);
	b.hold_visits = true;
	assert_true(console_keep_history(b.console, true));
	run_turns(b.loop, 5);
	assert_non_null(b.console->sampling);
	assert_true(console_keep_history(b.console, false));
	bench_release_visits(&b);
	run_turns(b.loop, 20);
	assert_null(b.console->history);
	bench_finish(&b);
}

static void the_console_may_end_while_a_sample_is_under_way(void **state)
{
	struct bench b;

	(void)state;
	bench_begin(&b, CONF, NULL);
	b.hold_visits = true;
	assert_true(console_keep_history(b.console, true));
	run_turns(b.loop, 5);
	console_free(b.console);
	bench_release_visits(&b);
	run_turns(b.loop, 20); /* the sample frees itself */
	b.console = NULL;
	bench_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_sample_is_what_came_since_the_one_before, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_told_names_its_columns, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pools_that_were_freed_do_not_hide_what_others_did, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_oldest_sample_makes_room, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(rates_are_of_the_time_that_has_really_gone, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_clock_that_stands_still_makes_no_sample, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(very_much_does_not_overflow, set_up, tear_down),
	    cmocka_unit_test(the_console_takes_samples_while_it_shall),
	    cmocka_unit_test(a_sample_under_way_is_forgotten),
	    cmocka_unit_test(the_console_may_end_while_a_sample_is_under_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
