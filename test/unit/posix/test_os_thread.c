/* Tests of src/os/posix/thread.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "os/lock.h"
#include "os/thread.h"

struct seen {
	struct lock lock; /* whoever starts the thread may hold it up */
	sigset_t mask;
	pthread_t id;
	atomic_bool ended;
};

static void *look_around(void *arg)
{
	struct seen *s = (struct seen *)arg;

	pthread_sigmask(SIG_SETMASK, NULL, &s->mask);
	s->id = pthread_self();
	lock_take(&s->lock);
	lock_drop(&s->lock);
	atomic_store(&s->ended, true);
	return NULL;
}

static int set_up(void **state)
{
	static struct seen seen;

	memset(&seen, 0, sizeof(seen));
	lock_init(&seen.lock);
	*state = &seen;
	return 0;
}

static int tear_down(void **state)
{
	lock_fini(&((struct seen *)*state)->lock);
	return 0;
}

static void it_runs_elsewhere_with_its_argument_and_is_over_after_the_join(void **state)
{
	struct seen *s = (struct seen *)*state;
	struct thread t;

	assert_true(thread_start(&t, "test", look_around, s));
	thread_join(&t);
	assert_true(atomic_load(&s->ended));
	assert_true(pthread_equal(s->id, t.id));
	assert_false(pthread_equal(s->id, pthread_self()));
}

static void all_signals_are_blocked_there_and_here_it_is_as_before(void **state)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM, SIGCHLD};
	struct seen *s = (struct seen *)*state;
	sigset_t usr1, before, after;
	struct thread t;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(pthread_sigmask(SIG_BLOCK, &usr1, &before), 0);
	assert_true(thread_start(&t, "test", look_around, s));
	assert_int_equal(pthread_sigmask(SIG_SETMASK, &before, &after), 0);
	thread_join(&t);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		assert_int_equal(sigismember(&s->mask, signals[i]), 1);
		assert_int_equal(sigismember(&after, signals[i]),
		                 signals[i] == SIGUSR1 || sigismember(&before, signals[i]));
	}
}

#ifdef __linux__
static void its_name_shows_cut_to_fifteen_bytes(void **state)
{
	static const char *const names[][2] = {
	    {"worker 1", "worker 1"}, {"fifteen bytes..", "fifteen bytes.."}, {"sixteen bytes...", "sixteen bytes.."}};
	struct seen *s = (struct seen *)*state;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char name[32] = "";
		struct thread t;
		int error;

		lock_take(&s->lock); /* it is still there when we look */
		assert_true(thread_start(&t, names[i][0], look_around, s));
		error = pthread_getname_np(t.id, name, sizeof(name));
		lock_drop(&s->lock);
		thread_join(&t);
		assert_int_equal(error, 0);
		assert_string_equal(name, names[i][1]);
	}
}

/* In a child, which has the parent's processors. */
static int processors_when_bound_to_one(void)
{
	cpu_set_t all, one;

	CPU_ZERO(&all);
	CPU_ZERO(&one);
	if (sched_getaffinity(0, sizeof(all), &all) != 0)
		return 101;
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &all))
			CPU_SET(i, &one);
	if (sched_setaffinity(0, sizeof(one), &one) != 0)
		return 102;
	return os_usable_processors();
}

static void a_process_bound_to_one_processor_may_use_one(void **state)
{
	int status = -1;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(processors_when_bound_to_one());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 1);
}
#endif

static void at_least_one_processor_may_be_used_and_not_more_than_there_are(void **state)
{
	long there = sysconf(_SC_NPROCESSORS_CONF);

	(void)state;
	assert_true(os_usable_processors() >= 1);
	assert_true(os_usable_processors() <= there);
}

#ifdef __GLIBC__
static void a_thread_that_cannot_be_made_says_why(void **state)
{
	struct seen *s = (struct seen *)*state;
	pthread_attr_t before, huge;
	struct thread t;
	bool good;
	int error;

	/* no address space has room for such a stack */
	assert_int_equal(pthread_getattr_default_np(&before), 0);
	assert_int_equal(pthread_getattr_default_np(&huge), 0);
	assert_int_equal(pthread_attr_setstacksize(&huge, SIZE_MAX / 4), 0);
	assert_int_equal(pthread_setattr_default_np(&huge), 0);
	errno = 0;
	good = thread_start(&t, "test", look_around, s);
	error = errno;
	assert_int_equal(pthread_setattr_default_np(&before), 0);
	pthread_attr_destroy(&huge);
	pthread_attr_destroy(&before);
	assert_false(good);
	assert_int_equal(error, EAGAIN);
	assert_true(thread_start(&t, "test", look_around, s));
	thread_join(&t);
}
#endif

/* The time of this thread alone: waiting for another one takes none. */
static void processor_time_grows_with_work(void **state)
{
	uint64_t before_us = os_thread_cpu_us(), now_us = before_us;

	(void)state;
	assert_true(before_us > 0);
	while (now_us < before_us + 1000)
		now_us = os_thread_cpu_us();
	assert_true(now_us > before_us);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_runs_elsewhere_with_its_argument_and_is_over_after_the_join, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(all_signals_are_blocked_there_and_here_it_is_as_before, set_up, tear_down),
#ifdef __linux__
	    cmocka_unit_test_setup_teardown(its_name_shows_cut_to_fifteen_bytes, set_up, tear_down),
	    cmocka_unit_test(a_process_bound_to_one_processor_may_use_one),
#endif
	    cmocka_unit_test(processor_time_grows_with_work),
	    cmocka_unit_test(at_least_one_processor_may_be_used_and_not_more_than_there_are),
#ifdef __GLIBC__
	    cmocka_unit_test_setup_teardown(a_thread_that_cannot_be_made_says_why, set_up, tear_down),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
