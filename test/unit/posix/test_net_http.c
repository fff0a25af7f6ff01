/* HTTP connections on a real loop: what is answered, how many there may be, and who must go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <dirent.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>

#include "../http_client.h"
#include "net/http.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: here.example:80\r\n\r\n"

static struct loop *loop;
static struct http *http;
static struct address at;

/* Answers at once what it was asked, unless it holds requests. */
static struct {
	bool hold;
	struct http_request *held[300];
	unsigned n_held, n_asked;
	char parameter[16];
} handler;

static void answer(struct http_request *r)
{
	char text[8192], value[sizeof(handler.parameter)] = "-";

	(void)http_parameter(r, "p", value, sizeof(value));
	snprintf(text, sizeof(text), "[%s] host=%s peer=%s loopback=%d x=%s p=%s", http_path(r),
	         http_host(r) == NULL ? "-" : http_host(r), http_peer(r), http_came_by_loopback(r),
	         http_header(r, "X-Test") == NULL ? "-" : http_header(r, "X-Test"), value);
	http_answer_text(r, 200, text);
}

static void handle(void *owner, struct http_request *r)
{
	assert_ptr_equal(owner, &handler);
	handler.n_asked++;
	if (handler.hold)
		handler.held[handler.n_held++] = r;
	else
		answer(r);
}

static int set_up(void **state)
{
	struct failure why;

	(void)state;
	memset(&handler, 0, sizeof(handler));
	loop = loop_new();
	http = loop == NULL ? NULL : http_new(loop, handle, &handler);
	if (http == NULL)
		return -1;
	at = free_port();
	failure_init(&why);
	return http_listen(http, &at, false, &why) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	http_free(http);
	loop_free(loop);
	return 0;
}

static void release(void)
{
	handler.hold = false;
	for (unsigned i = 0; i < handler.n_held; i++)
		answer(handler.held[i]);
	handler.n_held = 0;
}

static bool has_held(void *arg)
{
	return handler.n_held >= *(const unsigned *)arg;
}

static bool has_connections(void *arg)
{
	return http_count(http) == *(const unsigned *)arg;
}

/* Descriptors of this process. */
static unsigned count_open(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		n++;
	closedir(d);
	return n;
}

static void wait_for_connections(unsigned n)
{
	assert_true(run_until(loop, has_connections, &n));
}

/* ---- requests ---- */

static void a_request_is_what_it_was_sent_as(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
	    {GET("/a"), "[/a] host=here.example:80 peer=127.0.0.1 loopback=1 x=- p=-"},
	    {"GET /a?p=1%20%2b+&p=2 HTTP/1.1\r\nx-test: 5\r\n\r\n", "[/a] host=- peer=127.0.0.1 loopback=1 x=5 p=1 + "},
	    {GET("/a?pp=1&ap=2&p"), "p=-"},
	    {GET("/a?q=1&p=%e2%82%ac"), "p=\xe2\x82\xac"},
	    {GET("/a?p=%"), "p=-"},
	    {GET("/a?p=%4"), "p=-"},
	    {GET("/a?p=%4g"), "p=-"},
	    {GET("/a?p=%00"), "p=-"},
	    {GET("/a?p=%41"), "p=A"},
	    {GET("/a?p="), "p="},
	    {GET("/a?p=123456789012345"), "p=123456789012345"},
	    {GET("/a?p=1234567890123456"), "p=-"},
	    {GET("/%61/../b//c"), "[/%61/../b//c]"},
	    {"GET http://there.example:7/x HTTP/1.1\r\nHost: here\r\n\r\n", "[/x] host=there.example"},
	    {"GET /x HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "host=- "},
	    {"GET /x HTTP/1.1\r\nHost:\r\n\r\n", "host=- "},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct http_client c;

		http_connect(&c, &at);
		if (strstr(http_ask(loop, &c, cases[i].request, 1), cases[i].answer) == NULL)
			fail_msg("%s: %s", cases[i].request, str_text(&c.got));
		http_leave(&c);
	}
	wait_for_connections(0);
}

