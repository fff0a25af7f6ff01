/* Tests of src/admin/show_sockets.c: rows of clients and servers that exist only as structures. */
#include "console_bench.h"

#include "place.h"

#include <stdlib.h>
#include <time.h>

#include "pool/pool.h"
#include "worker/client.h"
#include "worker/server.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\nlisten_port=7000\n"

static struct bench b;
static struct bench_client *c;

static int set_up(void **state)
{
	(void)state;
	place_set_variable("TZ", "UTC");
	tzset();
	bench_begin(&b, CONF, NULL);
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

static void make_client(struct client *cl, uint16_t worker, enum client_state state, uint64_t id)
{
	memset(cl, 0, sizeof(*cl));
	assert_int_equal(registry_enter(b.office->registry, b.conf, "app", "ann", worker, &cl->entry), ENTERED);
	cl->worker = &b.worker[worker];
	cl->state = state;
	cl->waiter.id = id;
	cl->connected_us = cl->request_us = loop_now_us(b.loop);
	list_init(&cl->on_worker);
	list_add_tail(&b.worker[worker].clients, &cl->on_worker);
}

static void make_server(struct server *s, struct pool *p, enum server_state state, uint64_t id)
{
	memset(s, 0, sizeof(*s));
	s->place.pool = p;
	s->place.epoch = p->epoch;
	s->worker = &b.worker[0];
	s->state = state;
	s->id = id;
	s->pid = 4711;
	assert_true(address_from_text(&s->address, "10.0.0.5", 5432));
	list_init(&s->on_worker);
	list_add_tail(&b.worker[0].servers, &s->on_worker);
}

/* Columns of the row with this id: "state wait close_needed ptr link", times and addresses being others' business. */
static const char *row_of(const char *sql, unsigned id)
{
	static char text[200];
	const char *story = bench_ask(c, sql);
	char row[2000], *column[40], *rest = row;
	unsigned n = 0;

	for (const char *at = strstr(story, " D("); at != NULL; at = strstr(at, " D(")) {
		at += 3;
		snprintf(row, sizeof(row), "%.*s", (int)strcspn(at, ")"), at);
		rest = row;
		for (n = 0; n < 40 && rest != NULL; n++) {
			column[n] = rest;
			rest = strchr(rest, ',');
			if (rest != NULL)
				*rest++ = '\0';
		}
		assert_true(n == 21 || n == 28);
		if ((unsigned)strtoul(column[20], NULL, 10) != id)
			continue;
		snprintf(text, sizeof(text), "%s %s/%s %s %s:%s close=%s link=%s pid=%s", column[0], column[2],
		         column[1], column[4], column[5], column[6], column[13], column[15][0] == '\0' ? "no" : "yes",
		         column[16]);
		return text;
	}
	return "";
}

static void clients_are_shown_by_what_they_wait_for(void **state)
{
	static const struct {
		enum client_state state;
		const char *client, *socket;
	} cases[] = {
	    {CLIENT_HELLO, NULL, "cl_login"},       {CLIENT_PROVING, NULL, "cl_login"},
	    {CLIENT_DERIVING, NULL, "cl_login"},    {CLIENT_ASKING, NULL, "cl_login"},
	    {CLIENT_MOVING, NULL, "cl_login"},      {CLIENT_GREETING, "waiting", "cl_waiting"},
	    {CLIENT_IDLE, "idle", "cl_active"},     {CLIENT_QUEUED, "waiting", "cl_waiting"},
	    {CLIENT_LINKED, "active", "cl_active"}, {CLIENT_CLOSING, NULL, NULL},
	};
	struct client cl[sizeof(cases) / sizeof(cases[0])];
	char expected[200];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		make_client(&cl[i], (uint16_t)(i % 2), cases[i].state, 100 + i);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		snprintf(expected, sizeof(expected), "C app/ann %s :0 close=0 link=no pid=0", cases[i].client);
		assert_string_equal(row_of("show clients", 100 + i), cases[i].client == NULL ? "" : expected);
		snprintf(expected, sizeof(expected), "C app/ann %s :0 close=0 link=no pid=0", cases[i].socket);
		assert_string_equal(row_of("show sockets", 100 + i), cases[i].socket == NULL ? "" : expected);
		assert_string_equal(row_of("show active_sockets", 100 + i), "");
		assert_string_equal(row_of("show servers", 100 + i), "");
	}
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		list_remove(&cl[i].on_worker);
}

