/* What the end of each login means: steps, severities, and what is left out. */
#include <stdio.h>

#include "check_bench.h"
#include "main/check_login.h"

#define SCRAM                                                                                                          \
	"SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"                    \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

struct scene {
	struct config *config;
	struct logins l;
};

static struct scene *begin(const char *databases, const char *users)
{
	struct scene *s = (struct scene *)test_calloc(1, sizeof(*s));
	char text[1000];

	snprintf(text, sizeof(text),
	         "[pgbouncer]\nauth_type=scram-sha-256\nauth_file=users.txt\nadmin_users=boss,vice\n[databases]\n%s",
	         databases);
	s->config = configured(text, users);
	assert_true(logins_init(&s->l, s->config, NULL, false));
	return s;
}

/* Tells, holds it against the story, and ends the scene. */
static void end(struct scene *s, const char *story, enum check_status status)
{
	struct findings f;

	findings_init(&f);
	logins_tell(&s->l, &f);
	assert_story(&f, story);
	assert_int_equal(findings_status(&f), status);
	findings_fini(&f);
	logins_fini(&s->l);
	config_unref(s->config);
	test_free(s);
}

static struct login_check *good(struct scene *s, unsigned i)
{
	struct login_check *at = &s->l.database[0].login[i];

	at->result = LOGIN_GOOD;
	at->phases = (struct login_phases){100, 200, 0, 300, 400};
	snprintf(at->where, sizeof(at->where), "10.0.0.1, port 5432");
	s->l.database[0].n_good++;
	return at;
}

static struct login_check *failed(struct scene *s, unsigned i, enum verdict_scope scope, const char *message)
{
	struct login_check *at = &s->l.database[0].login[i];

	at->result = LOGIN_FAILED;
	at->verdict.class = "some_class";
	at->verdict.scope = scope;
	str_add_str(&at->verdict.message, message);
	if (scope != SCOPE_NAME)
		snprintf(at->where, sizeof(at->where), "10.0.0.1, port 5432");
	if (scope == SCOPE_POOL)
		at->phases.connect_us = 200;
	return at;
}

static void each_step_of_a_good_login_is_told(void **state)
{
	struct scene *s = begin("app = host=db dbname=real\n", "\"ann\" \"a\"\n");

	(void)state;
	(void)good(s, 0);
	end(s,
	    "ok resolve: db\nok connect: 10.0.0.1, port 5432\nok authenticate: as \"ann\"\n"
	    "ok session: database \"real\" is ready\n",
	    CHECK_FINE);
}

static void the_step_that_failed_is_named(void **state)
{
	struct scene *s = begin("app = host=db\n", "\"ann\" \"a\"\n");

	(void)state;
	(void)failed(s, 0, SCOPE_NAME, "no such name");
	end(s, "error resolve: no such name\n", CHECK_NOT_SERVING);
	s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n");
	(void)failed(s, 0, SCOPE_ADDRESS, "refused");
	end(s, "error connect: refused\n", CHECK_NOT_SERVING);
	s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n");
	(void)failed(s, 0, SCOPE_POOL, "wrong");
	end(s, "ok connect: 10.0.0.1, port 5432\nerror authenticate: wrong\n", CHECK_NOT_SERVING);
	s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n");
	failed(s, 0, SCOPE_POOL, "no database")->phases.auth_us = 5;
	end(s, "ok connect: 10.0.0.1, port 5432\nok authenticate: as \"ann\"\nerror session: no database\n",
	    CHECK_NOT_SERVING);
}

static void a_database_that_serves_somebody_is_not_down(void **state)
{
	struct scene *s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n\"ben\" \"b\"\n");

	(void)state;
	(void)failed(s, 0, SCOPE_POOL, "wrong");
	(void)good(s, 1);
	end(s,
	    "ok connect: 10.0.0.1, port 5432\nwarning authenticate: wrong\n"
	    "ok connect: 10.0.0.1, port 5432\nok authenticate: as \"ben\"\nok session: database \"app\" is ready\n",
	    CHECK_WARNINGS);
}

