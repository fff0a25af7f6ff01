/* state_guard between a client and a server that this test plays. */
#include "worker/guard.h"

#include "worker_scene.h"

#define GLOBALS "auth_type=trust\npool_mode=transaction\nserver_idle_timeout=0\nstate_guard="

static struct guard_counts *counts(struct bench *b)
{
	return &only_client(b)->entry.seat->guard;
}

/* A client that has run a query, so that nothing of ours comes before its next one. */
static struct side *scene(struct bench *b, struct side **s, const char *mode)
{
	char globals[200];
	struct side *c;

	snprintf(globals, sizeof(globals), "%s%s", GLOBALS, mode);
	bench_init(b, globals);
	c = scene_running(b, s, "SELECT 1");
	scene_done(b, *s, "SELECT 1", 'I');
	str_clear(&c->got);
	return c;
}

static void run(struct bench *b, struct side *c, struct side *s, const char *sql, const char *tag, char status)
{
	scene_query(b, c, sql);
	scene_done(b, s, tag, status);
}

static unsigned notices(const struct side *c)
{
	const char *at = str_text(&c->got), *end = at + c->got.len;
	unsigned n = 0;

	while (end - at >= 5) {
		struct reader r;

		reader_init(&r, at + 1, 4);
		n += *at == 'N';
		at += reader_u32(&r) + 1u;
	}
	return n;
}

/* The last query that came to the server, as it came. */
static const char *asked(const struct side *s)
{
	size_t len;

	return side_last(s, 'Q', &len);
}

static void error_from(struct bench *b, struct side *s, const char *severity, char status)
{
	struct words words = {severity, "42601", "syntax error", NULL, NULL};
	struct str out;

	str_init(&out, 4096);
	message_error(&out, &words);
	if (status != 0)
		message_ready(&out, status);
	side_say(b, s, &out);
	str_fini(&out);
}

static void off_looks_at_nothing(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "off");

	(void)state;
	run(&b, c, s, "SET a = 1", "SET", 'I');
	assert_null(only_client(&b)->guard);
	assert_int_equal(counts(&b)->left[STATE_SET], 0);
	assert_int_equal(notices(c), 0);
	bench_fini(&b);
}

static void what_is_left_is_counted_and_told_once(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "warn");

	(void)state;
	run(&b, c, s, "SET a = 1", "SET", 'I');
	assert_int_equal(notices(c), 1);
	run(&b, c, s, "LISTEN x", "LISTEN", 'I');
	assert_int_equal(notices(c), 1);
	assert_int_equal(counts(&b)->left[STATE_SET], 1);
	assert_int_equal(counts(&b)->left[STATE_LISTEN], 1);
	assert_int_equal(counts(&b)->warned, 1);
	bench_fini(&b);
}

static void the_tag_decides(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "warn");

	(void)state;
	/* another command was run than the text said: that text is gone when it was answered */
	run(&b, c, s, "LISTEN x", "SELECT 1", 'I');
	run(&b, c, s, "SELECT 1", "LISTEN", 'I');
	/* it failed */
	scene_query(&b, c, "SET a = 1");
	error_from(&b, s, "ERROR", 'I');
	assert_int_equal(counts(&b)->left[STATE_LISTEN] + counts(&b)->left[STATE_SET], 0);
	assert_int_equal(notices(c), 0);
	bench_fini(&b);
}

static void the_end_of_the_transaction_decides(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "warn");

	(void)state;
	run(&b, c, s, "BEGIN", "BEGIN", 'T');
	run(&b, c, s, "SET a = 1", "SET", 'T');
	run(&b, c, s, "SELECT pg_advisory_lock(1)", "SELECT 1", 'T');
	assert_int_equal(counts(&b)->left[STATE_SET], 0);
	run(&b, c, s, "ROLLBACK", "ROLLBACK", 'I');
	assert_int_equal(counts(&b)->left[STATE_SET], 0);
	assert_int_equal(counts(&b)->left[STATE_LOCK], 1);
	/* to a savepoint only */
	run(&b, c, s, "BEGIN", "BEGIN", 'T');
	run(&b, c, s, "SET a = 1", "SET", 'T');
	run(&b, c, s, "ROLLBACK TO x", "ROLLBACK", 'T');
	run(&b, c, s, "COMMIT", "COMMIT", 'I');
	assert_int_equal(counts(&b)->left[STATE_SET], 1);
	bench_fini(&b);
}

