/* Tests of src/admin/metrics.c, metrics_gather.c and metrics_sources.c: the table, and what it says of a small world.
 */
#include "console_bench.h"

#include "admin/metrics.h"
#include "admin/terminal.h"
#include "base/clock.h"
#include "diag/error_ring.h"
#include "diag/explain.h"
#include "pool/backend.h"
#include "pool/outage.h"
#include "worker/server.h"

#define CONF                                                                                                           \
	"[databases]\napp = host=127.0.0.1 pool_size=8\nzoo = host=127.0.0.1 port=7777\n"                              \
	"[pgbouncer]\nauth_type=trust\nmax_client_conn=123\n"

static struct bench b;
static struct entry entry[2]; /* one on each worker */
static struct str text;

static int set_up(void **state)
{
	(void)state;
	bench_begin(&b, CONF, NULL);
	str_init(&text, 64u << 20);
	for (uint16_t i = 0; i < 2; i++)
		assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", i, &entry[i]), ENTERED);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	str_fini(&text);
	bench_finish(&b);
	return 0;
}

static void take(void *asker, struct view *v)
{
	assert_false(v->out.failed);
	str_add(&text, v->out.data, v->out.len);
	*(bool *)asker = true;
}

static bool is_true(void *arg)
{
	return *(const bool *)arg;
}

static void go_round(const struct topic *topic)
{
	struct view *under_way;
	bool done = false;

	str_clear(&text);
	assert_true(view_start(b.console, topic, take, &done, &under_way));
	assert_true(run_until(b.loop, is_true, &done));
}

static const char *scrape(void)
{
	go_round(&metrics_topic);
	return str_text(&text);
}

/* What stands behind the name and the labels; NULL: there is no such sample. */
static const char *sample(const char *series)
{
	size_t len = strlen(series);

	for (const char *at = str_text(&text); at != NULL && *at != '\0'; at = strchr(at, '\n'), at += at != NULL) {
		if (strncmp(at, series, len) == 0 && at[len] == ' ')
			return at + len + 1;
	}
	return NULL;
}

static void assert_sample(const char *series, const char *value)
{
	const char *found = sample(series);

	if (found == NULL || strncmp(found, value, strlen(value)) != 0 || found[strlen(value)] != '\n')
		fail_msg("%s is %.20s instead of %s", series, found == NULL ? "nowhere" : found, value);
}

/* ---- the table ---- */

static bool ends_in(const char *name, size_t len, const char *end)
{
	return len > strlen(end) && strncmp(name + len - strlen(end), end, strlen(end)) == 0;
}

static bool has_column(const struct message_column *columns, const char *name, size_t len)
{
	for (; columns->name != NULL; columns++) {
		if (strlen(columns->name) == len && strncmp(columns->name, name, len) == 0)
			return true;
	}
	return false;
}

static void the_table_keeps_the_rules_of_the_formats(void **state)
{
	(void)state;
	for (const struct metric *m = metric_rows; m->name != NULL; m++) {
		size_t len = strlen(m->name);

		assert_int_equal(strspn(m->name, "abcdefghijklmnopqrstuvwxyz_"), len);
		assert_true(strncmp(m->name, "pgbouncer_", 10) == 0 || strncmp(m->name, "pgweir_", 7) == 0);
		if ((m->kind == METRIC_COUNTER) != ends_in(m->name, len, "_total"))
			fail_msg("%s", m->name);
		len -= m->kind == METRIC_COUNTER ? strlen("_total") : 0;
		if (m->unit[0] != '\0' && !ends_in(m->name, len, m->unit))
			fail_msg("%s has not its unit %s", m->name, m->unit);
		assert_true(m->unit[0] != '\0' ||
		            (!ends_in(m->name, len, "_seconds") && !ends_in(m->name, len, "_bytes")));
		assert_true(m->divisor == 1 || (m->divisor == 1000000 && strcmp(m->unit, "seconds") == 0));
		assert_true(ends_in(m->help, strlen(m->help), "."));
		for (const struct metric *other = metric_rows; other != m; other++) {
			size_t n = strlen(other->name);

			/* nor may it be what a sample of another family is called */
			assert_false(strncmp(other->name, m->name, n) == 0 &&
			             (m->name[n] == '\0' || strcmp(m->name + n, "_total") == 0 ||
			              strcmp(m->name + n, "_count") == 0 || strcmp(m->name + n, "_sum") == 0));
		}
	}
}

