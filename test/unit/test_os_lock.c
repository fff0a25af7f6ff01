/* Tests of os/lock.h, of what is the same on all systems. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "os/lock.h"
#include "os/thread.h"

#define N_THREADS 3
#define N_ROUNDS 10000

struct shared {
	struct lock lock;
	int inside, most_inside, rounds;
};

static void *go_in_and_out(void *arg)
{
	struct shared *s = (struct shared *)arg;

	for (int i = 0; i < N_ROUNDS; i++) {
		lock_take(&s->lock);
		s->inside++;
		if (s->inside > s->most_inside)
			s->most_inside = s->inside;
		s->rounds++;
		s->inside--;
		lock_drop(&s->lock);
	}
	return NULL;
}

static void one_thread_at_a_time_is_inside_and_sees_what_the_others_did(void **state)
{
	struct shared s = {.inside = 0};
	struct thread t[N_THREADS];

	(void)state;
	lock_init(&s.lock);
	for (int i = 0; i < N_THREADS; i++)
		assert_true(thread_start(&t[i], "inside", go_in_and_out, &s));
	for (int i = 0; i < N_THREADS; i++)
		thread_join(&t[i]);
	assert_int_equal(s.most_inside, 1);
	assert_int_equal(s.rounds, N_THREADS * N_ROUNDS);
	lock_fini(&s.lock);
}

struct turns {
	struct lock lock;
	struct lock_signal changed;
	int now; /* whose turn it is */
	int said[2 * N_THREADS], n_said;
};

struct player {
	struct turns *turns;
	int me;
};

/* Waits for its turn, twice. */
static void *play(void *arg)
{
	struct player *p = (struct player *)arg;
	struct turns *t = p->turns;

	for (int round = 0; round < 2; round++) {
		lock_take(&t->lock);
		while (t->now != round * N_THREADS + p->me)
			lock_wait(&t->changed, &t->lock);
		t->said[t->n_said++] = t->now++;
		lock_signal_all(&t->changed);
		lock_drop(&t->lock);
	}
	return NULL;
}

static void threads_wait_with_a_lock_until_they_are_told(void **state)
{
	struct turns turns = {.now = 0};
	struct player player[N_THREADS];
	struct thread t[N_THREADS];

	(void)state;
	lock_init(&turns.lock);
	lock_signal_init(&turns.changed);
	for (int i = N_THREADS - 1; i >= 0; i--) {
		player[i] = (struct player){&turns, i};
		assert_true(thread_start(&t[i], "player", play, &player[i]));
	}
	for (int i = 0; i < N_THREADS; i++)
		thread_join(&t[i]);
	for (int i = 0; i < 2 * N_THREADS; i++)
		assert_int_equal(turns.said[i], i);
	lock_signal_fini(&turns.changed);
	lock_fini(&turns.lock);
}

static void *wait_for_one(void *arg)
{
	struct turns *t = (struct turns *)arg;

	lock_take(&t->lock);
	while (t->now == 0)
		lock_wait(&t->changed, &t->lock);
	t->n_said++;
	lock_drop(&t->lock);
	return NULL;
}

static void one_signal_is_enough_for_one(void **state)
{
	struct turns turns = {.now = 0};
	struct thread t;

	(void)state;
	lock_init(&turns.lock);
	lock_signal_init(&turns.changed);
	assert_true(thread_start(&t, "waiter", wait_for_one, &turns));
	lock_take(&turns.lock);
	turns.now = 1;
	lock_signal_one(&turns.changed);
	lock_drop(&turns.lock);
	thread_join(&t);
	assert_int_equal(turns.n_said, 1);
	lock_signal_fini(&turns.changed);
	lock_fini(&turns.lock);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(one_thread_at_a_time_is_inside_and_sees_what_the_others_did),
	    cmocka_unit_test(threads_wait_with_a_lock_until_they_are_told),
	    cmocka_unit_test(one_signal_is_enough_for_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
