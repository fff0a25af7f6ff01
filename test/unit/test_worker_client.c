/* A client after its login: when it gets a server, what is read while it waits, how it ends. */
#include "worker_scene.h"

static const char transactions[] = "auth_type=trust\npool_mode=transaction";

static void less_than_a_header_borrows_nothing(void **state)
{
	static const char query[] = "Q\0\0\0\6;";
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, transactions);
	c = scene_login(&b, &s);
	side_send(&b, c, query, 4);
	assert_int_equal(only_client(&b)->state, CLIENT_IDLE);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	assert_int_equal(stream_held_bytes(only_client(&b)->stream), 4);
	side_send(&b, c, query + 4, sizeof(query) - 4);
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	bench_fini(&b);
}

static void terminate_leaves_without_a_word(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t before;

	(void)state;
	bench_init(&b, transactions);
	c = scene_login(&b, &s);
	before = c->got.len;
	side_send(&b, c, "X\0\0\0\4", 5);
	assert_true(c->ended);
	assert_int_equal(c->got.len, before);
	assert_int_equal(b.w->n_clients, 0);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void unknown_types_are_refused_at_their_first_byte(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, transactions);
	c = scene_login(&b, &s);
	side_send(&b, c, "z", 1);
	assert_told(c, "unknown pkt");
	assert_true(c->ended);
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

static void simple_queries_are_refused_if_they_are_disabled(void **state)
{
	struct bench b;
	struct side *s, *c;
	size_t len;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\ndisable_pqexec=1");
	c = scene_login(&b, &s);
	str_clear(&c->got);
	scene_query(&b, c, "select 1");
	assert_told(c, "PQexec disallowed");
	/* or libpq's PQexec(), which has asked, would not show that */
	assert_non_null(side_last(c, 'Z', &len));
	assert_true(c->ended);
	bench_fini(&b);
}

static void a_waiting_client_is_read_no_further_than_pkt_buf(void **state)
{
	struct bench b;
	struct side *s, *c, *second;
	struct str query;
	char sql[1001];
	size_t len;

	(void)state;
	memset(sql, 'x', sizeof(sql) - 1);
	sql[sizeof(sql) - 1] = '\0';
	bench_init(&b, "auth_type=trust\npool_mode=transaction\ndefault_pool_size=1\npkt_buf=64");
	c = scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	second = bench_client(&b);
	say_startup(&b, second, "ann", "app");
	str_init(&query, 4096);
	message_query(&query, sql);
	side_send(&b, second, str_text(&query), 30);
	assert_int_equal(last_client(&b)->state, CLIENT_QUEUED);
	side_send(&b, second, str_text(&query) + 30, query.len - 30);
	assert_int_equal(stream_held_bytes(last_client(&b)->stream), 64);
	str_fini(&query);
	/* nothing is lost by that */
	scene_query(&b, c, "commit");
	scene_done(&b, s, "COMMIT", 'I');
	assert_int_equal(last_client(&b)->state, CLIENT_LINKED);
	assert_string_equal(side_last(s, 'Q', &len), sql);
	bench_fini(&b);
}

static void a_waiting_client_that_leaves_is_out_of_the_queue(void **state)
{
	struct bench b;
	struct side *s, *c, *second;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\ndefault_pool_size=1");
	c = scene_running(&b, &s, "begin");
	second = bench_client(&b);
	say_startup(&b, second, "ann", "app");
	scene_query(&b, second, "select 2");
	assert_int_equal(last_client(&b)->state, CLIENT_QUEUED);
	side_close(&b, second);
	assert_int_equal(only_client(&b)->state, CLIENT_LINKED);
	scene_done(&b, s, "BEGIN", 'T');
	scene_query(&b, c, "commit");
	scene_done(&b, s, "COMMIT", 'I');
	assert_int_equal(only_server(&b)->place.state, PLACE_IDLE);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(less_than_a_header_borrows_nothing),
	    cmocka_unit_test(terminate_leaves_without_a_word),
	    cmocka_unit_test(unknown_types_are_refused_at_their_first_byte),
	    cmocka_unit_test(simple_queries_are_refused_if_they_are_disabled),
	    cmocka_unit_test(a_waiting_client_is_read_no_further_than_pkt_buf),
	    cmocka_unit_test(a_waiting_client_that_leaves_is_out_of_the_queue),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
