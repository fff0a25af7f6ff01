/*
 * What was counted until when, so that averages can be told: over the last whole
 * stats_period and the one that has begun. Main thread.
 */
#ifndef ADMIN_STATS_H
#define ADMIN_STATS_H

#include <stdint.h>

#include "admin/tally.h"
#include "base/str.h"

/* Owned by the console. */
struct stats {
	struct tally last; /* at the end of the last whole period */
	struct tally old;  /* at its beginning */
	uint64_t last_us, old_us;
};

void stats_init(struct stats *s, uint64_t now_us, const uint32_t seed[2]);
void stats_fini(struct stats *s);

/* A period ends: `now` is emptied. */
void stats_turn(struct stats *s, struct tally *now, uint64_t now_us);

/* Of one counter: counts and bytes per second, times per item. */
uint64_t counter_average(const struct counter_row *row, const struct counters *since, uint64_t elapsed_us);

/* The text of the log line: what has happened in `elapsed_us`. */
void stats_line(struct str *out, const struct counters *since, uint64_t elapsed_us);
/* The same for the service manager: "STATUS=…". */
void stats_status(struct str *out, const char *line);

#endif
