/* Tests of src/conf/url.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "conf/url.h"
#include "os/family.h"

static struct config *from(const char *url)
{
	struct conf_error why;
	struct config *c = config_from_url(url, &why);

	if (c == NULL)
		fail_msg("%s: %s", url, why.text);
	return c;
}

static void urls_are_told_from_files(void **state)
{
	(void)state;
	assert_true(conf_is_url("postgres://a"));
	assert_true(conf_is_url("postgresql://a"));
	assert_false(conf_is_url("postgres"));
	assert_false(conf_is_url("/etc/pgweir.ini"));
	assert_false(conf_is_url("http://a"));
}

static void a_url_makes_a_whole_configuration(void **state)
{
	struct config *c = from("postgres://app:p%40ss@db.example.org:5433/shop?application_name=x&connect_timeout=7");
	const struct conf_database *d = config_find_database(c, "shop", NULL);

	(void)state;
	assert_string_equal(c->settings.listen_addr, "127.0.0.1");
	assert_int_equal(c->settings.listen_port, 6432);
	assert_string_equal(c->settings.unix_socket_dir, "");
	assert_int_equal(c->settings.pool_mode, POOL_MODE_TRANSACTION);
	assert_int_equal(c->settings.auth_type, AUTH_TYPE_SCRAM);
	assert_string_equal(c->settings.admin_users, "app");
	assert_int_equal(c->settings.server_connect_timeout_us, 7000000);
	assert_null(c->settings.conffile);
	assert_non_null(d);
	assert_string_equal(d->host, "db.example.org");
	assert_int_equal(d->n_hosts, 1);
	assert_int_equal(d->port, 5433);
	assert_null(d->user);
	assert_string_equal(d->application_name, "x");
	assert_null(config_find_database(c, "other", NULL));
	assert_string_equal(config_find_login(c, "app")->secret, "p@ss");
	assert_int_equal(config_find_login(c, "app")->kind, SECRET_PLAIN);
	assert_null(config_find_login(c, "postgres"));
	config_unref(c);
}

static void what_is_left_out_has_defaults(void **state)
{
	struct config *c = from("postgresql://app:x@");

	(void)state;
	assert_string_equal(config_database(c, 0)->name, "app");
	assert_string_equal(config_database(c, 0)->hosts[0], os_is_windows() ? "localhost" : "/var/run/postgresql");
	assert_int_equal(config_database(c, 0)->port, 5432);
	config_unref(c);
}

static void hosts_come_in_all_forms(void **state)
{
	struct config *c = from("postgres://u:x@[::1]:7/d");

	(void)state;
	assert_string_equal(config_database(c, 0)->hosts[0], "::1");
	assert_int_equal(config_database(c, 0)->port, 7);
	config_unref(c);
	c = from("postgres://u:x@a:7,b:7/d");
	assert_int_equal(config_database(c, 0)->n_hosts, 2);
	assert_string_equal(config_database(c, 0)->hosts[1], "b");
	config_unref(c);
	c = from("postgres://u:x@%2Frun%2Fpg/d");
	assert_string_equal(config_database(c, 0)->hosts[0], "/run/pg");
	config_unref(c);
	c = from("postgres://u:x@name/d?hostaddr=10.0.0.1&sslmode=prefer");
	assert_string_equal(config_database(c, 0)->hosts[0], "10.0.0.1");
	config_unref(c);
}

static void the_role_of_a_host_is_a_setting(void **state)
{
	struct config *c = from("postgres://u:x@a,b/d?target_session_attrs=read-write");

	(void)state;
	assert_int_equal(c->settings.target_session_attrs, SESSION_ATTRS_READ_WRITE);
	config_unref(c);
}

static void whom_the_system_trusts_is_verified_in_full_unless_it_says_otherwise(void **state)
{
	struct config *c = from("postgres://u:x@a/d?sslrootcert=system");

	(void)state;
	assert_string_equal(c->settings.server_tls_ca_file, "system");
	assert_int_equal(c->settings.server_tls_sslmode, TLS_MODE_VERIFY_FULL);
	config_unref(c);
	c = from("postgres://u:x@a/d?sslrootcert=system&sslmode=disable");
	assert_int_equal(c->settings.server_tls_sslmode, TLS_MODE_DISABLE);
	config_unref(c);
	c = from("postgres://u:x@a/d?sslrootcert=./system");
	assert_int_equal(c->settings.server_tls_sslmode, TLS_MODE_PREFER);
	config_unref(c);
}

static void a_name_with_a_comma_gets_no_rights(void **state)
{
	struct config *c = from("postgres://a%2Cb:x@h/d");

	(void)state;
	assert_string_equal(c->settings.admin_users, "");
	assert_non_null(config_find_login(c, "a,b"));
	config_unref(c);
}

static void broken_urls_are_refused_without_their_password(void **state)
{
	static const struct {
		const char *url, *text;
	} cases[] = {
	    {"postgres://u:hid%zzen@h/d", "could not read the URL: invalid percent-encoded token"},
	    {"postgres://u:hid%00den@h/d", "could not read the URL: forbidden value %00 in percent-encoded value"},
	    {"postgres://u:hidden@[::1/d", "could not read the URL: end of string reached when looking for matching"},
	    {"postgres://u@h/d", "the URL has no password"},
	    {"postgres://u:hidden@h/d?sslmode=yes",
	     "invalid value \"yes\" for parameter server_tls_sslmode: must be one of disable, allow, prefer, require, "
	     "verify-ca, verify-full"},
	    {"postgres://u:hidden@h/d?target_session_attrs=writes",
	     "invalid value \"writes\" for parameter target_session_attrs: must be one of any, read-write, read-only, "
	     "primary, standby, prefer-standby"},
	    {"postgres://u:hidden@h/d?options=-c%20geqo%3Doff", "parameter \"options\" of the URL is not supported"},
	    {"postgres://u:hidden@h/d?nonsense=1", "could not read the URL: invalid URI query parameter"},
	    {"postgres://u:hidden@h/d?connect_timeout=x", "invalid value \"x\" for parameter server_connect_timeout: "
	                                                  "must be a number of seconds without a unit, such as "
	                                                  "15 or 0.5"},
	    {"postgres://u:hidden@h:0/d", "invalid port in the URL: must be from 1 to 65535"},
	    {"postgres://u:hidden@h:99999999999/d", "invalid port in the URL: must be from 1 to 65535"},
	    {"postgres://u:hidden@a:1,b:2/d", "hosts with different ports in a URL are not supported"},
	    {"postgres://u:hidden@a,b:2/d", "hosts with different ports in a URL are not supported"},
	    {"postgres://u:hidden@h/pgbouncer", "database name \"pgbouncer\" is reserved: it is the console"},
	    {"postgres://u:hidden@h/%2A", "invalid database name in the URL"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;

		assert_null(config_from_url(cases[i].url, &why));
		assert_string_equal(why.text, cases[i].text);
		assert_null(strstr(why.text, "hid"));
		assert_null(strstr(why.text, "en@h"));
		assert_null(strstr(why.hint, "hid"));
	}
}

static void a_slash_in_the_password_does_not_show_it(void **state)
{
	struct conf_error why;

	(void)state;
	assert_null(config_from_url("postgres://u:hid/den@h/d", &why));
	assert_null(strstr(why.text, "hid"));
	assert_null(strstr(why.text, "en@h"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(urls_are_told_from_files),
	    cmocka_unit_test(a_url_makes_a_whole_configuration),
	    cmocka_unit_test(what_is_left_out_has_defaults),
	    cmocka_unit_test(hosts_come_in_all_forms),
	    cmocka_unit_test(the_role_of_a_host_is_a_setting),
	    cmocka_unit_test(whom_the_system_trusts_is_verified_in_full_unless_it_says_otherwise),
	    cmocka_unit_test(a_name_with_a_comma_gets_no_rights),
	    cmocka_unit_test(broken_urls_are_refused_without_their_password),
	    cmocka_unit_test(a_slash_in_the_password_does_not_show_it)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
