/*
 * Who waits for whom: the whole of it is here. Any thread; every function takes
 * the pool's lock, moves pointers, and leaves letters for its caller to post.
 *
 *   client wants      pool_borrow ──> BORROWED           (own idle server)
 *                          └────────> BORROW_WAITS ──> pool_cover ──> GIVE, WANT
 *   server is free    pool_settle ──> LENT to own head | IDLE | SEND to another seat | CLOSE
 *   server travels    GIVE: its owner lets go ──> HERE: its new worker takes it ──> pool_settle
 */
#include "pool/pool.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "pool/found_secret.h"
#include "pool/outage.h"
#include "pool/settings.h"

#define TELL_SLOWLY_US 100000u   /* whoever is patient waits this long for bad news */
#define ASK_PATIENCE_US 1000000u /* an asker waits this long for an attempt that is under way */

static struct waiter *waiter_of(struct list *node)
{
	return container_of(node, struct waiter, node);
}

static struct place *place_of(struct list *node)
{
	return container_of(node, struct place, node);
}

static uint64_t waited_us(const struct waiter *w, uint64_t now_us)
{
	return now_us > w->since_us ? now_us - w->since_us : 0;
}

/* ---- making and freeing ---- */

static void seat_init(struct seat *s, struct pool *p, uint16_t worker)
{
	s->pool = p;
	s->worker = worker;
	list_init(&s->waiting);
	list_init(&s->newcomers);
	list_init(&s->idle);
	list_init(&s->lent);
	list_init(&s->on_worker);
	list_init(&s->telling.on_worker);
	s->look.kind = LETTER_LOOK;
	s->look.to = worker;
}

struct pool *pool_new(const char *database, const char *user, const uint16_t *workers, uint16_t n_seats,
                      struct pool_settings *settings)
{
	struct pool *p = (struct pool *)mem_alloc(sizeof(struct pool) + n_seats * sizeof(struct seat));

	if (p == NULL)
		return NULL;
	p->database = mem_copy_str(database);
	p->user = mem_copy_str(user);
	if (p->database == NULL || p->user == NULL) {
		mem_free((void *)(uintptr_t)p->database);
		mem_free((void *)(uintptr_t)p->user);
		mem_free(p);
		return NULL;
	}
	lock_init(&p->lock);
	p->state = POOL_OPEN;
	p->may_ask = true;
	p->settings = settings;
	p->want.kind = LETTER_WANT;
	p->want.to = TO_MAIN;
	list_init(&p->on_database);
	p->n_seats = n_seats;
	for (uint16_t i = 0; i < n_seats; i++) {
		seat_init(&p->seat[i], p, workers[i]);
		shared_ref(&settings->shared);
		p->seat[i].settings = settings;
	}
	return p;
}

struct pool *pool_new_replication(struct pool *home, uint16_t worker, struct pool_settings *settings,
                                  struct replication *replication)
{
	struct pool *p = pool_new(home->database, home->user, &worker, 1, settings);

	if (p == NULL)
		return NULL;
	p->home = home;
	p->replication = replication;
	return p;
}

enum replication_kind pool_replication(const struct pool *p)
{
	return p->replication == NULL ? REPLICATION_NONE : p->replication->kind;
}

void pool_free(struct pool *p)
{
	if (p == NULL)
		return;
	mem_free(p->replication);
	for (uint16_t i = 0; i < p->n_seats; i++)
		shared_unref(&p->seat[i].settings->shared);
	shared_unref(&p->settings->shared);
	shared_unref(p->welcome);
	shared_unref(p->keys);
	shared_unref(p->secret);
	if (p->outage != NULL)
		shared_unref(&p->outage->shared);
	lock_fini(&p->lock);
	mem_free((void *)(uintptr_t)p->database);
	mem_free((void *)(uintptr_t)p->user);
	mem_free(p);
}

bool pool_is_unused(struct pool *p)
{
	bool unused;

	lock_take(&p->lock);
	unused = p->may_ask && !p->want_posted;
	for (uint16_t i = 0; i < p->n_seats && unused; i++) {
		struct seat *s = &p->seat[i];

		unused = s->n_clients + s->n_idle + s->n_lent + s->n_moving + s->n_opening == 0 && !s->look_posted &&
		         !s->kept;
	}
	lock_drop(&p->lock);
	return unused;
}

/* ---- small questions, lock held ---- */

/* Servers that have logged in. */
static uint32_t usable_locked(const struct pool *p) REQUIRES(p->lock)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < p->n_seats; i++)
		n += p->seat[i].n_idle + p->seat[i].n_lent + p->seat[i].n_moving;
	return n;
}

/* Has clients for whom no server is on its way, and no reason to hope for its own. */
static bool starves_locked(const struct seat *s, uint64_t now_us)
{
	struct list *head = list_first(&s->waiting);

	if (head == NULL || s->n_waiting <= s->n_moving)
		return false;
	return s->n_lent == 0 || waited_us(waiter_of(head), now_us) >= POOL_PATIENCE_US;
}

static bool unfair_locked(const struct seat *own, const struct seat *other, uint64_t now_us);

/* The starving seat other than `own` whose head has waited longest; while `own` has a queue, of those that it would be
   unfair to pass over. */
static struct seat *hungriest_locked(struct pool *p, const struct seat *own, uint64_t now_us) REQUIRES(p->lock)
{
	struct seat *best = NULL;
	uint64_t best_since = 0;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct seat *s = &p->seat[i];
		uint64_t since;

		if (s == own || !starves_locked(s, now_us))
			continue;
		if (!list_is_empty(&own->waiting) && !unfair_locked(own, s, now_us))
			continue;
		since = waiter_of(list_first(&s->waiting))->since_us;
		if (best == NULL || since < best_since) {
			best = s;
			best_since = since;
		}
	}
	return best;
}

/* Nobody can be served, and it is time to say so. */
static bool outage_tells_locked(const struct pool *p, uint64_t now_us) REQUIRES(p->lock)
{
	return p->outage != NULL && now_us >= p->outage->tell_at_us && usable_locked(p) == 0;
}

static struct outage *outage_ref(struct outage *o)
{
	shared_ref(&o->shared);
	return o;
}

/* ---- small steps, lock held ---- */

static void queue_locked(struct seat *s, struct waiter *w, uint64_t now_us)
{
	w->since_us = now_us;
	w->queued = true;
	w->notified = false;
	w->patient = false;
	if (w->newcomer) {
		list_add_tail(&s->newcomers, &w->node);
		s->n_newcomers++;
	} else {
		list_add_tail(&s->waiting, &w->node);
		s->n_waiting++;
	}
}

