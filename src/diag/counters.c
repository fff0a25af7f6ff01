/* Adding up counters; the list is counters.def. Any thread that owns the counters. */
#include "diag/counters.h"

const struct counter_row counter_rows[] = {
#define COUNTER(name, unit, doc) {#name, COUNTER_##unit, offsetof(struct counters, name)},
#include "diag/counters.def"
#undef COUNTER
    {NULL, COUNTER_COUNT, 0},
};

void counters_add(struct counters *sum, const struct counters *more)
{
#define COUNTER(name, unit, doc) sum->name += more->name;
#include "diag/counters.def"
#undef COUNTER
}

struct counters counters_since(const struct counters *now, const struct counters *old)
{
	struct counters since;

#define COUNTER(name, unit, doc) since.name = now->name > old->name ? now->name - old->name : 0;
#include "diag/counters.def"
#undef COUNTER
	return since;
}