static void each_row_of_the_table_finds_its_columns(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_METRIC_SOURCES; i++) {
		const struct metric_source_row *s = &metric_sources[i];

		for (const char *at = s->labels; *at != '\0';) {
			size_t len = strcspn(at, ",");

			assert_true(has_column(s->columns, at, len));
			at += len;
			at += *at == ',';
		}
		assert_int_equal(s->keyed, s->labels[0] == '\0');
	}
	for (const struct metric *m = metric_rows; m->name != NULL; m++) {
		const struct metric_source_row *s = &metric_sources[m->source];

		if (m->kind != METRIC_HISTOGRAM && m->column != NULL && !s->keyed &&
		    !has_column(s->columns, m->column, strlen(m->column)))
			fail_msg("%s: there is no column %s", m->name, m->column);
	}
}

/* ---- what is told ---- */

static void add_backend(bool down)
{
	struct backend *backend;
	struct address a;
	struct failure f;
	uint64_t now_us = loop_now_us(b.loop);

	memset(&a, 0, sizeof(a));
	assert_true(address_from_text(&a, down ? "10.0.0.1" : "10.0.0.2", 5432));
	backend = backend_get(&b.control.opener->backends, "db", &a, now_us);
	assert_non_null(backend);
	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	if (down)
		backend_failed(backend, &f, 10, now_us, now_us);
	else
		(void)!backend_came_through(backend, now_us);
	backend->login_us = down ? 0 : now_us;
	backend->failure_us = down ? now_us : 0;
	backend->good = (struct login_phases){1, 20, 0, 400, 50};
	backend->total_attempts = 7;
	backend->n_failures = 3;
	failure_fini(&f);
}

/* The small world has something of everything. */
static void every_family_is_told(void **state)
{
	struct bench_client *c = bench_connect(&b, CONSOLE_STATS);

	(void)state;
	add_backend(true);
	add_backend(false);
	for (unsigned open = 0; open < 2; open++) {
		go_round(open ? &open_metrics_topic : &metrics_topic);
		for (const struct metric *m = metric_rows; m->name != NULL; m++) {
			size_t len = strlen(m->name) - (open && m->kind == METRIC_COUNTER ? strlen("_total") : 0);
			char line[200];

			snprintf(line, sizeof(line), "# TYPE %.*s %s\n", (int)len, m->name,
			         m->kind == METRIC_COUNTER     ? "counter"
			         : m->kind == METRIC_HISTOGRAM ? "histogram"
			                                       : "gauge");
			if (strstr(str_text(&text), line) == NULL &&
			    strcmp(m->name, "pgbouncer_process_open_fds") != 0 &&
			    strcmp(m->name, "pgbouncer_process_max_fds") != 0)
				fail_msg("no %s", line);
		}
		assert_int_equal(strcmp(text.data + text.len - 6, "# EOF\n") == 0, open);
		assert_int_equal(strstr(text.data, "# UNIT ") != NULL, open);
	}
	bench_disconnect(c);
}

