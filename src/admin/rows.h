/* Builds the rows of an answer, one value after the other. Pure bytes, any thread. */
#ifndef ADMIN_ROWS_H
#define ADMIN_ROWS_H

#include <stdint.h>

#include "base/str.h"
#include "os/socket.h"
#include "wire/message.h"

/* How columns are declared. */
#define COLUMN_TEXT(name)                                                                                              \
	{                                                                                                              \
		name, TYPE_OID_TEXT, -1                                                                                \
	}
#define COLUMN_INT(name)                                                                                               \
	{                                                                                                              \
		name, TYPE_OID_INT4, 4                                                                                 \
	}
#define COLUMN_BIG(name)                                                                                               \
	{                                                                                                              \
		name, TYPE_OID_INT8, 8                                                                                 \
	}
#define COLUMN_NUMBER(name)                                                                                            \
	{                                                                                                              \
		name, TYPE_OID_NUMERIC, -1                                                                             \
	}

/* A DataRow under construction: exactly as many values as it has columns. */
struct row {
	struct str *out;
	size_t message;
};

void row_begin(struct row *r, struct str *out, unsigned n_columns);
void row_end(struct row *r);

/* NULL is SQL NULL. */
void row_text(struct row *r, const char *text);
/* For int4: what does not fit becomes the nearest that does. */
void row_int(struct row *r, int64_t value);
/* For int8 and numeric, and ids. */
void row_number(struct row *r, uint64_t value);
/* Microseconds since 1970 as local time: "2026-05-08 12:00:00 UTC". */
#define TIME_TEXT_BYTES 64u
void time_write(char text[TIME_TEXT_BYTES], uint64_t wall_us);
void row_time(struct row *r, uint64_t wall_us);
/* Two columns, address and port: "10.0.0.5", "unix" (which has no port: `unix_port`), "" when nothing is known. */
void row_address(struct row *r, const struct address *a, int unix_port);
/* The address of a thing as "0x…", "" for NULL. */
void row_pointer(struct row *r, const void *thing);

#endif
