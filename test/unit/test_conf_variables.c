/* Which environment variables are for us, and what those say that name files. */
#include "environment_bench.h"

#include "base/mem.h"
#include "conf/entry.h"
#include "conf/variables.h"

static struct variables read_all(const char *const *variables, struct fake_file *files)
{
	struct environment e = bench_environment(variables, files);
	struct variables v;

	assert_true(variables_read(&v, &e));
	return v;
}

/* "NAME<said>=value" of each, and what was noted. */
static void assert_read(const char *const *variables, struct fake_file *files, const char *expected)
{
	struct variables v = read_all(variables, files);
	struct str text;

	str_init(&text, 1024 * 1024);
	for (unsigned i = 0; i < v.n; i++)
		str_printf(&text, "%s<%s>=%s\n", v.all[i].name, v.all[i].said, v.all[i].value);
	for (unsigned i = 0; i < v.errors.n; i++)
		str_printf(&text, "ERROR %s\n", v.errors.at[i].text);
	for (unsigned i = 0; i < v.notices.n; i++)
		str_printf(&text, "NOTICE %s\n", v.notices.text[i]);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
	variables_fini(&v);
}

static void only_what_is_for_us_is_taken(void **state)
{
	(void)state;
	assert_read(ENV("PATH=/bin", "HOME=/", "DB_HOST=db", "POOL_MODE=session", "POSTGRES_PASSWORD=x", "PGHOST=x",
	                "no equals sign", "=x", "db_host=small", "PGBOUNCER_DSN_7=a=host=b"),
	            NULL,
	            "DB_HOST<DB_HOST>=db\nPOOL_MODE<POOL_MODE>=session\nPGBOUNCER_DSN_7<PGBOUNCER_DSN_7>=a=host=b\n");
	assert_read((const char *const[]){NULL}, NULL, "");
}

static void names_that_others_use_are_not_taken_bare(void **state)
{
	(void)state;
	assert_read(ENV("USER=root", "SERVICE_NAME=web", "HOST=x", "PORT=8000", "DATABASE=x"), NULL, "");
	assert_read(ENV("PGBOUNCER_SERVICE_NAME=web"), NULL, "PGBOUNCER_SERVICE_NAME<PGBOUNCER_SERVICE_NAME>=web\n");
}

static void the_setting_user_is_for_root_only(void **state)
{
	const char *const *variables = ENV("PGBOUNCER_USER=ann");
	struct environment e = bench_environment(variables, NULL);
	struct variables v;

	(void)state;
	assert_true(variables_read(&v, &e));
	assert_int_equal(v.all[0].use, USE_UNUSED);
	variables_fini(&v);
	e.is_superuser = true;
	assert_true(variables_read(&v, &e));
	assert_int_equal(v.all[0].use, USE_SETTING);
	assert_int_equal(v.all[0].setting, SETTING_user);
	variables_fini(&v);
}

static void an_empty_variable_is_not_set(void **state)
{
	(void)state;
	assert_read(ENV("DB_HOST=", "POOL_MODE=", "DB_PASSWORD_FILE=", "DB_NOTHING="), NULL, "");
	/* but where nothing means: none */
	assert_read(ENV("UNIX_SOCKET_DIR=", "PGBOUNCER_SOCKET_DIR="), NULL,
	            "UNIX_SOCKET_DIR<UNIX_SOCKET_DIR>=\nPGBOUNCER_SOCKET_DIR<PGBOUNCER_SOCKET_DIR>=\n");
	assert_read(ENV("HTTP_LISTEN="), NULL, "HTTP_LISTEN<HTTP_LISTEN>=\n");
}

static void of_two_values_of_a_name_the_first_counts(void **state)
{
	(void)state;
	assert_read(ENV("DB_HOST=a", "DB_HOST=b"), NULL, "DB_HOST<DB_HOST>=a\n");
}

