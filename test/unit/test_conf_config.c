/* Tests of src/conf/config.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "conf/config.h"
#include "configured.h"

static void databases_are_found_by_name_then_by_the_template(void **state)
{
	struct config *c = configured("[databases]\na=\n*=host=h\n[pgbouncer]\n", NULL);
	struct config *closed = configured("[databases]\na=\n[pgbouncer]\n", NULL);
	bool is_template = true;

	(void)state;
	assert_string_equal(config_find_database(c, "a", &is_template)->name, "a");
	assert_false(is_template);
	assert_string_equal(config_find_database(c, "b", &is_template)->name, "*");
	assert_true(is_template);
	assert_string_equal(config_find_database(c, "*", &is_template)->name, "*");
	assert_true(is_template);
	assert_null(config_find_database(closed, "b", &is_template));
	assert_false(is_template);
	assert_null(config_find_user(c, "x"));
	assert_null(config_find_login(c, "x"));
	assert_null(config_database(c, 2));
	config_unref(c);
	config_unref(closed);
}

static void many_entries_are_found(void **state)
{
	struct str text;
	struct config *c;

	(void)state;
	str_init(&text, 1000000);
	str_add_str(&text, "[pgbouncer]\n[databases]\n");
	for (int i = 0; i < 3000; i++)
		str_printf(&text, "db%d = pool_size=%d\n", i, i);
	c = configured(str_text(&text), NULL);
	for (int i = 0; i < 3000; i += 7) {
		char name[20];

		snprintf(name, sizeof(name), "db%d", i);
		assert_int_equal(config_find_database(c, name, NULL)->pool_size, i);
	}
	assert_null(config_find_database(c, "db3000", NULL));
	config_unref(c);
	str_fini(&text);
}

static void set_makes_another_configuration(void **state)
{
	struct config *c = configured("[databases]\na=\n[pgbouncer]\ndefault_pool_size=5\n", NULL);
	struct conf_error why;
	struct config *changed = config_with_setting(c, "default_pool_size", "7", &why);

	(void)state;
	assert_non_null(changed);
	assert_int_equal(c->settings.default_pool_size, 5);
	assert_int_equal(changed->settings.default_pool_size, 7);
	assert_string_equal(changed->settings.conffile, "pgweir.ini");
	assert_int_equal(changed->notices.n, 0);
	config_unref(c);
	assert_string_equal(config_find_database(changed, "a", NULL)->name, "a");
	config_unref(changed);
}

static void set_of_what_is_wrong_changes_nothing(void **state)
{
	struct config *c = configured("[pgbouncer]\n", NULL);
	struct conf_error why;

	(void)state;
	assert_null(config_with_setting(c, "default_pool_size", "x", &why));
	assert_string_equal(why.text,
	                    "invalid value \"x\" for parameter default_pool_size: must be a whole number from 0 to "
	                    "2147483647");
	assert_null(config_with_setting(c, "foo", "x", &why));
	assert_string_equal(why.text, "unknown parameter: pgbouncer/foo");
	config_unref(c);
}

static void set_of_what_needs_a_restart_says_so(void **state)
{
	struct config *c = configured("[pgbouncer]\n", NULL);
	struct conf_error why;
	struct config *same = config_with_setting(c, "listen_port", "1", &why);

	(void)state;
	assert_non_null(same);
	assert_int_equal(same->settings.listen_port, 6432);
	assert_int_equal(same->notices.n, 1);
	assert_string_equal(same->notices.text[0], "parameter \"listen_port\" cannot be changed without a restart");
	config_unref(same);
	same = config_with_setting(c, "listen_port", "6432", &why); /* as it is */
	assert_non_null(same);
	assert_int_equal(same->notices.n, 0);
	config_unref(same);
	same = config_with_setting(c, "suspend_timeout", "1", &why);
	assert_non_null(same);
	assert_int_equal(same->notices.n, 1);
	config_unref(same);
	assert_null(config_with_setting(c, "listen_port", "x", &why));
	config_unref(c);
}

