/* Every kind of secret against every way to log in. */
#include <stdio.h>

#include "check_bench.h"
#include "main/check_offline.h"

#define MD5 "md5aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SCRAM                                                                                                          \
	"SCRAM-SHA-256$4096:c2FsdHNhbHRzYWx0c2FsdA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:"                    \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void check(const char *type, const char *users, const char *story)
{
	char text[300];
	struct config *c;
	struct findings f;

	snprintf(text, sizeof(text), "[databases]\napp = host=h\n[pgbouncer]\nauth_type=%s\nauth_file=users.txt\n",
	         type);
	c = configured(text, users);
	findings_init(&f);
	check_secrets(&f, c);
	assert_story(&f, story);
	findings_fini(&f);
	config_unref(c);
}

static void each_kind_is_held_against_each_way_to_log_in(void **state)
{
	static const char users[] =
	    "\"plain\" \"secret\"\n\"md5\" \"" MD5 "\"\n\"scram\" \"" SCRAM "\"\n\"none\" \"\"\n";

	(void)state;
	check("scram-sha-256", users,
	      "warning secrets: user \"md5\" cannot log in by scram-sha-256: an MD5 hash is stored\n"
	      "warning secrets: user \"none\" cannot log in by scram-sha-256: the stored secret is empty\n");
	check("md5", users, "warning secrets: user \"none\" cannot log in by md5: the stored secret is empty\n");
	check("plain", users, "warning secrets: user \"none\" cannot log in by plain: the stored secret is empty\n");
	check("trust", users, "");
	check("any", users, "");
	check("cert", users, "");
	check("hba", users, "");
}

static void somebody_must_be_able_to_log_in(void **state)
{
	(void)state;
	check("md5", "", "error secrets: no user can log in: auth_file names none\n");
	check("trust", "", "error secrets: no user can log in: auth_file names none\n");
	check("any", "", "");
	check("md5\nauth_user=asker", "", ""); /* they are looked up */
}

static void no_text_holds_a_secret(void **state)
{
	struct config *c =
	    configured("[pgbouncer]\nauth_type=scram-sha-256\nauth_file=users.txt\n", "\"a\" \"" MD5 "\"\n");
	const struct finding *n;
	struct findings f;

	(void)state;
	findings_init(&f);
	check_secrets(&f, c);
	n = container_of(list_first(&f.list), struct finding, node);
	assert_null(strstr(str_text(&n->what), "aaaa"));
	assert_null(strstr(str_text(&n->remedy), "aaaa"));
	assert_non_null(strstr(str_text(&n->remedy), "\"a\""));
	findings_fini(&f);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_kind_is_held_against_each_way_to_log_in),
	    cmocka_unit_test(somebody_must_be_able_to_log_in),
	    cmocka_unit_test(no_text_holds_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