static void the_console_s_numbers_are_told(void **state)
{
	struct bench_client *c;

	(void)state;
	entry[0].seat->counters.xact_count = 5;
	entry[1].seat->counters.xact_count = 6;
	entry[1].seat->counters.query_time = 1234567;
	b.worker[0].n_clients = 30;
	b.worker[1].n_clients = 12;
	b.worker[1].n_hand_overs = 77;
	(void)scrape();
	assert_sample("pgbouncer_up", "1");
	assert_sample("pgbouncer_version_info{version=\"PgBouncer 1.26.1\"}", "1");
	assert_sample("pgbouncer_databases", "3");
	assert_sample("pgbouncer_config_max_client_connections", "123");
	assert_sample("pgbouncer_used_clients", "42");
	assert_sample("pgbouncer_stats_totals_sql_transactions_pooled_total{database=\"app\"}", "11");
	assert_sample("pgbouncer_stats_totals_queries_duration_seconds_total{database=\"app\"}", "1.234567");
	assert_sample("pgbouncer_databases_pool_size{name=\"app\",host=\"127.0.0.1\",port=\"5432\",database=\"app\","
	              "force_user=\"\",pool_mode=\"\"}",
	              "8");
	assert_sample("pgbouncer_pools_client_active_connections{database=\"app\",user=\"ann\"}", "2");
	assert_sample("pgweir_worker_clients{worker=\"1\"}", "12");
	assert_sample("pgweir_worker_hand_overs_total{worker=\"1\"}", "77");
	assert_non_null(sample("pgweir_worker_cpu_seconds_total{worker=\"main\"}"));
	assert_null(sample("pgweir_worker_clients{worker=\"main\"}"));
	assert_sample("pgweir_paused", "0");
	assert_null(strstr(text.data, "pgbouncer_client_connections"));
	b.paused = b.shutting_down = true;
	c = bench_connect(&b, CONSOLE_STATS);
	(void)scrape();
	assert_sample("pgweir_paused", "1");
	assert_sample("pgweir_shutting_down", "1");
	assert_sample("pgbouncer_used_clients", "43");
	assert_sample("pgbouncer_client_connections{database=\"pgbouncer\",user=\"stats\",application_name=\"bench\","
	              "state=\"idle\"}",
	              "1");
	assert_sample("pgweir_connections{side=\"client\",tls=\"\"}", "1");
	bench_disconnect(c);
}

static void backends_are_up_or_down(void **state)
{
	(void)state;
	b.control.opener->wall_offset_us = clock_wall_us() - loop_now_us(b.loop);
	add_backend(true);
	add_backend(false);
	(void)scrape();
#define DOWN "{host=\"db\",addr=\"10.0.0.1\",port=\"5432\""
#define UP "{host=\"db\",addr=\"10.0.0.2\",port=\"5432\""
	assert_sample("pgweir_backend_up" DOWN "}", "0");
	assert_sample("pgweir_backend_up" UP "}", "1");
	assert_sample("pgweir_backend_info" DOWN ",state=\"down\",role=\"\"}", "1");
	assert_sample("pgweir_backend_failures_in_a_row" DOWN "}", "3");
	assert_sample("pgweir_backend_last_login_authenticate_seconds" UP "}", "0.000400");
	assert_null(sample("pgweir_backend_last_login_timestamp_seconds" DOWN "}"));
	assert_null(sample("pgweir_backend_last_failure_timestamp_seconds" UP "}"));
	assert_in_range(strtoull(sample("pgweir_backend_last_login_timestamp_seconds" UP "}"), NULL, 10), 1600000000,
	                clock_wall_us() / US_PER_S + 1);
}

