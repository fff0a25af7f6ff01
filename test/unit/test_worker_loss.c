/* Servers that die: before they were used they are replaced without a word, afterwards their client is told whole. */
#include "find.h"
#include "loss_scene.h"

static const char fatal[] = "E\0\0\0\054SFATAL\0VFATAL\0C57P01\0Mterminating conn\0\0";
static const char farewell[] = "N\0\0\0\055SWARNING\0VWARNING\0C57P02\0Manother crash\0\0";

static struct side *scene_answered(struct bench *b, struct side **s)
{
	struct side *c = scene_running(b, s, "select 1");

	scene_done(b, *s, "SELECT 1", 'I');
	return c;
}

/* An idle client and an idle server with the same parameters. */
static struct side *scene_idle(struct bench *b, struct side **s, const char *mode)
{
	char globals[100];

	snprintf(globals, sizeof(globals), "auth_type=trust\npool_mode=%s", mode);
	bench_init(b, globals);
	return scene_answered(b, s);
}

/* Servers by TCP: there a write to one that has closed succeeds, unlike with Unix sockets. */
static void listen_on_tcp(struct bench *b)
{
	struct address any;

	socket_close(b->listening);
	assert_true(address_from_text(&any, "127.0.0.1", 0));
	b->listening = socket_listen(&any, 10, 0, false);
	assert_true(b->listening >= 0);
	assert_true(socket_local_address(b->listening, &b->at));
}

static void a_server_that_dies_while_a_query_comes_is_not_used(void **state)
{
	static const struct {
		const char *words;
		size_t len;
	} ways[] = {{"", 0}, {fatal, sizeof(fatal) - 1}, {farewell, sizeof(farewell) - 1}};

	(void)state;
	for (size_t way = 0; way < 3 * 2 * 2 * 2; way++) {
		struct bench b;
		struct side *s, *c;
		bool query_first = way / 6 % 2 == 0;

		bench_init(&b, way / 3 % 2 == 0 ? "auth_type=trust\npool_mode=transaction"
		                                : "auth_type=trust\npool_mode=statement");
		if (way >= 12)
			listen_on_tcp(&b);
		c = scene_answered(&b, &s);
		str_clear(&c->got);
		if (query_first)
			raw_query(c, "select 2");
		if (ways[way % 3].len > 0)
			raw(s, ways[way % 3].words, ways[way % 3].len);
		raw_close(s);
		if (!query_first)
			raw_query(c, "select 2");
		another_serves(&b, c, "select 2");
		bench_fini(&b);
	}
}

static void a_session_begins_on_a_server_that_lives(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=session");
	c = scene_login(&b, &s);
	raw_query(c, "select 1; select 2");
	raw(s, fatal, sizeof(fatal) - 1);
	raw_close(s);
	another_serves(&b, c, "select 1; select 2");
	assert_ptr_equal(only_client(&b)->server, only_server(&b));
	bench_fini(&b);
}

/* Everything that was pipelined is sent again, in order. */
static void a_pipeline_is_sent_whole_to_another_server(void **state)
{
	static const char pipeline[] =
	    "P\0\0\0\020\0select 7\0\0\0B\0\0\0\014\0\0\0\0\0\0\0\0E\0\0\0\011\0\0\0\0\0S\0\0\0\4";
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	c = scene_idle(&b, &s, "transaction");
	str_clear(&c->got);
	raw(c, pipeline, sizeof(pipeline) - 1);
	raw_close(s);
	s = bench_server(&b);
	assert_non_null(s);
	say_welcome(&b, s);
	scene_set_done(&b, s);
	assert_memory_equal(s->got.data + s->got.len - (sizeof(pipeline) - 1), pipeline, sizeof(pipeline) - 1);
	assert_null(side_last(c, 'E', &len));
	bench_fini(&b);
}

static void what_an_idle_server_said_is_read_before_it_is_used(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct str out;
	size_t len;

	(void)state;
	c = scene_idle(&b, &s, "transaction");
	str_clear(&c->got);
	str_init(&out, 4096);
	message_parameter_status(&out, "TimeZone", "CET");
	raw_query(c, "select 2");
	raw(s, str_text(&out), out.len);
	bench_settle(&b);
	/* so it has to be put right for this client */
	assert_asked(s, "SET TimeZone='UTC';");
	str_clear(&out);
	message_command_complete(&out, "SET");
	message_parameter_status(&out, "TimeZone", "UTC");
	message_ready(&out, 'I');
	side_say(&b, s, &out);
	assert_asked(s, "select 2");
	assert_null(side_last(c, 'S', &len));
	str_fini(&out);
	bench_fini(&b);
}

static void an_idle_server_that_says_something_odd_as_a_query_comes_is_replaced(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	c = scene_idle(&b, &s, "transaction");
	str_clear(&c->got);
	raw_query(c, "select 2");
	raw(s, "D\0\0\0\6\0\0", 7);
	another_serves(&b, c, "select 2");
	bench_fini(&b);
}

static void after_four_servers_that_died_before_the_query_the_client_is_told(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = scene_login(&b, &s);
	str_clear(&c->got);
	scene_query(&b, c, "select 1");
	for (int i = 0; i < 4; i++) {
		assert_null(side_last(c, 'E', &len));
		assert_asked(s, "SET application_name='test';");
		side_send(&b, s, fatal, sizeof(fatal) - 1);
		if (i == 3)
			break;
		s = bench_server(&b);
		assert_non_null(s);
		say_welcome(&b, s);
	}
	assert_told_of_loss(c, "terminating conn", "The query had been running for");
	assert_true(c->ended);
	bench_fini(&b);
}

