/* Adding up counters; the list is counters.def. Any thread that owns the counters. */
#include "diag/counters.h"

const struct counter_row counter_rows[] = {
#define COUNTER(name, unit, doc) {#name, COUNTER_##unit, doc, offsetof(struct counters, name)},
#include "diag/counters.def"
#undef COUNTER
    {NULL, COUNTER_COUNT, NULL, 0},
};

void counters_add(struct counters *sum, const struct counters *more)
{
#define COUNTER(name, unit, doc) sum->name += more->name;
#include "diag/counters.def"
#undef COUNTER
}

void counters_subtract(struct counters *sum, const struct counters *less)
{
#define COUNTER(name, unit, doc) sum->name -= less->name;
#include "diag/counters.def"
#undef COUNTER
}
