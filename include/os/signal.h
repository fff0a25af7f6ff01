/*
 * Signals: what somebody outside wants this process to do. Unix has them. Windows has the console (Ctrl-C, Ctrl-Break,
 * its end) and the controls of the service manager, which become the same few signals here. net/signals.h brings them
 * to a loop.
 */
#ifndef OS_SIGNAL_H
#define OS_SIGNAL_H

#include <stdbool.h>

#include "base/attr.h"

struct wakeup;

enum signal {
	SIGNAL_RELOAD,    /* SIGHUP; the service manager's PARAMCHANGE */
	SIGNAL_STOP,      /* SIGTERM: clients may finish */
	SIGNAL_INTERRUPT, /* SIGINT; Ctrl-C, STOP and PRESHUTDOWN: transactions may finish */
	SIGNAL_QUIT,      /* SIGQUIT; Ctrl-Break, the console is closed: at once */
	SIGNAL_PAUSE,     /* SIGUSR1; PAUSE */
	SIGNAL_RESUME     /* SIGUSR2; CONTINUE */
};
#define N_SIGNALS 6u

/* As if it had come from outside. `name` is what the log calls it where Unix's signals are not, and is kept: a
   constant. What comes before anybody listens is kept there; on Unix it does what the signal does. Any thread. */
void signal_post(enum signal what, const char *name);

/* Unix's number of it; 0: the system has none, see below. */
int signal_number(enum signal what);
/* "SIGHUP". */
const char *signal_name(enum signal what);

/*
 * Where there are no numbers. From here on `w` is rung for each of the signals in `set` (1u << SIGNAL_…), and the
 * console is listened to, too; for what is not in the set it does what it does. One listener of a process at a time.
 * False with errno set.
 */
bool signal_listen(struct wakeup *w, unsigned set) MUST_USE;
void signal_listen_end(void);
/* The process ends: what the console says from now on changes nothing. By itself Windows would end the process from a
   thread of its own, beside the one that is about to do so. Before signal_listen_end; where there are numbers it does
   nothing. */
void signal_ignore_console(void);
/* A signal that has come, and what its poster calls it; false: none is left. Two of a kind that nobody has taken yet
   are one. */
bool signal_take(enum signal *what, const char **name) MUST_USE;

#endif