static void names_that_are_not_known_are_noted_with_the_nearest_one(void **state)
{
	static const struct {
		const char *variable, *notice;
	} cases[] = {
	    {"DB_HOTS=x", "DB_HOTS is not known, perhaps DB_HOST is meant"},
	    {"DB_PASSWD=x", "DB_PASSWD is not known, perhaps DB_PASSWORD is meant"},
	    {"DATABASE_URI=x", "DATABASE_URI is not known, perhaps DATABASE_URL is meant"},
	    {"DATABASES_POOLSIZE=x", "DATABASES_POOLSIZE is not known, perhaps DATABASES_POOL_SIZE is meant"},
	    {"PGBOUNCER_POOLMODE=x", "PGBOUNCER_POOLMODE is not known, perhaps PGBOUNCER_POOL_MODE is meant"},
	    {"PGBOUNCER_MAX_CLIENTS_CONN=x",
	     "PGBOUNCER_MAX_CLIENTS_CONN is not known, perhaps PGBOUNCER_MAX_CLIENT_CONN is meant"},
	    {"POSTGRESQL_USER_NAME=x", "POSTGRESQL_USER_NAME is not known, perhaps POSTGRESQL_USERNAME is meant"},
	    {"PGBOUNCER_DSN_X=x", "PGBOUNCER_DSN_X is not known"},
	    {"PGBOUNCER_DSN_1234567=x", "PGBOUNCER_DSN_1234567 is not known"},
	    {"DB_SOMETHING_ELSE_ALTOGETHER=x", "DB_SOMETHING_ELSE_ALTOGETHER is not known"},
	};
	char expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(expected, sizeof(expected), "NOTICE environment variable %s\n", cases[i].notice);
		assert_read(ENV(cases[i].variable), NULL, expected);
	}
}

static void what_the_cluster_says_about_services_is_not_for_us(void **state)
{
	(void)state;
	assert_read(ENV("PGBOUNCER_PORT=tcp://10.0.0.1:6432", "PGBOUNCER_SERVICE_HOST=10.0.0.1",
	                "PGBOUNCER_SERVICE_PORT=6432", "PGBOUNCER_SERVICE_PORT_METRICS=9127",
	                "PGBOUNCER_PORT_6432_TCP=tcp://10.0.0.1:6432", "PGBOUNCER_PORT_6432_TCP_ADDR=10.0.0.1",
	                "DB_PORT=udp://10.0.0.2:5432", "POSTGRESQL_SERVICE_HOST=x", "POSTGRESQL_PORT=tcp://x:1"),
	            NULL, "");
	assert_read(ENV("PGBOUNCER_PORT=6432"), NULL, "PGBOUNCER_PORT<PGBOUNCER_PORT>=6432\n");
}

static void a_value_may_come_from_a_file(void **state)
{
	struct fake_file files[] = {{"/run/secrets/a", "geheim\n", 0},
	                            {"/b", "two\n\n", 0},
	                            {"/c", "dos\r\n", 0},
	                            {"/d", "bare", 0},
	                            {"/e", "\n", 0},
	                            {NULL, NULL, 0}};

	(void)state;
	assert_read(ENV("DB_PASSWORD_FILE=/run/secrets/a", "DB_NAME_FILE=/b", "POOL_MODE_FILE=/c",
	                "PGBOUNCER_AUTH_TYPE_FILE=/d", "PGBOUNCER_DSN_0_FILE=/d"),
	            files,
	            "DB_PASSWORD<DB_PASSWORD_FILE>=geheim\nDB_NAME<DB_NAME_FILE>=two\n\nPOOL_MODE<POOL_MODE_FILE>=dos\n"
	            "PGBOUNCER_AUTH_TYPE<PGBOUNCER_AUTH_TYPE_FILE>=bare\nPGBOUNCER_DSN_0<PGBOUNCER_DSN_0_FILE>=bare\n");
	/* a line without anything is an empty value, as an empty variable would be, but somebody wrote it */
	assert_read(ENV("DB_PASSWORD_FILE=/e"), files,
	            "DB_PASSWORD<DB_PASSWORD_FILE>=/e\n"
	            "ERROR environment variable DB_PASSWORD_FILE: file \"/e\" is "
	            "empty\n");
}

