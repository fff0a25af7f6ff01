/*
 * Every timeout, by one table and in virtual time: each ends what it should after its time and not before, says what
 * PgBouncer says, holds when it is set or switched off while somebody waits already, and where users and databases may
 * have their own, theirs counts. Whose value counts when there are several: test_conf_effective.
 */
#include "diag/error_ring.h"
#include "worker_scene.h"

#define TIME_S 10u
#define STEP_US (100 * US_PER_MS)
#define START_US (1000 * US_PER_S)

/* ---- time: nothing happens in between ---- */

static uint64_t clock_us = START_US;

uint64_t clock_steady_us(void)
{
	return clock_us;
}

uint64_t clock_wall_us(void)
{
	return clock_us;
}

/* ---- scenes: each leaves something waiting that began now ---- */

struct scene {
	struct bench b;
	struct side *client, *server;
	struct side *watched; /* what the timeout ends, or tells */
	const char *user, *database;
};

static void login(struct scene *t)
{
	t->client = bench_client(&t->b);
	say_startup(&t->b, t->client, t->user, t->database);
	t->server = bench_server(&t->b);
	assert_non_null(t->server);
	say_welcome(&t->b, t->server);
	t->watched = t->client;
	assert_int_equal(last_client(&t->b)->state, CLIENT_IDLE);
}

static void query(struct scene *t, const char *sql)
{
	login(t);
	scene_query(&t->b, t->client, sql);
	scene_set_done(&t->b, t->server);
}

static void client_that_says_nothing(struct scene *t)
{
	t->watched = t->client = bench_client(&t->b);
}

static void client_without_a_welcome(struct scene *t)
{
	t->watched = t->client = bench_client(&t->b);
	say_startup(&t->b, t->client, t->user, t->database);
	t->server = bench_server(&t->b);
	assert_non_null(t->server);
}

static void silent_server(struct scene *t)
{
	client_without_a_welcome(t);
	t->watched = t->server;
}

static void lookup_under_way(struct scene *t)
{
	t->watched = t->client = bench_client(&t->b);
	say_startup(&t->b, t->client, "stranger", t->database);
	t->server = bench_server(&t->b);
	assert_non_null(t->server);
	say_welcome(&t->b, t->server);
	assert_int_equal(only_client(&t->b)->state, CLIENT_LOOKUP);
}

static void lookup_without_its_client(struct scene *t)
{
	lookup_under_way(t);
	side_close(&t->b, t->client);
	t->watched = t->server;
}

static void idle_client(struct scene *t)
{
	login(t);
}

static void running_query(struct scene *t)
{
	query(t, "select 1");
}

static void idle_transaction(struct scene *t)
{
	query(t, "begin");
	scene_done(&t->b, t->server, "BEGIN", 'T');
}

/* The pool has one server, which another client's transaction keeps. */
static void waiting_client(struct scene *t)
{
	idle_transaction(t);
	t->watched = bench_client(&t->b);
	say_startup(&t->b, t->watched, t->user, t->database);
	assert_int_equal(last_client(&t->b)->state, CLIENT_IDLE);
	scene_query(&t->b, t->watched, "select 2");
	assert_int_equal(last_client(&t->b)->state, CLIENT_QUEUED);
}

static void idle_server(struct scene *t)
{
	login(t);
	t->watched = t->server;
}

static void unanswered_cancel_request(struct scene *t)
{
	uint8_t key[8];

	running_query(t);
	memcpy(key, last_client(&t->b)->key, sizeof(key));
	assert_true(cancel_request(t->b.w, NULL, key, sizeof(key)));
	t->watched = bench_server(&t->b);
	assert_non_null(t->watched);
}

/* Nobody listens when it is tried first, and then somebody does. */
static void refused_server(struct scene *t)
{
	socket_close(t->b.listening);
	t->client = bench_client(&t->b);
	say_startup(&t->b, t->client, t->user, t->database);
	assert_true(failure_is_set(&t->b.failure));
	t->b.listening = socket_listen(&t->b.at, 100, 0, false);
	assert_true(t->b.listening >= 0);
}

/* ---- the table ---- */

/* TRIED: a pause is over. One under way gets no longer, and is over when its new time has passed from now. */
enum effect { TOLD, NOTIFIED, ENDED, TRIED };

#define USER 1u
#define DATABASE 2u

