/*
 * Several connects at once, one of which is kept. Thread: the server's worker.
 *
 *   dial_on ──> begin_next ──> under way ──> connected: the others are closed, DIAL_CONNECTED
 *                   ^              │  └────> failed or overdue: its reason goes into the permit
 *                   └── at once, or DIAL_DELAY_US after the one before ──┘
 */
#include "worker/dial.h"

#include <string.h>

#include "net/loop.h"
#include "net/stream.h"

void dial_init(struct dial *d, struct loop *l, struct permit *permit, const struct socket_options *options,
               dial_handler *handler, void *owner)
{
	memset(d, 0, sizeof(*d));
	d->loop = l;
	d->permit = permit;
	d->options = *options;
	d->handler = handler;
	d->owner = owner;
	d->next_us = UINT64_MAX;
	for (uint32_t i = 0; i < permit->n_targets; i++)
		d->call[i].dial = d;
}

static void call_drop(struct dial_call *c, enum dial_call_state then)
{
	stream_close(c->stream);
	c->stream = NULL;
	c->state = then;
}

/* Those that are under way were not wanted after all; they may be begun anew. */
static void drop_all(struct dial *d)
{
	for (uint32_t i = 0; i < d->permit->n_targets; i++)
		if (d->call[i].state == CALL_UNDER_WAY)
			call_drop(&d->call[i], CALL_NOT_YET);
	d->next_us = UINT64_MAX;
}

void dial_fini(struct dial *d)
{
	drop_all(d);
	stream_close(d->kept);
	d->kept = NULL;
}

static uint32_t target_of(const struct dial_call *c)
{
	return (uint32_t)(c - c->dial->call);
}

static void call_fails(struct dial_call *c, struct failure *why)
{
	struct permit *permit = c->dial->permit;

	why->phase = PHASE_CONNECT;
	if (c->stream != NULL && !stream_local_address(c->stream, &permit->source))
		permit->source.len = 0;
	permit_add_failure(permit, target_of(c), why, loop_now_us(c->dial->loop) - c->began_us);
	call_drop(c, CALL_OVER);
}

/* ---- beginning ---- */

static struct dial_call *first_in(struct dial *d, enum dial_call_state state)
{
	for (uint32_t i = 0; i < d->permit->n_targets; i++)
		if (d->call[i].state == state)
			return &d->call[i];
	return NULL;
}

static void call_event(void *owner, enum stream_event event);

static bool call_begin(struct dial_call *c)
{
	struct dial *d = c->dial;
	struct failure why;

	failure_init(&why);
	c->began_us = loop_now_us(d->loop);
	c->stream = stream_connect(d->loop, &d->permit->target[target_of(c)].address, &d->options, call_event, c, &why);
	c->state = CALL_UNDER_WAY;
	if (c->stream == NULL)
		call_fails(c, &why);
	failure_fini(&why);
	return c->state == CALL_UNDER_WAY;
}

/* One more, the first that does not fail at once. */
static void begin_next(struct dial *d)
{
	struct dial_call *c;

	permit_reaches(d->permit, PHASE_CONNECT);
	while ((c = first_in(d, CALL_NOT_YET)) != NULL && !call_begin(c))
		;
	d->next_us = first_in(d, CALL_NOT_YET) == NULL ? UINT64_MAX : loop_now_us(d->loop) + DIAL_DELAY_US;
}

/* The last thing that is done. */
static void tell(struct dial *d)
{
	d->handler(d->owner, first_in(d, CALL_UNDER_WAY) != NULL ? DIAL_GOES_ON : DIAL_EXHAUSTED);
}

void dial_on(struct dial *d)
{
	begin_next(d);
	tell(d);
}

/* ---- time ---- */

uint64_t dial_deadline_us(const struct dial *d, uint64_t patience_us)
{
	uint64_t at = d->next_us;

	for (uint32_t i = 0; i < d->permit->n_targets && patience_us > 0; i++)
		if (d->call[i].state == CALL_UNDER_WAY && d->call[i].began_us + patience_us < at)
			at = d->call[i].began_us + patience_us;
	return at;
}

static void drop_overdue(struct dial *d, uint64_t patience_us, uint64_t now_us)
{
	for (uint32_t i = 0; i < d->permit->n_targets; i++) {
		struct dial_call *c = &d->call[i];
		struct failure why;

		if (c->state != CALL_UNDER_WAY || patience_us == 0 || now_us < c->began_us + patience_us)
			continue;
		failure_init(&why);
		failure_set(&why, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
		call_fails(c, &why);
		failure_fini(&why);
	}
}

void dial_tick(struct dial *d, uint64_t patience_us)
{
	uint64_t now_us = loop_now_us(d->loop);

	drop_overdue(d, patience_us, now_us);
	if (now_us >= d->next_us || first_in(d, CALL_UNDER_WAY) == NULL)
		begin_next(d);
	tell(d);
}

/* ---- what the loop says ---- */

/* Whoever was begun long before has had its chance: main shall not begin with it soon again. */
static void note_overtaken(const struct dial *d, const struct dial_call *by)
{
	uint64_t now_us = loop_now_us(d->loop);

	for (uint32_t i = 0; i < d->permit->n_targets; i++)
		if (&d->call[i] != by && d->call[i].state == CALL_UNDER_WAY && d->call[i].began_us < by->began_us &&
		    now_us >= d->call[i].began_us + DIAL_DELAY_US)
			d->permit->target[i].overtaken = true;
}

static void call_connected(struct dial_call *c)
{
	struct dial *d = c->dial;

	note_overtaken(d, c);
	d->connected = target_of(c);
	d->kept = c->stream;
	c->stream = NULL;
	c->state = CALL_OVER;
	drop_all(d);
	d->handler(d->owner, DIAL_CONNECTED);
}

static void call_broken(struct dial_call *c)
{
	struct dial *d = c->dial;
	struct failure why;

	failure_init(&why);
	failure_copy(&why, stream_failure(c->stream));
	call_fails(c, &why);
	failure_fini(&why);
	begin_next(d);
	tell(d);
}

static void call_event(void *owner, enum stream_event event)
{
	struct dial_call *c = (struct dial_call *)owner;

	switch (event) {
	case STREAM_CONNECTED:
		call_connected(c);
		break;
	case STREAM_BROKEN:
		call_broken(c);
		break;
	case STREAM_READABLE: /* nothing is read or sent here */
	case STREAM_SECURED:
	case STREAM_DRAINED:
		break;
	}
}

/* ---- the one that is connected ---- */

struct stream *dial_take(struct dial *d, uint32_t *target, uint64_t *began_us)
{
	struct stream *kept = d->kept;

	*target = d->connected;
	*began_us = d->call[d->connected].began_us;
	d->kept = NULL;
	return kept;
}

void dial_forgive(struct dial *d, uint32_t target)
{
	d->call[target].state = CALL_NOT_YET;
}

bool dial_has_promising(const struct dial *d)
{
	for (uint32_t i = 0; i < d->permit->n_targets; i++)
		if (d->call[i].state == CALL_NOT_YET && !d->permit->target[i].overtaken)
			return true;
	return false;
}