static void unqueue_locked(struct seat *s, struct waiter *w)
{
	list_remove(&w->node);
	w->queued = false;
	if (w->newcomer)
		s->n_newcomers--;
	else
		s->n_waiting--;
}

static void leave_idle_locked(struct place *pl)
{
	list_remove(&pl->node);
	pl->seat->n_idle--;
}

static void lend_locked(struct place *pl, const struct waiter *w, uint64_t now_us)
{
	pl->state = PLACE_LENT;
	pl->used = true;
	pl->lent_us = now_us;
	pl->holder = w->id;
	list_add_tail(&pl->seat->lent, &pl->node);
	pl->seat->n_lent++;
}

static void leave_lent_locked(struct place *pl)
{
	list_remove(&pl->node);
	pl->seat->n_lent--;
}

static void send_locked(struct place *pl, struct seat *to, enum pool_letter kind, uint16_t reader)
{
	pl->seat = to;
	pl->state = PLACE_MOVING;
	to->n_moving++;
	pl->letter.kind = (uint8_t)kind;
	pl->letter.to = reader;
	pl->letter_posted = true;
}

static void want_locked(struct pool *p, struct letters *out) REQUIRES(p->lock)
{
	/* one that is under way will be read: whoever lacks servers by then is seen */
	if (!p->may_ask || p->want_posted)
		return;
	p->may_ask = false;
	p->want_posted = true;
	letters_add(out, &p->want);
}

/* If there is an outage there is hope: whoever comes now waits for the next attempt, and main makes it at once. */
static void secret_is_new_locked(struct pool *p, struct letters *out) REQUIRES(p->lock)
{
	p->n_secrets++;
	p->secret_is_new = true;
	if (p->outage == NULL)
		return;
	p->trying = true;
	if (p->want_posted)
		return;
	p->may_ask = false;
	p->want_posted = true;
	letters_add(out, &p->want);
}

static void look_locked(struct seat *s, struct letters *out)
{
	if (s->look_posted)
		return;
	s->look_posted = true;
	letters_add(out, &s->look);
}

static void look_all_locked(struct pool *p, struct letters *out) REQUIRES(p->lock)
{
	for (uint16_t i = 0; i < p->n_seats; i++)
		look_locked(&p->seat[i], out);
}

/* PostgreSQL waits for its sessions to end; whoever keeps one that nobody uses keeps it from restarting. */
static bool lets_go_locked(const struct pool *p) REQUIRES(p->lock)
{
	return p->outage != NULL && p->outage->lets_go;
}

static bool fits_locked(const struct pool *p, const struct place *pl) REQUIRES(p->lock)
{
	return pl->epoch == p->epoch && !lets_go_locked(p);
}

/* The server idle longest on any seat, of those at this host; NULL: at any. */
static struct place *coldest_locked(struct pool *p, const struct host *host) REQUIRES(p->lock)
{
	struct place *coldest = NULL;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct list *node = p->seat[i].idle.prev;

		while (node != &p->seat[i].idle && host != NULL && place_of(node)->host != host)
			node = node->prev;
		if (node == &p->seat[i].idle)
			continue;
		if (coldest == NULL || place_of(node)->idle_since_us < coldest->idle_since_us)
			coldest = place_of(node);
	}
	return coldest;
}

/* The same of those that may serve: one of an older epoch only waits for LOOK to take it away. */
static struct place *spare_locked(struct pool *p) REQUIRES(p->lock)
{
	struct place *coldest = NULL;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct list *node = p->seat[i].idle.prev;

		while (node != &p->seat[i].idle && !fits_locked(p, place_of(node)))
			node = node->prev;
		if (node == &p->seat[i].idle)
			continue;
		if (coldest == NULL || place_of(node)->idle_since_us < coldest->idle_since_us)
			coldest = place_of(node);
	}
	return coldest;
}

static bool lacks_locked(const struct pool *p, const struct seat *s) REQUIRES(p->lock)
{
	if (s->n_waiting > s->n_moving + s->n_opening)
		return true;
	/* newcomers need one server of the pool, whosever it is; those that are there belong to an older epoch */
	if (s->n_newcomers == 0 || p->welcome != NULL)
		return false;
	for (uint16_t i = 0; i < p->n_seats; i++)
		if (p->seat[i].n_opening > 0)
			return false;
	return true;
}

/* Nothing is to be hoped for from those at work while an own one lies idle. */
static bool has_own_to_spare_locked(const struct seat *s)
{
	return s->n_idle > 0 && s->n_waiting > s->n_moving;
}

static void cover_locked(struct pool *p, struct seat *s, uint64_t now_us, struct letters *out) REQUIRES(p->lock)
{
	struct place *pl;

	/* whoever pauses has no clock; all its seats look at once, and whoever begins to wait looks too */
	if (p->state == POOL_PAUSED && p->paused_since_us == 0)
		p->paused_since_us = now_us;
	if (p->state != POOL_OPEN)
		return;
	/* An own one can be there too: of a queue that grew while the pool was paused, or after pool_requeue. It takes
	   the same way, from its worker to its worker. */
	while ((starves_locked(s, now_us) || has_own_to_spare_locked(s)) && (pl = spare_locked(p)) != NULL) {
		uint16_t owner = pl->seat->worker;

		leave_idle_locked(pl);
		send_locked(pl, s, LETTER_GIVE, owner);
		letters_add(out, &pl->letter);
	}
	if (lacks_locked(p, s) && spare_locked(p) == NULL)
		want_locked(p, out);
}

/* ---- borrowing ---- */

static struct place *pick_idle_locked(struct pool *p, struct seat *s) REQUIRES(p->lock)
{
	struct list *node = p->settings->global->server_round_robin ? list_last(&s->idle) : list_first(&s->idle);

	/* servers of an older epoch are at the back or unfit as a whole; LOOK takes them away */
	while (node != NULL && node != &s->idle && !fits_locked(p, place_of(node)))
		node = node->next;
	return node == NULL || node == &s->idle ? NULL : place_of(node);
}

static enum borrowed told_locked(struct pool *p, struct outage **outage, struct letters *out) REQUIRES(p->lock)
{
	p->asked = true;
	*outage = outage_ref(p->outage);
	want_locked(p, out);
	return BORROW_TOLD;
}

