/*
 * The logins of `pgweir check`: each database as each user that the file knows,
 * by a supervisor without listeners, so by the very code that serves clients.
 * Main thread.
 */
#ifndef MAIN_CHECK_LOGIN_H
#define MAIN_CHECK_LOGIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "conf/config.h"
#include "diag/explain.h"
#include "main/check_finding.h"
#include "main/logging.h"
#include "os/socket.h"
#include "pool/backend.h"
#include "pool/registry.h"

enum login_state {
	LOGIN_PENDING,
	LOGIN_ASKED, /* the opener has been asked for a server */
	LOGIN_OVER
};

enum login_result {
	LOGIN_NONE, /* not tried, or not over */
	LOGIN_GOOD,
	LOGIN_FAILED,   /* `verdict` says why */
	LOGIN_SAME,     /* its address was found dead by another login: that one's verdict */
	LOGIN_NEEDLESS, /* its database's first login has shown that none can work, or (quick) that one does */
	LOGIN_SILENT    /* no answer in time */
};

/* One login to one database as one user. Owned by struct logins. */
struct login_check {
	struct database_check *of;
	const char *user;   /* on the server; in the configuration */
	const char *secret; /* NULL: none known; in the configuration */
	bool looks_up;      /* it is auth_user's, for running auth_query */
	bool is_console;    /* named in admin_users or stats_users: it may have no business there */
	enum login_state state;
	enum login_result result;
	struct entry entry; /* while asked */
	struct pool *pool;  /* while asked; later only a value to compare with */
	const void *behind; /* the backend that it was about; only a value to compare with */
	uint64_t asked_us;

	struct login_phases phases;
	uint64_t phase_us; /* of the step that failed */
	bool reported;     /* by the opener: `result` is known */
	bool other_failed; /* good, but not at the first host that was tried: `verdict` is about that one */
	char where[160];   /* host, address and port that it reached; empty: none */
	struct verdict verdict;
};

/* One entry of [databases], or a name for the template. Owned by struct logins. */
struct database_check {
	const struct conf_database *entry;
	const char *name; /* as clients ask for it */
	struct login_check *login;
	unsigned n_logins, n_out, n_good;
	unsigned n_others;   /* of the logins, those who are no users of the console */
	unsigned n_left_out; /* users beyond what one check looks at */
	bool dead;           /* its address, or its name */
};

/* Owned by one check. */
struct logins {
	const struct config *config;
	struct database_check *database;
	unsigned n_databases, n_logins, n_over, n_out;
	bool quick;
	bool template_left_out; /* there is a template and nobody gave a name */
	struct supervisor *supervisor;
	struct timer *tick;
	struct signal_watch *interrupts;
	uint64_t began_us, told_us;
	bool interrupted, progress_shown;
	bool shows_progress; /* on stderr */
};

/* The list of what to log in to. `name` is for the template, or NULL. False: out of memory; logins_fini is right then,
   too. */
bool logins_init(struct logins *l, const struct config *c, const char *name, bool quick) MUST_USE;
void logins_fini(struct logins *l);

/* How it ended. */
enum logins_end {
	LOGINS_DONE,
	LOGINS_INTERRUPTED, /* by SIGINT or SIGTERM */
	LOGINS_FAILED       /* could not begin; the log says why */
};

/* Tries them all. `*stuck`: a lookup that cannot be ended keeps a thread: the process must end by _exit. */
enum logins_end logins_run(struct logins *l, struct logging *logging, bool *stuck) MUST_USE;

/* What came of it. */
void logins_tell(const struct logins *l, struct findings *f);

/* The login of the user who runs auth_query for clients of this database; NULL: nobody does. */
const struct login_check *logins_of_lookups(const struct logins *l, const struct database_check *d);

/* The first login of a database that worked; NULL: none did. */
const struct login_check *logins_good(const struct database_check *d);

#endif
