/* Tests of src/conf/tls.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "conf/tls.h"
#include "configured.h"

static void defaults_are_pgbouncers(void **state)
{
	struct config *c = configured("[pgbouncer]\n", NULL);
	struct tls_settings s;

	(void)state;
	conf_client_tls(&c->settings, &s);
	assert_true(s.for_clients);
	assert_int_equal(s.mode, TLS_MODE_DISABLE);
	assert_string_equal(s.prefix, "client_tls");
	assert_string_equal(s.key_file, "");
	assert_string_equal(s.ciphers13, "");
	assert_string_equal(s.groups, "auto");
	conf_server_tls(&c->settings, NULL, &s);
	assert_false(s.for_clients);
	assert_int_equal(s.mode, TLS_MODE_PREFER);
	assert_string_equal(s.protocols, "secure");
	assert_false(s.direct);
	assert_null(s.database);
	config_unref(c);
}

static void a_database_overrides_what_it_names_and_nothing_else(void **state)
{
	struct config *c =
	    configured("[pgbouncer]\nserver_tls_sslmode=require\nserver_tls_ca_file=/ca\nserver_tls_protocols=tlsv1.2\n"
	               "[databases]\na=host=h server_tls_sslmode=verify-full server_tls_negotiation=direct\n"
	               "b=host=h\nc=host=h server_tls_ca_file=/other server_tls_cert_file=/c server_tls_key_file=/k "
	               "server_tls_ciphers=HIGH server_tls13_ciphers=X server_tls_protocols=all\n",
	               NULL);
	struct tls_settings s;

	(void)state;
	conf_server_tls(&c->settings, config_find_database(c, "a", NULL), &s);
	assert_string_equal(s.database, "a");
	assert_int_equal(s.mode, TLS_MODE_VERIFY_FULL);
	assert_true(s.direct);
	assert_string_equal(s.ca_file, "/ca");
	assert_string_equal(s.protocols, "tlsv1.2");
	conf_server_tls(&c->settings, config_find_database(c, "b", NULL), &s);
	assert_null(s.database);
	assert_int_equal(s.mode, TLS_MODE_REQUIRE);
	conf_server_tls(&c->settings, config_find_database(c, "c", NULL), &s);
	assert_int_equal(s.mode, TLS_MODE_REQUIRE);
	assert_string_equal(s.ca_file, "/other");
	assert_string_equal(s.cert_file, "/c");
	assert_string_equal(s.key_file, "/k");
	assert_string_equal(s.ciphers, "HIGH");
	assert_string_equal(s.ciphers13, "X");
	assert_string_equal(s.protocols, "all");
	config_unref(c);
}

static void the_system_is_trusted_where_it_is_named_or_nobody_is(void **state)
{
	struct tls_settings s = {.ca_file = "system", .mode = TLS_MODE_VERIFY_FULL};

	(void)state;
	assert_true(conf_tls_trusts_system(&s));
	s.mode = TLS_MODE_PREFER;
	assert_true(conf_tls_trusts_system(&s));
	s.ca_file = "./system";
	assert_false(conf_tls_trusts_system(&s));
	s.ca_file = "";
	assert_false(conf_tls_trusts_system(&s));
	s.mode = TLS_MODE_VERIFY_CA;
	assert_true(conf_tls_trusts_system(&s));
	s.for_clients = true;
	assert_false(conf_tls_trusts_system(&s));
	s.ca_file = "system";
	assert_false(conf_tls_trusts_system(&s));
}

static void a_change_of_a_databases_keys_renews_its_servers(void **state)
{
	struct config *c = configured("[pgbouncer]\n[databases]\na=host=h\nb=host=h server_tls_sslmode=require\n"
	                              "c=host=h server_tls_ca_file=/x\nd=host=h\n",
	                              NULL);
	const struct conf_database *a = config_find_database(c, "a", NULL);
	bool differs;

	(void)state;
	assert_int_equal(conf_database_compare(a, config_find_database(c, "b", NULL), &differs),
	                 CONF_DATABASE_SERVERS_STALE);
	assert_int_equal(conf_database_compare(a, config_find_database(c, "c", NULL), &differs),
	                 CONF_DATABASE_SERVERS_STALE);
	(void)conf_database_compare(a, config_find_database(c, "d", NULL), &differs);
	assert_false(differs);
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(defaults_are_pgbouncers),
	    cmocka_unit_test(a_database_overrides_what_it_names_and_nothing_else),
	    cmocka_unit_test(the_system_is_trusted_where_it_is_named_or_nobody_is),
	    cmocka_unit_test(a_change_of_a_databases_keys_renews_its_servers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
