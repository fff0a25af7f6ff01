/* Rows of a SHOW as JSON. Pure bytes, any thread. */
#ifndef ADMIN_ROWS_JSON_H
#define ADMIN_ROWS_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/message.h"

/* How much a row matters beside others; `values` are its columns' texts, data NULL for SQL NULL. */
typedef uint64_t row_weight(const struct bytes *values);

/* The number in a column of a whole number; 0 if it is none, or below 0. */
uint64_t row_value(struct bytes text);

/*
 * Appends an array with one object per row: {"name": value}. Texts are strings, numbers are numbers as json_number
 * has them, SQL NULL is null. `rows` are DataRow messages with these columns. False: they are malformed. Ask
 * out->failed for a lack of memory.
 */
bool rows_write_json(struct str *out, const struct message_column *columns, const struct str *rows) MUST_USE;

/* The same for at most `most` of them: those that weigh most come first, equal ones in their order; without a weight
   the first. `*total` is how many rows there are. */
bool rows_write_json_most(struct str *out, const struct message_column *columns, const struct str *rows,
                          row_weight *weight, size_t most, size_t *total) MUST_USE;

#endif
