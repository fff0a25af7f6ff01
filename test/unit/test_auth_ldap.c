/* Names for LDAP servers: whatever a user is called, it stays one name in a filter and in a distinguished name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/ldap.h"

static struct ldap_options *options(const char *text)
{
	struct conf_error why;
	struct ldap_options *o = ldap_options_parse(text, NULL, 0, &why);

	if (o == NULL)
		fail_msg("%s", why.text);
	return o;
}

static void names_in_filters_are_escaped(void **state)
{
	static const struct {
		const char *options, *user, *filter;
	} cases[] = {
	    {"ldapserver=a ldapbasedn=b", "app", "(uid=app)"},
	    {"ldapserver=a ldapbasedn=b ldapsearchattribute=mail", "a@b", "(mail=a@b)"},
	    {"ldapserver=a ldapbasedn=b", "*", "(uid=\\2a)"},
	    {"ldapserver=a ldapbasedn=b", "a)(uid=*", "(uid=a\\29\\28uid=\\2a)"},
	    {"ldapserver=a ldapbasedn=b", "a\\2a", "(uid=a\\5c2a)"},
	    {"ldapserver=a ldapbasedn=b", "caf\xc3\xa9", "(uid=caf\xc3\xa9)"},
	    {"ldapserver=a ldapbasedn=b ldapsearchfilter=(|(uid=$username)(mail=$username))", "a*",
	     "(|(uid=a\\2a)(mail=a\\2a))"},
	    {"ldapserver=a ldapbasedn=b ldapsearchfilter=(uid=$username)", "$username", "(uid=$username)"},
	    {"ldapserver=a ldapbasedn=b ldapsearchfilter=(uid=fixed)", "app", "(uid=fixed)"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ldap_options *o = options(cases[i].options);
		struct str out;

		str_init(&out, 1000);
		ldap_search_filter(o, cases[i].user, &out);
		assert_string_equal(str_text(&out), cases[i].filter);
		str_fini(&out);
		shared_unref(&o->shared);
	}
}

static void names_in_distinguished_names_are_escaped(void **state)
{
	static const struct {
		const char *options, *user, *name; /* NULL: refused */
	} cases[] = {
	    {"ldapserver=a ldapprefix=uid= ldapsuffix=\",dc=x\"", "app", "uid=app,dc=x"},
	    {"ldapserver=a ldapprefix=uid= ldapsuffix=\",dc=x\"", "app,dc=evil", "uid=app\\2cdc\\3devil,dc=x"},
	    {"ldapserver=a ldapprefix=uid= ldapsuffix=\",dc=x\"", "a+uid=b", "uid=a\\2buid\\3db,dc=x"},
	    {"ldapserver=a ldapprefix=uid=", "\\\"<>;", "uid=\\5c\\22\\3c\\3e\\3b"},
	    {"ldapserver=a ldapprefix=uid=", " a b ", "uid=\\20a b\\20"},
	    {"ldapserver=a ldapprefix=uid=", "#a#", "uid=\\23a#"},
	    {"ldapserver=a ldapprefix=uid=", "a\nb", "uid=a\\0ab"},
	    {"ldapserver=a ldapprefix=DOMAIN\\", "app", "DOMAIN\\app"},
	    {"ldapserver=a ldapsuffix=@example.net", "first.last+tag", "first.last+tag@example.net"},
	    {"ldapserver=a ldapsuffix=@example.net", "cn=admin,dc=x", NULL},
	    {"ldapserver=a ldapprefix=DOMAIN\\", "OTHER\\app", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ldap_options *o = options(cases[i].options);
		struct str out;

		str_init(&out, 1000);
		assert_int_equal(ldap_simple_name(o, cases[i].user, &out), cases[i].name != NULL);
		if (cases[i].name != NULL)
			assert_string_equal(str_text(&out), cases[i].name);
		str_fini(&out);
		shared_unref(&o->shared);
	}
}

static void servers_become_urls(void **state)
{
	static const struct {
		const char *options, *uris;
	} cases[] = {
	    {"ldapserver=a ldapprefix=b", "ldap://a:389"},
	    {"ldapserver=\" a  b \" ldapport=7 ldapprefix=b", "ldap://a:7 ldap://b:7"},
	    {"ldapserver=a ldapscheme=ldaps ldapprefix=b", "ldaps://a:636"},
	    {"ldapserver=\"::1 [::2]\" ldapprefix=b", "ldap://[::1]:389 ldap://[::2]:389"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ldap_options *o = options(cases[i].options);
		struct str out;

		str_init(&out, 1000);
		ldap_uris(o, &out);
		assert_string_equal(str_text(&out), cases[i].uris);
		str_fini(&out);
		shared_unref(&o->shared);
	}
}

static void nobody_there_is_no_answer(void **state)
{
	/* port 1 of loopback: nothing listens below 1024 unless a service was installed for it */
	struct ldap_options *o = options("ldapserver=127.0.0.1 ldapport=1 ldapprefix=uid=");
	struct ask *a = ask_new(ASK_LDAP, "app", "pencil", 6, "[local]", o);
	char why[ASK_WHY_BYTES];

	(void)state;
	assert_non_null(a);
	ldap_ask(a);
	assert_int_equal(a->answer, ASK_NO_ANSWER);
	assert_string_not_equal(a->why, "");
	assert_null(strstr(a->why, "pencil"));
	assert_false(ldap_try(o, why, sizeof(why)));
	assert_string_not_equal(why, "");
	ask_free(a);
	shared_unref(&o->shared);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(names_in_filters_are_escaped),
	    cmocka_unit_test(names_in_distinguished_names_are_escaped),
	    cmocka_unit_test(servers_become_urls),
	    cmocka_unit_test(nobody_there_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
