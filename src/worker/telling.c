/*
 * Bounded lines in storms. Thread: the seat's worker.
 *
 *   a client is told of an outage ──> telling_add ──> its own lines | counted ──(telling_tick: a minute, the end)──>
 * one line
 */
#include "worker/telling.h"

#include <stdio.h>

#include "base/clock.h"
#include "pool/outage.h"
#include "worker/worker.h"

#define LINE_AGAIN_US (60 * US_PER_S)

static struct seat *seat_of(struct list *node)
{
	return container_of(node, struct seat, telling.on_worker);
}

static void write_line(struct worker *w, const struct seat *s, uint64_t n)
{
	const struct settings *set = &w->config->settings;
	const struct verdict *v = &s->telling.last->verdict;
	char text[4096];
	struct log_event e = {.level = set->log_pooler_errors ? LEVEL_WARNING : LEVEL_LOG,
	                      .event = "clients_told",
	                      .class = v->class,
	                      .incident = s->telling.last->incident,
	                      .database = s->pool->database,
	                      .user = s->pool->user,
	                      .count = n,
	                      .text = text};

	if (!set->log_pooler_errors && !set->log_disconnections)
		return;
	snprintf(text, sizeof(text), "db=%.400s user=%.400s: and %llu more %s told the same: %s", s->pool->database,
	         s->pool->user, (unsigned long long)n, n == 1 ? "client was" : "clients were", str_text(&v->message));
	log_event(w->office->log, &e);
}

/* The seat may be gone afterwards: nothing keeps it any more. */
static void say(struct worker *w, struct seat *s)
{
	struct telling *t = &s->telling;
	struct outage *last = t->last;

	write_line(w, s, t->n_more);
	t->n_more = 0;
	t->last = NULL;
	t->line_us = worker_now_us(w);
	list_remove(&t->on_worker);
	shared_unref(&last->shared);
	pool_keep_seat(s, false);
}

static void count(struct worker *w, struct seat *s, struct outage *outage)
{
	struct telling *t = &s->telling;

	t->n_more++;
	shared_ref(&outage->shared);
	if (t->last != NULL) {
		shared_unref(&t->last->shared);
	} else {
		list_add_tail(&w->tellings, &t->on_worker);
		pool_keep_seat(s, true);
		worker_need_tick(w);
	}
	t->last = outage;
}

bool telling_add(struct worker *w, struct seat *s, struct outage *outage)
{
	struct telling *t = &s->telling;

	pool_add_told(s->pool);
	if (t->since_us != outage->since_us) {
		if (t->last != NULL)
			say(w, s);
		t->since_us = outage->since_us;
		t->n_lines = 0;
	}
	if (t->n_lines >= TELLING_LINES) {
		count(w, s, outage);
		return false;
	}
	t->n_lines++;
	t->line_us = worker_now_us(w);
	return true;
}

bool telling_attempt(struct seat *s)
{
	if (s->telling.n_attempts >= TELLING_LINES)
		return false;
	s->telling.n_attempts++;
	return true;
}

void telling_welcome(struct seat *s)
{
	s->telling.n_attempts = 0;
}

void telling_tick(struct worker *w)
{
	struct list *node, *after;

	list_each_safe (node, after, &w->tellings) {
		struct seat *s = seat_of(node);

		if (worker_now_us(w) >= s->telling.line_us + LINE_AGAIN_US ||
		    !pool_outage_lasts(s->pool, s->telling.since_us))
			say(w, s);
	}
}

void telling_end(struct worker *w)
{
	struct list *node;

	while ((node = list_first(&w->tellings)) != NULL)
		say(w, seat_of(node));
}
