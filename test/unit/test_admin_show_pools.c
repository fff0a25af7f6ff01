/* Tests of src/admin/show_pools.c: databases, pools, users and counts from a real registry. */
#include "console_bench.h"

#include "pool/pool.h"

#define CONF                                                                                                           \
	"[databases]\n"                                                                                                \
	"zoo = host=10.0.0.1,10.0.0.2 port=5433 dbname=z pool_size=7 min_pool_size=1 reserve_pool_size=2 "             \
	"pool_mode=session max_db_connections=9 max_db_client_connections=11 server_lifetime=60\n"                     \
	"app = host=127.0.0.1 user=forced pool_size=1\n"                                                               \
	"* = host=127.0.0.1\n"                                                                                         \
	"[users]\n"                                                                                                    \
	"ann = pool_size=5 pool_mode=transaction max_user_connections=3 max_user_client_connections=4\n"               \
	"bob = reserve_pool_size=12\n"                                                                                 \
	"[pgbouncer]\nauth_type=trust\nauth_file=users.txt\nlisten_port=7000\n"
#define USERS "\"cat\" \"x\"\n\"ann\" \"y\"\n"

static struct bench b;
static struct bench_client *c;

static int set_up(void **state)
{
	(void)state;
	bench_begin(&b, CONF, USERS);
	c = bench_connect(&b, CONSOLE_ADMIN);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	bench_disconnect(c);
	bench_finish(&b);
	return 0;
}

static struct seat *enter(const char *database, const char *user)
{
	struct entry entry;
	enum entering result = registry_enter(b.office->registry, b.conf, database, user, 0, &entry);

	assert_true(result == ENTERED || result == ENTERED_NEW_DATABASE);
	return entry.seat;
}

/* The rows alone. */
static const char *rows(const char *sql)
{
	const char *story = bench_ask(c, sql), *at = strstr(story, ") D(");

	return at == NULL ? "" : at + 2;
}

#define ZOO "D(zoo,10.0.0.1,10.0.0.2,5433,z,NULL,7,1,2,60,session,round-robin,9,0,11,%s,0,0) C(SHOW) Z"
#define APP "D(app,127.0.0.1,5432,app,forced,1,0,0,3600,NULL,NULL,0,%s,0,%s,%s) "
#define CONSOLE "D(pgbouncer,NULL,7000,pgbouncer,pgbouncer,2,0,0,3600,statement,NULL,0,0,0,1,0,0) "

static void databases_are_shown_before_anybody_came(void **state)
{
	char expected[1000];

	(void)state;
	snprintf(expected, sizeof(expected), APP CONSOLE ZOO, "0", "0", "0,0", "0");
	assert_string_equal(rows("show databases"), expected);
}

static void databases_count_what_is_connected(void **state)
{
	static const char *const made = "D(made,127.0.0.1,5432,made,NULL,20,0,0,3600,NULL,NULL,0,0,0,1,0,0) ";
	struct registry *r = b.office->registry;
	char expected[1000];

	(void)state;
	(void)enter("made", "ann");
	(void)enter("app", "ann");
	(void)enter("app", "bob");
	registry_find_database(r, "app")->quota.n_permits = 3;
	registry_find_database(r, "app")->paused = true;
	registry_find_database(r, "app")->disabled = true;
	snprintf(expected, sizeof(expected), APP "%s" CONSOLE ZOO, "3", "2", "1,1", made, "0");
	assert_string_equal(rows("show databases"), expected);
}

static void removed_databases_are_not_shown(void **state)
{
	(void)state;
	(void)enter("made", "ann");
	registry_find_database(b.office->registry, "made")->removed = true;
	assert_null(strstr(rows("show databases"), "(made,"));
}

static void pools_are_in_order_and_the_console_among_them(void **state)
{
	(void)state;
	(void)enter("zoo", "bob");
	(void)enter("zoo", "ann");
	(void)enter("app", "bob");
	assert_string_equal(rows("show pools"), "D(app,forced,1,0,0,0,0,0,0,0,0,0,0,0,0,session,NULL) "
	                                        "D(pgbouncer,pgbouncer,1,0,0,0,0,0,0,0,0,0,0,0,0,statement,NULL) "
	                                        "D(zoo,ann,1,0,0,0,0,0,0,0,0,0,0,0,0,transaction,round-robin) "
	                                        "D(zoo,bob,1,0,0,0,0,0,0,0,0,0,0,0,0,session,round-robin) C(SHOW) Z");
}