static enum borrowed borrow_locked(struct pool *p, struct seat *s, struct waiter *w, uint64_t now_us,
                                   struct place **place, struct outage **outage, struct letters *out) REQUIRES(p->lock)
{
	struct place *pl;

	if (p->state == POOL_CLOSED)
		return BORROW_CLOSED;
	if (p->state == POOL_OPEN && outage_tells_locked(p, now_us) && !p->trying)
		return told_locked(p, outage, out);
	pl = p->state == POOL_OPEN && list_is_empty(&s->waiting) ? pick_idle_locked(p, s) : NULL;
	if (pl != NULL) {
		leave_idle_locked(pl);
		lend_locked(pl, w, now_us);
		w->since_us = now_us; /* for pool_requeue */
		w->notified = false;
		*place = pl;
		return BORROWED;
	}
	w->newcomer = false;
	queue_locked(s, w, now_us);
	cover_locked(p, s, now_us, out);
	return BORROW_WAITS;
}

enum borrowed pool_borrow(struct seat *s, struct waiter *w, uint64_t now_us, struct place **place,
                          struct outage **outage, struct letters *out)
{
	struct pool *p = s->pool;
	enum borrowed result;

	lock_take(&p->lock);
	result = borrow_locked(p, s, w, now_us, place, outage, out);
	lock_drop(&p->lock);
	return result;
}

static enum borrowed greet_locked(struct pool *p, struct seat *s, struct waiter *w, uint64_t now_us,
                                  struct shared **welcome, struct outage **outage, struct letters *out)
    REQUIRES(p->lock)
{
	if (p->state == POOL_CLOSED)
		return BORROW_CLOSED;
	if (p->welcome != NULL) {
		shared_ref(p->welcome);
		*welcome = p->welcome;
		return BORROWED;
	}
	if (p->state == POOL_OPEN && outage_tells_locked(p, now_us) && !p->trying)
		return told_locked(p, outage, out);
	w->newcomer = true;
	queue_locked(s, w, now_us);
	cover_locked(p, s, now_us, out);
	return BORROW_WAITS;
}

enum borrowed pool_greet(struct seat *s, struct waiter *w, uint64_t now_us, struct shared **welcome,
                         struct outage **outage, struct letters *out)
{
	struct pool *p = s->pool;
	enum borrowed result;

	lock_take(&p->lock);
	result = greet_locked(p, s, w, now_us, welcome, outage, out);
	lock_drop(&p->lock);
	return result;
}

enum borrowed pool_claim(struct seat *s, struct waiter *w, uint64_t now_us, struct outage **outage, struct letters *out)
{
	struct pool *p = s->pool;
	struct place *none = NULL;
	enum borrowed result;

	lock_take(&p->lock);
	/* nothing is idle here: a server settles only when its client waits, or has gone */
	result = borrow_locked(p, s, w, now_us, &none, outage, out);
	lock_drop(&p->lock);
	return result;
}

void pool_wait(struct seat *s, struct waiter *w, bool newcomer, uint64_t now_us, struct letters *out)
{
	struct pool *p = s->pool;

	lock_take(&p->lock);
	w->newcomer = newcomer;
	queue_locked(s, w, now_us);
	w->patient = true;
	cover_locked(p, s, now_us, out);
	lock_drop(&p->lock);
}

/* The outage is old enough to be told, but this one hears of it a little later. */
static bool waits_on_locked(const struct pool *p, const struct waiter *w, uint64_t now_us) REQUIRES(p->lock)
{
	uint64_t waited = waited_us(w, now_us);

	return (p->trying && waited < ASK_PATIENCE_US) || (w->patient && waited < TELL_SLOWLY_US);
}

void pool_requeue(struct seat *s, struct waiter *w, struct letters *out, uint64_t now_us)
{
	struct pool *p = s->pool;
	struct list *node;

	lock_take(&p->lock);
	w->newcomer = false;
	w->queued = true;
	list_each (node, &s->waiting)
		if (waiter_of(node)->since_us > w->since_us)
			break;
	list_add_tail(node, &w->node); /* before it, or at the end */
	s->n_waiting++;
	cover_locked(p, s, now_us, out);
	lock_drop(&p->lock);
}

void pool_cover(struct seat *s, uint64_t now_us, struct letters *out)
{
	struct pool *p = s->pool;

	lock_take(&p->lock);
	cover_locked(p, s, now_us, out);
	lock_drop(&p->lock);
}

void pool_leave(struct seat *s, struct waiter *w)
{
	lock_take(&s->pool->lock);
	if (w->queued)
		unqueue_locked(s, w);
	lock_drop(&s->pool->lock);
}

/* ---- becoming free ---- */

/* When it is too old. Closures are spread over the lifetime, so that a pool opened at once does not close at once, nor
   do pools that were: each adds up to an eighth, by chance. With lifetime 0 time does not matter. */
static uint64_t ends_us_locked(const struct pool *p, const struct place *pl) REQUIRES(p->lock)
{
	const struct pool_settings *set = p->settings;
	uint32_t n = set->size == UINT32_MAX ? usable_locked(p) : set->size;
	uint64_t gap_us = n == 0 ? 0 : set->server_lifetime_us / n;
	uint64_t at_us = pl->opened_us + set->server_lifetime_us;

	if (set->server_lifetime_us == 0)
		return UINT64_MAX;
	at_us += set->server_lifetime_us / 8 * (p->by_name.hash % 1024) / 1024;
	if (p->last_retired_us != 0 && at_us < p->last_retired_us + gap_us)
		at_us = p->last_retired_us + gap_us;
	return at_us;
}

static bool too_old_locked(struct pool *p, const struct place *pl, uint64_t now_us) REQUIRES(p->lock)
{
	uint64_t lifetime_us = p->settings->server_lifetime_us;

	if (lifetime_us == 0)
		return pl->used;
	/* most are too young for the rest to matter */
	if (now_us < pl->opened_us + lifetime_us || now_us < ends_us_locked(p, pl))
		return false;
	p->last_retired_us = now_us;
	return true;
}

/* So many servers are more than configured, after a reload with smaller sizes. */
static bool is_surplus_locked(const struct pool *p, uint32_t n) REQUIRES(p->lock)
{
	const struct pool_settings *set = p->settings;

	return set->size != UINT32_MAX && n > (uint64_t)set->size + set->reserve_size;
}

