/*
 * How often something took how long: counts in buckets with fixed bounds, from 0 to two minutes. Fixed memory, no lock:
 * owned by whoever owns the structure it is in; several are added up by whoever may look at all of them.
 */
#ifndef BASE_HISTOGRAM_H
#define BASE_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BOUNDS 20u

/* Microseconds, upwards; the first is 0. */
extern const uint64_t histogram_bound_us[HISTOGRAM_BOUNDS];

/* All zero: nothing has been seen yet. */
struct histogram {
	uint64_t bucket[HISTOGRAM_BOUNDS + 1]; /* above the bound before, up to its own; the last has no bound */
	uint64_t sum_us;
};

void histogram_add(struct histogram *h, uint64_t took_us);
/* `n` more that took no time. */
void histogram_add_zeros(struct histogram *h, uint64_t n);
/* What `more` has seen comes on top of `sum`. */
void histogram_merge(struct histogram *sum, const struct histogram *more);
/* How many it has seen. */
uint64_t histogram_count(const struct histogram *h);

#endif
