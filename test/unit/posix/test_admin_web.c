/*
 * From a request to its answer: routes, views that go round the workers, the end of the console, delays of wrong
 * logins, and every allocation failing. This program brings its own base/mem.
 */
#include "../failing_mem.h"

#include "../console_bench.h"

#include <signal.h>

#include "../http_client.h"
#include "admin/gate.h"
#include "admin/health.h"
#include "admin/terminal.h"
#include "admin/web.h"

#define CONF(more)                                                                                                     \
	"[databases]\napp = host=127.0.0.1\n"                                                                          \
	"[pgbouncer]\nauth_type=trust\n" more
#define GET(path) "GET " path " HTTP/1.1\r\nHost: localhost\r\n\r\n"
#define LOGIN(path, login) "GET " path " HTTP/1.1\r\nHost: x\r\nAuthorization: Basic " login "\r\n\r\n"

static struct bench b;
static struct web *web;
static struct address at;

static void start(const char *conf)
{
	struct failure why;

	bench_begin(&b, conf, NULL);
	web = web_new(&b.control, b.console);
	assert_non_null(web);
	at = free_port();
	failure_init(&why);
	assert_true(web_listen(web, &at, false, &why));
}

static void stop(void)
{
	web_free(web);
	run_turns(b.loop, 5); /* visits come home */
	bench_finish(&b);
	assert_int_equal(mem_blocks, 0);
}

