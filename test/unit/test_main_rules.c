/* Tests of src/main/rules.c: when HBA rules are read, and when they stay. */
#include "check_bench.h"

#include "auth/hba.h"
#include "main/rules.h"

#define HBA "[pgbouncer]\nauth_type=hba\nauth_hba_file=h\n"

static struct fake_file files[] = {{"h", "host all all all trust\n", 0},
                                   {"h2", "host all all all md5\nx\n", 0},
                                   {"d/h3", "host all all all cert map=m\n", 0},
                                   {"i", "m a b\n", 0},
                                   {NULL, NULL, 0}};
static const struct conf_source source = {fake_read, fake_list, files};

/* Loads a file of this name and text, and its rules. NULL: refused for `why`. */
static struct config *load(const char *path, const char *text, struct conf_error *why)
{
	struct fake_file ini[] = {{path, text, 0}, {NULL, NULL, 0}};
	struct config *c;

	memset(why, 0, sizeof(*why));
	c = config_load(path, NULL, fake_read, ini, why);
	if (c != NULL && rules_prepare(c, NULL, &source, why))
		return c;
	config_unref(c);
	return NULL;
}

static struct config *loaded(const char *path, const char *text)
{
	struct conf_error why;
	struct config *c = load(path, text, &why);

	if (c == NULL)
		fail_msg("%s", why.text);
	return c;
}

static void rules_are_read_for_hba_only(void **state)
{
	struct config *c = loaded("a.ini", HBA);

	(void)state;
	assert_non_null(c->rules);
	assert_int_equal(hba_rule_at(hba_of(c->rules), 0)->method, HBA_TRUST);
	config_unref(c);
	c = loaded("a.ini", "[pgbouncer]\nauth_type=md5\nauth_hba_file=none\n");
	assert_null(c->rules);
	config_unref(c);
	c = loaded("d/a.ini", "[pgbouncer]\nauth_type=hba\nauth_hba_file=h3\nauth_ident_file=i\n");
	assert_string_equal(hba_rule_at(hba_of(c->rules), 0)->file, "d/h3");
	config_unref(c);
}

static void what_is_wrong_refuses_the_configuration(void **state)
{
	static const struct {
		const char *text, *words;
	} cases[] = {
	    {"[pgbouncer]\nauth_type=hba\n", "auth_type = hba needs auth_hba_file"},
	    {"[pgbouncer]\nauth_type=hba\nauth_hba_file=none\n",
	     "could not open hba config file none: No such file or directory"},
	    {"[pgbouncer]\nauth_type=hba\nauth_hba_file=h2\n", "broken hba file (h2:2): unknown type \"x\", in \"x\""},
	    {HBA "auth_ident_file=none\n", "could not open ident config file none: No such file or directory"},
	};
	struct conf_error why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(load("a.ini", cases[i].text, &why));
		assert_string_equal(why.text, cases[i].words);
	}
}

/* SET on a running configuration, while the file h has become another. */
static bool set(const struct config *running, const char *name, const char *value, struct config **fresh,
                struct conf_error *why)
{
	bool good;

	memset(why, 0, sizeof(*why));
	*fresh = config_with_setting(running, name, value, why);
	assert_non_null(*fresh);
	files[0].content = "being edited";
	good = rules_prepare(*fresh, running, &source, why);
	files[0].content = "host all all all trust\n";
	return good;
}

static void only_a_set_of_these_files_reads_them(void **state)
{
	struct config *running = loaded("a.ini", HBA), *fresh;
	struct conf_error why;

	(void)state;
	assert_true(set(running, "server_lifetime", "7", &fresh, &why));
	assert_ptr_equal(fresh->rules, running->rules);
	config_unref(fresh);
	assert_true(set(running, "auth_type", "md5", &fresh, &why));
	assert_null(fresh->rules);
	config_unref(fresh);
	assert_false(set(running, "auth_ident_file", "i", &fresh, &why));
	assert_non_null(strstr(why.text, "broken hba file (h:1)"));
	config_unref(fresh);
	assert_false(set(running, "auth_hba_file", "h2", &fresh, &why));
	assert_non_null(strstr(why.text, "broken hba file (h2:2)"));
	config_unref(fresh);
	config_unref(running);
}

#ifdef HAVE_LDAP
static void lines_for_ldap_need_options_somewhere(void **state)
{
	struct conf_error why;
	struct config *running, *fresh;

	(void)state;
	files[0].content = "host all all all trust\nhost all all all ldap\n";
	assert_null(load("a.ini", HBA, &why));
	assert_string_equal(
	    why.text, "broken hba file (h:2): method ldap without options needs auth_ldap_options, which is empty");
	running = loaded("a.ini", HBA "auth_ldap_options=ldapserver=x ldapprefix=u\n");
	files[0].content = "host all all all ldap ldapserver=x ldapprefix=u\n";
	config_unref(loaded("a.ini", HBA));
	/* the rules stay, what they need goes */
	fresh = config_with_setting(running, "auth_ldap_options", "", &why);
	assert_non_null(fresh);
	assert_false(rules_prepare(fresh, running, &source, &why));
	config_unref(fresh);
	config_unref(running);
	files[0].content = "host all all all trust\n";
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rules_are_read_for_hba_only),
	    cmocka_unit_test(what_is_wrong_refuses_the_configuration),
	    cmocka_unit_test(only_a_set_of_these_files_reads_them),
#ifdef HAVE_LDAP
	    cmocka_unit_test(lines_for_ldap_need_options_somewhere),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
