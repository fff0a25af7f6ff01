/*
 * A permit: the right to one server connection. Main gives it out before the
 * connection is begun and gets it back after it is gone, so permits out are
 * connections, and every limit is exact.
 */
#ifndef POOL_PERMIT_H
#define POOL_PERMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/letter.h"
#include "base/list.h"
#include "os/socket.h"
#include "pool/backend.h"
#include "pool/pool.h"
#include "pool/role.h"
#include "pool/settings.h"

#define PERMIT_MAX_TARGETS 16u

/* One place to try. */
struct target {
	const char *host; /* as configured; in the settings */
	struct address address;
	struct backend *backend; /* main's record of it, a reference */
	bool counted; /* main: the permit counts there, because that is where its server is or may come to be */

	/* Set by the worker before it reports. */
	enum server_role role; /* what its server said it is */
	bool overtaken;        /* it was silent for so long that another one was begun, which answered first */
};

/* What one of them answered. */
struct target_failure {
	uint32_t target;   /* index */
	uint64_t phase_us; /* how long the failed phase took */
	struct failure failure;
};

/* What a worker tells main; bits, because news may gather while a letter is under way. */
enum permit_news { PERMIT_OPENED = 1, PERMIT_RETURNED = 2 };

/* Made by main, lent to one worker. The worker's from OPEN until it has reported PERMIT_RETURNED. */
struct permit {
	struct letter letter; /* OPEN to the worker, NEWS to main */
	struct pool *pool;
	struct seat *seat;
	struct pool_settings *settings; /* a reference: of the moment when it was given */
	struct database *database;
	struct account *account;
	uint64_t began_us;
	uint32_t n_secrets;      /* pool_count_secrets then */
	bool brief;              /* each target gets BACKEND_SILENT_US at most */
	bool opened;             /* main: PERMIT_OPENED has been read */
	struct list on_backend;  /* main: in backend->attempts until the login has ended */
	struct backend *backend; /* main: which one that is; NULL: none */

	struct target target[PERMIT_MAX_TARGETS];
	uint32_t n_targets;
	uint32_t n_left_out; /* behind them: known to be down, not tried */

	/* Set by the worker before it reports. */
	uint32_t reached;              /* index of the target that it has logged in at */
	bool connect_query_failed;     /* there: it is used all the same */
	struct login_phases phases;    /* of that login; resolve_us is main's */
	struct target_failure *failed; /* those that failed, in order; NULL: none */
	uint32_t n_failed;
	bool role_is_new;          /* set before PERMIT_RETURNED: what is at the target that was reached */
	enum server_role new_role; /* has become this in mid-session; ROLE_UNKNOWN: it is in doubt */
	struct failure failure;    /* of no target in particular: names, or no memory to say more */
	struct address source;     /* our end of the last connection that failed, when known */

	atomic_uint phase; /* of the login under way, enum failure_phase: the worker says, main looks */

	/* Guarded by: pool->lock. */
	uint8_t news; /* enum permit_news */
	bool posted;
};

/* One of its targets has failed; takes the failure. Worker. */
void permit_add_failure(struct permit *p, uint32_t target, struct failure *why, uint64_t phase_us);

/* How far the login has come, so that main can say where one is stuck that is still silent. Worker. */
void permit_reaches(struct permit *p, enum failure_phase phase);
/* PHASE_RESOLVE until there are targets. Main. */
enum failure_phase permit_phase(const struct permit *p);

/* The worker reports; true: post permit->letter to main. */
bool permit_report(struct permit *p, enum permit_news news) MUST_USE;
/* Main reads the letter: the news, after which it may be posted again. */
uint8_t permit_read(struct permit *p);

#endif
