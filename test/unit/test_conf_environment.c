/* Environment variables as a configuration: what is mounted wins, and errors name variables, not lines. */
#include "environment_bench.h"

#include "base/mem.h"

#define MOUNTED                                                                                                        \
	"[databases]\napp = host=h password=geheim\n[pgbouncer]\nauth_file = "                                         \
	"/etc/pgbouncer/userlist.txt\nlisten_port = 7\n"

static struct environment_made *make(const struct environment *e)
{
	struct environment_made *m = environment_make(e);

	assert_non_null(m);
	return m;
}

static struct config *load(struct environment_made *m)
{
	struct conf_error why;
	struct config *c;

	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	if (c == NULL)
		fail_msg("%s", why.text);
	return c;
}

static void assert_described(const struct environment *e, const char *expected)
{
	struct environment_made *m = make(e);
	struct config *c = load(m);
	struct str text;

	str_init(&text, 4096);
	environment_describe(m, c, &text);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
	config_unref(c);
	environment_free(m);
}

static void it_says_whose_conventions_it_follows(void **state)
{
	static const struct {
		const char *variables[3], *said;
	} cases[] = {
	    {{"DB_HOST=h"},
	     "configuration from environment variables, by the conventions of edoburu/pgbouncer, port 5432"},
	    {{"DATABASES_HOST=h"},
	     "configuration from environment variables, by the conventions of pgbouncer/pgbouncer, port 6432"},
	    {{"POSTGRESQL_PASSWORD=h", "PGBOUNCER_PORT=7"},
	     "configuration from environment variables, by the conventions of bitnami/pgbouncer, port 7"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct environment e = bench_environment(cases[i].variables, NULL);

		assert_described(&e, cases[i].said);
	}
}

static void a_mounted_file_wins(void **state)
{
	static const char *const paths[] = {ENVIRONMENT_INI, "/bitnami/pgbouncer/conf/pgbouncer.ini",
	                                    "/opt/bitnami/pgbouncer/conf/pgbouncer.ini"};
	char said[200], notice[400];

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct fake_file files[] = {
		    {paths[i], MOUNTED, 0}, {ENVIRONMENT_USERS, "\"ann\" \"x\"\n", 0}, {NULL, NULL, 0}};
		const char *const *variables = ENV("DATABASES_HOST=other", "POOL_MODE=statement",
		                                   "PGBOUNCER_AUTH_FILE=/none", "DATABASES=a=host=b", "QUIET=1");
		struct environment e = bench_environment(variables, files);

		snprintf(said, sizeof(said),
		         "configuration from the file %s, port 7; users from the file " ENVIRONMENT_USERS, paths[i]);
		assert_described(&e, said);
		snprintf(notice, sizeof(notice),
		         "environment variables without effect, because there is a file %s: DATABASES_HOST, POOL_MODE, "
		         "PGBOUNCER_AUTH_FILE, DATABASES\n",
		         paths[i]);
		assert_notices(variables, files, notice);
		assert_true(environment_has_path(paths[i]));
	}
	assert_false(environment_has_path("/other"));
	assert_false(environment_has_path(NULL));
}

static void a_mounted_file_needs_no_variables_and_no_sense_in_them(void **state)
{
	struct fake_file files[] = {{ENVIRONMENT_INI, MOUNTED, 0}, {NULL, NULL, 0}};
	struct config *c = bench_load((const char *const[]){NULL}, files);

	(void)state;
	assert_int_equal(c->settings.listen_port, 7);
	assert_false(c->is_file_made);
	assert_false(c->is_user_list_made);
	config_unref(c);
	assert_errors(ENV("DB_HOST=a", "POSTGRESQL_HOST=b", "DB_PORT=x", "DB_NAME=y", "POOL_MODE=none"), files, "");
	assert_errors(ENV("DB_NAME=y"), files, "");
	assert_errors(ENV("DATABASES_USER=y"), files, "");
	/* but a file that a variable names must be there: it may have been meant for the list */
	assert_errors(
	    ENV("DB_PASSWORD_FILE=/none"), files,
	    "environment variable DB_PASSWORD_FILE: could not read file \"/none\": No such file or directory / "
	    "DB_PASSWORD_FILE is the path of a file that holds the value. Mount it into the container, or set "
	    "DB_PASSWORD to the value itself.\n");
}