static void servers_are_shown_with_their_clients(void **state)
{
	struct server idle, lent, login, closing;
	struct client cl;
	struct pool *p;

	(void)state;
	make_client(&cl, 0, CLIENT_LINKED, 1);
	p = cl.entry.seat->pool;
	make_server(&idle, p, SERVER_READY, 2);
	make_server(&lent, p, SERVER_READY, 3);
	make_server(&login, p, SERVER_LOGIN, 4);
	make_server(&closing, p, SERVER_CLOSING, 5);
	lent.client = &cl;
	cl.server = &lent;
	p->epoch++;
	idle.place.epoch++;
	assert_string_equal(row_of("show servers", 2), "S app/ann idle 10.0.0.5:5432 close=0 link=no pid=4711");
	assert_string_equal(row_of("show servers", 3), "S app/ann active 10.0.0.5:5432 close=1 link=yes pid=4711");
	assert_string_equal(row_of("show servers", 4), "S app/ann new 10.0.0.5:5432 close=1 link=no pid=4711");
	assert_string_equal(row_of("show servers", 5), "");
	assert_string_equal(row_of("show sockets", 2), "S app/ann sv_idle 10.0.0.5:5432 close=0 link=no pid=4711");
	assert_string_equal(row_of("show sockets", 3), "S app/ann sv_active 10.0.0.5:5432 close=1 link=yes pid=4711");
	assert_string_equal(row_of("show sockets", 4), "S app/ann sv_login 10.0.0.5:5432 close=1 link=no pid=4711");
	assert_string_equal(row_of("show clients", 1), "C app/ann active :0 close=0 link=yes pid=0");
	list_remove(&cl.on_worker);
	list_remove(&idle.on_worker);
	list_remove(&lent.on_worker);
	list_remove(&login.on_worker);
	list_remove(&closing.on_worker);
}

static void waiting_counts_from_the_query(void **state)
{
	struct client cl;
	const char *at;
	unsigned us;

	(void)state;
	make_client(&cl, 1, CLIENT_LINKED, 1);
	cl.query_since_us = loop_now_us(b.loop) - 3400000;
	at = strstr(bench_ask(c, "show clients"), ",3,4");
	assert_non_null(at);
	assert_int_equal(sscanf(at, ",3,%u,0,0x", &us), 1);
	assert_true(us >= 400000 && us < 1000000);
	list_remove(&cl.on_worker);
}

static void the_console_is_among_the_clients(void **state)
{
	(void)state;
	if (pair_is_unix()) {
		assert_string_equal(row_of("show clients", 7),
		                    "C pgbouncer/admin idle unix:7000 close=0 link=no pid=0");
		assert_string_equal(row_of("show sockets", 7),
		                    "C pgbouncer/admin cl_active unix:7000 close=0 link=no pid=0");
	}
	assert_non_null(strstr(row_of("show clients", 7), "C pgbouncer/admin idle "));
	assert_non_null(strstr(row_of("show sockets", 7), "C pgbouncer/admin cl_active "));
	assert_non_null(strstr(bench_ask(c, "show clients"), ",bench,0,7)"));
}

static void times_are_local_time(void **state)
{
	time_t now = time(NULL);
	char day[32];

	(void)state;
	strftime(day, sizeof(day), ",%Y-%m-%d ", gmtime(&now));
	assert_non_null(strstr(bench_ask(c, "show clients"), day));
	assert_non_null(strstr(bench_ask(c, "show clients"), " UTC,"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(clients_are_shown_by_what_they_wait_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(servers_are_shown_with_their_clients, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(waiting_counts_from_the_query, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_console_is_among_the_clients, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(times_are_local_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
