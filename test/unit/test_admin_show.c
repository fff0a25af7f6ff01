/* Tests of src/admin/show.c: the columns of every topic, and topics without pools and connections. */
#include "console_bench.h"

#include "admin/view.h"

#define CONF                                                                                                           \
	"[databases]\napp = host=127.0.0.1\n[peers]\n3 = host=p3\n4 = host=p4 port=7000 pool_size=9\n"                 \
	"[pgbouncer]\nauth_type=trust\n"

#define CONNECTION                                                                                                     \
	"type:t user:t database:t replication:t state:t addr:t port:i local_addr:t local_port:i connect_time:t "       \
	"request_time:t wait:i wait_us:i close_needed:i ptr:t link:t remote_pid:i tls:t application_name:t "           \
	"prepared_statements:i id:i"
#define BUFFERS " recv_pos:i pkt_pos:i pkt_remain:i send_pos:i send_remain:i pkt_avail:i send_avail:i"

/* Frozen: exporters read these by number and order. Letters as in bench_tell_columns. */
static const struct {
	const char *topic, *columns;
} frozen[] = {
    {"CONFIG", "key:t value:t default:t changeable:t"},
    {"DATABASES", "name:t host:t port:i database:t force_user:t pool_size:i min_pool_size:i reserve_pool_size:i "
                  "server_lifetime:i pool_mode:t load_balance_hosts:t max_connections:i current_connections:i "
                  "max_client_connections:i current_client_connections:i paused:i disabled:i"},
    {"POOLS", "database:t user:t cl_active:i cl_waiting:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active:i "
              "sv_active_cancel:i sv_being_canceled:i sv_idle:i sv_used:i sv_tested:i sv_login:i maxwait:i "
              "maxwait_us:i pool_mode:t load_balance_hosts:t"},
    {"CLIENTS", CONNECTION},
    {"SERVERS", CONNECTION},
    {"USERS", "name:t pool_size:t reserve_pool_size:t pool_mode:t max_user_connections:i current_connections:i "
              "max_user_client_connections:i current_client_connections:i"},
    {"VERSION", "version:t"},
    {"PEERS", "peer_id:i host:t port:i pool_size:i"},
    {"PEER_POOLS", "peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i"},
    {"SOCKETS", CONNECTION BUFFERS},
    {"ACTIVE_SOCKETS", CONNECTION BUFFERS},
    {"LISTS", "list:t items:i"},
    {"MEM", "name:t size:i used:i free:i memtotal:i"},
    {"STATE", "key:t value:t"},
    {"DNS_HOSTS", "hostname:t ttl:q addrs:t"},
    {"DNS_ZONES", "zonename:t serial:q count:i"},
    {"STATS",
     "database:t total_server_assignment_count:n total_xact_count:n total_query_count:n total_received:n total_sent:n "
     "total_xact_time:n total_query_time:n total_wait_time:n total_client_parse_count:n total_server_parse_count:n "
     "total_bind_count:n total_client_login_count:n avg_server_assignment_count:n avg_xact_count:n avg_query_count:n "
     "avg_recv:n avg_sent:n avg_xact_time:n avg_query_time:n avg_wait_time:n avg_client_parse_count:n "
     "avg_server_parse_count:n avg_bind_count:n avg_client_login_count:n"},
    {"STATS_TOTALS", "database:t server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n "
                     "xact_time:n query_time:n wait_time:n client_parse_count:n server_parse_count:n bind_count:n "
                     "client_login_count:n"},
    {"STATS_AVERAGES", "database:t server_assignment_count:n xact_count:n query_count:n bytes_received:n bytes_sent:n "
                       "xact_time:n query_time:n wait_time:n avg_client_parse_count:n avg_server_parse_count:n "
                       "avg_bind_count:n avg_client_login_count:n"},
    {"TOTALS", "name:t value:n"},
    {"BACKENDS",
     "host:t addr:t port:i state:t since:t last_success:t last_failure:t failure_class:t failure:t attempts:q "
     "failures:i next_attempt_ms:q pools_waiting:i connect_query_failures:q resolve_us:q connect_us:q tls_us:q "
     "authenticate_us:q role:t"},
    {"WORKERS", "worker:i clients:i logins:i servers:i hand_overs:q"},
    {"WAITS", "id:q database:t user:t application_name:t addr:t port:i wait_start:t wait_ms:q why:t limited_by:t "
              "backend_down_since:t next_attempt_ms:q holder_id:q holder_application:t holder_ms:q holder_state:t"},
    {"STATE_GUARD", "database:t user:t state_guard:t set:q listen:q prepare:q temp:q cursor:q lock:q load:q warned:q "
                    "refused:q pinned:q"},
    {"ERRORS", "time:t incident:t class:t database:t user:t address:t count:q text:t hint:t"},
};
#define N_FROZEN (sizeof(frozen) / sizeof(frozen[0]))

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	while ((text = strstr(text, what)) != NULL) {
		text += strlen(what);
		n++;
	}
	return n;
}

static struct bench *begin(void)
{
	static struct bench b;

	bench_begin(&b, CONF, NULL);
	return &b;
}

static void columns_are_frozen(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);

	(void)state;
	for (size_t i = 0; i < N_FROZEN; i++) {
		char sql[64], expected[2048];
		const char *story;

		snprintf(sql, sizeof(sql), "show %s", frozen[i].topic);
		snprintf(expected, sizeof(expected), "T(%s) ", frozen[i].columns);
		story = bench_ask(c, sql);
		assert_memory_equal(story, expected, strlen(expected));
		assert_string_equal(story + strlen(story) - 9, "C(SHOW) Z");
		assert_int_equal(count(story, " Z"), 1);
	}
	bench_disconnect(c);
	bench_finish(b);
}