static void a_mounted_file_gets_its_users_from_variables_if_it_has_no_list(void **state)
{
	struct fake_file files[] = {{ENVIRONMENT_INI, MOUNTED, 0}, {NULL, NULL, 0}};
	struct fake_file other[] = {
	    {ENVIRONMENT_INI, "[pgbouncer]\nauth_file = /x\n", 0}, {"/x", "", 0}, {NULL, NULL, 0}};
	struct config *c = bench_load(ENV("DB_USER=ann", "DB_PASSWORD=p"), files);

	(void)state;
	assert_non_null(config_find_login(c, "ann"));
	assert_true(c->is_user_list_made);
	config_unref(c);
	assert_notices(
	    ENV("DB_USER=ann", "DB_PASSWORD=p"), other,
	    "users of environment variables have no effect, because /etc/pgbouncer/pgbouncer.ini has another "
	    "auth_file, or none\n");
}

static void a_mounted_list_wins(void **state)
{
	struct fake_file files[] = {{ENVIRONMENT_USERS, "\"ann\" \"x\"\n", 0}, {NULL, NULL, 0}};
	struct config *c = bench_load(ENV("POSTGRESQL_USERNAME=bob", "POSTGRESQL_PASSWORD=p"), files);

	(void)state;
	assert_non_null(config_find_login(c, "ann"));
	assert_null(config_find_login(c, "bob"));
	assert_string_equal(c->settings.auth_file, ENVIRONMENT_USERS);
	assert_true(c->is_file_made);
	assert_false(c->is_user_list_made);
	config_unref(c);
	assert_notices(ENV("POSTGRESQL_USERNAME=bob", "POSTGRESQL_PASSWORD=p", "PGBOUNCER_USERLIST=\"c\" \"d\""), files,
	               "environment variables without effect, because there is a file /etc/pgbouncer/userlist.txt: "
	               "POSTGRESQL_USERNAME, POSTGRESQL_PASSWORD, PGBOUNCER_USERLIST\n");
	/* nobody needs the password then */
	assert_errors(ENV("POSTGRESQL_USERNAME=bob"), files, "");
	/* but who is named becomes an administrator: that is a line of the file, and stays one */
	assert_errors(
	    ENV("POSTGRESQL_USERNAME=bob\nmax_client_conn = 7"), files,
	    "environment variable POSTGRESQL_USERNAME: there is a line break in the value / Write the value on "
	    "one line; a line break at its end often comes from \"echo\" without -n.\n");
}

static void with_edoburus_conventions_the_user_is_added_to_it(void **state)
{
	struct fake_file files[] = {{ENVIRONMENT_USERS, "; people\n\"ann\" \"x\"", 0}, {NULL, NULL, 0}};
	struct config *c = bench_load(ENV("DB_HOST=h", "DB_USER=bob", "DB_PASSWORD=p"), files);

	(void)state;
	assert_string_equal(config_find_login(c, "ann")->secret, "x");
	assert_string_equal(config_find_login(c, "bob")->secret, "p");
	assert_null(config_find_login(c, "ann")->variable);
	assert_string_equal(config_find_login(c, "bob")->variable, "DB_PASSWORD, DB_USER");
	config_unref(c);
	c = bench_load(ENV("DB_HOST=h", "DB_USER=ann", "DB_PASSWORD=p"), files);
	assert_string_equal(config_find_login(c, "ann")->secret, "x");
	assert_int_equal(c->notices.n, 1);
	assert_string_equal(c->notices.text[0], "environment variables without effect, because there is a file "
	                                        "/etc/pgbouncer/userlist.txt: DB_PASSWORD");
	config_unref(c);
}

static void a_list_in_another_place_is_read_there(void **state)
{
	struct fake_file files[] = {
	    {"/lists/a", "\"ann\" \"x\"\n", 0}, {"/etc/pgbouncer/near", "\"bob\" \"y\"\n", 0}, {NULL, NULL, 0}};
	struct config *c;

	(void)state;
	c = bench_load(ENV("DB_HOST=h", "AUTH_FILE=/lists/a", "DB_PASSWORD=p"), files);
	assert_non_null(config_find_login(c, "ann"));
	assert_non_null(config_find_login(c, "postgres"));
	config_unref(c);
	c = bench_load(ENV("DB_HOST=h", "AUTH_FILE=near", "DB_PASSWORD=p"), files);
	assert_non_null(config_find_login(c, "bob"));
	assert_non_null(config_find_login(c, "postgres"));
	config_unref(c);
	/* nor there: edoburu/pgbouncer would make it, the others would not */
	c = bench_load(ENV("DB_HOST=h", "AUTH_FILE=/lists/none", "DB_PASSWORD=p"), files);
	assert_non_null(config_find_login(c, "postgres"));
	assert_int_equal(c->notices.n, 0);
	config_unref(c);
	c = bench_load(ENV("DATABASES_HOST=h", "PGBOUNCER_AUTH_FILE=/lists/none", "DATABASES_PASSWORD=p"), files);
	assert_null(config_find_login(c, "postgres"));
	assert_int_equal(c->notices.n, 1);
	config_unref(c);
}

