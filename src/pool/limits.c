/*
 * The limits that pools share: who has room under them, who waits for it in which
 * order, and who makes room. Main thread; permits are counted here and nowhere else.
 *
 *   limits_have_room ── no ──> in the limit's queue, by age of the longest waiter
 *                                 └─ the first in it: make_room ──> an idle server of another pool closes (CLOSE)
 *                                                        └────────> all are at work: a call (pool.h)
 *   a permit comes back ──> limits_give_back ──> limits_serve: the pools in the queues, the longest waiter first
 */
#include <string.h>

#include "base/clock.h"
#include "pool/opener_private.h"

#define FIRST_AGAIN_US (20 * US_PER_MS)   /* nothing tells main that a server elsewhere has become idle */
#define OTHERS_AGAIN_US (200 * US_PER_MS) /* whoever is first may leave without a word */
#define LONG_AGO_US 1u                    /* whoever is over a limit gives way to nobody in particular */

static struct opener_pool *part_short_of(struct list *node)
{
	return container_of(node, struct opener_pool, short_of);
}

/* ---- counting ---- */

struct bound {
	struct quota *quota;
	uint32_t most;
};

#define BOUNDS 3u /* beside the host's */

static void bounds_of(struct opener *o, const struct opener_pool *op, struct bound bound[BOUNDS])
{
	const struct pool_settings *set = op->pool->settings;

	bound[0] = (struct bound){&op->database->quota, set->max_db_connections};
	bound[1] = (struct bound){&op->account->quota, set->max_user_connections};
	bound[2] = (struct bound){&o->process, set->max_server_connections};
}

/* All limits but the hosts' that this permit counts under. */
static unsigned quotas_of(struct opener *o, const struct permit *permit, struct quota *quota[])
{
	quota[0] = &permit->database->quota;
	quota[1] = &permit->account->quota;
	quota[2] = &o->process;
	return BOUNDS;
}

static unsigned hosts_of(const struct permit *permit, struct quota *quota[])
{
	unsigned n = 0;

	for (uint32_t i = 0; i < permit->n_targets; i++)
		if (permit->target[i].counted)
			quota[n++] = &permit->target[i].backend->at->quota;
	return n;
}

void limits_take(struct opener *o, const struct permit *permit)
{
	struct quota *quota[BOUNDS];

	for (unsigned i = quotas_of(o, permit, quota); i-- > 0;)
		quota[i]->n_permits++;
}

/* Whoever has called is heard: a server has gone. */
static void give_back(struct quota *q)
{
	q->n_permits--;
	if (q->n_evicting > 0)
		q->n_evicting--;
	q->calling = false;
	atomic_store(&q->call.since_us, 0);
}

unsigned limits_give_back(struct opener *o, struct permit *permit, struct quota *quota[LIMITS_OF_PERMIT])
{
	unsigned n = quotas_of(o, permit, quota);

	n += hosts_of(permit, quota + n);
	for (unsigned i = 0; i < n; i++)
		give_back(quota[i]);
	for (uint32_t i = 0; i < permit->n_targets; i++)
		permit->target[i].counted = false;
	return n;
}

/* ---- hosts ---- */

static bool host_has_room(const struct backend *b, const struct pool_settings *set)
{
	return b == NULL || b->at->quota.n_permits < set->max_host_connections;
}

static void forget_hosts(struct opener_pool *op)
{
	for (uint32_t i = 0; i < op->n_known; i++)
		backend_unref(op->known[i]);
	op->n_known = 0;
}

void limits_forget_pool(struct opener_pool *op)
{
	list_remove(&op->short_of);
	forget_hosts(op);
}

/* Where it could connect to: so that it need not be tried to know that there is no room. */
static void know_hosts(struct opener_pool *op, const struct permit *permit)
{
	forget_hosts(op);
	for (uint32_t i = 0; i < permit->n_targets; i++)
		if (permit->target[i].backend != NULL)
			op->known[op->n_known++] = backend_ref(permit->target[i].backend);
}

void limits_take_hosts(struct opener_pool *op, struct permit *permit)
{
	const struct pool_settings *set = op->pool->settings;
	uint32_t n = 0;

	know_hosts(op, permit);
	for (uint32_t i = 0; i < permit->n_targets; i++) {
		struct target t = permit->target[i];

		if (!host_has_room(t.backend, set)) {
			backend_unref(t.backend); /* the pool knows it */
			continue;
		}
		t.counted = t.backend != NULL;
		if (t.counted)
			t.backend->at->quota.n_permits++;
		permit->target[n++] = t;
	}
	memmove(&permit->target[n], &permit->target[permit->n_targets], permit->n_left_out * sizeof(permit->target[0]));
	permit->n_targets = n;
}