static void waiting_clients_are_counted_by_why(void **state)
{
	struct client waiting[2];
	struct letters out;
	struct verdict v;
	struct outage *o;

	(void)state;
	letters_init(&out);
	for (unsigned i = 0; i < 2; i++)
		bench_waiting_client(&b, &waiting[i], &entry[i], i + 1);
	(void)scrape();
	assert_sample("pgweir_waiting_clients{reason=\"busy\"}", "2");
	assert_sample("pgbouncer_pools_client_waiting_connections{database=\"app\",user=\"ann\"}", "2");
	assert_sample(
	    "pgbouncer_client_connections{database=\"app\",user=\"ann\",application_name=\"\",state=\"waiting\"}", "2");
	pool_set_limit(entry[0].seat->pool, LIMIT_DATABASE, NULL);
	(void)scrape();
	assert_sample("pgweir_waiting_clients{reason=\"busy\"}", "0");
	assert_sample("pgweir_waiting_clients{reason=\"max_db_connections\"}", "2");
	pool_set_limit(entry[0].seat->pool, LIMIT_PARALLEL, NULL);
	pool_count_opening(entry[0].seat);
	(void)scrape();
	assert_sample("pgweir_waiting_clients{reason=\"server_connect_parallel\"}", "2");
	pool_set_limit(entry[0].seat->pool, LIMIT_NONE, NULL);
	(void)scrape();
	assert_sample("pgweir_waiting_clients{reason=\"opening\"}", "2");
	pool_open_failed(entry[0].seat, loop_now_us(b.loop), &out);
	verdict_init(&v);
	o = outage_new(&v, loop_now_us(b.loop), UINT64_MAX, 3);
	assert_non_null(o);
	pool_set_outage(entry[0].seat->pool, o, false, &out);
	(void)scrape();
	assert_sample("pgweir_waiting_clients{reason=\"down\"}", "2");
	pool_set_state(entry[0].seat->pool, POOL_PAUSED, &out);
	waiting[1].state = CLIENT_LOOKUP;
	waiting[1].waiter.queued = false;
	(void)scrape();
	waiting[1].waiter.queued = true;
	assert_sample("pgweir_waiting_clients{reason=\"paused\"}", "1");
	assert_sample("pgweir_waiting_clients{reason=\"auth_query\"}", "1");
	for (unsigned i = 0; i < 2; i++)
		bench_waiting_client_leaves(&waiting[i]);
}

static void note(struct error_ring *r, const char *class, uint64_t count, const char *words)
{
	struct error_note note = {.class = class, .count = count, .text = words};

	error_ring_add(r, &note);
}

static void failures_of_all_rings_are_counted(void **state)
{
	(void)state;
	b.worker[0].errors = error_ring_new();
	b.worker[1].errors = error_ring_new();
	assert_true(b.worker[0].errors != NULL && b.worker[1].errors != NULL);
	note(b.worker[0].errors, "no_such_database", 1, "no");
	note(b.worker[1].errors, "no_such_database", 1, "no");
	note(b.worker[1].errors, "session_lost", 1, "gone");
	note(b.control.opener->errors, "session_lost", 30, "gone");
	note(b.control.opener->errors, "session_lost", 4, NULL);
	(void)scrape();
	assert_sample("pgweir_failures_total{class=\"no_such_database\"}", "2");
	assert_sample("pgweir_failures_total{class=\"session_lost\"}", "2");
	assert_sample("pgweir_failed_clients_total{class=\"session_lost\"}", "35");
	/* what has not happened is there, too */
	for (const struct explain_row *e = explain_rows; e->class != NULL; e++) {
		char series[200];

		snprintf(series, sizeof(series), "pgweir_failures_total{class=\"%s\"}", e->class);
		assert_non_null(sample(series));
	}
	error_ring_free(b.worker[0].errors);
	error_ring_free(b.worker[1].errors);
	b.worker[0].errors = b.worker[1].errors = NULL;
}

