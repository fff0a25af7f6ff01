/* Texts of the table with everything filled in. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag/texts.h"
#include "diag_bench.h"

/* What a text of the table becomes. */
static void check_text(const struct facts *facts, const char *text, const char *expected)
{
	struct failure f;
	struct subject s;
	struct str out;

	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ENOENT, "what\twas noticed");
	subject_init(&s, &f, facts);
	str_init(&out, 10000);
	texts_expand(text, &s, &out);
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

static void placeholders_are_filled_in(void **state)
{
	static const char *const cases[][2] = {
	    {"%T", TARGET},
	    {"%h|%a|%p", "db|172.18.0.2|5432"},
	    {"%u|%U|%S|%B|%D", "app|\"app\"|'app'|\"shop\"|store"},
	    {"%c|%k|%A", "/etc/pgweir.ini:12|/etc/userlist.txt:3|pooler"},
	    {"%m", "server sent an error without a message"},
	    {"%x|%e|%t", "what was noticed|No such file or directory|3.0 s"},
	    {"%r", "host    shop    app    172.18.0.3/32    scram-sha-256"},
	    {"%n", "host    shop    app    172.18.0.0/16    scram-sha-256"},
	    {"%N|%v|%L|%P|%O", "10.0.0.2|after 10 s, every 5 s, 3 times|pool_size 20|120|97"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_text(&tcp, cases[i][0], cases[i][1]);
}

static void groups_vanish_when_anything_in_them_is_not_known(void **state)
{
	struct facts few = {.user = "app"};

	(void)state;
	check_text(&few, "a{ for %u}{ at %h}.", "a for app.");
	check_text(&few, "{%h, %u}b{%u}{%c}", "bapp");
	check_text(&few, "{ always}", " always");
	check_text(&few, "outside %h", "outside ?");
	check_text(&few, "100%", "100%");
}

static void names_are_quoted_for_sql(void **state)
{
	static const char *const cases[][3] = {
	    {"app", "\"app\"", "'app'"},
	    {"o'\"x", "\"o'\"\"x\"", "'o''\"x'"},
	    {"a\nb", "U&\"a\\000Ab\"", "U&'a\\000Ab'"},
	    {"a\\\x7F", "U&\"a\\\\\\007F\"", "U&'a\\\\\\007F'"},
	    {"back\\slash", "\"back\\slash\"", "'back\\slash'"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct facts facts = {.user = cases[i][0]};

		check_text(&facts, "%U", cases[i][1]);
		check_text(&facts, "%S", cases[i][2]);
	}
}

static void check_reason(struct failure *f, const char *expected)
{
	const struct facts nothing = {.port = 0};
	struct subject s;
	struct str out;

	subject_init(&s, f, &nothing);
	str_init(&out, 10000);
	write_reason(&s, &out);
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
	failure_fini(f);
}

static void reasons_are_a_few_words(void **state)
{
	static const struct words words = {"FATAL", "28000", "no\nentry", NULL, NULL};
	struct failure f;

	(void)state;
	failure_init(&f);
	check_reason(&f, "failed");
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	check_reason(&f, "connection refused");
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, EHOSTUNREACH, NULL);
	check_reason(&f, "No route to host");
	failure_set(&f, PHASE_RESOLVE, DOMAIN_GAI, -2, "Name or service not known");
	check_reason(&f, "Name or service not known");
	failure_set(&f, PHASE_TLS, DOMAIN_TLS, 1, NULL);
	check_reason(&f, "failed");
	failure_set(&f, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_NO_KEYS, "x");
	check_reason(&f, "wrong password type");
	set_report(&f, PHASE_AUTH, &words);
	check_reason(&f, "no entry");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(placeholders_are_filled_in),
	    cmocka_unit_test(groups_vanish_when_anything_in_them_is_not_known),
	    cmocka_unit_test(names_are_quoted_for_sql),
	    cmocka_unit_test(reasons_are_a_few_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