void limits_reached(struct opener *o, struct permit *permit, uint64_t now_us, struct letters *out)
{
	struct quota *quota[PERMIT_MAX_TARGETS];
	unsigned n = 0;

	for (uint32_t i = 0; i < permit->n_targets; i++) {
		struct target *t = &permit->target[i];

		if (!t->counted)
			continue;
		quota[n++] =
		    &t->backend->at->quota; /* of the one reached, too: some who wait there can do with another */
		if (i == permit->reached)
			continue;
		t->counted = false;
		t->backend->at->quota.n_permits--;
	}
	if (n > 1)
		limits_serve(o, quota, n, now_us, out);
}

/* The host that keeps it from connecting; NULL: one has room, or it is not known where it would connect to. */
static struct quota *full_host(const struct opener_pool *op, uint64_t now_us)
{
	struct quota *full = NULL;

	for (uint32_t i = 0; i < op->n_known; i++) {
		const struct backend *b = op->known[i];

		if (!backend_admits(b, now_us))
			continue;
		if (host_has_room(b, op->pool->settings))
			return NULL;
		if (full == NULL)
			full = &b->at->quota;
	}
	return full;
}

/* ---- making room ---- */

struct coldest {
	const struct opener_pool *wanting;
	const struct call *call;
	bool own_too; /* more are out than the limit allows */
	struct pool *pool;
	uint64_t since_us;
};

static bool is_under(const struct coldest *c, const struct opener_pool *op)
{
	if (op == NULL || op->n_permits == 0 || (op == c->wanting && !c->own_too))
		return false;
	if (c->call->limit == LIMIT_DATABASE)
		return op->database == c->wanting->database;
	return c->call->limit != LIMIT_USER || op->account == c->wanting->account;
}

static void look_for_coldest(void *arg, struct pool *p)
{
	struct coldest *c = (struct coldest *)arg;
	uint64_t since;

	if (!is_under(c, p->opener))
		return;
	since = pool_coldest_us(p, c->call->host);
	if (since != 0 && (c->pool == NULL || since < c->since_us)) {
		c->pool = p;
		c->since_us = since;
	}
}

static void call_pool(void *arg, struct pool *p)
{
	const struct coldest *c = (const struct coldest *)arg;

	if (is_under(c, p->opener))
		pool_call(p, (struct call *)(uintptr_t)c->call);
}

static bool is_answered(const struct quota *q)
{
	return q->calling && atomic_load(&q->call.since_us) == 0;
}

static void call_off(struct quota *q)
{
	q->calling = false;
	atomic_store(&q->call.since_us, 0);
}

/* One at a time: the server that was not used for longest, or, if all are at work, the next that comes free. */
static void make_room(struct opener *o, const struct opener_pool *op, struct quota *q, uint64_t since_us, bool own_too,
                      struct letters *out)
{
	const char *database = q->call.limit == LIMIT_DATABASE ? op->database->name : NULL;
	struct coldest c = {op, &q->call, own_too, NULL, 0};

	if (q->n_evicting > 0 || is_answered(q))
		return;
	registry_each_pool(o->registry, database, look_for_coldest, &c);
	if (c.pool != NULL && pool_evict_coldest(c.pool, q->call.host, q->call.limit, out)) {
		call_off(q);
		q->n_evicting++;
		return;
	}
	q->calling = true;
	atomic_store(&q->call.since_us, since_us);
	registry_each_pool(o->registry, database, call_pool, &c);
}

void limits_trim(struct opener *o, const struct opener_pool *op, struct letters *out)
{
	struct bound bound[BOUNDS];

	bounds_of(o, op, bound);
	for (unsigned i = 0; i < BOUNDS; i++)
		if (bound[i].quota->n_permits > bound[i].most)
			make_room(o, op, bound[i].quota, LONG_AGO_US, true, out);
	for (uint32_t i = 0; i < op->n_known; i++)
		if (op->known[i]->at->quota.n_permits > op->pool->settings->max_host_connections)
			make_room(o, op, &op->known[i]->at->quota, LONG_AGO_US, true, out);
}

/* ---- queues ---- */

static bool is_in_order(const struct quota *q, const struct opener_pool *op)
{
	struct list *before = op->short_of.prev, *after = op->short_of.next;

	return (before == &q->short_of || part_short_of(before)->waits_since_us <= op->waits_since_us) &&
	       (after == &q->short_of || part_short_of(after)->waits_since_us >= op->waits_since_us);
}

/* Its place among those who wait for that limit. Who has waited as long as another keeps it: if each stepped back
   behind the other when it is looked at, neither would be the first and call. */
