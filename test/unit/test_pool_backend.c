/* The record of an address. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/clock.h"
#include "pool/backend.h"
#include "pool/permit.h"
#include <cmocka.h>

#define NOW (1000 * US_PER_S)
#define DAY (24 * 3600 * US_PER_S)

static struct address at(const char *text, uint16_t port)
{
	struct address a;

	memset(&a, 0, sizeof(a));
	assert_true(address_from_text(&a, text, port));
	return a;
}

static void fails(struct backend *b, uint64_t began_us, uint64_t now_us)
{
	struct failure f;

	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	backend_failed(b, &f, 10, began_us, now_us);
	failure_fini(&f);
}

static void begins(struct backend *b, struct permit *p, uint64_t now_us)
{
	p->began_us = now_us;
	list_init(&p->on_backend);
	list_add_tail(&b->attempts, &p->on_backend);
	b->n_attempts++;
}

static void ends(struct backend *b, struct permit *p)
{
	list_remove(&p->on_backend);
	b->n_attempts--;
}

static void one_record_for_host_address_and_port(void **state)
{
	struct address a = at("10.0.0.1", 5432), other_port = at("10.0.0.1", 5433), other = at("10.0.0.2", 5432);
	struct address file = at("/run/.s.PGSQL.5432", 0), other_file = at("/tmp/.s.PGSQL.5432", 0);
	struct backends all;
	struct backend *b;

	(void)state;
	backends_init(&all, 3);
	b = backend_get(&all, "db", &a, NOW);
	assert_non_null(b);
	assert_ptr_equal(backend_get(&all, "db", &a, NOW), b);
	assert_ptr_not_equal(backend_get(&all, "db2", &a, NOW), b);
	assert_ptr_not_equal(backend_get(&all, "db", &other_port, NOW), b);
	assert_ptr_not_equal(backend_get(&all, "db", &other, NOW), b);
	b = backend_get(&all, "/run", &file, NOW);
	assert_ptr_equal(backend_get(&all, "/run", &file, NOW), b);
	assert_ptr_not_equal(backend_get(&all, "/run", &other_file, NOW), b);
	backends_fini(&all);
}

static void what_nobody_refers_to_is_forgotten_after_a_day(void **state)
{
	struct address a = at("10.0.0.1", 5432), other = at("10.0.0.2", 5432);
	struct backends all;
	struct backend *kept, *old;

	(void)state;
	backends_init(&all, 3);
	kept = backend_get(&all, "kept", &a, NOW);
	old = backend_get(&all, "old", &a, NOW);
	backend_unref(old);
	backend_unref(backend_get(&all, "db", &other, NOW + DAY / 2));
	assert_int_equal(all.by_address.count, 3);
	backend_unref(backend_get(&all, "db3", &other, NOW + DAY + 1));
	assert_int_equal(all.by_address.count, 3); /* "old" has gone, "db3" has come */
	assert_ptr_equal(backend_get(&all, "kept", &a, NOW + DAY + 1), kept);
	backends_fini(&all);
}

static void a_healthy_address_takes_any_number(void **state)
{
	struct address a = at("10.0.0.1", 5432);
	struct permit p[50];
	struct backends all;
	struct backend *b;

	(void)state;
	backends_init(&all, 3);
	b = backend_get(&all, "db", &a, NOW);
	for (int i = 0; i < 50; i++) {
		assert_true(backend_admits(b, NOW));
		begins(b, &p[i], NOW);
	}
	backends_fini(&all);
}

static void while_down_one_tries_when_it_is_time(void **state)
{
	struct address a = at("10.0.0.1", 5432);
	struct permit p;
	struct backends all;
	struct backend *b;

	(void)state;
	backends_init(&all, 3);
	b = backend_get(&all, "db", &a, NOW);
	fails(b, NOW, NOW + 5);
	b->retry.next_try_us = NOW + 100;
	assert_true(b->down);
	assert_int_equal(b->since_us, NOW); /* when the attempt began */
	assert_false(backend_admits(b, NOW + 99));
	assert_int_equal(backend_wake_us(b, NOW + 5), NOW + 100);
	assert_true(backend_admits(b, NOW + 100));
	begins(b, &p, NOW + 100);
	assert_false(backend_admits(b, NOW + 200));
	ends(b, &p);
	fails(b, NOW + 100, NOW + 110);
	assert_int_equal(b->since_us, NOW);
	assert_int_equal(b->n_tried, 2);
	backends_fini(&all);
}

