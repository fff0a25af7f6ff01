/* Tests of src/base/clock.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <time.h>

#include "base/clock.h"

static uint64_t system_us(clockid_t id)
{
	struct timespec ts;

	assert_int_equal(clock_gettime(id, &ts), 0);
	return (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000;
}

static void a_second_is_a_million_microseconds(void **state)
{
	(void)state;
	assert_true(US_PER_S == 1000000);
	assert_true(US_PER_S == 1000 * US_PER_MS);
}

static void the_steady_clock_counts_microseconds_of_the_systems_monotonic_clock(void **state)
{
	uint64_t before = system_us(CLOCK_MONOTONIC);
	uint64_t now = clock_steady_us();
	uint64_t after = system_us(CLOCK_MONOTONIC);

	(void)state;
	assert_true(before <= now);
	assert_true(now <= after);
}

static void the_steady_clock_never_goes_back(void **state)
{
	uint64_t last = clock_steady_us();

	(void)state;
	for (int i = 0; i < 10000; i++) {
		uint64_t now = clock_steady_us();

		assert_true(now >= last);
		last = now;
	}
}

static void the_steady_clock_moves(void **state)
{
	uint64_t begin = clock_steady_us();

	(void)state;
	/* ends when it has moved, and never if it does not */
	while (clock_steady_us() == begin)
		;
	assert_true(clock_steady_us() > begin);
}

static void the_wall_clock_counts_microseconds_since_1970(void **state)
{
	uint64_t before = system_us(CLOCK_REALTIME);
	uint64_t now = clock_wall_us();
	uint64_t after = system_us(CLOCK_REALTIME);

	(void)state;
	assert_true(before <= now);
	assert_true(now <= after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_second_is_a_million_microseconds),
	    cmocka_unit_test(the_steady_clock_counts_microseconds_of_the_systems_monotonic_clock),
	    cmocka_unit_test(the_steady_clock_never_goes_back),
	    cmocka_unit_test(the_steady_clock_moves),
	    cmocka_unit_test(the_wall_clock_counts_microseconds_since_1970),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