static enum retire_reason retire_for(enum pool_limit limit)
{
	switch (limit) {
	case LIMIT_DATABASE:
		return RETIRE_FOR_DATABASE;
	case LIMIT_USER:
		return RETIRE_FOR_USER;
	case LIMIT_HOST:
		return RETIRE_FOR_HOST;
	case LIMIT_PROCESS:
		return RETIRE_FOR_PROCESS;
	case LIMIT_NONE:
	case LIMIT_POOL_SIZE:
	case LIMIT_PARALLEL:
		break;
	}
	return RETIRE_SURPLUS;
}

/* When the longest waiter of any seat began to wait; 0: nobody waits. */
static uint64_t oldest_since_locked(const struct pool *p) REQUIRES(p->lock)
{
	uint64_t since_us = 0;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct list *head = list_first(&p->seat[i].waiting);

		if (head != NULL && (since_us == 0 || waiter_of(head)->since_us < since_us))
			since_us = waiter_of(head)->since_us;
	}
	return since_us;
}

/* This server is of more use to another pool under the same limit; the first one that is answers the call. */
static bool answers_call_locked(struct pool *p, const struct place *pl, uint64_t now_us) REQUIRES(p->lock)
{
	uint64_t own_us = oldest_since_locked(p), since_us = atomic_load(&p->call->since_us);
	uint64_t mine = now_us > own_us ? now_us - own_us : 0, theirs = now_us > since_us ? now_us - since_us : 0;

	if (since_us == 0) {
		p->call = NULL;
		return false;
	}
	if (p->call->host != NULL && pl->host != p->call->host)
		return false;
	if (own_us != 0 &&
	    (theirs < POOL_GIVE_WAY_US || theirs / 2 < mine || now_us < pl->opened_us + POOL_GIVE_WAY_US))
		return false;
	return atomic_compare_exchange_strong(&p->call->since_us, &since_us, 0);
}

static enum retire_reason unfit_reason_locked(const struct pool *p, const struct place *pl) REQUIRES(p->lock)
{
	return pl->epoch != p->epoch ? RETIRE_EPOCH : RETIRE_SHUTDOWN;
}

static bool may_stay_locked(struct pool *p, const struct place *pl, uint64_t now_us, enum retire_reason *why)
    REQUIRES(p->lock)
{
	const struct call *call = p->call;

	if (!fits_locked(p, pl))
		*why = unfit_reason_locked(p, pl);
	else if (p->state == POOL_PAUSED)
		*why = RETIRE_PAUSED;
	else if (p->state == POOL_CLOSED)
		*why = RETIRE_CLOSED;
	else if (is_surplus_locked(p, usable_locked(p) + 1)) /* it is in no count at this moment */
		*why = RETIRE_SURPLUS;
	else if (call != NULL && answers_call_locked(p, pl, now_us))
		*why = retire_for(call->limit);
	else if (too_old_locked(p, pl, now_us))
		*why = RETIRE_AGE;
	else
		return true;
	return false;
}

static uint64_t servers_locked(const struct seat *s)
{
	return (uint64_t)s->n_idle + s->n_lent + s->n_moving;
}

static uint64_t load_locked(const struct seat *s)
{
	return (uint64_t)s->n_waiting + s->n_lent;
}

/*
 * Another seat's head has waited so much longer that fairness beats a short way. Age alone would make servers slosh:
 * a queue stays old until it has been served once through, and by then everything has moved there. So the other seat
 * must also have fewer servers for its load even after the move, or its head must be out of all proportion, and then
 * they come one by one. `own` does not count the server in question any more.
 */
static bool unfair_locked(const struct seat *own, const struct seat *other, uint64_t now_us)
{
	uint64_t mine = waited_us(waiter_of(list_first(&own->waiting)), now_us);
	uint64_t theirs = waited_us(waiter_of(list_first(&other->waiting)), now_us);

	if (theirs < mine + POOL_OLDER_US || theirs < mine + mine / 2)
		return false;
	if (servers_locked(other) == 0)
		return true;
	if ((servers_locked(other) + 1) * (load_locked(own) + 1) <= servers_locked(own) * load_locked(other))
		return true;
	return other->n_moving == 0 && theirs >= POOL_MUCH_OLDER_US && theirs >= POOL_MUCH_OLDER_TIMES * mine;
}

static enum settled settle_locked(struct pool *p, struct place *pl, uint64_t now_us, struct waiter **to,
                                  enum retire_reason *why, struct letters *out) REQUIRES(p->lock)
{
	struct seat *s = pl->seat, *other;

	if (pl->state == PLACE_OPENING)
		s->n_opening--;
	else if (pl->state == PLACE_MOVING)
		s->n_moving--;
	else
		leave_lent_locked(pl);
	if (!may_stay_locked(p, pl, now_us, why)) {
		pl->state = PLACE_CLOSING;
		cover_locked(p, s, now_us, out);
		return SETTLED_CLOSE;
	}
	p->last_free_us = now_us;
	other = p->n_seats == 1 ? NULL : hungriest_locked(p, s, now_us);
	if (!list_is_empty(&s->waiting) && other == NULL) {
		*to = waiter_of(list_first(&s->waiting));
		unqueue_locked(s, *to);
		lend_locked(pl, *to, now_us);
		return SETTLED_LENT;
	}
	if (other != NULL) {
		send_locked(pl, other, LETTER_HERE, other->worker);
		cover_locked(p, s, now_us, out); /* it may have been the last one at work here */
		return SETTLED_SEND;
	}
	pl->state = PLACE_IDLE;
	pl->idle_since_us = now_us;
	list_add_head(&s->idle, &pl->node);
	s->n_idle++;
	return SETTLED_IDLE;
}

enum settled pool_settle(struct place *pl, uint64_t now_us, struct waiter **to, enum retire_reason *why,
                         struct letters *out)
{
	struct pool *p = pl->pool;
	enum settled result;

	lock_take(&p->lock);
	assert(pl->state == PLACE_LENT || pl->state == PLACE_MOVING || pl->state == PLACE_OPENING);
	result = settle_locked(p, pl, now_us, to, why, out);
	lock_drop(&p->lock);
	return result;
}

/* ---- ends of waiting ---- */

static enum due due_newcomer_locked(struct pool *p, uint64_t now_us, const struct waiter *w, struct outage **outage)
    REQUIRES(p->lock)
{

	if (p->state == POOL_CLOSED)
		return DUE_CLOSED;
	if (p->welcome != NULL)
		return DUE_WELCOME;
	if (p->state != POOL_OPEN || !outage_tells_locked(p, now_us) || waits_on_locked(p, w, now_us))
		return DUE_NOTHING;
	*outage = outage_ref(p->outage);
	return DUE_OUTAGE;
}

