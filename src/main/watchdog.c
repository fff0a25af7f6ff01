/*
 * WATCHDOG=1 for the service manager: all threads turn. Main thread; the visit runs on workers.
 *
 *   timer, twice in WatchdogSec ──> visit to each worker in turn ──> back on main: told
 *
 * A thread that hangs keeps the visit, so nothing is told, and the manager ends the process.
 */
#include "main/supervisor.h"
#include "net/loop.h"
#include "os/service.h"

static void see(struct visit *v, struct worker *w)
{
	(void)v;
	(void)w; /* that it came by is all */
}

static void seen(struct visit *v)
{
	struct supervisor *s = container_of(v, struct supervisor, watchdog.visit);

	s->watchdog.visiting = false;
	(void)!service_notify("WATCHDOG=1"); /* the start has said so if nobody can be told */
}

void watchdog_look(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;

	/* the end is short, and the manager has a time of its own for it */
	if (s->shutdown.stage >= STAGE_ENDING)
		return;
	timer_set(s->watchdog.timer, loop_now_us(s->loop) + s->watchdog.period_us);
	if (s->watchdog.visiting)
		return;
	s->watchdog.visiting = true;
	visit_start(s->office, &s->watchdog.visit);
}

void watchdog_start(struct supervisor *s)
{
	s->watchdog.period_us = service_watchdog_us() / 2;
	s->watchdog.visit.run = see;
	s->watchdog.visit.done = seen;
	if (s->watchdog.period_us > 0)
		watchdog_look(s);
}
