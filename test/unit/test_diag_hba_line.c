/* Lines for pg_hba.conf, ready to paste. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "diag/hba_line.h"

#define NO_ENTRY(host) "no pg_hba.conf entry for host \"" host "\", user \"app\", database \"shop\""
#define REJECTS(host) "pg_hba.conf rejects connection for host \"" host "\", user \"app\", database \"shop\""

/* NULL as a line: none can be written. */
struct line_case {
	struct hba_subject subject;
	const char *message, *line, *network;
	enum hba_line_result result;
};

static void check_line(const struct line_case *c)
{
	struct hba_subject s = c->subject;
	struct str out;

	if (c->message != NULL)
		s.message = (struct bytes){c->message, strlen(c->message)};
	str_init(&out, 1000);
	str_add_str(&out, "> ");
	assert_int_equal(hba_line_write(&s, &out), c->result);
	assert_string_equal(str_text(&out) + 2, c->line == NULL ? "" : c->line);
	str_clear(&out);
	assert_int_equal(hba_line_write_network(&s, &out) == HBA_LINE_WRITTEN, c->network != NULL);
	assert_string_equal(str_text(&out), c->network == NULL ? "" : c->network);
	str_fini(&out);
}

static void the_address_is_the_one_that_the_server_saw(void **state)
{
	static const struct line_case cases[] = {
	    {{.database = "shop", .user = "app"},
	     NO_ENTRY("172.18.0.3") ", no encryption",
	     "host    shop    app    172.18.0.3/32    scram-sha-256",
	     "host    shop    app    172.18.0.0/16    scram-sha-256",
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app", .source_address = "172.18.0.3"},
	     NO_ENTRY("8.8.8.8"),
	     "host    shop    app    8.8.8.8/32    scram-sha-256",
	     NULL,
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app"},
	     NO_ENTRY("172.32.0.1"),
	     "host    shop    app    172.32.0.1/32    scram-sha-256",
	     NULL,
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app"},
	     NO_ENTRY("fe80::1%eth0"),
	     "host    shop    app    fe80::1/128    scram-sha-256",
	     NULL,
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app"},
	     NO_ENTRY("2001:db8::7"),
	     "host    shop    app    2001:db8::7/128    scram-sha-256",
	     NULL,
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app"},
	     NO_ENTRY("[local]"),
	     "local    shop    app    scram-sha-256",
	     NULL,
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app", .source_address = "10.1.2.3"},
	     NULL,
	     "host    shop    app    10.1.2.3/32    scram-sha-256",
	     "host    shop    app    10.1.0.0/16    scram-sha-256",
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app", .source_address = "10.1.2.3", .is_unix = true},
	     NULL,
	     "local    shop    app    scram-sha-256",
	     NULL,
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app", .source_address = "192.168.7.8"},
	     "kein Eintrag",
	     "host    shop    app    192.168.7.8/32    scram-sha-256",
	     "host    shop    app    192.168.0.0/16    scram-sha-256",
	     HBA_LINE_WRITTEN},
	    {{.database = "shop", .user = "app"}, NULL, NULL, NULL, HBA_LINE_NOT_KNOWN},
	    {{.user = "app", .source_address = "10.1.2.3"}, NULL, NULL, NULL, HBA_LINE_NOT_KNOWN},
	    {{.database = "shop", .source_address = "10.1.2.3"}, NULL, NULL, NULL, HBA_LINE_NOT_KNOWN},
	    /* nothing that a server says gets into the line but an address */
	    {{.database = "shop", .user = "app"}, NO_ENTRY("10.1.2.3 trust\nhost all"), NULL, NULL, HBA_LINE_NOT_KNOWN},
	    {{.database = "shop", .user = "app"}, NO_ENTRY("all"), NULL, NULL, HBA_LINE_NOT_KNOWN},
	    {{.database = "shop", .user = "app"}, NO_ENTRY("dead"), NULL, NULL, HBA_LINE_NOT_KNOWN},
	    {{.database = "shop", .user = "app"}, NO_ENTRY("0"), NULL, NULL, HBA_LINE_NOT_KNOWN},
	    {{.database = "shop", .user = "app"}, "for host \"10.1.2.3", NULL, NULL, HBA_LINE_NOT_KNOWN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_line(&cases[i]);
}

static void the_type_is_that_of_the_connection(void **state)
{
	static const struct {
		const char *message;
		bool encrypted;
		const char *type;
	} cases[] = {
	    {NO_ENTRY("1.2.3.4"), false, "host"},
	    {NO_ENTRY("1.2.3.4"), true, "hostssl"},
	    {NO_ENTRY("1.2.3.4") ", SSL encryption", false, "hostssl"},
	    {NO_ENTRY("1.2.3.4") ", SSL on", false, "hostssl"},
	    {NO_ENTRY("1.2.3.4") ", no encryption", true, "host"},
	    {NO_ENTRY("1.2.3.4") ", SSL off", true, "host"},
	    {NO_ENTRY("1.2.3.4") ", GSS encryption", true, "host"},
	    {REJECTS("1.2.3.4") ", SSL encryption", false, "hostssl"},
	    {REJECTS("1.2.3.4") ", no encryption", false, "host"},
	    /* a user of that name does not matter */
	    {"no pg_hba.conf entry for host \"1.2.3.4\", user \", SSL on\", database \"shop\"", false, "host"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct line_case c = {.subject = {.database = "shop", .user = "app", .encrypted = cases[i].encrypted},
		                      .message = cases[i].message,
		                      .result = HBA_LINE_WRITTEN};
		char line[100];

		snprintf(line, sizeof(line), "%s    shop    app    1.2.3.4/32    scram-sha-256", cases[i].type);
		c.line = line;
		check_line(&c);
	}
}

static void replication_has_its_own_word(void **state)
{
	static const char *const messages[] = {
	    "no pg_hba.conf entry for replication connection from host \"10.1.2.3\", user \"app\", no encryption",
	    "pg_hba.conf rejects replication connection for host \"10.1.2.3\", user \"app\", no encryption",
	};
	/* the words come from a user's name */
	static const struct line_case fooled = {
	    {.database = "shop", .user = "app"},
	    "no pg_hba.conf entry for host \"8.8.8.8\", user \"replication connection from host\"",
	    "host    shop    app    8.8.8.8/32    scram-sha-256",
	    NULL,
	    HBA_LINE_WRITTEN};

	(void)state;
	for (size_t i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		/* the database does not matter then */
		struct line_case c = {{.database = "/shop", .user = "app"},
		                      messages[i],
		                      "host    replication    app    10.1.2.3/32    scram-sha-256",
		                      "host    replication    app    10.1.0.0/16    scram-sha-256",
		                      HBA_LINE_WRITTEN};

		check_line(&c);
	}
	check_line(&fooled);
}

static void names_are_quoted_where_they_would_mean_something_else(void **state)
{
	static const struct {
		const char *database, *user, *written; /* NULL: no line */
	} cases[] = {
	    {"all", "replication", "\"all\"    \"replication\""},
	    {"sameuser", "samerole", "\"sameuser\"    \"samerole\""},
	    {"samegroup", "all", "\"samegroup\"    \"all\""},
	    {"My Shop", "a\"b,c", "\"My Shop\"    \"a\"\"b,c\""},
	    {"+x", "@y", "\"+x\"    \"@y\""},
	    {"x#y", "", "\"x#y\"    \"\""},
	    {"größe", "x\\", "\"größe\"    \"x\\\""},
	    {"shop", "/app", NULL},
	    {"/^.*$", "app", NULL},
	    {"shop\nhost all all all trust", "app", NULL},
	    {"shop", "app\r", NULL},
	    {"shop", "a\033[2Jb", NULL},
	    {"\xE9t\xE9", "app", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct line_case c = {
		    .subject = {.database = cases[i].database, .user = cases[i].user, .source_address = "8.8.4.4"},
		    .result = cases[i].written == NULL ? HBA_LINE_NO_SUCH_NAMES : HBA_LINE_WRITTEN};
		char line[200];

		snprintf(line, sizeof(line), "host    %s    8.8.4.4/32    scram-sha-256",
		         cases[i].written == NULL ? "" : cases[i].written);
		c.line = cases[i].written == NULL ? NULL : line;
		check_line(&c);
	}
}

static void md5_is_offered_only_where_nothing_else_can_work(void **state)
{
	static const struct line_case md5 = {
	    {.database = "shop", .user = "app", .source_address = "10.0.0.1", .only_md5 = true},
	    NULL,
	    "host    shop    app    10.0.0.1/32    md5",
	    "host    shop    app    10.0.0.0/16    md5",
	    HBA_LINE_WRITTEN};

	(void)state;
	check_line(&md5);
}

static void a_network_is_no_wider_than_docker_desktops(void **state)
{
	static const struct line_case desktop = {{.database = "shop", .user = "app", .source_address = "172.18.0.3"},
	                                         NO_ENTRY("192.168.65.1") ", no encryption",
	                                         "host    shop    app    192.168.65.1/32    scram-sha-256",
	                                         "host    shop    app    192.168.65.0/24    scram-sha-256",
	                                         HBA_LINE_WRITTEN};

	(void)state;
	check_line(&desktop);
}

static void another_address_than_ours_was_translated(void **state)
{
	static const struct {
		const char *message, *source, *seen; /* NULL: none */
	} cases[] = {
	    {NO_ENTRY("192.168.65.1"), "172.18.0.3", "192.168.65.1"},
	    {NO_ENTRY("127.0.0.1"), "172.18.0.3", "127.0.0.1"},
	    {NO_ENTRY("172.18.0.3"), "172.18.0.3", NULL},
	    {NO_ENTRY("fe80::1%eth0"), "fe80::1%eth1", NULL},
	    {NO_ENTRY("[local]"), "172.18.0.3", NULL},
	    {NO_ENTRY("172.18.0.3"), NULL, NULL},
	    {"something else", "172.18.0.3", NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hba_subject s = {.message = {cases[i].message, strlen(cases[i].message)},
		                        .source_address = cases[i].source};
		struct str out;

		str_init(&out, 100);
		assert_int_equal(hba_line_write_translated(&s, &out), cases[i].seen != NULL);
		assert_string_equal(str_text(&out), cases[i].seen == NULL ? "" : cases[i].seen);
		str_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_address_is_the_one_that_the_server_saw),
	    cmocka_unit_test(the_type_is_that_of_the_connection),
	    cmocka_unit_test(replication_has_its_own_word),
	    cmocka_unit_test(names_are_quoted_where_they_would_mean_something_else),
	    cmocka_unit_test(md5_is_offered_only_where_nothing_else_can_work),
	    cmocka_unit_test(a_network_is_no_wider_than_docker_desktops),
	    cmocka_unit_test(another_address_than_ours_was_translated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
