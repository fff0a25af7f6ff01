/*
 * Being a service of Windows. The dispatcher has the process's first thread, the manager's orders come on it; a thread
 * of the manager's making runs the program; another one counts checkpoints while something is pending.
 *
 *   service_run ─> dispatcher ─new thread─> serve_main ─> serve(arg) ─> STOPPED ─> dispatcher returns
 *                       └─ an order ─> order_came ─> state, signal_post
 */
#include "os/service.h"

#include <errno.h>
#include <stdlib.h>

#include <windows.h>

#include "base/clock.h"
#include "base/mem.h"
#include "os/service_manager.h"
#include "os/service_state.h"
#include "os/signal.h"
#include "os/win32/code.h"
#include "os/win32/service.h"
#include "os/win32/wide.h"

#define CHECKPOINT_MS 1000u

/* The manager calls back without an argument of ours, and a process can be one service only: all there is of it. */
static struct {
	SRWLOCK lock;
	SERVICE_STATUS_HANDLE handle; /* NULL: this process is no service */
	struct service_state state;   /* Guarded by: lock */
	bool told_to_quit;            /* Guarded by: lock */
	HANDLE ended;                 /* event: no more checkpoints */
	char *name;                   /* UTF-8; set before the program runs */
	uint32_t (*serve)(void *arg);
	void *arg;
} service = {.lock = SRWLOCK_INIT};

/* ---- telling ---- */

static void tell_locked(void)
{
	const struct service_state *s = &service.state;
	SERVICE_STATUS status = {
	    .dwServiceType = SERVICE_WIN32_OWN_PROCESS,
	    .dwCurrentState = (DWORD)s->phase,
	    .dwWin32ExitCode = s->exit_code == 0 ? NO_ERROR : ERROR_SERVICE_SPECIFIC_ERROR,
	    .dwServiceSpecificExitCode = s->exit_code,
	};

	_Static_assert(PHASE_STOPPED == SERVICE_STOPPED && PHASE_STARTING == SERVICE_START_PENDING &&
	                   PHASE_STOPPING == SERVICE_STOP_PENDING && PHASE_RUNNING == SERVICE_RUNNING &&
	                   PHASE_RESUMING == SERVICE_CONTINUE_PENDING && PHASE_PAUSING == SERVICE_PAUSE_PENDING &&
	                   PHASE_PAUSED == SERVICE_PAUSED,
	               "the phases have Windows' numbers");
	if (service_state_accepts(s))
		status.dwControlsAccepted = SERVICE_ACCEPT_STOP | SERVICE_ACCEPT_PRESHUTDOWN |
		                            SERVICE_ACCEPT_PARAMCHANGE | SERVICE_ACCEPT_PAUSE_CONTINUE;
	if (service_state_is_pending(s)) {
		status.dwCheckPoint = s->checkpoint;
		status.dwWaitHint = SERVICE_HINT_MS;
	}
	if (service.handle != NULL)
		SetServiceStatus(service.handle, &status);
}

bool service_notify(const char *state)
{
	AcquireSRWLockExclusive(&service.lock);
	service_state_told(&service.state, state, clock_steady_us());
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
	return true;
}

bool service_notify_reloading(void)
{
	return true; /* no state of its own */
}

bool service_notify_stopping(uint64_t most_us)
{
	AcquireSRWLockExclusive(&service.lock);
	service_state_stopping(&service.state, most_us, clock_steady_us());
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
	return true;
}

void service_notify_pausing(void)
{
	AcquireSRWLockExclusive(&service.lock);
	service_state_pausing(&service.state, clock_steady_us());
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
}

void service_notify_paused(bool paused)
{
	AcquireSRWLockExclusive(&service.lock);
	service_state_paused(&service.state, paused, clock_steady_us());
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
}

static void tell_end(uint32_t exit_code)
{
	AcquireSRWLockExclusive(&service.lock);
	service_state_end(&service.state, exit_code);
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
}

/* ---- checkpoints, and the deadline of a stop ---- */

/* True if it is time to end at once. */
static bool look(void)
{
	uint64_t now_us = clock_steady_us();
	bool late;

	AcquireSRWLockExclusive(&service.lock);
	if (service_state_tick(&service.state, now_us))
		tell_locked();
	late = !service.told_to_quit && service_state_is_late(&service.state, now_us);
	service.told_to_quit |= late;
	ReleaseSRWLockExclusive(&service.lock);
	return late;
}

