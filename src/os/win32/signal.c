/* Signals: what the service manager sends is posted here, what the console says is heard here. */
#include "os/signal.h"

#include <errno.h>
#include <stddef.h>
/* first of the system's headers */
#include <winsock2.h>

#include <windows.h>

#include "os/wakeup.h"

/*
 * The one of the process, since the system calls back without an argument: from threads of its own.
 * Guarded by: lock
 */
static struct {
	SRWLOCK lock;
	unsigned come, heard;        /* sets: not taken yet; that the listener wants */
	const char *name[N_SIGNALS]; /* of those that have come */
	unsigned turn[N_SIGNALS];    /* when they came: a pause that follows its end is not one that precedes it */
	unsigned last_turn;
	struct wakeup *bell; /* NULL: nobody listens */
	bool ignores;        /* the console */
} signals = {.lock = SRWLOCK_INIT};

void signal_post(enum signal what, const char *name)
{
	AcquireSRWLockExclusive(&signals.lock);
	signals.come |= 1u << what;
	signals.name[what] = name;
	signals.turn[what] = ++signals.last_turn;
	/* does not wait */
	if (signals.bell != NULL && (signals.heard & 1u << what) != 0)
		wakeup_ring(signals.bell);
	ReleaseSRWLockExclusive(&signals.lock);
}

int signal_number(enum signal what)
{
	(void)what;
	return 0;
}

const char *signal_name(enum signal what)
{
	(void)what;
	return "";
}

/* By the listener, or by nobody any more. */
static bool is_heard(enum signal what)
{
	bool heard;

	AcquireSRWLockShared(&signals.lock);
	heard = signals.ignores || (signals.bell != NULL && (signals.heard & 1u << what) != 0);
	ReleaseSRWLockShared(&signals.lock);
	return heard;
}

/* On a thread that the system makes for it. FALSE: the system goes on, and ends the process. */
static BOOL WINAPI console_said(DWORD event)
{
	enum signal what = event == CTRL_C_EVENT ? SIGNAL_INTERRUPT : SIGNAL_QUIT;

	/* somebody else's session: only services are told, and theirs goes on */
	if (event == CTRL_LOGOFF_EVENT)
		return TRUE;
	/* the system's end is told to services by their manager, and to others not reliably */
	if ((event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT && event != CTRL_CLOSE_EVENT) || !is_heard(what))
		return FALSE;
	switch (event) {
	case CTRL_C_EVENT:
		signal_post(what, "Ctrl-C");
		break;
	case CTRL_BREAK_EVENT:
		signal_post(what, "Ctrl-Break");
		break;
	default:
		signal_post(what, "the end of its console");
		/* the process is ended when this returns, or after five seconds */
		Sleep(INFINITE);
	}
	return TRUE;
}

bool signal_listen(struct wakeup *w, unsigned set)
{
	if (!SetConsoleCtrlHandler(console_said, TRUE)) {
		errno = ENOMEM;
		return false;
	}
	AcquireSRWLockExclusive(&signals.lock);
	signals.bell = w;
	signals.heard = set;
	if ((signals.come & set) != 0)
		wakeup_ring(w);
	ReleaseSRWLockExclusive(&signals.lock);
	return true;
}

void signal_listen_end(void)
{
	bool ignores;

	AcquireSRWLockExclusive(&signals.lock);
	signals.bell = NULL;
	ignores = signals.ignores;
	ReleaseSRWLockExclusive(&signals.lock);
	if (!ignores)
		(void)SetConsoleCtrlHandler(console_said, FALSE);
}

void signal_ignore_console(void)
{
	AcquireSRWLockExclusive(&signals.lock);
	signals.ignores = true;
	ReleaseSRWLockExclusive(&signals.lock);
}

bool signal_take(enum signal *what, const char **name)
{
	bool found = false;

	AcquireSRWLockExclusive(&signals.lock);
	for (unsigned i = 0; i < N_SIGNALS; i++) {
		if ((signals.come & signals.heard & 1u << i) == 0 || (found && signals.turn[i] > signals.turn[*what]))
			continue;
		*what = (enum signal)i;
		found = true;
	}
	if (found) {
		signals.come &= ~(1u << *what);
		*name = signals.name[*what];
	}
	ReleaseSRWLockExclusive(&signals.lock);
	return found;
}
