/* Tests of src/pool/settings.c. This program brings its own base/mem. */
#include "failing_mem.h"
#include "pool_bench.h"

/* A configuration with these entries, settings and users, and a user list; config_unref it. */
static struct config *configure(const char *databases, const char *globals, const char *users)
{
	char text[2000];

	assert_in_range(
	    snprintf(text, sizeof(text),
	             "[databases]\n%s\n[pgbouncer]\nauth_type=plain\nauth_file=users.txt\n%s\n[users]\n%s\n", databases,
	             globals, users),
	    1, sizeof(text) - 1);
	return configured(text, "\"ann\" \"of ann\"\n\"owner\" \"of owner\"\n\"empty\" \"\"\n");
}

/* What holds for this user in database app. */
static struct pool_settings *settings_of(const char *user, const char *databases, const char *globals,
                                         const char *users)
{
	struct config *c = configure(databases, globals, users);
	struct pool_settings *set = pool_settings_new(c, config_find_database(c, "app", NULL), "app", user);

	assert_non_null(set);
	config_unref(c);
	return set;
}

static void end(struct pool_settings *set)
{
	shared_unref(&set->shared);
}

static void the_global_settings_hold_where_nothing_else_is_said(void **state)
{
	struct pool_settings *set = settings_of(
	    "ann", "app = host=h",
	    "pool_mode=transaction\ndefault_pool_size=7\nmin_pool_size=2\nreserve_pool_size=3\nmax_db_connections=40\n"
	    "max_user_connections=50\nquery_wait_timeout=11\nquery_timeout=12\ntransaction_timeout=13\n"
	    "idle_transaction_timeout=14\nclient_idle_timeout=15\nserver_lifetime=16\nserver_down_wait=17",
	    "");

	(void)state;
	assert_int_equal(set->mode, POOL_MODE_TRANSACTION);
	assert_int_equal(set->size, 7);
	assert_int_equal(set->min_size, 2);
	assert_int_equal(set->reserve_size, 3);
	assert_int_equal(set->max_db_connections, 40);
	assert_int_equal(set->max_user_connections, 50);
	assert_true(set->query_wait_timeout_us == 11 * US_PER_S);
	assert_true(set->query_timeout_us == 12 * US_PER_S);
	assert_true(set->transaction_timeout_us == 13 * US_PER_S);
	assert_true(set->idle_transaction_timeout_us == 14 * US_PER_S);
	assert_true(set->client_idle_timeout_us == 15 * US_PER_S);
	assert_true(set->server_lifetime_us == 16 * US_PER_S);
	assert_true(set->server_down_wait_us == 17 * US_PER_S);
	assert_ptr_equal(set->global, &set->config->settings);
	end(set);
}

static void the_databases_entry_goes_before_the_setting_and_the_users_before_both(void **state)
{
	static const char *const database =
	    "app = host=h pool_mode=transaction pool_size=5 reserve_pool_size=6 min_pool_size=1 max_db_connections=8 "
	    "query_wait_timeout=21 server_lifetime=22 server_down_wait=23";
	static const char *const globals = "pool_mode=session\ndefault_pool_size=7\nquery_timeout=12";
	static const char *const users =
	    "ann = pool_mode=statement pool_size=2 reserve_pool_size=4 "
	    "max_user_connections=9 query_wait_timeout=31 query_timeout=32 server_down_wait=33";
	struct pool_settings *ann = settings_of("ann", database, globals, users);
	struct pool_settings *ben = settings_of("ben", database, globals, users);

	(void)state;
	assert_int_equal(ben->mode, POOL_MODE_TRANSACTION);
	assert_int_equal(ben->size, 5);
	assert_int_equal(ben->reserve_size, 6);
	assert_true(ben->query_wait_timeout_us == 21 * US_PER_S);
	assert_true(ben->query_timeout_us == 12 * US_PER_S);
	assert_true(ben->server_down_wait_us == 23 * US_PER_S);
	assert_int_equal(ann->mode, POOL_MODE_STATEMENT);
	assert_int_equal(ann->size, 2);
	assert_int_equal(ann->reserve_size, 4);
	assert_int_equal(ann->max_user_connections, 9);
	assert_true(ann->query_wait_timeout_us == 31 * US_PER_S);
	assert_true(ann->query_timeout_us == 32 * US_PER_S);
	assert_true(ann->server_down_wait_us == 33 * US_PER_S);
	/* no user's business */
	assert_int_equal(ann->min_size, 1);
	assert_int_equal(ann->max_db_connections, 8);
	assert_true(ann->server_lifetime_us == 22 * US_PER_S);
	end(ann);
	end(ben);
}

