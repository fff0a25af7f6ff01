/*
 * Databases, accounts and pools by name, and how many clients each has. Any
 * thread; the registry's lock ranks above the pools' locks.
 */
#include "pool/registry.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pool/opener.h"

#define CLIENTS_PER_SEAT 4u /* servers per seat below which a pool gets fewer seats; measured, doc/decisions.md */

struct pool_key {
	const char *database, *user;
	bool lookups;
};

static bool same_database(const struct table_node *node, const void *key)
{
	return strcmp(container_of_const(node, struct database, node)->name, (const char *)key) == 0;
}

static bool same_account(const struct table_node *node, const void *key)
{
	return strcmp(container_of_const(node, struct account, node)->name, (const char *)key) == 0;
}

static bool same_pool(const struct table_node *node, const void *key)
{
	const struct pool *p = container_of_const(node, struct pool, by_name);
	const struct pool_key *k = (const struct pool_key *)key;

	return strcmp(p->database, k->database) == 0 && strcmp(p->user, k->user) == 0 && p->lookups == k->lookups;
}

static uint32_t text_hash(const struct table *t, const char *text)
{
	return table_hash(t, text, strlen(text));
}

static uint32_t pool_hash(const struct table *t, const struct pool_key *k)
{
	return text_hash(t, k->database) * 31 + text_hash(t, k->user);
}

static struct database *database_of(struct list *node)
{
	return container_of(node, struct database, on_all);
}

struct registry *registry_new(uint16_t n_workers, uint32_t seed)
{
	struct registry *r = mem_new(struct registry);

	if (r == NULL)
		return NULL;
	lock_init(&r->lock);
	list_init(&r->databases);
	table_init(&r->by_name, seed);
	table_init(&r->accounts, seed + 1);
	table_init(&r->pools, seed + 2);
	r->n_workers = n_workers;
	atomic_init(&r->n_clients, 0);
	return r;
}

void registry_database_free(struct database *d)
{
	mem_free(d->name);
	mem_free(d);
}

void registry_free(struct registry *r)
{
	struct list *node, *after, *pool, *next;
	struct table_node *account;

	if (r == NULL)
		return;
	list_each_safe (node, after, &r->databases) {
		struct database *d = database_of(node);

		list_each_safe (pool, next, &d->pools)
			pool_free(container_of(pool, struct pool, on_database));
		registry_database_free(d);
	}
	while ((account = table_next(&r->accounts, NULL)) != NULL) {
		struct account *a = container_of(account, struct account, node);

		table_remove(&r->accounts, account);
		mem_free(a->name);
		mem_free(a);
	}
	table_fini(&r->by_name);
	table_fini(&r->accounts);
	table_fini(&r->pools);
	lock_fini(&r->lock);
	mem_free(r);
}

/* ---- finding and making, lock held ---- */

static struct database *find_database_locked(struct registry *r, const char *name) REQUIRES(r->lock)
{
	struct table_node *node = table_find(&r->by_name, text_hash(&r->by_name, name), same_database, name);

	return node == NULL ? NULL : container_of(node, struct database, node);
}

static struct database *make_database_locked(struct registry *r, const char *name, bool is_auto) REQUIRES(r->lock)
{
	struct database *d = mem_new(struct database);

	if (d == NULL)
		return NULL;
	d->name = mem_copy_str(name);
	if (d->name == NULL) {
		mem_free(d);
		return NULL;
	}
	d->is_auto = is_auto;
	list_init(&d->pools);
	quota_init(&d->quota, LIMIT_DATABASE, NULL);
	list_add_tail(&r->databases, &d->on_all);
	table_add(&r->by_name, &d->node, text_hash(&r->by_name, name));
	r->n_databases++;
	return d;
}

static struct account *account_locked(struct registry *r, const char *name) REQUIRES(r->lock)
{
	uint32_t hash = text_hash(&r->accounts, name);
	struct table_node *node = table_find(&r->accounts, hash, same_account, name);
	struct account *a;

