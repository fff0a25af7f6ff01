/* What environment variables amount to, by the conventions of the images that people know. */
#include "environment_bench.h"

#include "base/mem.h"
#include "conf/entry.h"
#include "conf/variables.h"

#define COMMON "drain_timeout = 3\nhttp_listen = 0.0.0.0:9127\n"

/* ---- the images' own examples ---- */

static void assert_made(const char *const *variables, const char *ini, const char *users)
{
	struct environment e = bench_environment(variables, NULL);
	struct environment_made *m = environment_make(&e);
	struct conf_error why;
	struct config *c;

	assert_non_null(m);
	if (environment_error(m, 0) != NULL)
		fail_msg("%s", environment_error(m, 0)->text);
	assert_text(m, ENVIRONMENT_INI, ini);
	assert_text(m, ENVIRONMENT_USERS, users);
	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	if (c == NULL)
		fail_msg("%s", why.text);
	config_unref(c);
	environment_free(m);
}

static void edoburu_with_a_url(void **state)
{
	(void)state;
	assert_made(ENV("DATABASE_URL=postgres://user:pass@postgres-host/database", "PATH=/bin"),
	            "[databases]\n"
	            "\"database\" = host='postgres-host' port='5432' auth_user='user'\n"
	            "\n[pgbouncer]\nauth_file = /etc/pgbouncer/userlist.txt\nauth_type = md5\n"
	            "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\nlisten_port = 5432\n"
	            "unix_socket_dir = \n" COMMON,
	            "\"user\" \"pass\"\n");
}

static void edoburu_with_single_variables(void **state)
{
	(void)state;
	assert_made(ENV("DB_USER=user", "DB_PASSWORD=pass", "DB_HOST=postgres-host", "DB_NAME=database",
	                "AUTH_TYPE=scram-sha-256", "ADMIN_USERS=postgres,dbuser", "POOL_MODE=transaction",
	                "CLIENT_ENCODING=UTF8", "LISTEN_PORT=6432", "SERVER_RESET_QUERY=DISCARD ALL"),
	            "[databases]\n"
	            "\"database\" = host='postgres-host' port='5432' auth_user='user' client_encoding='UTF8'\n"
	            "\n[pgbouncer]\nadmin_users = postgres,dbuser\nauth_file = /etc/pgbouncer/userlist.txt\n"
	            "auth_type = scram-sha-256\nignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\n"
	            "listen_port = 6432\npool_mode = transaction\nserver_reset_query = DISCARD ALL\nunix_socket_dir = "
	            "\n" COMMON,
	            "\"user\" \"pass\"\n");
}

static void edoburu_with_nothing_but_a_host(void **state)
{
	(void)state;
	/* nobody has a password: there is no list to read */
	assert_made(ENV("DB_HOST=db"),
	            "[databases]\n\"*\" = host='db' port='5432' auth_user='postgres'\n"
	            "\n[pgbouncer]\nauth_type = md5\n"
	            "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\nlisten_port = 5432\n"
	            "unix_socket_dir = \n" COMMON,
	            "");
}

static void edoburu_with_several_urls(void **state)
{
	(void)state;
	assert_made(ENV("DATABASE_URLS=postgres://u1:p1@h1/d1,postgres://u2:p2@h2:5433/d2,postgres://u1:p1@h3"),
	            "[databases]\n"
	            "\"d1\" = host='h1' port='5432' auth_user='u1'\n"
	            "\"d2\" = host='h2' port='5433' auth_user='u2'\n"
	            "\"*\" = host='h3' port='5432' auth_user='u1'\n"
	            "\n[pgbouncer]\nauth_file = /etc/pgbouncer/userlist.txt\nauth_type = md5\n"
	            "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\nlisten_port = 5432\n"
	            "unix_socket_dir = \n" COMMON,
	            "\"u1\" \"p1\"\n\"u2\" \"p2\"\n");
}

static void the_projects_own_image(void **state)
{
	(void)state;
	assert_made(ENV("DATABASES_HOST=pg", "DATABASES_PORT=5433", "DATABASES_USER=app", "DATABASES_PASSWORD=p'w",
	                "DATABASES_DBNAME=shop", "PGBOUNCER_LISTEN_PORT=7000", "MAX_CLIENT_CONN=500",
	                "DATABASES_POOL_SIZE=5", "QUIET=1"),
	            "[databases]\n"
	            "\"*\" = host='pg' port='5433' user='app' password='p''w' dbname='shop' pool_size='5'\n"
	            "\n[pgbouncer]\nadmin_users = postgres\nauth_file = /etc/pgbouncer/userlist.txt\nauth_type = any\n"
	            "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\nlisten_port = 7000\n"
	            "max_client_conn = 500\n" COMMON,
	            "\"app\" \"p'w\"\n");
}

static void the_projects_own_image_with_whole_lines(void **state)
{
	(void)state;
	assert_made(
	    ENV("DATABASES=a = host=x,y port=1 , \"b c\" = host=z,\nd=dbname=q host=w", "PGBOUNCER_AUTH_TYPE=trust"),
	    "[databases]\n"
	    "\"a\" = host=x,y port=1\n\"b c\" = host=z\n\"d\" = dbname=q host=w\n"
	    "\n[pgbouncer]\nadmin_users = postgres\nauth_type = trust\n"
	    "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\n" COMMON,
	    "");
}

