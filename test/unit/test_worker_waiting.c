/* Why a client waits: the words for every case, and what reaches the client while it waits and at the end. */
#include "worker_scene.h"

#include "pool/outage.h"
#include "worker/waiting.h"

#define NOW (1000 * US_PER_S)

/* ---- words ---- */

/* A pool of two servers, both lent; whoever has the longest one is idle in its transaction. */
static struct waiting_why full_pool(void)
{
	struct waiting_why why = {.at_us = NOW, .reason = WAITING_LIMIT, .limited_by = "default_pool_size", .limit = 2};

	snprintf(why.database, sizeof(why.database), "app");
	snprintf(why.user, sizeof(why.user), "ann");
	why.crowd.limit = LIMIT_POOL_SIZE;
	why.crowd.n_waiting = 3;
	why.crowd.n_usable = why.crowd.n_lent = 2;
	why.crowd.longest_us = NOW - 48 * US_PER_S;
	why.crowd.longest = (struct holder){.id = 17, .state = HOLDER_IDLE_IN_TRANSACTION, .application = "billing"};
	return why;
}

static struct outage *refused(uint64_t since_us, uint64_t next_try_us)
{
	struct outage *o;
	struct verdict v;

	verdict_init(&v);
	v.kind = VERDICT_UNREACHED;
	snprintf(v.sqlstate, sizeof(v.sqlstate), "08001");
	str_add_str(&v.message, "could not connect: connection refused");
	str_add_str(&v.detail, "Host db.");
	str_add_str(&v.hint, "Start it.");
	o = outage_new(&v, since_us, 0, 3);
	assert_non_null(o);
	o->next_try_us = next_try_us;
	return o;
}

/* "sentence|hint"; the reference to an outage is given up. */
static void assert_words(struct waiting_why why, const char *sentence, const char *hint)
{
	struct str out;

	str_init(&out, WAITING_TEXT_LIMIT_BYTES);
	waiting_write_sentence(&why, false, &out);
	assert_string_equal(str_text(&out), sentence);
	str_clear(&out);
	waiting_write_hint(&why, &out);
	assert_string_equal(str_text(&out), hint);
	str_fini(&out);
	waiting_fini(&why);
}

static void a_full_pool_names_size_and_longest(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	assert_words(
	    why,
	    "all 2 of 2 servers are busy (default_pool_size = 2), the longest for 48 s by client 17 (application "
	    "\"billing\", idle in transaction)",
	    "Client 17 keeps a transaction open without using it: let it end its transactions sooner, or set "
	    "idle_transaction_timeout. \"KILL_CLIENT 17\" on the console ends it now.");
	why.reserve = 1;
	why.crowd.n_lent = 1;
	why.crowd.longest_us = NOW - 20 * US_PER_MS;
	why.crowd.longest = (struct holder){.id = 17, .state = HOLDER_RUNNING};
	assert_words(
	    why,
	    "1 of 2 servers are busy (default_pool_size = 2, reserve_pool_size = 1), the longest for 20 ms by "
	    "client 17 (running)",
	    "See in pg_stat_activity on the server what client 17 runs and whether it waits for a lock. If such "
	    "queries are normal, raise default_pool_size, if PostgreSQL's max_connections leaves room.");
}

static void a_session_is_told_as_one(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.limited_by = "pool_size";
	why.crowd.longest = (struct holder){.id = 17, .state = HOLDER_IDLE_IN_SESSION, .application = "x"};
	assert_words(
	    why,
	    "all 2 of 2 servers are busy (pool_size = 2), the longest for 48 s by client 17 (application \"x\", "
	    "idle in session)",
	    "With pool_mode = session client 17 keeps its server until it disconnects: use pool_mode = "
	    "transaction if the application allows it, or raise pool_size, if PostgreSQL's max_connections "
	    "leaves room.");
}

