/* Tests of src/os/win32/thread.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <windows.h>

#include "os/thread.h"

static void *count(void *arg)
{
	*(int *)arg += 1;
	return NULL;
}

static void it_runs_and_is_over_after_the_join(void **state)
{
	struct thread t;
	int n = 1;

	(void)state;
	assert_true(thread_start(&t, "test", count, &n));
	thread_join(&t);
	assert_int_equal(n, 2);
}

static void processor_time_grows_with_work(void **state)
{
	uint64_t before_us = os_thread_cpu_us(), now_us = before_us;

	(void)state;
	while (now_us <= before_us)
		now_us = os_thread_cpu_us();
	assert_true(now_us > before_us);
}

static void a_process_bound_to_one_processor_may_use_one(void **state)
{
	DWORD_PTR mine, all;

	(void)state;
	assert_true(os_usable_processors() >= 1);
	assert_true((DWORD)os_usable_processors() <= GetActiveProcessorCount(ALL_PROCESSOR_GROUPS));
	assert_true(GetProcessAffinityMask(GetCurrentProcess(), &mine, &all));
	assert_true(SetProcessAffinityMask(GetCurrentProcess(), mine & (~mine + 1)));
	assert_int_equal(os_usable_processors(), 1);
	assert_true(SetProcessAffinityMask(GetCurrentProcess(), mine));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(it_runs_and_is_over_after_the_join),
	    cmocka_unit_test(processor_time_grows_with_work),
	    cmocka_unit_test(a_process_bound_to_one_processor_may_use_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