static void only_questions_without_a_body_come_to_the_handler(void **state)
{
	static const struct {
		const char *request, *answer;
	} cases[] = {
	    {"POST / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "},
	    {"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "},
	    {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 405 "},
	    {"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 400 "},
	    {"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "HTTP/1.1 400 "},
	    {"GET / HTTP/0.9\r\nHost: x\r\n\r\n", "HTTP/1.1 505 "},
	    {"GET / HTTP/2.0\r\nHost: x\r\n\r\n", "HTTP/1.1 400 "},
	};
	struct http_client c;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		http_connect(&c, &at);
		http_say(&c, cases[i].request);
		assert_true(run_until(loop, http_has_ended, &c));
		if (strstr(str_text(&c.got), cases[i].answer) != c.got.data || http_count_of(&c, "\r\n\r\n") != 1)
			fail_msg("%s: %s", cases[i].request, str_text(&c.got));
		http_leave(&c);
	}
	assert_int_equal(handler.n_asked, 0);
	http_connect(&c, &at);
	assert_non_null(strstr(http_ask(loop, &c, "PUT / HTTP/1.0\r\n\r\n", 1), "\r\nAllow: GET, HEAD\r\n"));
	http_leave(&c);
	/* a length of nothing is no body */
	http_connect(&c, &at);
	(void)http_ask(loop, &c, "GET /z HTTP/1.1\r\nContent-Length: 0\r\n\r\n", 1);
	assert_int_equal(handler.n_asked, 1);
	http_leave(&c);
}

static void head_is_told_the_length_only(void **state)
{
	struct http_client c;
	const char *got;

	(void)state;
	http_connect(&c, &at);
	got = http_ask(loop, &c, "HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n" GET("/b"), 2);
	assert_null(strstr(got, "[/a]"));
	assert_non_null(strstr(got, "[/b]"));
	assert_non_null(strstr(got, "Content-Length: 45\r\n"));
	http_leave(&c);
}

static void answers_to_one_connection_come_in_order(void **state)
{
	struct http_client c;
	const char *got;

	(void)state;
	http_connect(&c, &at);
	got = http_ask(loop, &c, GET("/1") GET("/2") GET("/3"), 3);
	assert_int_equal(http_count_of(&c, "HTTP/1.1 200 OK"), 3);
	assert_true(strstr(got, "[/1]") < strstr(got, "[/2]") && strstr(got, "[/2]") < strstr(got, "[/3]"));
	http_leave(&c);
}

static void who_has_closed_its_half_gets_its_answer(void **state)
{
	struct http_client c;

	(void)state;
	http_connect(&c, &at);
	http_say(&c, GET("/a"));
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	assert_true(run_until(loop, http_has_ended, &c));
	assert_int_equal(http_count_of(&c, "[/a]"), 1);
	http_leave(&c);
	wait_for_connections(0);
}

static bool has_all(void *arg)
{
	struct http_client *c = (struct http_client *)arg;

	http_take(c);
	return c->ended || c->got.len >= c->n_wanted;
}

/* Also if it is so long that it takes a while. */
static void who_has_closed_its_half_gets_all_of_it(void **state)
{
	enum { SIZE = 16 << 20 };
	static char bytes[SIZE];
	struct http_client c;
	unsigned n = 1;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	handler.hold = true;
	http_connect(&c, &at);
	http_say(&c, GET("/a"));
	assert_int_equal(shutdown(c.fd, SHUT_WR), 0);
	assert_true(run_until(loop, has_held, &n));
	http_answer(handler.held[0], 200, "text/plain", bytes, sizeof(bytes));
	run_turns(loop, 10);
	c.n_wanted = sizeof(bytes) + 1; /* and its head */
	assert_true(run_until(loop, has_all, &c));
	assert_true(c.got.len > sizeof(bytes));
	http_leave(&c);
	wait_for_connections(0);
}

/* ---- later answers ---- */

static void a_later_answer_goes_to_whom_it_is_for(void **state)
{
	struct http_client c[3];
	unsigned n = 3;

	(void)state;
	handler.hold = true;
	for (int i = 0; i < 3; i++) {
		static const char *const requests[] = {GET("/0"), GET("/1"), GET("/2")};

		http_connect(&c[i], &at);
		http_say(&c[i], requests[i]);
	}
	assert_true(run_until(loop, has_held, &n));
	/* one has gone meanwhile, one has hung up altogether */
	http_leave(&c[1]);
	run_turns(loop, 10);
	release();
	for (int i = 0; i < 3; i += 2) {
		char path[8];

		c[i].n_wanted = 1;
		assert_true(run_until(loop, http_has_answers, &c[i]));
		snprintf(path, sizeof(path), "[/%d]", i);
		assert_int_equal(http_count_of(&c[i], path), 1);
		http_leave(&c[i]);
	}
	wait_for_connections(0);
}

static void the_end_leaves_requests_to_be_answered_to_nobody(void **state)
{
	struct http_client c;
	struct http_request *r;
	struct failure why;
	unsigned n = 1;

	(void)state;
	handler.hold = true;
	http_connect(&c, &at);
	http_say(&c, GET("/a"));
	assert_true(run_until(loop, has_held, &n));
	r = handler.held[0];
	http_free(http);
	assert_string_equal(http_path(r), "");
	assert_null(http_header(r, "Host"));
	assert_false(http_came_by_loopback(r));
	http_set_header(r, "X", "y");
	answer(r);
	http_leave(&c);
	failure_init(&why);
	http = http_new(loop, handle, &handler);
	assert_non_null(http);
}

/* ---- how many ---- */

static void connections_are_bounded_and_who_asks_is_served(void **state)
{
	enum { N = 400 };
	static struct http_client c[N];
	struct http_client asker;
	unsigned most = 0, before = count_open();
	uint64_t began_us;

	(void)state;
	for (int i = 0; i < N; i++) {
		http_connect(&c[i], &at);
		if (i % 20 == 0)
			run_turns(loop, 3);
		most = http_count(http) > most ? http_count(http) : most;
	}
	run_turns(loop, 30);
	assert_in_range(most, 100, HTTP_MAX_CONNECTIONS);
	assert_in_range(http_count(http), 100, HTTP_MAX_CONNECTIONS);
	assert_int_equal(count_open(), before + N + http_count(http));
	began_us = clock_steady_us();
	http_connect(&asker, &at);
	assert_non_null(strstr(http_ask(loop, &asker, GET("/a"), 1), "[/a]"));
	assert_true(clock_steady_us() < began_us + HTTP_REQUEST_US / 2); /* nobody had to run out of time for it */
	http_leave(&asker);
	http_take(&c[0]);
	http_take(&c[N - 1]);
	assert_true(c[0].ended); /* the oldest has made room */
	assert_false(c[N - 1].ended);
	for (int i = 0; i < N; i++)
		http_leave(&c[i]);
	wait_for_connections(0);
}

static void who_waits_for_an_answer_is_not_sent_away(void **state)
{
	enum { N = HTTP_MAX_CONNECTIONS + 20 };
	static struct http_client c[N];
	unsigned before = count_open();

	(void)state;
	handler.hold = true;
	for (unsigned i = 0; i < N; i++) {
		unsigned n = i + 1;

		http_connect(&c[i], &at);
		http_say(&c[i], GET("/a"));
		if (i < HTTP_MAX_CONNECTIONS)
			assert_true(run_until(loop, has_held, &n));
	}
	run_turns(loop, 30);
	/* the others wait outside */
	assert_int_equal(http_count(http), HTTP_MAX_CONNECTIONS);
	assert_int_equal(handler.n_held, HTTP_MAX_CONNECTIONS);
	assert_int_equal(count_open(), before + N + HTTP_MAX_CONNECTIONS);
	release();
	for (int i = 0; i < N; i++) {
		c[i].n_wanted = 1;
		assert_true(run_until(loop, http_has_answers, &c[i]));
		assert_int_equal(http_count_of(&c[i], "[/a]"), 1);
		http_leave(&c[i]);
	}
	wait_for_connections(0);
}

static void who_listens_no_more_serves_those_it_has(void **state)
{
	struct http_client c, late;

	(void)state;
	http_connect(&c, &at);
	(void)http_ask(loop, &c, GET("/a"), 1);
	http_stop_listening(http);
	memset(&late, 0, sizeof(late));
	late.fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(late.fd, &at.u.any, at.len), -1);
	assert_int_equal(errno, ECONNREFUSED);
	close(late.fd);
	assert_non_null(strstr(http_ask(loop, &c, GET("/b"), 1), "[/b]"));
	http_leave(&c);
	wait_for_connections(0);
	http_stop_listening(http);
}

