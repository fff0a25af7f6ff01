/* The command line: what is accepted, what is refused and with which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "main/options.h"

#define MAX_ARGUMENTS 16

struct outcome {
	enum options_result result;
	struct options o;
	struct str why;
};

/* The arguments end with NULL; the program's name is added. */
static struct outcome parse_as(const char *program, const char *const *arguments)
{
	char *argv[MAX_ARGUMENTS + 1];
	struct outcome out;
	int argc = 1;

	argv[0] = (char *)(uintptr_t)program;
	for (; arguments[argc - 1] != NULL; argc++)
		argv[argc] = (char *)(uintptr_t)arguments[argc - 1];
	str_init(&out.why, 4096);
	out.result = options_parse(&out.o, argc, argv, &out.why);
	return out;
}

static struct outcome parse(const char *const *arguments)
{
	return parse_as("pgweir", arguments);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void all_forms_of_an_option_mean_the_same(void **state)
{
	struct outcome forms[] = {
	    PARSE("-d", "-q", "-v", "-v", "-u", "nobody", "x.ini"),
	    PARSE("-dqvv", "-unobody", "x.ini"),
	    PARSE("x.ini", "-dqvvu", "nobody"),
	    PARSE("--daemon", "--quiet", "--verbose", "--verbose", "--user=nobody", "x.ini"),
	    PARSE("--d", "--q", "--verb", "--verb", "--us", "nobody", "x.ini"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(forms[i].result, OPTIONS_RUN);
		assert_true(forms[i].o.daemon);
		assert_true(forms[i].o.quiet);
		assert_int_equal(forms[i].o.verbose, 2);
		assert_string_equal(forms[i].o.user, "nobody");
		assert_string_equal(forms[i].o.source, "x.ini");
		assert_int_equal(forms[i].why.len, 0);
	}
}

static void nothing_is_set_that_was_not_asked_for(void **state)
{
	struct outcome out = PARSE("x.ini");

	(void)state;
	assert_int_equal(out.result, OPTIONS_RUN);
	assert_false(out.o.daemon);
	assert_false(out.o.quiet);
	assert_int_equal(out.o.verbose, 0);
	assert_null(out.o.user);
}

static void version_and_help_need_no_file(void **state)
{
	(void)state;
	assert_int_equal(PARSE("-V").result, OPTIONS_VERSION);
	assert_int_equal(PARSE("--version").result, OPTIONS_VERSION);
	assert_int_equal(PARSE("-h").result, OPTIONS_HELP);
	assert_int_equal(PARSE("--help", "a", "b").result, OPTIONS_HELP);
}

static void ready_takes_what_pg_isready_takes(void **state)
{
	static const char *const given[] = {"-h", "db", "-p", "6432", "-d", "app", "-U", "ann", "-t", "7", "-q", NULL};
	static const char *const both[] = {"/usr/bin/pg_isready", "./pg_isready", "pg_isready"};

	(void)state;
	for (size_t i = 0; i < sizeof(both) / sizeof(both[0]); i++) {
		struct outcome out = parse_as(both[i], given);

		assert_int_equal(out.result, OPTIONS_RUN);
		assert_int_equal(out.o.command, COMMAND_READY);
		assert_true(out.o.is_pg_isready && out.o.quiet);
		assert_string_equal(out.o.host, "db");
		assert_string_equal(out.o.port, "6432");
		assert_string_equal(out.o.database, "app");
		assert_string_equal(out.o.user, "ann");
		assert_string_equal(out.o.timeout, "7");
		assert_null(out.o.source);
	}
	assert_int_equal(parse_as("pg_isready", (const char *const[]){"-?", NULL}).result, OPTIONS_HELP);
	assert_int_equal(parse_as("pg_isready", (const char *const[]){"-V", NULL}).result, OPTIONS_VERSION);
}

static void ready_may_have_a_file_and_pg_isready_none(void **state)
{
	struct outcome out = PARSE("ready", "--host=db", "x.ini");

	(void)state;
	assert_int_equal(out.result, OPTIONS_RUN);
	assert_int_equal(out.o.command, COMMAND_READY);
	assert_false(out.o.is_pg_isready);
	assert_string_equal(out.o.source, "x.ini");
	assert_string_equal(out.o.host, "db");
	assert_null(out.o.port);
	assert_int_equal(PARSE("ready").result, OPTIONS_RUN);
	assert_true(PARSE("ready", "--env").o.env);
	out = parse_as("pg_isready", (const char *const[]){"--env", NULL});
	assert_int_equal(out.result, OPTIONS_WRONG);
	str_fini(&out.why);
	out = PARSE("ready", "x.ini", "y.ini");
	assert_int_equal(out.result, OPTIONS_WRONG);
	assert_string_equal(str_text(&out.why), "pgweir: too many command-line arguments (the last is \"y.ini\")\n"
	                                        "Try \"pgweir ready --help\" for more information.\n");
	str_fini(&out.why);
	out = parse_as("pg_isready", (const char *const[]){"x.ini", NULL});
	assert_int_equal(out.result, OPTIONS_WRONG);
	assert_non_null(strstr(str_text(&out.why), "Try \"pg_isready --help\""));
	str_fini(&out.why);
}

static void options_end_at_two_dashes(void **state)
{
	struct outcome out = PARSE("-q", "--", "-d");

	(void)state;
	assert_int_equal(out.result, OPTIONS_RUN);
	assert_false(out.o.daemon);
	assert_string_equal(out.o.source, "-d");
}

static void a_wrong_command_line_is_named_with_what_to_do(void **state)
{
	static const struct {
		const char *arguments[4];
		const char *why;
	} cases[] = {
	    {{NULL}, "no configuration file specified"},
	    {{"a", "b", NULL}, "no configuration file specified"},
	    {{"-d", NULL}, "no configuration file specified"},
	    {{"--nope", "x.ini", NULL}, "unrecognized option '--nope'"},
	    {{"--nope=3", "x.ini", NULL}, "unrecognized option '--nope=3'"},
	    {{"-R", "x.ini", NULL}, "invalid option -- 'R'"},
	    {{"-dx", "x.ini", NULL}, "invalid option -- 'x'"},
	    {{"x.ini", "-u", NULL}, "option requires an argument -- 'u'"},
	    {{"x.ini", "--user", NULL}, "option '--user' requires an argument"},
	    {{"--daemon=1", "x.ini", NULL}, "option '--daemon' doesn't allow an argument"},
	    {{"--env", "x.ini", NULL}, "--env takes no configuration file"},
	    {{"--print", "x.ini", NULL}, "--print belongs to --env"},
	    {{"--print", NULL}, "--print belongs to --env"},
	    {{"--ver", "x.ini", NULL}, "option '--ver' is ambiguous; possibilities: '--verbose' '--version'"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome out = parse(cases[i].arguments);

		snprintf(text, sizeof(text), "pgweir: %s\nTry \"pgweir --help\" for more information.\n", cases[i].why);
		assert_int_equal(out.result, OPTIONS_WRONG);
		assert_string_equal(str_text(&out.why), text);
		str_fini(&out.why);
	}
}

static void check_is_a_command_with_its_own_options(void **state)
{
	struct outcome forms[] = {
	    PARSE("check", "-jq", "-d", "app", "-u", "nobody", "x.ini"),
	    PARSE("check", "x.ini", "--json", "--quick", "--database=app", "--user=nobody"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		assert_int_equal(forms[i].result, OPTIONS_RUN);
		assert_int_equal(forms[i].o.command, COMMAND_CHECK);
		assert_true(forms[i].o.json);
		assert_true(forms[i].o.quick);
		assert_false(forms[i].o.daemon);
		assert_string_equal(forms[i].o.database, "app");
		assert_string_equal(forms[i].o.user, "nobody");
		assert_string_equal(forms[i].o.source, "x.ini");
	}
	assert_int_equal(PARSE("check", "--help").result, OPTIONS_HELP);
	/* only as the first word, so that a file may have that name */
	assert_int_equal(PARSE("-q", "check").o.command, COMMAND_SERVE);
	assert_string_equal(PARSE("-q", "check").o.source, "check");
	assert_string_equal(PARSE("check", "check").o.source, "check");
}

static void environment_variables_take_the_place_of_a_file(void **state)
{
	struct outcome out;

	(void)state;
	assert_int_equal(PARSE("--env").result, OPTIONS_RUN);
	assert_true(PARSE("--env").o.env);
	assert_null(PARSE("--env").o.source);
	assert_false(PARSE("--env").o.print);
	assert_true(PARSE("-ep").o.print);
	assert_true(PARSE("--print", "--env").o.print);
	assert_false(PARSE("x.ini").o.env);
	assert_true(PARSE("check", "--env", "--quick").o.env);
	assert_int_equal(PARSE("check", "-e").o.command, COMMAND_CHECK);
	assert_true(PARSE("ready", "-e").o.env);
	out = PARSE("ready", "--env", "x.ini");
	assert_int_equal(out.result, OPTIONS_WRONG);
	str_fini(&out.why);
}

static void a_wrong_check_names_the_commands_own_help(void **state)
{
	static const struct {
		const char *arguments[4];
		const char *why;
	} cases[] = {
	    {{"check", NULL}, "no configuration file specified"},
	    {{"check", "a", "b", NULL}, "no configuration file specified"},
	    {{"check", "--daemon", "a", NULL}, "unrecognized option '--daemon'"},
	    {{"check", "--env", "a", NULL}, "--env takes no configuration file"},
	    {{"check", "--print", "--env", NULL}, "unrecognized option '--print'"},
	    {{"check", "-V", "a", NULL}, "invalid option -- 'V'"},
	};
	char text[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct outcome out = parse(cases[i].arguments);

		snprintf(text, sizeof(text), "pgweir: %s\nTry \"pgweir check --help\" for more information.\n",
		         cases[i].why);
		assert_int_equal(out.result, OPTIONS_WRONG);
		assert_int_equal(out.o.command, COMMAND_CHECK);
		assert_string_equal(str_text(&out.why), text);
		str_fini(&out.why);
	}
}

static void help_fits_a_screen_of(enum command command, const char *const *parts)
{
	struct options o;
	struct str text;
	size_t lines = 0;

	memset(&o, 0, sizeof(o));
	o.program = "pgweir";
	o.command = command;
	str_init(&text, 65536);
	options_help(&o, &text);
	for (const char *p = str_text(&text); *p != '\0'; lines++) {
		size_t len = strcspn(p, "\n");

		assert_true(len <= 80);
		p += len + (p[len] == '\n');
	}
	assert_true(lines > 10 && lines < 24);
	for (; *parts != NULL; parts++)
		assert_non_null(strstr(str_text(&text), *parts));
	str_fini(&text);
}

static void help_fits_a_screen(void **state)
{
	static const char *const serve[] = {"  -u, --user=USERNAME  assume identity of USERNAME\n", "postgres://",
	                                    "pgweir check CONFIG_FILE | --env | URL", "  -e, --env            take",
	                                    NULL};
	static const char *const check[] = {"  -q, --quick          only", "Exit status: 0", NULL};

	(void)state;
	help_fits_a_screen_of(COMMAND_SERVE, serve);
	help_fits_a_screen_of(COMMAND_CHECK, check);
}

static void version_begins_as_pgbouncer_and_ends_as_pgweir(void **state)
{
	static const char first[] = "PgBouncer 1.26.1\nlibevent 2.", last[] = "\n(pgweir " PACKAGE_VERSION ")\n";
	struct str text;

	(void)state;
	str_init(&text, 65536);
	options_version(&text);
	assert_true(text.len > sizeof(first) + sizeof(last));
	assert_memory_equal(str_text(&text), first, sizeof(first) - 1);
	assert_string_equal(str_text(&text) + text.len - (sizeof(last) - 1), last);
	assert_non_null(strstr(str_text(&text), "\nadns: "));
	assert_non_null(strstr(str_text(&text), "\ntls: OpenSSL "));
#ifdef __linux__
	assert_non_null(strstr(str_text(&text), "\nsystemd: yes\n"));
#endif
	str_fini(&text);
}

static void verbs_of_services_have_one_dash_or_two_and_come_first(void **state)
{
	static const struct {
		const char *verb;
		enum command command;
	} rows[] = {
	    {"-regservice", COMMAND_REGISTER},     {"--regservice", COMMAND_REGISTER},
	    {"-install", COMMAND_REGISTER},        {"--install", COMMAND_REGISTER},
	    {"-unregservice", COMMAND_UNREGISTER}, {"--unregservice", COMMAND_UNREGISTER},
	    {"-uninstall", COMMAND_UNREGISTER},    {"--uninstall", COMMAND_UNREGISTER},
	    {"-service", COMMAND_SERVICE},         {"--service", COMMAND_SERVICE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct outcome out = PARSE(rows[i].verb, "C:\\a b\\x.ini");

		assert_int_equal(out.result, OPTIONS_RUN);
		assert_int_equal(out.o.command, rows[i].command);
		assert_string_equal(out.o.source, "C:\\a b\\x.ini");
		str_fini(&out.why);
	}
}

static void elsewhere_a_verb_of_services_is_no_verb(void **state)
{
	static const char *const verbs[] = {"-regservice", "--unregservice", "--uninstall", "---regservice",
	                                    "-Regservice"};

	(void)state;
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		struct outcome out = PARSE("x.ini", verbs[i]);

		assert_int_equal(out.result, OPTIONS_WRONG);
		str_fini(&out.why);
		if (i < 3)
			continue;
		out = PARSE(verbs[i], "x.ini");
		assert_int_equal(out.result, OPTIONS_WRONG);
		str_fini(&out.why);
	}
}

static void a_service_is_registered_as_the_options_say(void **state)
{
	struct outcome out = PARSE("-regservice", "x.ini", "-U", "SHOP\\pooler", "-P", "s3cret", "--start=demand",
	                           "--depends=RPCSS,postgresql-x64-16");

	(void)state;
	assert_int_equal(out.result, OPTIONS_RUN);
	assert_string_equal(out.o.source, "x.ini");
	assert_string_equal(out.o.account, "SHOP\\pooler");
	assert_string_equal(out.o.password, "s3cret");
	assert_int_equal(out.o.begin, SERVICE_ON_DEMAND);
	assert_string_equal(out.o.depends, "RPCSS,postgresql-x64-16");
	out = PARSE("-regservice", "x.ini", "--start", "auto");
	assert_int_equal(out.o.begin, SERVICE_AUTOMATIC);
	out = PARSE("-regservice", "x.ini");
	assert_int_equal(out.o.begin, SERVICE_DELAYED);
	assert_null(out.o.account);
	assert_null(out.o.password);
	assert_null(out.o.depends);
	assert_int_equal(PARSE("-regservice", "--help").result, OPTIONS_HELP);
}

static void assert_wrong(struct outcome out, const char *why)
{
	assert_int_equal(out.result, OPTIONS_WRONG);
	if (strstr(str_text(&out.why), why) == NULL)
		fail_msg("not said: %s\nbut: %s", why, str_text(&out.why));
	str_fini(&out.why);
}

static void what_a_service_does_not_take_is_refused(void **state)
{
	(void)state;
	assert_wrong(PARSE("-regservice", "x.ini", "--start=never"),
	             "--start is delayed-auto, auto or demand, not \"never\"\nTry \"pgweir -regservice --help\"");
	assert_wrong(PARSE("-regservice"), "no configuration file specified");
	assert_wrong(PARSE("-unregservice", "x.ini", "-U", "a"), "invalid option -- 'U'");
	assert_wrong(PARSE("-service", "x.ini", "-v"), "invalid option -- 'v'");
	assert_wrong(PARSE("-regservice", "x.ini", "-U"), "option requires an argument -- 'U'");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(all_forms_of_an_option_mean_the_same),
	    cmocka_unit_test(nothing_is_set_that_was_not_asked_for),
	    cmocka_unit_test(version_and_help_need_no_file),
	    cmocka_unit_test(ready_takes_what_pg_isready_takes),
	    cmocka_unit_test(ready_may_have_a_file_and_pg_isready_none),
	    cmocka_unit_test(options_end_at_two_dashes),
	    cmocka_unit_test(a_wrong_command_line_is_named_with_what_to_do),
	    cmocka_unit_test(check_is_a_command_with_its_own_options),
	    cmocka_unit_test(environment_variables_take_the_place_of_a_file),
	    cmocka_unit_test(a_wrong_check_names_the_commands_own_help),
	    cmocka_unit_test(help_fits_a_screen),
	    cmocka_unit_test(version_begins_as_pgbouncer_and_ends_as_pgweir),
	    cmocka_unit_test(verbs_of_services_have_one_dash_or_two_and_come_first),
	    cmocka_unit_test(elsewhere_a_verb_of_services_is_no_verb),
	    cmocka_unit_test(a_service_is_registered_as_the_options_say),
	    cmocka_unit_test(what_a_service_does_not_take_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