static void bitnami(void **state)
{
	(void)state;
	assert_made(
	    ENV("POSTGRESQL_HOST=pg", "POSTGRESQL_PORT=5433", "POSTGRESQL_USERNAME=app", "POSTGRESQL_PASSWORD=s\"q",
	        "POSTGRESQL_DATABASE=shop", "PGBOUNCER_DATABASE=front", "PGBOUNCER_PORT=6433",
	        "PGBOUNCER_POOL_MODE=transaction", "PGBOUNCER_INIT_SLEEP_TIME=3"),
	    "[databases]\n"
	    "\"front\" = host='pg' port='5433' dbname='shop'\n"
	    "\n[pgbouncer]\nadmin_users = app\nauth_file = /etc/pgbouncer/userlist.txt\nauth_type = scram-sha-256\n"
	    "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\nlisten_port = 6433\n"
	    "pool_mode = transaction\nserver_tls_sslmode = disable\n" COMMON,
	    "\"app\" \"s\"\"q\"\n");
}

static void bitnami_with_all_that_it_has(void **state)
{
	(void)state;
	assert_made(ENV("POSTGRESQL_PASSWORD=p", "PGBOUNCER_DATABASE=*", "PGBOUNCER_SET_DATABASE_USER=yes",
	                "PGBOUNCER_SET_DATABASE_PASSWORD=TRUE", "PGBOUNCER_AUTH_USER=asker",
	                "PGBOUNCER_CONNECT_QUERY=select 'x'", "PGBOUNCER_DSN_10=c=host=h3",
	                "PGBOUNCER_DSN_2=b=host=h2 port=1", "PGBOUNCER_USERLIST=\"ann\" \"x\"\n\"bob\" \"y\"",
	                "PGBOUNCER_SOCKET_DIR=/run/x", "PGBOUNCER_LISTEN_ADDRESS=127.0.0.1", "CLIENT_ENCODING=LATIN1"),
	            "[databases]\n"
	            "\"*\" = host='postgresql' port='5432' user='postgres' password='p' auth_user='asker' "
	            "connect_query='select ''x''' client_encoding='LATIN1'\n"
	            "\"b\" = host=h2 port=1\n\"c\" = host=h3\n"
	            "\n[pgbouncer]\nadmin_users = postgres\nauth_file = /etc/pgbouncer/userlist.txt\nauth_type = "
	            "scram-sha-256\n"
	            "ignore_startup_parameters = extra_float_digits\nlisten_addr = 127.0.0.1\nlisten_port = 6432\n"
	            "server_tls_sslmode = disable\nunix_socket_dir = /run/x\n" COMMON,
	            "\"postgres\" \"p\"\n\"ann\" \"x\"\n\"bob\" \"y\"\n");
}

/* ---- every variable there is ---- */

/* What the variables that begin with `variables[0]` leave in a text, a notice or an error. */
static void assert_leaves(const char *const *variables, const char *what)
{
	struct environment e = bench_environment(variables, NULL);
	struct environment_made *m = environment_make(&e);
	struct str ini, users, errors;
	struct conf_error why;
	struct config *c;

	assert_non_null(m);
	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	bench_text(m, ENVIRONMENT_INI, &ini);
	bench_text(m, ENVIRONMENT_USERS, &users);
	bench_errors(m, &errors);
	for (unsigned i = 0; c != NULL && i < c->notices.n; i++)
		str_printf(&errors, "%s\n", c->notices.text[i]);
	if (strstr(str_text(&ini), what) == NULL && strstr(str_text(&users), what) == NULL &&
	    strstr(str_text(&errors), what) == NULL)
		fail_msg("%s does not lead to \"%s\":\n%s%s%s", variables[0], what, str_text(&ini), str_text(&users),
		         str_text(&errors));
	config_unref(c);
	str_fini(&ini);
	str_fini(&users);
	str_fini(&errors);
	environment_free(m);
}

