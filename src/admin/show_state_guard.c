/*
 * SHOW STATE_GUARD: what clients of each pool have left behind in shared sessions. Each worker adds its seats' counts,
 * main adds them up.
 */
#include <stdlib.h>
#include <string.h>

#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "diag/session_state.h"
#include "pool/registry.h"
#include "pool/settings.h"

#define NAME_BYTES 64u

const struct message_column state_guard_columns[] = {
    COLUMN_TEXT("database"), COLUMN_TEXT("user"),   COLUMN_TEXT("state_guard"),
#define STATE(name, column, what, by_transaction, remedy) COLUMN_BIG(column),
#include "diag/session_state.def"
#undef STATE
    COLUMN_BIG("warned"),    COLUMN_BIG("refused"), COLUMN_BIG("pinned"),       {NULL, 0, 0},
};

/* Of one seat. Names are cut as PostgreSQL cuts them. */
struct guard_row {
	char database[NAME_BYTES], user[NAME_BYTES];
	enum state_guard guard;
	struct guard_counts counts;
};

struct collecting {
	struct view *view;
	uint16_t worker;
};

static void copy_name(char to[NAME_BYTES], const char *from)
{
	size_t len = strnlen(from, NAME_BYTES - 1);

	memcpy(to, from, len);
	to[len] = '\0';
}

static void collect_pool(void *arg, struct pool *p)
{
	const struct collecting *c = (const struct collecting *)arg;

	for (uint16_t i = 0; i < p->n_seats && !p->console; i++) {
		struct guard_row row;

		if (p->seat[i].worker != c->worker || p->seat[i].settings == NULL)
			continue;
		memset(&row, 0, sizeof(row));
		copy_name(row.database, p->database);
		copy_name(row.user, p->user);
		row.guard = p->seat[i].settings->guard;
		row.counts = p->seat[i].guard;
		str_add(&c->view->guards, (const char *)&row, sizeof(row));
	}
}

void collect_state_guard(struct view *v, struct worker *w)
{
	struct collecting c = {v, w->number};

	registry_each_pool(w->office->registry, NULL, collect_pool, &c);
}

static int by_name(const void *a, const void *b)
{
	const struct guard_row *x = (const struct guard_row *)a, *y = (const struct guard_row *)b;
	int order = strcmp(x->database, y->database);

	return order != 0 ? order : strcmp(x->user, y->user);
}

static void write_row(struct view *v, const struct guard_row *g)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, g->database);
	row_text(&r, g->user);
	row_text(&r, state_guard_name(g->guard));
	for (unsigned i = 0; i < N_STATES; i++)
		row_number(&r, g->counts.left[i]);
	row_number(&r, g->counts.warned);
	row_number(&r, g->counts.refused);
	row_number(&r, g->counts.pinned);
	row_end(&r);
}

void show_state_guard(struct view *v)
{
	struct guard_row *rows = (struct guard_row *)(void *)v->guards.data;
	size_t n = v->guards.len / sizeof(struct guard_row);

	if (v->guards.failed) {
		v->out.failed = true;
		return;
	}
	if (n > 1)
		qsort(rows, n, sizeof(rows[0]), by_name);
	for (size_t i = 0; i < n; i++) {
		if (i + 1 < n && by_name(&rows[i], &rows[i + 1]) == 0)
			guard_counts_add(&rows[i + 1].counts, &rows[i].counts);
		else
			write_row(v, &rows[i]);
	}
}
