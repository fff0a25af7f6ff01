/*
 * What somebody outside wants this process to do: signals where the system has them. Windows has none: there it is the
 * console (Ctrl-C, Ctrl-Break, its end) and the service manager. Both become the same few wishes here; net/signals.h
 * brings them to a loop.
 */
#ifndef OS_WISH_H
#define OS_WISH_H

#include <stdbool.h>

#include "base/attr.h"

struct wakeup;

enum wish {
	WISH_RELOAD,    /* SIGHUP; the service manager's PARAMCHANGE */
	WISH_STOP,      /* SIGTERM: clients may finish */
	WISH_INTERRUPT, /* SIGINT; Ctrl-C, STOP and PRESHUTDOWN: transactions may finish */
	WISH_QUIT,      /* SIGQUIT; Ctrl-Break, the console is closed: at once */
	WISH_PAUSE,     /* SIGUSR1; PAUSE */
	WISH_RESUME     /* SIGUSR2; CONTINUE */
};
#define N_WISHES 6u

/* As if it had come from outside. `name` is what the log calls it where there are no signals, and is kept: a constant.
   What comes before anybody listens is kept there; with signals it does what the signal does. Any thread. */
void wish_post(enum wish what, const char *name);

/* The signal that means it; 0: there are no signals, see below. */
int wish_signal(enum wish what);
/* "SIGHUP". */
const char *wish_signal_name(enum wish what);

/*
 * Without signals. From here on `w` is rung for each wish of those in `set` (1u << WISH_…), and the console is
 * listened to, too; for what is not in the set it does what it does. One listener of a process at a time. False with
 * errno set.
 */
bool wish_listen(struct wakeup *w, unsigned set) MUST_USE;
void wish_ignore(void);
/* A wish that has come, and what its poster calls it; false: none is left. Two of a kind that nobody has taken yet are
   one. */
bool wish_take(enum wish *what, const char **name) MUST_USE;

#endif
