/* Tests of src/conf/entry.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "conf/entry.h"

static struct conf_database *database(const char *value)
{
	struct conf_error why;
	struct conf_database *d = conf_database_new("db", value, "a.ini", 4, &why);

	if (d == NULL)
		fail_msg("%s", why.text);
	return d;
}

static void a_database_without_keys_has_everything_unset(void **state)
{
	struct conf_database *d = database("");

	(void)state;
	assert_string_equal(d->name, "db");
	assert_null(d->dbname);
	assert_null(d->host);
	assert_int_equal(d->n_hosts, 0);
	assert_int_equal(d->port, 5432);
	assert_null(d->user);
	assert_null(d->password);
	assert_int_equal(d->pool_size, CONF_UNSET);
	assert_int_equal(d->min_pool_size, CONF_UNSET);
	assert_int_equal(d->reserve_pool_size, CONF_UNSET);
	assert_int_equal(d->query_wait_timeout, CONF_UNSET);
	assert_int_equal(d->server_down_wait, CONF_UNSET);
	assert_false(d->has_pool_mode);
	assert_int_equal(d->load_balance_hosts, LOAD_BALANCE_ROUND_ROBIN);
	assert_false(d->has_target_session_attrs);
	assert_string_equal(d->file, "a.ini");
	assert_int_equal(d->line, 4);
	conf_database_free(d);
}

static void a_database_takes_every_key(void **state)
{
	struct conf_database *d =
	    database("dbname=a host=b port=1 user=c password=d auth_user=e auth_query=f auth_dbname=g pool_size=2 "
	             "min_pool_size=3 "
	             "reserve_pool_size=4 max_db_connections=5 max_db_client_connections=6 server_lifetime=7 "
	             "query_wait_timeout=8 server_down_wait=4 state_guard=Pin pool_mode=Transaction "
	             "load_balance_hosts=disable connect_query=h target_session_attrs=Read-Write "
	             "client_encoding=i datestyle=j timezone=k application_name=l server_tls_sslmode=Verify-Full "
	             "server_tls_negotiation=direct server_tls_ca_file=m server_tls_cert_file=n server_tls_key_file=o "
	             "server_tls_protocols=p server_tls_ciphers=q server_tls13_ciphers=r");

	(void)state;
	assert_string_equal(d->dbname, "a");
	assert_string_equal(d->host, "b");
	assert_int_equal(d->port, 1);
	assert_string_equal(d->user, "c");
	assert_string_equal(d->password, "d");
	assert_string_equal(d->auth_user, "e");
	assert_string_equal(d->auth_query, "f");
	assert_string_equal(d->auth_dbname, "g");
	assert_int_equal(d->pool_size, 2);
	assert_int_equal(d->min_pool_size, 3);
	assert_int_equal(d->reserve_pool_size, 4);
	assert_int_equal(d->max_db_connections, 5);
	assert_int_equal(d->max_db_client_connections, 6);
	assert_int_equal(d->server_lifetime, 7);
	assert_int_equal(d->query_wait_timeout, 8);
	assert_int_equal(d->server_down_wait, 4);
	assert_true(d->has_state_guard);
	assert_int_equal(d->state_guard, STATE_GUARD_PIN);
	assert_true(d->has_pool_mode);
	assert_int_equal(d->pool_mode, POOL_MODE_TRANSACTION);
	assert_int_equal(d->load_balance_hosts, LOAD_BALANCE_DISABLE);
	assert_true(d->has_target_session_attrs);
	assert_int_equal(d->target_session_attrs, SESSION_ATTRS_READ_WRITE);
	assert_string_equal(d->connect_query, "h");
	assert_string_equal(d->client_encoding, "i");
	assert_string_equal(d->datestyle, "j");
	assert_string_equal(d->timezone, "k");
	assert_string_equal(d->application_name, "l");
	assert_true(d->has_server_tls_sslmode);
	assert_int_equal(d->server_tls_sslmode, TLS_MODE_VERIFY_FULL);
	assert_true(d->has_server_tls_negotiation);
	assert_int_equal(d->server_tls_negotiation, TLS_NEGOTIATION_DIRECT);
	assert_string_equal(d->server_tls_ca_file, "m");
	assert_string_equal(d->server_tls_cert_file, "n");
	assert_string_equal(d->server_tls_key_file, "o");
	assert_string_equal(d->server_tls_protocols, "p");
	assert_string_equal(d->server_tls_ciphers, "q");
	assert_string_equal(d->server_tls13_ciphers, "r");
	conf_database_free(d);
}

static void values_may_be_quoted_and_blanks_stand_anywhere(void **state)
{
	struct conf_database *d =
	    database("\t host = 'a b''c' \t dbname='x'  user =y\tpassword= 'it''s' connect_query='select ''1'''");

	(void)state;
	assert_string_equal(d->host, "a b'c");
	assert_string_equal(d->dbname, "x");
	assert_string_equal(d->user, "y");
	assert_string_equal(d->password, "it's");
	assert_string_equal(d->connect_query, "select '1'");
	conf_database_free(d);
	d = database("host=a=b dbname=x\\'y;z port=07");
	assert_string_equal(d->host, "a=b");
	assert_string_equal(d->dbname, "x\\'y;z");
	assert_int_equal(d->port, 7);
	conf_database_free(d);
}

static void the_last_of_a_repeated_key_counts(void **state)
{
	struct conf_database *d =
	    database("host=a host=b password=x password=y pool_size=1 reserve_pool=2 pool_size=3");

	(void)state;
	assert_string_equal(d->host, "b");
	assert_string_equal(d->password, "y");
	assert_int_equal(d->pool_size, 3);
	assert_int_equal(d->reserve_pool_size, 2);
	conf_database_free(d);
}

static void negative_numbers_unset(void **state)
{
	struct conf_database *d =
	    database("pool_size=-5 max_db_connections=-1 query_wait_timeout=-1 server_down_wait=-1");

	(void)state;
	assert_int_equal(d->pool_size, CONF_UNSET);
	assert_int_equal(d->max_db_connections, CONF_UNSET);
	assert_int_equal(d->query_wait_timeout, 0);
	assert_int_equal(d->server_down_wait, 0);
	conf_database_free(d);
}

static void hosts_come_in_all_forms_and_lists(void **state)
{
	struct conf_database *d = database("host='db.example.org, 10.0.0.1,::1,/run/pg , @abstract'");

	(void)state;
	assert_int_equal(d->n_hosts, 5);
	assert_string_equal(d->hosts[0], "db.example.org");
	assert_string_equal(d->hosts[1], "10.0.0.1");
	assert_string_equal(d->hosts[2], "::1");
	assert_string_equal(d->hosts[3], "/run/pg");
	assert_string_equal(d->hosts[4], "@abstract");
	conf_database_free(d);
}

struct broken {
	const char *value, *text, *hint;
};

static void broken_databases_are_named_and_passwords_are_not(void **state)
{
#define AT " for database \"db\" in configuration (a.ini:4)"
	static const struct broken cases[] = {
	    {"host", "syntax error in connection string" AT ": there is a word without \"=\" at the beginning", ""},
	    {"host=", "syntax error in connection string" AT ": the value is empty of \"host\"", ""},
	    {"password=''", "syntax error in connection string" AT ": the value is empty of \"password\"", ""},
	    {"password='hidden", "syntax error in connection string" AT ": a quote is not closed after \"password\"",
	     ""},
	    {"password='hid'den=1",
	     "syntax error in connection string" AT ": a blank is missing after the quoted value of \"password\"", ""},
	    {"password=x hidden",
	     "syntax error in connection string" AT ": there is a word without \"=\" after the value of \"password\"",
	     "A value with blanks needs single quotes around it."},
	    {"password=x hidden=y",
	     "syntax error in connection string" AT
	     ": there is a parameter that is not known (not shown) after the value of \"password\"",
	     "A value with blanks needs single quotes around it."},
	    {"host=a , b",
	     "syntax error in connection string" AT ": there is a word without \"=\" after the value of \"host\"",
	     "A value with blanks needs single quotes around it."},
	    {"host=a =b",
	     "syntax error in connection string" AT ": a key is missing before \"=\" after the value of \"host\"",
	     "A value with blanks needs single quotes around it."},
	    {"=b", "syntax error in connection string" AT ": a key is missing before \"=\" at the beginning", ""},
	    {"hst=b", "unrecognized connection parameter: hst" AT, "Perhaps \"host\" is meant."},
	    {"HOST=b", "unrecognized connection parameter: HOST" AT, ""},
	    {"xyzzy=b", "unrecognized connection parameter: xyzzy" AT, ""},
	    {"'host'=a", "unrecognized connection parameter: 'host'" AT, "Perhaps \"host\" is meant."},
	    {"port=0", "invalid port: 0" AT ": must be from 1 to 65535", ""},
	    {"port=abc", "invalid port: abc" AT ": must be from 1 to 65535", ""},
	    {"port=65536", "invalid port: 65536" AT ": must be from 1 to 65535", ""},
	    {"port=-1", "invalid port: -1" AT ": must be from 1 to 65535", ""},
	    {"port=1,2", "invalid port: 1,2" AT ": must be from 1 to 65535", "One port serves all hosts of a list."},
	    {"pool_size=abc", "invalid value \"abc\" for parameter pool_size" AT ": must be a whole number", ""},
	    {"pool_size=9999999999",
	     "invalid value \"9999999999\" for parameter pool_size" AT ": must be a whole number", ""},
	    {"server_lifetime=1.5", "invalid value \"1.5\" for parameter server_lifetime" AT ": must be a whole number",
	     ""},
	    {"pool_mode=x", "invalid pool mode: x" AT ": must be session, transaction or statement", ""},
	    {"state_guard=on", "invalid state_guard: on" AT ": must be off, warn, reject or pin", ""},
	    {"target_session_attrs=x",
	     "invalid target_session_attrs: x" AT ": must be any, read-write, read-only, primary, standby or "
	     "prefer-standby",
	     ""},
	    {"load_balance_hosts=x", "invalid load_balance_hosts: x" AT ": must be round-robin or disable", ""},
	    {"host=a,,b", "a name is missing in host \"a,,b\"" AT, ""},
	    {"host=a,", "a name is missing in host \"a,\"" AT, ""},
	    {"host=' '", "a name is missing in host \" \"" AT, ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;

		assert_null(conf_database_new("db", cases[i].value, "a.ini", 4, &why));
		assert_string_equal(why.text, cases[i].text);
		assert_string_equal(why.hint, cases[i].hint);
		assert_string_equal(why.file, "a.ini");
		assert_int_equal(why.line, 4);
		assert_null(strstr(why.text, "hidden"));
	}
#undef AT
}

static void names_have_a_longest_length(void **state)
{
	struct conf_error why;
	struct conf_database *d;
	struct conf_user *u;
	char name[200], value[200];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[63] = '\0';
	d = conf_database_new(name, "", "a.ini", 1, &why);
	assert_non_null(d);
	conf_database_free(d);
	name[63] = 'n';
	name[64] = '\0';
	assert_null(conf_database_new(name, "", "a.ini", 1, &why));
	assert_memory_equal(why.text, "too long db name: nnn", 21);
	name[64] = 'n';
	name[127] = '\0';
	u = conf_user_new(name, "", "a.ini", 1, &why);
	assert_non_null(u);
	conf_user_free(u);
	name[127] = 'n';
	name[128] = '\0';
	assert_null(conf_user_new(name, "", "a.ini", 1, &why));
	assert_memory_equal(why.text, "too long user name: nnn", 23);
	memcpy(value, "user=", 5);
	memcpy(value + 5, name, 129);
	assert_null(conf_database_new("db", value, "a.ini", 1, &why));
	assert_string_equal(why.text,
	                    "user is too long for database \"db\" in configuration (a.ini:1): more than 127 bytes");
}

static void the_console_is_reserved(void **state)
{
	struct conf_error why;
	struct conf_database *d;

	(void)state;
	assert_null(conf_database_new("pgbouncer", "host=a", "a.ini", 1, &why));
	assert_string_equal(why.text, "database name \"pgbouncer\" is reserved in configuration (a.ini:1)");
	d = conf_database_new("pgweir", "", "a.ini", 1, &why);
	assert_non_null(d);
	conf_database_free(d);
}

static void users_take_every_key(void **state)
{
	struct conf_error why;
	struct conf_user *u =
	    conf_user_new("u",
	                  "pool_mode=statement pool_size=1 reserve_pool_size=2 max_user_connections=3 "
	                  "max_user_client_connections=4 query_timeout=5 transaction_timeout=6 "
	                  "idle_transaction_timeout=7 client_idle_timeout=8 query_wait_timeout=9 server_down_wait=10 "
	                  "state_guard=reject",
	                  "a.ini", 2, &why);

	(void)state;
	assert_non_null(u);
	assert_true(u->has_pool_mode);
	assert_int_equal(u->pool_mode, POOL_MODE_STATEMENT);
	assert_int_equal(u->pool_size, 1);
	assert_int_equal(u->reserve_pool_size, 2);
	assert_int_equal(u->max_user_connections, 3);
	assert_int_equal(u->max_user_client_connections, 4);
	assert_int_equal(u->query_timeout, 5);
	assert_int_equal(u->transaction_timeout, 6);
	assert_int_equal(u->idle_transaction_timeout, 7);
	assert_int_equal(u->client_idle_timeout, 8);
	assert_int_equal(u->query_wait_timeout, 9);
	assert_int_equal(u->server_down_wait, 10);
	assert_int_equal(u->state_guard, STATE_GUARD_REJECT);
	conf_user_free(u);
	u = conf_user_new("u", "", "a.ini", 2, &why);
	assert_non_null(u);
	assert_false(u->has_pool_mode);
	assert_int_equal(u->pool_size, CONF_UNSET);
	assert_int_equal(u->client_idle_timeout, CONF_UNSET);
	conf_user_free(u);
}

static void broken_users_are_named(void **state)
{
	static const struct broken cases[] = {
	    {"foo=1", "unrecognized user parameter: foo for user \"u\" in configuration (a.ini:2)", ""},
	    {"pool_sise=1", "unrecognized user parameter: pool_sise for user \"u\" in configuration (a.ini:2)",
	     "Perhaps \"pool_size\" is meant."},
	    {"pool_mode=x",
	     "invalid pool mode: x for user \"u\" in configuration (a.ini:2): must be session, transaction or "
	     "statement",
	     ""},
	    {"query_timeout=1.5",
	     "invalid value \"1.5\" for parameter query_timeout for user \"u\" in configuration (a.ini:2): must be a "
	     "whole "
	     "number",
	     ""},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;

		assert_null(conf_user_new("u", cases[i].value, "a.ini", 2, &why));
		assert_string_equal(why.text, cases[i].text);
		assert_string_equal(why.hint, cases[i].hint);
	}
}

static void peers_have_an_id_and_a_host(void **state)
{
	struct conf_error why;
	struct conf_peer *p = conf_peer_new("65535", "host=/tmp port=7 pool_size=3", "a.ini", 1, &why);

	(void)state;
	assert_non_null(p);
	assert_int_equal(p->id, 65535);
	assert_string_equal(p->host, "/tmp");
	assert_int_equal(p->port, 7);
	assert_int_equal(p->pool_size, 3);
	conf_peer_free(p);
	p = conf_peer_new("1", "host=a pool_size=-3", NULL, 0, &why);
	assert_non_null(p);
	assert_int_equal(p->port, 6432);
	assert_int_equal(p->pool_size, CONF_UNSET);
	assert_null(p->file);
	conf_peer_free(p);
}

static void broken_peers_are_named(void **state)
{
	static const struct {
		const char *id, *value, *text;
	} cases[] = {
	    {"0", "host=a",
	     "ids of peers must be a number larger than 0 and at most 65535 in configuration (a.ini:9): \"0\""},
	    {"65536", "host=a",
	     "ids of peers must be a number larger than 0 and at most 65535 in configuration (a.ini:9): \"65536\""},
	    {"x", "host=a",
	     "ids of peers must be a number larger than 0 and at most 65535 in configuration (a.ini:9): \"x\""},
	    {"1", "port=3", "host was not provided for peer 1 in configuration (a.ini:9)"},
	    {"1", "", "host was not provided for peer 1 in configuration (a.ini:9)"},
	    {"1", "host=a foo=1", "unrecognized connection parameter: foo for peer \"1\" in configuration (a.ini:9)"},
	    {"1", "host=a port=x",
	     "invalid port: x for peer \"1\" in configuration (a.ini:9): must be from 1 to 65535"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;

		assert_null(conf_peer_new(cases[i].id, cases[i].value, "a.ini", 9, &why));
		assert_string_equal(why.text, cases[i].text);
	}
}

static void logins_know_their_kind(void **state)
{
	struct conf_login *l = conf_login_new("a", "md50123456789abcdef0123456789abcdef");

	(void)state;
	assert_non_null(l);
	assert_string_equal(l->name, "a");
	assert_int_equal(l->kind, SECRET_MD5);
	assert_int_equal(l->secret_len, 35);
	conf_login_free(l);
}

static void nothing_can_be_freed(void **state)
{
	(void)state;
	conf_database_free(NULL);
	conf_user_free(NULL);
	conf_peer_free(NULL);
	conf_login_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_database_without_keys_has_everything_unset),
	                                   cmocka_unit_test(a_database_takes_every_key),
	                                   cmocka_unit_test(values_may_be_quoted_and_blanks_stand_anywhere),
	                                   cmocka_unit_test(the_last_of_a_repeated_key_counts),
	                                   cmocka_unit_test(negative_numbers_unset),
	                                   cmocka_unit_test(hosts_come_in_all_forms_and_lists),
	                                   cmocka_unit_test(broken_databases_are_named_and_passwords_are_not),
	                                   cmocka_unit_test(names_have_a_longest_length),
	                                   cmocka_unit_test(the_console_is_reserved),
	                                   cmocka_unit_test(users_take_every_key),
	                                   cmocka_unit_test(broken_users_are_named),
	                                   cmocka_unit_test(peers_have_an_id_and_a_host),
	                                   cmocka_unit_test(broken_peers_are_named),
	                                   cmocka_unit_test(logins_know_their_kind),
	                                   cmocka_unit_test(nothing_can_be_freed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