static void a_silent_attempt_gets_one_other_beside_it(void **state)
{
	struct address a = at("10.0.0.1", 5432);
	struct permit p, q;
	struct backends all;
	struct backend *b;

	(void)state;
	backends_init(&all, 3);
	b = backend_get(&all, "db", &a, NOW);
	begins(b, &p, NOW);
	assert_int_equal(backend_silent_since_us(b, NOW + BACKEND_SILENT_US - 1), 0);
	assert_int_equal(backend_silent_since_us(b, NOW + BACKEND_SILENT_US), NOW);
	assert_true(backend_admits(b, NOW + BACKEND_SILENT_US));
	begins(b, &q, NOW + BACKEND_SILENT_US);
	assert_false(backend_admits(b, NOW + BACKEND_SILENT_US));
	/* somebody got through since the slow one began: the address is only slow */
	assert_false(backend_came_through(b, NOW + BACKEND_SILENT_US + 1));
	assert_true(backend_admits(b, NOW + BACKEND_SILENT_US + 2));
	backends_fini(&all);
}

static void after_an_outage_each_success_doubles_what_it_takes(void **state)
{
	struct address a = at("10.0.0.1", 5432);
	struct permit p[8];
	struct backends all;
	struct backend *b;
	int n = 0;

	(void)state;
	backends_init(&all, 3);
	b = backend_get(&all, "db", &a, NOW);
	fails(b, NOW, NOW + 5);
	assert_true(backend_came_through(b, NOW + 10));
	assert_false(b->down);
	assert_int_equal(b->since_us, NOW + 10);
	assert_false(failure_is_set(&b->failure));
	for (; backend_admits(b, NOW + 10); n++)
		begins(b, &p[n], NOW + 10);
	assert_int_equal(n, 2);
	ends(b, &p[0]);
	assert_false(backend_came_through(b, NOW + 11));
	for (; backend_admits(b, NOW + 11); n++)
		begins(b, &p[n], NOW + 11);
	assert_int_equal(n, 5); /* four at once */
	for (int i = 0; i < 6; i++)
		(void)!backend_came_through(b, NOW + 12);
	assert_int_equal(b->width, 0); /* healthy again */
	backends_fini(&all);
}

static void the_right_role_goes_first_and_slow_ones_last_for_a_while(void **state)
{
	struct address a = at("10.0.0.1", 5432);
	struct backends all;
	struct backend *b;

	(void)state;
	backends_init(&all, 3);
	b = backend_get(&all, "db", &a, NOW);
	assert_int_equal(backend_rank(b, SESSION_ATTRS_ANY, NOW), 0);
	assert_int_equal(backend_rank(b, SESSION_ATTRS_PRIMARY, NOW), 2); /* not known */
	b->role = ROLE_STANDBY;
	assert_int_equal(backend_rank(b, SESSION_ATTRS_STANDBY, NOW), 0);
	assert_int_equal(backend_rank(b, SESSION_ATTRS_PREFER_STANDBY, NOW), 0);
	assert_int_equal(backend_rank(b, SESSION_ATTRS_PRIMARY, NOW), 4);
	b->overtaken_us = NOW;
	assert_int_equal(backend_rank(b, SESSION_ATTRS_ANY, NOW + US_PER_S), 1);
	assert_int_equal(backend_rank(b, SESSION_ATTRS_PRIMARY, NOW + US_PER_S), 5);
	assert_int_equal(backend_rank(b, SESSION_ATTRS_ANY, NOW + 60 * US_PER_S), 0);
	assert_false(backend_came_through(b, NOW));
	assert_int_equal(backend_rank(b, SESSION_ATTRS_ANY, NOW + US_PER_S), 0); /* it answers itself */
	fails(b, NOW, NOW + 5);
	assert_int_equal(b->role, ROLE_UNKNOWN); /* it may come back as something else */
	backends_fini(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_record_for_host_address_and_port),
	    cmocka_unit_test(what_nobody_refers_to_is_forgotten_after_a_day),
	    cmocka_unit_test(a_healthy_address_takes_any_number),
	    cmocka_unit_test(while_down_one_tries_when_it_is_time),
	    cmocka_unit_test(a_silent_attempt_gets_one_other_beside_it),
	    cmocka_unit_test(after_an_outage_each_success_doubles_what_it_takes),
	    cmocka_unit_test(the_right_role_goes_first_and_slow_ones_last_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