static void a_mount_that_cannot_be_read_is_an_error(void **state)
{
	struct fake_file directory[] = {{ENVIRONMENT_INI, NULL, EISDIR}, {NULL, NULL, 0}};
	struct fake_file closed[] = {{ENVIRONMENT_USERS, NULL, EACCES}, {NULL, NULL, 0}};

	(void)state;
	assert_errors(
	    ENV("DB_HOST=h"), directory,
	    "could not read file \"/etc/pgbouncer/pgbouncer.ini\": Is a directory / Docker makes a directory where "
	    "the file to be mounted is not on the host: look at its path there.\n");
	assert_errors(
	    ENV("DB_HOST=h"), closed,
	    "could not read file \"/etc/pgbouncer/userlist.txt\": Permission denied / Let the account that the "
	    "container runs as read it.\n");
}

static void assert_fails(const char *const *variables, struct fake_file *files, const char *text)
{
	struct environment e = bench_environment(variables, files);
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	assert_null(config_from_environment(&e, NULL, &why));
	assert_string_equal(why.text, text);
}

static void what_only_the_loader_sees_is_placed_too(void **state)
{
	struct fake_file ini[] = {{ENVIRONMENT_INI, "[pgbouncer]\nlisten_port = x\n", 0}, {NULL, NULL, 0}};
	struct fake_file users[] = {{ENVIRONMENT_USERS, "\"ann\"\n", 0}, {NULL, NULL, 0}};

	(void)state;
#ifdef HAVE_LDAP
	assert_fails(ENV("DB_HOST=h", "AUTH_TYPE=ldap"), NULL,
	             "auth_type = ldap needs auth_ldap_options, which is empty");
#endif
	/* mounted files have lines */
	assert_fails(
	    ENV("DB_HOST=h"), ini,
	    "invalid value \"x\" for parameter listen_port in configuration (/etc/pgbouncer/pgbouncer.ini:2): must be "
	    "a whole number from 1 to 65535");
	assert_fails(
	    ENV("DB_HOST=h"), users,
	    "broken auth file (/etc/pgbouncer/userlist.txt:1): after the name there is no secret in double quotes");
}

static void lines_of_texts_lead_to_variables(void **state)
{
	const char *const *variables = ENV("DB_HOST=h", "DB_PASSWORD=p", "POOL_MODE=session");
	struct environment e = bench_environment(variables, NULL);
	struct environment_made *m = make(&e);
	struct conf_error why;

	(void)state;
	(void)conf_fail(&why, ENVIRONMENT_INI, 2, "wrong word%s: this", conf_place(ENVIRONMENT_INI, 2).text);
	environment_place(m, &why);
	assert_string_equal(why.text, "environment variable DB_HOST: wrong word: this");
	assert_string_equal(why.file, "");
	(void)conf_fail(&why, ENVIRONMENT_USERS, 1, "broken (" ENVIRONMENT_USERS ":1): this");
	environment_place(m, &why);
	assert_string_equal(why.text, "environment variable DB_PASSWORD: broken: this");
	/* a default, another file, beyond the end */
	(void)conf_fail(&why, ENVIRONMENT_INI, 5, "x");
	environment_place(m, &why);
	assert_string_equal(why.text, "x");
	(void)conf_fail(&why, "/other", 2, "x");
	environment_place(m, &why);
	assert_string_equal(why.text, "x");
	(void)conf_fail(&why, ENVIRONMENT_INI, 99, "x");
	environment_place(m, &why);
	assert_string_equal(why.text, "x");
	(void)conf_fail(&why, NULL, 0, "x");
	environment_place(m, &why);
	assert_string_equal(why.text, "x");
	environment_free(m);
}

