/* SHOW BACKENDS. */
#include "console_bench.h"

#include "pool/backend.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"

static struct backend *backend_at(struct bench *b, const char *host, const char *text, uint16_t port)
{
	struct backend *backend;
	struct address a;

	memset(&a, 0, sizeof(a));
	assert_true(address_from_text(&a, text, port));
	backend = backend_get(&b->control.opener->backends, host, &a, loop_now_us(b->loop));
	assert_non_null(backend);
	return backend;
}

static void an_address_that_nobody_has_reached_is_unknown(void **state)
{
	struct bench_client *c;
	struct bench b;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	(void)backend_at(&b, "db", "10.0.0.1", 5432);
	assert_non_null(
	    strstr(bench_ask(c, "show backends"),
	           " D(db,10.0.0.1,5432,unknown,NULL,NULL,NULL,NULL,NULL,0,0,NULL,0,0,NULL,NULL,NULL,NULL,NULL) "));
	bench_disconnect(c);
	bench_finish(&b);
}

static void one_that_serves_shows_how_long_a_login_takes(void **state)
{
	struct bench_client *c;
	struct backend *backend;
	struct bench b;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	backend = backend_at(&b, "/run", "/run/.s.PGSQL.5432", 0);
	(void)!backend_came_through(backend, loop_now_us(b.loop));
	backend->login_us = loop_now_us(b.loop);
	backend->good = (struct login_phases){1, 20, 0, 400, 50};
	backend->total_attempts = 7;
	backend->role = ROLE_STANDBY;
	backend->n_connect_query_failed = 2;
	assert_non_null(strstr(bench_ask(c, "show backends"), " D(/run,/run/.s.PGSQL.5432,0,up,NULL,"));
	backend->overtaken_us = loop_now_us(b.loop);
	assert_non_null(strstr(bench_ask(c, "show backends"), " D(/run,/run/.s.PGSQL.5432,0,slow,NULL,"));
	assert_non_null(strstr(bench_ask(c, "show backends"), ",NULL,NULL,NULL,7,0,NULL,0,2,1,20,0,400,standby) "));
	bench_disconnect(c);
	bench_finish(&b);
}

static void one_that_is_down_shows_why_and_when_it_is_tried_again(void **state)
{
	struct bench_client *c;
	struct backend *backend;
	struct failure f;
	struct bench b;
	uint64_t now_us;

	(void)state;
	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_STATS);
	backend = backend_at(&b, "db", "10.0.0.1", 5432);
	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	now_us = loop_now_us(b.loop);
	backend_failed(backend, &f, 10, now_us, now_us);
	backend->retry.next_try_us = now_us; /* due */
	backend->n_failures = 3;
	snprintf(backend->last_class, sizeof(backend->last_class), "connection_refused");
	snprintf(backend->last_text, sizeof(backend->last_text), "no");
	assert_non_null(strstr(bench_ask(c, "show backends"), " D(db,10.0.0.1,5432,down,"));
	assert_non_null(
	    strstr(bench_ask(c, "show backends"), ",connection_refused,no,0,3,0,0,0,NULL,NULL,NULL,NULL,NULL) "));
	bench_disconnect(c);
	bench_finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_address_that_nobody_has_reached_is_unknown),
	    cmocka_unit_test(one_that_serves_shows_how_long_a_login_takes),
	    cmocka_unit_test(one_that_is_down_shows_why_and_when_it_is_tried_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