static void a_reload_keeps_what_needs_a_restart(void **state)
{
	struct config *running =
	    configured("[pgbouncer]\nlisten_port=1\nunix_socket_dir=\npool_mode=statement\n", NULL);
	struct config *fresh = configured("[pgbouncer]\nmax_prepared_statements=0\nlisten_port=2\n"
	                                  "unix_socket_dir=\nuser=me\n",
	                                  NULL);

	(void)state;
	assert_true(config_keep_restart_settings(fresh, running));
	assert_int_equal(fresh->settings.listen_port, 1);
	assert_null(fresh->settings.user);
	assert_int_equal(fresh->settings.pool_mode, POOL_MODE_SESSION);
	assert_int_equal(fresh->notices.n, 2);
	assert_string_equal(fresh->notices.text[0], "the new value of parameter \"listen_port\" needs a restart");
	assert_string_equal(fresh->notices.text[1], "the new value of parameter \"user\" needs a restart");
	config_unref(running);
	config_unref(fresh);
}

static void the_last_reference_frees(void **state)
{
	struct config *c = configured("[pgbouncer]\n", NULL);
	const struct config *shared = c;
	struct config *second = config_ref(shared);

	(void)state;
	assert_ptr_equal(second, c);
	config_unref(c);
	assert_int_equal(second->settings.listen_port, 6432);
	config_unref(second); /* the sanitizer reports what is left */
	config_unref(NULL);
}

static void lists_are_searched_for_whole_names(void **state)
{
	(void)state;
	assert_true(conf_list_has("a", "a"));
	assert_true(conf_list_has("a, b ,c", "b"));
	assert_true(conf_list_has("a,\tb\t", "b"));
	assert_true(conf_list_has("x y,z", "x y"));
	assert_false(conf_list_has("ab,c", "a"));
	assert_false(conf_list_has("", "a"));
	assert_false(conf_list_has(",,", ""));
	assert_false(conf_list_has("a,,b", ""));
	assert_false(conf_list_has(NULL, "a"));
	assert_false(conf_list_has("a", "ab"));
	/* names of parameters, in any case of letters */
	assert_true(conf_list_has_parameter("a, TimeZone", "timezone"));
	assert_false(conf_list_has_parameter("TimeZones", "timezone"));
	assert_false(conf_list_has("TimeZone", "timezone"));
}

#define KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define SCRAM(n, salt) "SCRAM-SHA-256$" n ":" salt "$" KEY ":" KEY

static void strangers_look_like_most_of_the_list(void **state)
{
	static const struct {
		const char *more, *users;
		uint32_t share, iterations, salt_len;
	} cases[] = {
	    {"", "", 0, 4096, 16},
	    {"", "\"a\" \"plain\"\n\"b\" \"\"\n", 0, 4096, 16},
	    {"", "\"a\" \"plain\"\n\"b\" \"" SCRAM("99", "c2FsdA==") "\"\n\"c\" \"\"\n", UINT32_MAX / 2, 99, 4},
	    {"",
	     "\"a\" \"" SCRAM("5", "c2Fs") "\"\n\"b\" \"" SCRAM("99", "c2FsdA==") "\"\n\"c\" \"" SCRAM("5",
	                                                                                               "c2Fs") "\"\n",
	     UINT32_MAX, 5, 3},
	    {"scram_iterations=7\n", "\"a\" \"plain\"\n", 0, 4096, 16},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200];
		struct config *c;

		snprintf(text, sizeof(text), "[pgbouncer]\nauth_file=users.txt\n%s", cases[i].more);
		c = configured(text, cases[i].users);
		assert_int_equal(c->mock.scram_share, cases[i].share);
		assert_int_equal(c->mock.iterations, cases[i].iterations);
		assert_int_equal(c->mock.salt_len, cases[i].salt_len);
		config_unref(c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(strangers_look_like_most_of_the_list),
	                                   cmocka_unit_test(databases_are_found_by_name_then_by_the_template),
	                                   cmocka_unit_test(many_entries_are_found),
	                                   cmocka_unit_test(set_makes_another_configuration),
	                                   cmocka_unit_test(set_of_what_is_wrong_changes_nothing),
	                                   cmocka_unit_test(set_of_what_needs_a_restart_says_so),
	                                   cmocka_unit_test(a_reload_keeps_what_needs_a_restart),
	                                   cmocka_unit_test(the_last_reference_frees),
	                                   cmocka_unit_test(lists_are_searched_for_whole_names)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
