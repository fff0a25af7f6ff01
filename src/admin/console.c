/* The console: all its connections, and what is counted for it. Main thread. */
#include "admin/console.h"

#include <string.h>

#include "admin/history.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"

struct console *console_new(const struct control *control)
{
	struct console *c = mem_new(struct console);
	uint32_t seed[2];

	if (c == NULL)
		return NULL;
	c->control = control;
	c->started_us = clock_wall_us();
	list_init(&c->terminals);
	list_init(&c->views);
	loop_random(control->loop, seed, sizeof(seed));
	c->began_us = loop_now_us(control->loop);
	stats_init(&c->stats, c->began_us, seed);
	return c;
}

static void forget_history(struct console *c)
{
	if (c->sampling != NULL)
		view_forget(c->sampling);
	c->sampling = NULL;
	timer_free(c->sample_timer);
	c->sample_timer = NULL;
	history_free(c->history);
	c->history = NULL;
}

void console_free(struct console *c)
{
	struct list *node;

	if (c == NULL)
		return;
	while ((node = list_first(&c->terminals)) != NULL)
		terminal_free(terminal_of(node));
	forget_history(c);
	while ((node = list_take_first(&c->views)) != NULL)
		view_abandon(container_of(node, struct view, on_console));
	stats_fini(&c->stats);
	mem_free(c);
}

void console_welcome(struct console *c, struct console_guest *guest)
{
	struct terminal *t = terminal_new(c, guest);

	if (t == NULL)
		return;
	c->counters.client_login_count++;
	terminal_welcome(t);
	terminal_go_on(t);
}

unsigned console_count(const struct console *c)
{
	return c->n_terminals;
}

bool console_cancel(struct console *c, const uint8_t key[8])
{
	struct list *node;

	list_each (node, &c->terminals) {
		struct terminal *t = terminal_of(node);

		if (memcmp(t->guest->key, key, sizeof(t->guest->key)) != 0)
			continue;
		terminal_cancel(t);
		return true;
	}
	return false;
}

void console_stats_period(struct console *c)
{
	struct view *under_way;

	/* without memory this period goes on into the next */
	(void)!view_start(c, &stats_period_topic, NULL, NULL, &under_way);
}

/* ---- samples ---- */

static void sample_done(void *arg, struct view *v)
{
	struct console *c = (struct console *)arg;

	(void)v;
	c->sampling = NULL;
}

static void sample_due(void *arg)
{
	struct console *c = (struct console *)arg;

	timer_set(c->sample_timer, loop_now_us(c->control->loop) + HISTORY_EVERY_S * US_PER_S);
	if (c->sampling == NULL) /* else a worker is slow: the next sample is of a longer time */
		(void)!view_start(c, &history_topic, sample_done, c, &c->sampling);
}

bool console_keep_history(struct console *c, bool keep)
{
	uint32_t seed;

	if (keep == (c->history != NULL))
		return true;
	if (!keep) {
		forget_history(c);
		return true;
	}
	loop_random(c->control->loop, &seed, sizeof(seed));
	c->history = history_new(seed);
	c->sample_timer = timer_new(c->control->loop, sample_due, c);
	if (c->history == NULL || c->sample_timer == NULL) {
		forget_history(c);
		return false;
	}
	sample_due(c);
	return true;
}
