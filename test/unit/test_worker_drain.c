/* The end of drain_timeout: who is told to leave, when, and that nothing of anybody's is lost. */
#include "worker_scene.h"

#include "worker/drain.h"
#include "worker/link.h"

#define TRANSACTIONS "auth_type=trust\npool_mode=transaction\n"
#define SESSIONS "auth_type=trust\npool_mode=session\nserver_reset_query=\n"

static void tell(struct bench *b)
{
	drain_tell(b->w);
	bench_settle(b);
}

/* Told as PostgreSQL does it, whatever error_sqlstate is, and closed. */
static void assert_told_to_leave(const struct side *c)
{
	struct report r;
	const char *hint = told_hint(c, &r);

	assert_string_equal(r.severity.data, "FATAL");
	assert_string_equal(r.sqlstate.data, "57P01");
	assert_string_equal(r.message.data, "terminating connection due to administrator command");
	assert_non_null(strstr(r.detail.data, "pgweir is shutting down"));
	assert_non_null(strstr(hint, "Connect again: another process behind the same address"));
	assert_true(c->ended);
}

static void assert_not_told(const struct side *c)
{
	size_t len;

	assert_null(side_last(c, 'E', &len));
	assert_false(c->ended);
}

static void who_is_idle_is_told_at_once(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_login(&b, &s);
	tell(&b);
	assert_told_to_leave(c);
	assert_int_equal(b.w->n_clients, 0);
	assert_false(s->ended);
	bench_fini(&b);
}

static void a_transaction_ends_first(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_running(&b, &s, "begin");
	tell(&b);
	assert_not_told(c);
	scene_done(&b, s, "BEGIN", 'T');
	tell(&b);
	assert_not_told(c);
	scene_query(&b, c, "commit");
	tell(&b);
	assert_not_told(c);
	/* nobody looks at it again: the end of its transaction is enough */
	scene_done(&b, s, "COMMIT", 'I');
	assert_memory_equal(side_last(c, 'C', &len), "COMMIT", sizeof("COMMIT"));
	assert_memory_equal(side_last(c, 'Z', &len), "I", 1);
	assert_told_to_leave(c);
	assert_false(s->ended);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void a_failed_transaction_ends_first(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'E');
	tell(&b);
	assert_not_told(c);
	scene_query(&b, c, "rollback");
	scene_done(&b, s, "ROLLBACK", 'I');
	assert_told_to_leave(c);
	bench_fini(&b);
}

static void what_has_been_sent_together_is_answered_together(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct str out;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_running(&b, &s, "select 1");
	str_init(&out, 4096);
	message_query(&out, "select 2");
	message_query(&out, "select 3");
	side_say(&b, c, &out);
	tell(&b);
	scene_done(&b, s, "SELECT 1", 'I');
	assert_not_told(c);
	scene_done(&b, s, "SELECT 2", 'I');
	assert_not_told(c);
	scene_done(&b, s, "SELECT 3", 'I');
	assert_told_to_leave(c);
	str_fini(&out);
	bench_fini(&b);
}

/* The bytes are in the socket, the loop does not know of them yet. */
static void send_unnoticed(struct side *c, const char *sql)
{
	struct str out;

	str_init(&out, 4096);
	message_query(&out, sql);
	assert_int_equal(pair_send(c->fd, str_text(&out), out.len), out.len);
	str_fini(&out);
}

static void run_first_what_has_come(const char *globals)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	bench_init(&b, globals);
	c = scene_running(&b, &s, "select 1");
	scene_done(&b, s, "SELECT 1", 'I');
	send_unnoticed(c, "select 2");
	/* before the loop looks at sockets again */
	drain_tell(b.w);
	client_run(only_client(&b));
	bench_settle(&b);
	assert_not_told(c);
	assert_string_equal(side_last(s, 'Q', &len), "select 2");
	scene_done(&b, s, "SELECT 2", 'I');
	assert_told_to_leave(c);
	bench_fini(&b);
}

static void what_has_come_and_was_not_read_yet_is_run_first(void **state)
{
	(void)state;
	run_first_what_has_come(TRANSACTIONS);
}

/* An announcement that brings nothing does not mean that it has nothing to say. */
static void what_is_held_is_run_first(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct client *client;
	struct str out;
	size_t len;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_login(&b, &s);
	client = only_client(&b);
	str_init(&out, 4096);
	message_query(&out, "select 1");
	assert_true(stream_hold(client->stream, str_text(&out), out.len));
	b.w->leaving = true;
	client->readable = true;
	client_run(client);
	client_run_soon(client);
	bench_settle(&b);
	scene_set_done(&b, s);
	assert_not_told(c);
	assert_string_equal(side_last(s, 'Q', &len), "select 1");
	scene_done(&b, s, "SELECT 1", 'I');
	assert_told_to_leave(c);
	str_fini(&out);
	bench_fini(&b);
}

static void what_comes_with_the_end_of_a_transaction_is_run_first(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct str out;
	size_t len;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_running(&b, &s, "select 1");
	tell(&b);
	send_unnoticed(c, "select 2");
	str_init(&out, 4096);
	message_command_complete(&out, "SELECT 1");
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_not_told(c);
	assert_string_equal(side_last(s, 'Q', &len), "select 2");
	scene_done(&b, s, "SELECT 2", 'I');
	assert_told_to_leave(c);
	str_fini(&out);
	bench_fini(&b);
}

static void less_than_a_header_is_nothing(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_login(&b, &s);
	side_send(&b, c, "Q\0\0", 3);
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	tell(&b);
	assert_told_to_leave(c);
	bench_fini(&b);
}

