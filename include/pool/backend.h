/*
 * What main knows about one address at which servers are reached: whether it
 * answers, who is trying, who waits for it. Only what is learned before saying
 * who we are (connecting, TLS) is kept here, because only that concerns every
 * pool behind the address. Main thread; no I/O.
 *
 *   unknown ──> up <──────────────── an attempt came through ──────────────┐
 *      └────────┴──> down: one attempt at a time, when next_try_us has come ┘
 *
 * After an outage the attempts that may be under way at once double with each
 * one that comes through, so that there is no herd.
 */
#ifndef POOL_BACKEND_H
#define POOL_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/list.h"
#include "base/table.h"
#include "os/socket.h"
#include "pool/backoff.h"
#include "pool/condition.h"
#include "pool/quota.h"
#include "pool/role.h"

#define BACKEND_SILENT_US 2000000u /* an attempt without an answer for so long gets a second one beside it */

/* How long each step of a login took, microseconds. */
struct login_phases {
	uint64_t resolve_us, connect_us, tls_us, auth_us, settle_us;
};

/* A place where a server listens, by whatever names it is configured: what max_host_connections counts. Kept for good:
   pools and servers point to it. */
struct host {
	struct table_node node;
	struct address address; /* with port; immutable */
	struct quota quota;
};

struct backend {
	struct table_node node;
	struct host *at;
	struct list on_all;
	uint32_t n_refs;        /* pools and permits that point here */
	char *host;             /* as configured */
	struct address address; /* with port */

	struct list attempts; /* permits (on_backend) of logins under way, oldest first */
	uint32_t n_attempts;
	struct list blocked; /* pools (opener_pool.blocked) that want to connect and may not now */
	uint32_t width;      /* after an outage: so many attempts at once; 0: any number */

	bool down;
	uint64_t since_us;      /* down: when the first attempt that failed began; up: when that ended; 0: never down */
	struct backoff retry;   /* while down */
	uint32_t n_tried;       /* attempts that failed since it is down */
	struct failure failure; /* of the last of them */
	uint64_t failure_age_us; /* how long its phase took */
	struct address source;   /* our end of it, when known */
	struct condition told;   /* the log's view */

	enum server_role role; /* of the server that was last met there; unknown while it is down */
	uint64_t overtaken_us; /* when somebody else last answered sooner by far; 0: not since it answered itself */

	/* For views. */
	uint64_t tried_us; /* when somebody last wanted to connect there */
	uint64_t total_attempts;
	uint64_t n_connect_query_failed; /* connections that are used although their connect_query failed */
	uint32_t n_failures;             /* of any kind, in a row */
	uint64_t success_us;             /* when an attempt last came through; 0: never */
	uint64_t login_us, failure_us;   /* when a login last succeeded, anything last failed; 0: never */
	struct login_phases good;        /* of the last login that succeeded */
	char last_class[48], last_text[256];
	char last_hint[768]; /* what is to be done about it; of more lines than one */
};

/* All backends. Owned by the opener. */
struct backends {
	struct table by_address;
	struct table hosts;
	struct list all; /* in order of creation */
};

void backends_init(struct backends *all, uint32_t seed);
/* Frees them; nothing may refer to one any more. */
void backends_fini(struct backends *all);

/* The record of this host and address, made when there is none, with a reference for the caller. NULL: out of memory.
   Making one forgets those that nothing refers to and nobody has tried for a day. */
struct backend *backend_get(struct backends *all, const char *host, const struct address *address,
                            uint64_t now_us) MUST_USE;
struct backend *backend_ref(struct backend *b);
void backend_unref(struct backend *b); /* NULL is fine */

/* True if one more attempt may begin now. */
bool backend_admits(const struct backend *b, uint64_t now_us);
/* When the oldest attempt began, if it has had no answer for BACKEND_SILENT_US and none came through since; else 0. */
uint64_t backend_silent_since_us(const struct backend *b, uint64_t now_us);
/* When backend_admits may change without any attempt ending; UINT64_MAX: never. */
uint64_t backend_wake_us(const struct backend *b, uint64_t now_us);

/* An attempt came through to somebody who answered in PostgreSQL's protocol or may yet. True: that ended an outage. */
bool backend_came_through(struct backend *b, uint64_t now_us);
/* An attempt that began at `began_us` could not connect. Copies the failure. The caller sets the next try. */
void backend_failed(struct backend *b, const struct failure *f, uint64_t phase_us, uint64_t began_us, uint64_t now_us);
/* How far behind others this address stands in the order of trying: 0 is first. */
unsigned backend_rank(const struct backend *b, enum session_attrs wanted, uint64_t now_us);
/* Try at once. */
void backend_hurry(struct backend *b);

#endif