static enum due due_waiter_locked(struct pool *p, uint64_t now_us, const struct waiter *w, struct outage **outage)
    REQUIRES(p->lock)
{
	const struct pool_settings *set = p->settings;
	uint64_t waited = waited_us(w, now_us), down = set->server_down_wait_us;

	if (p->state == POOL_CLOSED)
		return DUE_CLOSED;
	if (set->query_wait_timeout_us > 0 && waited >= set->query_wait_timeout_us)
		return DUE_WAIT_TIMEOUT;
	if (set->query_timeout_us > 0 && waited >= set->query_timeout_us)
		return DUE_QUERY_TIMEOUT;
	if (p->state != POOL_OPEN || p->outage == NULL)
		return DUE_NOTHING;
	if (outage_tells_locked(p, now_us) && !waits_on_locked(p, w, now_us)) {
		*outage = outage_ref(p->outage);
		return DUE_OUTAGE;
	}
	if (usable_locked(p) > 0 && down > 0 && waited >= down && now_us >= p->last_free_us + down) {
		*outage = outage_ref(p->outage);
		return DUE_OUTAGE_BUSY;
	}
	return DUE_NOTHING;
}

enum due pool_due(struct seat *s, uint64_t now_us, struct waiter **w, struct outage **outage)
{
	struct pool *p = s->pool;
	struct list *node;
	enum due due = DUE_NOTHING;

	lock_take(&p->lock);
	node = list_first(&s->newcomers);
	if (node != NULL)
		due = due_newcomer_locked(p, now_us, waiter_of(node), outage);
	if (due == DUE_NOTHING) {
		node = list_first(&s->waiting);
		if (node != NULL)
			due = due_waiter_locked(p, now_us, waiter_of(node), outage);
	}
	if (due != DUE_NOTHING) {
		*w = waiter_of(node);
		unqueue_locked(s, *w);
		if (due == DUE_OUTAGE)
			p->asked = true;
	}
	lock_drop(&p->lock);
	return due;
}

/* ---- opening and closing ---- */

void pool_place_init(struct place *pl, struct seat *s)
{
	memset(pl, 0, sizeof(*pl));
	list_init(&pl->node);
	pl->pool = s->pool;
	pl->seat = s;
	pl->state = PLACE_OPENING;
	lock_take(&s->pool->lock);
	pl->epoch = s->pool->epoch;
	lock_drop(&s->pool->lock);
}

void pool_count_opening(struct seat *s)
{
	lock_take(&s->pool->lock);
	s->n_opening++;
	lock_drop(&s->pool->lock);
}

void pool_open_failed(struct seat *s, uint64_t now_us, struct letters *out)
{
	struct pool *p = s->pool;

	lock_take(&p->lock);
	s->n_opening--;
	cover_locked(p, s, now_us, out);
	lock_drop(&p->lock);
}

void pool_opened(struct place *pl, uint64_t now_us, struct shared *welcome, struct letters *out)
{
	struct pool *p = pl->pool;
	struct outage *over;
	struct shared *unneeded = welcome;

	lock_take(&p->lock);
	assert(pl->state == PLACE_OPENING);
	/* it stays OPENING until it settles: whoever waits has it coming, and main opens no other instead */
	pl->opened_us = now_us;
	p->last_free_us = now_us;
	over = p->outage;
	p->outage = NULL;
	p->trying = false;
	if (p->welcome == NULL && fits_locked(p, pl)) {
		p->welcome = welcome;
		unneeded = NULL;
		look_all_locked(p, out);
	}
	lock_drop(&p->lock);
	shared_unref(unneeded);
	if (over != NULL)
		shared_unref(&over->shared);
}

bool pool_gone(struct place *pl, uint64_t now_us, struct letters *out)
{
	struct pool *p = pl->pool;
	struct seat *s;
	bool free_now;

	lock_take(&p->lock);
	s = pl->seat; /* until now it could be promised to another one */
	switch (pl->state) {
	case PLACE_OPENING:
		s->n_opening--;
		break;
	case PLACE_LENT:
		leave_lent_locked(pl);
		break;
	case PLACE_IDLE:
		leave_idle_locked(pl);
		break;
	case PLACE_MOVING:
		s->n_moving--;
		break;
	case PLACE_CLOSING:
	case PLACE_GONE:
		break;
	}
	pl->state = PLACE_GONE;
	free_now = !pl->letter_posted;
	cover_locked(p, s, now_us, out);
	lock_drop(&p->lock);
	return free_now;
}

bool pool_give_read(struct place *pl)
{
	bool alive;

	lock_take(&pl->pool->lock);
	alive = pl->state == PLACE_MOVING;
	if (alive) {
		pl->letter.kind = LETTER_HERE;
		pl->letter.to = pl->seat->worker;
	} else {
		pl->letter_posted = false;
	}
	lock_drop(&pl->pool->lock);
	return alive;
}

enum place_state pool_letter_read(struct place *pl)
{
	enum place_state state;

	lock_take(&pl->pool->lock);
	pl->letter_posted = false;
	state = pl->state;
	lock_drop(&pl->pool->lock);
	return state;
}

struct place *pool_take_unfit(struct seat *s, enum retire_reason *why)
{
	struct pool *p = s->pool;
	struct place *pl = NULL;
	struct list *node;

	lock_take(&p->lock);
	list_each (node, &s->idle) {
		struct place *candidate = place_of(node);

		if (p->state == POOL_OPEN && fits_locked(p, candidate))
			continue;
		*why = p->state == POOL_PAUSED   ? RETIRE_PAUSED
		       : p->state == POOL_CLOSED ? RETIRE_CLOSED
		                                 : unfit_reason_locked(p, candidate);
		pl = candidate;
		break;
	}
	if (pl == NULL && s->n_idle > 0 && is_surplus_locked(p, usable_locked(p))) {
		pl = place_of(list_last(&s->idle));
		*why = RETIRE_SURPLUS;
	}
	if (pl != NULL) {
		leave_idle_locked(pl);
		pl->state = PLACE_CLOSING;
	}
	lock_drop(&p->lock);
	return pl;
}

bool pool_is_stale(struct place *pl)
{
	bool stale;

	lock_take(&pl->pool->lock);
	stale = pl->epoch != pl->pool->epoch;
	lock_drop(&pl->pool->lock);
	return stale;
}

