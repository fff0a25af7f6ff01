/*
 * The loop: turns of libevent's loop with the thread's clock, timers, buffer
 * and mailbox around them. One thread owns it.
 *
 *	loop_turn:  rearm streams, arm timer, ask mailbox → sleep, events → again list
 *	            → due timers → letters → the owner's turn function
 *
 * Registrations are deferred to the end of the turn here, and not by libevent's
 * own change list, because that one has no way to say that the kernel refused.
 */
#include "net/loop.h"

#include <event2/event.h>
#include <limits.h>
#include <openssl/rand.h>
#include <string.h>

#include "base/clock.h"
#include "base/heap.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/loop_private.h"
#include "os/process.h"

#define HANDSHAKES_PER_TURN 8

struct loop {
	struct event_base *base;
	struct event *alarm;  /* the one timer that libevent knows */
	uint64_t alarm_at_us; /* 0: not set; never later than the first timer */
	struct heap timers;   /* those that are set; room for all that exist, so that setting one cannot fail */
	uint32_t n_timers;    /* that exist */
	uint32_t n_set;       /* ever, wrapping: the order of those of the same time */
	bool firing;
	struct list again, before_sleep;
	struct mailbox *mailbox;
	bool (*turn)(void *owner);
	void *owner;
	uint64_t now_us;
	bool now_is_old; /* we may have slept since the clock was read */
	bool work_left;
	bool stopped;
	unsigned n_shaken; /* steps of handshakes in this turn */
	size_t n_random;   /* bytes drawn and not given out yet */
	unsigned char random[512];
	char buffer[LOOP_BUFFER_BYTES];
};

/* Each client may have one: 40 bytes, and 8 to 12 in the loop's heap. */
struct timer {
	struct heap_node node; /* in the loop's timers while set */
	uint32_t order;
	struct loop *loop;
	uint64_t at_us;
	void (*fire)(void *owner);
	void *owner;
};

static void loop_alarm(evutil_socket_t fd, short what, void *arg)
{
	struct loop *l = (struct loop *)arg;

	(void)fd;
	(void)what;
	l->alarm_at_us = 0;
	loop_woke(l);
}

static struct event_base *loop_new_base(void)
{
	struct event_config *config = event_config_new();
	struct event_base *base = NULL;

	if (config == NULL)
		return NULL;
	/* a base is used by one thread only; what it waits with is not for the environment to say */
	if (event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK) == 0 &&
	    event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV) == 0)
		base = event_base_new_with_config(config);
	event_config_free(config);
	return base;
}

/* Setting it once makes libevent's room for it, so that setting it later cannot fail for want of memory. */
static bool loop_new_alarm(struct loop *l)
{
	struct timeval hour = {3600, 0};

	l->alarm = event_new(l->base, -1, 0, loop_alarm, l);
	if (l->alarm == NULL || event_add(l->alarm, &hour) != 0)
		return false;
	event_del(l->alarm);
	return true;
}

static const struct timer *timer_of(const struct heap_node *node)
{
	return container_of_const(node, struct timer, node);
}

static bool is_earlier(const struct heap_node *a, const struct heap_node *b)
{
	const struct timer *x = timer_of(a), *y = timer_of(b);

	return x->at_us != y->at_us ? x->at_us < y->at_us : (int32_t)(x->order - y->order) < 0;
}

struct loop *loop_new(void)
{
	struct loop *l = mem_new(struct loop);

	if (l == NULL)
		return NULL;
	heap_init(&l->timers, is_earlier);
	list_init(&l->again);
	list_init(&l->before_sleep);
	l->work_left = true; /* what was begun before loop_run must not wait for an event */
	l->now_us = clock_steady_us();
	l->base = loop_new_base();
	if (l->base == NULL || !loop_new_alarm(l)) {
		loop_free(l);
		return NULL;
	}
	return l;
}

void loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->alarm != NULL)
		event_free(l->alarm);
	if (l->base != NULL)
		event_base_free(l->base);
	heap_fini(&l->timers);
	mem_free(l);
}

struct event_base *loop_base(struct loop *l)
{
	return l->base;
}

void loop_set_turn(struct loop *l, bool (*turn)(void *owner), void *owner)
{
	l->turn = turn;
	l->owner = owner;
}

bool loop_set_mailbox(struct loop *l, struct mailbox *m)
{
	if (l->mailbox != NULL)
		return false;
	l->mailbox = m;
	return true;
}

void loop_drop_mailbox(struct loop *l)
{
	l->mailbox = NULL;
}

void loop_woke(struct loop *l)
{
	if (!l->now_is_old)
		return;
	l->now_is_old = false;
	l->now_us = clock_steady_us();
}

bool loop_may_shake_hands(struct loop *l)
{
	if (l->n_shaken >= HANDSHAKES_PER_TURN)
		return false;
	l->n_shaken++;
	return true;
}

uint64_t loop_now_us(const struct loop *l)
{
	return l->now_us;
}

