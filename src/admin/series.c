/* Rows into series of samples. Any thread. */
#include "admin/series.h"

#include <string.h>

#include "admin/exposition.h"
#include "base/mem.h"
#include "wire/framer.h"

#define MOST_LABELS 8u
#define LABELS_LIMIT_BYTES ((size_t)1 << 30)
#define LAST SIZE_MAX

/* ---- taking rows apart ---- */

/* How long the message at the front is; 0: that is no DataRow. */
static size_t row_bytes(const char *at, size_t left)
{
	struct reader r;
	int32_t len;

	if (left < FRAME_HEADER_BYTES || *at != 'D')
		return 0;
	reader_init(&r, at + 1, left - 1);
	len = reader_i32(&r);
	return len < 6 || (size_t)len > left - 1 ? 0 : 1 + (size_t)len;
}

static bool read_cells(struct bytes *cells, unsigned n, const char *row, size_t len)
{
	struct reader r;

	reader_init(&r, row + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES);
	if (reader_i16(&r) != (int16_t)n)
		return false;
	for (unsigned i = 0; i < n; i++) {
		int32_t size = reader_i32(&r);

		cells[i] = size < 0 ? (struct bytes){NULL, 0} : reader_bytes(&r, (size_t)size);
	}
	return reader_is_done(&r);
}

/* False: something else than rows is there. */
static bool count_rows(const struct str *rows, size_t *n)
{
	*n = 0;
	for (size_t at = 0; at < rows->len; ++*n) {
		size_t len = row_bytes(rows->data + at, rows->len - at);

		if (len == 0)
			return false;
		at += len;
	}
	return true;
}

static bool read_rows(struct series_set *s, const struct str *rows)
{
	size_t n = 0;

	if (!count_rows(rows, &n))
		return false;
	s->cells = (struct bytes *)mem_alloc((n * s->n_columns + 1) * sizeof(*s->cells));
	s->next = (size_t *)mem_alloc((n + 1) * sizeof(*s->next));
	s->series = (struct series *)mem_alloc((n + 1) * sizeof(*s->series));
	if (s->cells == NULL || s->next == NULL || s->series == NULL)
		return false;
	for (size_t at = 0; s->n_rows < n; s->n_rows++) {
		size_t len = row_bytes(rows->data + at, rows->len - at);

		if (!read_cells(s->cells + s->n_rows * s->n_columns, s->n_columns, rows->data + at, len))
			return false;
		at += len;
	}
	return true;
}

/* ---- labels ---- */

/* Which columns are labels. */
struct label_columns {
	unsigned column[MOST_LABELS], n;
};

static bool find_labels(const struct series_set *s, const char *labels, struct label_columns *found)
{
	found->n = 0;
	while (*labels != '\0') {
		size_t len = strcspn(labels, ",");
		unsigned i = 0;

		while (i < s->n_columns &&
		       (strlen(s->columns[i].name) != len || memcmp(s->columns[i].name, labels, len) != 0))
			i++;
		if (i == s->n_columns || found->n == MOST_LABELS)
			return false;
		found->column[found->n++] = i;
		labels += len;
		labels += *labels == ',';
	}
	return true;
}

/* NULL has no text; `cells` NULL: all that are too many. */
static void write_labels(struct series_set *s, const struct label_columns *c, const struct bytes *cells)
{
	size_t from = s->labels.len;

	for (unsigned i = 0; i < c->n; i++) {
		const char *name = s->columns[c->column[i]].name;

		if (cells == NULL)
			exposition_label(&s->labels, from, name, SERIES_OTHER, strlen(SERIES_OTHER));
		else if (cells[c->column[i]].data == NULL)
			exposition_label(&s->labels, from, name, "", 0);
		else
			exposition_label(&s->labels, from, name, cells[c->column[i]].data, cells[c->column[i]].len);
	}
}

struct label_key {
	const struct series_set *set;
	const char *labels;
	size_t len;
};

static bool same_labels(const struct table_node *node, const void *key)
{
	const struct label_key *k = (const struct label_key *)key;
	const struct series *one = container_of_const(node, struct series, node);

	return one->labels_len == k->len && memcmp(k->set->labels.data + one->labels, k->labels, k->len) == 0;
}

