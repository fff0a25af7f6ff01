/* Tests of src/pool/permit.c. */
#include "base/mem.h"
#include "os/thread.h"
#include "pool/permit.h"
#include "pool_bench.h"

struct bench {
	struct permit permit;
	struct pool *pool;
};

static int set_up(void **state)
{
	struct bench *b = (struct bench *)calloc(1, sizeof(*b));

	assert_non_null(b);
	b->pool = bench_pool(1, "");
	b->permit.pool = b->pool;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = (struct bench *)*state;

	pool_free(b->pool);
	free(b);
	return 0;
}

static void the_first_news_is_posted_and_read_once(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;

	assert_int_equal(permit_read(p), 0);
	assert_true(permit_report(p, PERMIT_OPENED));
	assert_int_equal(permit_read(p), PERMIT_OPENED);
	assert_int_equal(permit_read(p), 0);
}

static void news_gathers_while_the_letter_is_under_way(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;

	assert_true(permit_report(p, PERMIT_OPENED));
	assert_false(permit_report(p, PERMIT_RETURNED));
	assert_int_equal(permit_read(p), PERMIT_OPENED | PERMIT_RETURNED);
}

static void the_same_news_twice_is_one(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;

	assert_true(permit_report(p, PERMIT_RETURNED));
	assert_false(permit_report(p, PERMIT_RETURNED));
	assert_int_equal(permit_read(p), PERMIT_RETURNED);
}

static void a_letter_that_was_read_is_posted_again(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;

	assert_true(permit_report(p, PERMIT_OPENED));
	assert_int_equal(permit_read(p), PERMIT_OPENED);
	assert_true(permit_report(p, PERMIT_RETURNED));
	assert_int_equal(permit_read(p), PERMIT_RETURNED);
}

struct reporter {
	struct thread thread;
	struct permit *permit;
	enum permit_news news;
	bool post;
};

static void *report(void *arg)
{
	struct reporter *r = (struct reporter *)arg;

	r->post = permit_report(r->permit, r->news);
	return NULL;
}

static void of_two_reports_at_the_same_time_one_posts_and_none_is_lost(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;

	for (int i = 0; i < 100; i++) {
		struct reporter r[2] = {{.permit = p, .news = PERMIT_OPENED}, {.permit = p, .news = PERMIT_RETURNED}};

		for (int k = 0; k < 2; k++)
			assert_true(thread_start(&r[k].thread, "reporter", report, &r[k]));
		for (int k = 0; k < 2; k++)
			thread_join(&r[k].thread);
		assert_int_equal(r[0].post + r[1].post, 1);
		assert_int_equal(permit_read(p), PERMIT_OPENED | PERMIT_RETURNED);
	}
}

static void a_permit_is_at_its_name_then_at_an_address_then_where_the_worker_says(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;

	assert_int_equal(permit_phase(p), PHASE_RESOLVE);
	p->n_targets = 1;
	assert_int_equal(permit_phase(p), PHASE_CONNECT);
	permit_reaches(p, PHASE_STARTUP);
	assert_int_equal(permit_phase(p), PHASE_STARTUP);
	permit_reaches(p, PHASE_CONNECT); /* the next target */
	assert_int_equal(permit_phase(p), PHASE_CONNECT);
}

static void of_a_target_that_was_tried_twice_the_newer_reason_stays(void **state)
{
	struct permit *p = &((struct bench *)*state)->permit;
	struct failure why;

	failure_init(&why);
	p->n_targets = 2;
	for (uint32_t i = 0; i < 3; i++) {
		failure_set(&why, PHASE_CONNECT, DOMAIN_POOLER, i == 2 ? FAILURE_CLOSED : FAILURE_WRONG_ROLE, "text");
		permit_add_failure(p, i % 2, &why, i);
	}
	assert_int_equal(p->n_failed, 2);
	assert_int_equal(p->failed[0].failure.code, FAILURE_CLOSED);
	assert_int_equal(p->failed[0].phase_us, 2);
	assert_int_equal(p->failed[1].failure.code, FAILURE_WRONG_ROLE);
	assert_false(failure_is_set(&p->failure));
	for (uint32_t i = 0; i < p->n_failed; i++)
		failure_fini(&p->failed[i].failure);
	mem_free(p->failed);
	failure_fini(&why);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_first_news_is_posted_and_read_once, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(news_gathers_while_the_letter_is_under_way, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_same_news_twice_is_one, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_letter_that_was_read_is_posted_again, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(of_two_reports_at_the_same_time_one_posts_and_none_is_lost, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(a_permit_is_at_its_name_then_at_an_address_then_where_the_worker_says,
	                                    set_up, tear_down),
	    cmocka_unit_test_setup_teardown(of_a_target_that_was_tried_twice_the_newer_reason_stays, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