	if (node != NULL)
		return container_of(node, struct account, node);
	a = mem_new(struct account);
	if (a == NULL)
		return NULL;
	a->name = mem_copy_str(name);
	if (a->name == NULL) {
		mem_free(a);
		return NULL;
	}
	quota_init(&a->quota, LIMIT_USER, NULL);
	table_add(&r->accounts, &a->node, hash);
	return a;
}

/* Few servers need few seats: a small pool never bounces between many cores. */
static uint16_t seats_for(const struct registry *r, const struct pool_settings *set)
{
	uint32_t k = set->size == UINT32_MAX ? r->n_workers : set->size / CLIENTS_PER_SEAT;

	return (uint16_t)(k < 1 ? 1 : k > r->n_workers ? r->n_workers : k);
}

/* What its pools' state has to be. */
static enum pool_state state_of_locked(const struct registry *r, const struct database *d)
{
	if (d->removed || d->killing)
		return POOL_CLOSED;
	return d->paused || r->paused ? POOL_PAUSED : POOL_OPEN;
}

static struct pool *make_pool_locked(struct registry *r, struct database *d, struct pool_settings *set,
                                     const char *user, bool lookups) REQUIRES(r->lock)
{
	struct pool_key key = {d->name, user, lookups};
	uint16_t workers[UINT8_MAX + 1], n = lookups ? r->n_workers : seats_for(r, set);
	struct pool *p;

	for (uint16_t i = 0; i < n && i <= UINT8_MAX; i++)
		workers[i] = (uint16_t)((r->next_worker + i) % r->n_workers);
	p = pool_new(d->name, user, workers, n, set);
	if (p == NULL)
		return NULL;
	r->next_worker = (uint16_t)((r->next_worker + n) % r->n_workers);
	p->lookups = lookups;
	p->state = state_of_locked(r, d);
	list_add_tail(&d->pools, &p->on_database);
	table_add(&r->pools, &p->by_name, pool_hash(&r->pools, &key));
	r->n_pools++;
	return p;
}

static struct pool *pool_locked(struct registry *r, const struct config *c, const struct conf_database *entry,
                                struct database *d, const char *user) REQUIRES(r->lock)
{
	struct pool_key key = {d->name, entry->user == NULL ? user : entry->user, false};
	struct table_node *node = table_find(&r->pools, pool_hash(&r->pools, &key), same_pool, &key);
	struct pool_settings *set;
	struct pool *p;

	if (node != NULL)
		return container_of(node, struct pool, by_name);
	set = pool_settings_new(c, entry, d->name, user);
	if (set == NULL)
		return NULL;
	p = make_pool_locked(r, d, set, key.user, false);
	if (p == NULL)
		shared_unref(&set->shared);
	return p;
}

static struct pool *lookups_pool_locked(struct registry *r, const struct config *c, const struct conf_database *entry,
                                        struct database *d, const char *auth_user) REQUIRES(r->lock)
{
	struct pool_key key = {d->name, auth_user, true};
	struct table_node *node = table_find(&r->pools, pool_hash(&r->pools, &key), same_pool, &key);
	struct pool_settings *set;
	struct pool *p;

	if (node != NULL)
		return container_of(node, struct pool, by_name);
	set = pool_settings_new_lookups(c, entry, d->name, auth_user);
	p = set == NULL ? NULL : make_pool_locked(r, d, set, auth_user, true);
	if (p == NULL && set != NULL)
		shared_unref(&set->shared);
	return p;
}

/* Always like session pooling, and nothing is opened in advance. */
static struct pool_settings *replication_settings(const struct config *c, const struct conf_database *entry,
                                                  const char *database, const char *user)
{
	struct pool_settings *set = pool_settings_new(c, entry, database, user);

	if (set == NULL)
		return NULL;
	set->mode = POOL_MODE_SESSION;
	set->guard = STATE_GUARD_OFF; /* nobody shares it */
	set->min_size = 0;
	return set;
}

