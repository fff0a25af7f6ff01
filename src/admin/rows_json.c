/* DataRow messages, taken apart and written as JSON objects. Any thread. */
#include "admin/rows_json.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

#define COLUMNS_MAX 64

uint64_t row_value(struct bytes text)
{
	uint64_t value = 0;

	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return 0;
		value = value * 10 + (uint64_t)(text.data[i] - '0');
	}
	return value;
}

static size_t count_columns(const struct message_column *columns)
{
	size_t n = 0;

	while (columns[n].name != NULL)
		n++;
	return n;
}

/* The row at the front; the bytes that it has, 0: it is none. */
static size_t read_row(struct bytes rows, size_t n_columns, struct bytes values[COLUMNS_MAX])
{
	struct reader r;
	int32_t total;

	reader_init(&r, rows.data, rows.len);
	if (reader_u8(&r) != 'D')
		return 0;
	total = reader_i32(&r);
	if (n_columns > COLUMNS_MAX || (size_t)reader_i16(&r) != n_columns)
		return 0;
	for (size_t i = 0; i < n_columns; i++) {
		int32_t len = reader_i32(&r);

		values[i] = (struct bytes){NULL, 0};
		if (len >= 0)
			values[i] = reader_bytes(&r, (size_t)len);
	}
	if (r.failed || total < 0 || (size_t)(r.at - rows.data) != 1 + (size_t)total)
		return 0;
	return 1 + (size_t)total;
}

static void write_row(struct str *out, const struct message_column *columns, const struct bytes *values)
{
	for (size_t i = 0; columns[i].name != NULL; i++) {
		str_add_char(out, i == 0 ? '{' : ',');
		json_text(out, columns[i].name);
		str_add_char(out, ':');
		if (values[i].data == NULL)
			str_add_str(out, "null");
		else if (columns[i].type_oid == TYPE_OID_TEXT)
			json_string(out, values[i].data, values[i].len);
		else
			json_number(out, values[i].data, values[i].len);
	}
	str_add_char(out, '}');
}

/* Goes on to the next row. False: there is none; `*good` says whether that is the end. */
static bool next_row(struct bytes *rows, size_t n_columns, struct bytes *row, struct bytes values[COLUMNS_MAX],
                     bool *good)
{
	size_t len = rows->len == 0 ? 0 : read_row(*rows, n_columns, values);

	*good = len > 0 || rows->len == 0;
	if (len == 0)
		return false;
	*row = (struct bytes){rows->data, len};
	rows->data += len;
	rows->len -= len;
	return true;
}

bool rows_write_json(struct str *out, const struct message_column *columns, const struct str *rows)
{
	size_t total;

	return rows_write_json_most(out, columns, rows, NULL, SIZE_MAX, &total);
}

/* A row and its place among all. */
struct weighed {
	struct bytes row;
	size_t number;
	uint64_t weight;
};

static int heaviest_first(const void *a, const void *b)
{
	const struct weighed *x = (const struct weighed *)a, *y = (const struct weighed *)b;

	if (x->weight != y->weight)
		return x->weight < y->weight ? 1 : -1;
	return x->number < y->number ? -1 : 1;
}

/* All rows with their weights, by weight; NULL: out of memory, or there are none. */
static struct weighed *weigh(struct bytes rows, size_t n_columns, row_weight *weight, size_t total)
{
	struct weighed *all = total == 0 ? NULL : (struct weighed *)mem_alloc(total * sizeof(*all));
	struct bytes values[COLUMNS_MAX];
	bool good;

	for (size_t i = 0; all != NULL && i < total; i++) {
		all[i].number = i;
		if (next_row(&rows, n_columns, &all[i].row, values, &good))
			all[i].weight = weight(values);
	}
	if (all != NULL)
		qsort(all, total, sizeof(*all), heaviest_first);
	return all;
}

static bool count_rows(struct bytes rows, size_t n_columns, size_t *total)
{
	struct bytes row, values[COLUMNS_MAX];
	size_t n = 0;
	bool good;

	while (next_row(&rows, n_columns, &row, values, &good))
		n++;
	if (good)
		*total = n;
	return good;
}

bool rows_write_json_most(struct str *out, const struct message_column *columns, const struct str *rows,
                          row_weight *weight, size_t most, size_t *total)
{
	struct bytes rest = {str_text(rows), rows->len}, row, values[COLUMNS_MAX];
	size_t n_columns = count_columns(columns), n, n_written;
	struct weighed *all = NULL;
	bool good = true;

	if (!count_rows(rest, n_columns, &n))
		return false;
	if (weight != NULL)
		all = weigh(rest, n_columns, weight, n);
	if (weight != NULL && all == NULL && n > 0)
		out->failed = true;
	n_written = out->failed ? 0 : n < most ? n : most;
	str_add_char(out, '[');
	for (size_t i = 0; i < n_written; i++) {
		if (i > 0)
			str_add_char(out, ',');
		if (all != NULL)
			(void)read_row(all[i].row, n_columns, values);
		else
			(void)next_row(&rest, n_columns, &row, values, &good);
		write_row(out, columns, values);
	}
	str_add_char(out, ']');
	mem_free(all);
	*total = n;
	return true;
}
