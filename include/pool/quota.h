/*
 * A limit that pools share: the connections of a database, of a user, at a host,
 * of the process. How many permits are out under it, and which pools wait for one.
 */
#ifndef POOL_QUOTA_H
#define POOL_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "pool/pool.h"

/* Owned by main, except `call`. */
struct quota {
	uint32_t n_permits;
	uint32_t n_evicting;  /* of those, being closed for somebody who waits */
	bool calling;         /* `call` has been issued since a permit last came back */
	struct list short_of; /* pools (opener_pool.short_of), first those whose clients wait longest */
	struct call call;     /* pools point to it: it lives as long as they do */
};

/* `host`: whose quota it is, NULL for other limits. Main, or before anybody else knows it. */
static inline void quota_init(struct quota *q, enum pool_limit limit, const struct host *host)
{
	q->n_permits = q->n_evicting = 0;
	q->calling = false;
	list_init(&q->short_of);
	atomic_init(&q->call.since_us, 0);
	q->call.limit = limit;
	q->call.host = host;
}

#endif