/* A pool beside `home` for one replication connection. NULL: out of memory, `replication` is still the caller's. */
static struct pool *replication_pool_locked(struct registry *r, const struct config *c,
                                            const struct conf_database *entry, struct database *d, struct pool *home,
                                            uint16_t worker, struct replication *replication) REQUIRES(r->lock)
{
	struct pool_settings *set = replication_settings(c, entry, d->name, home->user);
	struct pool *p = set == NULL ? NULL : pool_new_replication(home, worker, set, replication);

	if (p == NULL && set != NULL)
		shared_unref(&set->shared);
	if (p == NULL)
		return NULL;
	p->state = state_of_locked(r, d);
	home->n_guests++;
	list_add_tail(&d->pools, &p->on_database);
	return p;
}

/* ---- clients ---- */

static bool is_full(uint32_t n, int limit)
{
	return limit > 0 && n >= (uint32_t)limit;
}

static enum entering enter_locked(struct registry *r, const struct config *c, const char *database, const char *user,
                                  uint16_t worker, struct replication *replication, struct entry *entry)
    REQUIRES(r->lock)
{
	bool is_template = false, is_new;
	const struct conf_database *conf = config_find_database(c, database, &is_template);
	struct database *d = find_database_locked(r, database);
	struct account *a;
	struct pool *p;

	if (conf == NULL || (d != NULL && d->removed))
		return ENTER_NO_DATABASE;
	if (r->shutting_down)
		return ENTER_SHUTTING_DOWN;
	if (d == NULL)
		d = make_database_locked(r, database, is_template);
	a = account_locked(r, user);
	if (d == NULL || a == NULL)
		return ENTER_NO_MEMORY;
	if (d->disabled)
		return ENTER_DISABLED;
	if (is_full(d->n_clients, conf_max_db_client_connections(c, conf)))
		return ENTER_DATABASE_FULL;
	if (is_full(a->n_clients, conf_max_user_client_connections(c, config_find_user(c, user))))
		return ENTER_USER_FULL;
	p = pool_locked(r, c, conf, d, user);
	if (p != NULL && replication != NULL)
		p = replication_pool_locked(r, c, conf, d, p, worker, replication);
	if (p == NULL)
		return ENTER_NO_MEMORY;
	is_new = d->is_auto && !d->entered;
	d->entered = true;
	d->n_clients++;
	a->n_clients++;
	entry->database = d;
	entry->account = a;
	entry->seat = pool_seat_for(p, worker);
	return is_new ? ENTERED_NEW_DATABASE : ENTERED;
}

enum entering registry_enter(struct registry *r, const struct config *c, const char *database, const char *user,
                             uint16_t worker, struct entry *entry)
{
	enum entering result;

	lock_take(&r->lock);
	result = enter_locked(r, c, database, user, worker, NULL, entry);
	lock_drop(&r->lock);
	return result;
}

enum entering registry_enter_replication(struct registry *r, const struct config *c, const char *database,
                                         const char *user, uint16_t worker, struct replication *replication,
                                         struct entry *entry)
{
	enum entering result;

	lock_take(&r->lock);
	result = enter_locked(r, c, database, user, worker, replication, entry);
	lock_drop(&r->lock);
	if (result != ENTERED && result != ENTERED_NEW_DATABASE)
		mem_free(replication);
	return result;
}

