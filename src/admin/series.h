/*
 * The rows of a table as samples of metrics: which sets of labels there are, and what the columns say of each. Rows
 * that have the same labels are one: what the formats forbid to tell twice is added up. Any thread, one at a time.
 */
#ifndef ADMIN_SERIES_H
#define ADMIN_SERIES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "base/table.h"
#include "wire/message.h"

#define SERIES_OTHER "(other)" /* what labels are called when there are too many sets of them */

/* One set of labels. */
struct series {
	struct table_node node;
	size_t labels, labels_len; /* in series_set.labels */
	size_t first, last;        /* its rows: chained by series_set.next */
};

/* Owned by whoever has it; refers to the rows that it was made from. Must not be moved in memory. */
struct series_set {
	const struct message_column *columns;
	unsigned n_columns;
	struct bytes *cells; /* of all rows; data NULL: SQL NULL */
	size_t *next;        /* of each row: the next one with the same labels, SIZE_MAX: none */
	size_t n_rows;
	struct series *series; /* in the order of their first rows */
	size_t n_series;
	struct str labels;
	struct table by_labels;
};

/* `rows` are DataRow messages with these columns; `labels` names those of them that are labels, divided by commas.
   After `most` sets of labels all further ones are one, in which each label is SERIES_OTHER. False: out of memory, or
   these are no such rows; series_fini in any case. */
bool series_init(struct series_set *s, const struct str *rows, const struct message_column *columns, const char *labels,
                 size_t most, uint32_t seed) MUST_USE;
void series_fini(struct series_set *s);

enum series_fold { SERIES_SUM, SERIES_GREATEST };

/* The value of a column over all rows of one set. False: it has none, all are NULL or no numbers. `column` NULL: 1. */
bool series_value(const struct series_set *s, const struct series *one, const char *column, enum series_fold fold,
                  uint64_t *value) MUST_USE;
/* In the row whose first column is `key`, the second one. */
bool series_value_of_key(const struct series_set *s, const char *key, uint64_t *value) MUST_USE;

#endif