static void a_setting_that_is_itself_called_file_keeps_its_meaning(void **state)
{
	(void)state;
	assert_read(ENV("AUTH_FILE=/x", "CLIENT_TLS_KEY_FILE=/y", "PGBOUNCER_AUTH_HBA_FILE=/z"), NULL,
	            "AUTH_FILE<AUTH_FILE>=/x\nCLIENT_TLS_KEY_FILE<CLIENT_TLS_KEY_FILE>=/y\n"
	            "PGBOUNCER_AUTH_HBA_FILE<PGBOUNCER_AUTH_HBA_FILE>=/z\n");
}

static int read_huge(void *context, const char *path, struct str *out)
{
	(void)context, (void)path;
	for (int i = 0; i <= ENVIRONMENT_MAX_VALUE; i++)
		str_add_char(out, 'x');
	return out->failed ? EFBIG : 0;
}

static int read_zero(void *context, const char *path, struct str *out)
{
	(void)context, (void)path;
	str_add(out, "a\0b", 3);
	return 0;
}

static void assert_file_error(conf_read *read, void *context, const char *expected)
{
	const char *const *variables = ENV("DB_PASSWORD_FILE=/s");
	struct environment e = bench_environment(variables, NULL);
	struct variables v;

	e.read = read;
	e.context = context;
	assert_true(variables_read(&v, &e));
	assert_int_equal(v.errors.n, 1);
	assert_string_equal(v.errors.at[0].text, expected);
	variables_fini(&v);
}

static void a_file_that_is_no_value_is_named_with_its_variable(void **state)
{
	struct fake_file none[] = {{NULL, NULL, 0}}, closed[] = {{"/s", NULL, EACCES}, {NULL, NULL, 0}},
	                 empty[] = {{"/s", "", 0}, {NULL, NULL, 0}};

	(void)state;
	assert_file_error(
	    fake_read, none,
	    "environment variable DB_PASSWORD_FILE: could not read file \"/s\": No such file or directory");
	assert_file_error(fake_read, closed,
	                  "environment variable DB_PASSWORD_FILE: could not read file \"/s\": Permission denied");
	assert_file_error(fake_read, empty, "environment variable DB_PASSWORD_FILE: file \"/s\" is empty");
	assert_file_error(read_huge, NULL,
	                  "environment variable DB_PASSWORD_FILE: file \"/s\" is too long: more than 65536 bytes");
	assert_file_error(read_zero, NULL,
	                  "environment variable DB_PASSWORD_FILE: there is a zero byte in file \"/s\"");
}

static void a_value_and_a_file_are_one_too_many(void **state)
{
	struct fake_file files[] = {{"/s", "x", 0}, {NULL, NULL, 0}};

	(void)state;
	assert_read(ENV("DB_PASSWORD=y", "DB_PASSWORD_FILE=/s"), files,
	            "DB_PASSWORD<DB_PASSWORD>=y\nERROR environment variables DB_PASSWORD and DB_PASSWORD_FILE are both "
	            "set\n");
	assert_read(ENV("DB_PASSWORD_FILE=/s", "DB_PASSWORD=y"), files,
	            "DB_PASSWORD<DB_PASSWORD_FILE>=x\nERROR environment variables DB_PASSWORD_FILE and DB_PASSWORD are "
	            "both set\n");
	assert_read(ENV("DB_PASSWORD=", "DB_PASSWORD_FILE=/s"), files, "DB_PASSWORD<DB_PASSWORD_FILE>=x\n");
}

static void a_line_of_its_own_may_be_missing_unless_it_must_not(void **state)
{
	(void)state;
	assert_read(
	    ENV("PGBOUNCER_DSN_0_FILE=/s"), NULL,
	    "PGBOUNCER_DSN_0<PGBOUNCER_DSN_0_FILE>=\nNOTICE environment variable PGBOUNCER_DSN_0_FILE has no effect: "
	    "could not read file \"/s\": No such file or directory\n");
	assert_read(ENV("PGBOUNCER_DSN_0_FILE=/s", "PGBOUNCER_FAIL_ON_INVALID_DSN_FILE=True"), NULL,
	            "PGBOUNCER_DSN_0<PGBOUNCER_DSN_0_FILE>=/s\n"
	            "PGBOUNCER_FAIL_ON_INVALID_DSN_FILE<PGBOUNCER_FAIL_ON_INVALID_DSN_FILE>=True\n"
	            "ERROR environment variable PGBOUNCER_DSN_0_FILE: could not read file \"/s\": No such file or "
	            "directory\n");
}