static void users_of_the_console_count_only_if_nobody_else_is_there(void **state)
{
	struct scene *s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n\"boss\" \"b\"\n");

	(void)state;
	(void)good(s, 0);
	(void)failed(s, 1, SCOPE_POOL, "stranger");
	end(s,
	    "ok connect: 10.0.0.1, port 5432\nok authenticate: as \"ann\"\nok session: database \"app\" is ready\n"
	    "ok connect: 10.0.0.1, port 5432\nnote authenticate: stranger\n",
	    CHECK_FINE);
	s = begin("app = host=10.0.0.1\n", "\"boss\" \"b\"\n");
	(void)failed(s, 0, SCOPE_POOL, "stranger");
	end(s, "ok connect: 10.0.0.1, port 5432\nerror authenticate: stranger\n", CHECK_NOT_SERVING);
	s = begin("app = host=10.0.0.1\n", "\"boss\" \"b\"\n\"vice\" \"v\"\n");
	(void)failed(s, 0, SCOPE_POOL, "stranger");
	(void)failed(s, 1, SCOPE_POOL, "stranger");
	end(s,
	    "ok connect: 10.0.0.1, port 5432\nerror authenticate: stranger\n"
	    "ok connect: 10.0.0.1, port 5432\nerror authenticate: stranger\n",
	    CHECK_NOT_SERVING);
}

static void a_verifier_waits_for_its_client_unless_the_server_wants_something_else(void **state)
{
	static const char users[] = "\"ann\" \"" SCRAM "\"\n";
	struct scene *s = begin("app = host=10.0.0.1\n", users);
	struct login_check *at = failed(s, 0, SCOPE_POOL, "wrong password type");

	(void)state;
	at->verdict.class = "wrong_secret";
	str_add_str(&at->verdict.detail, "A SCRAM verifier is stored, the server asks for SCRAM-SHA-256.");
	end(s,
	    "ok connect: 10.0.0.1, port 5432\n"
	    "note authenticate: not checked: only a client's own login brings the key that the server asks for\n",
	    CHECK_FINE);
	/* nobody brings the key of a forced user */
	s = begin("app = host=10.0.0.1 user=ann\n", users);
	at = failed(s, 0, SCOPE_POOL, "wrong password type");
	at->verdict.class = "wrong_secret";
	str_add_str(&at->verdict.detail, "A SCRAM verifier is stored, the server asks for SCRAM-SHA-256.");
	end(s, "ok connect: 10.0.0.1, port 5432\nerror authenticate: wrong password type\n", CHECK_NOT_SERVING);
	s = begin("app = host=10.0.0.1\n", users);
	at = failed(s, 0, SCOPE_POOL, "wrong password type");
	at->verdict.class = "wrong_secret";
	str_add_str(&at->verdict.detail, "A SCRAM verifier is stored, the server asks for an MD5 password.");
	end(s, "ok connect: 10.0.0.1, port 5432\nerror authenticate: wrong password type\n", CHECK_NOT_SERVING);
}

static void of_a_dead_address_one_user_is_told_and_the_others_counted(void **state)
{
	struct scene *s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n\"ben\" \"b\"\n\"joe\" \"b\"\n");

	(void)state;
	(void)failed(s, 0, SCOPE_ADDRESS, "refused");
	s->l.database[0].login[1].result = s->l.database[0].login[2].result = LOGIN_NEEDLESS;
	s->l.database[0].dead = true;
	end(s, "error connect: refused\nnote connect: nobody else was tried: 2 users\n", CHECK_NOT_SERVING);
}

static void what_was_not_reached_is_no_success(void **state)
{
	struct scene *s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n");

	(void)state;
	end(s, "warning connect: not checked\n", CHECK_WARNINGS);
	s = begin("app = host=10.0.0.1\n", "\"ann\" \"a\"\n");
	s->l.database[0].login[0].result = LOGIN_SILENT;
	end(s, "error connect: no end of the login in time\n", CHECK_NOT_SERVING);
}

static void what_cannot_be_checked_is_said(void **state)
{
	(void)state;
	end(begin("* = host=10.0.0.1\n", "\"ann\" \"a\"\n"),
	    "note connect: the entry \"*\" cannot be checked without a name\n", CHECK_FINE);
	end(begin("app = host=10.0.0.1\n", ""), "note connect: not checked: the file knows no user to log in as\n",
	    CHECK_FINE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_step_of_a_good_login_is_told),
	    cmocka_unit_test(the_step_that_failed_is_named),
	    cmocka_unit_test(a_database_that_serves_somebody_is_not_down),
	    cmocka_unit_test(users_of_the_console_count_only_if_nobody_else_is_there),
	    cmocka_unit_test(a_verifier_waits_for_its_client_unless_the_server_wants_something_else),
	    cmocka_unit_test(of_a_dead_address_one_user_is_told_and_the_others_counted),
	    cmocka_unit_test(what_was_not_reached_is_no_success),
	    cmocka_unit_test(what_cannot_be_checked_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
