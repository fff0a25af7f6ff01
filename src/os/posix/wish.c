/* Wishes from outside are signals here. Any thread. */
#include "os/wish.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const struct {
	int signo;
	const char *name;
} signals[N_WISHES] = {
    [WISH_RELOAD] = {SIGHUP, "SIGHUP"}, [WISH_STOP] = {SIGTERM, "SIGTERM"},  [WISH_INTERRUPT] = {SIGINT, "SIGINT"},
    [WISH_QUIT] = {SIGQUIT, "SIGQUIT"}, [WISH_PAUSE] = {SIGUSR1, "SIGUSR1"}, [WISH_RESUME] = {SIGUSR2, "SIGUSR2"},
};

void wish_post(enum wish what, const char *name)
{
	(void)name;
	(void)kill(getpid(), signals[what].signo);
}

int wish_signal(enum wish what)
{
	return signals[what].signo;
}

const char *wish_signal_name(enum wish what)
{
	return signals[what].name;
}

/* ---- for systems without signals ---- */

bool wish_listen(struct wakeup *w, unsigned set)
{
	(void)w;
	(void)set;
	errno = ENOTSUP;
	return false;
}

void wish_ignore(void)
{
}

bool wish_take(enum wish *what, const char **name)
{
	(void)what;
	(void)name;
	return false;
}