static void verdicts_will_name_the_variable(void **state)
{
	struct config *c = bench_load(ENV("DATABASE_URL=postgres://u:p@h/d"), NULL);

	(void)state;
	assert_string_equal(config_database(c, 0)->file, "environment variable DATABASE_URL");
	assert_int_equal(config_database(c, 0)->line, 0);
	assert_string_equal(config_login(c, 0)->variable, "DATABASE_URL");
	config_unref(c);
}

static void of_users_named_twice_the_log_says_which_variable_counts(void **state)
{
	(void)state;
	assert_notices(
	    ENV("POSTGRESQL_PASSWORD=p", "PGBOUNCER_USERLIST=\"postgres\" \"q\""), NULL,
	    "user \"postgres\" is more than once in auth_file: line 2 counts (/etc/pgbouncer/userlist.txt)\n");
}

static void a_reload_reads_files_anew(void **state)
{
	struct fake_file before[] = {{"/s", "one\n", 0}, {NULL, NULL, 0}},
	                 after[] = {{"/s", "two\n", 0}, {NULL, NULL, 0}}, gone[] = {{NULL, NULL, 0}};
	const char *const *variables = ENV("DB_HOST=h", "DB_PASSWORD_FILE=/s");
	struct environment e = bench_environment(variables, before);
	struct conf_error why;
	struct config *c = config_from_environment(&e, NULL, &why), *fresh;

	(void)state;
	assert_non_null(c);
	assert_string_equal(config_find_login(c, "postgres")->secret, "one");
	e.context = after;
	fresh = config_from_environment(&e, c, &why);
	assert_non_null(fresh);
	assert_string_equal(config_find_login(fresh, "postgres")->secret, "two");
	e.context = gone;
	assert_null(config_from_environment(&e, fresh, &why));
	assert_string_equal(
	    why.text, "environment variable DB_PASSWORD_FILE: could not read file \"/s\": No such file or directory");
	config_unref(c);
	config_unref(fresh);
}

static void assert_shown(const char *const *variables, struct fake_file *files, const char *expected)
{
	struct environment e = bench_environment(variables, files);
	struct environment_made *m = make(&e);
	struct str text;

	str_init(&text, 1024 * 1024);
	environment_show(m, &text);
	assert_string_equal(str_text(&text), expected);
	assert_null(strstr(str_text(&text), "geheim"));
	str_fini(&text);
	environment_free(m);
}

static void what_is_shown_has_no_secrets_and_says_where_it_is_from(void **state)
{
	struct fake_file mounted[] = {
	    {ENVIRONMENT_INI, MOUNTED "; password = geheim\nhttp_auth_password = geheim\n", 0},
	    {ENVIRONMENT_USERS, "\"ann\" \"geheim\"\n", 0},
	    {NULL, NULL, 0}};

	(void)state;
	assert_shown(
	    ENV("DATABASES_HOST=h", "DATABASES_PASSWORD=geheim", "HTTP_AUTH_USER=u", "HTTP_AUTH_PASSWORD=geheim"), NULL,
	    "; /etc/pgbouncer/pgbouncer.ini\n[databases]\n; from DATABASES_HOST, DATABASES_PASSWORD\n"
	    "\"*\" = host='h' port='5432' user='postgres' password='********'\n\n[pgbouncer]\nadmin_users = postgres\n"
	    "auth_file = /etc/pgbouncer/userlist.txt\nauth_type = any\n"
	    "ignore_startup_parameters = extra_float_digits\nlisten_addr = 0.0.0.0\ndrain_timeout = 3\nhttp_listen = "
	    "0.0.0.0:9127\n"
	    "; from HTTP_AUTH_USER\nhttp_auth_user = u\n; from HTTP_AUTH_PASSWORD\nhttp_auth_password = ********\n"
	    "\n; /etc/pgbouncer/userlist.txt\n; from DATABASES_PASSWORD\n\"postgres\" \"********\"\n");
	assert_shown(
	    ENV("DB_HOST=h", "DB_USER=bob", "DB_PASSWORD=geheim"), mounted,
	    "; /etc/pgbouncer/pgbouncer.ini, mounted\n[databases]\napp = host=h password='********'\n[pgbouncer]\n"
	    "auth_file = /etc/pgbouncer/userlist.txt\nlisten_port = 7\nhttp_auth_password = ********\n"
	    "\n; /etc/pgbouncer/userlist.txt, mounted\n\"ann\" \"********\"\n; from DB_PASSWORD, DB_USER\n"
	    "\"bob\" \"********\"\n");
}

