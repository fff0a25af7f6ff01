/* Pauses that grow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "pool/backoff.h"
#include <cmocka.h>

static void pauses_double_up_to_the_limit(void **state)
{
	uint64_t random = 7, now_us = 1000, wanted = 100;
	struct backoff b = {0, 0};

	(void)state;
	for (int i = 0; i < 12; i++) {
		backoff_grow(&b, 100, 1600, 1, &random, now_us);
		assert_int_equal(b.pause_us, wanted);
		assert_in_range(b.next_try_us, now_us + wanted * 3 / 4, now_us + wanted * 5 / 4 + 1);
		now_us = b.next_try_us;
		wanted = wanted * 2 > 1600 ? 1600 : wanted * 2;
	}
}

static void the_exact_pause_has_no_jitter(void **state)
{
	uint64_t random = 7;
	struct backoff b = {0, 0};

	(void)state;
	backoff_grow(&b, 500, 500, 500, &random, 1000);
	assert_int_equal(b.next_try_us, 1500);
}

static void many_do_not_try_together(void **state)
{
	uint64_t random = 7, first = 0;
	int n_same = 0;

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct backoff b = {0, 0};

		backoff_grow(&b, 1000000, 1000000, 1, &random, 0);
		n_same += b.next_try_us == first;
		if (i == 0)
			first = b.next_try_us;
	}
	assert_in_range(n_same, 0, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pauses_double_up_to_the_limit),
	    cmocka_unit_test(the_exact_pause_has_no_jitter),
	    cmocka_unit_test(many_do_not_try_together),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
