/*
 * SHOW ERRORS. Each worker copies what ended there when it is visited; main adds the outages, and writes all of it by
 * time, newest first.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/control.h"
#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "diag/error_ring.h"

const struct message_column errors_columns[] = {
    COLUMN_TEXT("time"),    COLUMN_TEXT("incident"), COLUMN_TEXT("class"), COLUMN_TEXT("database"), COLUMN_TEXT("user"),
    COLUMN_TEXT("address"), COLUMN_BIG("count"),     COLUMN_TEXT("text"),  COLUMN_TEXT("hint"),     {NULL, 0, 0}};

enum hint_form { HINT_LINE, HINT_LINES };

static void copy_rows(struct view *v, const struct error_ring *r)
{
	for (unsigned i = 0; i < error_ring_count(r); i++)
		str_add(&v->errors, error_ring_row(r, i), sizeof(struct error_row));
}

void collect_errors(struct view *v, struct worker *w)
{
	copy_rows(v, w->errors);
}

static int newest_first(const void *a, const void *b)
{
	const struct error_row *x = (const struct error_row *)a, *y = (const struct error_row *)b;

	return (x->last_us < y->last_us) - (x->last_us > y->last_us);
}

/* SHOW has one line for a hint; who can show several gets them. */
static void put_hint(struct row *r, const struct error_row *e, enum hint_form form)
{
	char line[sizeof(e->hint)];
	char *end = line;

	memcpy(line, e->hint, sizeof(line));
	while (form == HINT_LINE && (end = strchr(end, '\n')) != NULL)
		*end = ' ';
	row_text(r, line);
}

static void write_row(struct view *v, const struct error_row *e, enum hint_form form)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_time(&r, e->last_us + v->wall_offset_us);
	row_text(&r, e->incident);
	row_text(&r, e->class);
	row_text(&r, e->database);
	row_text(&r, e->user);
	row_text(&r, e->address);
	row_number(&r, e->count);
	row_text(&r, e->text);
	put_hint(&r, e, form);
	row_end(&r);
}

static void write_errors(struct view *v, enum hint_form form)
{
	struct error_row *rows;
	size_t n;

	copy_rows(v, v->console->control->opener->errors);
	if (v->errors.failed) {
		v->out.failed = true;
		return;
	}
	n = v->errors.len / sizeof(struct error_row);
	rows = (struct error_row *)(void *)v->errors.data;
	if (n > 1)
		qsort(rows, n, sizeof(rows[0]), newest_first);
	for (size_t i = 0; i < n; i++)
		write_row(v, &rows[i], form);
}

void show_errors(struct view *v)
{
	write_errors(v, HINT_LINE);
}

void show_error_hints(struct view *v)
{
	write_errors(v, HINT_LINES);
}