bool pool_retire_idle(struct place *pl)
{
	bool idle;

	lock_take(&pl->pool->lock);
	idle = pl->state == PLACE_IDLE;
	if (idle) {
		leave_idle_locked(pl);
		pl->state = PLACE_CLOSING;
	}
	lock_drop(&pl->pool->lock);
	return idle;
}

bool pool_retire_old(struct place *pl, uint64_t now_us, uint64_t *ends_us)
{
	struct pool *p = pl->pool;
	bool old;

	lock_take(&p->lock);
	old = pl->state == PLACE_IDLE && too_old_locked(p, pl, now_us);
	*ends_us = ends_us_locked(p, pl);
	if (old) {
		leave_idle_locked(pl);
		pl->state = PLACE_CLOSING;
	}
	lock_drop(&p->lock);
	return old;
}

uint64_t pool_head_since_us(struct seat *s)
{
	struct pool *p = s->pool;
	struct list *head;
	uint64_t since_us;

	lock_take(&p->lock);
	head = list_first(&s->waiting);
	since_us = head == NULL ? 0 : waiter_of(head)->since_us;
	lock_drop(&p->lock);
	return since_us;
}

unsigned pool_take_unnotified(struct seat *s, uint64_t since_us, struct waiter **found, unsigned most)
{
	struct list *node;
	unsigned n = 0;

	lock_take(&s->pool->lock);
	list_each (node, &s->waiting) {
		struct waiter *w = waiter_of(node);

		if (n == most || w->since_us > since_us)
			break;
		if (w->notified)
			continue;
		w->notified = true;
		found[n++] = w;
	}
	lock_drop(&s->pool->lock);
	return n;
}

bool pool_keeps_minimum(struct pool *p)
{
	bool keeps;

	lock_take(&p->lock);
	keeps = p->settings->min_size > 0 && usable_locked(p) <= p->settings->min_size;
	lock_drop(&p->lock);
	return keeps;
}

/* ---- why somebody waits ---- */

/* The place lent longest, of all seats. */
static const struct place *longest_locked(const struct pool *p) REQUIRES(p->lock)
{
	const struct place *longest = NULL;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct list *head = list_first(&p->seat[i].lent);

		if (head != NULL && (longest == NULL || place_of(head)->lent_us < longest->lent_us))
			longest = place_of(head);
	}
	return longest;
}

static void look_around_locked(struct pool *p, struct pool_crowd *crowd) REQUIRES(p->lock)
{
	const struct place *longest = longest_locked(p);

	crowd->state = p->state;
	crowd->limit = p->limit;
	crowd->full = p->full;
	crowd->paused_since_us = p->paused_since_us;
	crowd->n_usable = usable_locked(p);
	for (uint16_t i = 0; i < p->n_seats; i++) {
		crowd->n_waiting += p->seat[i].n_waiting + p->seat[i].n_newcomers;
		crowd->n_lent += p->seat[i].n_lent;
		crowd->n_opening += p->seat[i].n_opening;
	}
	crowd->trying = p->trying;
	if (p->outage != NULL)
		crowd->outage = outage_ref(p->outage);
	if (longest == NULL)
		return;
	crowd->longest_us = longest->lent_us;
	if (longest->holder != 0 && longest->seat->busiest.id == longest->holder)
		crowd->longest = longest->seat->busiest;
	crowd->longest.id = longest->holder;
}

void pool_look_around(struct pool *p, struct pool_crowd *crowd)
{
	memset(crowd, 0, sizeof(*crowd));
	lock_take(&p->lock);
	look_around_locked(p, crowd);
	lock_drop(&p->lock);
}

static uint32_t count_at(const struct list *places, const struct host *host)
{
	const struct list *node;
	uint32_t n = 0;

	list_each (node, places)
		if (container_of_const(node, struct place, node)->host == host)
			n++;
	return n;
}

uint32_t pool_count_servers(struct pool *p, const struct host *host)
{
	uint32_t n = 0;

	lock_take(&p->lock);
	if (host == NULL)
		n = usable_locked(p);
	for (uint16_t i = 0; i < p->n_seats; i++)
		n += host == NULL ? p->seat[i].n_opening
		                  : count_at(&p->seat[i].idle, host) + count_at(&p->seat[i].lent, host);
	lock_drop(&p->lock);
	return n;
}

uint64_t pool_longest_holder(struct seat *s)
{
	struct pool *p = s->pool;
	struct list *head;
	uint64_t id;

	lock_take(&p->lock);
	head = list_first(&s->lent);
	id = head == NULL ? 0 : place_of(head)->holder;
	lock_drop(&p->lock);
	return id;
}

void pool_show_holder(struct seat *s, const struct holder *h)
{
	struct pool *p = s->pool;

	lock_take(&p->lock);
	s->busiest = *h;
	lock_drop(&p->lock);
}

void pool_ask_holder(struct pool *p, uint64_t now_us, uint64_t age_us, struct letters *out)
{
	const struct place *longest;

	lock_take(&p->lock);
	longest = longest_locked(p);
	if (longest != NULL && longest->holder != 0 && !longest->seat->holder_asked &&
	    (longest->seat->busiest.id != longest->holder || now_us >= longest->seat->busiest.seen_us + age_us)) {
		longest->seat->holder_asked = true;
		look_locked(longest->seat, out);
	}
	lock_drop(&p->lock);
}

bool pool_holder_is_asked(struct seat *s)
{
	struct pool *p = s->pool;
	bool asked;

	lock_take(&p->lock);
	asked = s->holder_asked;
	s->holder_asked = false;
	lock_drop(&p->lock);
	return asked;
}

/* ---- changes by main ---- */

void pool_set_state(struct pool *p, enum pool_state state, struct letters *out)
{
	lock_take(&p->lock);
	if (state != POOL_PAUSED)
		p->paused_since_us = 0;
	/* the only client of a replication connection's pool does not come back */
	if (p->replication == NULL || p->state != POOL_CLOSED)
		p->state = state;
	look_all_locked(p, out);
	lock_drop(&p->lock);
}

static struct outage *take_outage_locked(struct pool *p) REQUIRES(p->lock)
{
	struct outage *old = p->outage;

	p->outage = NULL;
	p->trying = false;
	return old;
}

static void unref_outage(struct outage *o)
{
	if (o != NULL)
		shared_unref(&o->shared);
}

void pool_reconnect(struct pool *p, struct letters *out)
{
	struct shared *welcome;
	struct outage *old;

	lock_take(&p->lock);
	p->epoch++;
	welcome = p->welcome;
	p->welcome = NULL;
	old = take_outage_locked(p);
	look_all_locked(p, out);
	lock_drop(&p->lock);
	shared_unref(welcome);
	unref_outage(old);
}

