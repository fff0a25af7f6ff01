/* Option strings for LDAP: what is read, what is refused and how that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "conf/ldap_options.h"
#include "failing_mem.h"

static struct ldap_options *read_good(const char *text)
{
	struct conf_error why;
	struct ldap_options *o = ldap_options_parse(text, "a.ini", 7, &why);

	if (o == NULL)
		fail_msg("%s: %s", text, why.text);
	return o;
}

static void same(const char *is, const char *expected)
{
	if (expected == NULL)
		assert_null(is);
	else
		assert_string_equal(is, expected);
}

static void values_are_read_with_and_without_quotes(void **state)
{
	static const struct {
		const char *text;
		const char *servers, *prefix, *suffix;
	} cases[] = {
	    {"ldapserver=a ldapprefix=uid=", "a", "uid=", NULL},
	    {" \t ldapserver=a,,ldapprefix=b  ", "a", "b", NULL},
	    {"ldapserver=\"a b\" ldapsuffix=\", ou=x, dc=y\"", "a b", NULL, ", ou=x, dc=y"},
	    {"\"ldapserver=a b\",\"ldapsuffix=,dc=y\"", "a b", NULL, ",dc=y"},
	    {"ldapserver=a ldapprefix=\"say \"\"x\"\"\"", "a", "say \"x\"", NULL},
	    {"ldapserver=a ldapprefix=x\"y z\"w", "a", "xy zw", NULL},
	    {"ldapserver=first ldapserver=last ldapprefix=b", "last", "b", NULL},
	    {"ldapserver=a ldapprefix=\"\" ldapsuffix=@example.net", "a", "", "@example.net"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ldap_options *o = read_good(cases[i].text);

		same(o->servers, cases[i].servers);
		same(o->prefix, cases[i].prefix);
		same(o->suffix, cases[i].suffix);
		assert_null(o->base_dn);
		assert_int_equal(o->port, 0);
		assert_false(o->ldaps || o->start_tls);
		shared_unref(&o->shared);
	}
	assert_int_equal(mem_blocks, 0);
}

static void all_options_have_their_place(void **state)
{
	struct ldap_options *o =
	    read_good("ldapserver=a ldapport=3890 ldaptls=1 ldapbasedn=b ldapbinddn=c ldapbindpasswd=d "
	              "ldapsearchattribute=e ldapscheme=ldap");

	(void)state;
	assert_int_equal(o->port, 3890);
	assert_true(o->start_tls);
	same(o->base_dn, "b");
	same(o->bind_dn, "c");
	same(o->bind_password, "d");
	same(o->search_attribute, "e");
	assert_null(o->search_filter);
	assert_int_equal(o->scope, LDAP_OPTION_SCOPE_SUBTREE);
	shared_unref(&o->shared);
	o = read_good("ldapserver=a ldapscheme=ldaps ldapbasedn=b ldapsearchfilter=(uid=$username)");
	assert_true(o->ldaps);
	same(o->search_filter, "(uid=$username)");
	shared_unref(&o->shared);
}

#ifdef HAVE_LDAP
static void urls_say_the_same_in_one_word(void **state)
{
	static const struct {
		const char *text, *server;
		int port;
		bool ldaps;
		const char *base, *attribute, *filter;
		enum ldap_scope scope;
	} cases[] = {
	    {"ldapurl=ldap://h/dc=x", "h", 389, false, "dc=x", NULL, NULL, LDAP_OPTION_SCOPE_BASE},
	    {"\"ldapurl=ldaps://h:7/dc=x,dc=y?mail?sub\"", "h", 7, true, "dc=x,dc=y", "mail", NULL,
	     LDAP_OPTION_SCOPE_SUBTREE},
	    {"ldapurl=\"ldap://h/dc=x,dc=y??one?(cn=$username)\"", "h", 389, false, "dc=x,dc=y", NULL, "(cn=$username)",
	     LDAP_OPTION_SCOPE_ONE},
	    {"ldapserver=\"g h\" ldapurl=ldap:///dc=x", "g h", 389, false, "dc=x", NULL, NULL, LDAP_OPTION_SCOPE_BASE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct ldap_options *o = read_good(cases[i].text);

		same(o->servers, cases[i].server);
		assert_int_equal(o->port, cases[i].port);
		assert_int_equal(o->ldaps, cases[i].ldaps);
		same(o->base_dn, cases[i].base);
		same(o->search_attribute, cases[i].attribute);
		same(o->search_filter, cases[i].filter);
		assert_int_equal(o->scope, cases[i].scope);
		shared_unref(&o->shared);
	}
}
#endif

static void refusals_name_place_and_remedy(void **state)
{
	static const struct {
		const char *text, *why, *hint;
	} cases[] = {
	    {"", "the LDAP options name no server: ldapserver or ldapurl is needed", ""},
	    {"ldapprefix=a", "the LDAP options name no server: ldapserver or ldapurl is needed", ""},
	    {"ldapserver=a", "the LDAP options need ldapbasedn, ldapprefix, or ldapsuffix", ""},
	    {"ldapserver=a ldapprefix=b ldapbasedn=c",
	     "cannot use ldapbasedn, ldapbinddn, ldapbindpasswd, ldapsearchattribute, ldapsearchfilter, or ldapurl "
	     "together "
	     "with ldapprefix or ldapsuffix",
	     ""},
	    {"ldapserver=a ldapbasedn=b ldapsearchattribute=c ldapsearchfilter=d",
	     "cannot use ldapsearchattribute together with ldapsearchfilter", ""},
	    {"ldapserver=a ldapprefix=b ldaptls=1 ldapscheme=ldaps",
	     "cannot use ldaptls together with ldapscheme = ldaps: that is encrypted already", ""},
	    {"ldapserver=a ldapbasedn=b ldapbindpasswd=c", "ldapbindpasswd is of no use without ldapbinddn", ""},
	    {"ldapport=0",
	     "invalid value \"0\" for LDAP option ldapport in configuration (a.ini:7): must be a port: a whole "
	     "number from 1 to 65535",
	     NULL},
	    {"ldapscheme=http",
	     "invalid value \"http\" for LDAP option ldapscheme in configuration (a.ini:7): must be ldap or ldaps",
	     NULL},
	    {"ldaptls=yes", "invalid value \"yes\" for LDAP option ldaptls in configuration (a.ini:7): must be 0 or 1",
	     NULL},
	    {"ldapsuffx=a", "there is no LDAP option \"ldapsuffx\"", "Perhaps \"ldapsuffix\" is meant."},
	    {"ldapserver=a ldapprefix=\"b", "a double quote is not closed in the LDAP options", ""},
	    {"ldapserver=a ldapsuffix=,dc=y", "there is no LDAP option \"dc\"",
	     "A value with blanks or commas needs double quotes around it: ldapsuffix=\", dc=example, dc=net\"."},
	    {"ldapserver=a ldapbindpasswd=two words", "word 3 of the LDAP options has no \"=\"",
	     "A value with blanks or commas needs double quotes around it: ldapsuffix=\", dc=example, dc=net\"."},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;
		char expected[400];

		assert_null(ldap_options_parse(cases[i].text, "a.ini", 7, &why));
		snprintf(expected, sizeof(expected), "%s%s", cases[i].why,
		         cases[i].hint == NULL ? "" : " in configuration (a.ini:7)");
		assert_string_equal(why.text, expected);
		assert_string_equal(why.hint, cases[i].hint == NULL ? "" : cases[i].hint);
		assert_int_equal(why.line, 7);
	}
	assert_int_equal(mem_blocks, 0);
}

static void password_is_not_shown_however_it_is_written(void **state)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
	    {"ldapserver=a ldapbindpasswd=secret ldapport=1", "ldapserver=a ldapbindpasswd=**** ldapport=1"},
	    {"ldapbindpasswd=\"s e c, r\"\"et\",ldapserver=a", "ldapbindpasswd=****,ldapserver=a"},
	    {"\"ldapbindpasswd=secret\" ldapserver=\"a b\"", "ldapbindpasswd=**** ldapserver=\"a b\""},
	    {"ldapbind\"passwd=secr\"et", "ldapbindpasswd=****"},
	    {"ldapserver=a", "ldapserver=a"},
	    {"", ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str out;

		str_init(&out, 1000);
		ldap_options_show(cases[i].text, &out);
		assert_string_equal(str_text(&out), cases[i].shown);
		str_fini(&out);
	}
}

static void every_failing_allocation_is_said_and_leaks_nothing(void **state)
{
	struct ldap_options *o = NULL;

	(void)state;
	for (size_t n = 1; o == NULL; n++) {
		struct conf_error why;

		assert_true(n < 100);
		mem_until_failure = n;
		o = ldap_options_parse("ldapserver=a ldapbasedn=b ldapbinddn=c ldapbindpasswd=d", "a.ini", 7, &why);
		mem_until_failure = 0;
		if (o == NULL) {
			assert_non_null(strstr(why.text, "memory"));
			assert_int_equal(mem_blocks, 0);
		}
	}
	shared_unref(&o->shared);
	assert_int_equal(mem_blocks, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(values_are_read_with_and_without_quotes),
	    cmocka_unit_test(all_options_have_their_place),
#ifdef HAVE_LDAP
	    cmocka_unit_test(urls_say_the_same_in_one_word),
#endif
	    cmocka_unit_test(refusals_name_place_and_remedy),
	    cmocka_unit_test(password_is_not_shown_however_it_is_written),
	    cmocka_unit_test(every_failing_allocation_is_said_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
