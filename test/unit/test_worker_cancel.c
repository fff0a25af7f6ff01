/* Cancel requests: whom they hit, whom never, and until when a server waits for them. */
#include "worker_scene.h"

static const char transactions[] = "auth_type=trust\npool_mode=transaction";

/* As from a connection that sent the only client's key. */
static void cancel(struct bench *b)
{
	uint8_t key[8];

	memcpy(key, only_client(b)->key, sizeof(key));
	assert_true(cancel_request(b->w, NULL, key, sizeof(key)));
}

static void keys_of_nobody_go_on_to_main(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	assert_true(cancel_request(b.w, NULL, "\377nobody!", 8));
	assert_null(bench_server(&b));
	assert_int_equal(b.n_cancels_lost, 1);
	/* a key of another length is not even one of ours */
	assert_false(cancel_request(b.w, NULL, "short", 5));
	bench_settle(&b);
	assert_int_equal(b.n_cancels_lost, 1);
	bench_fini(&b);
}

static void idle_clients_have_nothing_to_cancel(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_login(&b, &s);
	cancel(&b);
	assert_true(list_is_empty(&b.w->cancels));
	assert_null(bench_server(&b));
	assert_int_equal(b.n_cancels_lost, 0);
	bench_fini(&b);
}

static void nor_have_those_who_only_keep_a_server(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	cancel(&b);
	assert_true(list_is_empty(&b.w->cancels));
	assert_null(bench_server(&b));
	assert_int_equal(b.n_cancels_lost, 0);
	bench_fini(&b);
}

static void a_running_query_is_cancelled_with_the_servers_own_key(void **state)
{
	struct bench b;
	struct side *s, *request;
	struct str wanted;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	cancel(&b);
	request = bench_server(&b);
	assert_non_null(request);
	str_init(&wanted, 4096);
	message_cancel_request(&wanted, 77, "\1\2\3\4", 4);
	assert_int_equal(request->got.len, wanted.len);
	assert_memory_equal(request->got.data, wanted.data, wanted.len);
	str_fini(&wanted);
	bench_fini(&b);
}

static void the_server_serves_nobody_before_the_request_is_closed(void **state)
{
	struct bench b;
	struct side *s, *c, *request;
	size_t before;

	(void)state;
	bench_init(&b, transactions);
	c = scene_running(&b, &s, "select 1");
	cancel(&b);
	request = bench_server(&b);
	assert_non_null(request);
	scene_done(&b, s, "SELECT 1", 'I');
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	assert_string_equal(server_state_word(only_server(&b)), "being_canceled");
	before = s->got.len;
	scene_query(&b, c, "select 2");
	assert_int_equal(s->got.len, before);
	side_close(&b, request);
	assert_true(s->got.len > before);
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	bench_fini(&b);
}

static void a_second_request_for_the_same_query_adds_nothing(void **state)
{
	struct bench b;
	struct side *s, *request;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	cancel(&b);
	request = bench_server(&b);
	assert_non_null(request);
	cancel(&b);
	assert_null(bench_server(&b));
	assert_int_equal(only_server(&b)->n_cancels, 1);
	side_close(&b, request);
	assert_int_equal(only_server(&b)->n_cancels, 0);
	assert_true(list_is_empty(&b.w->cancels));
	bench_fini(&b);
}

static void a_request_survives_its_server(void **state)
{
	struct bench b;
	struct side *s, *request;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	cancel(&b);
	request = bench_server(&b);
	assert_non_null(request);
	side_close(&b, s);
	assert_int_equal(b.w->n_servers, 0);
	assert_false(list_is_empty(&b.w->cancels));
	side_close(&b, request);
	assert_true(list_is_empty(&b.w->cancels));
	bench_fini(&b);
}

/* A connection that sends a CancelRequest with this client's key. */
static struct side *asking(struct bench *b, const struct client *victim)
{
	struct side *a = bench_client(b);
	uint32_t pid = (uint32_t)victim->key[0] << 24 | (uint32_t)victim->key[1] << 16 | (uint32_t)victim->key[2] << 8 |
	               victim->key[3];
	struct str out;

	str_init(&out, 4096);
	message_cancel_request(&out, pid, victim->key + 4, victim->key_len - 4u);
	side_say(b, a, &out);
	str_fini(&out);
	return a;
}