static const struct {
	const char *variables[4];
	const char *what;
} each[] = {
    {{"DATABASE_URL=postgres://u:p@h/d"}, "\"d\" = host='h'"},
    {{"DATABASE_URLS=postgres://u:p@h/d"}, "\"d\" = host='h'"},
    {{"DB_HOST=h"}, "host='h'"},
    {{"DB_PORT=7", "DB_HOST=h"}, "port='7'"},
    {{"DB_NAME=n", "DB_HOST=h"}, "\"n\" ="},
    {{"DB_USER=u", "DB_HOST=h"}, "auth_user='u'"},
    {{"DB_PASSWORD=p", "DB_HOST=h"}, "\"postgres\" \"p\""},
    {{"CLIENT_ENCODING=UTF8", "DB_HOST=h"}, "client_encoding='UTF8'"},
    {{"DATABASES=a=host=h"}, "\"a\" = host=h"},
    {{"DATABASES_HOST=h"}, "host='h'"},
    {{"DATABASES_PORT=7", "DATABASES_HOST=h"}, "port='7'"},
    {{"DATABASES_USER=u", "DATABASES_HOST=h"}, "user='u'"},
    {{"DATABASES_PASSWORD=p", "DATABASES_HOST=h"}, "password='p'"},
    {{"DATABASES_DBNAME=d", "DATABASES_HOST=h"}, "dbname='d'"},
    {{"DATABASES_CLIENT_SIDE_DBNAME=d", "DATABASES_HOST=h"}, "\"d\" ="},
    {{"POSTGRESQL_HOST=h", "POSTGRESQL_PASSWORD=p"}, "host='h'"},
    {{"POSTGRESQL_PORT=7", "POSTGRESQL_PASSWORD=p"}, "port='7'"},
    {{"POSTGRESQL_USERNAME=u", "POSTGRESQL_PASSWORD=p"}, "\"u\" \"p\""},
    {{"POSTGRESQL_PASSWORD=p"}, "\"postgres\" \"p\""},
    {{"POSTGRESQL_DATABASE=d", "POSTGRESQL_PASSWORD=p"}, "dbname='d'"},
    {{"PGBOUNCER_DATABASE=d", "POSTGRESQL_PASSWORD=p"}, "\"d\" ="},
    {{"PGBOUNCER_SET_DATABASE_USER=1", "POSTGRESQL_PASSWORD=p"}, "user='postgres'"},
    {{"PGBOUNCER_SET_DATABASE_PASSWORD=1", "POSTGRESQL_PASSWORD=p"}, "password='p'"},
    {{"PGBOUNCER_CONNECT_QUERY=select 1", "POSTGRESQL_PASSWORD=p"}, "connect_query='select 1'"},
    {{"PGBOUNCER_USERLIST=\"a\" \"b\"", "POSTGRESQL_PASSWORD=p"}, "\"a\" \"b\""},
    {{"PGBOUNCER_FAIL_ON_INVALID_DSN_FILE=x", "POSTGRESQL_PASSWORD=p"}, "must be yes or no"},
    {{"PGBOUNCER_PORT=7", "DB_HOST=h"}, "listen_port = 7"},
    {{"PGBOUNCER_LISTEN_ADDRESS=::1", "DB_HOST=h"}, "listen_addr = ::1"},
    {{"PGBOUNCER_SOCKET_DIR=/x", "DB_HOST=h"}, "unix_socket_dir = /x"},
    {{"PGBOUNCER_SOCKET_MODE=0770", "DB_HOST=h"}, "unix_socket_mode = 0770"},
    {{"PGBOUNCER_SOCKET_GROUP=g", "DB_HOST=h"}, "unix_socket_group = g"},
    {{"PGBOUNCER_LOG_FILE=/l", "DB_HOST=h"}, "logfile = /l"},
    {{"POOL_SIZE=3", "DB_HOST=h"},
     "POOL_SIZE has no effect: PgBouncer has no such setting; the size of pools is DEFAULT_"},
    {{"TIMEZONE=UTC", "DB_HOST=h"}, "TIMEZONE has no effect"},
    {{"PGBOUNCER_USER=u", "DB_HOST=h"}, "PGBOUNCER_USER has no effect"},
    {{"PGBOUNCER_DAEMON_USER=u", "DB_HOST=h"}, "PGBOUNCER_DAEMON_USER has no effect"},
    {{"PGBOUNCER_DAEMON_GROUP=u", "DB_HOST=h"}, "PGBOUNCER_DAEMON_GROUP has no effect"},
    {{"PGBOUNCER_EXTRA_FLAGS=-v", "DB_HOST=h"}, "PGBOUNCER_EXTRA_FLAGS has no effect: options belong"},
    {{"PGBOUNCER_FORCE_INITSCRIPTS=true", "DB_HOST=h"}, "PGBOUNCER_FORCE_INITSCRIPTS has no effect"},
    {{"CONFFILE=/x", "DB_HOST=h"}, "CONFFILE has no effect"},
    {{"PGBOUNCER_CONFFILE=/x", "DB_HOST=h"}, "PGBOUNCER_CONFFILE has no effect"},
    {{"PGBOUNCER_INIT_SLEEP_TIME=1", "DB_HOST=h"}, "host='h'"},
    {{"PGBOUNCER_INIT_MAX_RETRIES=1", "DB_HOST=h"}, "host='h'"},
    {{"QUIET=1", "DB_HOST=h"}, "host='h'"},
};

#define N_EACH (sizeof(each) / sizeof(each[0]))

static void each_variable_has_its_effect(void **state)
{
	const struct variable_row *row;

	(void)state;
	for (size_t i = 0; i < N_EACH; i++)
		assert_leaves(each[i].variables, each[i].what);
	for (unsigned i = 0; (row = variable_row_at(i)) != NULL; i++) {
		size_t n = 0;

		while (n < N_EACH && (strncmp(each[n].variables[0], row->name, strlen(row->name)) != 0 ||
		                      each[n].variables[0][strlen(row->name)] != '='))
			n++;
		if (n == N_EACH)
			fail_msg("%s is not tested", row->name);
	}
}

/* "PREFIX" and "a_name" → "PREFIXA_NAME=value" */
static void put_variable(char *out, size_t size, const char *prefix, const char *name, const char *value)
{
	snprintf(out, size, "%s%s=%s", prefix, name, value);
	for (char *c = out; *c != '='; c++)
		*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
}