static void each_path_has_its_answer(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
	    {GET("/livez"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/readyz"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/readyz?database=app"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/readyz?database=other"), "HTTP/1.1 404 Not Found\r\n"},
	    {GET("/readyz?database=%"), "HTTP/1.1 400 Bad Request\r\n"},
	    {GET("/startupz"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/metrics"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/api/"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/api/pools"), "HTTP/1.1 200 OK\r\n"},
	    {GET("/api/pool"), "HTTP/1.1 404 Not Found\r\n"},
	    {GET("/livez/"), "HTTP/1.1 404 Not Found\r\n"},
	    {GET("/LIVEZ"), "HTTP/1.1 404 Not Found\r\n"},
	    {GET("/../livez"), "HTTP/1.1 404 Not Found\r\n"},
	    {GET("//livez"), "HTTP/1.1 403 Forbidden\r\n"}, /* a host by that name */
	    {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n"},
	    {"GET /none HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 403 Forbidden\r\n"},
	    {"GET /livez HTTP/1.1\r\nHost: evil.example\r\n\r\n", "HTTP/1.1 200 OK\r\n"},
	};

	(void)state;
	start(CONF(""));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_client c;

		http_connect(&c, &at);
		if (strstr(http_ask(b.loop, &c, cases[i].request, 1), cases[i].answer) != c.got.data)
			fail_msg("%s: %s", cases[i].request, str_text(&c.got));
		http_leave(&c);
	}
	stop();
}

static void reasons_come_in_the_form_that_is_asked_for(void **state)
{
	struct http_client c;

	(void)state;
	start(CONF(""));
	b.paused = true;
	http_connect(&c, &at);
	assert_non_null(strstr(http_ask(b.loop, &c, GET("/readyz"), 1), "\r\n\r\npaused\n\tHINT: "));
	assert_ptr_equal(strstr(str_text(&c.got), "HTTP/1.1 503 "), c.got.data);
	assert_non_null(
	    strstr(http_ask(b.loop, &c, "GET /readyz HTTP/1.1\r\nAccept: text/html, application/json;q=1\r\n\r\n", 1),
	           "\r\n\r\n{\"ready\":false,\"reasons\":[{\"code\":\"paused\","));
	assert_non_null(strstr(str_text(&c.got), "\r\nContent-Type: application/json\r\n"));
	b.paused = false;
	assert_non_null(strstr(http_ask(b.loop, &c, "GET /readyz HTTP/1.1\r\nAccept: application/json\r\n\r\n", 1),
	                       "\r\n\r\n{\"ready\":true,\"reasons\":[]}\n"));
	b.shutting_down = true;
	assert_non_null(strstr(http_ask(b.loop, &c, GET("/readyz"), 1), "\r\n\r\nshutting down\n"));
	http_leave(&c);
	stop();
}

static void liveness_waits_for_nobody(void **state)
{
	struct http_client c;

	(void)state;
	start(CONF(""));
	b.hold_visits = true; /* no worker comes round */
	http_connect(&c, &at);
	for (int i = 0; i < 3; i++)
		assert_non_null(strstr(http_ask(b.loop, &c, GET("/livez"), 1), "HTTP/1.1 200 "));
	web_health(web)->under_way->since_us -= HEALTH_STUCK_US;
	assert_non_null(strstr(http_ask(b.loop, &c, GET("/livez"), 1), "HTTP/1.1 503 "));
	assert_non_null(strstr(str_text(&c.got), "stuck"));
	bench_release_visits(&b);
	run_turns(b.loop, 5);
	assert_non_null(strstr(http_ask(b.loop, &c, GET("/livez"), 1), "HTTP/1.1 200 "));
	http_leave(&c);
	stop();
}

static void say(struct http_client *c, const char *request)
{
	http_connect(c, &at);
	http_say(c, request);
	c->n_wanted = 1;
}

static void hear(struct http_client *c, const char *head)
{
	assert_true(run_until(b.loop, http_has_answers, c));
	assert_int_equal(http_count_of(c, head), 1);
}

static int count_views(void)
{
	const struct list *node;
	int n = 0;

	list_each (node, &b.console->views)
		n++;
	return n;
}

static void only_a_few_views_go_round_at_a_time(void **state)
{
	static const char *const paths[] = {GET("/metrics"),     GET("/api/clients"), GET("/api/servers"),
	                                    GET("/api/sockets"), GET("/api/waits"),   GET("/api/stats"),
	                                    GET("/api/errors")};
	enum { N = sizeof(paths) / sizeof(paths[0]) };
	struct http_client c[N];

	(void)state;
	start(CONF(""));
	b.hold_visits = true;
	for (int i = 0; i < N; i++)
		say(&c[i], paths[i]);
	run_turns(b.loop, 20);
	assert_in_range(count_views(), 4, 5); /* one may be the console's own */
	bench_release_visits(&b);
	for (int i = 0; i < N; i++) {
		hear(&c[i], "HTTP/1.1 200 OK");
		http_leave(&c[i]);
	}
	stop();
}

static void who_waits_for_the_same_shares_a_view_that_is_no_older_than_the_request(void **state)
{
	enum { N = 6 };
	struct http_client c[N];
	int own;

	(void)state;
	start(CONF(""));
	b.hold_visits = true;
	run_turns(b.loop, 5);
	own = count_views();
	say(&c[0], GET("/metrics"));
	run_turns(b.loop, 20);
	for (int i = 1; i < N; i++)
		say(&c[i], GET("/metrics"));
	run_turns(b.loop, 20);
	assert_int_equal(count_views(), own + 1);
	bench_release_visits(&b);
	for (int i = 0; i < N; i++) {
		hear(&c[i], "HTTP/1.1 200 OK");
		http_leave(&c[i]);
	}
	/* the first one's, and one for all that came when that was under way */
	assert_int_equal(b.n_visits, own + 2);
	stop();
}

static void at_the_end_those_who_wait_are_told(void **state)
{
	enum { N = 6 };
	struct http_client c[N];

	(void)state;
	start(CONF(""));
	b.hold_visits = true;
	for (int i = 0; i < N; i++) {
		http_connect(&c[i], &at);
		http_say(&c[i], GET("/metrics"));
	}
	run_turns(b.loop, 20);
	web_end_views(web);
	for (int i = 0; i < N; i++) {
		c[i].n_wanted = 1;
		assert_true(run_until(b.loop, http_has_answers, &c[i]));
		assert_int_equal(http_count_of(&c[i], "HTTP/1.1 503 "), 1);
	}
	/* from then on at once; what asks nobody is answered still */
	assert_non_null(strstr(http_ask(b.loop, &c[0], GET("/metrics"), 1), "HTTP/1.1 503 "));
	assert_non_null(strstr(http_ask(b.loop, &c[0], GET("/livez"), 1), "HTTP/1.1 200 "));
	for (int i = 0; i < N; i++)
		http_leave(&c[i]);
	bench_release_visits(&b);
	run_turns(b.loop, 5);
	stop();
}

static void who_has_gone_costs_nothing(void **state)
{
	struct http_client c[3];

	(void)state;
	start(CONF(""));
	b.hold_visits = true;
	for (int i = 0; i < 3; i++) {
		http_connect(&c[i], &at);
		http_say(&c[i], GET("/metrics"));
	}
	run_turns(b.loop, 20);
	http_leave(&c[0]);
	http_leave(&c[1]);
	bench_release_visits(&b);
	c[2].n_wanted = 1;
	assert_true(run_until(b.loop, http_has_answers, &c[2]));
	http_leave(&c[2]);
	stop();
}

static void wrong_logins_wait_and_many_are_refused(void **state)
{
	struct http_client c[GATE_MOST_OF_ADDRESS + 3];
	enum { N = sizeof(c) / sizeof(c[0]) };
	uint64_t began_us;

	(void)state;
	start(CONF("http_auth_user=me\nhttp_auth_password=secret\n"));
	began_us = clock_steady_us();
	for (int i = 0; i < N; i++) {
		http_connect(&c[i], &at);
		http_say(&c[i], LOGIN("/", "bWU6c2VjcmV0cw==")); /* me:secrets */
		run_turns(b.loop, 10);
	}
	for (int i = (int)GATE_MOST_OF_ADDRESS; i < N; i++) {
		http_take(&c[i]);
		assert_int_equal(http_count_of(&c[i], "HTTP/1.1 429 Too Many Requests"), 1);
		/* not even the right one, meanwhile */
		if (i == N - 1)
			assert_non_null(
			    strstr(http_ask(b.loop, &c[i], LOGIN("/", "bWU6c2VjcmV0"), 1), "HTTP/1.1 429 "));
	}
	for (int i = 0; i < (int)GATE_MOST_OF_ADDRESS; i++) {
		c[i].n_wanted = 1;
		assert_true(run_until(b.loop, http_has_answers, &c[i]));
		assert_int_equal(http_count_of(&c[i], "HTTP/1.1 401 Unauthorized"), 1);
	}
	assert_true(clock_steady_us() >= began_us + GATE_DELAY_US);
	assert_non_null(strstr(http_ask(b.loop, &c[0], LOGIN("/", "bWU6c2VjcmV0"), 1), "HTTP/1.1 200 OK"));
	assert_non_null(strstr(http_ask(b.loop, &c[0], GET("/"), 1), "WWW-Authenticate: Basic realm=\"pgweir\""));
	http_say(&c[0], LOGIN("/", "bWU6")); /* its delay is cut short by the end */
	run_turns(b.loop, 10);
	for (int i = 0; i < N; i++)
		http_leave(&c[i]);
	stop();
}

/* ---- memory ---- */

/* Runs a request in which the n-th allocation fails; false: it did not need so many. */
static bool request_survives(const char *conf, const char *request, size_t n)
{
	struct http_client c;
	bool failed;

	start(conf);
	mem_spared = true;
	http_connect(&c, &at);
	str_add(&c.got, "", 0);
	http_say(&c, request);
	mem_spared = false;
	mem_until_failure = n;
	run_turns(b.loop, 12);
	failed = mem_until_failure == 1;
	mem_until_failure = 0;
	c.n_wanted = 1;
	assert_true(run_until(b.loop, http_has_answers, &c)); /* something, or the end */
	http_leave(&c);
	http_connect(&c, &at);
	assert_non_null(strstr(http_ask(b.loop, &c, GET("/livez"), 1), "HTTP/1.1 200 OK"));
	http_leave(&c);
	stop();
	return failed;
}

static void every_allocation_of_a_request_may_fail(void **state)
{
	static const char *const requests[] = {
	    GET("/livez"),       GET("/readyz"),    "GET /readyz HTTP/1.1\r\nAccept: application/json\r\n\r\n",
	    GET("/metrics"),     GET("/none"),      GET("/"),
	    GET("/api/"),        GET("/api/pools"), GET("/api/overview"),
	    GET("/api/history"), GET("/api/none")};

	(void)state;
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		size_t n = 1;

		while (request_survives(CONF(""), requests[i], n))
			n++;
		assert_true(n > 1);
	}
	assert_true(request_survives(CONF("http_auth_user=me\nhttp_auth_password=x\n"), LOGIN("/", "bWU6"), 2));
}

static void every_allocation_of_the_beginning_may_fail(void **state)
{
	struct failure why;
	bool failed = true;

	(void)state;
	failure_init(&why);
	for (size_t n = 1; failed; n++) {
		struct web *w;

		bench_begin(&b, CONF(""), NULL);
		at = free_port();
		mem_until_failure = n;
		w = web_new(&b.control, b.console);
		if (w != NULL)
			(void)!web_listen(w, &at, false, &why);
		failed = mem_until_failure == 1;
		mem_until_failure = 0;
		web_free(w);
		run_turns(b.loop, 5); /* visits come home */
		bench_finish(&b);
		assert_int_equal(mem_blocks, 0);
	}
	failure_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_path_has_its_answer),
	    cmocka_unit_test(reasons_come_in_the_form_that_is_asked_for),
	    cmocka_unit_test(liveness_waits_for_nobody),
	    cmocka_unit_test(only_a_few_views_go_round_at_a_time),
	    cmocka_unit_test(who_waits_for_the_same_shares_a_view_that_is_no_older_than_the_request),
	    cmocka_unit_test(at_the_end_those_who_wait_are_told),
	    cmocka_unit_test(who_has_gone_costs_nothing),
	    cmocka_unit_test(wrong_logins_wait_and_many_are_refused),
	    cmocka_unit_test(every_allocation_of_a_request_may_fail),
	    cmocka_unit_test(every_allocation_of_the_beginning_may_fail),
	};

	signal(SIGPIPE, SIG_IGN); /* as main does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
