/* Links: how long a client keeps its server, and what becomes of either when the other leaves. */
#include "worker_scene.h"

#include "worker/link.h"

static void a_session_keeps_its_server(void **state)
{
	struct bench b;
	struct side *s;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=session");
	(void)scene_running(&b, &s, "select 1");
	assert_int_equal(link_bond(only_server(&b)), LINK_BUSY);
	scene_done(&b, s, "SELECT 1", 'I');
	assert_int_equal(link_bond(only_server(&b)), LINK_SESSION);
	assert_ptr_equal(only_client(&b)->server, only_server(&b));
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	bench_fini(&b);
}

static void a_transaction_ends_and_they_part(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	assert_int_equal(link_bond(only_server(&b)), LINK_TRANSACTION);
	assert_ptr_equal(only_client(&b)->server, only_server(&b));
	scene_query(&b, c, "commit");
	assert_int_equal(link_bond(only_server(&b)), LINK_BUSY);
	scene_done(&b, s, "COMMIT", 'I');
	assert_null(only_client(&b)->server);
	assert_null(only_server(&b)->client);
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void a_client_that_leaves_at_rest_leaves_its_server_to_others(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=session\nserver_reset_query=");
	c = scene_running(&b, &s, "select 1");
	scene_done(&b, s, "SELECT 1", 'I');
	side_close(&b, c);
	assert_int_equal(b.w->n_clients, 0);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void a_client_that_leaves_in_mid_query_or_transaction_takes_its_server_with_it(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	for (int in_block = 0; in_block <= 1; in_block++) {
		bench_init(&b, "auth_type=trust\npool_mode=transaction");
		c = scene_running(&b, &s, "begin");
		if (in_block)
			scene_done(&b, s, "BEGIN", 'T');
		side_close(&b, c);
		assert_int_equal(b.w->n_clients, 0);
		assert_int_equal(b.w->n_servers, 0);
		assert_non_null(side_last(s, 'X', &len));
		bench_fini(&b);
	}
}

static void a_client_is_told_that_its_server_is_gone(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = scene_running(&b, &s, "select 1");
	side_close(&b, s);
	assert_told_of_loss(c, "server conn crashed? connection to server", "The query had been running for");
	assert_true(c->ended);
	assert_int_equal(b.w->n_clients, 0);
	bench_fini(&b);
}

static void in_mid_message_the_client_is_told_nothing(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = scene_running(&b, &s, "select 1");
	side_send(&b, s, "D\0\0\0\100half a row", 15);
	side_close(&b, s);
	assert_true(c->ended);
	assert_null(side_last(c, 'E', &len));
	assert_int_equal(c->got.data[c->got.len - 1], 'w');
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_session_keeps_its_server),
	    cmocka_unit_test(a_transaction_ends_and_they_part),
	    cmocka_unit_test(a_client_that_leaves_at_rest_leaves_its_server_to_others),
	    cmocka_unit_test(a_client_that_leaves_in_mid_query_or_transaction_takes_its_server_with_it),
	    cmocka_unit_test(a_client_is_told_that_its_server_is_gone),
	    cmocka_unit_test(in_mid_message_the_client_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
