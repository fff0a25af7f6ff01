/* How a client proves who it is: each way to be asked, and what it sends out of turn. */
#include "auth/ldap.h"
#include "auth/pam.h"
#include "pool/found_secret.h"
#include "worker_scene.h"

#include "auth/hba.h"
#include "os/process.h"
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

/* ---- by rules ---- */

/* A client of this kind meets these rules. */
static struct side *begin_with_rules(struct bench *b, const char *rules, const char *user, const char *database,
                                     const struct peer *from)
{
	struct fake_file files[] = {{"h", rules, 0}, {"i", "m /. ann\nn nobody_like_that ann\n", 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;
	struct side *c;
	struct hba *h;

	bench_init(b, "auth_type=hba");
	h = hba_load(&source, "h", "i", NULL, &why);
	if (h == NULL)
		fail_msg("%s", why.text);
	b->conf->rules = hba_shared(h);
	c = from == NULL ? bench_client(b) : bench_client_from(b, from);
	say_startup(b, c, user, database);
	return c;
}

static struct peer own_account(void)
{
	struct peer p = {.family = 1};
	int32_t pid = 1, uid = (int32_t)os_user_id();

	memcpy(p.bytes, &pid, 4);
	memcpy(p.bytes + 4, &uid, 4);
	return p;
}

static void rules_choose_how_a_client_is_asked(void **state)
{
	static const struct {
		const char *method;
		uint32_t asked;
	} cases[] = {
	    {"password", ASKED_PLAIN},
	    {"md5", ASKED_MD5},
	    {"scram-sha-256", ASKED_SASL},
#ifdef HAVE_PAM
	    {"pam", ASKED_PLAIN},
#endif
#ifdef HAVE_LDAP
	    {"ldap ldapserver=x ldapprefix=u", ASKED_PLAIN},
#endif
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		char rules[100];
		struct side *c;

		snprintf(rules, sizeof(rules), "host all bob all trust\nhost app ann 127.0.0.1/32 %s\n",
		         cases[i].method);
		c = begin_with_rules(&b, rules, "ann", "app", NULL);
		assert_int_equal(asked(c), cases[i].asked);
		bench_fini(&b);
	}
}

#if defined(HAVE_PAM) && defined(HAVE_LDAP)
static void rules_leave_passwords_to_others(void **state)
{
	static const struct {
		const char *rules, *password, *told; /* told NULL: it comes in */
	} cases[] = {
	    {"host all all all pam\n", "pencil", NULL},
	    {"host all all all pam\n", "crayon", "PAM authentication failed"},
	    {"host all all all ldap ldapserver=x ldapprefix=\"cn=\"\n", "crayon", NULL},
	    {"host all all all ldap ldapserver=x ldapprefix=u\n", "pencil", "LDAP authentication failed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		struct side *c = begin_with_rules(&b, cases[i].rules, "nobody_like_that", "app", NULL);

		say_password(&b, c, cases[i].password, 6);
		if (cases[i].told != NULL)
			assert_told(c, cases[i].told);
		else
			assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
		bench_fini(&b);
	}
}
#endif

static void rules_turn_clients_away(void **state)
{
	static const struct {
		const char *rules, *user, *database, *told;
	} cases[] = {
	    {"host all all all reject\n", "ann", "app", "login rejected"},
	    {"host all all all reject\n", "nobody", "app", "login rejected"},
	    {"host all all 10.0.0.0/8 trust\n", "ann", "app", "no authentication method is found"},
	    {"", "ann", "app", "no authentication method is found"},
	    {"host all all all trust\n", "nobody", "app", "\"trust\" authentication failed"},
	    {"host all all all cert\n", "ann", "app", "certificate authentication failed"},
	    {"host all all all peer\n", "ann", "app", "unix socket login rejected"},
	    {"host pgbouncer all all reject\nhost all all all trust\n", "ann", "pgbouncer", "login rejected"},
	    {"host pgbouncer all all reject\nhost all all all trust\n", "ann", "pgweir", "login rejected"},
	    {"host pgbouncer all all trust\n", "trusty", "pgbouncer", "not allowed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		struct side *c = begin_with_rules(&b, cases[i].rules, cases[i].user, cases[i].database, NULL);

		assert_true(c->ended);
		assert_told(c, cases[i].told);
		assert_int_equal(b.w->n_clients, 0);
		bench_fini(&b);
	}
}

static void without_rules_nobody_comes_in(void **state)
{
	struct bench b;
	struct side *c = begin(&b, "auth_type=hba", "ann");

	(void)state;
	assert_told(c, "no authentication method is found");
	bench_fini(&b);
}

static void an_account_comes_in_as_whom_its_map_says(void **state)
{
	static const struct {
		const char *rules, *told; /* told NULL: it comes in */
	} cases[] = {
#ifdef HAVE_PCRE2
	    {"local all all peer map=m\n", NULL},
#endif
	    {"local all all peer map=n\n", "unix socket login rejected"},
	    {"local all all peer\n", "unix socket login rejected"},
	};
	struct peer from = own_account();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		struct side *c = begin_with_rules(&b, cases[i].rules, "ann", "app", &from);

		if (cases[i].told != NULL)
			assert_told(c, cases[i].told);
		else
			assert_int_equal(only_client(&b)->state, CLIENT_GREETING);
		bench_fini(&b);
	}
}

static void an_account_without_a_name_does_not_come_in(void **state)
{
	struct peer from = own_account();
	int32_t uid = 2000000011;
	struct bench b;
	struct side *c;

	(void)state;
	memcpy(from.bytes + 4, &uid, 4);
	c = begin_with_rules(&b, "local all all peer map=n\n", "ann", "app", &from);
	assert_told(c, "unix socket login rejected");
	bench_fini(&b);
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
		cmocka_unit_test(rules_choose_how_a_client_is_asked),
		cmocka_unit_test(rules_turn_clients_away),
#if defined(HAVE_PAM) && defined(HAVE_LDAP)
		cmocka_unit_test(rules_leave_passwords_to_others),
#endif
		cmocka_unit_test(without_rules_nobody_comes_in),
		cmocka_unit_test(an_account_comes_in_as_whom_its_map_says),
		cmocka_unit_test(an_account_without_a_name_does_not_come_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
