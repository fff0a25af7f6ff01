/* The loop: turns, timers, tasks, random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/loop_private.h"
#include "until.h"

static struct loop *loop;

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

struct fired {
	struct timer *timer;
	char name;
	char *story;
	int n;
	uint64_t at_us;
};

static void fire(void *owner)
{
	struct fired *f = (struct fired *)owner;
	size_t len = strlen(f->story);

	f->story[len] = f->name;
	f->n++;
	f->at_us = loop_now_us(loop);
}

static bool has_fired(void *arg)
{
	return ((struct fired *)arg)->n > 0;
}

static void timers_fire_in_order_of_time_and_not_too_early(void **state)
{
	char story[8] = "";
	struct fired f[4];
	const uint64_t delay_us[4] = {9000, 3000, 6000, 3000};
	uint64_t from_us = clock_steady_us();

	(void)state;
	for (int i = 0; i < 4; i++) {
		f[i] = (struct fired){timer_new(loop, fire, &f[i]), (char)('a' + i), story, 0, 0};
		assert_non_null(f[i].timer);
		assert_false(timer_is_set(f[i].timer));
		timer_set(f[i].timer, from_us + delay_us[i]);
		assert_true(timer_is_set(f[i].timer));
	}
	assert_true(run_until(loop, has_fired, &f[0]));
	assert_string_equal(story, "bdca");
	for (int i = 0; i < 4; i++) {
		assert_true(f[i].at_us >= from_us + delay_us[i]);
		assert_false(timer_is_set(f[i].timer));
		timer_free(f[i].timer);
	}
}

static void timer_that_was_cleared_or_moved_does_not_fire_at_its_old_time(void **state)
{
	char story[8] = "";
	struct fired cleared = {NULL, 'c', story, 0, 0}, moved = {NULL, 'm', story, 0, 0},
	             last = {NULL, 'l', story, 0, 0};
	uint64_t now_us = clock_steady_us();

	(void)state;
	cleared.timer = timer_new(loop, fire, &cleared);
	moved.timer = timer_new(loop, fire, &moved);
	last.timer = timer_new(loop, fire, &last);
	timer_set(cleared.timer, now_us + 1000);
	timer_set(moved.timer, now_us + 1000);
	timer_set(last.timer, now_us + 4000);
	timer_set(moved.timer, now_us + 8000);
	timer_clear(cleared.timer);
	timer_clear(cleared.timer);
	assert_true(run_until(loop, has_fired, &moved));
	assert_string_equal(story, "lm");
	timer_free(cleared.timer);
	timer_free(moved.timer);
	timer_free(last.timer);
	timer_free(NULL);
}

static struct fired *victim;

static void fire_and_free_another(void *owner)
{
	struct fired *f = (struct fired *)owner;

	fire(f);
	timer_free(victim->timer);
	victim->timer = NULL;
	/* into the past: fires again, in another turn */
	if (f->n < 3)
		timer_set(f->timer, 1);
}

static bool has_fired_thrice(void *arg)
{
	return ((struct fired *)arg)->n == 3;
}

static void timer_may_free_others_that_are_due_and_set_itself(void **state)
{
	char story[8] = "";
	struct fired first = {NULL, 'f', story, 0, 0}, second = {NULL, 's', story, 0, 0};

	(void)state;
	first.timer = timer_new(loop, fire_and_free_another, &first);
	second.timer = timer_new(loop, fire, &second);
	victim = &second;
	timer_set(first.timer, 1);
	timer_set(second.timer, 2);
	assert_true(run_until(loop, has_fired_thrice, &first));
	assert_string_equal(story, "fff");
	timer_free(first.timer);
}

#define CROWD 100000u

struct member {
	struct timer *timer;
	uint64_t at_us;
};

static uint64_t last_us;
static unsigned n_members_fired;

static void member_fires(void *owner)
{
	struct member *m = (struct member *)owner;

	assert_true(m->at_us >= last_us);
	last_us = m->at_us;
	n_members_fired++;
}

static bool all_have_fired(void *arg)
{
	(void)arg;
	return n_members_fired == CROWD;
}

/* One for each client with client_idle_timeout, set in no order: searching a list for each would take minutes. */
static void hundred_thousand_timers_fire_in_order_of_time(void **state)
{
	struct member *members = (struct member *)mem_alloc(CROWD * sizeof(members[0]));
	uint32_t number = 1;

	(void)state;
	assert_non_null(members);
	last_us = 0;
	n_members_fired = 0;
	for (unsigned i = 0; i < CROWD; i++) {
		members[i].timer = timer_new(loop, member_fires, &members[i]);
		assert_non_null(members[i].timer);
		timer_set(members[i].timer, UINT64_MAX / 2 + i);
	}
	for (unsigned i = 0; i < CROWD; i++) {
		number = number * 1664525u + 1013904223u;
		members[i].at_us = 1 + number % CROWD;
		timer_set(members[i].timer, members[i].at_us);
	}
	assert_true(run_until(loop, all_have_fired, NULL));
	for (unsigned i = 0; i < CROWD; i++)
		timer_free(members[i].timer);
	mem_free(members);
}

