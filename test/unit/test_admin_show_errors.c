/* SHOW ERRORS. */
#include "console_bench.h"

#include "diag/error_ring.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"

static void errors_of_main_and_workers_come_newest_first(void **state)
{
	struct error_note n = {.class = "connection_refused",
	                       .incident = "0badcafe",
	                       .database = "app",
	                       .user = "ann",
	                       .address = "10.0.0.5",
	                       .count = 40,
	                       .text = "no",
	                       .hint = "start it"};
	struct bench_client *c;
	const char *story, *first, *second, *third;
	struct bench b;

	(void)state;
	bench_begin(&b, CONF, NULL);
	b.worker[0].errors = error_ring_new();
	b.worker[1].errors = error_ring_new();
	assert_true(b.worker[0].errors != NULL && b.worker[1].errors != NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	assert_null(strstr(bench_ask(c, "show errors"), " D("));

	n.at_us = 2000000;
	error_ring_add(b.control.opener->errors, &n);
	n = (struct error_note){.at_us = 1000000, .class = "query_timeout", .database = "app", .count = 1, .text = "a"};
	error_ring_add(b.worker[1].errors, &n);
	n = (struct error_note){.at_us = 3000000, .class = "client_protocol", .user = "eve", .count = 7, .text = "b"};
	error_ring_add(b.worker[0].errors, &n);

	story = bench_ask(c, "show errors");
	first = strstr(story, ",,client_protocol,,eve,,7,b,) ");
	second = strstr(story, ",0badcafe,connection_refused,app,ann,10.0.0.5,40,no,start it) ");
	third = strstr(story, ",,query_timeout,app,,,1,a,) ");
	assert_true(first != NULL && second != NULL && third != NULL);
	assert_true(first < second && second < third);

	bench_disconnect(c);
	bench_finish(&b);
	error_ring_free(b.worker[0].errors);
	error_ring_free(b.worker[1].errors);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(errors_of_main_and_workers_come_newest_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
