/* All wrong lines of a file, not only the first. */
#include "check_bench.h"
#include "main/check_offline.h"

static void check(struct fake_file *files, const char *story)
{
	struct conf_error why;
	struct findings f;
	struct config *c;

	memset(&why, 0, sizeof(why));
	c = config_load("a.ini", NULL, fake_read, files, &why);
	assert_null(c);
	findings_init(&f);
	check_syntax(&f, "a.ini", fake_read, files, &why);
	assert_story(&f, story);
	findings_fini(&f);
}

static void every_wrong_line_is_told_once_in_order(void **state)
{
	struct fake_file files[] = {
	    {"a.ini",
	     "[databases]\nok = host=h\na = hots=h\n[pgbouncer]\nlisten_prot = 1\nlisten_port = x\n"
	     "[users]\nu = pool_siz=1\n[peers]\nx = host=h\n[junk]\nany = thing\n[pgbouncer]\n"
	     "%include b.ini\n",
	     0},
	    {"b.ini", "pool_mode = none\n", 0},
	    {NULL, NULL, 0}};

	(void)state;
	check(
	    files,
	    "error syntax: unrecognized connection parameter: hots for database \"a\" in configuration (a.ini:3)\n"
	    "error syntax: unknown parameter: pgbouncer/listen_prot in configuration (a.ini:5)\n"
	    "error syntax: invalid value \"x\" for parameter listen_port in configuration (a.ini:6): must be a whole "
	    "number from 1 to 65535\n"
	    "error syntax: unrecognized user parameter: pool_siz for user \"u\" in configuration (a.ini:8)\n"
	    "error syntax: ids of peers must be a number larger than 0 and at most 65535 in configuration (a.ini:10): "
	    "\"x\"\n"
	    "error syntax: invalid section \"junk\" in configuration (a.ini:11)\n"
	    "error syntax: invalid value \"none\" for parameter pool_mode in configuration (b.ini:1): must be one of "
	    "session, transaction, statement\n");
}

static void what_no_line_has_by_itself_is_told_too(void **state)
{
	struct fake_file no_section[] = {{"a.ini", "[databases]\nok = host=h\n", 0}, {NULL, NULL, 0}};
	struct fake_file no_file[] = {{NULL, NULL, 0}};
	struct fake_file users[] = {
	    {"a.ini", "[pgbouncer]\nauth_file = u\n", 0}, {"u", "\"a\" \"b\n", 0}, {NULL, NULL, 0}};

	(void)state;
	check(no_section, "error syntax: load_init_file: main section missing from config file (a.ini)\n");
	check(no_file, "error syntax: could not load file \"a.ini\": No such file or directory\n");
	{
		struct conf_error why;
		struct findings f;

		memset(&why, 0, sizeof(why));
		assert_null(config_load("a.ini", NULL, fake_read, users, &why));
		findings_init(&f);
		check_syntax(&f, "a.ini", fake_read, users, &why);
		assert_int_equal(f.n[SEVERITY_ERROR], 1);
		assert_non_null(
		    strstr(str_text(&container_of(list_first(&f.list), struct finding, node)->what), "u:1"));
		findings_fini(&f);
	}
}

static bool can_write(const char *directory)
{
	(void)directory;
	return true;
}

static void every_wrong_variable_is_told(void **state)
{
	static const char *const variables[] = {"DB_HOST=h", "DB_PORT=x", "POOL_MODE=none", NULL};
	struct fake_file files[] = {{NULL, NULL, 0}};
	struct environment e = {(char *const *)(uintptr_t)variables, fake_read, files, can_write, false};
	struct environment_made *m = environment_make(&e);
	struct findings f;

	(void)state;
	assert_non_null(m);
	findings_init(&f);
	check_environment(&f, m);
	assert_story(
	    &f, "error syntax: environment variable DB_PORT: invalid port: x for database \"*\": must be from 1 to "
	        "65535\n"
	        "error syntax: environment variable POOL_MODE: invalid value \"none\" for parameter pool_mode: must be "
	        "one of session, transaction, statement\n");
	findings_fini(&f);
	environment_free(m);
}

static void of_very_many_wrong_lines_most_are_only_counted(void **state)
{
	struct fake_file files[] = {{"a.ini", NULL, 0}, {NULL, NULL, 0}};
	struct conf_error why;
	struct findings f;
	struct str text;

	(void)state;
	memset(&why, 0, sizeof(why));
	str_init(&text, 65536);
	str_add_str(&text, "[pgbouncer]\n");
	for (int i = 0; i < 70; i++)
		str_add_str(&text, "nonsense = 1\n");
	files[0].content = str_text(&text);
	assert_null(config_load("a.ini", NULL, fake_read, files, &why));
	findings_init(&f);
	check_syntax(&f, "a.ini", fake_read, files, &why);
	assert_int_equal(f.n[SEVERITY_ERROR], 51);
	assert_string_equal(str_text(&container_of(list_last(&f.list), struct finding, node)->what),
	                    "20 further lines are wrong");
	findings_fini(&f);
	str_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_wrong_line_is_told_once_in_order),
	    cmocka_unit_test(what_no_line_has_by_itself_is_told_too),
	    cmocka_unit_test(every_wrong_variable_is_told),
	    cmocka_unit_test(of_very_many_wrong_lines_most_are_only_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