static enum entering enter_lookups_locked(struct registry *r, const struct config *c, const char *database,
                                          const char *auth_user, uint16_t worker, struct entry *entry) REQUIRES(r->lock)
{
	bool is_template = false;
	const struct conf_database *conf = config_find_database(c, database, &is_template);
	struct database *d = find_database_locked(r, database);
	struct pool *p;

	if (conf == NULL || (d != NULL && d->removed))
		return ENTER_NO_DATABASE;
	if (r->shutting_down)
		return ENTER_SHUTTING_DOWN;
	if (d == NULL)
		d = make_database_locked(r, database, is_template);
	if (d == NULL)
		return ENTER_NO_MEMORY;
	if (d->disabled)
		return ENTER_DISABLED;
	p = account_locked(r, auth_user) == NULL ? NULL : lookups_pool_locked(r, c, conf, d, auth_user);
	if (p == NULL)
		return ENTER_NO_MEMORY;
	entry->seat = pool_seat_at(p, worker);
	return ENTERED;
}

enum entering registry_enter_lookups(struct registry *r, const struct config *c, const char *database,
                                     const char *auth_user, uint16_t worker, struct entry *entry)
{
	enum entering result;

	lock_take(&r->lock);
	result = enter_lookups_locked(r, c, database, auth_user, worker, entry);
	lock_drop(&r->lock);
	return result;
}

void registry_leave(struct registry *r, struct entry *entry, uint64_t now_us)
{
	if (entry->seat == NULL)
		return;
	lock_take(&r->lock);
	if (entry->account != NULL)
		entry->account->n_clients--;
	if (entry->database != NULL && --entry->database->n_clients == 0)
		entry->database->unused_since_us = now_us;
	pool_seat_left(entry->seat);
	lock_drop(&r->lock);
	memset(entry, 0, sizeof(*entry));
}

/* ---- main ---- */

void registry_each_database(struct registry *r, database_each *each, void *arg)
{
	struct list *node, *after;

	lock_take(&r->lock);
	list_each_safe (node, after, &r->databases)
		each(arg, database_of(node));
	lock_drop(&r->lock);
}

void registry_each_pool(struct registry *r, const char *database, pool_each *each, void *arg)
{
	struct list *node, *pool;

	lock_take(&r->lock);
	list_each (node, &r->databases) {
		struct database *d = database_of(node);

		if (database != NULL && strcmp(d->name, database) != 0)
			continue;
		list_each (pool, &d->pools)
			each(arg, container_of(pool, struct pool, on_database));
	}
	lock_drop(&r->lock);
}

struct database *registry_database(struct registry *r, const struct config *c, const char *name)
{
	bool is_template = false;
	struct database *d;

	lock_take(&r->lock);
	d = find_database_locked(r, name);
	if (d == NULL && config_find_database(c, name, &is_template) != NULL)
		d = make_database_locked(r, name, is_template);
	lock_drop(&r->lock);
	return d;
}

struct database *registry_find_database(struct registry *r, const char *name)
{
	struct database *d;

	lock_take(&r->lock);
	d = find_database_locked(r, name);
	lock_drop(&r->lock);
	return d;
}

struct account *registry_account(struct registry *r, const char *name)
{
	struct account *a;

	lock_take(&r->lock);
	a = account_locked(r, name);
	lock_drop(&r->lock);
	return a;
}

/* ---- sweeping ---- */

/* Whoever has just left a pool may still have it on a list of its own for a moment (worker's watched seats). */
#define SWEEP_AT_LEAST_US US_PER_S

