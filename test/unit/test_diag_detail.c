/* What every DETAIL ends with. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"
#include "diag_bench.h"

static void detail_has_all_facts_in_their_order(void **state)
{
	struct failure f;
	struct verdict v;

	(void)state;
	failure_init(&f);
	verdict_init(&v);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	explain(&f, &tcp, &v);
	assert_string_equal(str_text(&v.detail),
	                    "Database \"shop\", user \"app\", host \"db\", address 172.18.0.2, port 5432, TLS prefer, "
	                    "source address 172.18.0.3, phase \"connect\" for 3.0 s, since 2026-11-23 17:00:00 UTC, "
	                    "attempts 3, next attempt in 250 ms, incident 7f3a0c19.");
	verdict_fini(&v);
}

static void all_targets_are_told_and_the_hopeful_one_is_chosen(void **state)
{
	static const struct words refusal = {"FATAL", "28000", NO_ENTRY "no encryption", NULL, NULL},
	                          later = {"FATAL", "57P03", "the database system is starting up", NULL, NULL};
	struct failure refused, silent, no_entry, starting;
	struct tried tried[3] = {{"a", "10.0.0.1", 5432, false, &no_entry},
	                         {"/run", "/run/.s.PGSQL.1", 1, true, &refused},
	                         {"b", "10.0.0.2", 5433, false, &silent}};
	struct facts facts = {.tried = tried, .n_tried = 3};
	struct verdict v;

	(void)state;
	failure_init(&refused);
	failure_init(&silent);
	failure_init(&no_entry);
	failure_init(&starting);
	verdict_init(&v);
	failure_set(&refused, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	failure_set(&silent, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	set_report(&no_entry, PHASE_STARTUP, &refusal);
	set_report(&starting, PHASE_STARTUP, &later);

	assert_int_equal(explain_choose(&facts), 1);
	explain(&refused, &facts, &v);
	assert_string_equal(
	    str_text(&v.detail),
	    "Tried: server at \"a\" (10.0.0.1), port 5432: " NO_ENTRY "no encryption; server on socket "
	    "\"/run/.s.PGSQL.1\": connection refused; server at \"b\" (10.0.0.2), port 5433: timed out. "
	    "Phase \"connect\".");
	tried[1].failure = &starting;
	assert_int_equal(explain_choose(&facts), 1);
	tried[1].failure = tried[2].failure = &no_entry;
	assert_int_equal(explain_choose(&facts), 0);
	facts.n_tried = 1;
	assert_int_equal(explain_choose(&facts), 0);
	explain(&refused, &facts, &v);
	assert_string_equal(str_text(&v.detail), "Phase \"connect\".");
	failure_fini(&no_entry);
	failure_fini(&starting);
	verdict_fini(&v);
}

static void reasons_of_targets_are_short(void **state)
{
	char text[1000];
	struct words words = {"FATAL", "XX000", text, NULL, NULL};
	struct failure f[2];
	struct tried tried[2] = {{"a", NULL, 1, false, &f[0]}, {"b", NULL, 2, false, &f[1]}};
	struct facts facts = {.tried = tried, .n_tried = 2};
	struct verdict v;

	(void)state;
	verdict_init(&v);
	memset(text, 'x', sizeof(text));
	text[0] = '\n';
	memcpy(text + 298, "\xE2\x82\xAC", 3);
	text[999] = '\0';
	failure_init(&f[0]);
	failure_init(&f[1]);
	set_report(&f[0], PHASE_AUTH, &words);
	for (int code = FAILURE_NONE; code <= FAILURE_DATABASE_REMOVED; code++) {
		failure_set(&f[1], PHASE_AUTH, DOMAIN_POOLER, code, NULL);
		explain(&f[1], &facts, &v);
		assert_true(v.detail.len < 900);
		assert_true(printable_is(str_text(&v.detail)));
		assert_non_null(strstr(str_text(&v.detail), "xxx…; server at \"b\", port 2: "));
		assert_null(strstr(str_text(&v.detail), ": ."));
	}
	failure_fini(&f[0]);
	failure_fini(&f[1]);
	verdict_fini(&v);
}

static struct failure of_role(void)
{
	struct failure f;

	failure_init(&f);
	failure_set(&f, PHASE_SETTLE, DOMAIN_POOLER, FAILURE_WRONG_ROLE, "is a standby");
	return f;
}

static struct failure of_system(int code)
{
	struct failure f;

	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, code, NULL);
	return f;
}

static void another_role_says_more_than_silence_and_less_than_an_answer(void **state)
{
	struct failure role = of_role(), refused = of_system(ECONNREFUSED), full = of_role(), wrong = of_role();
	struct tried tried[2] = {{.host = "a", .failure = &refused}, {.host = "b", .failure = &role}};
	struct facts facts = {.tried = tried, .n_tried = 2};

	(void)state;
	failure_set(&full, PHASE_AUTH, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
	failure_set(&wrong, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_NO_PASSWORD, NULL);
	assert_int_equal(explain_choose(&facts), 1);
	tried[0].failure = &full;
	assert_int_equal(explain_choose(&facts), 0);
	tried[0].failure = &wrong; /* a refusal: as long as the other one may be promoted, waiting may help */
	assert_int_equal(explain_choose(&facts), 1);
	tried[0].failure = &role;
	tried[1].failure = &refused;
	assert_int_equal(explain_choose(&facts), 0);
}

static void of_one_host_it_is_told_what_it_is(void **state)
{
	struct failure role = of_role();
	struct tried tried = {.host = "a", .port = 5432, .failure = &role};
	struct facts facts = {.hosts = "a", .wanted_role = "is a primary", .tried = &tried, .n_tried = 1};
	struct verdict v;

	(void)state;
	verdict_init(&v);
	explain(&role, &facts, &v);
	assert_string_equal(str_text(&v.message), "no host of \"a\" is a primary");
	assert_string_equal(str_text(&v.detail),
	                    "Tried: server at \"a\", port 5432: is a standby. Phase \"end of login\".");
	verdict_fini(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(detail_has_all_facts_in_their_order),
	    cmocka_unit_test(all_targets_are_told_and_the_hopeful_one_is_chosen),
	    cmocka_unit_test(reasons_of_targets_are_short),
	    cmocka_unit_test(another_role_says_more_than_silence_and_less_than_an_answer),
	    cmocka_unit_test(of_one_host_it_is_told_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