/* Numbers are those of the lists; who waits is told from the oldest waiter of all seats. */
static void pools_count_clients_and_servers_of_all_seats(void **state)
{
	uint64_t now_us = loop_now_us(b.loop);
	struct pool *p = enter("zoo2", "bob")->pool;
	struct waiter older = {.since_us = now_us - 2500000}, younger = {.since_us = now_us - 1000};
	struct seat *one = &p->seat[0], *two = &p->seat[1];
	const char *row;
	unsigned seconds, us;

	(void)state;
	assert_int_equal(p->n_seats, 2);
	one->n_clients = 10;
	two->n_clients = 20;
	one->n_waiting = 1;
	two->n_waiting = 1;
	two->n_newcomers = 3;
	one->n_lent = 4;
	two->n_lent = 1;
	two->n_moving = 1;
	one->n_idle = 5;
	two->n_opening = 7;
	list_add_tail(&one->waiting, &younger.node);
	list_add_tail(&two->waiting, &older.node);
	row = strstr(rows("show pools"), "D(zoo2,bob,25,5,0,0,6,0,0,5,0,0,7,");
	assert_non_null(row);
	assert_int_equal(sscanf(row, "D(zoo2,bob,25,5,0,0,6,0,0,5,0,0,7,%u,%u,session,NULL)", &seconds, &us), 2);
	assert_true(seconds >= 2 && seconds < 10 && us < 1000000);
	assert_true(seconds > 2 || us >= 500000);
	list_remove(&younger.node);
	list_remove(&older.node);
	memset((char *)one + offsetof(struct seat, n_waiting), 0, 7 * sizeof(uint32_t));
	memset((char *)two + offsetof(struct seat, n_waiting), 0, 7 * sizeof(uint32_t));
}

static void users_come_from_everywhere_once(void **state)
{
	(void)state;
	(void)enter("app", "ann");
	(void)enter("app", "dan");
	registry_account(b.office->registry, "dan")->quota.n_permits = 2;
	assert_string_equal(rows("show users"), "D(admin,,,NULL,0,0,0,1) "
	                                        "D(ann,        5,,transaction,3,0,4,1) "
	                                        "D(bob,,       12,NULL,0,0,0,0) "
	                                        "D(cat,,,NULL,0,0,0,0) "
	                                        "D(dan,,,NULL,0,2,0,1) "
	                                        "D(pgbouncer,,,NULL,0,0,0,0) C(SHOW) Z");
}

static void lists_count_everything(void **state)
{
	struct pool *p = enter("app", "ann")->pool;
	struct list login;

	(void)state;
	p->seat[0].n_idle = 2;
	p->seat[0].n_opening = 1;
	b.worker[0].n_clients = 3;
	b.worker[1].n_clients = 1;
	list_init(&login);
	list_add_tail(&b.worker[1].logins, &login);
	assert_string_equal(rows("show lists"),
	                    "D(databases,3) D(users,5) D(peers,0) D(pools,2) D(peer_pools,0) D(free_clients,0) "
	                    "D(used_clients,5) D(login_clients,1) D(free_servers,0) D(used_servers,3) D(dns_names,0) "
	                    "D(dns_zones,0) D(dns_queries,0) D(dns_pending,0) C(SHOW) Z");
	p->seat[0].n_idle = 0;
	p->seat[0].n_opening = 0;
}

static void mem_has_pgbouncers_rows(void **state)
{
	static const char *const names[] = {"user_cache",
	                                    "credentials_cache",
	                                    "db_cache",
	                                    "peer_cache",
	                                    "peer_pool_cache",
	                                    "pool_cache",
	                                    "outstanding_request_cache",
	                                    "server_cache",
	                                    "client_cache",
	                                    "iobuf_cache",
	                                    "var_list_cache",
	                                    "server_prepared_statement_cache"};
	const char *at = rows("show mem");

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_memory_equal(at, "D(", 2);
		assert_memory_equal(at + 2, names[i], strlen(names[i]));
		at = strstr(at, ") ") + 2;
	}
	assert_string_equal(at, "C(SHOW) Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(databases_are_shown_before_anybody_came, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(databases_count_what_is_connected, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(removed_databases_are_not_shown, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pools_are_in_order_and_the_console_among_them, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(pools_count_clients_and_servers_of_all_seats, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(users_come_from_everywhere_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lists_count_everything, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(mem_has_pgbouncers_rows, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
