/*
 * The service manager. systemd: the sockets it has opened for us (sd_listen_fds(3)), what it wants to be told
 * (sd_notify(3)), and its journal; all are short protocols that systemd documents for programs without its library.
 * Windows' (os/service_manager.h) is told the same as states. Elsewhere nothing is passed and nobody is told.
 */
#ifndef OS_SERVICE_H
#define OS_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"

/* Descriptors that were passed to this process: the first one, and how many (0: none). They are its own from
   service_take_sockets on. Main thread, before others exist. */
#define SERVICE_FIRST_SOCKET 3
unsigned service_count_sockets(void);
/* The same, once: the environment forgets them, so that no child takes them for its own. */
unsigned service_take_sockets(void);

/* Tells the service manager: assignments with newlines between, e.g. "READY=1". True if it was told or there is none;
   else errno. Does not wait. Any thread. */
bool service_notify(const char *state) MUST_USE;
/* True if stderr leads to systemd's journal, which takes level and text apart (JOURNAL_STREAM). Main thread. */
bool service_has_journal(void);
/* For log_set_journal: one entry of the journal, whatever lines the text has. Any thread. */
bool service_journal(enum log_level level, const char *text);

/* How long this process may be silent before the service manager takes it for hung (WatchdogSec); 0: it does not
   watch. Main thread. */
uint64_t service_watchdog_us(void);
/* "RELOADING=1", with the time that goes with it. */
bool service_notify_reloading(void) MUST_USE;
/* "STOPPING=1": the end begins. Windows also wants to know how long it may take: if it has ordered the end, it tells us
 * to end at once then.
 */
bool service_notify_stopping(uint64_t most_us) MUST_USE;
/* Everything is being paused, is paused, or is not any more. systemd has no states for that. */
void service_notify_pausing(void);
void service_notify_paused(bool paused);

/* The name under which a service's troubles belong into the system's log whatever the settings say, because whoever
   looks after services looks there: Windows' Event Log, for one that its manager has started. NULL: no such place.
   Lives as long as the process. */
const char *service_log_name(void);

#endif