/* A value that this name takes: the first of many that is taken. */
static bool takes(const char *prefix, const char *name, const char *host, char *variable, size_t size,
                  const char **value)
{
	static const char *const values[] = {"7",    "1",          "session",     "disable",    "any",
	                                     "3.0",  "compatible", "text",        "off",        "postgres",
	                                     "0777", "a=host=h",   "round-robin", "127.0.0.1:1"};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct environment e;
		struct conf_error why;
		struct config *c;
		const char *variables[3];

		put_variable(variable, size, prefix, name, values[i]);
		variables[0] = variable;
		/* one of these keys is the host itself */
		variables[1] = strcmp(name, "host") == 0 ? NULL : host;
		variables[2] = NULL;
		e = bench_environment(variables, NULL);
		memset(&why, 0, sizeof(why));
		c = config_from_environment(&e, NULL, &why);
		*value = values[i];
		config_unref(c);
		if (c != NULL)
			return true;
	}
	return false;
}

static void every_setting_is_a_variable_with_and_without_prefix(void **state)
{
	static const char *const prefixes[] = {"", "PGBOUNCER_"};
	char variable[200], line[200];
	const char *value;

	(void)state;
	for (int id = 0; id < N_SETTINGS; id++) {
		for (size_t k = 0; k < 2; k++) {
			const char *name = setting_name((enum setting_id)id);

			/* one without the other is refused; and this one is not taken */
			if (id == SETTING_http_auth_user || id == SETTING_http_auth_password || id == SETTING_user ||
			    id == SETTING_conffile)
				continue;
			if (!takes(prefixes[k], name, "DB_HOST=h", variable, sizeof(variable), &value)) {
				if (id == SETTING_auth_ldap_options)
					continue;
				fail_msg("%s is not taken", variable);
			}
			snprintf(line, sizeof(line), "%s = %s\n", name, value);
			assert_leaves(ENV(variable, "DB_HOST=h"), line);
		}
	}
	assert_leaves(ENV("HTTP_AUTH_USER=ann", "HTTP_AUTH_PASSWORD=p w", "DB_HOST=h"),
	              "http_auth_user = ann\nhttp_auth_password = p w\n");
	assert_leaves(ENV("PGBOUNCER_AUTH_LDAP_OPTIONS=ldapserver=h ldapprefix=u", "DB_HOST=h"),
	              "auth_ldap_options = ldapserver=h ldapprefix=u\n");
	assert_leaves(ENV("AUTH_LDAP_OPTIONS=ldapserver", "DB_HOST=h"), "environment variable AUTH_LDAP_OPTIONS: ");
}

static void every_key_of_a_database_is_a_variable(void **state)
{
	char variable[200], pair[200];
	const char *key, *value;

	(void)state;
	for (unsigned i = 0; (key = conf_database_key(i)) != NULL; i++) {
		if (!takes("DATABASES_", key, "DATABASES_HOST=h", variable, sizeof(variable), &value))
			fail_msg("%s is not taken", variable);
		snprintf(pair, sizeof(pair), " %s='%s'", key, value);
		assert_leaves(ENV(variable, strcmp(key, "host") == 0 ? "A=b" : "DATABASES_HOST=h"), pair);
	}
}

static void the_setting_of_root_is_written_for_root(void **state)
{
	const char *const *variables = ENV("PGBOUNCER_USER=ann", "DB_HOST=h");
	struct environment e = bench_environment(variables, NULL);
	struct conf_error why;
	struct config *c;

	(void)state;
	e.is_superuser = true;
	c = config_from_environment(&e, NULL, &why);
	assert_non_null(c);
	assert_string_equal(c->settings.user, "ann");
	config_unref(c);
}

static void without_a_place_for_it_there_is_no_socket(void **state)
{
	const char *const *variables = ENV("DATABASES_HOST=h"),
	                  *const *chosen = ENV("DATABASES_HOST=h", "UNIX_SOCKET_DIR=/x"),
	                  *const *none = ENV("POSTGRESQL_PASSWORD=h", "PGBOUNCER_SOCKET_DIR=");
	struct environment e = bench_environment(variables, NULL);
	struct conf_error why;
	struct config *c;

	(void)state;
	e.can_write = bench_cannot_write;
	c = config_from_environment(&e, NULL, &why);
	assert_non_null(c);
	assert_string_equal(c->settings.unix_socket_dir, "");
	config_unref(c);
	/* who asks for one is told when it cannot be made */
	e.variables = (char *const *)(uintptr_t)chosen;
	c = config_from_environment(&e, NULL, &why);
	assert_non_null(c);
	assert_string_equal(c->settings.unix_socket_dir, "/x");
	config_unref(c);
	e.variables = (char *const *)(uintptr_t)none;
	e.can_write = bench_can_write;
	c = config_from_environment(&e, NULL, &why);
	assert_non_null(c);
	assert_string_equal(c->settings.unix_socket_dir, "");
	config_unref(c);
}

