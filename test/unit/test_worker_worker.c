/* A worker: visits, graves, its end. */
#include "worker_scene.h"

struct tour {
	struct visit visit;
	unsigned n_runs, n_done;
	uint16_t seen[4];
};

static void see(struct visit *v, struct worker *w)
{
	struct tour *t = container_of(v, struct tour, visit);

	t->seen[t->n_runs++] = w->number;
}

static void come_home(struct visit *v)
{
	container_of(v, struct tour, visit)->n_done++;
}

static void a_visit_passes_every_worker_and_comes_back(void **state)
{
	struct bench b;
	struct tour tour = {.visit = {.run = see, .done = come_home}};
	struct worker *second;
	struct timer *stop;

	(void)state;
	bench_init(&b, "");
	b.office->n_workers = 2;
	second = worker_new(b.office, 1, b.conf);
	assert_non_null(second);
	stop = timer_new(second->loop, bench_stop, second->loop);
	visit_start(b.office, &tour.visit);
	bench_settle(&b);
	assert_int_equal(tour.n_runs, 1);
	assert_int_equal(tour.n_done, 0);
	for (int i = 0; i < 6; i++)
		bench_step(second->loop, stop);
	assert_int_equal(tour.n_runs, 2);
	bench_settle(&b);
	assert_int_equal(tour.n_runs, 2);
	assert_int_equal(tour.n_done, 1);
	assert_int_equal(tour.seen[0], 0);
	assert_int_equal(tour.seen[1], 1);
	timer_free(stop);
	worker_free(second);
	b.office->n_workers = 1;
	bench_fini(&b);
}

static void stop_it(struct visit *v, struct worker *w)
{
	see(v, w);
	worker_stop(w);
}

static void a_worker_runs_until_it_is_stopped(void **state)
{
	struct bench b;
	struct tour tour = {.visit = {.run = stop_it, .done = come_home}};

	(void)state;
	bench_init(&b, "");
	assert_false(b.w->stopping);
	visit_start(b.office, &tour.visit);
	worker_run(b.w); /* returns, or this test does not end */
	assert_true(b.w->stopping);
	assert_int_equal(tour.n_runs, 1);
	bench_step(b.loop, b.stop);
	bench_step(b.loop, b.stop);
	assert_int_equal(tour.n_done, 1);
	bench_fini(&b);
}

struct thing {
	struct grave grave;
	bool buried;
};

static void bury(struct grave *g)
{
	container_of(g, struct thing, grave)->buried = true;
}

static void what_is_buried_lives_until_the_end_of_the_turn(void **state)
{
	struct bench b;
	struct thing thing = {.buried = false};

	(void)state;
	bench_init(&b, "");
	list_init(&thing.grave.node);
	worker_bury(b.w, &thing.grave, bury);
	assert_false(thing.buried);
	bench_step(b.w->loop, b.worker_stop);
	assert_true(thing.buried);
	bench_fini(&b);
}

static void a_worker_that_is_freed_closes_everything(void **state)
{
	struct bench b;
	struct side *s, *c;

	(void)state;
	bench_init(&b, "auth_type=trust\npool_mode=transaction");
	c = scene_running(&b, &s, "select 1");
	bench_leave_worker(&b);
	worker_free(b.w);
	side_read(c);
	side_read(s);
	assert_true(c->ended);
	assert_true(s->ended);
	/* what the bench's end needs */
	b.w = worker_new(b.office, 0, b.conf);
	assert_non_null(b.w);
	bench_watch_worker(&b);
	bench_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_visit_passes_every_worker_and_comes_back),
	    cmocka_unit_test(a_worker_runs_until_it_is_stopped),
	    cmocka_unit_test(what_is_buried_lives_until_the_end_of_the_turn),
	    cmocka_unit_test(a_worker_that_is_freed_closes_everything),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