static void a_value_that_is_too_long_is_refused(void **state)
{
	struct str text;
	struct variables v;

	(void)state;
	str_init(&text, 1024 * 1024);
	str_add_str(&text, "DB_HOST=");
	for (int i = 0; i <= ENVIRONMENT_MAX_VALUE; i++)
		str_add_char(&text, 'h');
	v = read_all(ENV(str_text(&text)), NULL);
	assert_int_equal(v.errors.n, 1);
	assert_string_equal(v.errors.at[0].text,
	                    "environment variable DB_HOST: the value is too long: more than 65536 bytes");
	variables_fini(&v);
	str_fini(&text);
}

static void a_name_that_is_too_long_is_nobodys(void **state)
{
	struct str text;

	(void)state;
	str_init(&text, 1024);
	str_add_str(&text, "DB_");
	for (int i = 0; i < 100; i++)
		str_add_char(&text, 'X');
	str_add_str(&text, "=x");
	assert_read(ENV(str_text(&text)), NULL, "");
	str_fini(&text);
}

static void more_errors_than_anybody_reads_are_not_kept(void **state)
{
	char names[40][64];
	const char *variables[41] = {NULL};
	struct variables v;

	(void)state;
	for (int i = 0; i < 40; i++) {
		snprintf(names[i], sizeof(names[i]), "DATABASES_%.40s_FILE=/none", conf_database_key((unsigned)i % 30));
		for (char *c = names[i]; *c != '='; c++)
			*c = (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c);
		variables[i] = names[i];
	}
	v = read_all(variables, NULL);
	assert_int_equal(v.errors.n, VARIABLES_MAX_ERRORS);
	variables_fini(&v);
}

static void rows_are_complete(void **state)
{
	const struct variable_row *row;

	(void)state;
	for (unsigned i = 0; (row = variable_row_at(i)) != NULL; i++) {
		assert_ptr_equal(variable_row_of(row->name), row);
		assert_true(row->doc[0] != '\0');
		if (row->use == USE_SETTING)
			assert_true(setting_find(row->target) != N_SETTINGS);
		else
			assert_int_equal(row->use == USE_KEY, row->target != NULL);
		/* that of PGBOUNCER_USER and its kin stands behind a colon, and all others are sentences */
		assert_int_equal(row->doc[strlen(row->doc) - 1] == '.', row->use != USE_UNUSED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_what_is_for_us_is_taken),
	    cmocka_unit_test(names_that_others_use_are_not_taken_bare),
	    cmocka_unit_test(the_setting_user_is_for_root_only),
	    cmocka_unit_test(an_empty_variable_is_not_set),
	    cmocka_unit_test(of_two_values_of_a_name_the_first_counts),
	    cmocka_unit_test(names_that_are_not_known_are_noted_with_the_nearest_one),
	    cmocka_unit_test(what_the_cluster_says_about_services_is_not_for_us),
	    cmocka_unit_test(a_value_may_come_from_a_file),
	    cmocka_unit_test(a_setting_that_is_itself_called_file_keeps_its_meaning),
	    cmocka_unit_test(a_file_that_is_no_value_is_named_with_its_variable),
	    cmocka_unit_test(a_value_and_a_file_are_one_too_many),
	    cmocka_unit_test(a_line_of_its_own_may_be_missing_unless_it_must_not),
	    cmocka_unit_test(a_value_that_is_too_long_is_refused),
	    cmocka_unit_test(a_name_that_is_too_long_is_nobodys),
	    cmocka_unit_test(more_errors_than_anybody_reads_are_not_kept),
	    cmocka_unit_test(rows_are_complete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
