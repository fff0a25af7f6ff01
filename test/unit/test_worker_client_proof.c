/* How a client proves who it is: each way to be asked, and what it sends out of turn. */
#include "auth/ldap.h"
#include "auth/pam.h"
#include "pool/found_secret.h"
#include "worker_scene.h"

/* In the places of PAM and the LDAP server: they know one password. */
void pam_ask(struct ask *a)
{
	ask_answer(a, strcmp(a->password, "pencil") == 0 ? ASK_YES : ASK_NO, "PAM says so");
}

void ldap_ask(struct ask *a)
{
	ask_answer(a, a->ldap != NULL && strcmp(a->password, "crayon") == 0 ? ASK_YES : ASK_NO, "LDAP says so");
}

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

#define LDAP "auth_type=ldap\nauth_ldap_options=ldapserver=a ldapprefix=b"

static void pam_and_ldap_are_asked_about_any_user(void **state)
{
	static const struct {
		const char *globals, *right, *told;
	} cases[] = {
#ifdef HAVE_PAM
	    {"auth_type=pam", "pencil", "PAM authentication failed"},
#endif
#ifdef HAVE_LDAP
	    {LDAP, "crayon", "LDAP authentication failed"},
#endif
	    {NULL, NULL, NULL}};

	(void)state;
	for (size_t i = 0; cases[i].globals != NULL; i++) {
		struct bench b;
		struct side *c = begin(&b, cases[i].globals, "nobody");
		struct shared *sent;

		assert_int_equal(asked(c), ASKED_PLAIN);
		say_password(&b, c, cases[i].right, 6);
		assert_false(c->ended);
		assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
		/* it serves at the server, too */
		sent = pool_secret(only_client(&b)->entry.seat->pool);
		assert_non_null(sent);
		assert_string_equal(found_secret_of(sent)->text, cases[i].right);
		assert_true(found_secret_of(sent)->by_client);
		shared_unref(sent);
		assert_int_equal(atomic_load(&b.office->n_asking[ASK_PAM]), 0);
		assert_int_equal(atomic_load(&b.office->n_asking[ASK_LDAP]), 0);
		bench_fini(&b);
		c = begin(&b, cases[i].globals, "nobody");
		say_password(&b, c, "chalk!", 6);
		assert_told(c, cases[i].told);
		assert_true(c->ended);
		bench_fini(&b);
	}
}

#ifdef HAVE_PAM
static void too_many_who_wait_for_pam_are_refused(void **state)
{
	struct bench b;
	struct side *c = begin(&b, "auth_type=pam", "ann");

	(void)state;
	atomic_store(&b.office->n_asking[ASK_PAM], OFFICE_MOST_ASKING);
	say_password(&b, c, "pencil", 6);
	assert_told(c, "too many logins wait for PAM");
	assert_true(c->ended);
	assert_int_equal(atomic_load(&b.office->n_asking[ASK_PAM]), OFFICE_MOST_ASKING);
	bench_fini(&b);
}
#endif

static void listed_password_is_not_kept_for_the_server(void **state)
{
	struct bench b;
	struct side *c = begin(&b, "auth_type=plain", "ann");

	(void)state;
	say_password(&b, c, "pencil", 6);
	assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
	assert_null(pool_secret(only_client(&b)->entry.seat->pool));
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
	    cmocka_unit_test(pam_and_ldap_are_asked_about_any_user),
#ifdef HAVE_PAM
	    cmocka_unit_test(too_many_who_wait_for_pam_are_refused),
#endif
	    cmocka_unit_test(listed_password_is_not_kept_for_the_server),
	    cmocka_unit_test(other_messages_than_a_proof_end_the_login),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
