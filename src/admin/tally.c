/* Counters by database: what a visit brings home. Any thread, one at a time. */
#include "admin/tally.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static struct tally_row *row_of(struct table_node *node)
{
	return container_of(node, struct tally_row, node);
}

static bool same_database(const struct table_node *node, const void *key)
{
	return strcmp(container_of_const(node, struct tally_row, node)->database, (const char *)key) == 0;
}

static uint32_t hash_of(const struct tally *t, const char *database)
{
	return table_hash(&t->rows, database, strlen(database));
}

void tally_init(struct tally *t, uint32_t seed)
{
	table_init(&t->rows, seed);
	t->failed = false;
}

static void tally_clear(struct tally *t)
{
	struct table_node *node;

	while ((node = table_next(&t->rows, NULL)) != NULL) {
		struct tally_row *row = row_of(node);

		table_remove(&t->rows, node);
		mem_free(row->database);
		mem_free(row);
	}
	t->failed = false;
}

void tally_fini(struct tally *t)
{
	tally_clear(t);
	table_fini(&t->rows);
}

static struct tally_row *make_row(struct tally *t, const char *database)
{
	struct tally_row *row = mem_new(struct tally_row);

	if (row == NULL)
		return NULL;
	row->database = mem_copy_str(database);
	if (row->database == NULL) {
		mem_free(row);
		return NULL;
	}
	table_add(&t->rows, &row->node, hash_of(t, database));
	return row;
}

void tally_add(struct tally *t, const char *database, const struct counters *more)
{
	struct table_node *node = table_find(&t->rows, hash_of(t, database), same_database, database);
	struct tally_row *row = node == NULL ? make_row(t, database) : row_of(node);

	if (row == NULL)
		t->failed = true;
	else
		counters_add(&row->sum, more);
}

const struct tally_row *tally_find(const struct tally *t, const char *database)
{
	struct table_node *node = table_find(&t->rows, hash_of(t, database), same_database, database);

	return node == NULL ? NULL : row_of(node);
}

static int by_name(const void *a, const void *b)
{
	const struct tally_row *const *x = (const struct tally_row *const *)a;
	const struct tally_row *const *y = (const struct tally_row *const *)b;

	return strcmp((*x)->database, (*y)->database);
}

const struct tally_row **tally_sorted(const struct tally *t)
{
	const struct tally_row **rows = (const struct tally_row **)mem_alloc((t->rows.count + 1) * sizeof(*rows));
	struct table_node *node;
	size_t n = 0;

	if (rows == NULL)
		return NULL;
	for (node = table_next(&t->rows, NULL); node != NULL; node = table_next(&t->rows, node))
		rows[n++] = row_of(node);
	qsort(rows, n, sizeof(*rows), by_name);
	return rows;
}

struct counters tally_sum(const struct tally *t)
{
	struct counters sum;
	struct table_node *node;

	memset(&sum, 0, sizeof(sum));
	for (node = table_next(&t->rows, NULL); node != NULL; node = table_next(&t->rows, node))
		counters_add(&sum, &row_of(node)->sum);
	return sum;
}

void tally_take(struct tally *to, struct tally *from)
{
	struct table_node *node;

	tally_clear(to);
	while ((node = table_next(&from->rows, NULL)) != NULL) {
		table_remove(&from->rows, node);
		table_add(&to->rows, node, hash_of(to, row_of(node)->database));
	}
	to->failed = from->failed;
	from->failed = false;
}