static void the_console_is_for_postgres_if_there_is_one(void **state)
{
	static const struct {
		const char *variables[5], *admin_users;
	} cases[] = {
	    {{"DB_HOST=h"}, ""},
	    {{"DB_HOST=h", "DB_USER=ann", "DB_PASSWORD=p"}, ""},
	    {{"DB_HOST=h", "DB_PASSWORD=p"}, "postgres"},
	    {{"DB_HOST=h", "AUTH_TYPE=any"}, "postgres"},
	    {{"DB_HOST=h", "AUTH_TYPE=HBA", "AUTH_HBA_FILE=/x"}, "postgres"},
	    {{"DB_HOST=h", "AUTH_USER=asker"}, "postgres"},
	    {{"DB_HOST=h", "ADMIN_USERS=ann"}, "ann"},
	    {{"DATABASES_HOST=h"}, "postgres"},
	    {{"DATABASES_HOST=h", "AUTH_TYPE=md5"}, ""},
	    {{"POSTGRESQL_PASSWORD=p", "POSTGRESQL_USERNAME=ann"}, "ann"},
	};
	struct fake_file files[] = {{ENVIRONMENT_USERS, "", 0}, {NULL, NULL, 0}};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = bench_load(cases[i].variables, NULL);
		assert_string_equal(c->settings.admin_users, cases[i].admin_users);
		config_unref(c);
	}
	c = bench_load(cases[0].variables, files);
	assert_string_equal(c->settings.admin_users, "postgres");
	config_unref(c);
}

/* ---- what does not fit together ---- */

static void contradictions_name_both(void **state)
{
#define BOTH(a, b) "environment variables " a " and " b " contradict each other"
#define KEEP " / Keep one of them.\n"
#define IMAGES(x, y) ": they name servers by the conventions of " x " and of " y " / Keep the variables of one image.\n"
	(void)state;
	assert_errors(ENV("DATABASE_URL=postgres://u:p@h:1/d", "DB_HOST=x", "DB_PORT=2", "DB_NAME=e", "DB_USER=v",
	                  "DB_PASSWORD=q"),
	              NULL,
	              BOTH("DATABASE_URL", "DB_HOST") KEEP BOTH("DATABASE_URL", "DB_PORT")
	                  KEEP BOTH("DATABASE_URL", "DB_NAME") KEEP BOTH("DATABASE_URL", "DB_USER")
	                      KEEP BOTH("DATABASE_URL", "DB_PASSWORD") KEEP);
	assert_errors(ENV("DB_HOST=a", "DATABASES_HOST=b"), NULL,
	              BOTH("DB_HOST", "DATABASES_HOST") IMAGES("edoburu/pgbouncer", "pgbouncer/pgbouncer"));
	assert_errors(ENV("DATABASES_HOST=b", "POSTGRESQL_HOST=c"), NULL,
	              BOTH("DATABASES_HOST", "POSTGRESQL_HOST") IMAGES("pgbouncer/pgbouncer", "bitnami/pgbouncer"));
	assert_errors(ENV("DATABASE_URL=postgres://h/d", "PGBOUNCER_DSN_3=a=host=h"), NULL,
	              BOTH("DATABASE_URL", "PGBOUNCER_DSN_3") IMAGES("edoburu/pgbouncer", "bitnami/pgbouncer"));
	assert_errors(ENV("DB_HOST=h", "POOL_MODE=session", "PGBOUNCER_POOL_MODE=statement"), NULL,
	              BOTH("POOL_MODE", "PGBOUNCER_POOL_MODE") " / Both set pool_mode. Keep one of them.\n");
	assert_errors(ENV("DB_HOST=h", "PGBOUNCER_PORT=1", "LISTEN_PORT=2", "PGBOUNCER_LISTEN_PORT=1"), NULL,
	              BOTH("PGBOUNCER_PORT", "LISTEN_PORT") " / Both set listen_port. Keep one of them.\n");
	assert_errors(
	    ENV("DATABASE_URLS=postgres://u:p@h/a,postgres://u:q@i/b"), NULL,
	    "environment variable DATABASE_URLS: user \"u\" has two passwords / One user has one password here, "
	    "in all databases.\n");
#undef BOTH
#undef KEEP
#undef IMAGES
}

static void what_says_the_same_twice_is_no_contradiction(void **state)
{
	(void)state;
	assert_errors(ENV("DATABASE_URL=postgres://u:p@h:1/d", "DB_HOST=h", "DB_PORT=1", "DB_NAME=d", "DB_USER=u",
	                  "DB_PASSWORD=p"),
	              NULL, "");
	assert_errors(ENV("DB_HOST=h", "POSTGRESQL_HOST=h", "DATABASES_HOST=h"), NULL, "");
	assert_errors(ENV("DB_HOST=h", "POOL_MODE=session", "PGBOUNCER_POOL_MODE=session"), NULL, "");
}

static void a_url_is_completed_by_single_variables(void **state)
{
	(void)state;
	assert_made(ENV("DATABASE_URL= postgres://u@h\n", "DB_PASSWORD=p", "DB_NAME=d", "DB_PORT=7"),
	            "[databases]\n\"d\" = host='h' port='7' auth_user='u'\n"
	            "\n[pgbouncer]\nauth_file = /etc/pgbouncer/userlist.txt\nauth_type = md5\n"
	            "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\nlisten_port = 5432\n"
	            "unix_socket_dir = \n" COMMON,
	            "\"u\" \"p\"\n");
}