static void refused_is_spoiled_told_in_our_words_and_once_in_the_log(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "reject");
	struct report r;

	(void)state;
	scene_query(&b, c, "SET a = 1");
	assert_string_equal(asked(s), "\001ET a = 1");
	error_from(&b, s, "ERROR", 'I');
	assert_told(c, "SET is refused because it would leave state behind in a server connection that is shared");
	assert_non_null(strstr(told_hint(c, &r), "SET LOCAL"));
	assert_true(bytes_are(r.sqlstate, "0A000"));
	assert_int_equal(counts(&b)->refused, 1);
	assert_int_equal(counts(&b)->left[STATE_SET], 0);
	/* the next error is the server's own */
	scene_query(&b, c, "SELEC");
	assert_string_equal(asked(s), "SELEC");
	error_from(&b, s, "ERROR", 'I');
	assert_told(c, "syntax error");
	/* and so is its last word */
	scene_query(&b, c, "LISTEN x");
	assert_string_equal(asked(s), "\002ISTEN x");
	error_from(&b, s, "FATAL", 0);
	assert_told(c, "syntax error");
	bench_fini(&b);
}

static void refused_however_the_bytes_are_cut(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "reject");
	const char *sql = "SELECT ';'; LOAD 'x'; SELECT 2";
	struct str out;

	(void)state;
	str_init(&out, 4096);
	message_query(&out, sql);
	for (size_t cut = 1; cut < out.len; cut++) {
		const char *at;

		side_write(&b, c, out.data, cut);
		bench_settle(&b);
		side_write(&b, c, out.data + cut, out.len - cut);
		bench_settle(&b);
		at = asked(s);
		assert_int_equal(strlen(at), strlen(sql));
		/* what went first goes as it came; the byte that makes all of it wrong stands outside of strings */
		assert_true(at[0] == 7 || strcmp(at, "SELECT ';'; LOAD 'x'\007 SELECT 2") == 0);
		error_from(&b, s, "ERROR", 'I');
		assert_told(
		    c, "LOAD is refused because it would leave state behind in a server connection that is shared");
	}
	assert_int_equal(counts(&b)->refused, out.len - 1);
	str_fini(&out);
	bench_fini(&b);
}

static void a_statement_at_the_very_end_loses_the_end_of_its_message(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "reject");
	struct str out;
	size_t len;

	(void)state;
	str_init(&out, 4096);
	message_query(&out, "SELECT 1; LISTEN x");
	side_write(&b, c, out.data, 9);
	bench_settle(&b);
	side_write(&b, c, out.data + 9, out.len - 9);
	bench_settle(&b);
	assert_memory_equal(side_last(s, 'Q', &len), "SELECT 1; LISTEN x\002", 19);
	error_from(&b, s, "ERROR", 'I');
	assert_told(c, "LISTEN is refused because it would leave state behind in a server connection that is shared");
	str_fini(&out);
	bench_fini(&b);
}

static void a_pinned_client_keeps_its_server_and_leaves_it_reset(void **state)
{
	struct bench b;
	struct side *s, *c = scene(&b, &s, "pin");

	(void)state;
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	run(&b, c, s, "LISTEN x", "LISTEN", 'I');
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	assert_int_equal(counts(&b)->pinned, 1);
	run(&b, c, s, "SELECT 1", "SELECT 1", 'I');
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	assert_int_equal(notices(c), 0);
	side_close(&b, c);
	assert_string_equal(asked(s), "DISCARD ALL");
	assert_int_equal(only_server(&b)->seat->guard.pinned, 0);
	scene_done(&b, s, "DISCARD ALL", 'I');
	assert_null(only_server(&b)->client);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(off_looks_at_nothing),
	    cmocka_unit_test(what_is_left_is_counted_and_told_once),
	    cmocka_unit_test(the_tag_decides),
	    cmocka_unit_test(the_end_of_the_transaction_decides),
	    cmocka_unit_test(refused_is_spoiled_told_in_our_words_and_once_in_the_log),
	    cmocka_unit_test(refused_however_the_bytes_are_cut),
	    cmocka_unit_test(a_statement_at_the_very_end_loses_the_end_of_its_message),
	    cmocka_unit_test(a_pinned_client_keeps_its_server_and_leaves_it_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