static void no_limit_is_the_largest_number_and_no_minimum_is_0(void **state)
{
	struct pool_settings *set = settings_of("ann", "app = host=h pool_size=0",
	                                        "max_db_connections=0\nmax_user_connections=0\nmin_pool_size=0\n"
	                                        "reserve_pool_size=0\nserver_lifetime=0",
	                                        "");

	(void)state;
	assert_true(set->size == UINT32_MAX);
	assert_true(set->max_db_connections == UINT32_MAX);
	assert_true(set->max_user_connections == UINT32_MAX);
	assert_int_equal(set->min_size, 0);
	assert_int_equal(set->reserve_size, 0);
	assert_true(set->server_lifetime_us == 0);
	end(set);
}

static void names_on_the_server_are_the_entrys_or_else_the_clients(void **state)
{
	struct pool_settings *plain = settings_of("ann", "app = host=h", "", "");
	struct pool_settings *forced = settings_of("ann", "app = host=h dbname=real user=owner", "", "");

	(void)state;
	assert_string_equal(plain->dbname, "app");
	assert_string_equal(plain->user, "ann");
	assert_false(plain->forced_user);
	assert_string_equal(forced->dbname, "real");
	assert_string_equal(forced->user, "owner");
	assert_true(forced->forced_user);
	end(plain);
	end(forced);
}

static void of_a_template_every_database_has_its_own_name(void **state)
{
	struct config *c = configure("* = host=h", "", "");
	bool is_template = false;
	const struct conf_database *d = config_find_database(c, "one", &is_template);
	struct pool_settings *set = pool_settings_new(c, d, "one", "ann");

	(void)state;
	assert_true(is_template);
	assert_non_null(set);
	config_unref(c);
	assert_string_equal(set->dbname, "one");
	end(set);
}

static void limits_are_those_of_the_forced_user(void **state)
{
	struct pool_settings *set =
	    settings_of("ann", "app = host=h user=owner", "", "ann = pool_size=2\nowner = pool_size=3");

	(void)state;
	assert_int_equal(set->size, 3);
	end(set);
}

static void the_secret_is_the_entrys_or_that_of_the_user_list(void **state)
{
	static const struct {
		const char *user, *database, *secret;
	} cases[] = {{"ann", "app = host=h", "of ann"},
	             {"nobody", "app = host=h", NULL},
	             {"empty", "app = host=h", NULL},
	             {"ann", "app = host=h user=owner", "of owner"},
	             {"ann", "app = host=h user=owner password=x", "x"},
	             /* a password belongs to the user of its entry */
	             {"ann", "app = host=h password=x", "of ann"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool_settings *set = settings_of(cases[i].user, cases[i].database, "", "");

		if (cases[i].secret == NULL) {
			assert_null(set->secret);
		} else {
			assert_non_null(set->secret);
			assert_string_equal(set->secret, cases[i].secret);
		}
		end(set);
	}
}

/* Whether servers opened under the first may go on under the second. */
static bool goes_on(const char *user_a, const char *a, const char *globals_a, const char *user_b, const char *b,
                    const char *globals_b)
{
	struct pool_settings *before = settings_of(user_a, a, globals_a, "");
	struct pool_settings *after = settings_of(user_b, b, globals_b, "");
	bool same = pool_settings_same_server(before, after);

	assert_int_equal(pool_settings_same_server(after, before), same);
	end(before);
	end(after);
	return same;
}

static void servers_go_on_when_only_limits_and_times_change(void **state)
{
	const char *tcp = "app = host=h", *local = "app =";

	(void)state;
	assert_true(goes_on("ann", tcp, "", "ann", tcp, ""));
	assert_true(goes_on("ann", tcp, "", "ann", "app = host=h pool_size=3 pool_mode=statement", "query_timeout=5"));
	assert_true(goes_on("ann", local, "unix_socket_dir=/a", "ann", local, "unix_socket_dir=/a"));
	/* nobody connects through it */
	assert_true(goes_on("ann", tcp, "unix_socket_dir=/a", "ann", tcp, "unix_socket_dir=/b"));
}

static void servers_end_when_place_account_or_start_change(void **state)
{
	static const char *const other[] = {"app = host=i",
	                                    "app = host=h port=5433",
	                                    "app = host=h dbname=b",
	                                    "app = host=h user=owner",
	                                    "app =",
	                                    "app = host=h connect_query='select 1'",
	                                    "app = host=h,i",
	                                    "app = host=h load_balance_hosts=disable",
	                                    "app = host=h target_session_attrs=standby"};

	(void)state;
	for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++)
		assert_false(goes_on("ann", "app = host=h", "", "ann", other[i], ""));
	assert_false(goes_on("ann", "app = host=h", "", "ben", "app = host=h", ""));
	assert_false(goes_on("ann", "app = host=h", "", "ann", "app = host=h", "target_session_attrs=primary"));
	assert_false(goes_on("ann", "app =", "unix_socket_dir=/a", "ann", "app =", "unix_socket_dir=/b"));
}

