/* Rules that never match, and rules that nobody passes. */
#include <stdio.h>

#include "check_bench.h"
#include "main/check_offline.h"
#include "main/rules.h"

#define TLS "client_tls_sslmode=prefer\nclient_tls_ca_file=ca\n"
#define TCP "listen_addr=127.0.0.1\n"

static void check(const char *settings, const char *rules, const char *story)
{
	char text[400];
	struct fake_file files[] = {
	    {"pgweir.ini", text, 0}, {"h", rules, 0}, {"i", "m root all\n", 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;
	struct config *c;
	struct findings f;

	snprintf(text, sizeof(text),
	         "[pgbouncer]\nauth_type=hba\nauth_hba_file=h\nauth_ident_file=i\nunix_socket_dir=/tmp\n%s", settings);
	c = configured(text, "");
	if (!rules_prepare(c, NULL, &source, &why))
		fail_msg("%s", why.text);
	findings_init(&f);
	check_rules(&f, c);
	assert_story(&f, story);
	findings_fini(&f);
	config_unref(c);
}

static void lines_that_never_match_are_named(void **state)
{
	(void)state;
	check(TCP, "host all all all md5\nlocal all all peer\n", "");
	check(TCP, "host all all all md5\n\nhost app ann 10.0.0.0/8 trust\n",
	      "warning rules: line h:3 (host … trust) never matches\n");
	check(TCP "unix_socket_dir=\n", "local all all peer\n",
	      "warning rules: line h:1 (local … peer) never matches: unix_socket_dir is empty\n");
	check("listen_addr=\n", "host all all all md5\n",
	      "warning rules: line h:1 (host … md5) never matches: listen_addr is empty\n");
	check(TCP, "hostssl all all all md5\n",
	      "warning rules: line h:1 (hostssl … md5) never matches: client_tls_sslmode is disable\n");
	check(TCP TLS, "hostssl all all all md5\nhostnossl all all all md5\n", "");
	check(TCP "client_tls_sslmode=require\n", "hostnossl all all all md5\n",
	      "warning rules: line h:1 (hostnossl … md5) never matches: client_tls_sslmode takes encrypted "
	      "connections only\n");
	check(TCP, "host all all ::1/128 md5\nhost all all 127.0.0.0/8 md5\n",
	      "warning rules: line h:1 (host … md5) never matches: listen_addr has no IPv6 address\n");
	check("listen_addr=::1\n", "host all all ::1/128 md5\nhost all all 127.0.0.0/8 md5\n",
	      "warning rules: line h:2 (host … md5) never matches: listen_addr has no IPv4 address\n");
	check("listen_addr=127.0.0.1, ::1\n", "host all all ::1/128 md5\nhost all all 127.0.0.0/8 md5\n", "");
	check("listen_addr=*\n", "host all all ::1/128 md5\nhost all all 127.0.0.0/8 md5\n", "");
	check("listen_addr=localhost\n", "host all all ::1/128 md5\nhost all all 127.0.0.0/8 md5\n", "");
}

static void lines_that_nobody_passes_are_named(void **state)
{
	(void)state;
	check(TCP, "host all all all peer\n",
	      "warning rules: line h:1 (host … peer) lets nobody in: method peer needs a Unix socket\n");
	check(TCP TLS, "local all all cert\nhostnossl all all all cert\nhostssl all all all cert\n",
	      "warning rules: line h:1 (local … cert) lets nobody in: method cert needs TLS\n"
	      "warning rules: line h:2 (hostnossl … cert) lets nobody in: method cert needs TLS\n");
	check(TCP "client_tls_sslmode=prefer\n", "hostssl all all all cert\n",
	      "warning rules: line h:1 (hostssl … cert) lets nobody in: clients are not asked for certificates\n");
	check(TCP, "host all all all md5 map=m\n", "warning rules: line h:1 (host … md5) has a map without effect\n");
	check(TCP, "# nothing\n", "error rules: auth_hba_file \"h\" has no rule: nobody can log in\n");
}

static void lines_that_pgbouncer_reads_otherwise_are_named(void **state)
{
	(void)state;
	check(TCP, "host sameuser,replication all all md5\n", "");
	check(TCP, "host all sameuser,ann all md5\nhost all bob,replication all trust\n",
	      "note PgBouncer: line h:1 (host … md5) takes \"sameuser\" for a user's name; PgBouncer takes it for a "
	      "keyword\n"
	      "note PgBouncer: line h:2 (host … trust) takes \"replication\" for a user's name; PgBouncer takes it for "
	      "a keyword\n");
	check(TCP, "host /^a all all md5\nhost bob /^a,/b all reject\n",
	      "note PgBouncer: line h:1 (host … md5) takes \"/^a\" for a regular expression; PgBouncer takes it for a "
	      "name\n"
	      "note PgBouncer: line h:2 (host … reject) takes \"/^a\" for a regular expression; PgBouncer takes it for "
	      "a name\n");
	check(TCP, "host app all samehost md5\nhost app all samenet md5\nlocal all all md5\n",
	      "note PgBouncer: line h:1 (host … md5) counts; PgBouncer does not know such a line, and skips it\n"
	      "note PgBouncer: line h:2 (host … md5) counts; PgBouncer does not know such a line, and skips it\n");
#ifdef HAVE_PAM
	check(TCP, "host all all all pam\n",
	      "note PgBouncer: line h:1 (host … pam) counts; PgBouncer does not know such a line, and skips it\n");
#endif
}

static void without_rules_there_is_nothing_to_say(void **state)
{
	struct config *c = configured("[pgbouncer]\nauth_type=md5\n", "");
	struct findings f;

	(void)state;
	findings_init(&f);
	check_rules(&f, c);
	assert_story(&f, "");
	findings_fini(&f);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(lines_that_never_match_are_named),
	    cmocka_unit_test(lines_that_nobody_passes_are_named),
	    cmocka_unit_test(lines_that_pgbouncer_reads_otherwise_are_named),
	    cmocka_unit_test(without_rules_there_is_nothing_to_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
