/* Tests with real loops wait for conditions: the loop turns until one holds, or far too much time has gone. */
#ifndef TEST_UNIT_UNTIL_H
#define TEST_UNIT_UNTIL_H

#include <stdbool.h>

#include "base/clock.h"
#include "net/loop.h"

struct until {
	struct loop *loop;
	bool (*done)(void *arg);
	void *arg;
	bool reached;
};

static inline bool until_turn(void *owner)
{
	struct until *u = (struct until *)owner;

	if (!u->reached && u->done(u->arg)) {
		u->reached = true;
		loop_stop(u->loop);
	}
	return false;
}

static inline void until_give_up(void *owner)
{
	struct until *u = (struct until *)owner;

	loop_stop(u->loop);
}

/* True if the condition came true. It is looked at once a turn. */
static inline bool run_until(struct loop *l, bool (*done)(void *arg), void *arg)
{
	struct until u = {l, done, arg, false};
	struct timer *guard = timer_new(l, until_give_up, &u);

	if (guard == NULL)
		return false;
	timer_set(guard, clock_steady_us() + 20 * US_PER_S);
	loop_set_turn(l, until_turn, &u);
	loop_run(l);
	loop_set_turn(l, NULL, NULL);
	timer_free(guard);
	return u.reached;
}

struct turns {
	struct loop *loop;
	int left;
};

static inline bool turns_count(void *owner)
{
	struct turns *t = (struct turns *)owner;

	if (--t->left <= 0)
		loop_stop(t->loop);
	return true;
}

/* n turns that do not sleep: time enough for everything that is ready. */
static inline void run_turns(struct loop *l, int n)
{
	struct turns t = {l, n};

	loop_set_turn(l, turns_count, &t);
	loop_run(l);
	loop_set_turn(l, NULL, NULL);
}

#endif