static bool pool_is_free(struct pool *p)
{
	return p->n_guests == 0 && pool_is_unused(p) && (p->opener == NULL || p->opener->n_permits == 0);
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* When the pool may go: 0 for now. Nobody tells main that a pool comes out of use: it has to look again. */
static uint64_t pool_goes_at(struct pool *p, uint64_t now_us, uint64_t after_us)
{
	if (!pool_is_free(p)) {
		p->unused_since_us = 0;
		return now_us + after_us;
	}
	if (p->unused_since_us == 0)
		p->unused_since_us = now_us;
	return now_us >= p->unused_since_us + after_us ? 0 : p->unused_since_us + after_us;
}

static bool may_go_locked(const struct database *d)
{
	return d->n_clients == 0 && d->quota.n_permits == 0 && !d->killing &&
	       (d->removed || (d->is_auto && !d->paused && !d->disabled));
}

bool registry_only_named(struct registry *r, const char *database)
{
	const struct database *d;
	bool only_named;

	lock_take(&r->lock);
	d = find_database_locked(r, database);
	only_named = d != NULL && d->is_auto && !d->entered;
	lock_drop(&r->lock);
	return only_named;
}

/* How long this database must have been unused. */
static uint64_t rest_of_locked(const struct database *d, const struct sweep_times *times)
{
	return d->removed || !d->entered || times->auto_database_us < SWEEP_AT_LEAST_US ? SWEEP_AT_LEAST_US
	                                                                                : times->auto_database_us;
}

/* How long its pools must have been unused; 0: they stay. */
static uint64_t patience_locked(const struct database *d, const struct sweep_times *times)
{
	uint64_t us = times->pool_us;

	if (d->removed)
		return SWEEP_AT_LEAST_US;
	if (d->is_auto && times->auto_database_us > 0 && (us == 0 || times->auto_database_us < us))
		us = times->auto_database_us;
	else if (us == 0)
		return 0;
	return us < SWEEP_AT_LEAST_US ? SWEEP_AT_LEAST_US : us;
}

/* It is made without clients, and stays without them. */
static bool stands_locked(const struct database *d, const struct pool *p)
{
	return p->home == NULL && !d->removed && !d->is_auto && p->settings->forced_user && p->settings->min_size > 0;
}

/* That of a replication connection has served when its client has left. Strangers may have lookups tried in databases
   with any name, if there is a template for them. */
static uint64_t patience_with_pool(const struct database *d, const struct pool *p, uint64_t patience_us)
{
	return p->home != NULL || (p->lookups && d->is_auto) ? SWEEP_AT_LEAST_US : patience_us;
}

static void add_seats(struct counters *sum, const struct pool *p)
{
	for (uint16_t i = 0; i < p->n_seats; i++)
		counters_add(sum, &p->seat[i].counters);
}

/* Nobody finds it any more. What its clients did stays counted. */
static void take_out_locked(struct registry *r, struct pool *p) REQUIRES(r->lock)
{
	list_remove(&p->on_database);
	if (p->home != NULL) {
		p->home->n_guests--;
		counters_add(&p->home->guests, &p->seat[0].counters);
		return;
	}
	add_seats(&r->gone, p);
	counters_add(&r->gone, &p->guests);
	table_remove(&r->pools, &p->by_name);
	r->n_pools--;
}

static uint64_t sweep_pools_locked(struct registry *r, struct database *d, uint64_t now_us, uint64_t patience_us,
                                   struct list *pools) REQUIRES(r->lock)
{
	struct list *node, *after;
	uint64_t next_us = UINT64_MAX;

	list_each_safe (node, after, &d->pools) {
		struct pool *p = container_of(node, struct pool, on_database);
		uint64_t patience = patience_with_pool(d, p, patience_us), at_us;

		if (patience == 0)
			continue;
		at_us = stands_locked(d, p) ? UINT64_MAX : pool_goes_at(p, now_us, patience);
		if (at_us != 0) {
			next_us = sooner(next_us, at_us);
			continue;
		}
		take_out_locked(r, p);
		list_add_tail(pools, &p->on_database);
	}
	return next_us;
}

uint64_t registry_sweep(struct registry *r, uint64_t now_us, const struct sweep_times *times, struct list *pools,
                        struct list *databases)
{
	struct list *node, *after;
	uint64_t next_us = UINT64_MAX;

	lock_take(&r->lock);
	list_each_safe (node, after, &r->databases) {
		struct database *d = database_of(node);
		uint64_t patience_us = patience_locked(d, times);

		next_us = sooner(next_us, sweep_pools_locked(r, d, now_us, patience_us, pools));
		if (!d->removed && (!d->is_auto || times->auto_database_us == 0))
			continue;
		if (!list_is_empty(&d->pools) || !may_go_locked(d) ||
		    now_us < d->unused_since_us + rest_of_locked(d, times)) {
			next_us = sooner(next_us, now_us + rest_of_locked(d, times));
			continue;
		}
		list_remove(&d->on_all);
		table_remove(&r->by_name, &d->node);
		r->n_databases--;
		list_add_tail(databases, &d->on_all);
	}
	lock_drop(&r->lock);
	return next_us;
}

struct counters registry_gone(struct registry *r)
{
	struct counters gone;

	lock_take(&r->lock);
	gone = r->gone;
	lock_drop(&r->lock);
	return gone;
}

/* ---- pausing and killing ---- */

static void set_pools_locked(struct registry *r, struct database *d, struct letters *out) REQUIRES(r->lock)
{
	struct list *node;

	list_each (node, &d->pools)
		pool_set_state(container_of(node, struct pool, on_database), state_of_locked(r, d), out);
}

static bool is_meant(const struct database *d, const char *database)
{
	return database == NULL || strcmp(d->name, database) == 0;
}

void registry_set_paused(struct registry *r, const char *database, bool paused, struct letters *out)
{
	struct list *node;

	lock_take(&r->lock);
	if (database == NULL)
		r->paused = paused;
	list_each (node, &r->databases) {
		struct database *d = database_of(node);

		if (!is_meant(d, database))
			continue;
		if (database != NULL)
			d->paused = paused;
		set_pools_locked(r, d, out);
	}
	lock_drop(&r->lock);
}

bool registry_is_paused(struct registry *r, const char *database)
{
	struct database *d;
	bool paused;

	lock_take(&r->lock);
	d = database == NULL ? NULL : find_database_locked(r, database);
	paused = database == NULL ? r->paused : d != NULL && d->paused;
	lock_drop(&r->lock);
	return paused;
}

static void set_killing(struct registry *r, const char *database, bool killing, struct letters *out)
{
	struct list *node;

	lock_take(&r->lock);
	list_each (node, &r->databases) {
		struct database *d = database_of(node);

		if (!is_meant(d, database) || (!killing && !d->killing))
			continue;
		d->killing = killing;
		if (killing)
			d->paused = true;
		set_pools_locked(r, d, out);
	}
	lock_drop(&r->lock);
}

void registry_begin_kill(struct registry *r, const char *database, struct letters *out)
{
	set_killing(r, database, true, out);
}

void registry_end_kill(struct registry *r, const char *database, struct letters *out)
{
	set_killing(r, database, false, out);
}

void registry_set_disabled(struct registry *r, const char *database, bool disabled)
{
	struct database *d;

	lock_take(&r->lock);
	d = find_database_locked(r, database);
	if (d != NULL)
		d->disabled = disabled;
	lock_drop(&r->lock);
}

void registry_turn_local_away(struct registry *r)
{
	lock_take(&r->lock);
	r->turns_local_away = true;
	lock_drop(&r->lock);
}

bool registry_turns_local_away(struct registry *r)
{
	bool away;

	lock_take(&r->lock);
	away = r->turns_local_away;
	lock_drop(&r->lock);
	return away;
}

void registry_shut_down(struct registry *r)
{
	lock_take(&r->lock);
	r->shutting_down = true;
	lock_drop(&r->lock);
}

void registry_close(struct registry *r, struct letters *out)
{
	struct list *node;

	lock_take(&r->lock);
	r->shutting_down = true;
	list_each (node, &r->databases) {
		struct database *d = database_of(node);

		d->removed = true;
		set_pools_locked(r, d, out);
	}
	lock_drop(&r->lock);
}

uint32_t registry_count_permits(struct registry *r, const char *database)
{
	struct list *node;
	uint32_t n = 0;

	lock_take(&r->lock);
	list_each (node, &r->databases)
		if (is_meant(database_of(node), database))
			n += database_of(node)->quota.n_permits;
	lock_drop(&r->lock);
	return n;
}

/* ---- pools without clients ---- */

static void make_standing_locked(struct registry *r, const struct config *c, const struct conf_database *entry,
                                 struct letters *out) REQUIRES(r->lock)
{
	struct database *d = find_database_locked(r, entry->name);
	struct pool *p;

	if (d == NULL)
		d = make_database_locked(r, entry->name, false);
	p = d == NULL ? NULL : pool_locked(r, c, entry, d, entry->user);
	if (p != NULL)
		pool_ask(p, out);
}

void registry_make_standing(struct registry *r, const struct config *c, struct letters *out)
{
	const struct conf_database *entry;

	lock_take(&r->lock);
	for (unsigned i = 0; (entry = config_database(c, i)) != NULL; i++)
		if (entry->user != NULL && conf_min_pool_size(c, entry) > 0 && strcmp(entry->name, "*") != 0)
			make_standing_locked(r, c, entry, out);
	lock_drop(&r->lock);
}

/* ---- reload ---- */

/* What a reload will do to one pool; collected first, so that it can still be given up. */
struct change {
	struct pool *pool;
	struct pool_settings *settings;
	struct change *next;
};

static void changes_free(struct change *c)
{
	while (c != NULL) {
		struct change *next = c->next;

		if (c->settings != NULL)
			shared_unref(&c->settings->shared);
		mem_free(c);
		c = next;
	}
}

static struct pool_settings *settings_of_kind(const struct config *c, const struct conf_database *entry,
                                              const struct database *d, const struct pool *p)
{
	if (p->lookups)
		return pool_settings_new_lookups(c, entry, d->name, p->user);
	return p->home == NULL ? pool_settings_new(c, entry, d->name, p->user)
	                       : replication_settings(c, entry, d->name, p->user);
}

static bool collect_locked(struct registry *r, const struct config *c, struct change **all) REQUIRES(r->lock)
{
	struct list *node, *pool;

	list_each (node, &r->databases) {
		struct database *d = database_of(node);
		const struct conf_database *entry = config_find_database(c, d->name, NULL);

		if (entry == NULL)
			continue;
		list_each (pool, &d->pools) {
			struct change *change = mem_new(struct change);
			struct pool *p = container_of(pool, struct pool, on_database);

			if (change == NULL)
				return false;
			change->next = *all;
			*all = change;
			change->pool = p;
			change->settings = settings_of_kind(c, entry, d, p);
			if (change->settings == NULL)
				return false;
		}
	}
	return true;
}

static void change_pool(struct change *change, struct letters *out)
{
	struct pool *p = change->pool;
	bool same = pool_settings_same_server(p->settings, change->settings);

	pool_set_settings(p, change->settings, out);
	change->settings = NULL;
	if (!same)
		pool_reconnect(p, out);
}

static void close_removed_locked(struct registry *r, const struct config *c, struct letters *out) REQUIRES(r->lock)
{
	struct list *node;

	list_each (node, &r->databases) {
		struct database *d = database_of(node);
		bool is_template = false;
		bool there = config_find_database(c, d->name, &is_template) != NULL;

		d->is_auto = is_template;
		if (there == !d->removed)
			continue;
		d->removed = !there;
		set_pools_locked(r, d, out);
	}
}

bool registry_apply(struct registry *r, const struct config *c, struct letters *out)
{
	struct change *all = NULL, *change;
	bool ok;

	lock_take(&r->lock);
	ok = collect_locked(r, c, &all);
	for (change = all; ok && change != NULL; change = change->next)
		change_pool(change, out);
	if (ok)
		close_removed_locked(r, c, out);
	lock_drop(&r->lock);
	changes_free(all);
	return ok;
}
