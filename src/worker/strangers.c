/* Bounded lines about clients that nobody knows. Thread: the worker's. */
#include "worker/strangers.h"

#include <stdio.h>

#include "base/clock.h"
#include "worker/worker.h"

#define LEAST_LINES 10u

static unsigned share_of(const struct worker *w)
{
	unsigned share = STRANGERS_LINES / w->office->n_workers;

	return share < LEAST_LINES ? LEAST_LINES : share;
}

static void say(struct worker *w)
{
	struct strangers *s = &w->strangers;
	char text[STRANGERS_TEXT + 160];
	struct log_event e = {.level = LEVEL_LOG, .event = "lines_left_out", .count = s->n_left_out, .text = text};

	if (s->n_left_out == 0)
		return;
	snprintf(text, sizeof(text), "left out %llu more %s about clients without a pool in %llu s; the last: %s",
	         (unsigned long long)s->n_left_out, s->n_left_out == 1 ? "line" : "lines",
	         (unsigned long long)((worker_now_us(w) - s->since_us + US_PER_S / 2) / US_PER_S), s->last);
	log_event(w->office->log, &e);
	s->n_left_out = 0;
}

static bool is_over(const struct worker *w)
{
	return w->strangers.since_us == 0 || worker_now_us(w) >= w->strangers.since_us + STRANGERS_WINDOW_US;
}

bool strangers_may_log(struct worker *w, const struct log_event *e)
{
	struct strangers *s = &w->strangers;

	if (is_over(w)) {
		say(w);
		s->since_us = worker_now_us(w);
		s->n_lines = 0;
	}
	if (s->n_lines < share_of(w)) {
		s->n_lines++;
		return true;
	}
	if (s->n_left_out++ == 0)
		worker_need_tick(w);
	snprintf(s->last, sizeof(s->last), "%.90s: %s", e->address, e->text);
	return false;
}

bool strangers_tick(struct worker *w)
{
	if (is_over(w))
		say(w);
	return w->strangers.n_left_out > 0;
}

void strangers_end(struct worker *w)
{
	say(w);
}
