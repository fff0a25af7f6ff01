/* Tests of src/os/posix/lock.c: who holds a lock. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>

#include "os/lock.h"
#include "os/thread.h"

struct shared {
	struct lock lock;
	int inside;
};

/* What another thread gets when it tries without waiting. */
static void *try_it(void *arg)
{
	struct shared *s = (struct shared *)arg;

	s->inside = pthread_mutex_trylock(&s->lock.mutex);
	if (s->inside == 0)
		pthread_mutex_unlock(&s->lock.mutex);
	return NULL;
}

static int tried_by_another_thread(struct shared *s)
{
	struct thread t;

	assert_true(thread_start(&t, "other", try_it, s));
	thread_join(&t);
	return s->inside;
}

static void a_taken_lock_keeps_other_threads_out_until_it_is_dropped(void **state)
{
	struct shared s = {.inside = 0};

	(void)state;
	lock_init(&s.lock);
	assert_int_equal(tried_by_another_thread(&s), 0);
	lock_take(&s.lock);
	assert_int_equal(tried_by_another_thread(&s), EBUSY);
	lock_drop(&s.lock);
	assert_int_equal(tried_by_another_thread(&s), 0);
	lock_fini(&s.lock);
}

static void two_locks_know_nothing_of_each_other(void **state)
{
	struct shared a = {.inside = 0}, b = {.inside = 0};

	(void)state;
	lock_init(&a.lock);
	lock_init(&b.lock);
	lock_take(&a.lock);
	assert_int_equal(tried_by_another_thread(&b), 0);
	assert_int_equal(tried_by_another_thread(&a), EBUSY);
	lock_drop(&a.lock);
	lock_fini(&a.lock);
	lock_fini(&b.lock);
}

static void the_place_of_a_lock_can_be_used_again(void **state)
{
	struct shared s = {.inside = 0};

	(void)state;
	for (int i = 0; i < 3; i++) {
		lock_init(&s.lock);
		lock_take(&s.lock);
		assert_int_equal(tried_by_another_thread(&s), EBUSY);
		lock_drop(&s.lock);
		lock_fini(&s.lock);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_taken_lock_keeps_other_threads_out_until_it_is_dropped),
	    cmocka_unit_test(two_locks_know_nothing_of_each_other),
	    cmocka_unit_test(the_place_of_a_lock_can_be_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
