/* The console: all its connections, and what is counted for it. Main thread. */
#include "admin/console.h"

#include <string.h>

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
	stats_init(&c->stats, loop_now_us(control->loop), seed);
	return c;
}

void console_free(struct console *c)
{
	struct list *node;

	if (c == NULL)
		return;
	while ((node = list_first(&c->terminals)) != NULL)
		terminal_free(terminal_of(node));
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
