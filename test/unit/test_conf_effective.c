/* Tests of src/conf/effective.c: which place decides. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "conf/config.h"
#include "configured.h"

#define SECOND 1000000ull

static struct config *load(void)
{
	return configured(
	    "[pgbouncer]\npool_mode=transaction\ndefault_pool_size=1\nmin_pool_size=2\nreserve_pool_size=3\n"
	    "max_db_connections=4\nmax_db_client_connections=5\nmax_user_connections=6\nmax_user_client_connections="
	    "7\nserver_down_wait=14\nstate_guard=warn\nauth_user=global_asker\n"
	    "server_lifetime=8\nquery_wait_timeout=9.5\nquery_timeout=10\ntransaction_timeout=11\n"
	    "idle_transaction_timeout=12\nclient_idle_timeout=13\n"
	    "[databases]\nplain=\n"
	    "zero = pool_size=0 min_pool_size=0 reserve_pool_size=0 max_db_connections=0 max_db_client_connections=0 "
	    "server_lifetime=0 query_wait_timeout=0 server_down_wait=0\n"
	    "own = pool_mode=statement pool_size=21 min_pool_size=22 reserve_pool_size=23 max_db_connections=24 "
	    "max_db_client_connections=25 server_lifetime=26 query_wait_timeout=27 server_down_wait=28 "
	    "state_guard=reject auth_user=asker auth_query='own query' auth_dbname=own_auth\n"
	    "[users]\nplain=\n"
	    "zero = pool_size=0 reserve_pool_size=0 max_user_connections=0 max_user_client_connections=0 "
	    "query_timeout=0 "
	    "transaction_timeout=0 idle_transaction_timeout=0 client_idle_timeout=0 query_wait_timeout=0 "
	    "server_down_wait=0\n"
	    "own = pool_mode=session pool_size=31 reserve_pool_size=33 max_user_connections=36 "
	    "max_user_client_connections=37 query_timeout=310 transaction_timeout=311 idle_transaction_timeout=312 "
	    "client_idle_timeout=313 query_wait_timeout=39 server_down_wait=314 state_guard=pin\n",
	    NULL);
}

static void settings_decide_when_nobody_else_does(void **state)
{
	struct config *c = load();
	const struct conf_database *d = config_find_database(c, "plain", NULL);
	const struct conf_user *users[] = {NULL, config_find_user(c, "plain")};

	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct conf_user *u = users[i];

		assert_int_equal(conf_pool_mode(c, d, u), POOL_MODE_TRANSACTION);
		assert_int_equal(conf_pool_size(c, d, u), 1);
		assert_int_equal(conf_min_pool_size(c, d), 2);
		assert_int_equal(conf_reserve_pool_size(c, d, u), 3);
		assert_int_equal(conf_max_db_connections(c, d), 4);
		assert_int_equal(conf_max_db_client_connections(c, d), 5);
		assert_int_equal(conf_max_user_connections(c, u), 6);
		assert_int_equal(conf_max_user_client_connections(c, u), 7);
		assert_int_equal(conf_server_lifetime_us(c, d), 8 * SECOND);
		assert_int_equal(conf_query_wait_timeout_us(c, d, u), 9500000);
		assert_int_equal(conf_server_down_wait_us(c, d, u), 14 * SECOND);
		assert_int_equal(conf_state_guard(c, d, u), STATE_GUARD_WARN);
		assert_int_equal(conf_query_timeout_us(c, u), 10 * SECOND);
		assert_int_equal(conf_transaction_timeout_us(c, u), 11 * SECOND);
		assert_int_equal(conf_idle_transaction_timeout_us(c, u), 12 * SECOND);
		assert_int_equal(conf_client_idle_timeout_us(c, u), 13 * SECOND);
	}
	config_unref(c);
}

static void the_database_decides_before_the_settings(void **state)
{
	struct config *c = load();
	const struct conf_database *d = config_find_database(c, "own", NULL);
	const struct conf_user *u = config_find_user(c, "plain");

	(void)state;
	assert_int_equal(conf_pool_mode(c, d, u), POOL_MODE_STATEMENT);
	assert_int_equal(conf_pool_size(c, d, u), 21);
	assert_int_equal(conf_min_pool_size(c, d), 22);
	assert_int_equal(conf_reserve_pool_size(c, d, u), 23);
	assert_int_equal(conf_max_db_connections(c, d), 24);
	assert_int_equal(conf_max_db_client_connections(c, d), 25);
	assert_int_equal(conf_server_lifetime_us(c, d), 26 * SECOND);
	assert_int_equal(conf_query_wait_timeout_us(c, d, u), 27 * SECOND);
	assert_int_equal(conf_server_down_wait_us(c, d, u), 28 * SECOND);
	assert_int_equal(conf_state_guard(c, d, u), STATE_GUARD_REJECT);
	config_unref(c);
}

static void the_user_decides_before_the_database(void **state)
{
	struct config *c = load();
	const struct conf_database *d = config_find_database(c, "own", NULL);
	const struct conf_user *u = config_find_user(c, "own");

	(void)state;
	assert_int_equal(conf_pool_mode(c, d, u), POOL_MODE_SESSION);
	assert_int_equal(conf_pool_size(c, d, u), 31);
	assert_int_equal(conf_reserve_pool_size(c, d, u), 33);
	assert_int_equal(conf_max_user_connections(c, u), 36);
	assert_int_equal(conf_max_user_client_connections(c, u), 37);
	assert_int_equal(conf_query_wait_timeout_us(c, d, u), 39 * SECOND);
	assert_int_equal(conf_server_down_wait_us(c, d, u), 314 * SECOND);
	assert_int_equal(conf_state_guard(c, d, u), STATE_GUARD_PIN);
	assert_int_equal(conf_query_timeout_us(c, u), 310 * SECOND);
	assert_int_equal(conf_transaction_timeout_us(c, u), 311 * SECOND);
	assert_int_equal(conf_idle_transaction_timeout_us(c, u), 312 * SECOND);
	assert_int_equal(conf_client_idle_timeout_us(c, u), 313 * SECOND);
	config_unref(c);
}

static void zero_is_a_value_for_some_and_nothing_for_others(void **state)
{
	struct config *c = load();
	const struct conf_database *zero = config_find_database(c, "zero", NULL);
	const struct conf_database *own = config_find_database(c, "own", NULL);
	const struct conf_user *u = config_find_user(c, "zero");

	(void)state;
	assert_int_equal(conf_pool_size(c, zero, NULL), 0);
	assert_int_equal(conf_min_pool_size(c, zero), 0);
	assert_int_equal(conf_reserve_pool_size(c, zero, NULL), 0);
	assert_int_equal(conf_query_wait_timeout_us(c, zero, NULL), 0);
	assert_int_equal(conf_server_down_wait_us(c, zero, NULL), 0);
	assert_int_equal(conf_max_db_connections(c, zero), 4);
	assert_int_equal(conf_max_db_client_connections(c, zero), 5);
	assert_int_equal(conf_server_lifetime_us(c, zero), 8 * SECOND);
	assert_int_equal(conf_pool_size(c, own, u), 0);
	assert_int_equal(conf_reserve_pool_size(c, own, u), 0);
	assert_int_equal(conf_max_user_connections(c, u), 0);
	assert_int_equal(conf_max_user_client_connections(c, u), 0);
	assert_int_equal(conf_query_wait_timeout_us(c, own, u), 0);
	assert_int_equal(conf_server_down_wait_us(c, own, u), 0);
	assert_int_equal(conf_query_timeout_us(c, u), 10 * SECOND);
	assert_int_equal(conf_transaction_timeout_us(c, u), 11 * SECOND);
	assert_int_equal(conf_idle_transaction_timeout_us(c, u), 12 * SECOND);
	assert_int_equal(conf_client_idle_timeout_us(c, u), 13 * SECOND);
	config_unref(c);
}

static void auth_query_is_the_databases_or_the_settings(void **state)
{
	struct config *c = load();
	const struct conf_database *own = config_find_database(c, "own", NULL);
	const struct conf_database *zero = config_find_database(c, "zero", NULL);

	(void)state;
	assert_string_equal(conf_auth_user(c, own), "asker");
	assert_string_equal(conf_auth_query(c, own), "own query");
	assert_string_equal(conf_auth_dbname(c, own), "own_auth");
	assert_string_equal(conf_auth_user(c, zero), "global_asker");
	assert_non_null(strstr(conf_auth_query(c, zero), "pg_authid"));
	assert_string_equal(conf_auth_user(c, NULL), "global_asker");
	assert_null(conf_auth_dbname(c, NULL));
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(settings_decide_when_nobody_else_does),
	                                   cmocka_unit_test(the_database_decides_before_the_settings),
	                                   cmocka_unit_test(the_user_decides_before_the_database),
	                                   cmocka_unit_test(zero_is_a_value_for_some_and_nothing_for_others),
	                                   cmocka_unit_test(auth_query_is_the_databases_or_the_settings)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
