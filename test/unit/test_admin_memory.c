/*
 * Every allocation of the console fails once: the command is refused or the connection ends, nothing is lost, and
 * other connections go on. This program brings its own base/mem.
 */
#include "failing_mem.h"

#include "console_bench.h"

#include "admin/metrics.h"
#include "diag/error_ring.h"

#define CONF                                                                                                           \
	"[databases]\napp = host=127.0.0.1\nzoo = host=127.0.0.1\n[users]\nann = pool_size=1\n"                        \
	"[pgbouncer]\nauth_type=trust\n"

static const char *const commands[] = {
    "show version",
    "show help",
    "show config",
    "show databases",
    "show pools",
    "show clients",
    "show servers",
    "show users",
    "show sockets",
    "show lists",
    "show mem",
    "show stats",
    "show stats_averages",
    "show totals",
    "show state",
    "show workers",
    "show waits",
    "show timezone",
    "nonsense",
    "set timezone = UTC",
    "pause",
    "set a = b",
    "shutdown wait_for_clients",
    "",
    /* by the extended protocol */
    "+show config",
    "+show stats",
    "+show timezone",
    "+show help",
    "+pause",
    "+",
};

static void extended_query(struct bench_client *c, const char *sql)
{
	struct str out;
	size_t m;

	str_init(&out, 1000);
	m = message_begin(&out, 'P');
	message_cstring(&out, "name");
	message_cstring(&out, sql);
	message_i16(&out, 0);
	message_end(&out, m);
	bench_message(&out, 'D', "Sname", 6);
	bench_message(&out, 'B', "\0name\0\0\0\0\0\0\1\0\1", 14);
	bench_message(&out, 'D', "P", 2);
	bench_message(&out, 'E', "\0\0\0\0\0", 5);
	bench_message(&out, 'S', "", 0);
	bench_send(c, out.data, out.len);
	str_fini(&out);
}

static bool is_settled(void *arg)
{
	struct bench_client *c = (struct bench_client *)arg;

	return bench_has_answer(c) || c->b->done != NULL;
}

/* Runs a command in which the n-th allocation fails; false: it did not need so many. */
static bool command_survives(const char *sql, size_t n)
{
	struct bench b;
	struct bench_client *c, *other;
	struct entry entry;
	struct client waiting;
	bool failed;

	bench_begin(&b, CONF, NULL);
	assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", 0, &entry), ENTERED);
	bench_waiting_client(&b, &waiting, &entry, 9);
	c = bench_connect(&b, CONSOLE_ADMIN);
	other = bench_connect(&b, CONSOLE_ADMIN);
	str_add(&c->got, "", 0);
	if (sql[0] == '+')
		extended_query(c, sql + 1);
	else
		bench_query(c, sql);
	mem_until_failure = n;
	run_turns(b.loop, 6);
	failed = mem_until_failure == 1;
	mem_until_failure = 0;
	assert_true(run_until(b.loop, is_settled, c));
	if (b.done != NULL)
		bench_reply_ok(&b);
	run_turns(b.loop, 3);
	assert_string_equal(bench_ask(other, "show version"), "T(version:t) D(PgBouncer 1.26.1) C(SHOW) Z");
	bench_disconnect(c);
	bench_disconnect(other);
	bench_waiting_client_leaves(&waiting);
	bench_finish(&b);
	assert_int_equal(mem_blocks, 0);
	return failed;
}

static void every_allocation_of_a_command_may_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		size_t n = 1;

		while (command_survives(commands[i], n))
			n++;
		assert_true(n > 1);
	}
}

