/* What a start from environment variables says. */
#include "environment_bench.h"

#include "main/environment.h"
#include "main/start.h"
#include "os/process.h"

static char said[4000]; /* by the log, all records */

static void listen_to_the_log(const struct log_event *e, const char *text)
{
	size_t len = strlen(said);

	snprintf(said + len, sizeof(said) - len, "%d %s\n", (int)e->level, text);
}

static void assert_start(const char *const *variables, struct fake_file *files, bool starts, const char *expected)
{
	struct environment e = bench_environment(variables, files);
	struct options o = {.environment = &e};
	struct log *log = log_new();
	struct config *c;

	assert_non_null(log);
	log_set_stderr(log, false);
	log_set_sink(log, listen_to_the_log);
	said[0] = '\0';
	c = start_load(&o, log);
	assert_int_equal(c != NULL, starts);
	assert_string_equal(said, expected);
	config_unref(c);
	log_free(log);
}

static void a_start_says_where_its_configuration_is_from(void **state)
{
	struct fake_file files[] = {{ENVIRONMENT_INI, "[pgbouncer]\nlisten_port = 7\nauth_type = any\n", 0},
	                            {NULL, NULL, 0}};

	(void)state;
	assert_start(
	    ENV("DB_HOST=h"), NULL, true,
	    "3 configuration from environment variables, by the conventions of edoburu/pgbouncer, port 5432\n");
	assert_start(ENV("DB_HOST=h"), files, true,
	             "3 configuration from the file /etc/pgbouncer/pgbouncer.ini, port 7\n");
}

static void a_start_that_cannot_be_says_all_that_is_wrong(void **state)
{
	struct fake_file broken[] = {{ENVIRONMENT_INI, "nonsense\n", 0}, {NULL, NULL, 0}};

	(void)state;
	assert_start(ENV("DB_HOST=h", "DB_PORT=x", "POOL_MODE=none"), NULL, false,
	             "1 environment variable DB_PORT: invalid port: x for database \"*\": must be from 1 to 65535\n"
	             "1 environment variable POOL_MODE: invalid value \"none\" for parameter pool_mode: must be one of "
	             "session, transaction, statement\n"
	             "0 cannot use the environment variables\n");
	assert_start((const char *const[]){NULL}, NULL, false,
	             "1 there is nothing to serve: no environment variable names a server, and there is no file "
	             "/etc/pgbouncer/pgbouncer.ini\n\tHINT: Set one, for example: "
	             "DATABASE_URL=postgres://user:password@host:5432/database\n"
	             "0 cannot use the environment variables\n");
	assert_start(
	    ENV("AUTH_TYPE=hba", "DB_HOST=h"), NULL, false,
	    "3 configuration from environment variables, by the conventions of edoburu/pgbouncer, port 5432\n"
	    "1 auth_type = hba needs auth_hba_file\n\tHINT: Set auth_hba_file to a file of rules such as \"host all "
	    "all 127.0.0.1/32 scram-sha-256\".\n"
	    "0 cannot use the environment variables\n");
	assert_start(
	    ENV("DB_HOST=h"), broken, false,
	    "1 syntax error in configuration (/etc/pgbouncer/pgbouncer.ini:1): \"=\" is missing after the key\n"
	    "\tHINT: Each key needs its value on the same line.\n"
	    "0 cannot use the environment variables\n");
}

static void the_processs_own_is_read_as_it_is(void **state)
{
	struct environment e;

	(void)state;
	environment_of_process(&e);
	assert_non_null(e.variables);
	assert_ptr_equal(e.read, conf_read_file);
	assert_int_equal(e.is_superuser, os_is_superuser());
	assert_true(e.can_write("."));
	assert_false(e.can_write("/no such directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_start_says_where_its_configuration_is_from),
	    cmocka_unit_test(a_start_that_cannot_be_says_all_that_is_wrong),
	    cmocka_unit_test(the_processs_own_is_read_as_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
