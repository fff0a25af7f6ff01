/* Tests of src/admin/commands.c: every command for every role, and how each ends. */
#include "console_bench.h"

#include "admin/commands.h"
#include "admin/view.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"
#define INVALID(text) "E(ERROR 08P01 invalid command '" text "', use SHOW HELP;) Z"
#define NO_ACCESS "E(ERROR 08P01 admin access needed) Z"

/* What an admin's command asks of main, or what it is answered at once. */
static const struct {
	const char *command;
	const char *asked;  /* NULL: main is not asked */
	const char *answer; /* when main says yes, or at once */
} cases[] = {
    {"RELOAD", "reload", "C(RELOAD) Z"},
    {"reload;", "reload", "C(RELOAD) Z"},
    {"Reload dns;", NULL, "C(RELOAD) Z"},
    {"reload app", NULL, INVALID("reload app")},
    {"pause", "pause", "C(PAUSE) Z"},
    {"PAUSE \"App\"", "pause App", "C(PAUSE) Z"},
    {"pause nowhere", "pause nowhere", "C(PAUSE) Z"},
    {"pause pgbouncer", NULL, "E(ERROR 08P01 cannot pause admin db: pgbouncer) Z"},
    {"pause pgweir", NULL, "E(ERROR 08P01 cannot pause admin db: pgweir) Z"},
    {"resume", "resume", "C(RESUME) Z"},
    {"resume app", "resume app", "C(RESUME) Z"},
    {"resume pgbouncer", NULL, "E(ERROR 08P01 database pgbouncer is not paused) Z"},
    {"disable", NULL, "E(ERROR 08P01 a database is required) Z"},
    {"disable app", "disable app", "C(DISABLE) Z"},
    {"disable pgbouncer", NULL, "E(ERROR 08P01 cannot disable admin db: pgbouncer) Z"},
    {"enable", NULL, "E(ERROR 08P01 a database is required) Z"},
    {"enable app", "enable app", "C(ENABLE) Z"},
    {"enable pgbouncer", NULL, "E(ERROR 08P01 cannot enable admin db: pgbouncer) Z"},
    {"reconnect", "reconnect", "C(RECONNECT) Z"},
    {"reconnect app", "reconnect app", "C(RECONNECT) Z"},
    {"reconnect pgbouncer", NULL, "E(ERROR 08P01 cannot reconnect admin db: pgbouncer) Z"},
    {"kill", "kill", "C(KILL) Z"},
    {"kill app", "kill app", "C(KILL) Z"},
    {"kill pgbouncer", NULL, "E(ERROR 08P01 cannot kill admin db: pgbouncer) Z"},
    {"kill_client 42", "kill_client 42", "C(KILL_CLIENT) Z"},
    {"kill_client", NULL, "E(ERROR 08P01 invalid client pointer supplied) Z"},
    {"kill_client abc", NULL, "E(ERROR 08P01 invalid client pointer supplied) Z"},
    {"kill_client 0x12", NULL, "E(ERROR 08P01 invalid client pointer supplied) Z"},
    {"kill_client 000000000000000000001", NULL, "E(ERROR 08P01 invalid client pointer supplied) Z"},
    {"wait_close", "wait_close", "C(WAIT_CLOSE) Z"},
    {"wait_close app", "wait_close app", "C(WAIT_CLOSE) Z"},
    {"wait_close pgbouncer", NULL, "E(ERROR 08P01 cannot wait in admin db: pgbouncer) Z"},
    {"set verbose = 1", "set verbose 1", "C(SET verbose=1) Z"},
    {"SET x TO 'it''s'", "set x it's", "C(SET x=it's) Z"},
    {"set verbose", NULL, INVALID("set verbose")},
    {"set client_encoding = 'UTF8'", NULL, "N(NOTICE 00000 SET ignored) C(SET) Z"},
    {"SET DateStyle TO ISO", NULL, "N(NOTICE 00000 SET ignored) C(SET) Z"},
    {"set extra_float_digits = 3", NULL, "N(NOTICE 00000 SET ignored) C(SET) Z"},
    {"shutdown wait_for_servers", "shutdown servers", "C(SHUTDOWN) Z"},
    {"SHUTDOWN WAIT_FOR_CLIENTS", "shutdown clients", "C(SHUTDOWN) Z"},
    {"shutdown nonsense", NULL, INVALID("shutdown nonsense")},
    {"show version", NULL, "T(version:t) D(PgBouncer 1.26.1) C(SHOW) Z"},
    {"select version;", NULL, "T(version:t) D(PgBouncer 1.26.1) C(SHOW) Z"},
    {"show", NULL, INVALID("show")},
    {"show fds", NULL, INVALID("show fds")},
    {"show nothing", NULL, INVALID("show nothing")},
    {"select 1", NULL, INVALID("select 1")},
    {"suspend", NULL, INVALID("suspend")},
    {"", NULL, "I Z"},
    {" ;\n", NULL, "I Z"},
    {"-- ping", NULL, "I Z"},
    {"DEALLOCATE ALL", NULL, "C(DEALLOCATE ALL) Z"},
    {"deallocate a", NULL, "E(ERROR 26000 prepared statement \"a\" does not exist) Z"},
    {"deallocate", NULL, INVALID("deallocate")},
    {"xxxxxxxxxxxxxxxx", NULL, "E(ERROR 08P01 bad arguments) Z"},
};
#define N_CASES (sizeof(cases) / sizeof(cases[0]))

