/*
 * What is wrong now, for those who look at all of it at once: each outage with what clients are told, and how many
 * pools and waiting clients it concerns. Main thread.
 */
#include <string.h>

#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "net/loop.h"
#include "pool/outage.h"

#define MOST_OUTAGES 100u /* further ones are not told apart */

const struct message_column outages_columns[] = {
    COLUMN_TEXT("incident"),       COLUMN_TEXT("class"),   COLUMN_TEXT("since"),
    COLUMN_BIG("since_ms"),        COLUMN_INT("attempts"), COLUMN_BIG("next_attempt_ms"),
    COLUMN_TEXT("database"),       COLUMN_TEXT("user"),    COLUMN_INT("pools"),
    COLUMN_BIG("clients_waiting"), COLUMN_TEXT("text"),    COLUMN_TEXT("detail"),
    COLUMN_TEXT("hint"),           {NULL, 0, 0},
};

/* One outage of one or more pools. */
struct trouble {
	struct outage *outage;       /* a reference */
	const char *database, *user; /* of the first pool that has it */
	uint64_t pools, waiting;
};

struct troubles {
	struct trouble of[MOST_OUTAGES];
	unsigned n;
};

/* The address's own is published to each pool behind it. */
static bool is_same(const struct outage *a, const struct outage *b)
{
	return a == b || (a->verdict.class == b->verdict.class && strcmp(a->incident, b->incident) == 0 &&
	                  strcmp(str_text(&a->verdict.message), str_text(&b->verdict.message)) == 0);
}

/* Its place, a new one if need be; NULL: there is no room. */
static struct trouble *place_of(struct troubles *all, struct outage *o)
{
	unsigned i = 0;

	while (i < all->n && !is_same(all->of[i].outage, o))
		i++;
	if (i == MOST_OUTAGES)
		return NULL;
	if (i == all->n) {
		memset(&all->of[i], 0, sizeof(all->of[i]));
		shared_ref(&o->shared);
		all->of[i].outage = o;
		all->n++;
	}
	return &all->of[i];
}

static uint32_t count_waiting_locked(const struct pool *p) REQUIRES(p->lock)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < p->n_seats; i++)
		n += p->seat[i].n_waiting + p->seat[i].n_newcomers;
	return n;
}

/* A reference to the pool's outage, NULL when nothing is wrong. */
static struct outage *outage_of(struct pool *p, uint32_t *n_waiting)
{
	struct outage *o;

	lock_take(&p->lock);
	o = p->outage;
	if (o != NULL)
		shared_ref(&o->shared);
	*n_waiting = count_waiting_locked(p);
	lock_drop(&p->lock);
	return o;
}

static void note_pool(void *arg, struct pool *p)
{
	struct troubles *all = (struct troubles *)arg;
	uint32_t n_waiting;
	struct outage *o = outage_of(p, &n_waiting);
	struct trouble *t = o == NULL ? NULL : place_of(all, o);

	if (t != NULL) {
		if (t->pools++ == 0) {
			t->database = p->database;
			t->user = p->user;
		}
		t->waiting += n_waiting;
	}
	if (o != NULL)
		shared_unref(&o->shared);
}

static const char *or_null(const char *text)
{
	return text[0] == '\0' ? NULL : text;
}

static void write_trouble(struct view *v, const struct trouble *t)
{
	uint64_t now_us = loop_now_us(v->console->control->loop);
	const struct outage *o = t->outage;
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, o->incident);
	row_text(&r, o->verdict.class);
	row_time(&r, o->since_us + v->wall_offset_us);
	row_number(&r, now_us > o->since_us ? (now_us - o->since_us) / US_PER_MS : 0);
	row_int(&r, o->attempts);
	if (o->next_try_us == UINT64_MAX)
		row_text(&r, NULL);
	else
		row_number(&r, o->next_try_us > now_us ? (o->next_try_us - now_us) / US_PER_MS : 0);
	row_text(&r, t->database);
	row_text(&r, t->user);
	row_int(&r, (int64_t)t->pools);
	row_number(&r, t->waiting);
	row_text(&r, str_text(&o->verdict.message));
	row_text(&r, or_null(str_text(&o->verdict.detail)));
	row_text(&r, or_null(str_text(&o->verdict.hint)));
	row_end(&r);
}

void show_outages(struct view *v)
{
	struct troubles all = {.n = 0};

	registry_each_pool(v->console->control->office->registry, NULL, note_pool, &all);
	for (unsigned i = 0; i < all.n; i++) {
		write_trouble(v, &all.of[i]);
		shared_unref(&all.of[i].outage->shared);
	}
}
