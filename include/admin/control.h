/*
 * What the console can have done to the process, and what it may look at. Main
 * fills this table at start and implements every function; admin/ only calls it.
 * Main thread.
 */
#ifndef ADMIN_CONTROL_H
#define ADMIN_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "conf/config.h"
#include "pool/opener.h"
#include "worker/office.h"

struct dns;
struct loop;
struct supervisor;

enum shutdown_mode { SHUTDOWN_NOW, SHUTDOWN_WAIT_FOR_SERVERS, SHUTDOWN_WAIT_FOR_CLIENTS };

/* The outcome of an action. Texts are valid during the call only. */
struct control_reply {
	bool ok;
	const char *sqlstate;       /* of an error; NULL: 08P01 */
	const char *error;          /* when not ok: the primary text */
	const char *detail, *hint;  /* may be NULL */
	const char *const *notices; /* NULL, or texts for NOTICEs, ends with NULL */
};

/* Called exactly once per action, never from inside the call that asked for it, unless control->forget was called
 * before. */
typedef void control_done(void *asker, const struct control_reply *reply);

/* Cancel requests on their way to a peer. */
struct peer_counts {
	unsigned waiting;    /* for a connection to be free */
	unsigned connecting; /* not sent yet */
	unsigned active;     /* sent, and the peer has not closed yet */
};

struct control {
	struct supervisor *self;

	/* What may be looked at. Pointers stay the same for the life of the process; config() is of this moment. */
	struct office *office;
	struct opener *opener;
	struct dns *dns;
	struct loop *loop;
	const struct config *(*config)(struct supervisor *s);
	bool (*is_paused)(struct supervisor *s);
	bool (*is_shutting_down)(struct supervisor *s);
	/* From the first SIGTERM or SIGINT, or a SHUTDOWN of any mode: already during drain_delay, in which everybody
	 * is served and is_shutting_down still says no. */
	bool (*is_draining)(struct supervisor *s);
	/* Of SHOW PEER_POOLS. False: nothing was ever passed on to that peer. */
	bool (*peer_counts)(struct supervisor *s, int id, struct peer_counts *counts);
	const char *(*config_path)(struct supervisor *s); /* "" when started from a URL */

	/* Actions; `database` NULL means all. The texts of errors are the reference's (section 10.3). */
	void (*reload)(struct supervisor *s, control_done *done, void *asker);
	void (*set)(struct supervisor *s, const char *name, const char *value, control_done *done, void *asker);
	void (*pause)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*resume)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*disable)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*enable)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*reconnect)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*kill)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*kill_client)(struct supervisor *s, uint64_t id, control_done *done, void *asker);
	void (*wait_close)(struct supervisor *s, const char *database, control_done *done, void *asker);
	void (*shutdown)(struct supervisor *s, enum shutdown_mode mode, control_done *done, void *asker);
	/* The asker has gone, or sent a cancel request: `done` will not be called any more. A PAUSE that still waits
	 * goes on when its asker has gone, and is undone when it was canceled. */
	void (*forget)(struct supervisor *s, void *asker, bool canceled);
};

#endif
