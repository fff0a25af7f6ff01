/*
 * A service manager that starts a program and waits for it to report (Windows'). Other systems have none, and say so:
 * there a program need not know that it is a service, but for what os/service.h says.
 */
#ifndef OS_SERVICE_MANAGER_H
#define OS_SERVICE_MANAGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"

/* There is one. */
bool service_manager_exists(void) MUST_USE;

/* ---- being a service ---- */

enum service_run {
	SERVICE_RAN,        /* from start to end, which the manager knows */
	SERVICE_NOT_WAITED, /* nobody waits for one: somebody has typed the command */
	SERVICE_NO_MANAGER, /* this system has none */
	SERVICE_RUN_FAILED  /* errno says why */
};

/* Calls `serve(arg)` on a thread that then counts as the main one, while the manager is told the state (os/service.h)
   and its orders become signals (os/signal.h). The result is the exit code that the manager shows: 0, or the service's
   own number for what went wrong; it is told before this returns, and the process shall end then. Main thread. */
enum service_run service_run(uint32_t (*serve)(void *arg), void *arg) MUST_USE;

/* ---- registering one ---- */

enum service_begin { SERVICE_DELAYED, SERVICE_AUTOMATIC, SERVICE_ON_DEMAND };

/* A file that the service uses, or a directory. */
enum service_use {
	SERVICE_READS,
	SERVICE_ENTERS, /* a directory: it works there, and sees which files there are */
	SERVICE_WRITES  /* and makes it, renames it, removes it, with others beside it */
};

struct service_file {
	enum service_use use;
	char *path;
};

/* What is to be registered. Texts are borrowed. */
struct service_plan {
	const char *name;     /* of the service, and of the source of its events */
	const char *config;   /* the configuration file, absolute */
	const char *account;  /* NULL: a virtual one, its own */
	const char *password; /* NULL: none; secret */
	enum service_begin begin;
	const char *dependencies; /* services that start first, separated by commas */
	uint64_t stop_us;         /* how long its stop may take */
	const char *source;       /* another name that its events may have (syslog_ident); NULL: none */
	const struct service_file *files;
	size_t n_files;
};

/* Registers it, gives its account access to the files, and has the Event Log know its texts. False after saying why in
   the log; nothing is left behind then. What could not be done, but is no reason to fail, is a warning there. */
bool service_register(const struct service_plan *plan, struct log *log) MUST_USE;

/* The name of a service that is registered with this configuration file, whatever is in it (mem_free). NULL: there is
   none, or nobody may know. */
char *service_find(const char *config) MUST_USE;

/* Stops it if it runs, and takes all of that back. False after saying why in the log. */
bool service_unregister(const char *name, struct log *log) MUST_USE;

#endif
