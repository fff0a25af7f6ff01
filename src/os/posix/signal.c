/* Signals are the system's own. Any thread. */
#include "os/signal.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const struct {
	int signo;
	const char *name;
} signals[N_SIGNALS] = {
    [SIGNAL_RELOAD] = {SIGHUP, "SIGHUP"},    [SIGNAL_STOP] = {SIGTERM, "SIGTERM"},
    [SIGNAL_INTERRUPT] = {SIGINT, "SIGINT"}, [SIGNAL_QUIT] = {SIGQUIT, "SIGQUIT"},
    [SIGNAL_PAUSE] = {SIGUSR1, "SIGUSR1"},   [SIGNAL_RESUME] = {SIGUSR2, "SIGUSR2"},
};

void signal_post(enum signal what, const char *name)
{
	(void)name;
	(void)kill(getpid(), signals[what].signo);
}

int signal_number(enum signal what)
{
	return signals[what].signo;
}

const char *signal_name(enum signal what)
{
	return signals[what].name;
}

/* ---- for systems without them ---- */

bool signal_listen(struct wakeup *w, unsigned set)
{
	(void)w;
	(void)set;
	errno = ENOTSUP;
	return false;
}

void signal_listen_end(void)
{
}

void signal_ignore_console(void)
{
}

bool signal_take(enum signal *what, const char **name)
{
	(void)what;
	(void)name;
	return false;
}