static void an_address_that_is_taken_is_an_error(void **state)
{
	struct failure why;

	(void)state;
	failure_init(&why);
	assert_false(http_listen(http, &at, false, &why));
	assert_int_equal(why.domain, DOMAIN_ERRNO);
	assert_int_equal(why.code, EADDRINUSE);
	failure_fini(&why);
}

/* Answers that nobody takes are counted, and beyond the limit others are refused, unless they are small. */
static void big_answers_that_nobody_takes_are_bounded(void **state)
{
	enum { N = 12, SIZE = 16 << 20 };
	static char bytes[SIZE];
	static struct http_client c[N];
	struct http_client probe;
	unsigned refused = 0, n = N;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	/* all are asked for before one is answered */
	handler.hold = true;
	for (unsigned i = 0; i < N; i++) {
		http_connect(&c[i], &at);
		http_say(&c[i], GET("/a"));
	}
	assert_true(run_until(loop, has_held, &n));
	for (unsigned i = 0; i < N; i++)
		http_answer(handler.held[i], 200, "text/plain", bytes, sizeof(bytes));
	handler.n_held = 0;
	handler.hold = false;
	run_turns(loop, 10);
	http_connect(&probe, &at);
	assert_non_null(strstr(http_ask(loop, &probe, GET("/livez"), 1), "HTTP/1.1 200 "));
	http_leave(&probe);
	for (unsigned i = 0; i < N; i++) {
		char start[12] = "";

		assert_int_equal(recv(c[i].fd, start, sizeof(start), MSG_PEEK), sizeof(start));
		refused += memcmp(start, "HTTP/1.1 503", sizeof(start)) == 0;
	}
	assert_in_range(refused, 4, N - 3);
	for (unsigned i = 0; i < N; i++)
		http_leave(&c[i]);
	wait_for_connections(0);
	http_connect(&c[0], &at);
	assert_non_null(strstr(http_ask(loop, &c[0], GET("/b"), 1), "[/b]"));
	http_leave(&c[0]);
}

