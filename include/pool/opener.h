/*
 * Only here is decided that a server connection is opened or evicted: limits of
 * pools, databases and accounts are exact because one thread counts permits in
 * one place. Main thread only; no sockets: main resolves names and posts letters.
 */
#ifndef POOL_OPENER_H
#define POOL_OPENER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/histogram.h"
#include "base/letter.h"
#include "base/list.h"
#include "base/log.h"
#include "pool/backend.h"
#include "pool/backoff.h"
#include "pool/condition.h"
#include "pool/permit.h"
#include "pool/pool.h"
#include "pool/registry.h"

struct error_ring;

/* What main knows about opening for one pool; pool->opener. Owned by main. */
struct opener_pool {
	struct pool *pool;
	struct opener_pool *home; /* of a replication connection: whose size it counts in; NULL: its own */
	struct database *database;
	struct account *account;
	uint32_t n_permits;      /* connections that exist or are being made */
	uint32_t n_guests;       /* the same of replication connections that count in this pool's size */
	uint32_t n_evicting;     /* idle ones that close for them */
	struct list guests;      /* those that wait for this pool's size, by `guest` */
	struct list guest;       /* of a replication connection that waits for its home's size */
	uint32_t n_starting;     /* of those, not logged in yet */
	bool full;               /* wants more than its size: considered again when a permit comes back */
	struct list short_of;    /* in the queue of the limit that keeps it from growing */
	struct quota *queue;     /* which one that is, or was */
	uint64_t waits_since_us; /* its place there: since when its clients wait; UINT64_MAX: none does */
	bool is_short;           /* found so when last considered */
	bool only_minimum;       /* what it wants is min_pool_size: nobody waits for that */
	enum pool_limit limit;   /* what kept it from opening more when last considered */
	struct list sleeping;    /* in opener->sleeping until wake_us */
	uint64_t wake_us;
	uint32_t next_target; /* of its hosts, where the next attempt begins: load balancing, or where the last one
	                         succeeded */

	/* the outage; since_us 0: none */
	uint64_t since_us;
	struct backoff retry; /* the pool's own; an address has its own, too */
	uint32_t attempts;
	uint64_t starting_since_us; /* when the oldest attempt under way began; 0: none */
	bool provisional;           /* the outage is that attempt's silence */
	bool of_address;            /* it is that of the address, not the pool's own */
	uint32_t told_tried;        /* backend->n_tried that its clients were told of */
	struct condition told;      /* of the pool's own */

	struct backend *behind; /* the address that its next attempt begins with, as far as known; a reference */
	struct list blocked;    /* in behind->blocked: it may not try now */
	struct backend *known[PERMIT_MAX_TARGETS]; /* all that its last attempt could have tried; references */
	uint32_t n_known;
};

/* An attempt that has ended, for whoever watches. Valid during the call. */
struct attempt {
	const struct pool *pool;
	const char *host;              /* NULL: none was reached, the name is unknown */
	const struct address *address; /* likewise */
	struct login_phases phases;
	uint64_t phase_us;             /* how long the step took that failed */
	const struct verdict *verdict; /* NULL: success */
};

struct opener {
	struct registry *registry;
	struct error_ring *errors;    /* outages, for SHOW ERRORS */
	struct histogram login_times; /* of servers: name lookup, connecting, TLS, authentication, connect_query */
	struct log *log;
	const struct config *config; /* a reference, of the running edition */
	struct list sleeping;
	struct backends backends;
	struct quota process;                                      /* of max_server_connections */
	void (*attempt_ended)(void *arg, const struct attempt *a); /* may be NULL */
	void *attempt_arg;
	struct letters to_resolve; /* permits, by their letters, that need their names resolved: main takes them */
	uint64_t random;           /* state of the jitter */
	uint64_t wall_offset_us;   /* wall clock minus steady clock */
	/* lines about databases that only strangers have named, in their window of time (outages.c) */
	uint64_t named_since_us, n_named_left_out;
	unsigned n_named;
	bool in_container;
	bool on_windows, below_windows; /* as in struct facts */
	bool draining;                  /* a shutdown waits for servers: nothing is opened */
	char account_name[64];          /* the system account that we run as */
	char name_servers[128];         /* that this machine asks; "": not known */
};

struct opener *opener_new(struct registry *r, struct log *l, const struct config *c, uint64_t random) MUST_USE;
void opener_free(struct opener *o);
void opener_set_config(struct opener *o, const struct config *c);

/* Something about the pool has changed (WANT, resumed, reloaded, a tick): open what is needed and allowed. Letters in
   `out`; new permits are in o->to_resolve: main resolves each and calls opener_resolved. */
void opener_consider(struct opener *o, struct pool *p, uint64_t now_us, struct letters *out);

/* Names are addresses now: the permit's letter OPEN is added to `out`. With no target at all, permit->failure says why.
 */
void opener_resolved(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out);
/* The next permit to resolve, NULL: none. */
struct permit *opener_take_unresolved(struct opener *o);

/* A permit's letter has come. Frees the permit when it is back. */
void opener_news(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out);

/* Timed work is due at opener_next_us (UINT64_MAX: none). */
uint64_t opener_next_us(const struct opener *o);
void opener_tick(struct opener *o, uint64_t now_us, struct letters *out);

/* After a change of its settings, or of its state: considers the pool at the next opener_tick, which is due at once.
 * May be called with the registry's lock held. */
void opener_consider_soon(struct opener *o, struct pool *p, uint64_t now_us);

/* RECONNECT, RESUME, new settings: try at once, whatever was known. */
void opener_forget_outage(struct opener *o, struct pool *p);

/* Main's own part of a pool that is about to be freed. */
void opener_forget(struct opener *o, struct pool *p);

#endif
