/* What a file of PgBouncer gets otherwise is named, and a file that asks for nothing of the kind is passed in silence.
 */
#include "check_bench.h"
#include "main/check_offline.h"
#include "os/file.h"

#define GOOD "[databases]\napp = host=h\n[pgbouncer]\nlisten_addr=127.0.0.1\nauth_file=users.txt\n"
#define USERS "\"ann\" \"secret\"\n"

static void check(const char *text, const char *story)
{
	struct config *c = configured(text, USERS);
	struct findings f;

	findings_init(&f);
	check_differences(&f, c);
	assert_story(&f, story);
	findings_fini(&f);
	config_unref(c);
}

static void a_file_that_asks_for_nothing_special_is_passed_in_silence(void **state)
{
	(void)state;
	check(GOOD, "");
	check(GOOD "default_pool_size=50\npool_mode=transaction\nmax_client_conn=5000\nserver_idle_timeout=60\nquery_"
	           "timeout=3\n"
	           "ignore_startup_parameters=extra_float_digits\nserver_tls_sslmode=require\nadmin_users=ann\n",
	      "");
	/* the defaults, written out */
	check(GOOD "query_wait_timeout=120\nserver_login_retry=15.0\ndns_max_ttl=15\nsbuf_loopcnt=5\npkt_buf=4096\n",
	      "");
	check(GOOD "auth_hba_file=rules\n", "");
}

static void each_difference_is_named(void **state)
{
	(void)state;
	check(GOOD "query_wait_timeout=30\n",
	      "note PgBouncer: query_wait_timeout (30 s) is not how long a client waits for a server that cannot be "
	      "reached: it is told after server_down_wait\n");
	check(GOOD "server_login_retry=60\n",
	      "note PgBouncer: server_login_retry (60 s) is the longest pause after a wrong password; after other "
	      "failures the server is tried again within 2 s\n");
	check(GOOD "dns_max_ttl=60\n", "note PgBouncer: dns_max_ttl (60 s) is the longest time: an answer that says a "
	                               "shorter TTL is asked for again sooner\n");
	check(GOOD "sbuf_loopcnt=0\n", "note PgBouncer: sbuf_loopcnt (0) has no effect: every connection is read once, "
	                               "64 KB at most, before the others have their turn\n");
	check(GOOD "pkt_buf=8192\n", "note PgBouncer: pkt_buf (8192) is how much is read of a client that waits for a "
	                             "server; connections have no buffers of their own\n");
	check(GOOD "[databases]\nhere = dbname=x\n",
	      SOCKET_DIRECTORY[0] == '\0'
	          ? ""
	          : "note PgBouncer: servers without host= are sought on the Unix socket in /tmp, the default of "
	            "unix_socket_dir; many packages of PgBouncer have another one\n");
}

static void who_has_asked_for_pgbouncers_way_is_told_nothing(void **state)
{
	(void)state;
	check(GOOD "query_wait_timeout=30\nserver_login_retry=60\nserver_down_wait=0\n", "");
	check(GOOD "query_wait_timeout=30\nserver_down_wait=10\n", "");
	check(GOOD "query_wait_timeout=4\n", "");
	check(GOOD "server_login_retry=1\n", "");
	check(GOOD "unix_socket_dir=/run/postgresql\n[databases]\nhere = dbname=x\n", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_file_that_asks_for_nothing_special_is_passed_in_silence),
	    cmocka_unit_test(each_difference_is_named),
	    cmocka_unit_test(who_has_asked_for_pgbouncers_way_is_told_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
