/* A client's first bytes: requests for encryption, cancel requests, old protocols, and who may come in. */
#include "worker_scene.h"

static const char ssl_request[] = "\0\0\0\10\4\322\26\57";
#define SSL_REQUEST_BYTES 8u

static void encryption_is_declined_and_the_login_goes_on(void **state)
{
	struct bench b;
	struct side *c;

	(void)state;
	bench_init(&b, "auth_type=trust");
	c = bench_client(&b);
	side_send(&b, c, ssl_request, SSL_REQUEST_BYTES);
	assert_int_equal(c->got.len, 1);
	assert_int_equal(c->got.data[0], 'N');
	assert_int_equal(only_client(&b)->state, CLIENT_HELLO);
	say_startup(&b, c, "ann", "app");
	assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
	bench_fini(&b);
}

static void what_was_meant_to_be_encrypted_is_not_read(void **state)
{
	struct bench b;
	struct side *c;
	char request[SSL_REQUEST_BYTES + 1] = {0};

	(void)state;
	memcpy(request, ssl_request, SSL_REQUEST_BYTES);
	bench_init(&b, "auth_type=trust");
	c = bench_client(&b);
	side_send(&b, c, request, sizeof(request));
	assert_told(c, "received unencrypted data after SSL request");
	assert_true(c->ended);
	bench_fini(&b);
}

static void cancel_requests_are_not_answered(void **state)
{
	struct bench b;
	struct side *c;
	struct str out;

	(void)state;
	bench_init(&b, "auth_type=trust");
	c = bench_client(&b);
	str_init(&out, 4096);
	message_cancel_request(&out, 1, "abcd", 4);
	side_say(&b, c, &out);
	assert_true(c->ended);
	assert_int_equal(c->got.len, 0);
	assert_int_equal(b.w->n_clients, 0);
	str_fini(&out);
	bench_fini(&b);
}

static void protocol_2_is_refused(void **state)
{
	struct bench b;
	struct side *c;

	(void)state;
	bench_init(&b, "auth_type=trust");
	c = bench_client(&b);
	side_send(&b, c, "\0\0\0\12\0\2\0\0\0\0", 10);
	assert_told(c, "old V2 protocol not supported");
	assert_true(c->ended);
	bench_fini(&b);
}

static void max_client_conn_is_exact_and_a_place_becomes_free_again(void **state)
{
	struct bench b;
	struct side *first, *second, *third;

	(void)state;
	bench_init(&b, "auth_type=trust\nmax_client_conn=1");
	first = bench_client(&b);
	say_startup(&b, first, "ann", "app");
	second = bench_client(&b);
	say_startup(&b, second, "ann", "app");
	assert_told(second, "no more connections allowed (max_client_conn)");
	assert_true(second->ended);
	assert_false(first->ended);
	side_close(&b, first);
	third = bench_client(&b);
	say_startup(&b, third, "ann", "app");
	assert_false(third->ended);
	assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
	bench_fini(&b);
}

static void unknown_databases_are_named(void **state)
{
	struct bench b;
	struct side *c;

	(void)state;
	bench_init(&b, "auth_type=trust");
	c = bench_client(&b);
	say_startup(&b, c, "ann", "nix");
	assert_told(c, "no such database: nix");
	assert_true(c->ended);
	assert_int_equal(b.office->registry->n_clients, 0);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(encryption_is_declined_and_the_login_goes_on),
	    cmocka_unit_test(what_was_meant_to_be_encrypted_is_not_read),
	    cmocka_unit_test(cancel_requests_are_not_answered),
	    cmocka_unit_test(protocol_2_is_refused),
	    cmocka_unit_test(max_client_conn_is_exact_and_a_place_becomes_free_again),
	    cmocka_unit_test(unknown_databases_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