static bool has_other_secret(const struct pool_settings *a, const struct pool_settings *b)
{
	return (a->secret == NULL) != (b->secret == NULL) || (a->secret != NULL && strcmp(a->secret, b->secret) != 0);
}

/* What a client sent once does not go before a new secret, nor on when clients prove themselves in another way. */
static struct shared *take_outdated_secret_locked(struct pool *p, const struct pool_settings *now) REQUIRES(p->lock)
{
	const struct pool_settings *was = p->settings;
	struct shared *secret = p->secret;
	bool same = was->global->auth_type == now->global->auth_type && !has_other_secret(was, now);

	if (secret == NULL || same || !found_secret_of(secret)->by_client)
		return NULL;
	p->secret = NULL;
	return secret;
}

void pool_set_settings(struct pool *p, struct pool_settings *settings, struct letters *out)
{
	struct pool_settings *old;
	struct shared *outdated;

	lock_take(&p->lock);
	outdated = take_outdated_secret_locked(p, settings);
	old = p->settings;
	p->settings = settings;
	if (has_other_secret(old, settings))
		secret_is_new_locked(p, out);
	look_all_locked(p, out);
	lock_drop(&p->lock);
	shared_unref(outdated);
	shared_unref(&old->shared);
}

void pool_set_outage(struct pool *p, struct outage *outage, bool trying, struct letters *out)
{
	struct outage *old;

	lock_take(&p->lock);
	old = p->outage;
	p->outage = outage;
	p->trying = trying;
	look_all_locked(p, out);
	lock_drop(&p->lock);
	unref_outage(old);
}

void pool_ask_for_news(struct pool *p)
{
	lock_take(&p->lock);
	if (p->outage != NULL)
		p->asked = true;
	lock_drop(&p->lock);
}

void pool_set_trying(struct pool *p, bool trying)
{
	lock_take(&p->lock);
	p->trying = trying;
	if (trying)
		p->asked = false;
	lock_drop(&p->lock);
}

void pool_set_limit(struct pool *p, enum pool_limit limit, const struct host *full)
{
	lock_take(&p->lock);
	p->limit = limit;
	p->full = full;
	lock_drop(&p->lock);
}

void pool_call(struct pool *p, struct call *call)
{
	lock_take(&p->lock);
	p->call = call;
	lock_drop(&p->lock);
}

void pool_set_keys(struct pool *p, struct shared *keys)
{
	struct shared *old;

	lock_take(&p->lock);
	old = p->keys;
	p->keys = keys;
	lock_drop(&p->lock);
	shared_unref(old);
}

struct shared *pool_keys(struct pool *p)
{
	struct shared *keys;

	lock_take(&p->lock);
	keys = p->keys;
	shared_ref(keys);
	lock_drop(&p->lock);
	return keys;
}

void pool_set_secret(struct pool *p, struct shared *secret, struct letters *out)
{
	struct shared *old;

	lock_take(&p->lock);
	old = p->secret;
	p->secret = secret;
	if (!found_secret_same(found_secret_of(old), found_secret_of(secret)))
		secret_is_new_locked(p, out);
	lock_drop(&p->lock);
	shared_unref(old);
}

struct shared *pool_secret(struct pool *p)
{
	struct shared *secret;

	lock_take(&p->lock);
	secret = p->secret;
	shared_ref(secret);
	lock_drop(&p->lock);
	return secret;
}

bool pool_take_new_secret(struct pool *p)
{
	bool is_new;

	lock_take(&p->lock);
	is_new = p->secret_is_new;
	p->secret_is_new = false;
	lock_drop(&p->lock);
	return is_new;
}

uint32_t pool_count_secrets(struct pool *p)
{
	uint32_t n;

	lock_take(&p->lock);
	n = p->n_secrets;
	lock_drop(&p->lock);
	return n;
}

struct shared *pool_welcome(struct pool *p)
{
	struct shared *welcome;

	lock_take(&p->lock);
	welcome = p->welcome;
	shared_ref(welcome);
	lock_drop(&p->lock);
	return welcome;
}

struct outage *pool_outage(struct pool *p)
{
	struct outage *outage;

	lock_take(&p->lock);
	outage = p->outage;
	if (outage != NULL)
		shared_ref(&outage->shared);
	lock_drop(&p->lock);
	return outage;
}

bool pool_outage_lasts(struct pool *p, uint64_t since_us)
{
	bool lasts;

	lock_take(&p->lock);
	lasts = p->state != POOL_CLOSED && p->outage != NULL && p->outage->since_us == since_us;
	lock_drop(&p->lock);
	return lasts;
}

void pool_add_told(struct pool *p)
{
	lock_take(&p->lock);
	p->n_told++;
	lock_drop(&p->lock);
}

uint64_t pool_take_told(struct pool *p)
{
	uint64_t n;

	lock_take(&p->lock);
	n = p->n_told;
	p->n_told = 0;
	lock_drop(&p->lock);
	return n;
}

void pool_keep_seat(struct seat *s, bool keep)
{
	lock_take(&s->pool->lock);
	s->kept = keep;
	lock_drop(&s->pool->lock);
}

bool pool_look_begins(struct seat *s)
{
	struct pool *p = s->pool;
	struct pool_settings *old = s->settings;
	bool changed;

	lock_take(&p->lock);
	s->look_posted = false;
	s->settings = p->settings;
	shared_ref(&s->settings->shared);
	changed = s->settings != old;
	lock_drop(&p->lock);
	shared_unref(&old->shared);
	return changed;
}

/* ---- what main asks ---- */

/* Of the longest waiter for whom no server is on its way. There is one. */
static uint64_t lacks_since_us(const struct seat *s, uint32_t coming)
{
	struct list *node = list_first(&s->waiting);

	for (; coming > 0 && node->next != &s->waiting; coming--)
		node = node->next;
	return waiter_of(node)->since_us;
}