static DWORD WINAPI count(void *unused)
{
	(void)unused;
	while (WaitForSingleObject(service.ended, CHECKPOINT_MS) == WAIT_TIMEOUT)
		if (look())
			signal_post(SIGNAL_QUIT, "the end of the time for a stop");
	return 0;
}

/* ---- orders ---- */

static void order(enum service_order what, enum signal signal, const char *name)
{
	AcquireSRWLockExclusive(&service.lock);
	service_state_order(&service.state, what, clock_steady_us());
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
	signal_post(signal, name);
}

static DWORD WINAPI order_came(DWORD control, DWORD type, void *data, void *context)
{
	(void)type;
	(void)data;
	(void)context;
	switch (control) {
	case SERVICE_CONTROL_INTERROGATE:
		return NO_ERROR; /* the manager knows what it was told last */
	case SERVICE_CONTROL_STOP:
		order(ORDER_STOP, SIGNAL_INTERRUPT, "STOP");
		return NO_ERROR;
	case SERVICE_CONTROL_PRESHUTDOWN:
		order(ORDER_STOP, SIGNAL_INTERRUPT, "PRESHUTDOWN");
		return NO_ERROR;
	case SERVICE_CONTROL_PARAMCHANGE:
		order(ORDER_RELOAD, SIGNAL_RELOAD, "PARAMCHANGE");
		return NO_ERROR;
	case SERVICE_CONTROL_PAUSE:
		order(ORDER_PAUSE, SIGNAL_PAUSE, "PAUSE");
		return NO_ERROR;
	case SERVICE_CONTROL_CONTINUE:
		order(ORDER_CONTINUE, SIGNAL_RESUME, "CONTINUE");
		return NO_ERROR;
	default:
		return ERROR_CALL_NOT_IMPLEMENTED;
	}
}

/* ---- running ---- */

static void WINAPI serve_main(DWORD n, wchar_t **arguments)
{
	HANDLE counting;
	uint32_t code;

	/* the first one is the name under which it is registered */
	service.name = n > 0 ? utf8_of(arguments[0]) : NULL;
	service_state_begin(&service.state, clock_steady_us());
	service.handle = RegisterServiceCtrlHandlerExW(n > 0 ? arguments[0] : L"", order_came, NULL);
	AcquireSRWLockExclusive(&service.lock);
	tell_locked();
	ReleaseSRWLockExclusive(&service.lock);
	/* without that thread the manager is told less, and nothing else is missing */
	counting = CreateThread(NULL, 0, count, NULL, 0, NULL);
	code = service.serve(service.arg);
	SetEvent(service.ended);
	if (counting != NULL) {
		WaitForSingleObject(counting, INFINITE);
		CloseHandle(counting);
	}
	tell_end(code);
}

bool service_manager_exists(void)
{
	return true;
}

enum service_run service_run(uint32_t (*serve)(void *arg), void *arg)
{
	static wchar_t any_name[] = L""; /* a process that is one service is not asked which */
	SERVICE_TABLE_ENTRYW table[] = {{any_name, serve_main}, {NULL, NULL}};
	DWORD code = NO_ERROR;

	service.serve = serve;
	service.arg = arg;
	service.ended = CreateEventW(NULL, TRUE, FALSE, NULL);
	if (service.ended == NULL || !StartServiceCtrlDispatcherW(table))
		code = GetLastError();
	if (service.ended != NULL)
		CloseHandle(service.ended);
	if (code == NO_ERROR)
		return SERVICE_RAN;
	if (code == ERROR_FAILED_SERVICE_CONTROLLER_CONNECT)
		return SERVICE_NOT_WAITED;
	errno = errno_of_code(code);
	return SERVICE_RUN_FAILED;
}

const char *service_log_name(void)
{
	return service.name;
}

/* ---- what only systemd has ---- */

unsigned service_count_sockets(void)
{
	return 0;
}

unsigned service_take_sockets(void)
{
	return 0;
}

bool service_has_journal(void)
{
	return false;
}

bool service_journal(enum log_level level, const char *text)
{
	(void)level;
	(void)text;
	return false;
}

uint64_t service_watchdog_us(void)
{
	return 0;
}