static void queue_in_order(struct quota *q, struct opener_pool *op)
{
	struct list *before;

	if (op->queue == q && !list_is_empty(&op->short_of) && is_in_order(q, op))
		return;
	list_remove(&op->short_of);
	before = q->short_of.prev;
	while (before != &q->short_of && part_short_of(before)->waits_since_us > op->waits_since_us)
		before = before->prev;
	list_add_head(before, &op->short_of); /* behind it */
	op->queue = q;
}

static struct opener_pool *first_of(const struct quota *q)
{
	struct list *node = list_first(&q->short_of);

	return node == NULL ? NULL : part_short_of(node);
}

void limits_refresh(struct opener_pool *op)
{
	struct pool_need need;

	pool_needs(op->pool, &need);
	op->waits_since_us = need.lacking > 0 ? need.lacks_since_us : UINT64_MAX;
	if (!list_is_empty(&op->short_of))
		queue_in_order(op->queue, op);
}

void limits_leave(struct opener_pool *op)
{
	if (list_is_empty(&op->short_of))
		return;
	list_remove(&op->short_of);
	if (list_is_empty(&op->queue->short_of) && !is_answered(op->queue))
		call_off(op->queue);
}

static void wait_for(struct opener *o, struct opener_pool *op, struct quota *q, uint64_t now_us, struct letters *out)
{
	bool is_first;

	if (op->queue != q)
		limits_leave(op);
	queue_in_order(q, op);
	op->is_short = true;
	op->limit = q->call.limit;
	is_first = first_of(q) == op;
	if (is_first)
		make_room(o, op, q, op->waits_since_us, false, out);
	opener_wake_at(o, op, now_us + (is_first ? FIRST_AGAIN_US : OTHERS_AGAIN_US));
}

/* There is room, but somebody has waited longer for it. */
static bool others_first(struct opener *o, const struct opener_pool *op, const struct quota *q, uint64_t now_us)
{
	struct opener_pool *first = first_of(q);

	if (first == NULL || first == op || first->waits_since_us >= op->waits_since_us)
		return false;
	opener_wake_at(o, first, now_us);
	return true;
}

bool limits_have_room(struct opener *o, struct opener_pool *op, uint64_t since_us, uint64_t now_us, struct letters *out)
{
	struct quota *host = full_host(op, now_us);
	struct bound bound[BOUNDS];

	bounds_of(o, op, bound);
	op->waits_since_us = since_us;
	for (unsigned i = 0; i < BOUNDS; i++) {
		if (bound[i].quota->n_permits < bound[i].most && !others_first(o, op, bound[i].quota, now_us))
			continue;
		wait_for(o, op, bound[i].quota, now_us, out);
		return false;
	}
	if (host != NULL)
		wait_for(o, op, host, now_us, out);
	return host == NULL;
}

bool limits_have_room_for_minimum(struct opener *o, const struct opener_pool *op, uint64_t now_us)
{
	struct bound bound[BOUNDS];

	bounds_of(o, op, bound);
	for (unsigned i = 0; i < BOUNDS; i++)
		if (bound[i].quota->n_permits >= bound[i].most || !list_is_empty(&bound[i].quota->short_of))
			return false;
	for (uint32_t i = 0; i < op->n_known; i++)
		if (!list_is_empty(&op->known[i]->at->quota.short_of))
			return false;
	return full_host(op, now_us) == NULL;
}

/* ---- serving ---- */

/* Clients have been served or have left since it was put into the queue: it may stand too far in front. */
static struct opener_pool *longest_of(const struct quota *q)
{
	struct opener_pool *first;

	while ((first = first_of(q)) != NULL) {
		uint64_t believed_us = first->waits_since_us;

		limits_refresh(first);
		if (first->waits_since_us <= believed_us || first_of(q) == first)
			break;
	}
	return first;
}

static unsigned longest_waiting(struct quota *quota[], unsigned n)
{
	struct opener_pool *best = NULL;
	unsigned at = n;

	for (unsigned i = 0; i < n; i++) {
		struct opener_pool *op = longest_of(quota[i]);

		if (op == NULL || (best != NULL && op->waits_since_us >= best->waits_since_us))
			continue;
		best = op;
		at = i;
	}
	return at;
}

void limits_serve(struct opener *o, struct quota *quota[], unsigned n, uint64_t now_us, struct letters *out)
{
	unsigned i;

	while ((i = longest_waiting(quota, n)) < n) {
		struct opener_pool *op = first_of(quota[i]);
		uint32_t before = op->n_permits;

		opener_consider(o, op->pool, now_us, out);
		/* it has found no room: nobody behind it would */
		if (op->n_permits == before && !list_is_empty(&op->short_of) && op->queue == quota[i])
			quota[i] = quota[--n];
	}
}