static void every_command_of_an_admin(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	for (size_t i = 0; i < N_CASES; i++) {
		bench_query(c, cases[i].command);
		if (cases[i].asked != NULL) {
			assert_string_equal(bench_asked(&b), cases[i].asked);
			assert_true(bench_is_silent(c));
			bench_reply_ok(&b);
		}
		assert_string_equal(bench_answer(c), cases[i].answer);
		assert_null(b.done);
	}
	bench_disconnect(c);
	bench_finish(&b);
}

static bool is_action(const char *command)
{
	struct parsed p;

	if (command_parse(command, &p) != PARSE_GOT || strcasecmp(p.name, "show") == 0 ||
	    strcasecmp(p.name, "select") == 0 || strcasecmp(p.name, "deallocate") == 0)
		return false;
	return constant_find(p.argument) == NULL;
}

static void users_who_may_only_look_change_nothing(void **state)
{
	struct bench b;
	struct bench_client *c;
	unsigned n_refused = 0;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	for (size_t i = 0; i < N_CASES; i++) {
		bool invalid = strncmp(cases[i].answer, "E(ERROR 08P01 invalid command", 29) == 0;
		bool refused = is_action(cases[i].command) && !invalid;

		assert_string_equal(bench_ask(c, cases[i].command), refused ? NO_ACCESS : cases[i].answer);
		assert_null(b.done);
		n_refused += refused;
	}
	assert_true(n_refused > 25);
	assert_string_equal(bench_ask(c, "shutdown"), NO_ACCESS);
	bench_disconnect(c);
	bench_finish(&b);
}

static void every_command_is_in_the_cases(void **state)
{
	(void)state;
	for (const struct command *c = commands; c->name != NULL; c++) {
		bool found = false;

		for (size_t i = 0; i < N_CASES; i++)
			found = found || strncasecmp(cases[i].command, c->name, strlen(c->name)) == 0;
		assert_true(found);
		assert_true(strlen(c->name) <= PARSE_NAME_MAX);
		assert_true(c->doc[0] != '\0' && (c->refusal == NULL || strstr(c->refusal, "%s") != NULL));
	}
}

static void main_may_refuse(void **state)
{
	static const char *const notices[] = {"one", "two", NULL};
	const struct control_reply no = {.error = "no such database: x"};
	const struct control_reply failed = {.sqlstate = "F0000", .error = "RELOAD failed", .detail = "a.ini:3"};
	const struct control_reply yes = {.ok = true, .notices = notices};
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	bench_query(c, "pause x");
	(void)bench_asked(&b);
	bench_reply(&b, &no);
	assert_string_equal(bench_answer(c), "E(ERROR 08P01 no such database: x) Z");
	bench_query(c, "reload");
	(void)bench_asked(&b);
	bench_reply(&b, &failed);
	assert_string_equal(bench_answer(c), "E(ERROR F0000 RELOAD failed | a.ini:3) Z");
	bench_query(c, "set a=b");
	(void)bench_asked(&b);
	bench_reply(&b, &yes);
	assert_string_equal(bench_answer(c), "N(NOTICE 00000 one) N(NOTICE 00000 two) C(SET a=b) Z");
	bench_disconnect(c);
	bench_finish(&b);
}

