/* Settings against each other: each fault by itself, and a configuration without any. */
#include "check_bench.h"
#include "main/check_offline.h"

#define GOOD                                                                                                           \
	"[databases]\napp = "                                                                                          \
	"host=h\n[pgbouncer]\nlisten_addr=127.0.0.1\nauth_type=scram-sha-256\nauth_file=users.txt\n"
#define USERS "\"ann\" \"secret\"\n"

static void check(const char *text, const char *story)
{
	struct config *c = configured(text, USERS);
	struct findings f;

	findings_init(&f);
	check_settings(&f, c);
	assert_story(&f, story);
	findings_fini(&f);
	config_unref(c);
}

static void a_good_configuration_is_passed_in_silence(void **state)
{
	(void)state;
	check(GOOD, "");
	check(GOOD "min_pool_size=20\nmax_db_connections=20\nreserve_pool_size=3\nadmin_users=ann\n", "");
	check(GOOD "pool_mode=session\ndefault_pool_size=0\nmin_pool_size=3\n", "");
}

static void it_must_listen_somewhere(void **state)
{
	(void)state;
	check(GOOD "listen_addr=\nunix_socket_dir=\n",
	      "error settings: nowhere to listen on: listen_addr and unix_socket_dir are empty\n");
	check(GOOD "listen_addr= , \nunix_socket_dir=\n",
	      "error settings: nowhere to listen on: listen_addr and unix_socket_dir are empty\n");
	check(GOOD "listen_addr=\nunix_socket_dir=/tmp\n", "");
	check(GOOD "max_client_conn=0\n", "error settings: max_client_conn is 0: no client can connect\n");
	check("[pgbouncer]\nauth_file=users.txt\nlisten_addr=*\n",
	      "warning settings: no database is configured: only the console can be reached\n");
}

static void http_is_looked_at(void **state)
{
	(void)state;
	check(GOOD "http_listen=127.0.0.1:9127, [::1]:9127, localhost:9127\n", "");
	check(GOOD "http_listen=127.0.0.1:9127,*:9128\n",
	      "note settings: at \"*\", port 9128, only probes and metrics are served: no login is configured\n");
	check(GOOD "http_listen=*:9128\nhttp_auth_user=me\nhttp_auth_password=x\n", "");
	check(GOOD "http_auth_user=me\nhttp_auth_password=x\n",
	      "warning settings: http_auth_user is set, but nobody is asked for it: http_listen is empty\n");
	check(GOOD "listen_addr=127.0.0.1\nhttp_listen=127.0.0.1:6432\n",
	      "warning settings: http_listen has the port of listen_port, 6432: at the same address only one can have "
	      "it\n");
}

static void a_log_is_rotated_where_there_is_one_and_in_time(void **state)
{
	(void)state;
	check(GOOD "logfile=/l\nlog_rotation_size=10MB\nlog_rotation_age=1d\n", "");
	check(GOOD "logfile=/l\nlog_rotation_size=64kB\nlog_rotation_age=31d\n", "");
	check(GOOD "log_rotation_size=10MB\nlog_rotation_age=1d\n",
	      "warning settings: log_rotation_size is set, but there is no log file: logfile is empty\n");
	check(GOOD "log_rotation_age=1d\n",
	      "warning settings: log_rotation_age is set, but there is no log file: logfile is empty\n");
	check(GOOD "logfile=/l\nlog_rotation_size=10\n", "warning settings: log_rotation_size is only 10kB\n");
	check(GOOD "logfile=/l\nlog_rotation_size=10485760\n",
	      "warning settings: log_rotation_size is as much as 10GB\n");
	check(GOOD "logfile=/l\nlog_rotation_age=86400\n", "warning settings: log_rotation_age is as much as 60d\n");
}

static void times_must_leave_room_for_telling(void **state)
{
	(void)state;
	check(GOOD "query_wait_timeout=0\n",
	      "warning settings: query_wait_timeout is 0: a client waits for a server without end\n");
	check(
	    GOOD "server_connect_timeout=0\n",
	    "warning settings: server_connect_timeout is 0: an attempt that nobody answers lasts as long as the system "
	    "lets it\n");
	check(GOOD "query_wait_timeout=5\nserver_down_wait=5\n",
	      "warning settings: server_down_wait (5 s) is not below query_wait_timeout (5 s): clients time out before "
	      "they are told why the server cannot be reached\n");
	check(GOOD "query_wait_timeout=5.5\nserver_down_wait=5\n", "");
}

static void sizes_must_fit_into_each_other(void **state)
{
	(void)state;
	check(GOOD "min_pool_size=21\n",
	      "warning settings: min_pool_size (21) of database \"app\" is above its pool size (20), which counts\n");
	check(GOOD "[databases]\nb=host=h pool_size=3 min_pool_size=4\n",
	      "warning settings: min_pool_size (4) of database \"b\" is above its pool size (3), which counts\n");
	check(GOOD "max_db_connections=19\n",
	      "warning settings: the pool size (20) of database \"app\" is never reached: max_db_connections is 19\n");
	check(GOOD "reserve_pool_size=1\nreserve_pool_timeout=0\n",
	      "warning settings: the reserve of database \"app\" is never used: reserve_pool_timeout is 0\n");
	check(GOOD "[users]\nann = pool_size=9 max_user_connections=8\n",
	      "warning settings: the pool size (9) of user \"ann\" is never reached: max_user_connections is 8\n");
}

static void names_must_be_known(void **state)
{
	(void)state;
	check(GOOD "admin_users= ann , boss\nstats_users=looker\n",
	      "warning settings: admin_users names \"boss\", who cannot log in: auth_file does not have that user\n"
	      "warning settings: stats_users names \"looker\", who cannot log in: auth_file does not have that user\n");
	check(GOOD "auth_type=any\nadmin_users=boss\n", "");
	check(GOOD "[users]\nben = pool_size=3\n",
	      "warning settings: user \"ben\" of [users] cannot log in: auth_file does not have that user\n");
	check(GOOD "auth_type=trust\n[users]\nben = pool_size=3\n", "");
	check(GOOD "[users]\nowner = pool_size=3\n[databases]\nb=host=h user=owner\n", "");
}

static void lookups_need_a_database(void **state)
{
	(void)state;
	check(GOOD "auth_user=asker\n", "");
	check(GOOD "auth_user=asker\nauth_dbname=app\nadmin_users=anybody\n[users]\nben = pool_size=3\n", "");
	check(GOOD "auth_dbname=nix\n", ""); /* without auth_user it means nothing */
	check(GOOD "auth_user=asker\nauth_dbname=nix\n",
	      "error settings: auth_dbname of database \"app\" is \"nix\", which [databases] does not have\n");
	check(GOOD "auth_user=asker\n[databases]\nb = host=h auth_dbname=pgbouncer\n",
	      "error settings: auth_query of database \"b\" cannot be run in the console database \"pgbouncer\"\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_good_configuration_is_passed_in_silence),
	    cmocka_unit_test(it_must_listen_somewhere),
	    cmocka_unit_test(http_is_looked_at),
	    cmocka_unit_test(a_log_is_rotated_where_there_is_one_and_in_time),
	    cmocka_unit_test(times_must_leave_room_for_telling),
	    cmocka_unit_test(sizes_must_fit_into_each_other),
	    cmocka_unit_test(names_must_be_known),
	    cmocka_unit_test(lookups_need_a_database),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