static void need_of_seat_locked(struct seat *s, struct pool_need *need, uint32_t *most, uint32_t *fewest)
{
	uint32_t coming = s->n_moving + s->n_opening;
	uint32_t lacking = s->n_waiting > coming ? s->n_waiting - coming : 0;
	uint32_t servers = s->n_idle + s->n_lent + coming;
	struct list *head = list_first(&s->waiting);

	need->usable += s->n_idle + s->n_lent + s->n_moving;
	need->waiting += s->n_waiting;
	need->newcomers += s->n_newcomers;
	need->opening += s->n_opening;
	need->moving += s->n_moving;
	need->idle += s->n_idle;
	need->clients += s->n_clients;
	need->lacking += lacking;
	if (head != NULL && (need->oldest_wait_us == 0 || waiter_of(head)->since_us < need->oldest_wait_us))
		need->oldest_wait_us = waiter_of(head)->since_us;
	if (lacking > 0) {
		uint64_t since_us = lacks_since_us(s, coming);

		if (need->lacks_since_us == 0 || since_us < need->lacks_since_us)
			need->lacks_since_us = since_us;
	}
	if (lacking > *most) {
		*most = lacking;
		need->neediest = s;
	}
	if (servers < *fewest) {
		*fewest = servers;
		need->emptiest = s;
	}
}

void pool_needs(struct pool *p, struct pool_need *need)
{
	uint32_t most = 0, fewest = UINT32_MAX;
	struct seat *welcoming = NULL;

	memset(need, 0, sizeof(*need));
	lock_take(&p->lock);
	for (uint16_t i = 0; i < p->n_seats; i++) {
		need_of_seat_locked(&p->seat[i], need, &most, &fewest);
		if (p->seat[i].n_newcomers > 0 && welcoming == NULL)
			welcoming = &p->seat[i];
	}
	need->state = p->state;
	need->has_welcome = p->welcome != NULL;
	need->asked = p->asked;
	if (need->lacking == 0 && welcoming != NULL && !need->has_welcome && need->opening == 0) {
		need->lacking = 1;
		need->lacks_since_us = waiter_of(list_first(&welcoming->newcomers))->since_us;
		need->neediest = welcoming;
	}
	lock_drop(&p->lock);
}

void pool_want_read(struct pool *p)
{
	lock_take(&p->lock);
	p->want_posted = false;
	lock_drop(&p->lock);
}

void pool_may_ask(struct pool *p, bool may, struct letters *out)
{
	lock_take(&p->lock);
	p->may_ask = may;
	if (may && p->state == POOL_OPEN && spare_locked(p) == NULL)
		/* whoever began to wait while asking was shut */
		for (uint16_t i = 0; i < p->n_seats; i++)
			if (lacks_locked(p, &p->seat[i]))
				want_locked(p, out);
	lock_drop(&p->lock);
}

void pool_ask(struct pool *p, struct letters *out)
{
	lock_take(&p->lock);
	want_locked(p, out);
	lock_drop(&p->lock);
}

uint64_t pool_coldest_us(struct pool *p, const struct host *host)
{
	struct place *pl;
	uint64_t since;

	lock_take(&p->lock);
	pl = coldest_locked(p, host);
	since = pl == NULL ? 0 : pl->idle_since_us;
	lock_drop(&p->lock);
	return since;
}

bool pool_evict_coldest(struct pool *p, const struct host *host, enum pool_limit limit, struct letters *out)
{
	struct place *pl;

	lock_take(&p->lock);
	pl = coldest_locked(p, host);
	if (pl != NULL) {
		leave_idle_locked(pl);
		pl->state = PLACE_CLOSING;
		pl->why = (uint8_t)retire_for(limit);
		pl->letter.kind = LETTER_CLOSE;
		pl->letter.to = pl->seat->worker;
		pl->letter_posted = true;
		letters_add(out, &pl->letter);
	}
	lock_drop(&p->lock);
	return pl != NULL;
}

struct seat *pool_seat_for(struct pool *p, uint16_t prefer_worker)
{
	struct seat *best = NULL;

	lock_take(&p->lock);
	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct seat *s = &p->seat[i];

		if (best == NULL || s->n_clients < best->n_clients ||
		    (s->n_clients == best->n_clients && s->worker == prefer_worker))
			best = s;
	}
	best->n_clients++;
	lock_drop(&p->lock);
	return best;
}

struct seat *pool_seat_at(struct pool *p, uint16_t worker)
{
	struct seat *s = p->seat;

	lock_take(&p->lock);
	for (uint16_t i = 0; i < p->n_seats; i++)
		if (p->seat[i].worker == worker)
			s = &p->seat[i];
	s->n_clients++;
	lock_drop(&p->lock);
	return s;
}

void pool_seat_left(struct seat *s)
{
	lock_take(&s->pool->lock);
	s->n_clients--;
	lock_drop(&s->pool->lock);
}

/* ---- what must always hold ---- */

#define MUST(cond)                                                                                                     \
	do {                                                                                                           \
		if (!(cond))                                                                                           \
			return #cond;                                                                                  \
	} while (0)

static const char *check_seat_locked(struct seat *s)
{
	struct list *node;
	uint64_t last_since = 0, last_lent = 0;

	MUST(list_count(&s->waiting) == s->n_waiting);
	MUST(list_count(&s->newcomers) == s->n_newcomers);
	MUST(list_count(&s->idle) == s->n_idle);
	MUST(list_count(&s->lent) == s->n_lent);
	list_each (node, &s->idle) {
		MUST(place_of(node)->state == PLACE_IDLE);
		MUST(place_of(node)->seat == s);
	}
	list_each (node, &s->lent) {
		MUST(place_of(node)->state == PLACE_LENT);
		MUST(place_of(node)->seat == s);
		MUST(place_of(node)->lent_us >= last_lent);
		last_lent = place_of(node)->lent_us;
	}
	list_each (node, &s->waiting) {
		MUST(waiter_of(node)->queued);
		MUST(waiter_of(node)->since_us >= last_since);
		last_since = waiter_of(node)->since_us;
	}
	return NULL;
}

static bool has_fit_idle_locked(const struct pool *p, const struct seat *s) REQUIRES(p->lock)
{
	struct list *node;

	list_each (node, &s->idle)
		if (fits_locked(p, place_of(node)))
			return true;
	return false;
}

static const char *check_locked(struct pool *p) REQUIRES(p->lock)
{
	bool idle_anywhere = false, starving = false;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		struct seat *s = &p->seat[i];
		const char *broken = check_seat_locked(s);

		if (broken != NULL)
			return broken;
		idle_anywhere |= has_fit_idle_locked(p, s);
		starving |= s->n_waiting > s->n_moving && s->n_lent == 0;
	}
	MUST(p->state != POOL_OPEN || !idle_anywhere || !starving);
	return NULL;
}

const char *pool_check(struct pool *p)
{
	const char *broken;

	lock_take(&p->lock);
	broken = check_locked(p);
	lock_drop(&p->lock);
	return broken;
}