static void what_is_missing_is_named(void **state)
{
#define FOR(name) " / Set " name " to the name or the address of PostgreSQL, for example " name "=db.\n"
	(void)state;
	assert_errors((const char *const[]){NULL}, NULL,
	              "there is nothing to serve: no environment variable names a server, and there is no file "
	              "/etc/pgbouncer/pgbouncer.ini / Set one, for example: "
	              "DATABASE_URL=postgres://user:password@host:5432/database\n");
	assert_errors(ENV("DB_USER=u"), NULL,
	              "environment variable DB_HOST is not set, but DB_USER is: no server is named" FOR("DB_HOST"));
	assert_errors(ENV("DATABASES_USER=u"), NULL,
	              "environment variable DATABASES_HOST is not set, but DATABASES_USER is: no server is named" FOR(
	                  "DATABASES_HOST"));
	assert_errors(
	    ENV("PGBOUNCER_DATABASE=d"), NULL,
	    "environment variable POSTGRESQL_PASSWORD is not set / Set it, or POSTGRESQL_PASSWORD_FILE, or mount "
	    "/etc/pgbouncer/userlist.txt.\n");
	assert_errors(ENV("PGBOUNCER_DATABASE=d", "PGBOUNCER_AUTH_TYPE=trust"), NULL, "");
	assert_errors(ENV("PGBOUNCER_DATABASE=d", "PGBOUNCER_USERLIST=\"a\" \"b\""), NULL, "");
	assert_errors(ENV("DATABASE_URL=postgres:///d"), NULL,
	              "environment variable DATABASE_URL: the URL names no host / The form is "
	              "postgres://user:password@host:port/database.\n");
	assert_errors(ENV("DATABASE_URL= , "), NULL,
	              "environment variable DATABASE_URL: it is no URL of PostgreSQL / The form is "
	              "postgres://user:password@host:port/database.\n");
#undef FOR
}

static void what_is_wrong_is_named_all_of_it(void **state)
{
	(void)state;
	assert_errors(
	    ENV("DB_HOST=a,,b", "DB_PORT=0", "DB_NAME=pgbouncer", "POOL_MODE=fast", "LISTEN_PORT=many"), NULL,
	    "environment variable DB_NAME: database name \"pgbouncer\" is reserved / It is the console. Give "
	    "the entry another name and add dbname=pgbouncer.\n"
	    "environment variable DB_HOST: a name is missing in host \"a,,b\" for database \"*\"\n"
	    "environment variable DB_PORT: invalid port: 0 for database \"*\": must be from 1 to 65535\n"
	    "environment variable LISTEN_PORT: invalid value \"many\" for parameter listen_port: must be a whole "
	    "number from 1 to 65535\n"
	    "environment variable POOL_MODE: invalid value \"fast\" for parameter pool_mode: must be one of "
	    "session, transaction, statement\n");
	assert_errors(
	    ENV("POSTGRESQL_PASSWORD=p", "PGBOUNCER_DSN_0=geheim", "PGBOUNCER_DSN_1==x", "PGBOUNCER_DSN_2=a=hots=x",
	        "PGBOUNCER_USERLIST=geheim", "PGBOUNCER_SET_DATABASE_USER=maybe"),
	    NULL,
	    "environment variable PGBOUNCER_USERLIST: broken auth file (PGBOUNCER_USERLIST:1): there is no name in "
	    "double quotes / A line is \"name\" \"secret\", both in double quotes; a quote inside is written "
	    "twice. Comments start with a semicolon.\n"
	    "environment variable PGBOUNCER_SET_DATABASE_USER: invalid value \"maybe\": must be yes or no\n"
	    "environment variable PGBOUNCER_DSN_0: a line of [databases] is expected / The form is: name=host=db "
	    "port=5432 dbname=app\n"
	    "environment variable PGBOUNCER_DSN_1: a line of [databases] is expected / The form is: name=host=db "
	    "port=5432 dbname=app\n"
	    "environment variable PGBOUNCER_DSN_2: unrecognized connection parameter: hots for database \"a\"\n");
}

static void line_ends_are_refused_where_files_cannot_hold_them(void **state)
{
#define LINE                                                                                                           \
	": there is a line break in the value / Write the value on one line; a line break at its end often comes "     \
	"from \"echo\" without -n.\n"
	(void)state;
	assert_errors(ENV("DB_HOST=h", "DB_PASSWORD=p\n"), NULL, "environment variable DB_PASSWORD" LINE);
	assert_errors(ENV("DB_HOST=h", "DB_NAME=a\nb = host=evil"), NULL, "environment variable DB_NAME" LINE);
	assert_errors(ENV("DB_HOST=h\r"), NULL, "environment variable DB_HOST" LINE);
	assert_errors(ENV("DB_HOST=h", "ADMIN_USERS=a\nauth_type = any"), NULL,
	              "environment variable ADMIN_USERS" LINE);
	assert_errors(
	    ENV("DB_HOST=h", "DB_USER=a\x01", "DB_PASSWORD=x"), NULL,
	    "environment variable DB_USER: there is a control character in the value / Write the value on one line; "
	    "a line break at its end often comes from \"echo\" without -n.\n"
	    "environment variable DB_USER: there is a control character in the value / Write the value on one line; "
	    "a line break at its end often comes from \"echo\" without -n.\n");
	/* around the values of settings they are nothing, as in a file */
	assert_leaves(ENV("SERVER_RESET_QUERY= DISCARD ALL;\n", "DB_HOST=h"), "server_reset_query = DISCARD ALL;\n");
	assert_errors(
	    ENV("DB_HOST=h", "HTTP_AUTH_USER=u", "HTTP_AUTH_PASSWORD= x"), NULL,
	    "environment variable HTTP_AUTH_PASSWORD: there is a blank or a line break at the beginning or at the "
	    "end of the value\n");
#undef LINE
}

