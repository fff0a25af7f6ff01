/* Wishes from outside: what the service manager sends is posted here, what the console says is heard here. */
#include "os/wish.h"

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
	unsigned come, heard;       /* sets of wishes: not taken yet; that the listener wants */
	const char *name[N_WISHES]; /* of those that have come */
	unsigned turn[N_WISHES];    /* when they came: a pause that follows its end is not one that precedes it */
	unsigned last_turn;
	struct wakeup *bell; /* NULL: nobody listens */
} wishes = {.lock = SRWLOCK_INIT};

void wish_post(enum wish what, const char *name)
{
	AcquireSRWLockExclusive(&wishes.lock);
	wishes.come |= 1u << what;
	wishes.name[what] = name;
	wishes.turn[what] = ++wishes.last_turn;
	/* does not wait */
	if (wishes.bell != NULL && (wishes.heard & 1u << what) != 0)
		wakeup_ring(wishes.bell);
	ReleaseSRWLockExclusive(&wishes.lock);
}

int wish_signal(enum wish what)
{
	(void)what;
	return 0;
}

const char *wish_signal_name(enum wish what)
{
	(void)what;
	return "";
}

static bool is_heard(enum wish what)
{
	bool heard;

	AcquireSRWLockShared(&wishes.lock);
	heard = wishes.bell != NULL && (wishes.heard & 1u << what) != 0;
	ReleaseSRWLockShared(&wishes.lock);
	return heard;
}

/* On a thread that the system makes for it. FALSE: the system goes on, and ends the process. */
static BOOL WINAPI console_said(DWORD event)
{
	enum wish what = event == CTRL_C_EVENT ? WISH_INTERRUPT : WISH_QUIT;

	/* somebody else's session: only services are told, and theirs goes on */
	if (event == CTRL_LOGOFF_EVENT)
		return TRUE;
	/* the system's end is told to services by their manager, and to others not reliably */
	if ((event != CTRL_C_EVENT && event != CTRL_BREAK_EVENT && event != CTRL_CLOSE_EVENT) || !is_heard(what))
		return FALSE;
	switch (event) {
	case CTRL_C_EVENT:
		wish_post(what, "Ctrl-C");
		break;
	case CTRL_BREAK_EVENT:
		wish_post(what, "Ctrl-Break");
		break;
	default:
		wish_post(what, "the end of its console");
		/* the process is ended when this returns, or after five seconds */
		Sleep(INFINITE);
	}
	return TRUE;
}

bool wish_listen(struct wakeup *w, unsigned set)
{
	if (!SetConsoleCtrlHandler(console_said, TRUE)) {
		errno = ENOMEM;
		return false;
	}
	AcquireSRWLockExclusive(&wishes.lock);
	wishes.bell = w;
	wishes.heard = set;
	if ((wishes.come & set) != 0)
		wakeup_ring(w);
	ReleaseSRWLockExclusive(&wishes.lock);
	return true;
}

void wish_ignore(void)
{
	AcquireSRWLockExclusive(&wishes.lock);
	wishes.bell = NULL;
	ReleaseSRWLockExclusive(&wishes.lock);
	(void)SetConsoleCtrlHandler(console_said, FALSE);
}

bool wish_take(enum wish *what, const char **name)
{
	bool found = false;

	AcquireSRWLockExclusive(&wishes.lock);
	for (unsigned i = 0; i < N_WISHES; i++) {
		if ((wishes.come & wishes.heard & 1u << i) == 0 || (found && wishes.turn[i] > wishes.turn[*what]))
			continue;
		*what = (enum wish)i;
		found = true;
	}
	if (found) {
		wishes.come &= ~(1u << *what);
		*name = wishes.name[*what];
	}
	ReleaseSRWLockExclusive(&wishes.lock);
	return found;
}
