/*
 * Memory runs out: the n-th allocation fails, alone or with all that follow, for every n until none fails any more.
 * Nothing may crash or leak, and the worker serves the next client as if nothing had been.
 */
#include "../failing_mem.h"
#include "../lookup_scene.h"
#include "../worker_bench.h"

typedef void script(struct bench *b);

static void serve(struct bench *b, struct side *c, struct side *s)
{
	struct str out;
	size_t len;

	str_init(&out, 65536);
	message_query(&out, "select 1");
	side_say(b, c, &out);
	/* the client's application_name comes first */
	message_command_complete(&out, "SET");
	message_parameter_status(&out, "application_name", "test");
	message_ready(&out, 'I');
	if (side_last(s, 'Q', &len) != NULL)
		side_say(b, s, &out);
	str_clear(&out);
	message_command_complete(&out, "SELECT 0");
	message_ready(&out, 'I');
	if (side_last(s, 'Q', &len) != NULL && strcmp(side_last(s, 'Q', &len), "select 1") == 0)
		side_say(b, s, &out);
	str_fini(&out);
}

static void leave(struct bench *b, struct side *c)
{
	side_send(b, c, "X\0\0\0\4", 5);
}

static void log_in_by_scram_and_query(struct bench *b)
{
	struct side *c = bench_client(b), *s;

	if (c == NULL)
		return;
	say_startup(b, c, "ann", "app");
	prove_scram(b, c, "pencil");
	s = bench_server(b);
	if (s == NULL)
		return;
	if (ask_scram(b, s, "pencil"))
		say_welcome(b, s);
	serve(b, c, s);
	leave(b, c);
}

static void log_in_by_md5_and_query_in_a_session(struct bench *b)
{
	struct side *c = bench_client(b), *s;
	struct str out;

	if (c == NULL)
		return;
	str_init(&out, 65536);
	say_startup(b, c, "ann", "app");
	prove_md5(b, c, "ann", "pencil");
	s = bench_server(b);
	if (s != NULL) {
		message_auth_md5(&out, (const uint8_t *)"salt");
		side_say(b, s, &out);
		say_welcome(b, s);
		serve(b, c, s);
		leave(b, c);
		message_command_complete(&out, "DISCARD ALL");
		message_ready(&out, 'I');
		side_say(b, s, &out);
	}
	str_fini(&out);
}

static void log_in_to_the_console(struct bench *b)
{
	struct side *c = bench_client(b);

	if (c == NULL)
		return;
	say_startup(b, c, "ann", "pgbouncer");
	prove_scram(b, c, "pencil");
}

/* The answer comes in two pieces, and fails, too. */
static void be_looked_up(struct bench *b)
{
	struct side *c = bench_client(b), *s;

	if (c == NULL)
		return;
	say_startup(b, c, "zoe", "app");
	s = bench_server(b);
	if (s == NULL)
		return;
	say_welcome(b, s);
	s->sent = 0;
	s->cut = 90;
	if (strcmp(asked_for(s), "zoe") == 0)
		say_found(b, s, "zoe", "secret");
	say_password(b, c, "secret", 6);
	s = bench_server(b);
	if (s != NULL)
		say_welcome(b, s);
	leave(b, c);
}

static void cut_every_message(struct bench *b)
{
	struct side *c = bench_client(b), *s;
	struct str out;

	if (c == NULL)
		return;
	c->cut = 20;
	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	if (s == NULL)
		return;
	s->cut = 12;
	say_welcome(b, s);
	str_init(&out, 65536);
	message_query(&out, "select 1");
	c->sent = 0;
	c->cut = 3;
	side_say(b, c, &out);
	str_fini(&out);
}

static void cancel_a_query(struct bench *b)
{
	struct side *c = bench_client(b), *s, *asks, *request;
	char key[8];
	struct str out;
	size_t len;

	if (c == NULL)
		return;
	str_init(&out, 65536);
	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	if (s == NULL)
		goto end;
	say_welcome(b, s);
	if (side_last(c, 'K', &len) == NULL)
		goto end;
	memcpy(key, side_last(c, 'K', &len), sizeof(key));
	serve(b, c, s);
	message_query(&out, "select pg_sleep(60)");
	side_say(b, c, &out);
	asks = bench_client(b);
	if (asks == NULL)
		goto end;
	message_cancel_request(&out, 0, "????", 4);
	memcpy(out.data + 8, key, 8);
	side_say(b, asks, &out);
	request = bench_server(b);
	if (request != NULL)
		side_close(b, request);
end:
	str_fini(&out);
}

