/*
 * What has happened in the last quarter of an hour, in samples of five seconds: rates, mean times, how many there are
 * of what. Main thread. Memory is fixed, but for what database names need.
 */
#ifndef ADMIN_HISTORY_H
#define ADMIN_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/view.h"
#include "base/attr.h"
#include "base/str.h"
#include "diag/counters.h"

#define HISTORY_EVERY_S 5u
#define HISTORY_SAMPLES 180u

/* What came on top in `interval_us`, and what there was at its end. */
struct sample {
	uint64_t at_us; /* loop time of its end */
	uint64_t interval_us;
	struct counters since;
	uint64_t errors; /* clients that were told of one */
	uint64_t logging_in;
	struct pool_sums sums;
};

struct history;

/* NULL: out of memory. `seed` is random. */
struct history *history_new(uint32_t seed) MUST_USE;
void history_free(struct history *h);

/*
 * What has been counted so far, by database (`now` is emptied), and the rest of a sample. The first one only says where
 * counting begins. A sample that is not later than the one before is none.
 */
struct history_totals {
	uint64_t at_us, errors, logging_in;
	struct pool_sums sums;
};
void history_add(struct history *h, struct tally *now, const struct history_totals *totals);

/* Samples that there are, at most HISTORY_SAMPLES, and each of them, oldest first. */
unsigned history_count(const struct history *h);
const struct sample *history_sample(const struct history *h, unsigned i);

/*
 * Appends an object: {"every_s", "columns": [names], "samples": [[values]]}, oldest first. The first value is how many
 * seconds ago the sample ended; rates are per second, times in microseconds. `h` NULL has no samples.
 */
void history_write(const struct history *h, uint64_t now_us, struct str *out);

/* Goes round the workers to take a sample, once per visit of it. */
extern const struct topic history_topic;

#endif
