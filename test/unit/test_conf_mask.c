/* Files as people may see them: nothing secret, and nothing that was not understood. */
#include "environment_bench.h"

#include "conf/mask.h"

static const char *name_of_line(void *context, unsigned line)
{
	static char text[32];

	(void)context;
	snprintf(text, sizeof(text), "V%u", line);
	return line == 2 ? text : "";
}

static void assert_ini(const char *text, const char *expected)
{
	struct str out;

	str_init(&out, 65536);
	mask_ini(text, strlen(text), NULL, NULL, &out);
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

static void assert_users(const char *text, const char *expected)
{
	struct str out;

	str_init(&out, 65536);
	mask_userlist(text, strlen(text), NULL, NULL, &out);
	assert_string_equal(str_text(&out), expected);
	str_fini(&out);
}

#define HIDDEN "; a line that cannot be read is not shown\n"
#define DB "[databases]\n"

static void passwords_of_entries_are_hidden(void **state)
{
	static const struct {
		const char *line, *shown;
	} cases[] = {
	    {"a = host=h password=geheim", "a = host=h password='********'\n"},
	    {"a = password=geheim user=u", "a = password='********' user=u\n"},
	    {"a = password='ge''he im' user='u u'", "a = password='********' user='u u'\n"},
	    {"a=password = geheim  port=1", "a=password='********'  port=1\n"},
	    {"\"a = password=x\" = host=h", "\"a = password=x\" = host=h\n"},
	    {"'a\"b' = host=h", "'a\"b' = host=h\n"},
	    {"  a = host=h  \r", "a = host=h\n"},
	    {"a =", "a =\n"},
	    /* not to be understood */
	    {"a = password='geheim", HIDDEN},
	    {"a = host=h geheim", HIDDEN},
	    {"a = password='ge'heim", HIDDEN},
	    {"a = password=ge heim", HIDDEN},
	    {"a = =geheim", HIDDEN},
	    {"a password=geheim", HIDDEN},
	    {"geheim", HIDDEN},
	    {"\"geheim", HIDDEN},
	    {"; a = password=geheim", ""},
	    {"# geheim", ""},
	    {"", "\n"},
	    {"%include more.ini", "%include more.ini\n"},
	};
	char text[200], expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(text, sizeof(text), DB "%s\n", cases[i].line);
		snprintf(expected, sizeof(expected), DB "%s", cases[i].shown);
		assert_ini(text, expected);
	}
}

static void secret_settings_are_hidden(void **state)
{
	(void)state;
	assert_ini("[pgbouncer]\nhttp_auth_password = geheim\nhttp_auth_user = u\nauth_ldap_options = a=b "
	           "ldapbindpasswd=geheim\n"
	           "auth_query = SELECT 'x' = y\n'http_auth_password' = geheim\n",
	           "[pgbouncer]\nhttp_auth_password = ********\nhttp_auth_user = u\nauth_ldap_options = ********\n"
	           "auth_query = SELECT 'x' = y\n'http_auth_password' = ********\n");
	/* what comes before any section is taken for an entry */
	assert_ini("x = password=geheim", "x = password='********'\n");
	assert_ini("[pgbouncer]\n[databases]\nx = password=geheim\n",
	           "[pgbouncer]\n[databases]\nx = password='********'\n");
}

static void secrets_of_a_list_are_hidden(void **state)
{
	(void)state;
	assert_users("\"ann\" \"geheim\"\n; \"x\" \"geheim\"\n\n\"b\"\"b\" \"\" \"geheim\"\n\"c\n geheim\n",
	             "\"ann\" \"********\"\n\"b\"\"b\" \"********\"\n" HIDDEN HIDDEN);
}

static void lines_may_say_where_they_come_from(void **state)
{
	struct str out;

	(void)state;
	str_init(&out, 65536);
	mask_ini("[databases]\na = host=h\nb = host=h\n", 34, name_of_line, NULL, &out);
	assert_string_equal(str_text(&out), "[databases]\n; from V2\na = host=h\nb = host=h\n");
	str_clear(&out);
	mask_userlist("\"a\" \"x\"\n\"b\" \"y\"\n", 16, name_of_line, NULL, &out);
	assert_string_equal(str_text(&out), "\"a\" \"********\"\n; from V2\n\"b\" \"********\"\n");
	str_fini(&out);
}

static void a_file_that_does_not_fit_is_noticed(void **state)
{
	struct str out;

	(void)state;
	str_init(&out, 12);
	mask_ini("[a]\nb = host=somewhere\n", 23, NULL, NULL, &out);
	assert_true(out.failed);
	str_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(passwords_of_entries_are_hidden),     cmocka_unit_test(secret_settings_are_hidden),
	    cmocka_unit_test(secrets_of_a_list_are_hidden),        cmocka_unit_test(lines_may_say_where_they_come_from),
	    cmocka_unit_test(a_file_that_does_not_fit_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
