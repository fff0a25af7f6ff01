/*
 * The process as the system sees it: user, pidfile, background, syslog. Main
 * thread, at start-up, before other threads exist, unless it says otherwise.
 */
#ifndef OS_PROCESS_H
#define OS_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"

/*
 * The first thing of a program: signals that nobody wants are ignored, local time is known, consoles take UTF-8.
 * Returns the words of the command line and how many; they and the environment ("NAME=value", NULL behind the last one)
 * are UTF-8 and stay.
 */
char *const *os_begin(int *argc, char **argv);
char *const *os_environment(void);

/* The last thing of a program: what main returns, `status`. On Windows the process ends here, when what was written to
   streams is out: to return would end threads that the system makes for Ctrl-C, and wait for the locks they hold. */
int os_end(int status) MUST_USE;

/* Whether stderr and stdout are shown to somebody by something that takes UTF-8, as far as the system tells without the
   environment. */
bool os_console_is_utf8(void);

/* What this machine calls itself, cut to fit; "" if it has no name. Any thread. */
const char *os_machine_name(char *buf, size_t size);

/* Effective user id, and whether it is the superuser's; on Windows the last part of the user's identifier, and whether
   the process has an administrator's rights. Any thread. */
int64_t os_user_id(void);
bool os_is_superuser(void);

/* Name of a user id; false if it has none or it does not fit. Windows knows only this process's. May block on directory
   services. Any thread. */
bool os_user_name(int64_t uid, char *buf, size_t size) MUST_USE;

/* True if this process runs in a container (Docker, Podman, LXC, Kubernetes), as far as can be told from the files
   below `root`, which is "" but in tests. Any thread. */
bool os_is_in_container(const char *root) MUST_USE;

/* The name servers that a resolver configuration like /etc/resolv.conf names, or, with NULL, those of the system:
   "10.0.0.2, 10.0.0.3"; "" if there are none or it cannot be read. Reads a file: not for the data path. */
const char *os_name_servers(const char *path, char *buf, size_t size);

/* True if a file like /etc/nsswitch.conf names more sources of host names than files and DNS: mdns, myhostname, sss. On
   Windows there are always more. Reads a file: not for the data path. */
bool os_names_have_other_sources(const char *path) MUST_USE;

/* Whether a process can become another user, and whether it can go into the background by itself. */
bool os_can_switch_user(void) MUST_USE;
bool os_can_daemonize(void) MUST_USE;

/* Becomes that user with its groups, for good. False with errno set; ENOENT: there is no such user. */
bool os_switch_user(const char *user) MUST_USE;

/*
 * Gives a Unix socket's file to a group (NULL or "": as it is), then sets its mode. Without a moment in which the wrong
 * people may connect: listen with mode 0700 first, then call this. False with errno set; ENOENT with an existing file:
 * there is no such group.
 */
bool os_share_socket_file(const char *path, const char *group, int mode) MUST_USE;

/* A pidfile holds a decimal process id and a newline. Empty or garbled files count as in use. Its maker keeps it locked
   (flock; on Windows, open), so that of several that start at the same time only one takes it for stale. */
enum pidfile_state {
	PIDFILE_FREE,   /* no such file */
	PIDFILE_STALE,  /* named a process that is dead, or this one, which has made none yet; has been removed */
	PIDFILE_IN_USE, /* is locked, names a living process, or says nothing sensible */
	PIDFILE_FAILED  /* cannot be read or removed; errno says why */
};

enum pidfile_state pidfile_check(const char *path) MUST_USE;

/* Created exclusively, mode 0644, with this process's id. A descriptor that keeps it locked; -1 with errno set and no
   file left behind. */
int pidfile_create(const char *path) MUST_USE;

/* Removes it if it still is the one behind the descriptor, which is closed. */
void pidfile_remove(const char *path, int fd);

/*
 * Goes into the background: new session, standard streams to /dev/null, working directory kept. It returns in three
 * processes, and each must do what its role says. The original waits until the one in the background is ready or has
 * ended, so that its exit status says whether the start succeeded.
 */
enum daemon_role {
	DAEMON_GO_ON, /* the one in the background: carry on, and call os_daemon_ready(*ready) when ready */
	DAEMON_LEAVE, /* call _exit(0) at once: the original, whose work is done, or one in between */
	DAEMON_LOST,  /* the original: the one in the background has ended before it was ready, and has logged why */
	DAEMON_FAILED /* the original, nothing has changed; errno says why */
};

enum daemon_role os_daemonize(int *ready) MUST_USE;
/* Lets the original go; `ready` is closed. */
void os_daemon_ready(int ready);

/*
 * The system log: syslog, or Windows' Event Log. `ident` is kept by reference: it must live until the next open or
 * close. Unknown facilities are "daemon". Where events have numbers, `id_of` tells a record's; 0: it is left out. Main
 * thread at any time; the sink may be called by any thread meanwhile.
 */
typedef unsigned os_event_id(const struct log_event *e);
void os_syslog_open(const char *ident, const char *facility, os_event_id *id_of);
void os_syslog_close(void);
void os_syslog_sink(const struct log_event *e, const char *text);

/* What the process uses; 0: not known. */
struct process_usage {
	uint64_t cpu_us;
	uint64_t resident_bytes, virtual_bytes;
	uint64_t n_descriptors, most_descriptors;
};

/* Any thread; takes as long as a few system calls. */
void os_process_usage(struct process_usage *u);

/* Ends this process while other threads of it run: nothing is flushed, no handler is called, nobody is waited for. */
_Noreturn void os_end_at_once(int status);

/* Random bytes straight from the system, for when the library has none. Any thread. */
void os_random(void *bytes, size_t len);

#endif
