/* Counting durations in buckets. Any thread that owns the histogram. */
#include "base/histogram.h"

const uint64_t histogram_bound_us[HISTOGRAM_BOUNDS] = {
    0,      100,    250,    500,     1000,    2500,    5000,     10000,    25000,    50000,
    100000, 250000, 500000, 1000000, 2500000, 5000000, 10000000, 30000000, 60000000, 120000000};

/* The first bound that is not below it. */
static unsigned bucket_of(uint64_t took_us)
{
	unsigned low = 0, high = HISTOGRAM_BOUNDS;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (took_us <= histogram_bound_us[middle])
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

void histogram_add(struct histogram *h, uint64_t took_us)
{
	h->bucket[bucket_of(took_us)]++;
	h->sum_us += took_us;
}

void histogram_add_zeros(struct histogram *h, uint64_t n)
{
	h->bucket[0] += n;
}

void histogram_merge(struct histogram *sum, const struct histogram *more)
{
	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		sum->bucket[i] += more->bucket[i];
	sum->sum_us += more->sum_us;
}

uint64_t histogram_count(const struct histogram *h)
{
	uint64_t n = 0;

	for (unsigned i = 0; i <= HISTOGRAM_BOUNDS; i++)
		n += h->bucket[i];
	return n;
}
