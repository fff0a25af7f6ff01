/* How a client proves who it is: each way to be asked, and what it sends out of turn. */
#include "worker_scene.h"

#define ASKED_PLAIN 3u
#define ASKED_MD5 5u
#define ASKED_SASL 10u

/* What the last Authentication message asks for. */
static uint32_t asked(const struct side *c)
{
	size_t len;
	const char *body = side_last(c, 'R', &len);
	struct reader r;

	assert_non_null(body);
	reader_init(&r, body, len);
	return reader_u32(&r);
}

static struct side *begin(struct bench *b, const char *globals, const char *user)
{
	struct side *c;

	bench_init(b, globals);
	c = bench_client(b);
	say_startup(b, c, user, "app");
	return c;
}

static void each_auth_type_asks_in_its_way(void **state)
{
	static const struct {
		const char *globals;
		uint32_t asked;
	} cases[] = {
	    {"auth_type=plain", ASKED_PLAIN}, {"auth_type=md5", ASKED_MD5}, {"auth_type=scram-sha-256", ASKED_SASL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		struct side *c = begin(&b, cases[i].globals, "ann");

		assert_int_equal(asked(c), cases[i].asked);
		assert_int_equal(only_client(&b)->state, CLIENT_PROVING);
		bench_fini(&b);
	}
}

static void right_password_lets_in_and_a_wrong_one_does_not(void **state)
{
	struct bench b;
	struct side *c = begin(&b, "auth_type=plain", "ann");

	(void)state;
	say_password(&b, c, "pencil", 6);
	assert_false(c->ended);
	assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
	bench_fini(&b);
	c = begin(&b, "auth_type=plain", "ann");
	say_password(&b, c, "Pencil", 6);
	assert_told(c, "password authentication failed");
	assert_true(c->ended);
	bench_fini(&b);
}

static void user_who_does_not_exist_is_asked_and_refused_like_others(void **state)
{
	struct bench b;
	struct side *c = begin(&b, "auth_type=plain", "nobody");

	(void)state;
	assert_int_equal(asked(c), ASKED_PLAIN);
	say_password(&b, c, "pencil", 6);
	assert_told(c, "password authentication failed");
	bench_fini(&b);
}

static void other_messages_than_a_proof_end_the_login(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *told;
	} cases[] = {{"Q\0\0\0\5", 6, "unknown pkt"},
	             {"\0\0\0\10\0\3\0\0", 8, "client re-sent startup pkt"},
	             {"X\0\0\0\4", 5, NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		struct side *c = begin(&b, "auth_type=plain", "ann");
		size_t len;

		side_send(&b, c, cases[i].bytes, cases[i].len);
		assert_true(c->ended);
		if (cases[i].told != NULL)
			assert_told(c, cases[i].told);
		else
			assert_null(side_last(c, 'E', &len));
		bench_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_auth_type_asks_in_its_way),
	    cmocka_unit_test(right_password_lets_in_and_a_wrong_one_does_not),
	    cmocka_unit_test(user_who_does_not_exist_is_asked_and_refused_like_others),
	    cmocka_unit_test(other_messages_than_a_proof_end_the_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
