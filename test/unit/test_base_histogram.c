/* Tests of src/base/histogram.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/histogram.h"

static void bounds_grow_from_zero_to_two_minutes(void **state)
{
	(void)state;
	assert_int_equal(histogram_bound_us[0], 0);
	for (unsigned i = 1; i < HISTOGRAM_BOUNDS; i++)
		assert_true(histogram_bound_us[i] > histogram_bound_us[i - 1]);
	assert_int_equal(histogram_bound_us[HISTOGRAM_BOUNDS - 1], 120000000);
}

/* On a bound and on either side of it. */
static void each_duration_is_in_the_bucket_whose_bound_it_does_not_exceed(void **state)
{
	(void)state;
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++) {
		struct histogram h = {{0}, 0};
		uint64_t bound = histogram_bound_us[i];

		histogram_add(&h, bound);
		assert_int_equal(h.bucket[i], 1);
		histogram_add(&h, bound + 1);
		assert_int_equal(h.bucket[i + 1], 1);
		assert_int_equal(h.sum_us, 2 * bound + 1);
		assert_int_equal(histogram_count(&h), 2);
	}
}

static void what_is_longer_than_all_bounds_is_counted_too(void **state)
{
	struct histogram h = {{0}, 0};

	(void)state;
	histogram_add(&h, UINT64_MAX / 2);
	assert_int_equal(h.bucket[HISTOGRAM_BOUNDS], 1);
	assert_int_equal(histogram_count(&h), 1);
}

static void histograms_add_up(void **state)
{
	struct histogram a = {{0}, 0}, b = {{0}, 0};

	(void)state;
	histogram_add(&a, 70);
	histogram_add(&b, 70);
	histogram_add(&b, 3000);
	histogram_add_zeros(&b, 5);
	histogram_merge(&a, &b);
	assert_int_equal(a.bucket[0], 5);
	assert_int_equal(a.bucket[1], 2);
	assert_int_equal(histogram_count(&a), 8);
	assert_int_equal(a.sum_us, 3140);
	assert_int_equal(histogram_count(&b), 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(bounds_grow_from_zero_to_two_minutes),
	    cmocka_unit_test(each_duration_is_in_the_bucket_whose_bound_it_does_not_exceed),
	    cmocka_unit_test(what_is_longer_than_all_bounds_is_counted_too),
	    cmocka_unit_test(histograms_add_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