static void what_is_shown_can_be_read_as_a_file(void **state)
{
	const char *const *variables =
	    ENV("DATABASE_URL=postgres://u:p@h/d", "POOL_MODE=statement", "DEFAULT_POOL_SIZE=3");
	struct environment e = bench_environment(variables, NULL);
	struct environment_made *m = make(&e);
	struct conf_error why;
	struct config *c;
	struct str text;

	(void)state;
	str_init(&text, 1024 * 1024);
	environment_show(m, &text);
	*strstr(text.data, "\n; /etc/pgbouncer/userlist.txt") = '\0';
	{
		struct fake_file files[] = {{"x.ini", str_text(&text), 0}, {NULL, NULL, 0}};

		c = config_load("x.ini", NULL, fake_read, files, &why);
	}
	assert_non_null(c);
	assert_int_equal(c->settings.default_pool_size, 3);
	config_unref(c);
	str_fini(&text);
	environment_free(m);
}

static void http_is_optional_only_if_nobody_asked_for_it(void **state)
{
	struct fake_file files[] = {{ENVIRONMENT_INI, MOUNTED, 0}, {NULL, NULL, 0}};
	struct config *c = bench_load(ENV("DB_HOST=h"), NULL);

	(void)state;
	assert_string_equal(c->settings.http_listen, "0.0.0.0:9127");
	assert_true(c->is_http_optional);
	config_unref(c);
	c = bench_load(ENV("DB_HOST=h", "HTTP_LISTEN=0.0.0.0:9127"), NULL);
	assert_false(c->is_http_optional);
	config_unref(c);
	c = bench_load(ENV("DB_HOST=h", "HTTP_LISTEN="), NULL);
	assert_string_equal(c->settings.http_listen, "");
	config_unref(c);
	c = bench_load(ENV("DB_HOST=h"), files);
	assert_false(c->is_http_optional);
	assert_string_equal(c->settings.http_listen, "");
	config_unref(c);
}

static void lookups_that_nobody_asked_for_are_known_as_such(void **state)
{
	static const struct {
		const char *variables[4];
		bool usual;
	} cases[] = {
	    {{"DB_HOST=h", "DB_USER=ann"}, true},
	    {{"DATABASE_URL=postgres://u:p@h/d"}, true},
	    {{"DB_HOST=h", "AUTH_QUERY=select x"}, false},
	    {{"DB_HOST=h", "AUTH_DBNAME=d"}, false},
	    {{"DB_HOST=h", "AUTH_USER=u"}, false},
	    {{"DATABASES_HOST=h", "DATABASES_AUTH_USER=u"}, false},
	    {{"POSTGRESQL_PASSWORD=h", "PGBOUNCER_AUTH_USER=u"}, false},
	};
	struct fake_file files[] = {{ENVIRONMENT_INI, MOUNTED, 0}, {NULL, NULL, 0}};
	struct config *c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		c = bench_load(cases[i].variables, NULL);
		assert_int_equal(config_database(c, 0)->is_auth_user_usual, cases[i].usual);
		config_unref(c);
	}
	c = bench_load(cases[0].variables, files);
	assert_false(config_database(c, 0)->is_auth_user_usual);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_says_whose_conventions_it_follows),
	    cmocka_unit_test(a_mounted_file_wins),
	    cmocka_unit_test(a_mounted_file_needs_no_variables_and_no_sense_in_them),
	    cmocka_unit_test(a_mounted_file_gets_its_users_from_variables_if_it_has_no_list),
	    cmocka_unit_test(a_mounted_list_wins),
	    cmocka_unit_test(with_edoburus_conventions_the_user_is_added_to_it),
	    cmocka_unit_test(a_list_in_another_place_is_read_there),
	    cmocka_unit_test(a_mount_that_cannot_be_read_is_an_error),
	    cmocka_unit_test(what_only_the_loader_sees_is_placed_too),
	    cmocka_unit_test(lines_of_texts_lead_to_variables),
	    cmocka_unit_test(verdicts_will_name_the_variable),
	    cmocka_unit_test(of_users_named_twice_the_log_says_which_variable_counts),
	    cmocka_unit_test(a_reload_reads_files_anew),
	    cmocka_unit_test(what_is_shown_has_no_secrets_and_says_where_it_is_from),
	    cmocka_unit_test(what_is_shown_can_be_read_as_a_file),
	    cmocka_unit_test(http_is_optional_only_if_nobody_asked_for_it),
	    cmocka_unit_test(lookups_that_nobody_asked_for_are_known_as_such),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