static void every_topic_is_checked(void **state)
{
	(void)state;
	for (const struct topic *t = topics; t->name != NULL; t++) {
		bool found = strcmp(t->name, "HELP") == 0;

		for (size_t i = 0; i < N_FROZEN; i++)
			found = found || strcmp(frozen[i].topic, t->name) == 0;
		assert_true(found);
		assert_true(t->doc[0] != '\0');
	}
}

static void help_is_a_notice(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);
	const char *story = bench_ask(c, "show help");

	(void)state;
	assert_memory_equal(story, "N(NOTICE 00000 Console usage | \n\tSHOW HELP|", 43);
	assert_non_null(strstr(story, "\n\tDEALLOCATE <name>|ALL) C(SHOW) Z"));
	bench_disconnect(c);
	bench_finish(b);
}

static void constants_have_fixed_values(void **state)
{
	static const struct {
		const char *sql, *story;
	} cases[] = {
	    {"show client_encoding", "T(client_encoding:t) D(UTF-8) C(SHOW) Z"},
	    {"SHOW default_transaction_isolation", "T(default_transaction_isolation:t) D(read committed) C(SHOW) Z"},
	    {"show standard_conforming_strings", "T(standard_conforming_strings:t) D(on) C(SHOW) Z"},
	    {"SHOW DateStyle", "T(datestyle:t) D(ISO) C(SHOW) Z"},
	    {"show TimeZone", "T(timezone:t) D(GMT) C(SHOW) Z"},
	    {"select extra_float_digits", "T(extra_float_digits:t) D(2) C(SHOW) Z"},
	};
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_string_equal(bench_ask(c, cases[i].sql), cases[i].story);
	bench_disconnect(c);
	bench_finish(b);
}

static void state_follows_pause(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);

	(void)state;
	assert_string_equal(bench_ask(c, "show state"), "T(key:t value:t) D(active,yes) D(paused,no) C(SHOW) Z");
	b->paused = true;
	assert_string_equal(bench_ask(c, "show state"), "T(key:t value:t) D(active,no) D(paused,yes) C(SHOW) Z");
	bench_disconnect(c);
	bench_finish(b);
}

static void settings_are_all_there(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);
	const char *story = bench_ask(c, "show config");

	(void)state;
	assert_int_equal(count(story, " D("), N_SETTINGS);
	assert_non_null(strstr(story, " D(auth_type,trust,md5,yes) "));
	assert_non_null(strstr(story, " D(auth_user,NULL,NULL,yes) "));
	bench_disconnect(c);
	bench_finish(b);
}

static void peers_are_as_configured(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);

	(void)state;
	assert_string_equal(bench_ask(c, "show peers"), "T(peer_id:i host:t port:i pool_size:i) D(3,p3,6432,20) "
	                                                "D(4,p4,7000,9) C(SHOW) Z");
	assert_string_equal(bench_ask(c, "show peer_pools"),
	                    "T(peer_id:i cl_active_cancel_req:i cl_waiting_cancel_req:i sv_active_cancel:i sv_login:i) "
	                    "D(4,7,5,7,2) C(SHOW) Z");
	bench_disconnect(c);
	bench_finish(b);
}

static void workers_tell_of_themselves(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);
	struct list login;

	(void)state;
	b->worker[0].n_clients = 12;
	b->worker[0].n_servers = 3;
	b->worker[1].n_hand_overs = 5000000000u;
	list_init(&login);
	list_add_tail(&b->worker[1].logins, &login);
	assert_string_equal(
	    bench_ask(c, "show workers"),
	    "T(worker:i clients:i logins:i servers:i hand_overs:q) D(0,12,0,3,0) D(1,0,1,0,5000000000) C(SHOW) Z");
	bench_disconnect(c);
	bench_finish(b);
}

static void note_lookup(struct dns_query *q, const struct dns_answer *answer, const struct failure *why)
{
	(void)q;
	(void)why;
	assert_non_null(answer);
}

static bool is_answered(void *arg)
{
	return !((struct dns_query *)arg)->waiting;
}

static void host_names_are_shown_with_their_addresses(void **state)
{
	struct bench *b = begin();
	struct bench_client *c = bench_connect(b, CONSOLE_STATS);
	struct dns_query q = {.answered = note_lookup};
	const char *story;

	(void)state;
	dns_lookup(b->dns, "localhost", &q);
	assert_true(run_until(b->loop, is_answered, &q));
	story = bench_ask(c, "show dns_hosts");
	assert_non_null(strstr(story, " D(localhost,"));
	assert_non_null(strstr(story, ":0) C(SHOW) Z"));
	assert_non_null(
	    strstr(bench_ask(c, "show lists"), " D(dns_names,1) D(dns_zones,0) D(dns_queries,0) D(dns_pending,0) "));
	bench_disconnect(c);
	bench_finish(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(columns_are_frozen),
	    cmocka_unit_test(every_topic_is_checked),
	    cmocka_unit_test(help_is_a_notice),
	    cmocka_unit_test(constants_have_fixed_values),
	    cmocka_unit_test(state_follows_pause),
	    cmocka_unit_test(settings_are_all_there),
	    cmocka_unit_test(peers_are_as_configured),
	    cmocka_unit_test(workers_tell_of_themselves),
	    cmocka_unit_test(host_names_are_shown_with_their_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