static void shutdown_at_once_says_nothing(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	bench_query(c, "SHUTDOWN");
	assert_string_equal(bench_asked(&b), "shutdown now");
	bench_reply_ok(&b);
	assert_string_equal(bench_rest(c), "");
	assert_int_equal(console_count(b.console), 0);
	bench_disconnect(c);
	bench_finish(&b);
}

static void kill_client_reaches_the_console_too(void **state)
{
	struct bench b;
	struct bench_client *c, *other;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect_raw(&b, CONSOLE_ADMIN, "admin", 11);
	other = bench_connect_raw(&b, CONSOLE_STATS, "stats", 12);
	(void)bench_answer(c);
	(void)bench_answer(other);
	assert_string_equal(bench_ask(c, "kill_client 12"), "C(KILL_CLIENT) Z");
	assert_string_equal(bench_rest(other), "E(FATAL 08P01 admin forced disconnect)");
	bench_query(c, "kill_client 11");
	assert_string_equal(bench_rest(c), "E(FATAL 08P01 admin forced disconnect)");
	assert_int_equal(console_count(b.console), 0);
	assert_null(b.done);
	bench_disconnect(c);
	bench_disconnect(other);
	bench_finish(&b);
}

static void precise_sqlstates_if_asked_for(void **state)
{
	struct bench b;
	struct bench_client *c;

	(void)state;
	bench_begin(&b, CONF "error_sqlstate = precise\n", NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	assert_string_equal(bench_ask(c, "reload"), "E(ERROR 42501 admin access needed) Z");
	assert_string_equal(bench_ask(c, "x"), "E(ERROR 42601 invalid command 'x', use SHOW HELP;) Z");
	bench_disconnect(c);
	bench_finish(&b);
}

static void help_is_pgbouncers_with_ours_behind(void **state)
{
	struct str help;

	(void)state;
	str_init(&help, 10000);
	help_write(&help);
	assert_string_equal(str_text(&help), "\n\tSHOW HELP|CONFIG|DATABASES|POOLS|CLIENTS|SERVERS|USERS|VERSION"
	                                     "\n\tSHOW PEERS|PEER_POOLS"
	                                     "\n\tSHOW SOCKETS|ACTIVE_SOCKETS|LISTS|MEM|STATE"
	                                     "\n\tSHOW DNS_HOSTS|DNS_ZONES"
	                                     "\n\tSHOW STATS|STATS_TOTALS|STATS_AVERAGES|TOTALS"
	                                     "\n\tSHOW BACKENDS|WORKERS|WAITS|ERRORS|STATE_GUARD"
	                                     "\n\tSET key = arg"
	                                     "\n\tRELOAD"
	                                     "\n\tRELOAD DNS"
	                                     "\n\tPAUSE [<db>]"
	                                     "\n\tRESUME [<db>]"
	                                     "\n\tDISABLE <db>"
	                                     "\n\tENABLE <db>"
	                                     "\n\tRECONNECT [<db>]"
	                                     "\n\tKILL [<db>]"
	                                     "\n\tKILL_CLIENT <client_id>"
	                                     "\n\tSHUTDOWN"
	                                     "\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS"
	                                     "\n\tWAIT_CLOSE [<db>]"
	                                     "\n\tDEALLOCATE <name>|ALL");
	str_fini(&help);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_command_of_an_admin),      cmocka_unit_test(users_who_may_only_look_change_nothing),
	    cmocka_unit_test(every_command_is_in_the_cases),  cmocka_unit_test(main_may_refuse),
	    cmocka_unit_test(shutdown_at_once_says_nothing),  cmocka_unit_test(kill_client_reaches_the_console_too),
	    cmocka_unit_test(precise_sqlstates_if_asked_for), cmocka_unit_test(help_is_pgbouncers_with_ours_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