static void be_refused_by_the_server(struct bench *b)
{
	struct words words = {"FATAL", "28000", "no pg_hba.conf entry for host", NULL, NULL};
	struct side *c = bench_client(b), *s;
	struct str out;

	if (c == NULL)
		return;
	str_init(&out, 65536);
	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	if (s != NULL) {
		message_error(&out, &words);
		side_say(b, s, &out);
		side_close(b, s);
	}
	str_fini(&out);
}

static void prepare_statements(struct bench *b)
{
	static const char said[] = "P\0\0\0\x0f\x61\0select\0\0\0S\0\0\0\4"
	                           "D\0\0\0\7Sa\0C\0\0\0\7Sa\0S\0\0\0\4";
	static const char answers[] = "1\0\0\0\4Z\0\0\0\5I";
	struct side *c = bench_client(b), *s;

	if (c == NULL)
		return;
	say_startup(b, c, "ann", "app");
	s = bench_server(b);
	if (s == NULL)
		return;
	say_welcome(b, s);
	serve(b, c, s);
	side_send(b, c, said, sizeof(said) - 1);
	side_send(b, s, answers, sizeof(answers) - 1);
	side_send(b, s, "n\0\0\0\4Z\0\0\0\5I", 11);
	leave(b, c);
}

/* A client that comes later is served: nothing is stuck or lost. */
static void next_client_is_served(struct bench *b)
{
	struct side *c, *s;
	struct str out;

	for (int i = 0; i < BENCH_SIDES; i++) {
		side_close(b, &b->side[i]);
		str_clear(&b->side[i].got);
		b->side[i].ended = false;
		b->side[i].sent = 0;
	}
	while ((s = bench_server(b)) != NULL) {
		side_close(b, s);
		str_clear(&s->got);
		s->ended = false;
	}
	str_init(&out, 65536);
	c = bench_client(b);
	assert_non_null(c);
	assert_int_equal(b->w->n_clients, 1);
	side_send(b, c, "\0\0\0\x8\x4\xd2\x16\x2f", 8);
	assert_int_equal(c->got.len, 1);
	assert_int_equal(c->got.data[0], 'N');
	str_fini(&out);
}

static void sweep(const char *globals, script *play, bool once)
{
	size_t n, blocks = mem_blocks;
	bool failed = true;

	mem_spared = true;
	mem_fails_once = once;
	for (n = 1; failed; n++) {
		struct bench b;

		bench_init(&b, globals);
		mem_until_failure = n;
		play(&b);
		bench_settle(&b);
		failed = once ? mem_until_failure == 0 : mem_until_failure == 1;
		mem_until_failure = 0;
		next_client_is_served(&b);
		bench_fini(&b);
		if (mem_blocks != blocks)
			fail_msg("%zu blocks are lost when allocation %zu fails%s", mem_blocks - blocks, n,
			         once ? " alone" : "");
	}
	mem_spared = false;
	assert_true(n > 5);
}

#define SWEEP(play, globals)                                                                                           \
	static void play##_with_one_failure(void **state)                                                              \
	{                                                                                                              \
		(void)state;                                                                                           \
		sweep(globals, play, true);                                                                            \
	}                                                                                                              \
	static void play##_without_memory(void **state)                                                                \
	{                                                                                                              \
		(void)state;                                                                                           \
		sweep(globals, play, false);                                                                           \
	}

SWEEP(log_in_by_scram_and_query, "auth_type=scram-sha-256\npool_mode=transaction")
SWEEP(log_in_by_md5_and_query_in_a_session, "auth_type=md5\npool_mode=session")
SWEEP(log_in_to_the_console, "auth_type=scram-sha-256")
SWEEP(be_looked_up, ASKING "pool_mode=transaction")
SWEEP(cut_every_message, "auth_type=trust\npool_mode=transaction\nclient_idle_timeout=60\nserver_lifetime=60")
SWEEP(cancel_a_query, "auth_type=trust\npool_mode=transaction")
SWEEP(prepare_statements, "auth_type=trust\npool_mode=transaction")
SWEEP(be_refused_by_the_server, "auth_type=trust")

#define TEST(name) cmocka_unit_test(name##_with_one_failure), cmocka_unit_test(name##_without_memory)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(log_in_by_scram_and_query), TEST(log_in_by_md5_and_query_in_a_session),
	    TEST(log_in_to_the_console),     TEST(be_looked_up),
	    TEST(cut_every_message),         TEST(cancel_a_query),
	    TEST(prepare_statements),        TEST(be_refused_by_the_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