static const struct row {
	const char *name, *off; /* `off`: the value with which it never happens in this test */
	unsigned levels;
	void (*scene)(struct scene *t);
	enum effect effect;
	const char *text;  /* of the error, of the notice, or of the log: in what the log says of the end, too */
	const char *class; /* of SHOW ERRORS; NULL: it is no error */
} rows[] = {
    {"client_login_timeout", "0", 0, client_that_says_nothing, TOLD, "client_login_timeout", "client_login_timeout"},
    {"client_login_timeout", "0", 0, client_without_a_welcome, TOLD, "client_login_timeout (server down)",
     "client_login_timeout"},
    {"client_idle_timeout", "0", USER, idle_client, TOLD, "client_idle_timeout", "client_idle_timeout"},
    {"query_timeout", "0", USER, running_query, TOLD, "query timeout", "query_timeout"},
    {"query_timeout", "0", USER, waiting_client, TOLD, "query_timeout", "query_timeout"},
    {"query_wait_timeout", "0", USER | DATABASE, waiting_client, TOLD, "query_wait_timeout", "query_wait_timeout"},
    {"query_wait_notify", "0", 0, waiting_client, NOTIFIED,
     "No server connection available in postgres backend, client being queued", NULL},
    {"idle_transaction_timeout", "0", USER, idle_transaction, TOLD, "idle transaction timeout",
     "idle_transaction_timeout"},
    {"transaction_timeout", "0", USER, running_query, TOLD, "transaction timeout", "transaction_timeout"},
    {"transaction_timeout", "0", USER, idle_transaction, TOLD, "transaction timeout", "transaction_timeout"},
    {"server_connect_timeout", "0", 0, silent_server, ENDED, "", NULL},
    {"server_connect_timeout", "0", 0, lookup_under_way, TOLD, "bouncer config error", "auth_query_slow"},
    {"server_connect_timeout", "0", 0, lookup_without_its_client, ENDED, "auth_query timed out", NULL},
    {"server_idle_timeout", "0", 0, idle_server, ENDED, "server idle timeout", NULL},
    {"server_lifetime", "3600", DATABASE, idle_server, ENDED, "server lifetime over", NULL},
    {"server_login_retry", "3600", 0, refused_server, TRIED, "", NULL},
    {"cancel_wait_timeout", "0", 0, unanswered_cancel_request, ENDED, "", NULL},
};

/* Everything else never happens. */
static const char quiet[] =
    "auth_type=trust\nauth_user=asker\npool_mode=transaction\ndefault_pool_size=1\nlog_disconnections=1\nlog_pooler_"
    "errors=1\n"
    "server_down_wait=0\nclient_login_timeout=0\nclient_idle_timeout=0\nquery_timeout=0\nquery_wait_timeout=0\n"
    "query_wait_notify=0\nidle_transaction_timeout=0\ntransaction_timeout=0\nserver_connect_timeout=0\n"
    "server_idle_timeout=0\nserver_lifetime=3600\nserver_login_retry=3600\ncancel_wait_timeout=0\n";

/* ---- what happened ---- */

static struct str said;

static void hear(const struct log_event *e, const char *text)
{
	(void)e;
	str_add_str(&said, text);
	str_add_char(&said, '\n');
}

static bool has_happened(struct scene *t, enum effect effect)
{
	size_t len;

	if (effect == TRIED) {
		if (t->watched == NULL)
			t->watched = bench_server(&t->b);
		return t->watched != NULL;
	}
	if (effect == NOTIFIED)
		return side_last(t->watched, 'N', &len) != NULL;
	/* a server is told with Terminate that we leave */
	return t->watched->ended || (t->watched->is_server && side_last(t->watched, 'X', &len) != NULL);
}

static void pass(struct scene *t, uint64_t us)
{
	for (uint64_t at_us = 0; at_us < us; at_us += STEP_US) {
		clock_us += STEP_US;
		bench_rest(&t->b);
	}
}

static void check_told(const struct scene *t, const struct row *row)
{
	struct report report;
	size_t len = 0;
	const char *body = side_last(t->watched, row->effect == NOTIFIED ? 'N' : 'E', &len);

	assert_non_null(body);
	assert_true(report_parse(&report, body, len));
	assert_string_equal(report.message.data, row->text);
	assert_string_equal(report.sqlstate.data, row->effect == NOTIFIED ? "00000" : "08P01");
	assert_string_equal(report.severity.data, row->effect == NOTIFIED ? "NOTICE" : "FATAL");
}

static void check_log(const struct row *row)
{
	char line[200];

	if (row->effect == NOTIFIED || row->text[0] == '\0')
		return;
	snprintf(line, sizeof(line), "closing because: %s (age=", row->text);
	if (strstr(str_text(&said), line) == NULL)
		fail_msg("%s: the log says: %s", row->name, str_text(&said));
	snprintf(line, sizeof(line), "pooler error: %s", row->text);
	if (row->effect == TOLD)
		assert_non_null(strstr(str_text(&said), line));
}

static void check_counted(const struct scene *t, const struct row *row)
{
	const struct error_ring *errors = t->b.w->errors;

	if (row->class == NULL)
		return;
	for (unsigned i = 0; i < error_ring_count(errors); i++)
		if (strcmp(error_ring_row(errors, i)->class, row->class) == 0)
			return;
	fail_msg("%s is not in SHOW ERRORS", row->class);
}

static void check_happened(struct scene *t, const struct row *row)
{
	if (!has_happened(t, row->effect))
		fail_msg("%s: nothing has happened; the log says: %s", row->name, str_text(&said));
	if (row->effect == TOLD || row->effect == NOTIFIED)
		check_told(t, row);
	check_log(row);
	check_counted(t, row);
}

