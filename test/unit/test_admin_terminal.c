/* Tests of src/admin/terminal.c: bytes in every portion, one command at a time, leaving in every moment. */
#include "console_bench.h"

#include "admin/terminal.h"
#include "find.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"
#define GREETING                                                                                                       \
	"R S(pgbouncer.version=1.26.1) S(server_version=1.26.1/bouncer) S(client_encoding=UTF8) "                      \
	"S(server_encoding=UTF8) S(DateStyle=ISO) S(TimeZone=GMT) S(standard_conforming_strings=on) "                  \
	"S(is_superuser=on) S(application_name=bench) K Z"
#define SHOW_VERSION "T(version:t) D(PgBouncer 1.26.1) C(SHOW) Z"

static struct terminal *only_terminal(struct bench *b)
{
	assert_int_equal(console_count(b->console), 1);
	return terminal_of(list_first(&b->console->terminals));
}

static void login_reply_has_its_parameters(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect_raw(&b, CONSOLE_STATS, "stats", 9);
	assert_true(run_until(b.loop, bench_has_answer, c));
	assert_non_null(find_bytes(c->got.data, c->got.len, "K\0\0\0\14keyof\0\0\11", 13));
	assert_string_equal(bench_answer(c), GREETING);
	bench_disconnect(c);
	bench_finish(&b);
}

/* Sends the bytes in two portions, cut there. */
static const char *story_of(const char *bytes, size_t n, size_t cut)
{
	static char story[4096];
	struct bench b;
	struct bench_client *c;

	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	bench_send(c, bytes, cut);
	run_turns(b.loop, 3);
	bench_send(c, bytes + cut, n - cut);
	snprintf(story, sizeof(story), "%s", bench_rest(c));
	bench_disconnect(c);
	bench_finish(&b);
	return story;
}

static void commands_may_come_in_any_portions(void **state)
{
	static const char expected[] =
	    SHOW_VERSION " 3 T(key:t value:t) D(active,yes) D(paused,no) C(SHOW) Z E(ERROR 08P01 invalid command 'x', "
	                 "use SHOW HELP;) Z";
	struct str bytes;

	(void)state;
	str_init(&bytes, 1000);
	bench_message(&bytes, 'Q', "show version", 13);
	bench_message(&bytes, 'd', "copy data that nobody wants", 27);
	bench_message(&bytes, 'c', "", 0);
	bench_message(&bytes, 'C', "Sname", 6);
	bench_message(&bytes, 'Q', "show state", 11);
	bench_message(&bytes, 'Q', "x", 2);
	bench_message(&bytes, 'X', "", 0);
	for (size_t cut = 0; cut <= bytes.len; cut++)
		assert_string_equal(story_of(bytes.data, bytes.len, cut), expected);
	str_fini(&bytes);
}

