/* Signals that arrive through libevent's pipe. Main thread. */
#include "net/signals.h"

#include <event2/event_struct.h>

#include "base/mem.h"
#include "net/loop_private.h"

struct signal_watch {
	struct event event;
	struct loop *loop;
	void (*got)(void *owner, int signo);
	void *owner;
};

static void signal_came(evutil_socket_t signo, short what, void *arg)
{
	struct signal_watch *w = (struct signal_watch *)arg;

	(void)what;
	loop_woke(w->loop);
	w->got(w->owner, (int)signo);
}

struct signal_watch *signal_watch_new(struct loop *l, int signo, void (*got)(void *owner, int signo), void *owner)
{
	struct signal_watch *w = mem_new(struct signal_watch);

	if (w == NULL)
		return NULL;
	w->loop = l;
	w->got = got;
	w->owner = owner;
	if (event_assign(&w->event, loop_base(l), signo, EV_SIGNAL | EV_PERSIST, signal_came, w) != 0 ||
	    event_add(&w->event, NULL) != 0) {
		mem_free(w);
		return NULL;
	}
	return w;
}

void signal_watch_free(struct signal_watch *w)
{
	if (w == NULL)
		return;
	event_del(&w->event);
	mem_free(w);
}
