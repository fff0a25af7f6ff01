/* Rows in a circle: the newest overwrites the oldest. Pure, any thread that owns the ring. */
#include "diag/error_ring.h"

#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "base/printable.h"

struct error_ring {
	struct error_row row[ERROR_RING_ROWS];
	unsigned next; /* where the next row goes */
	unsigned count;
	struct error_class class[ERROR_RING_CLASSES];
	unsigned n_classes;
};

struct error_ring *error_ring_new(void)
{
	return mem_new(struct error_ring);
}

void error_ring_free(struct error_ring *r)
{
	mem_free(r);
}

unsigned error_ring_count(const struct error_ring *r)
{
	return r == NULL ? 0 : r->count;
}

static unsigned index_of(const struct error_ring *r, unsigned i)
{
	return (r->next + ERROR_RING_ROWS - 1 - i) % ERROR_RING_ROWS;
}

const struct error_row *error_ring_row(const struct error_ring *r, unsigned i)
{
	return &r->row[index_of(r, i)];
}

/* What makes two errors the same; the rest of the row is empty. */
static void write_key(struct error_row *row, const struct error_note *note)
{
	memset(row, 0, sizeof(*row));
	printable_copy(row->incident, sizeof(row->incident), note->incident);
	printable_copy(row->class, sizeof(row->class), note->class);
	printable_copy(row->database, sizeof(row->database), note->database);
	printable_copy(row->user, sizeof(row->user), note->user);
	printable_copy(row->address, sizeof(row->address), note->address);
}

static bool is_same(const struct error_row *a, const struct error_row *b)
{
	return strcmp(a->incident, b->incident) == 0 && strcmp(a->class, b->class) == 0 &&
	       strcmp(a->database, b->database) == 0 && strcmp(a->user, b->user) == 0 &&
	       strcmp(a->address, b->address) == 0;
}

static struct error_row *find(struct error_ring *r, const struct error_row *key)
{
	for (unsigned i = 0; i < r->count && i < ERROR_RING_LOOK_BACK; i++) {
		struct error_row *row = &r->row[index_of(r, i)];

		if (is_same(row, key))
			return row;
	}
	return NULL;
}

static struct error_row *append(struct error_ring *r, const struct error_row *key)
{
	struct error_row *row = &r->row[r->next];

	*row = *key;
	r->next = (r->next + 1) % ERROR_RING_ROWS;
	if (r->count < ERROR_RING_ROWS)
		r->count++;
	return row;
}

unsigned error_ring_count_classes(const struct error_ring *r)
{
	return r == NULL ? 0 : r->n_classes;
}

const struct error_class *error_ring_class(const struct error_ring *r, unsigned i)
{
	return &r->class[i];
}

static void count_class(struct error_ring *r, const char *class, const struct error_note *note)
{
	unsigned i = 0;

	while (i < r->n_classes && strcmp(r->class[i].class, class) != 0)
		i++;
	if (i == ERROR_RING_CLASSES)
		return;
	if (i == r->n_classes)
		memcpy(r->class[r->n_classes++].class, class, sizeof(r->class[i].class));
	r->class[i].n_failures += note->text != NULL;
	r->class[i].n_clients += note->count;
}

/* Lines to paste must stay apart. */
static void copy_lines(char *out, size_t size, const char *text)
{
	size_t from = 0;

	printable_copy(out, size, text);
	if (text == NULL || strlen(text) != strlen(out))
		return; /* something was replaced or cut: then it is one line */
	for (const char *end; (end = strchr(text + from, '\n')) != NULL; from = (size_t)(end - text) + 1)
		out[end - text] = '\n';
}

void error_ring_add(struct error_ring *r, const struct error_note *note)
{
	struct error_row key, *row;

	write_key(&key, note);
	count_class(r, key.class, note);
	row = find(r, &key);
	if (row == NULL) {
		row = append(r, &key);
		row->first_us = note->at_us;
	}
	row->last_us = note->at_us;
	row->count += note->count;
	if (note->text == NULL)
		return;
	printable_copy(row->text, sizeof(row->text), note->text);
	copy_lines(row->hint, sizeof(row->hint), note->hint);
}