/* ---- values that mean harm ---- */

/* Nothing that was not meant to: what a value brings about is its own, or an error that names the variable. */
static void assert_harmless(const char *name, const char *value, const char *const *more)
{
	const char *variables[6] = {NULL};
	struct environment e;
	struct environment_made *m;
	struct conf_error why;
	struct config *c;
	struct str text;

	str_init(&text, 1024 * 1024);
	str_printf(&text, "%s=%s", name, value);
	variables[0] = str_text(&text);
	for (int i = 0; more[i] != NULL; i++)
		variables[i + 1] = more[i];
	e = bench_environment(variables, NULL);
	m = environment_make(&e);
	assert_non_null(m);
	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	if (c == NULL && strstr(why.text, name) == NULL && strstr(why.text, "is not set") == NULL)
		fail_msg("%s is not named: %s", name, why.text);
	if (c != NULL) {
		if (strstr(name, "ADMIN_USERS") == NULL && strstr(name, "USERNAME") == NULL)
			assert_false(conf_list_has(c->settings.admin_users, "evil"));
		assert_null(config_find_login(c, "evil"));
		if (strstr(name, "AUTH_TYPE") == NULL)
			assert_int_not_equal(c->settings.auth_type, AUTH_TYPE_TRUST);
		assert_int_equal(c->settings.max_client_conn, 321);
	}
	config_unref(c);
	environment_free(m);
	str_fini(&text);
}

static void assert_all_harmless(const char *name, const char *const *more)
{
	static const char *const values[] = {"",
	                                     "x\nadmin_users = evil",
	                                     "x\n[pgbouncer]\nauth_type = trust",
	                                     "x' user='evil' password='y",
	                                     "x\" = host=h\nadmin_users = evil",
	                                     "x\"\n\"evil\" \"evil",
	                                     "\" \"evil\" \"evil\"",
	                                     "%include /etc/passwd",
	                                     "[pgbouncer]",
	                                     "; comment",
	                                     "#",
	                                     "%",
	                                     "%s%s%n",
	                                     "''\"\"\\",
	                                     "\xff\xfe\x80",
	                                     "\r\n\t\v",
	                                     "\x7f\x1b[2J",
	                                     "-1",
	                                     "99999999999999999999",
	                                     "0x",
	                                     " ",
	                                     "=",
	                                     ",",
	                                     "*",
	                                     "pgbouncer",
	                                     "a=b=c",
	                                     "postgres://",
	                                     "postgres://u:p@h:5432,:/d?sslmode=%00"};
	static char huge[100 * 1024];

	memset(huge, 'x', sizeof(huge) - 1);
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		assert_harmless(name, values[i], more);
	assert_harmless(name, huge, more);
	huge[60 * 1024] = '\0';
	assert_harmless(name, huge, more);
}

static const char *const *company_of(enum image image)
{
	static const char *const edoburu[] = {"DB_HOST=h", "DB_PASSWORD=p", "PGBOUNCER_MAX_CLIENT_CONN=321", NULL};
	static const char *const project[] = {"DATABASES_HOST=h", "DATABASES_PASSWORD=p",
	                                      "PGBOUNCER_MAX_CLIENT_CONN=321", NULL};
	static const char *const bitnami_own[] = {"POSTGRESQL_PASSWORD=p", "PGBOUNCER_MAX_CLIENT_CONN=321", NULL};

	if (image == IMAGE_PROJECT)
		return project;
	return image == IMAGE_BITNAMI ? bitnami_own : edoburu;
}

static void hostile_values_of_any_variable_do_no_harm(void **state)
{
	const struct variable_row *row;
	char name[100];
	const char *key;

	(void)state;
	for (unsigned i = 0; (row = variable_row_at(i)) != NULL; i++)
		assert_all_harmless(row->name, company_of(row->image));
	for (int id = 0; id < N_SETTINGS; id++) {
		put_variable(name, sizeof(name), "", setting_name((enum setting_id)id), "");
		name[strlen(name) - 1] = '\0';
		if (id != SETTING_max_client_conn && id != SETTING_user)
			assert_all_harmless(name, company_of(IMAGE_EDOBURU));
	}
	for (unsigned i = 0; (key = conf_database_key(i)) != NULL; i++) {
		put_variable(name, sizeof(name), "DATABASES_", key, "");
		name[strlen(name) - 1] = '\0';
		assert_all_harmless(name, company_of(IMAGE_PROJECT));
	}
	assert_all_harmless("PGBOUNCER_DSN_0", company_of(IMAGE_BITNAMI));
}

static void quotes_in_values_stay_what_they_are(void **state)
{
	struct config *c = bench_load(
	    ENV("DB_HOST=h", "DB_NAME=it's \"mine\" = host=x; #", "DB_USER=o'h \"x\"", "DB_PASSWORD=a\"b'c\\ d%e;#"),
	    NULL);
	const struct conf_login *login = config_find_login(c, "o'h \"x\"");

	(void)state;
	assert_non_null(login);
	assert_string_equal(login->secret, "a\"b'c\\ d%e;#");
	assert_string_equal(config_database(c, 0)->name, "it's \"mine\" = host=x; #");
	assert_string_equal(config_database(c, 0)->auth_user, "o'h \"x\"");
	config_unref(c);
}