static void who_leaves_at_the_same_moment_is_only_closed(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_login(&b, &s);
	pair_end(c->fd);
	tell(&b);
	assert_int_equal(b.w->n_clients, 0);
	assert_true(c->ended);
	bench_fini(&b);
}

static void who_waits_for_a_server_is_told_that_nothing_was_run(void **state)
{
	struct bench b;
	struct side *s, *c, *waits;
	struct report r;

	(void)state;
	bench_init(&b, TRANSACTIONS "default_pool_size=1");
	c = scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	waits = bench_client(&b);
	say_startup(&b, waits, "ann", "app");
	scene_query(&b, waits, "insert");
	assert_int_equal(last_client(&b)->state, CLIENT_QUEUED);
	tell(&b);
	assert_told_to_leave(waits);
	(void)told_hint(waits, &r);
	assert_non_null(strstr(r.detail.data, "Nothing was run that this connection has sent since"));
	assert_not_told(c);
	bench_fini(&b);
}

static void in_session_pooling_too_it_is_between_transactions(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, SESSIONS);
	c = scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	tell(&b);
	assert_not_told(c);
	send_unnoticed(c, "commit");
	bench_settle(&b);
	scene_done(&b, s, "COMMIT", 'I');
	assert_told_to_leave(c);
	assert_false(s->ended);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void an_idle_session_is_told_at_once(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, SESSIONS);
	c = scene_running(&b, &s, "select 1");
	scene_done(&b, s, "SELECT 1", 'I');
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	tell(&b);
	assert_told_to_leave(c);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void a_session_that_has_sent_more_runs_it_first(void **state)
{
	(void)state;
	run_first_what_has_come(SESSIONS);
}

static void say_copy(struct bench *b, struct side *s, char type, const char *body, size_t len)
{
	struct str out;
	size_t at;

	str_init(&out, 4096);
	at = message_begin(&out, type);
	message_bytes(&out, body, len);
	message_end(&out, at);
	side_say(b, s, &out);
	str_fini(&out);
}

static void a_copy_is_brought_to_its_end(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = scene_running(&b, &s, "copy t from stdin");
	say_copy(&b, s, 'G', "\0\0\0", 3);
	tell(&b);
	assert_not_told(c);
	say_copy(&b, c, 'd', "1\n", 2);
	say_copy(&b, c, 'c', "", 0);
	tell(&b);
	assert_not_told(c);
	scene_done(&b, s, "COPY 1", 'I');
	assert_told_to_leave(c);
	bench_fini(&b);
}

/* It has no end; only no message is cut in two. */
static void a_stream_of_changes_is_ended_between_two_messages(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, SESSIONS);
	c = scene_running(&b, &s, "start_replication");
	say_copy(&b, s, 'W', "\0\0\0", 3);
	side_send(&b, s, "d\0\0\0\10ab", 7);
	tell(&b);
	assert_not_told(c);
	side_send(&b, s, "cd", 2);
	tell(&b);
	assert_told_to_leave(c);
	bench_fini(&b);
}

static void who_is_logging_in_has_a_moment_to_finish(void **state)
{
	struct bench b;
	struct side *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	c = bench_client(&b);
	tell(&b);
	assert_not_told(c);
	only_client(&b)->connected_us -= US_PER_S;
	tell(&b);
	assert_told_to_leave(c);
	bench_fini(&b);
}

static void who_arrives_later_is_told_at_the_next_look(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, TRANSACTIONS);
	tell(&b);
	c = scene_login(&b, &s);
	assert_not_told(c);
	tell(&b);
	assert_told_to_leave(c);
	bench_fini(&b);
}

static void everybody_is_counted_as_what_he_does(void **state)
{
	struct drain_counts n = {0, 0, 0};
	struct bench b;
	struct side *s, *waits;

	(void)state;
	bench_init(&b, TRANSACTIONS "default_pool_size=1");
	(void)scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	waits = bench_client(&b);
	say_startup(&b, waits, "ann", "app");
	scene_query(&b, waits, "select 1");
	say_startup(&b, bench_client(&b), "ann", "app");
	drain_count(b.w, &n);
	assert_int_equal(n.clients, 3);
	assert_int_equal(n.running, 1);
	assert_int_equal(n.waiting, 1);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_is_idle_is_told_at_once),
	    cmocka_unit_test(a_transaction_ends_first),
	    cmocka_unit_test(a_failed_transaction_ends_first),
	    cmocka_unit_test(what_has_been_sent_together_is_answered_together),
	    cmocka_unit_test(what_has_come_and_was_not_read_yet_is_run_first),
	    cmocka_unit_test(what_is_held_is_run_first),
	    cmocka_unit_test(what_comes_with_the_end_of_a_transaction_is_run_first),
	    cmocka_unit_test(less_than_a_header_is_nothing),
	    cmocka_unit_test(who_leaves_at_the_same_moment_is_only_closed),
	    cmocka_unit_test(who_waits_for_a_server_is_told_that_nothing_was_run),
	    cmocka_unit_test(in_session_pooling_too_it_is_between_transactions),
	    cmocka_unit_test(an_idle_session_is_told_at_once),
	    cmocka_unit_test(a_session_that_has_sent_more_runs_it_first),
	    cmocka_unit_test(a_copy_is_brought_to_its_end),
	    cmocka_unit_test(a_stream_of_changes_is_ended_between_two_messages),
	    cmocka_unit_test(who_is_logging_in_has_a_moment_to_finish),
	    cmocka_unit_test(who_arrives_later_is_told_at_the_next_look),
	    cmocka_unit_test(everybody_is_counted_as_what_he_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