static void draw(void *bytes, size_t len)
{
	if (len > INT_MAX || RAND_bytes((unsigned char *)bytes, (int)len) != 1)
		os_random(bytes, len);
}

/* A draw costs a microsecond however short it is, so many are made at once; what was given out is wiped here. */
void loop_random(struct loop *l, void *bytes, size_t len)
{
	if (len > sizeof(l->random)) {
		draw(bytes, len);
		return;
	}
	if (len > l->n_random) {
		draw(l->random, sizeof(l->random));
		l->n_random = sizeof(l->random);
	}
	l->n_random -= len;
	memcpy(bytes, l->random + l->n_random, len);
	mem_wipe(l->random + l->n_random, len);
}

char *loop_buffer(struct loop *l)
{
	return l->buffer;
}

const char *loop_method(const struct loop *l)
{
	return event_base_get_method(l->base);
}

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task))
{
	list_init(&task->node);
	task->run = run;
}

void loop_again(struct loop *l, struct loop_task *task)
{
	list_remove(&task->node);
	list_add_tail(&l->again, &task->node);
}

void loop_before_sleep(struct loop *l, struct loop_task *task)
{
	list_remove(&task->node);
	list_add_tail(&l->before_sleep, &task->node);
}

/* Runs what is on the list now; what is added meanwhile waits for the next time. */
static void loop_run_tasks(struct list *tasks)
{
	struct list now, *node;

	list_init(&now);
	list_move_all(&now, tasks);
	while ((node = list_take_first(&now)) != NULL) {
		struct loop_task *task = container_of(node, struct loop_task, node);

		task->run(task);
	}
}

static struct timer *loop_first_timer(const struct loop *l)
{
	struct heap_node *node = heap_first(&l->timers);

	return node == NULL ? NULL : container_of(node, struct timer, node);
}

/* Makes libevent wake up in time for the first timer. False: do not sleep. */
static bool loop_set_alarm(struct loop *l)
{
	struct timer *first = loop_first_timer(l);
	struct timeval delay;
	uint64_t now_us, left_us;

	/* an alarm that comes too early does no harm: nothing is due then, and it is set again */
	if (first == NULL || (l->alarm_at_us != 0 && l->alarm_at_us <= first->at_us))
		return true;
	now_us = clock_steady_us();
	if (first->at_us <= now_us)
		return false;
	left_us = first->at_us - now_us;
	/* farther away is not worth exactness, and fits whatever type a system has for it */
	if (left_us > 86400 * US_PER_S)
		left_us = 86400 * US_PER_S;
	delay.tv_sec = (int)(left_us / US_PER_S);
	delay.tv_usec = (int)(left_us % US_PER_S);
	if (event_add(l->alarm, &delay) != 0)
		return false;
	l->alarm_at_us = now_us + left_us;
	return true;
}

/* Timers that are set for the past while others fire wait for the next turn: see timer_set. */
static void loop_fire_timers(struct loop *l)
{
	struct timer *first;

	l->firing = true;
	while ((first = loop_first_timer(l)) != NULL && first->at_us <= l->now_us) {
		heap_remove(&l->timers, &first->node);
		first->fire(first->owner);
	}
	l->firing = false;
}

static bool loop_may_sleep(struct loop *l)
{
	if (l->work_left || !list_is_empty(&l->again) || !loop_set_alarm(l))
		return false;
	/* last, because it announces our sleep */
	return l->mailbox == NULL || mailbox_may_sleep(l->mailbox);
}

static void loop_turn(struct loop *l)
{
	int flags = EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY;

	loop_run_tasks(&l->before_sleep);
	if (!loop_may_sleep(l))
		flags |= EVLOOP_NONBLOCK;
	l->n_shaken = 0;
	l->now_is_old = true;
	event_base_loop(l->base, flags);
	loop_woke(l);
	loop_run_tasks(&l->again);
	loop_fire_timers(l);
	if (l->mailbox != NULL)
		mailbox_deliver(l->mailbox);
	l->work_left = l->turn != NULL && l->turn(l->owner);
}

void loop_run(struct loop *l)
{
	while (!l->stopped)
		loop_turn(l);
	l->stopped = false;
	l->work_left = true;
}

void loop_stop(struct loop *l)
{
	l->stopped = true;
}

struct timer *timer_new(struct loop *l, void (*fire)(void *owner), void *owner)
{
	struct timer *t;

	if (!heap_reserve(&l->timers, l->n_timers + 1))
		return NULL;
	t = mem_new(struct timer);
	if (t == NULL)
		return NULL;
	l->n_timers++;
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
	t->loop->n_timers--;
	mem_free(t);
}

void timer_set(struct timer *t, uint64_t at_us)
{
	struct loop *l = t->loop;

	timer_clear(t);
	t->at_us = l->firing && at_us <= l->now_us ? l->now_us + 1 : at_us;
	t->order = l->n_set++;
	heap_add(&l->timers, &t->node);
}

void timer_clear(struct timer *t)
{
	heap_remove(&t->loop->timers, &t->node);
}

bool timer_is_set(const struct timer *t)
{
	return heap_has(&t->node);
}