static void check_nothing(struct scene *t, const struct row *row)
{
	if (has_happened(t, row->effect))
		fail_msg("%s: too early; the log says: %s", row->name, str_text(&said));
}

/* ---- beginning and end ---- */

static void begin(struct scene *t, const struct row *row, const char *user, const char *database, const char *more)
{
	char globals[1500];

	memset(t, 0, sizeof(*t));
	snprintf(globals, sizeof(globals), "%s%s", quiet, more);
	bench_init(&t->b, globals);
	str_init(&said, 1u << 20);
	log_set_sink(t->b.log, hear);
	t->user = user;
	t->database = database;
	row->scene(t);
}

static void end(struct scene *t)
{
	bench_fini(&t->b);
	str_fini(&said);
}

static void consider(void *arg, struct pool *p)
{
	struct bench *b = (struct bench *)arg;

	opener_consider_soon(b->opener, p, bench_now(b));
}

/* SET. */
static void change(struct scene *t, const struct row *row, const char *value)
{
	struct conf_error why;
	struct config *c = config_with_setting(t->b.conf, row->name, value, &why);

	assert_non_null(c);
	worker_set_config(t->b.w, c);
	assert_true(registry_apply(t->b.office->registry, c, &t->b.out));
	opener_set_config(t->b.opener, c);
	config_unref(t->b.conf);
	t->b.conf = c;
	office_post_all(t->b.office, &t->b.out);
	registry_each_pool(t->b.office->registry, NULL, consider, &t->b);
	bench_settle(&t->b);
}

/* A pool spreads the ends of its servers: each pool adds up to an eighth. */
static uint64_t spread_us(const struct row *row)
{
	return strcmp(row->name, "server_lifetime") == 0 ? TIME_S * US_PER_S / 8 : 0;
}

static void check_time(struct scene *t, const struct row *row, uint64_t passed_us)
{
	pass(t, TIME_S * US_PER_S - passed_us - 2 * STEP_US);
	check_nothing(t, row);
	pass(t, 5 * STEP_US + spread_us(row));
	check_happened(t, row);
	end(t);
}

/* ---- tests ---- */

static void each_ends_what_it_should_after_its_time_and_says_so(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene t;
		char line[100];

		snprintf(line, sizeof(line), "%s=%u\n", rows[i].name, TIME_S);
		begin(&t, &rows[i], "ann", "app", line);
		check_time(&t, &rows[i], 0);
	}
}

static void each_counts_from_the_beginning_when_it_is_set_while_somebody_waits(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene t;

		begin(&t, &rows[i], "ann", "app", "");
		pass(&t, 4 * US_PER_S);
		change(&t, &rows[i], "10");
		check_time(&t, &rows[i], rows[i].effect == TRIED ? 0 : 4 * US_PER_S);
	}
}

static void each_is_over_at_once_when_it_is_set_below_what_has_passed(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene t;

		if (rows[i].effect == TRIED)
			continue;
		begin(&t, &rows[i], "ann", "app", "");
		pass(&t, 60 * US_PER_S);
		check_nothing(&t, &rows[i]);
		change(&t, &rows[i], "10");
		pass(&t, 5 * STEP_US);
		check_happened(&t, &rows[i]);
		end(&t);
	}
}

static void none_happens_after_it_was_switched_off(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene t;
		char line[100];

		if (rows[i].effect == TRIED)
			continue;
		snprintf(line, sizeof(line), "%s=%u\n", rows[i].name, TIME_S);
		begin(&t, &rows[i], "ann", "app", line);
		pass(&t, 4 * US_PER_S);
		change(&t, &rows[i], rows[i].off);
		pass(&t, 60 * US_PER_S);
		check_nothing(&t, &rows[i]);
		end(&t);
	}
}

static void users_and_databases_have_their_own(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct scene t;
		char line[200];

		if (rows[i].levels & USER) {
			snprintf(line, sizeof(line), "%s=3\n[users]\nann = %s=%u\n", rows[i].name, rows[i].name,
			         TIME_S);
			begin(&t, &rows[i], "ann", "app", line);
			check_time(&t, &rows[i], 0);
		}
		if (rows[i].levels & DATABASE) {
			snprintf(line, sizeof(line), "%s=3\n[databases]\nown = host=127.0.0.1 %s=%u\n", rows[i].name,
			         rows[i].name, TIME_S);
			begin(&t, &rows[i], "ann", "own", line);
			check_time(&t, &rows[i], 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_ends_what_it_should_after_its_time_and_says_so),
	    cmocka_unit_test(each_counts_from_the_beginning_when_it_is_set_while_somebody_waits),
	    cmocka_unit_test(each_is_over_at_once_when_it_is_set_below_what_has_passed),
	    cmocka_unit_test(none_happens_after_it_was_switched_off),
	    cmocka_unit_test(users_and_databases_have_their_own),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