static void a_name_with_a_comma_gets_no_rights_for_its_parts(void **state)
{
	struct config *c = bench_load(ENV("POSTGRESQL_USERNAME=ann,root", "POSTGRESQL_PASSWORD=p"), NULL);

	(void)state;
	assert_string_equal(c->settings.admin_users, "");
	config_unref(c);
}

/* ---- what has no effect ---- */

static void variables_without_effect_are_told(void **state)
{
	(void)state;
	assert_notices(ENV("DB_HOST=h", "POSTGRESQL_PASSWORD=x", "DATABASES_USER=y", "PGBOUNCER_POOL_MODE=session"),
	               NULL,
	               "environment variables without effect, because those of edoburu/pgbouncer count: "
	               "POSTGRESQL_PASSWORD, DATABASES_USER\n");
	assert_notices(ENV("DATABASE_URLS=postgres://h/d", "DATABASE_URL=postgres://h/e", "DB_PORT=1"), NULL,
	               "environment variables without effect, because others count: DATABASE_URL, DB_PORT\n");
	assert_notices(ENV("DATABASE_URL=postgres://h/d?schema=x&pool=5"), NULL,
	               "environment variable DATABASE_URL: parameter \"schema\" of the URL has no effect\n"
	               "environment variable DATABASE_URL: parameter \"pool\" of the URL has no effect\n");
	assert_notices(ENV("DATABASE_URLS=postgres://h/d,postgres://i/d"), NULL,
	               "database \"d\" is defined more than once in environment variables: the last one counts\n");
	assert_notices(ENV("DB_HOST=h", "SUSPEND_TIMEOUT=3"), NULL,
	               "environment variable SUSPEND_TIMEOUT has no effect: the command it belonged to is gone\n");
	/* theirs means something else in other surroundings */
	assert_notices(ENV("POSTGRESQL_PASSWORD=x", "TIMEZONE=UTC", "POOL_SIZE=3"), NULL, "");
}

static void very_many_names_that_are_not_known_are_told(void **state)
{
	static char names[400][32];
	static const char *variables[402];
	struct config *c;

	(void)state;
	variables[0] = "DB_HOST=h";
	for (int i = 0; i < 400; i++)
		variables[i + 1] = names[i];
	for (int i = 0; i < 400; i++)
		snprintf(names[i], sizeof(names[i]), "DB_XYZ_ABCD_%d=1", i);
	c = bench_load(variables, NULL);
	assert_int_equal(c->notices.n, 400);
	config_unref(c);
}

static void very_many_names_without_effect_are_cut(void **state)
{
	static char names[40][64];
	static const char *variables[42];
	struct config *c;
	const char *key;

	(void)state;
	variables[0] = "DB_HOST=h";
	for (unsigned i = 0, n = 1; n < 41 && (key = conf_database_key(i)) != NULL; i++) {
		if (strcmp(key, "host") == 0)
			continue;
		put_variable(names[n - 1], sizeof(names[0]), "DATABASES_", key, "1");
		variables[n] = names[n - 1];
		n++;
	}
	c = bench_load(variables, NULL);
	assert_int_equal(c->notices.n, 1);
	assert_non_null(
	    strstr(c->notices.text[0], "those of edoburu/pgbouncer count: DATABASES_DBNAME, DATABASES_PORT"));
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(edoburu_with_a_url),
	    cmocka_unit_test(edoburu_with_single_variables),
	    cmocka_unit_test(edoburu_with_nothing_but_a_host),
	    cmocka_unit_test(edoburu_with_several_urls),
	    cmocka_unit_test(the_projects_own_image),
	    cmocka_unit_test(the_projects_own_image_with_whole_lines),
	    cmocka_unit_test(bitnami),
	    cmocka_unit_test(bitnami_with_all_that_it_has),
	    cmocka_unit_test(each_variable_has_its_effect),
	    cmocka_unit_test(every_setting_is_a_variable_with_and_without_prefix),
	    cmocka_unit_test(every_key_of_a_database_is_a_variable),
	    cmocka_unit_test(the_setting_of_root_is_written_for_root),
	    cmocka_unit_test(without_a_place_for_it_there_is_no_socket),
	    cmocka_unit_test(the_console_is_for_postgres_if_there_is_one),
	    cmocka_unit_test(contradictions_name_both),
	    cmocka_unit_test(what_says_the_same_twice_is_no_contradiction),
	    cmocka_unit_test(a_url_is_completed_by_single_variables),
	    cmocka_unit_test(what_is_missing_is_named),
	    cmocka_unit_test(what_is_wrong_is_named_all_of_it),
	    cmocka_unit_test(line_ends_are_refused_where_files_cannot_hold_them),
	    cmocka_unit_test(hostile_values_of_any_variable_do_no_harm),
	    cmocka_unit_test(quotes_in_values_stay_what_they_are),
	    cmocka_unit_test(a_name_with_a_comma_gets_no_rights_for_its_parts),
	    cmocka_unit_test(variables_without_effect_are_told),
	    cmocka_unit_test(very_many_names_that_are_not_known_are_told),
	    cmocka_unit_test(very_many_names_without_effect_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