/* As across a network, where the system keeps little for who takes nothing. */
static void connect_narrow(struct http_client *c)
{
	int window = 4096, segment = 536;

	memset(c, 0, sizeof(*c));
	str_init(&c->got, 1u << 20);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(c->fd >= 0);
	assert_int_equal(setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof(window)), 0);
	assert_int_equal(setsockopt(c->fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof(segment)), 0);
	assert_int_equal(connect(c->fd, &at.u.any, at.len), 0);
}

/* Many that ask for much and take nothing do not keep out who asks for little. */
static void who_does_not_take_its_answer_makes_room(void **state)
{
	enum { N = HTTP_MAX_CONNECTIONS, SIZE = HTTP_MAX_UNSENT / HTTP_MAX_CONNECTIONS - 4096 };
	static char bytes[SIZE];
	static struct http_client c[N];
	struct http_client probe;
	unsigned n = N;

	(void)state;
	handler.hold = true;
	for (unsigned i = 0; i < N; i++) {
		connect_narrow(&c[i]);
		http_say(&c[i], GET("/a"));
	}
	assert_true(run_until(loop, has_held, &n));
	for (unsigned i = 0; i < N; i++)
		http_answer(handler.held[i], 200, "text/plain", bytes, sizeof(bytes));
	handler.n_held = 0;
	handler.hold = false;
	run_turns(loop, 10);
	assert_int_equal(http_count(http), N);
	http_connect(&probe, &at);
	assert_non_null(strstr(http_ask(loop, &probe, GET("/livez"), 1), "HTTP/1.1 200 "));
	http_leave(&probe);
	for (unsigned i = 0; i < N; i++)
		http_leave(&c[i]);
	wait_for_connections(0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_request_is_what_it_was_sent_as, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(only_questions_without_a_body_come_to_the_handler, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(head_is_told_the_length_only, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(answers_to_one_connection_come_in_order, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_has_closed_its_half_gets_its_answer, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_has_closed_its_half_gets_all_of_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_later_answer_goes_to_whom_it_is_for, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_end_leaves_requests_to_be_answered_to_nobody, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(connections_are_bounded_and_who_asks_is_served, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_waits_for_an_answer_is_not_sent_away, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_listens_no_more_serves_those_it_has, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(an_address_that_is_taken_is_an_error, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(big_answers_that_nobody_takes_are_bounded, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(who_does_not_take_its_answer_makes_room, set_up, tear_down),
	};

	signal(SIGPIPE, SIG_IGN); /* as main does */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
