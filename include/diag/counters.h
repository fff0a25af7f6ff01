/* The counters of a pool, made from counters.def. Owned by whoever owns the structure they are in. */
#ifndef DIAG_COUNTERS_H
#define DIAG_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

enum counter_unit { COUNTER_COUNT, COUNTER_BYTES, COUNTER_US };

struct counters {
#define COUNTER(name, unit, doc) uint64_t name;
#include "diag/counters.def"
#undef COUNTER
};

struct counter_row {
	const char *name;
	enum counter_unit unit;
	size_t offset; /* of the uint64_t in struct counters */
};

/* One row per counter in the order of the table; ends with name NULL. */
extern const struct counter_row counter_rows[];

/* Adds every counter of `more` to `sum`. */
void counters_add(struct counters *sum, const struct counters *more);

/* What came on top since `old`; pools that were freed took theirs along, that is no less than nothing. */
struct counters counters_since(const struct counters *now, const struct counters *old);

#endif