static void a_kept_server_is_told_as_one(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.crowd.longest = (struct holder){.id = 17, .state = HOLDER_PINNED};
	assert_words(
	    why,
	    "all 2 of 2 servers are busy (default_pool_size = 2), the longest for 48 s by client 17 (idle, kept "
	    "by state_guard = pin)",
	    "Client 17 has left state behind in its session and keeps its server until it disconnects "
	    "(state_guard = pin): the log says what it was and what to do instead. Or raise "
	    "default_pool_size, if PostgreSQL's max_connections leaves room.");
}

static void who_has_not_been_seen_is_named_by_its_number(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.crowd.longest = (struct holder){.id = 17};
	assert_words(why, "all 2 of 2 servers are busy (default_pool_size = 2), the longest for 48 s by client 17",
	             "\"SHOW WAITS\" on the console tells who holds the servers. If they are needed that long, raise "
	             "default_pool_size, if PostgreSQL's max_connections leaves room.");
}

static void limits_above_the_pool_name_who_is_under_them(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.limited_by = "max_db_connections";
	why.limit = 7;
	why.crowd.limit = LIMIT_DATABASE;
	why.share[0] = (struct waiting_share){"ben", 5};
	why.share[1] = (struct waiting_share){"ann", 1};
	why.n_others = 1;
	why.crowd.n_usable = why.crowd.n_lent = 1;
	assert_words(
	    why,
	    "max_db_connections = 7 is reached: user \"ben\" has 5, user \"ann\" has 1, 1 more have some; all 1 "
	    "of 1 servers are busy, the longest for 48 s by client 17 (application \"billing\", idle in "
	    "transaction)",
	    "Raise max_db_connections, or give the pools under it a smaller pool_size; \"SHOW POOLS\" on the "
	    "console shows what each of them has.");
	why.limited_by = "max_user_connections";
	why.crowd.limit = LIMIT_USER;
	why.n_others = 0;
	why.crowd.n_usable = why.crowd.n_lent = 0;
	why.crowd.longest_us = 0;
	assert_words(
	    why, "max_user_connections = 7 is reached: database \"ben\" has 5, database \"ann\" has 1",
	    "Raise max_user_connections, or give the pools under it a smaller pool_size; \"SHOW POOLS\" on the "
	    "console shows what each of them has.");
}

static void servers_on_their_way_need_no_remedy(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.reason = WAITING_OPENING;
	why.limited_by = NULL;
	why.crowd.limit = LIMIT_NONE;
	why.crowd.n_usable = 0;
	why.crowd.n_opening = 1;
	assert_words(why, "a server connection is being made", "");
	why.crowd.limit = LIMIT_PARALLEL;
	why.limited_by = "server_connect_parallel";
	why.limit = 4;
	why.crowd.n_opening = 4;
	why.crowd.n_usable = 2;
	why.crowd.longest_us = 0;
	assert_words(
	    why, "all 2 of 2 servers are busy; 4 server connections are being made (server_connect_parallel = 4)", "");
}

static void an_outage_is_told_with_its_age_and_next_attempt(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.reason = WAITING_DOWN;
	why.crowd.outage = refused(NOW - 4 * US_PER_S, NOW + 300 * US_PER_MS);
	assert_words(why,
	             "no server connection can be made for 4 s (attempts: 3, the next in 300 ms): could not connect: "
	             "connection refused",
	             "Start it.");
	why.crowd.outage = refused(NOW - 4 * US_PER_S, 0);
	assert_words(why,
	             "no server connection can be made for 4 s (attempts: 3, one is under way): could not connect: "
	             "connection refused",
	             "Start it.");
	why.reason = WAITING_DOWN_BUSY;
	why.limited_by = NULL;
	why.crowd.longest = (struct holder){.id = 0};
	why.crowd.outage = refused(NOW - 4 * US_PER_S, NOW);
	assert_words(
	    why,
	    "all 2 of 2 servers are busy, the longest for 48 s; it cannot get more because no server connection "
	    "can be made for 4 s (attempts: 3): could not connect: connection refused",
	    "Start it.");
}

static void a_pause_names_the_command_that_ends_it(void **state)
{
	struct waiting_why why = full_pool();

	(void)state;
	why.reason = WAITING_PAUSED;
	why.crowd.paused_since_us = NOW - 12 * US_PER_S;
	assert_words(why, "database \"app\" is paused for 12 s",
	             "Somebody has typed PAUSE or KILL on the console. \"RESUME app\" ends it, or \"RESUME\" if all "
	             "databases are paused.");
}