struct task {
	struct loop_task task;
	int runs, repeat;
	bool before_sleep;
};

static void run_task(struct loop_task *task)
{
	struct task *t = container_of(task, struct task, task);

	t->runs++;
	if (t->runs < t->repeat) {
		if (t->before_sleep)
			loop_before_sleep(loop, task);
		else
			loop_again(loop, task);
	}
}

static bool has_run(void *arg)
{
	struct task *t = (struct task *)arg;

	return t->runs == t->repeat;
}

static void again_task_runs_once_a_turn_without_sleeping(void **state)
{
	struct task t = {.repeat = 5};
	struct task cancelled = {.repeat = 1};

	(void)state;
	loop_task_init(&t.task, run_task);
	loop_task_init(&cancelled.task, run_task);
	loop_again(loop, &t.task);
	loop_again(loop, &t.task);
	loop_again(loop, &cancelled.task);
	loop_task_cancel(&cancelled.task);
	assert_true(run_until(loop, has_run, &t));
	assert_int_equal(cancelled.runs, 0);
}

static void before_sleep_task_runs_before_the_next_sleep(void **state)
{
	struct task t = {.repeat = 1, .before_sleep = true};

	(void)state;
	loop_task_init(&t.task, run_task);
	loop_before_sleep(loop, &t.task);
	assert_true(run_until(loop, has_run, &t));
}

static int turns;

static bool count_turns(void *owner)
{
	(void)owner;
	turns++;
	if (turns == 100)
		loop_stop(loop);
	return true;
}

static void turn_with_work_left_is_called_again_without_sleeping(void **state)
{
	uint64_t before_us;

	(void)state;
	turns = 0;
	loop_set_turn(loop, count_turns, NULL);
	before_us = loop_now_us(loop);
	loop_run(loop);
	assert_int_equal(turns, 100);
	assert_true(loop_now_us(loop) >= before_us);
}

static struct timer *restless;
static int turn_of_last_fire, n_fires;

static bool one_more_turn(void *owner)
{
	(void)owner;
	turns++;
	if (n_fires == 3)
		loop_stop(loop);
	return true;
}

static void fire_in_another_turn(void *owner)
{
	(void)owner;
	assert_true(n_fires == 0 || turns > turn_of_last_fire);
	turn_of_last_fire = turns;
	if (++n_fires < 3)
		timer_set(restless, 1);
}

static void timer_that_sets_itself_for_the_past_leaves_the_others_their_turn(void **state)
{
	(void)state;
	turns = 0;
	restless = timer_new(loop, fire_in_another_turn, NULL);
	assert_non_null(restless);
	timer_set(restless, 1);
	loop_set_turn(loop, one_more_turn, NULL);
	loop_run(loop);
	assert_int_equal(n_fires, 3);
	timer_free(restless);
}

static void stop_before_run_is_not_lost(void **state)
{
	(void)state;
	loop_stop(loop);
	loop_run(loop);
}

static void random_bytes_differ_and_fill_all(void **state)
{
	char a[256], b[256];
	int zeros = 0;

	(void)state;
	memset(a, 0, sizeof(a));
	loop_random(loop, a, sizeof(a));
	loop_random(loop, b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	for (size_t i = 0; i < sizeof(a); i++)
		zeros += a[i] == 0;
	assert_true(zeros < 32);
}

static void method_is_epoll_on_linux(void **state)
{
	(void)state;
#ifdef __linux__
	assert_string_equal(loop_method(loop), "epoll");
#else
	assert_true(loop_method(loop)[0] != '\0');
#endif
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(timers_fire_in_order_of_time_and_not_too_early),
	    TEST(timer_that_was_cleared_or_moved_does_not_fire_at_its_old_time),
	    TEST(timer_may_free_others_that_are_due_and_set_itself),
	    TEST(hundred_thousand_timers_fire_in_order_of_time),
	    TEST(again_task_runs_once_a_turn_without_sleeping),
	    TEST(before_sleep_task_runs_before_the_next_sleep),
	    TEST(turn_with_work_left_is_called_again_without_sleeping),
	    TEST(timer_that_sets_itself_for_the_past_leaves_the_others_their_turn),
	    TEST(stop_before_run_is_not_lost),
	    TEST(random_bytes_differ_and_fill_all),
	    TEST(method_is_epoll_on_linux),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