/* ---- used ---- */

static void told_code(const struct side *c, const char *code)
{
	struct report r;

	(void)told_hint(c, &r);
	assert_string_equal(r.sqlstate.data, code);
}

static void a_query_that_was_sent_is_not_sent_again(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	for (int in_block = 0; in_block <= 1; in_block++) {
		c = scene_idle(&b, &s, "transaction");
		str_clear(&c->got);
		scene_query(&b, c, in_block ? "begin" : "select 2");
		if (in_block) {
			scene_done(&b, s, "BEGIN", 'T');
			scene_query(&b, c, "select 2");
		}
		side_send(&b, s, fatal, sizeof(fatal) - 1);
		side_close(&b, s);
		/* the server's own words, once, as they are */
		told_code(c, "57P01");
		assert_told(c, "terminating conn");
		assert_null(find_bytes(c->got.data, c->got.len, "crashed?", 8));
		assert_true(c->ended);
		assert_int_equal(b.w->n_clients, 0);
		(void)len;
		bench_fini(&b);
	}
}

static void the_words_of_a_crash_are_the_last_that_the_client_reads(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	c = scene_idle(&b, &s, "transaction");
	scene_query(&b, c, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	side_send(&b, s, farewell, sizeof(farewell) - 1);
	assert_non_null(side_last(c, 'N', &len));
	assert_false(c->ended);
	side_close(&b, s);
	told_code(c, "57P02");
	assert_told_of_loss(c, "another crash", "No query was running, in a transaction that was open for");
	assert_true(c->ended);
	bench_fini(&b);
}

/* A function may raise a warning that looks like it. */
static void words_after_which_the_server_goes_on_are_not_its_last(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	c = scene_idle(&b, &s, "transaction");
	scene_query(&b, c, "select 2");
	side_send(&b, s, farewell, sizeof(farewell) - 1);
	scene_done(&b, s, "SELECT 1", 'I');
	scene_query(&b, c, "select 3");
	side_close(&b, s);
	told_code(c, "08P01");
	assert_told_of_loss(c, "server conn crashed?", "The query had been running for");
	bench_fini(&b);
}

static void a_session_is_told_while_it_is_idle(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	c = scene_idle(&b, &s, "session");
	side_close(&b, s);
	told_code(c, "08P01");
	assert_told_of_loss(c, "server conn crashed?", "No query was running, outside of a transaction block.");
	assert_true(c->ended);
	bench_fini(&b);
}

static void precise_codes_are_used_if_they_are_wanted(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nerror_sqlstate=precise");
	c = scene_running(&b, &s, "select 1");
	side_close(&b, s);
	told_code(c, "08006");
	bench_fini(&b);
}

/* ---- server_fast_close ---- */

static void reconnect(struct bench *b)
{
	struct letters letters;

	letters_init(&letters);
	pool_reconnect(only_server(b)->place.pool, &letters);
	office_post_all(b->office, &letters);
	bench_settle(b);
}

static void sessions_end_fast_if_they_shall(void **state)
{
	(void)state;
	for (int fast = 0; fast <= 1; fast++) {
		struct bench b;
		struct side *s, *c;

		bench_init(&b, fast ? "auth_type=trust\npool_mode=session\nserver_fast_close=1"
		                    : "auth_type=trust\npool_mode=session");
		c = scene_running(&b, &s, "select 1");
		scene_done(&b, s, "SELECT 1", 'I');
		reconnect(&b);
		assert_int_equal(c->ended, fast);
		if (fast)
			assert_told(c, "database configuration changed");
		bench_fini(&b);
	}
}

static void a_transaction_is_finished_before_its_session_ends_fast(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=session\nserver_fast_close=1");
	c = scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	reconnect(&b);
	assert_false(c->ended);
	scene_query(&b, c, "commit");
	scene_done(&b, s, "COMMIT", 'I');
	assert_told(c, "database configuration changed");
	assert_true(c->ended);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_server_that_dies_while_a_query_comes_is_not_used),
	    cmocka_unit_test(a_session_begins_on_a_server_that_lives),
	    cmocka_unit_test(a_pipeline_is_sent_whole_to_another_server),
	    cmocka_unit_test(what_an_idle_server_said_is_read_before_it_is_used),
	    cmocka_unit_test(an_idle_server_that_says_something_odd_as_a_query_comes_is_replaced),
	    cmocka_unit_test(after_four_servers_that_died_before_the_query_the_client_is_told),
	    cmocka_unit_test(a_query_that_was_sent_is_not_sent_again),
	    cmocka_unit_test(the_words_of_a_crash_are_the_last_that_the_client_reads),
	    cmocka_unit_test(words_after_which_the_server_goes_on_are_not_its_last),
	    cmocka_unit_test(a_session_is_told_while_it_is_idle),
	    cmocka_unit_test(precise_codes_are_used_if_they_are_wanted),
	    cmocka_unit_test(sessions_end_fast_if_they_shall),
	    cmocka_unit_test(a_transaction_is_finished_before_its_session_ends_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