static void settings_keep_their_configuration_until_the_last_holder_lets_go(void **state)
{
	struct config *c = configure("app = host=h", "", "");
	struct pool_settings *set = pool_settings_new(c, config_find_database(c, "app", NULL), "app", "ann");

	(void)state;
	assert_non_null(set);
	assert_ptr_equal(set->config, c);
	config_unref(c);
	shared_ref(&set->shared);
	shared_unref(&set->shared);
	assert_string_equal(set->database->host, "h");
	assert_string_equal(set->secret, "of ann");
	end(set);
	assert_int_equal(mem_blocks, 0);
}

static void without_memory_there_are_none_and_nothing_is_lost(void **state)
{
	struct config *c = configure("app = host=h", "", "");
	const struct conf_database *d = config_find_database(c, "app", NULL);
	size_t blocks = mem_blocks;

	(void)state;
	/* itself and two names */
	for (size_t at = 1; at <= 3; at++) {
		mem_until_failure = at;
		assert_null(pool_settings_new(c, d, "app", "ann"));
		mem_until_failure = 0;
		assert_int_equal(mem_blocks, blocks);
	}
	config_unref(c);
	assert_int_equal(mem_blocks, 0);
}

static void lookups_run_as_auth_user_whoever_is_forced(void **state)
{
	struct config *c = configure("app = host=h user=owner password=x dbname=d", "min_pool_size=3", "");
	const struct conf_database *d = config_find_database(c, "app", NULL);
	static const struct {
		const char *auth_user, *secret;
	} cases[] = {{"ann", "of ann"}, {"nobody", NULL}, {"owner", "x"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pool_settings *set = pool_settings_new_lookups(c, d, "app", cases[i].auth_user);

		assert_non_null(set);
		assert_string_equal(set->user, cases[i].auth_user);
		assert_string_equal(set->dbname, "d");
		assert_false(set->forced_user);
		assert_int_equal(set->min_size, 0);
		if (cases[i].secret == NULL)
			assert_null(set->secret);
		else
			assert_string_equal(set->secret, cases[i].secret);
		end(set);
	}
	config_unref(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_global_settings_hold_where_nothing_else_is_said),
	    cmocka_unit_test(the_databases_entry_goes_before_the_setting_and_the_users_before_both),
	    cmocka_unit_test(no_limit_is_the_largest_number_and_no_minimum_is_0),
	    cmocka_unit_test(names_on_the_server_are_the_entrys_or_else_the_clients),
	    cmocka_unit_test(of_a_template_every_database_has_its_own_name),
	    cmocka_unit_test(limits_are_those_of_the_forced_user),
	    cmocka_unit_test(the_secret_is_the_entrys_or_that_of_the_user_list),
	    cmocka_unit_test(servers_go_on_when_only_limits_and_times_change),
	    cmocka_unit_test(servers_end_when_place_account_or_start_change),
	    cmocka_unit_test(settings_keep_their_configuration_until_the_last_holder_lets_go),
	    cmocka_unit_test(without_memory_there_are_none_and_nothing_is_lost),
	    cmocka_unit_test(lookups_run_as_auth_user_whoever_is_forced),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
