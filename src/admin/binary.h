/* Rows of the console in the binary format of their columns: what drivers ask for once a statement is prepared. Pure
   bytes, any thread. */
#ifndef ADMIN_BINARY_H
#define ADMIN_BINARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/message.h"

/* Which columns are wanted in binary: bit n for column n. Columns beyond are always text. */
typedef uint64_t binary_columns;
#define BINARY_COLUMNS_MAX 64u /* as in message_row_description_in */

/* Appends the value whose text this is, without a length; a number that does not fit becomes the nearest that does.
   False: it is no value of that type. Types of the console: text, int4, int8, numeric. */
bool binary_value(struct str *out, uint32_t type_oid, const char *text, size_t len) MUST_USE;

/*
 * Appends the DataRow at the front of rows[0..len), with those columns in binary, and returns how many bytes it had. 0:
 * the rows are malformed, or a value is no value of its column's type. Ask out->failed for a lack of memory.
 */
size_t binary_row(struct str *out, const struct message_column *columns, binary_columns binary, const char *rows,
                  size_t len) MUST_USE;

#endif
