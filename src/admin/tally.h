/* Counters added up by database. Owned by one thread at a time. */
#ifndef ADMIN_TALLY_H
#define ADMIN_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/table.h"
#include "diag/counters.h"

struct tally_row {
	struct table_node node;
	char *database;
	struct counters sum;
};

struct tally {
	struct table rows;
	bool failed; /* out of memory: some are missing */
};

/* `seed` is random. Must not be moved in memory afterwards. */
void tally_init(struct tally *t, uint32_t seed);
void tally_fini(struct tally *t);

/* Adds to the row of that database, made if it is not there. */
void tally_add(struct tally *t, const char *database, const struct counters *more);
/* NULL when there is none. */
const struct tally_row *tally_find(const struct tally *t, const char *database);

/* The rows in order of names, `t->rows.count` of them (mem_free); NULL: out of memory. */
const struct tally_row **tally_sorted(const struct tally *t) MUST_USE;

/* All of them added up. */
struct counters tally_sum(const struct tally *t);

/* Empties `from`; what `to` had is forgotten. */
void tally_take(struct tally *to, struct tally *from);

#endif