static void waits_and_logins_are_told_as_histograms(void **state)
{
	(void)state;
	histogram_add(&b.worker[0].wait_times, 700);
	histogram_add(&b.worker[1].wait_times, 3000000);
	histogram_add(&b.worker[1].vain_wait_times, 9);
	histogram_add(&b.worker[1].login_times, 2000);
	histogram_add(&b.control.opener->login_times, 30000);
	entry[0].seat->counters.server_assignment_count = 10;
	entry[1].seat->counters.server_assignment_count = 5;
	b.office->registry->gone.server_assignment_count = 100;
	(void)scrape();
	assert_sample("pgweir_client_wait_seconds_bucket{le=\"0.0\"}", "113");
	assert_sample("pgweir_client_wait_seconds_bucket{le=\"0.001\"}", "114");
	assert_sample("pgweir_client_wait_seconds_bucket{le=\"+Inf\"}", "115");
	assert_sample("pgweir_client_wait_seconds_count", "115");
	assert_sample("pgweir_client_wait_seconds_sum", "3.000700");
	assert_sample("pgweir_client_wait_failed_seconds_bucket{le=\"0.0001\"}", "1");
	assert_sample("pgweir_client_login_seconds_bucket{le=\"0.001\"}", "0");
	assert_sample("pgweir_client_login_seconds_count", "1");
	assert_sample("pgweir_server_login_seconds_bucket{le=\"0.05\"}", "1");
	/* a pool that goes while workers are visited is missing once */
	b.office->registry->gone.server_assignment_count = 0;
	(void)scrape();
	assert_sample("pgweir_client_wait_seconds_bucket{le=\"0.0\"}", "113");
}

/* ---- too many names ---- */

static unsigned n_names;

static void count_many(struct view *v, struct worker *w)
{
	collect_metrics(v, w);
	for (unsigned i = 0; i < n_names && w->number == 0; i++) {
		char name[24];

		snprintf(name, sizeof(name), "n%u", i);
		metrics_count_client(v->metrics, "app", "ann", name, i % 2 == 0 ? "idle" : "active");
	}
}

/* Further names beyond that are users'. */
static void count_many_users(struct view *v, struct worker *w)
{
	count_many(v, w);
	for (unsigned i = 0; i < n_names && w->number == 1; i++) {
		char name[24];

		snprintf(name, sizeof(name), "u%u", i);
		metrics_count_client(v->metrics, "app", name, "x", "idle");
	}
}

static void check_groups(void *asker, struct view *v)
{
	unsigned *found = (unsigned *)asker;

	found[0] = v->metrics->clients.count;
	found[1] = 0;
	for (struct table_node *node = table_next(&v->metrics->clients, NULL); node != NULL;
	     node = table_next(&v->metrics->clients, node))
		found[1] += (unsigned)container_of(node, struct client_group, node)->n;
	found[2] = 1;
}

static bool has_found(void *arg)
{
	return ((const unsigned *)arg)[2] == 1;
}

static void groups(view_collect *collect, unsigned *n_groups, unsigned *n_clients)
{
	const struct topic topic = {"", 0, NULL, collect, NULL, ""};
	unsigned found[3] = {0, 0, 0};
	struct view *under_way;

	assert_true(view_start(b.console, &topic, check_groups, found, &under_way));
	assert_true(run_until(b.loop, has_found, found));
	*n_groups = found[0];
	*n_clients = found[1];
}

static void names_that_clients_choose_are_bounded(void **state)
{
	unsigned n_groups, n_clients;

	(void)state;
	n_names = METRICS_MOST_CLIENT_GROUPS;
	groups(count_many, &n_groups, &n_clients);
	assert_int_equal(n_groups, n_names);
	n_names = METRICS_MOST_CLIENT_GROUPS + 500;
	groups(count_many, &n_groups, &n_clients);
	assert_int_equal(n_groups, METRICS_MOST_CLIENT_GROUPS + 2); /* the others idle, the others active */
	assert_int_equal(n_clients, n_names);
	n_names = 5 * METRICS_MOST_CLIENT_GROUPS;
	groups(count_many_users, &n_groups, &n_clients);
	assert_int_equal(n_groups, 2 * METRICS_MOST_CLIENT_GROUPS + 1);
	assert_int_equal(n_clients, 2 * n_names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_table_keeps_the_rules_of_the_formats),
	    cmocka_unit_test(each_row_of_the_table_finds_its_columns),
	    cmocka_unit_test_setup_teardown(every_family_is_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_console_s_numbers_are_told, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(backends_are_up_or_down, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waiting_clients_are_counted_by_why, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(failures_of_all_rings_are_counted, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waits_and_logins_are_told_as_histograms, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(names_that_clients_choose_are_bounded, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
