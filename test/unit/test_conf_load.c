/* Tests of src/conf/load.c: whole configurations, good and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/config.h"
#include "conf_files.h"

static struct config *load(struct fake_file *files, const struct config *running, struct conf_error *why)
{
	memset(why, 0, sizeof(*why));
	return config_load(files[0].path, running, fake_read, files, why);
}

static struct config *load_good(struct fake_file *files)
{
	struct conf_error why;
	struct config *c = load(files, NULL, &why);

	if (c == NULL)
		fail_msg("%s", why.text);
	return c;
}

static void a_whole_configuration_is_loaded(void **state)
{
	struct fake_file files[] = {{"etc/a.ini",
	                             "[databases]\n* = host=h\nx = host=a port=1\n'y z' = dbname=q\n"
	                             "[pgbouncer]\nauth_file = users.txt\npool_mode = transaction\n"
	                             "%include more.ini\n"
	                             "[databases]\nx = host=b\n"
	                             "[pgbouncer]\nlog_stats = 0\n"
	                             "[peers]\n2 = host=/p2\n1 = host=/p1\n2 = host=/p3\n",
	                             0},
	                            {"etc/more.ini", "listen_addr = 127.0.0.1\n[users]\nu = pool_size=7\n", 0},
	                            {"etc/users.txt", "\"u\" \"secret\"\n\"v\" \"\"\n", 0},
	                            {NULL, NULL, 0}};
	struct config *c = load_good(files);
	bool is_template = true;

	(void)state;
	assert_int_equal(c->settings.pool_mode, POOL_MODE_TRANSACTION);
	assert_false(c->settings.log_stats);
	assert_string_equal(c->settings.listen_addr, "127.0.0.1");
	assert_string_equal(c->settings.conffile, "etc/a.ini");
	assert_string_equal(config_find_database(c, "x", &is_template)->host, "b");
	assert_false(is_template);
	assert_int_equal(config_find_database(c, "x", NULL)->port, 5432);
	assert_int_equal(config_find_database(c, "x", NULL)->line, 10);
	assert_string_equal(config_find_database(c, "y z", NULL)->dbname, "q");
	assert_string_equal(config_database(c, 0)->name, "*");
	assert_string_equal(config_database(c, 2)->name, "y z");
	assert_null(config_database(c, 3));
	assert_string_equal(config_user(c, 0)->name, "u");
	assert_string_equal(config_user(c, 0)->file, "etc/more.ini");
	assert_int_equal(config_user(c, 0)->line, 3);
	assert_null(config_user(c, 1));
	assert_int_equal(config_peer(c, 0)->id, 2);
	assert_string_equal(config_peer(c, 0)->host, "/p3");
	assert_int_equal(config_peer(c, 1)->id, 1);
	assert_null(config_peer(c, 2));
	assert_string_equal(config_find_login(c, "u")->secret, "secret");
	assert_int_equal(config_find_login(c, "v")->kind, SECRET_NONE);
	config_unref(c);
}

static void what_acts_otherwise_is_noticed(void **state)
{
	struct fake_file files[] = {{"a.ini", "[pgbouncer]\nsuspend_timeout=10\nauth_file=u.txt\n", 0},
	                            {"u.txt", "\"a\" \"1\"\n\n\"a\" \"2\"\n", 0},
	                            {NULL, NULL, 0}};
	struct fake_file quiet[] = {{"a.ini", "[pgbouncer]\nmax_prepared_statements=0\n", 0}, {NULL, NULL, 0}};
	struct config *c = load_good(files);

	(void)state;
	assert_int_equal(c->notices.n, 2);
	assert_string_equal(c->notices.text[0],
	                    "parameter suspend_timeout has no effect in configuration (a.ini:2): the "
	                    "command it belonged to is gone");
	assert_string_equal(c->notices.text[1], "user \"a\" is more than once in auth_file: line 3 counts (u.txt)");
	assert_string_equal(config_find_login(c, "a")->secret, "2");
	assert_int_equal(config_find_login(c, "a")->line, 3);
	config_unref(c);
	c = load_good(quiet);
	assert_int_equal(c->notices.n, 0);
	config_unref(c);
}

static void a_repeated_main_section_forgets_nothing(void **state)
{
	struct fake_file files[] = {
	    {"a.ini", "[pgbouncer]\nlog_stats=0\nstats_period=7\n[pgbouncer]\nstats_period=8\n", 0}, {NULL, NULL, 0}};
	struct config *c = load_good(files);

	(void)state;
	assert_false(c->settings.log_stats);
	assert_int_equal(c->settings.stats_period, 8);
	assert_string_equal(c->notices.text[0],
	                    "section [pgbouncer] comes again in configuration (a.ini:4): settings before "
	                    "it stay, other than in PgBouncer");
	config_unref(c);
}

/* One broken file, what is said of it, and where. */
struct broken {
	const char *content;
	unsigned line;
	const char *text;
};