static void other_messages_end_the_connection(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *story;
	} cases[] = {
	    {"F\0\0\0\4", 5,
	     "E(ERROR 08P01 unsupported packet type for admin console: 70) Z E(FATAL 08P01 bad packet)"},
	    {"p", 1, "E(FATAL 08P01 unknown pkt)"},
	    {"\0", 1, "E(FATAL 08P01 unknown pkt)"},
	    {"Q\0\0\0\1", 5, "E(FATAL 08P01 bad packet header: '5100000001')"},
	    {"Q\xff\xff\xff\xff", 5, "E(FATAL 08P01 bad packet header: '51ffffffff')"},
	    {"Q\0\1\0\0", 5, "E(FATAL 08P01 message is too long)"},
	    {"Q\0\0\0\4", 5, "E(FATAL 08P01 incomplete query)"},
	    {"Q\0\0\0\6ab", 7, "E(FATAL 08P01 incomplete query)"},
	    {"Q\0\0\0\7a\0b", 8, "E(FATAL 08P01 incomplete query)"},
	    {"X\0\0\0\4", 5, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(story_of(cases[i].bytes, cases[i].len, cases[i].len), cases[i].story);
}

static void commands_wait_for_the_one_before(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	bench_query(c, "pause");
	bench_query(c, "show version");
	bench_query(c, "reload");
	assert_string_equal(bench_asked(&b), "pause");
	assert_true(bench_is_silent(c));
	bench_reply_ok(&b);
	assert_string_equal(bench_answer(c), "C(PAUSE) Z");
	assert_string_equal(bench_answer(c), SHOW_VERSION);
	assert_string_equal(bench_asked(&b), "reload");
	bench_reply_ok(&b);
	assert_string_equal(bench_answer(c), "C(RELOAD) Z");
	bench_disconnect(c);
	bench_finish(&b);
}

static bool was_forgotten(void *arg)
{
	return ((struct bench *)arg)->n_forgotten > 0;
}

static void who_leaves_gives_up_what_it_waits_for(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	bench_query(c, "pause");
	bench_query(c, "show version");
	(void)bench_asked(&b);
	bench_disconnect(c);
	assert_true(run_until(b.loop, was_forgotten, &b));
	assert_int_equal(b.n_canceled, 0);
	assert_int_equal(console_count(b.console), 0);
	bench_finish(&b);
}

static bool is_empty(void *arg)
{
	return console_count(((struct bench *)arg)->console) == 0;
}

static void who_leaves_during_a_visit_is_not_missed(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	b.hold_visits = true;
	bench_query(c, "show stats");
	assert_true(bench_is_silent(c));
	assert_non_null(b.held.first);
	bench_disconnect(c);
	assert_true(run_until(b.loop, is_empty, &b));
	bench_release_visits(&b);
	run_turns(b.loop, 10);
	assert_true(list_is_empty(&b.console->views));
	bench_finish(&b);
}

static void visits_may_come_back_after_the_end_of_the_console(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	b.hold_visits = true;
	bench_query(c, "show clients");
	assert_true(bench_is_silent(c));
	console_stats_period(b.console);
	run_turns(b.loop, 3);
	console_free(b.console);
	b.console = NULL;
	assert_string_equal(bench_rest(c), "");
	bench_release_visits(&b);
	run_turns(b.loop, 10);
	bench_disconnect(c);
	bench_finish(&b);
}

static void a_cancel_request_ends_the_waiting(void **state)
{
	static const uint8_t key[8] = {'k', 'e', 'y', 'o', 'f', 0, 0, 7}, other[8] = {1};
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	assert_true(console_cancel(b.console, key));
	assert_true(bench_is_silent(c));
	bench_query(c, "pause");
	bench_query(c, "show version");
	(void)bench_asked(&b);
	assert_false(console_cancel(b.console, other));
	assert_true(bench_is_silent(c));
	assert_true(console_cancel(b.console, key));
	assert_int_equal(b.n_canceled, 1);
	assert_string_equal(bench_answer(c), "E(ERROR 08P01 canceling command due to user request) Z");
	assert_string_equal(bench_answer(c), SHOW_VERSION);
	bench_disconnect(c);
	bench_finish(&b);
}

static bool answer_is_pending(void *arg)
{
	return stream_pending_bytes(only_terminal((struct bench *)arg)->stream) > 0;
}

static void the_next_command_waits_until_the_answer_is_gone(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	/* nobody reads: the socket fills up */
	for (int i = 0; i < 200; i++)
		bench_query(c, "show config");
	bench_query(c, "pause");
	assert_true(run_until(b.loop, answer_is_pending, &b));
	run_turns(b.loop, 20);
	assert_null(b.done);
	assert_true(only_terminal(&b)->rest.len > 0);
	for (int i = 0; i < 200; i++)
		assert_non_null(strstr(bench_answer(c), " C(SHOW) Z"));
	assert_string_equal(bench_asked(&b), "pause");
	bench_reply_ok(&b);
	assert_string_equal(bench_answer(c), "C(PAUSE) Z");
	bench_disconnect(c);
	bench_finish(&b);
}

static bool is_not_reading(void *arg)
{
	return stream_is_paused(only_terminal((struct bench *)arg)->stream);
}

static void too_much_while_busy_is_left_in_the_socket(void **state)
{
	enum { COMMANDS = 10 };
	struct bench b;
	struct bench_client *c;
	char sql[16000];

	(void)state;
	memset(sql, ' ', sizeof(sql));
	snprintf(sql + sizeof(sql) - 20, 20, "show version");
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	bench_query(c, "pause");
	(void)bench_asked(&b);
	for (int i = 0; i < COMMANDS; i++)
		bench_query(c, sql);
	assert_true(run_until(b.loop, is_not_reading, &b));
	assert_true(only_terminal(&b)->rest.len < 128u * 1024u + 1);
	bench_reply_ok(&b);
	assert_string_equal(bench_answer(c), "C(PAUSE) Z");
	for (int i = 0; i < COMMANDS; i++)
		assert_string_equal(bench_answer(c), SHOW_VERSION);
	bench_disconnect(c);
	bench_finish(&b);
}

static void an_idle_connection_owns_no_buffers(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	(void)bench_ask(c, "show config");
	(void)bench_ask(c, "show clients");
	assert_null(only_terminal(&b)->rest.data);
	assert_null(only_terminal(&b)->tag);
	assert_int_equal(stream_held_bytes(only_terminal(&b)->stream), 0);
	assert_int_equal(stream_pending_bytes(only_terminal(&b)->stream), 0);
	bench_disconnect(c);
	bench_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(login_reply_has_its_parameters),
	    cmocka_unit_test(commands_may_come_in_any_portions),
	    cmocka_unit_test(other_messages_end_the_connection),
	    cmocka_unit_test(commands_wait_for_the_one_before),
	    cmocka_unit_test(who_leaves_gives_up_what_it_waits_for),
	    cmocka_unit_test(who_leaves_during_a_visit_is_not_missed),
	    cmocka_unit_test(visits_may_come_back_after_the_end_of_the_console),
	    cmocka_unit_test(a_cancel_request_ends_the_waiting),
	    cmocka_unit_test(the_next_command_waits_until_the_answer_is_gone),
	    cmocka_unit_test(too_much_while_busy_is_left_in_the_socket),
	    cmocka_unit_test(an_idle_connection_owns_no_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
