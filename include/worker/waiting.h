/*
 * Why a client waits: the whole story as plain values, and as the DETAIL and HINT
 * of what the client is told.
 */
#ifndef WORKER_WAITING_H
#define WORKER_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/str.h"
#include "pool/pool.h"

struct client;
struct worker;

#define WAITING_SHARES 3u
#define WAITING_NAME_BYTES 64u
#define WAITING_TEXT_LIMIT_BYTES 16384u /* of DETAIL and of HINT */

enum waiting_reason {
	WAITING_BUSY,      /* all servers are at work */
	WAITING_LIMIT,     /* likewise, and `limited_by` keeps the pool from getting more */
	WAITING_OPENING,   /* a server is being made */
	WAITING_DOWN,      /* there is none, and none can be made */
	WAITING_DOWN_BUSY, /* those that there are are at work, and no other can be made */
	WAITING_PAUSED
};

/* A pool that has servers under the limit that was met. */
struct waiting_share {
	char name[WAITING_NAME_BYTES]; /* its user, or its database when the limit is the user's */
	uint32_t n_servers;
};

/* The story of one seat's clients at one moment. Owned by its holder; holds a reference to an outage. */
struct waiting_why {
	const struct seat *seat; /* whose; only to be compared */
	uint64_t at_us;          /* when */
	enum waiting_reason reason;
	struct pool_crowd crowd;
	char database[WAITING_NAME_BYTES], user[WAITING_NAME_BYTES]; /* of the pool; long names are cut */
	const char *limited_by;                                      /* a setting; NULL: no limit was met */
	uint32_t limit, reserve;                                     /* its value; reserve_pool_size if that counts */
	bool is_session;                                             /* pool_mode = session */
	bool lookups;                                                /* the pool is one that runs auth_query */
	struct waiting_share share[WAITING_SHARES];                  /* who has most servers under that limit */
	uint32_t n_others;                                           /* pools that have some and are not named there */
};

/* Why the seat's clients wait now. The worker's own: valid until the next call. `n_more`: clients that are meant but
   not in the queue any more. */
const struct waiting_why *waiting_why(struct worker *w, struct seat *s, uint32_t n_more);
/* The reason alone, without looking at others under the limit; `*limit` is LIMIT_NONE if there is none. */
enum waiting_reason waiting_reason_now(struct seat *s, enum pool_limit *limit);
/* What the worker keeps for that. */
void waiting_forget(struct worker *w);

/* Copies, with a reference of its own: waiting_fini. */
void waiting_copy(struct waiting_why *to, const struct waiting_why *from);
void waiting_fini(struct waiting_why *why);

/* One sentence without capital and full stop. `is_login`: for a client that waits for the pool's first server. */
void waiting_write_sentence(const struct waiting_why *why, bool is_login, struct str *out);
/* Sentences for DETAIL and HINT; an empty hint means that nothing is to be done. */
void waiting_write_detail(const struct waiting_why *why, bool is_login, struct str *out);
void waiting_write_hint(const struct waiting_why *why, struct str *out);

/* What the client does that has a server, in words: "idle in transaction"; "" if nobody has looked. */
const char *holder_state_text(enum holder_state state);
/* What this worker's client does with its server. */
struct holder waiting_holder(const struct client *c, uint64_t now_us);

/* The worker of the seat tells its pool who has the server lent longest there, if somebody has asked. */
void waiting_answer(struct worker *w, struct seat *s);
/* Asks the worker that knows who holds the server lent longest, some time before anybody is told. */
void waiting_ask(struct worker *w, struct seat *s);

/* Ends waiting with FATAL: this text (SQLSTATE `precise` if error_sqlstate says so), and why in DETAIL and HINT; a row
   of this class in SHOW ERRORS. */
void waiting_fail(struct client *c, const char *class, const char *precise, const char *text);
/* query_wait_timeout, likewise. */
void waiting_time_out(struct client *c);
/* The same with the outage's verdict, for a client of a pool whose servers are busy. */
void waiting_fail_busy(struct client *c, struct outage *outage);

#endif
