/* net/loop.h of the simulator: turns when the world says so. One thread. */
#include "net/loop.h"

#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/mailbox.h"
#include "sim.h"

struct loop {
	struct list node; /* in world->loops */
	struct world *world;
	struct list streams, timers;
	struct mailbox *mailbox;
	bool (*turn)(void *owner);
	void *owner;
	uint64_t now_us, n_turns;
	bool work_left;
	char buffer[LOOP_BUFFER_BYTES];
};

struct timer {
	struct list node;
	struct loop *loop;
	uint64_t at_us;
	void (*fire)(void *owner);
	void *owner;
};

struct loop *loop_new(void)
{
	struct loop *l = mem_new(struct loop);

	if (l == NULL)
		return NULL;
	l->world = sim_world();
	l->now_us = l->world->now_us;
	list_init(&l->streams);
	list_init(&l->timers);
	list_add_tail(&l->world->loops, &l->node);
	return l;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	MUST_HOLD(l->world, list_is_empty(&l->streams) && list_is_empty(&l->timers));
	list_remove(&l->node);
	mem_free(l);
}

void loop_set_turn(struct loop *l, bool (*turn)(void *owner), void *owner)
{
	l->turn = turn;
	l->owner = owner;
}

void loop_run(struct loop *l)
{
	world_broken(l->world, "loop_run: the simulator makes the turns");
}

void loop_stop(struct loop *l)
{
	(void)l;
}

uint64_t loop_now_us(const struct loop *l)
{
	return l->now_us;
}

void loop_random(struct loop *l, void *bytes, size_t len)
{
	uint8_t *to = (uint8_t *)bytes;

	for (size_t i = 0; i < len; i++)
		to[i] = (uint8_t)dice_u64(&l->world->dice);
}

char *loop_buffer(struct loop *l)
{
	return l->buffer;
}

const char *loop_method(const struct loop *l)
{
	(void)l;
	return "chance";
}

/* ---- timers ---- */

struct timer *timer_new(struct loop *l, void (*fire)(void *owner), void *owner)
{
	struct timer *t = mem_new(struct timer);

	if (t == NULL)
		return NULL;
	list_init(&t->node);
	t->loop = l;
	t->fire = fire;
	t->owner = owner;
	return t;
}

void timer_free(struct timer *t)
{
	if (t == NULL)
		return;
	timer_clear(t);
	mem_free(t);
}

void timer_set(struct timer *t, uint64_t at_us)
{
	struct list *before;

	timer_clear(t);
	t->at_us = at_us;
	for (before = t->loop->timers.prev; before != &t->loop->timers; before = before->prev)
		if (container_of(before, struct timer, node)->at_us <= at_us)
			break;
	list_insert_between(&t->node, before, before->next);
}

void timer_clear(struct timer *t)
{
	list_remove(&t->node);
}

bool timer_is_set(const struct timer *t)
{
	return !list_is_empty(&t->node);
}

uint64_t sim_loop_next_us(const struct loop *l)
{
	struct list *node = list_first(&l->timers);

	return node == NULL ? UINT64_MAX : container_of(node, struct timer, node)->at_us;
}

/* ---- turns ---- */

/* What is in the buffer between two events is nobody's: whoever looks there finds rubbish. */
static void spoil_buffer(struct loop *l)
{
	memset(l->buffer, 0xdd, dice_chance(&l->world->dice, 20) ? sizeof(l->buffer) : 512);
}

static void fire_timers(struct loop *l)
{
	struct list due, *node;

	list_init(&due);
	while ((node = list_first(&l->timers)) != NULL && container_of(node, struct timer, node)->at_us <= l->now_us) {
		list_remove(node);
		list_add_tail(&due, node);
	}
	while ((node = list_take_first(&due)) != NULL) {
		struct timer *t = container_of(node, struct timer, node);

		t->fire(t->owner);
		spoil_buffer(l);
	}
}

/* The next stream with something to tell that has not been asked in this turn; it may be gone after its event. */
static struct stream *next_ready(struct loop *l)
{
	struct list *node;

	list_each (node, &l->streams) {
		struct stream *s = sim_stream_of(node);

		if (*sim_stream_seen(s) == l->n_turns)
			continue;
		if (!sim_stream_is_ready(s))
			continue;
		*sim_stream_seen(s) = l->n_turns;
		return s;
	}
	return NULL;
}

static void deliver_streams(struct loop *l)
{
	struct dice *d = &l->world->dice;
	struct list *first = list_first(&l->streams);
	struct stream *s;

	/* another one comes first each time */
	for (uint32_t n = dice_below(d, 8); n > 0 && first != NULL; n--) {
		list_remove(first);
		list_add_tail(&l->streams, first);
		first = list_first(&l->streams);
	}
	while ((s = next_ready(l)) != NULL) {
		if (dice_chance(d, 300))
			continue; /* in another turn */
		(void)sim_stream_deliver(s);
		spoil_buffer(l);
	}
}

static void deliver_letters(struct loop *l)
{
	if (l->mailbox != NULL)
		(void)sim_mailbox_deliver(
		    l->mailbox, dice_chance(&l->world->dice, 500) ? UINT32_MAX : 1 + dice_below(&l->world->dice, 4));
}

void sim_loop_turn(struct loop *l)
{
	uint32_t order = dice_below(&l->world->dice, 3);

	l->now_us = l->world->now_us;
	l->n_turns++;
	for (uint32_t i = 0; i < 3; i++, order = (order + 1) % 3) {
		if (order == 0)
			deliver_streams(l);
		else if (order == 1)
			fire_timers(l);
		else
			deliver_letters(l);
	}
	l->work_left = l->turn != NULL && l->turn(l->owner);
	spoil_buffer(l);
}

bool sim_loop_is_ready(const struct loop *l)
{
	struct list *node;

	if (l->work_left || (l->mailbox != NULL && sim_mailbox_has(l->mailbox)))
		return true;
	if (sim_loop_next_us(l) <= l->world->now_us)
		return true;
	list_each (node, &l->streams)
		if (sim_stream_is_ready(sim_stream_of(node)))
			return true;
	return false;
}

struct list *sim_loop_streams(struct loop *l)
{
	return &l->streams;
}

struct world *sim_loop_world(struct loop *l)
{
	return l->world;
}

void sim_loop_set_mailbox(struct loop *l, struct mailbox *m)
{
	l->mailbox = m;
}
