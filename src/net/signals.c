/* Unix's signals arrive through libevent's pipe, those of other systems by a wake-up of our own. Main thread. */
#include "net/signals.h"

#include <event2/event_struct.h>

#include "base/mem.h"
#include "net/loop_private.h"
#include "os/wakeup.h"

/* One signal. */
struct source {
	struct event event;
	struct signal_watch *watch;
	enum signal what;
};

struct signal_watch {
	struct loop *loop;
	void (*got)(void *owner, enum signal what, const char *name);
	void *owner;
	struct source sources[N_SIGNALS]; /* where there are signals */
	struct wakeup wakeup;             /* where there are none */
	struct event rung;
	bool listening;
};

static void signal_came(evutil_socket_t signo, short what, void *arg)
{
	struct source *source = (struct source *)arg;
	struct signal_watch *w = source->watch;

	(void)signo;
	(void)what;
	loop_woke(w->loop);
	w->got(w->owner, source->what, signal_name(source->what));
}

static bool watch_signal(struct signal_watch *w, enum signal what)
{
	struct source *source = &w->sources[what];

	source->watch = w;
	source->what = what;
	return event_assign(&source->event, loop_base(w->loop), signal_number(what), EV_SIGNAL | EV_PERSIST,
	                    signal_came, source) == 0 &&
	       event_add(&source->event, NULL) == 0;
}

static void others_came(evutil_socket_t fd, short what, void *arg)
{
	struct signal_watch *w = (struct signal_watch *)arg;
	const char *name;
	enum signal signal;

	(void)fd;
	(void)what;
	loop_woke(w->loop);
	/* first: what comes from now on rings again */
	wakeup_clear(&w->wakeup);
	while (signal_take(&signal, &name))
		w->got(w->owner, signal, name);
}

static bool listen_for(struct signal_watch *w, unsigned set)
{
	if (!wakeup_init(&w->wakeup))
		return false;
	if (event_assign(&w->rung, loop_base(w->loop), w->wakeup.read_fd, EV_READ | EV_PERSIST, others_came, w) == 0 &&
	    event_add(&w->rung, NULL) == 0)
		w->listening = signal_listen(&w->wakeup, set);
	if (!w->listening) {
		event_del(&w->rung);
		wakeup_fini(&w->wakeup);
	}
	return w->listening;
}

struct signal_watch *signal_watch_new(struct loop *l, unsigned set,
                                      void (*got)(void *owner, enum signal what, const char *name), void *owner)
{
	struct signal_watch *w = mem_new(struct signal_watch);
	bool good = true, rest = false;

	if (w == NULL)
		return NULL;
	w->loop = l;
	w->got = got;
	w->owner = owner;
	for (unsigned i = 0; i < N_SIGNALS && good; i++) {
		if ((set & 1u << i) == 0)
			continue;
		if (signal_number((enum signal)i) != 0)
			good = watch_signal(w, (enum signal)i);
		else
			rest = true;
	}
	if (!good || (rest && !listen_for(w, set))) {
		signal_watch_free(w);
		return NULL;
	}
	return w;
}

void signal_watch_free(struct signal_watch *w)
{
	if (w == NULL)
		return;
	for (unsigned i = 0; i < N_SIGNALS; i++)
		if (event_initialized(&w->sources[i].event))
			event_del(&w->sources[i].event);
	if (w->listening) {
		signal_listen_end();
		event_del(&w->rung);
		wakeup_fini(&w->wakeup);
	}
	mem_free(w);
}
