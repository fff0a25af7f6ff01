/* Tests of src/auth/hba.c: which lines are accepted, and which one a client meets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "auth/hba.h"
#include "conf_files.h"

static struct hba *load(const char *text, struct conf_error *why)
{
	struct fake_file files[] = {{"h", text, 0},
	                            {"i", "m root app\n", 0},
	                            {"names", "one two\n\"all\"\n", 0},
	                            {"more", "host other all all reject\n", 0},
	                            {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};

	memset(why, 0, sizeof(*why));
	return hba_load(&source, "h", "i", NULL, why);
}

static struct hba *loaded(const char *text)
{
	struct conf_error why;
	struct hba *h = load(text, &why);

	if (h == NULL)
		fail_msg("%s: %s", text, why.text);
	return h;
}

static struct peer peer(const char *text)
{
	struct address a;

	memset(&a, 0, sizeof(a));
	assert_true(address_from_text(&a, strcmp(text, "unix") == 0 ? "/tmp/s" : text, 5432));
	return peer_of_address(&a);
}

/* 127.0.0.1 is this machine, 127.x.x.x its network. */
static bool is_near(const struct peer *p, bool networks)
{
	return p->family == 4 && p->bytes[0] == 127 && (networks || p->bytes[3] == 1);
}

/* A client of one case. */
struct client_case {
	const char *rules;
	const char *from; /* an address, or "unix" */
	const char *database, *user;
	bool tls, replicates;
	unsigned line; /* that decides; 0: none does */
};

static void check_case(const struct client_case *one)
{
	struct hba *h = loaded(one->rules);
	struct peer from = peer(one->from);
	struct hba_client c = {one->database, one->user, &from, one->tls, one->replicates, is_near};
	const struct hba_rule *rule = NULL;
	enum hba_result result = hba_find(h, &c, &rule);

	assert_int_equal(result, one->line == 0 ? HBA_NONE : HBA_FOUND);
	if (one->line != 0 && rule->line != one->line)
		fail_msg("%s\nfor %s %s %s: line %u", one->rules, one->from, one->database, one->user, rule->line);
	shared_unref(hba_shared(h));
}

