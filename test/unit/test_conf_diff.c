/* Tests of src/conf/diff.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "conf/config.h"
#include "configured.h"

/* `text` follows "[pgbouncer]"; `users` is the user list. */
static struct config *load(const char *text, const char *users)
{
	struct str whole;
	struct config *c;

	str_init(&whole, 10000);
	str_printf(&whole, "[pgbouncer]\nauth_file=users.txt\n%s", text);
	c = configured(str_text(&whole), users);
	str_fini(&whole);
	return c;
}

static void note(void *context, enum conf_change what, const char *name, const char *before, const char *after)
{
	static const char *const words[] = {"setting", "restart", "+db",  "-db",    "db",     "stale",
	                                    "+user",   "-user",   "user", "+login", "-login", "login"};

	str_printf((struct str *)context, "%s %s", words[what], name);
	if (what <= CONF_SETTING_NEEDS_RESTART)
		str_printf((struct str *)context, " %s->%s", before == NULL ? "NULL" : before,
		           after == NULL ? "NULL" : after);
	str_add_char((struct str *)context, '\n');
}

static void check(const char *before, const char *users_before, const char *after, const char *users_after,
                  const char *story)
{
	struct config *a = load(before, users_before), *b = load(after, users_after);
	struct str said;

	str_init(&said, 10000);
	assert_true(config_diff(a, b, note, &said));
	assert_string_equal(str_text(&said), story);
	str_fini(&said);
	config_unref(a);
	config_unref(b);
}

static void equal_configurations_do_not_differ(void **state)
{
	static const char text[] =
	    "user=x\n[databases]\na=host=b password=c pool_mode=session\n[users]\nu=pool_size=1\n";

	(void)state;
	check(text, "\"a\" \"b\"\n", text, "\"a\" \"b\"\n", "");
}

static void settings_are_told_with_both_values(void **state)
{
	(void)state;
	check("pool_mode=session\nserver_lifetime=5\nlisten_port=1\nauth_dbname=x\n", "",
	      "pool_mode=statement\nserver_lifetime=0.5\nlisten_port=2\nauth_ldap_options=ldapserver=a ldapprefix=b\n",
	      "",
	      "setting auth_dbname x->NULL\nsetting auth_ldap_options (not shown)->(not shown)\nrestart listen_port "
	      "1->2\n"
	      "setting pool_mode session->statement\nsetting server_lifetime 5->0.5\n");
}

static void long_values_are_cut(void **state)
{
	struct str text;
	struct config *a = load("", ""), *b;
	struct str said;

	(void)state;
	str_init(&text, 9000);
	str_add_str(&text, "admin_users=");
	for (int i = 0; i < 5000; i++)
		str_add_char(&text, 'x');
	str_add_str(&text, "\n");
	b = load(str_text(&text), "");
	str_init(&said, 10000);
	assert_true(config_diff(a, b, note, &said));
	assert_int_equal(said.len, strlen("setting admin_users ->") + 2048 + 1);
	assert_string_equal(said.data + said.len - 5, "x...\n");
	str_fini(&said);
	str_fini(&text);
	config_unref(a);
	config_unref(b);
}

static void databases_that_connect_otherwise_have_stale_servers(void **state)
{
	static const char *const stale[] = {"dbname=x",
	                                    "host=y",
	                                    "port=9",
	                                    "user=x",
	                                    "connect_query=x",
	                                    "auth_dbname=x",
	                                    "auth_query=x",
	                                    "load_balance_hosts=disable",
	                                    "target_session_attrs=primary"};
	static const char *const fresh[] = {
	    "password=x",          "pool_size=1",          "min_pool_size=1",
	    "reserve_pool_size=1", "max_db_connections=1", "max_db_client_connections=1",
	    "server_lifetime=1",   "query_wait_timeout=1", "server_down_wait=1",
	    "pool_mode=session",   "client_encoding=x",    "datestyle=x",
	    "timezone=x",          "application_name=x",   "state_guard=off"};
	char text[200];

	(void)state;
	for (size_t i = 0; i < sizeof(stale) / sizeof(stale[0]); i++) {
		snprintf(text, sizeof(text), "[databases]\na=%s\n", stale[i]);
		check("[databases]\na=\n", "", text, "", "stale a\n");
		check(text, "", "[databases]\na=\n", "", "stale a\n");
	}
	for (size_t i = 0; i < sizeof(fresh) / sizeof(fresh[0]); i++) {
		snprintf(text, sizeof(text), "[databases]\na=%s\n", fresh[i]);
		check("[databases]\na=\n", "", text, "", "db a\n");
		check(text, "", "[databases]\na=\n", "", "db a\n");
	}
}

static void entries_come_and_go(void **state)
{
	(void)state;
	check("[databases]\na=\nb=\n[users]\nu=\nv=pool_size=1\nx=pool_mode=session\n", "\"l\" \"1\"\n\"m\" \"2\"\n",
	      "[databases]\nb=\nc=\n[users]\nv=pool_size=2\nw=\nx=pool_mode=statement\n", "\"m\" \"3\"\n\"n\" \"\"\n",
	      "-db a\n+db c\n-user u\nuser v\nuser x\n+user w\n-login l\nlogin m\n+login n\n");
}

static void set_differs_in_one_setting(void **state)
{
	struct config *a = load("[databases]\nx=\n", "");
	struct conf_error why;
	struct config *b = config_with_setting(a, "log_stats", "0", &why);
	struct str said;

	(void)state;
	assert_non_null(b);
	str_init(&said, 1000);
	assert_true(config_diff(a, b, note, &said));
	assert_string_equal(str_text(&said), "setting log_stats 1->0\n");
	str_fini(&said);
	config_unref(a);
	config_unref(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(equal_configurations_do_not_differ),
	                                   cmocka_unit_test(settings_are_told_with_both_values),
	                                   cmocka_unit_test(long_values_are_cut),
	                                   cmocka_unit_test(databases_that_connect_otherwise_have_stale_servers),
	                                   cmocka_unit_test(entries_come_and_go),
	                                   cmocka_unit_test(set_differs_in_one_setting)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