static void drop_labels(struct series_set *s, size_t from)
{
	s->labels.len = from;
	if (s->labels.data != NULL)
		s->labels.data[from] = '\0';
}

/* The series of the labels that stand at the end, made if there is none and may be one more; NULL: there may not. */
static struct series *series_of_labels(struct series_set *s, size_t from, size_t most)
{
	struct label_key key = {s, str_text(&s->labels) + from, s->labels.len - from};
	uint32_t hash = table_hash(&s->by_labels, key.labels, key.len);
	struct table_node *node = table_find(&s->by_labels, hash, same_labels, &key);
	struct series *one;

	if (node != NULL) {
		drop_labels(s, from);
		return container_of(node, struct series, node);
	}
	if (s->n_series >= most) {
		drop_labels(s, from);
		return NULL;
	}
	one = &s->series[s->n_series++];
	one->labels = from;
	one->labels_len = key.len;
	one->first = one->last = LAST;
	table_add(&s->by_labels, &one->node, hash);
	return one;
}

static void add_row(struct series_set *s, struct series *one, size_t row)
{
	s->next[row] = LAST;
	if (one->first == LAST)
		one->first = row;
	else
		s->next[one->last] = row;
	one->last = row;
}

static void label_rows(struct series_set *s, const struct label_columns *c, size_t most)
{
	for (size_t row = 0; row < s->n_rows && !s->labels.failed; row++) {
		size_t from = s->labels.len;
		struct series *one;

		write_labels(s, c, s->cells + row * s->n_columns);
		one = series_of_labels(s, from, most);
		if (one == NULL) {
			write_labels(s, c, NULL);
			one = series_of_labels(s, from, most + 1);
		}
		if (one != NULL)
			add_row(s, one, row);
	}
}

bool series_init(struct series_set *s, const struct str *rows, const struct message_column *columns, const char *labels,
                 size_t most, uint32_t seed)
{
	struct label_columns found;

	memset(s, 0, sizeof(*s));
	s->columns = columns;
	while (columns[s->n_columns].name != NULL)
		s->n_columns++;
	str_init(&s->labels, LABELS_LIMIT_BYTES);
	table_init(&s->by_labels, seed);
	if (!find_labels(s, labels, &found) || !read_rows(s, rows))
		return false;
	if (found.n > 0)
		label_rows(s, &found, most);
	return !s->labels.failed;
}

void series_fini(struct series_set *s)
{
	table_fini(&s->by_labels);
	str_fini(&s->labels);
	mem_free(s->cells);
	mem_free(s->next);
	mem_free(s->series);
}

/* ---- values ---- */

/* Whole numbers that are not negative: there are no others. */
static bool read_number(struct bytes cell, uint64_t *value)
{
	uint64_t v = 0;

	if (cell.data == NULL || cell.len == 0)
		return false;
	for (size_t i = 0; i < cell.len; i++) {
		uint64_t digit = (uint64_t)(cell.data[i] - '0');

		if (cell.data[i] < '0' || cell.data[i] > '9' || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*value = v;
	return true;
}

static unsigned find_column(const struct series_set *s, const char *column)
{
	unsigned i = 0;

	while (i < s->n_columns && strcmp(s->columns[i].name, column) != 0)
		i++;
	return i;
}

bool series_value(const struct series_set *s, const struct series *one, const char *column, enum series_fold fold,
                  uint64_t *value)
{
	unsigned c = column == NULL ? 0 : find_column(s, column);
	uint64_t v, sum = 0;
	bool any = false;

	if (column == NULL) {
		*value = 1;
		return true;
	}
	for (size_t row = one->first; row != LAST && c < s->n_columns; row = s->next[row]) {
		if (!read_number(s->cells[row * s->n_columns + c], &v))
			continue;
		any = true;
		if (fold == SERIES_SUM)
			sum += v;
		else if (v > sum)
			sum = v;
	}
	if (any)
		*value = sum;
	return any;
}

bool series_value_of_key(const struct series_set *s, const char *key, uint64_t *value)
{
	for (size_t row = 0; row < s->n_rows; row++) {
		const struct bytes *cells = s->cells + row * s->n_columns;

		if (cells[0].data != NULL && bytes_are(cells[0], key))
			return read_number(cells[1], value);
	}
	return false;
}