static void who_asks_is_let_go_when_the_request_is_over(void **state)
{
	struct bench b;
	struct client *victim;
	struct side *s, *a, *request;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	victim = only_client(&b);
	a = asking(&b, victim);
	request = bench_server(&b);
	assert_non_null(request);
	assert_int_equal(last_client(&b)->state, CLIENT_CANCELING);
	assert_false(a->ended);
	side_close(&b, request);
	bench_settle(&b);
	assert_true(a->ended);
	assert_int_equal(a->got.len, 0);
	assert_ptr_equal(only_client(&b), victim);
	assert_true(list_is_empty(&b.w->asked));
	bench_fini(&b);
}

static void who_asks_for_nothing_is_let_go_at_once(void **state)
{
	struct bench b;
	struct side *s, *a;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_login(&b, &s);
	a = asking(&b, only_client(&b));
	bench_settle(&b);
	assert_true(a->ended);
	assert_true(list_is_empty(&b.w->asked));
	bench_fini(&b);
}

static void a_request_survives_who_asked(void **state)
{
	struct bench b;
	struct side *s, *a, *request;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	a = asking(&b, only_client(&b));
	request = bench_server(&b);
	assert_non_null(request);
	side_close(&b, a);
	assert_int_equal(b.w->n_clients, 1);
	assert_int_equal(only_server(&b)->n_cancels, 1);
	side_close(&b, request);
	assert_int_equal(only_server(&b)->n_cancels, 0);
	assert_true(list_is_empty(&b.w->asked));
	bench_fini(&b);
}

static void what_was_not_sent_when_the_query_ended_is_not_sent(void **state)
{
	struct bench b;
	struct side *s, *request;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	cancel(&b); /* it begins to connect: the loop has not turned yet */
	assert_int_equal(only_server(&b)->n_cancels, 1);
	cancel_forget_query(only_server(&b));
	assert_int_equal(only_server(&b)->n_cancels, 0);
	assert_true(list_is_empty(&b.w->cancels));
	request = bench_server(&b);
	assert_true(request == NULL || request->got.len == 0);
	assert_true(list_is_empty(&b.w->asked));
	bench_fini(&b);
}

static void what_was_sent_is_not_forgotten_with_the_query(void **state)
{
	struct bench b;
	struct side *s, *request;

	(void)state;
	bench_init(&b, transactions);
	(void)scene_running(&b, &s, "select 1");
	cancel(&b);
	request = bench_server(&b);
	assert_non_null(request);
	cancel_forget_query(only_server(&b));
	assert_int_equal(only_server(&b)->n_cancels, 1);
	side_close(&b, request);
	bench_fini(&b);
}

/* A request that was passed on three times has the same key for whoever made it. */
static void keys_with_our_id_are_known_however_often_they_were_passed_on(void **state)
{
	struct bench b;
	struct side *s;
	uint8_t key[8];

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\npeer_id=300");
	(void)scene_running(&b, &s, "select 1");
	memcpy(key, only_client(&b)->key, sizeof(key));
	assert_int_equal(cancel_key_peer(key), 300);
	key[7] &= 0xfc;
	assert_true(cancel_request(b.w, NULL, key, sizeof(key)));
	assert_int_equal(only_server(&b)->n_cancels, 1);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(keys_of_nobody_go_on_to_main),
	    cmocka_unit_test(idle_clients_have_nothing_to_cancel),
	    cmocka_unit_test(nor_have_those_who_only_keep_a_server),
	    cmocka_unit_test(a_running_query_is_cancelled_with_the_servers_own_key),
	    cmocka_unit_test(the_server_serves_nobody_before_the_request_is_closed),
	    cmocka_unit_test(a_second_request_for_the_same_query_adds_nothing),
	    cmocka_unit_test(a_request_survives_its_server),
	    cmocka_unit_test(who_asks_is_let_go_when_the_request_is_over),
	    cmocka_unit_test(who_asks_for_nothing_is_let_go_at_once),
	    cmocka_unit_test(a_request_survives_who_asked),
	    cmocka_unit_test(what_was_not_sent_when_the_query_ended_is_not_sent),
	    cmocka_unit_test(what_was_sent_is_not_forgotten_with_the_query),
	    cmocka_unit_test(keys_with_our_id_are_known_however_often_they_were_passed_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