static void the_detail_says_whose_pool_and_keeps_the_outages_facts(void **state)
{
	struct waiting_why why = full_pool();
	struct str out;

	(void)state;
	str_init(&out, WAITING_TEXT_LIMIT_BYTES);
	why.reason = WAITING_DOWN;
	why.crowd.n_waiting = 1;
	why.crowd.outage = refused(NOW - 4 * US_PER_S, 0);
	waiting_write_detail(&why, true, &out);
	assert_string_equal(
	    str_text(&out),
	    "Database \"app\", user \"ann\", 1 client waiting: the login waits for the pool's first "
	    "server: no server connection can be made for 4 s (attempts: 3, one is under way): could not "
	    "connect: connection refused. Host db.");
	str_fini(&out);
	waiting_fini(&why);
}

/* ---- what reaches clients ---- */

static void assert_said(const struct side *c, char type, const char *message, const char *detail, const char *hint)
{
	struct report report;
	size_t len;
	const char *body = side_last(c, type, &len);

	assert_non_null(body);
	assert_true(report_parse(&report, body, len));
	assert_string_equal(report.message.data, message);
	assert_non_null(report.detail.data);
	if (strstr(report.detail.data, detail) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", detail, report.detail.data);
	assert_non_null(report.hint.data);
	if (strstr(report.hint.data, hint) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", hint, report.hint.data);
}

/* A transaction is open on the only server; another client waits. */
static struct side *begin_crowd(struct bench *b, const char *globals, struct side **holder, struct side **s)
{
	char text[200];
	struct side *waiter;

	snprintf(text, sizeof(text), "auth_type=trust\npool_mode=transaction\n%s", globals);
	bench_init(b, text);
	*holder = scene_running(b, s, "begin");
	scene_done(b, *s, "BEGIN", 'T');
	waiter = bench_client(b);
	say_startup(b, waiter, "ann", "app");
	scene_query(b, waiter, "select 1");
	assert_int_equal(last_client(b)->state, CLIENT_QUEUED);
	return waiter;
}

static void the_notice_has_why_and_what_to_do_and_comes_once(void **state)
{
	struct bench b;
	struct side *s, *holder, *waiter = begin_crowd(&b, "default_pool_size=1", &holder, &s);
	struct client *c = last_client(&b);
	char hint[40];
	size_t len, got;

	(void)state;
	client_notify_waiters(b.w, c->entry.seat);
	bench_settle(&b);
	assert_null(side_last(waiter, 'N', &len)); /* query_wait_notify is 5 s */
	c->waiter.since_us -= 5 * US_PER_S;
	client_notify_waiters(b.w, c->entry.seat);
	bench_settle(&b);
	snprintf(hint, sizeof(hint), "\"KILL_CLIENT %llu\"", (unsigned long long)only_server(&b)->client->waiter.id);
	assert_said(
	    waiter, 'N', "No server connection available in postgres backend, client being queued",
	    "Database \"app\", user \"ann\", 1 client waiting: all 1 of 1 servers are busy (default_pool_size = "
	    "1), the longest for ",
	    hint);
	assert_said(waiter, 'N', "No server connection available in postgres backend, client being queued",
	            " (application \"test\", idle in transaction).", hint);
	got = waiter->got.len;
	client_notify_waiters(b.w, c->entry.seat);
	bench_settle(&b);
	assert_int_equal(waiter->got.len, got);
	bench_fini(&b);
}

static void query_wait_timeout_has_why_and_what_to_do(void **state)
{
	struct bench b;
	struct side *s, *holder, *waiter = begin_crowd(&b, "default_pool_size=1", &holder, &s);
	struct client *c = last_client(&b);

	(void)state;
	pool_leave(c->entry.seat, &c->waiter);
	client_due(c, DUE_WAIT_TIMEOUT, NULL);
	bench_settle(&b);
	assert_said(waiter, 'E', "query_wait_timeout", "1 client waiting: all 1 of 1 servers are busy", "KILL_CLIENT");
	assert_true(waiter->ended);
	bench_fini(&b);
}

static void a_busy_pool_that_cannot_grow_tells_the_outage_that_it_is_told(void **state)
{
	struct bench b;
	struct side *s, *holder, *waiter = begin_crowd(&b, "default_pool_size=1", &holder, &s);
	struct client *c = last_client(&b);
	struct outage *o = refused(worker_now_us(b.w) - US_PER_S, 0);

	(void)state;
	pool_leave(c->entry.seat, &c->waiter);
	client_due(c, DUE_OUTAGE_BUSY, o); /* the pool itself has forgotten it since */
	shared_unref(&o->shared);
	bench_settle(&b);
	assert_said(waiter, 'E', "could not connect: connection refused",
	            "all 1 of 1 servers are busy, the longest for ", "Start it.");
	assert_said(waiter, 'E', "could not connect: connection refused",
	            "it cannot get more because no server connection can be made for 1 s", "Start it.");
	bench_fini(&b);
}

static void whose_limit_it_is_and_who_is_under_it(void **state)
{
	struct bench b;
	struct side *s, *waiter;
	const struct waiting_why *why;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction\nmax_db_connections=1");
	(void)scene_running(&b, &s, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	waiter = bench_client(&b);
	say_startup(&b, waiter, "trusty", "app");
	assert_int_equal(last_client(&b)->state, CLIENT_GREETING);
	why = waiting_why(b.w, last_client(&b)->entry.seat, 0);
	assert_int_equal(why->reason, WAITING_LIMIT);
	assert_string_equal(why->limited_by, "max_db_connections");
	assert_int_equal(why->limit, 1);
	assert_string_equal(why->share[0].name, "ann");
	assert_int_equal(why->share[0].n_servers, 1);
	assert_int_equal(why->share[1].n_servers, 0);
	assert_int_equal(why->n_others, 0);
	bench_fini(&b);
}

static void what_the_holder_does_is_seen(void **state)
{
	struct bench b;
	struct side *s, *c;
	struct holder h;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=session");
	c = scene_running(&b, &s, "select 1");
	h = waiting_holder(only_client(&b), NOW);
	assert_int_equal(h.state, HOLDER_RUNNING);
	assert_int_equal(h.id, only_client(&b)->waiter.id);
	assert_string_equal(h.application, "test");
	scene_done(&b, s, "SELECT 1", 'I');
	assert_int_equal(waiting_holder(only_client(&b), NOW).state, HOLDER_IDLE_IN_SESSION);
	scene_query(&b, c, "begin");
	scene_done(&b, s, "BEGIN", 'T');
	assert_int_equal(waiting_holder(only_client(&b), NOW).state, HOLDER_IDLE_IN_TRANSACTION);
	scene_query(&b, c, "select 1");
	assert_int_equal(waiting_holder(only_client(&b), NOW).state, HOLDER_RUNNING_IN_TRANSACTION);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_full_pool_names_size_and_longest),
	    cmocka_unit_test(a_session_is_told_as_one),
	    cmocka_unit_test(a_kept_server_is_told_as_one),
	    cmocka_unit_test(who_has_not_been_seen_is_named_by_its_number),
	    cmocka_unit_test(limits_above_the_pool_name_who_is_under_them),
	    cmocka_unit_test(servers_on_their_way_need_no_remedy),
	    cmocka_unit_test(an_outage_is_told_with_its_age_and_next_attempt),
	    cmocka_unit_test(a_pause_names_the_command_that_ends_it),
	    cmocka_unit_test(the_detail_says_whose_pool_and_keeps_the_outages_facts),
	    cmocka_unit_test(the_notice_has_why_and_what_to_do_and_comes_once),
	    cmocka_unit_test(query_wait_timeout_has_why_and_what_to_do),
	    cmocka_unit_test(a_busy_pool_that_cannot_grow_tells_the_outage_that_it_is_told),
	    cmocka_unit_test(whose_limit_it_is_and_who_is_under_it),
	    cmocka_unit_test(what_the_holder_does_is_seen),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