static void every_allocation_of_a_welcome_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	for (size_t n = 1; failed; n++) {
		struct console_guest *g;
		struct bench b;
		int fd[2];
		static const struct peer nobody = {.family = 1};

		bench_begin(&b, CONF, NULL);
		assert_true(pair_make(fd));
		g = mem_new(struct console_guest);
		assert_non_null(g);
		g->stream = stream_adopt(fd[0], &nobody);
		g->user = mem_copy_str("admin");
		assert_true(g->stream != NULL && g->user != NULL);
		mem_until_failure = n;
		console_welcome(b.console, g);
		run_turns(b.loop, 3);
		failed = mem_until_failure == 1;
		mem_until_failure = 0;
		socket_close(fd[1]);
		bench_finish(&b);
		assert_int_equal(mem_blocks, 0);
	}
}

static void every_allocation_of_a_period_may_fail(void **state)
{
	bool failed = true;

	(void)state;
	for (size_t n = 1; failed; n++) {
		struct entry entry;
		struct bench b;

		bench_begin(&b, CONF, NULL);
		assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", 0, &entry), ENTERED);
		mem_until_failure = n;
		console_stats_period(b.console);
		run_turns(b.loop, 8);
		failed = mem_until_failure == 1;
		mem_until_failure = 0;
		bench_finish(&b);
		assert_int_equal(mem_blocks, 0);
	}
}

static void take_metrics(void *asker, struct view *v)
{
	(void)v;
	*(bool *)asker = true;
}

/* With a client, a pool and a failure of each kind of thing that is told. */
static bool metrics_survive(const struct topic *topic, size_t n)
{
	struct error_note note = {.class = "some_class", .count = 1, .text = "no"};
	struct view *under_way;
	struct client waiting;
	struct entry entry;
	struct bench b;
	bool failed, told = false, begun;

	bench_begin(&b, CONF, NULL);
	assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", 0, &entry), ENTERED);
	bench_waiting_client(&b, &waiting, &entry, 9);
	error_ring_add(b.control.opener->errors, &note);
	mem_until_failure = n;
	begun = view_start(b.console, topic, take_metrics, &told, &under_way);
	run_turns(b.loop, 8);
	failed = mem_until_failure == 1;
	mem_until_failure = 0;
	assert_true(told == begun);
	bench_waiting_client_leaves(&waiting);
	bench_finish(&b);
	assert_int_equal(mem_blocks, 0);
	return failed;
}

static void every_allocation_of_metrics_may_fail(void **state)
{
	size_t n = 1;

	(void)state;
	while (metrics_survive(&metrics_topic, n))
		n++;
	assert_true(n > 50);
	for (n = 1; metrics_survive(&open_metrics_topic, n); n++)
		;
}

/* Lines of the answer, 0: it is marked as failed. */
static void count_lines(void *asker, struct view *v)
{
	unsigned *n = (unsigned *)asker;

	for (size_t i = 0; i < v->out.len && !v->out.failed; i++)
		*n += v->out.data[i] == '\n';
}

/* `n` 0: none fails. */
static unsigned lines_of_metrics(size_t n, bool *failed)
{
	struct view *under_way;
	unsigned lines = 0;
	struct bench b;

	bench_begin(&b, CONF, NULL);
	mem_until_failure = n;
	(void)!view_start(b.console, &metrics_topic, count_lines, &lines, &under_way);
	run_turns(b.loop, 8);
	*failed = mem_until_failure == 1;
	mem_until_failure = 0;
	bench_finish(&b);
	assert_int_equal(mem_blocks, 0);
	return lines;
}

static void nobody_gets_half_of_the_metrics(void **state)
{
	bool failed = true;
	unsigned all, lines;

	(void)state;
	all = lines_of_metrics(0, &failed);
	assert_true(all > 200);
	failed = true;
	for (size_t n = 1; failed; n++) {
		lines = lines_of_metrics(n, &failed);
		assert_true(lines == all || (lines == 0 && failed));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_allocation_of_a_command_may_fail),
	    cmocka_unit_test(every_allocation_of_a_welcome_may_fail),
	    cmocka_unit_test(every_allocation_of_a_period_may_fail),
	    cmocka_unit_test(every_allocation_of_metrics_may_fail),
	    cmocka_unit_test(nobody_gets_half_of_the_metrics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