static void each_broken_line_is_named(void **state)
{
	static const struct broken cases[] = {
	    {"", 0, "load_init_file: main section missing from config file (a.ini)"},
	    {"[databases]\nx=\n", 0, "load_init_file: main section missing from config file (a.ini)"},
	    {"[pgbouncer]\n\n[foo]\na=1\n", 3, "invalid section \"foo\" in configuration (a.ini:3)"},
	    {"[PgBouncer]\n", 1, "invalid section \"PgBouncer\" in configuration (a.ini:1)"},
	    {"[ databases ]\n", 1, "invalid section \" databases \" in configuration (a.ini:1)"},
	    {"a = 1\n[pgbouncer]\n", 1, "load_init_file: value without section: a in configuration (a.ini:1)"},
	    {"[pgbouncer]\nfoo=1\n", 2, "unknown parameter: pgbouncer/foo in configuration (a.ini:2)"},
	    {"[pgbouncer]\n=1\n", 2,
	     "syntax error in configuration (a.ini:2): a line must be \"key = value\", \"[section]\", \"%include "
	     "file\" or "
	     "a comment"},
	    {"[pgbouncer]\nlog_stats=yes\n", 2,
	     "invalid value \"yes\" for parameter log_stats in configuration (a.ini:2): must be 0 or 1"},
	    {"[pgbouncer]\nlisten_backlog=\n", 2,
	     "invalid value \"\" for parameter listen_backlog in configuration (a.ini:2): must be a whole number from "
	     "0 to "
	     "2147483647"},
	    {"[pgbouncer]\nlog_stats=0\\\n", 2,
	     "invalid value \"0\\\" for parameter log_stats in configuration (a.ini:2): must be 0 or 1"},
	    {"[pgbouncer]\n[databases]\nx=server_tls_sslmode=yes\n", 3,
	     "invalid server_tls_sslmode: yes for database \"x\" in configuration (a.ini:3): must be disable, allow, "
	     "prefer, require, verify-ca or verify-full"},
	    {"[pgbouncer]\n[databases]\nx=server_tls_negotiation=yes\n", 3,
	     "invalid server_tls_negotiation: yes for database \"x\" in configuration (a.ini:3): must be postgres or "
	     "direct"},
	    {"[pgbouncer]\n[databases]\npgbouncer=host=a\n", 3,
	     "database name \"pgbouncer\" is reserved in configuration (a.ini:3)"},
	    {"[pgbouncer]\n[databases]\nx=foo=1\n", 3,
	     "unrecognized connection parameter: foo for database \"x\" in configuration (a.ini:3)"},
	    {"[pgbouncer]\n[users]\nu=foo=1\n", 3,
	     "unrecognized user parameter: foo for user \"u\" in configuration (a.ini:3)"},
	    {"[pgbouncer]\n[peers]\nx=host=a\n", 3,
	     "ids of peers must be a number larger than 0 and at most 65535 in configuration (a.ini:3): \"x\""},
	    {"[pgbouncer]\n%include none.ini\n", 2,
	     "could not load file \"none.ini\" in configuration (a.ini:2): No such file or directory"},
	    {"[pgbouncer\n", 1,
	     "syntax error in configuration (a.ini:1): \"]\" is missing after the name of a section"},
	    {"[pgbouncer]\nlog_stats\n", 2, "syntax error in configuration (a.ini:2): \"=\" is missing after the key"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fake_file files[] = {{"a.ini", cases[i].content, 0}, {NULL, NULL, 0}};
		struct conf_error why;

		assert_null(load(files, NULL, &why));
		assert_string_equal(why.text, cases[i].text);
		assert_string_equal(why.file, "a.ini");
		assert_int_equal(why.line, cases[i].line);
	}
}

/* Each line of a good file in turn is spoilt: the whole file is refused and that line named. */
static void every_line_counts(void **state)
{
	static const char *const lines[] = {"[databases]", "x = host=a", "[users]",          "u = pool_size=1",
	                                    "[peers]",     "1 = host=a", "[pgbouncer]",      "pool_mode = session",
	                                    "user = me",   "; comment",  "%include more.ini"};
	size_t n = sizeof(lines) / sizeof(lines[0]);

	(void)state;
	for (size_t spoilt = 0; spoilt <= n; spoilt++) {
		struct str text;
		struct conf_error why;
		struct config *c;

		str_init(&text, 1000);
		for (size_t i = 0; i < n; i++)
			str_printf(&text, "%s%s\n", i == spoilt ? "?" : "", lines[i]);
		{
			struct fake_file files[] = {
			    {"a.ini", str_text(&text), 0}, {"more.ini", "", 0}, {NULL, NULL, 0}};

			c = load(files, NULL, &why);
		}
		assert_int_equal(c != NULL, spoilt == n);
		if (c == NULL)
			assert_int_equal(why.line, spoilt + 1);
		config_unref(c);
		str_fini(&text);
	}
}

static void errors_in_other_files_name_those(void **state)
{
	struct fake_file included[] = {
	    {"a.ini", "[pgbouncer]\n%include b.ini\n", 0}, {"b.ini", "\n\nfoo=1\n", 0}, {NULL, NULL, 0}};
	struct fake_file users[] = {
	    {"a.ini", "[pgbouncer]\nauth_file=u.txt\n", 0}, {"u.txt", "\"a\" \"b\"\nbroken\n", 0}, {NULL, NULL, 0}};
	struct fake_file missing[] = {{"a.ini", NULL, ENOENT}, {NULL, NULL, 0}};
	struct conf_error why;

	(void)state;
	assert_null(load(included, NULL, &why));
	assert_string_equal(why.text, "unknown parameter: pgbouncer/foo in configuration (b.ini:3)");
	assert_string_equal(why.file, "b.ini");
	assert_int_equal(why.line, 3);
	assert_null(load(users, NULL, &why));
	assert_string_equal(why.text, "broken auth file (u.txt:2): there is no name in double quotes");
	assert_string_equal(why.file, "u.txt");
	assert_int_equal(why.line, 2);
	assert_null(load(missing, NULL, &why));
	assert_string_equal(why.text, "could not load file \"a.ini\": No such file or directory");
}

static void a_missing_user_list_is_a_notice_at_start_and_an_error_at_reload(void **state)
{
	struct fake_file with[] = {{"a.ini", "[pgbouncer]\nauth_file=u.txt\n", 0}, {"u.txt", "", 0}, {NULL, NULL, 0}};
	struct fake_file without[] = {{"a.ini", "[pgbouncer]\nauth_file=u.txt\n", 0}, {NULL, NULL, 0}};
	struct fake_file unnamed[] = {{"a.ini", "[pgbouncer]\nauth_file=\n", 0}, {NULL, NULL, 0}};
	struct conf_error why;
	struct config *running = load_good(with);
	struct config *c = load(without, NULL, &why);
	struct config *again;

	(void)state;
	assert_non_null(c);
	assert_string_equal(c->notices.text[0], "could not open auth_file u.txt: No such file or directory");
	again = load(without, c, &why);
	assert_non_null(again);
	config_unref(again);
	config_unref(c);
	assert_null(load(without, running, &why));
	assert_string_equal(why.text, "could not open auth_file u.txt: No such file or directory");
	c = load(unnamed, running, &why);
	assert_non_null(c);
	config_unref(c);
	config_unref(running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_whole_configuration_is_loaded),
	    cmocka_unit_test(what_acts_otherwise_is_noticed),
	    cmocka_unit_test(a_repeated_main_section_forgets_nothing),
	    cmocka_unit_test(each_broken_line_is_named),
	    cmocka_unit_test(every_line_counts),
	    cmocka_unit_test(errors_in_other_files_name_those),
	    cmocka_unit_test(a_missing_user_list_is_a_notice_at_start_and_an_error_at_reload)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