static void the_first_line_that_matches_decides(void **state)
{
	static const char two[] = "host app all all reject\nhost all all all trust\n";
	static const char types[] = "local all all trust\nhostssl all all all trust\nhostnossl all all all md5\n";
	static const char names[] = "host a,\"b c\",@names all all trust\nhost all u,\"all\" all trust\n";
	static const char nets[] = "host all all 10.0.0.0/8 trust\nhost all all 192.168.1.0 255.255.255.0 trust\n"
	                           "host all all fe80::/10 trust\nhost all all ::1/128 trust\n"
	                           "host all all 0.0.0.0/0 reject\n";
	static const char odd[] = "host all all 10.0.0.4/30 trust\nhost all all 0.0.0.0/0 md5\nhost all all ::/0 md5\n";
	static const char words[] = "host sameuser all all trust\nhost replication all all trust\n"
	                            "host \"replication\" all all trust\nhost \"sameuser\" all all trust\n";
	static const char nearby[] = "host all all samehost trust\nhost all all samenet trust\n";
	static const char users[] = "host all sameuser,replication all trust\n";
	static const struct client_case cases[] = {
	    {"", "10.0.0.1", "app", "ann", false, false, 0},
	    {two, "10.0.0.1", "app", "ann", false, false, 1},
	    {two, "10.0.0.1", "App", "ann", false, false, 2},
	    {two, "unix", "app", "ann", false, false, 0},
	    {"include more\nhost all all all trust\n", "10.0.0.1", "other", "ann", false, false, 1},
	    {types, "unix", "app", "ann", false, false, 1},
	    {types, "10.0.0.1", "app", "ann", true, false, 2},
	    {types, "10.0.0.1", "app", "ann", false, false, 3},
	    {names, "10.0.0.1", "a", "ann", false, false, 1},
	    {names, "10.0.0.1", "b c", "ann", false, false, 1},
	    {names, "10.0.0.1", "two", "ann", false, false, 1},
	    {names, "10.0.0.1", "all", "ann", false, false, 1}, /* quoted in the file: a name */
	    {names, "10.0.0.1", "b", "ann", false, false, 0},
	    {names, "10.0.0.1", "b", "u", false, false, 2},
	    {names, "10.0.0.1", "b", "all", false, false, 2},
	    {nets, "10.255.255.255", "app", "ann", false, false, 1},
	    {nets, "11.0.0.0", "app", "ann", false, false, 5},
	    {nets, "192.168.1.255", "app", "ann", false, false, 2},
	    {nets, "192.168.2.0", "app", "ann", false, false, 5},
	    {nets, "febf::1", "app", "ann", false, false, 3},
	    {nets, "fec0::1", "app", "ann", false, false, 0},
	    {nets, "::1", "app", "ann", false, false, 4},
	    {nets, "::ffff:10.1.2.3", "app", "ann", false, false, 1}, /* of a socket that takes both */
	    {odd, "10.0.0.7", "app", "ann", false, false, 1},
	    {odd, "10.0.0.8", "app", "ann", false, false, 2},
	    {odd, "2001:db8::1", "app", "ann", false, false, 3},
	    {words, "10.0.0.1", "ann", "ann", false, false, 1},
	    {words, "10.0.0.1", "replication", "ann", false, false, 3},
	    {words, "10.0.0.1", "app", "ann", false, true, 2},
	    {words, "10.0.0.1", "sameuser", "ann", false, false, 4},
	    {words, "10.0.0.1", "ann", "ann", false, true, 2},
	    {"host all all all trust\n", "10.0.0.1", "app", "ann", false, true, 0},
	    {nearby, "127.0.0.1", "app", "ann", false, false, 1},
	    {nearby, "127.0.0.2", "app", "ann", false, false, 2},
	    {nearby, "10.0.0.1", "app", "ann", false, false, 0},
	    {users, "10.0.0.1", "ann", "ann", false, false, 0},
	    {users, "10.0.0.1", "app", "replication", false, false, 1},
	    {users, "10.0.0.1", "app", "sameuser", false, false, 1},
#ifdef HAVE_PCRE2
	    {"host /^app_\\d+$ /^a,\\\n\"x y\" all trust\n", "10.0.0.1", "app_1", "x y", false, false, 1},
	    {"host \"/^(app|web),x$\" all all trust\n", "10.0.0.1", "web,x", "ann", false, false, 1},
	    {"host /^app_\\d+$ all all trust\n", "10.0.0.1", "app_", "ann", false, false, 0},
	    {"host /. all all trust\n", "10.0.0.1", "app", "ann", false, true, 0},
	    {"host app /^ann all trust\n", "10.0.0.1", "app", "anna", false, false, 1},
#endif
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_case(&cases[i]);
}

static void names_that_are_too_long_match_nothing(void **state)
{
	struct hba *h = loaded("host all all all trust\n");
	struct peer from = peer("10.0.0.1");
	const struct hba_rule *rule;
	char longest[HBA_MAX_NAME_BYTES + 1], beyond[HBA_MAX_NAME_BYTES + 2];
	struct hba_client c = {longest, "ann", &from, false, false, is_near};

	(void)state;
	memset(longest, 'a', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memset(beyond, 'a', sizeof(beyond) - 1);
	beyond[sizeof(beyond) - 1] = '\0';
	assert_int_equal(hba_find(h, &c, &rule), HBA_FOUND);
	c.database = beyond;
	assert_int_equal(hba_find(h, &c, &rule), HBA_NONE);
	c.database = "app";
	c.user = beyond;
	assert_int_equal(hba_find(h, &c, &rule), HBA_NONE);
	shared_unref(hba_shared(h));
}

#ifdef HAVE_PCRE2
static void a_rule_that_cannot_be_judged_lets_nobody_past(void **state)
{
	struct hba *h = loaded("host all \"/^(a+)+$\" 10.0.0.0/8 reject\nhost all all all trust\n");
	struct peer from = peer("10.0.0.1"), elsewhere = peer("11.0.0.1");
	const struct hba_rule *rule = NULL;
	struct hba_client c = {"app", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab", &from, false, false, is_near};

	(void)state;
	assert_int_equal(hba_find(h, &c, &rule), HBA_FAILED);
	assert_int_equal(rule->line, 1);
	c.peer = &elsewhere;
	assert_int_equal(hba_find(h, &c, &rule), HBA_FOUND);
	assert_int_equal(rule->line, 2);
	shared_unref(hba_shared(h));
}
#endif

static void methods_and_options_are_kept(void **state)
{
	struct hba *h =
	    loaded("host all all all trust\nhost all all all reject\nhost all all all md5\n"
	           "host all all all password\nhost all all all scram-sha-256\n"
	           "hostssl all all all cert map=m\nlocal all all peer \"map=m\"\nlocal all all \"peer\"\n");
	static const enum hba_method methods[] = {HBA_TRUST, HBA_REJECT, HBA_MD5,  HBA_PASSWORD,
	                                          HBA_SCRAM, HBA_CERT,   HBA_PEER, HBA_PEER};
	unsigned n = 0;

	(void)state;
	for (; hba_rule_at(h, n) != NULL; n++)
		assert_int_equal(hba_rule_at(h, n)->method, methods[n]);
	assert_int_equal(n, sizeof(methods) / sizeof(methods[0]));
	assert_null(hba_rule_at(h, 0)->map);
	assert_string_equal(hba_rule_at(h, 5)->map_name, "m");
	assert_int_equal(ident_check(hba_rule_at(h, 6)->map, "root", "app"), IDENT_FITS);
	assert_string_equal(hba_type_name(hba_rule_at(h, 5)->type), "hostssl");
	assert_string_equal(hba_method_name(HBA_SCRAM), "scram-sha-256");
	shared_unref(hba_shared(h));
}

/* Each is wrong; text and place say how. */
static void lines_that_are_not_right_refuse_the_file(void **state)
{
	static const struct {
		const char *line, *words;
	} cases[] = {
	    {"hostgssenc all all all trust", "unknown type \"hostgssenc\", in \"hostgssenc\""},
	    {"HOST all all all trust", "unknown type \"HOST\""},
	    {"host,local all all all trust", "there may be only one type"},
	    {"host", "the database is missing, in \"host\""},
	    {"host all", "the user is missing, in \"host all\""},
	    {"host all all", "the address is missing, in \"host all all\""},
	    {"host all all all", "the method is missing, in \"host all all all\""},
	    {"host all# all all trust", "the user is missing, in \"host all\""},
	    {"local all all", "the method is missing"},
	    {"local all all 127.0.0.1/32 trust", "unknown method \"127.0.0.1/32\""},
	    {"host all all trust", "\"trust\" is no address"},
	    {"host all all localhost trust", "\"localhost\" is no address"},
	    {"host all all .example.net trust", "\".example.net\" is no address"},
	    {"host all all \"all\" trust", "\"all\" is no address"},
	    {"host all all \"samenet\" trust", "\"samenet\" is no address"},
	    {"host all all all,all trust", "there may be only one address"},
	    {"host all all /8 trust", "\"/8\" is no address"},
	    {"host all all @x/8 trust", "\"@x/8\" is no address"},
	    {"host all all 10/8 trust", "\"10/8\" is no address"},
	    {"host all all 10.0.0.0/ trust", "\"\" is no length of a mask"},
	    {"host all all 10.0.0.0/33 trust", "\"33\" is no length of a mask"},
	    {"host all all 10.0.0.0/+8 trust", "\"+8\" is no length of a mask"},
	    {"host all all 10.0.0.0/8x trust", "\"8x\" is no length of a mask"},
	    {"host all all ::/129 trust", "\"129\" is no length of a mask"},
	    {"host all all 10.0.0.0/4294967304 trust", "is no length of a mask"},
	    {"host all all 10.0.0.0 trust", "\"trust\" is no mask for that address"},
	    {"host all all 10.0.0.0 8 trust", "\"8\" is no mask for that address"},
	    {"host all all 10.0.0.0 ffff:: trust", "\"ffff::\" is no mask for that address"},
	    {"host all all 10.0.0.0", "the mask of the address is missing"},
	    {"host all all 10.0.0.1/8 trust", "the address has bits outside its mask"},
	    {"host all all 10.0.0.1 255.0.0.0 trust", "the address has bits outside its mask"},
	    {"host all all ::1/127 trust", "the address has bits outside its mask"},
	    {"host samerole all all trust", "samerole is not supported"},
	    {"host app,samegroup all all trust", "samegroup is not supported"},
	    {"host all +app all trust", "+app is not supported"},
	    {"host all /( all trust", "invalid regular expression \"(\": "},
	    {"host all @none all trust", "could not open file \"none\""},
	    {"host all all all MD5", "unknown method \"MD5\""},
	    {"host all all all any", "unknown method \"any\""},
	    {"host all all all gss", "unknown method \"gss\""},
	    {"host all all all trust,md5", "there may be only one method"},
	    {"host all all all trust x", "unknown option \"x\""},
	    {"host all all all trust ldapbindpasswd=hidden", "unknown option \"ldapbindpasswd\""},
	    {"host all all all cert map=none", "there is no map \"none\""},
	    {"host all all all cert map=", "there is no map \"\""},
	    {"host all all all cert map=m map=m", "there may be only one map"},
	    {"host all all all cert map=m,map=m", "options have blanks between them, no commas"},
	    {"host all all all trust \"", "a quote is not closed"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;
		char text[200];

		snprintf(text, sizeof(text), "# one\nhost all all all trust\n%s\nhost all all all md5\n",
		         cases[i].line);
		assert_null(load(text, &why));
		if (strstr(why.text, cases[i].words) == NULL || strstr(why.text, "broken hba file (h:3): ") == NULL)
			fail_msg("%s: %s", cases[i].line, why.text);
		assert_int_equal(why.line, 3);
	}
}

static void a_password_in_a_broken_line_is_not_shown(void **state)
{
	static const char *const lines[] = {
	    "host all all 10.0.0.1 ldap ldapserver=x ldapbindpasswd=hidden", "host all all ldap ldapbindpasswd=hidden",
	    "hist all all all ldap ldapbindpasswd=hidden", "host all all all trust ldapbindpasswd=hidden",
	    "host all all \"all ldap ldapbindpasswd=hidden"};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct conf_error why;

		assert_null(load(lines[i], &why));
		assert_null(strstr(why.text, "hidden"));
		assert_null(strstr(why.hint, "hidden"));
	}
}

#ifdef HAVE_LDAP
static void the_rest_of_an_ldap_line_is_read_by_its_own_grammar(void **state)
{
	struct hba *h = loaded("host all all all ldap\n"
	                       "host all all all ldap ldapserver=\"a b\", ldapprefix=\"cn=\" # comment\n");
	struct conf_error why;

	(void)state;
	assert_null(hba_rule_at(h, 0)->ldap);
	assert_string_equal(hba_rule_at(h, 1)->ldap->servers, "a b");
	assert_string_equal(hba_rule_at(h, 1)->ldap->prefix, "cn=");
	shared_unref(hba_shared(h));
	assert_null(load("host all all all trust\nhost all all all ldap ldapservers=x\n", &why));
	assert_non_null(strstr(why.text, "(h:2)"));
	assert_int_equal(why.line, 2);
}
#endif

static void maps_must_be_readable(void **state)
{
	struct fake_file files[] = {{"h", "host all all all trust\n", 0}, {"broken", "m\n", 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;
	struct hba *h;

	(void)state;
	assert_null(hba_load(&source, "h", "none", NULL, &why));
	assert_string_equal(why.text, "could not open ident config file none: No such file or directory");
	assert_null(hba_load(&source, "h", "broken", NULL, &why));
	assert_string_equal(why.text, "broken ident file (broken:1): the system user is missing, in \"m\"");
	assert_null(hba_load(&source, "none", "", NULL, &why));
	assert_string_equal(why.text, "could not open hba config file none: No such file or directory");
	h = hba_load(&source, "h", NULL, NULL, &why);
	assert_non_null(h);
	assert_ptr_equal(hba_of(hba_shared(h)), h);
	shared_unref(hba_shared(h));
}

static void a_wider_line_covers_a_narrower_one(void **state)
{
	static const struct {
		const char *earlier, *later;
		bool covers;
	} cases[] = {
	    {"host all all all trust", "host app ann 10.0.0.0/8 md5", true},
	    {"host all all all trust", "hostssl app ann all md5", true},
	    {"host all all all trust", "local app ann md5", false},
	    {"host all all all trust", "host replication all all md5", false},
	    {"host replication all all trust", "host replication ann all md5", true},
	    {"hostssl all all all trust", "host all all all md5", false},
	    {"hostssl all all all trust", "hostnossl all all all md5", false},
	    {"hostssl all all all trust", "hostssl all all all md5", true},
	    {"local all all trust", "local all ann md5", true},
	    {"local all ann trust", "local all all md5", false},
	    {"host a,b all all trust", "host b all all md5", true},
	    {"host a,b all all trust", "host b,c all all md5", false},
	    {"host \"all\" all all trust", "host app all all md5", false},
	    {"host sameuser all all trust", "host sameuser all all md5", true},
	    {"host sameuser all all trust", "host app app all md5", false},
	    {"host all all 10.0.0.0/8 trust", "host all all 10.1.0.0/16 md5", true},
	    {"host all all 10.1.0.0/16 trust", "host all all 10.0.0.0/8 md5", false},
	    {"host all all 10.1.0.0/16 trust", "host all all 10.2.0.0/16 md5", false},
	    {"host all all 0.0.0.0/0 trust", "host all all 10.0.0.0/8 md5", true},
	    {"host all all 0.0.0.0/0 trust", "host all all ::1/128 md5", false},
	    {"host all all 0.0.0.0/0 trust", "host all all all md5", false},
	    {"host all all ::/0 trust", "host all all ::1/128 md5", true},
	    {"host all all samenet trust", "host all all samehost md5", true},
	    {"host all all samehost trust", "host all all samenet md5", false},
	    {"host all all samenet trust", "host all all 127.0.0.1/32 md5", false},
#ifdef HAVE_PCRE2
	    {"host /^a all all trust", "host abc all all md5", true},
	    {"host /^a all all trust", "host bc all all md5", false},
	    {"host /^a all all trust", "host /^a all all md5", true},
	    {"host /^a all all trust", "host /^ab all all md5", false},
	    {"host all all all trust", "host /^ab /x all md5", true},
#endif
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200];
		struct hba *h;

		snprintf(text, sizeof(text), "%s\n%s\n", cases[i].earlier, cases[i].later);
		h = loaded(text);
		if (hba_covers(hba_rule_at(h, 0), hba_rule_at(h, 1)) != cases[i].covers)
			fail_msg("%s", text);
		shared_unref(hba_shared(h));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_line_that_matches_decides),
	    cmocka_unit_test(names_that_are_too_long_match_nothing),
#ifdef HAVE_PCRE2
	    cmocka_unit_test(a_rule_that_cannot_be_judged_lets_nobody_past),
#endif
	    cmocka_unit_test(methods_and_options_are_kept),
	    cmocka_unit_test(lines_that_are_not_right_refuse_the_file),
	    cmocka_unit_test(a_password_in_a_broken_line_is_not_shown),
#ifdef HAVE_LDAP
	    cmocka_unit_test(the_rest_of_an_ldap_line_is_read_by_its_own_grammar),
#endif
	    cmocka_unit_test(maps_must_be_readable),
	    cmocka_unit_test(a_wider_line_covers_a_narrower_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
