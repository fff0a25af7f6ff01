/*
 * Which databases, users and pools there are, and how many clients they have.
 * Any thread, under one lock that is taken at login and logout only.
 */
#ifndef POOL_REGISTRY_H
#define POOL_REGISTRY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/table.h"
#include "conf/config.h"
#include "os/lock.h"
#include "pool/pool.h"
#include "pool/quota.h"
#include "pool/settings.h"

/* A database as clients name it. Guarded by: registry->lock, except what says otherwise. */
struct database {
	struct table_node node;
	struct list on_all; /* registry->databases, in order of creation */
	char *name;         /* immutable */
	bool is_auto;       /* made from the template */
	bool entered;       /* a client has been let in; before that only strangers may have named it */
	bool disabled, paused, removed;
	bool killing; /* KILL is under way: its pools are closed */
	uint32_t n_clients;
	atomic_uint schema_generation; /* any thread: grows with each DDL command seen */
	struct list pools;             /* pool->on_database */
	uint64_t unused_since_us;      /* auto-databases are freed after autodb_idle_timeout */
	struct quota quota;            /* of max_db_connections */
};

/* An account. Guarded by: registry->lock, except what says otherwise. */
struct account {
	struct table_node node;
	char *name; /* immutable */
	uint32_t n_clients;
	struct quota quota; /* of max_user_connections */
};

struct registry {
	struct lock lock;
	struct list databases;
	struct table by_name, accounts, pools;
	uint32_t n_databases, n_pools;
	uint16_t n_workers;
	uint16_t next_worker;  /* where the next small pool sits */
	bool shutting_down;    /* new clients are turned away */
	bool turns_local_away; /* those of the Unix socket */
	bool paused;           /* all databases are, beside those that are paused themselves */
	atomic_uint n_clients; /* all clients that count for max_client_conn */
	struct counters gone;  /* what was counted in pools that exist no more and had no home */
};

/* A client's place in the books, from login to the end. Owned by the client. */
struct entry {
	struct database *database; /* NULL while it waits for auth_query, likewise the account */
	struct account *account;
	struct seat *seat;
};

enum entering {
	ENTERED,
	ENTERED_NEW_DATABASE, /* likewise, as the first in a database that was made from the template */
	ENTER_NO_DATABASE,
	ENTER_DISABLED,
	ENTER_DATABASE_FULL, /* max_db_client_connections */
	ENTER_USER_FULL,     /* max_user_client_connections */
	ENTER_SHUTTING_DOWN,
	ENTER_NO_MEMORY
};

/* NULL: out of memory. `seed` is random. Main. */
struct registry *registry_new(uint16_t n_workers, uint32_t seed) MUST_USE;
void registry_free(struct registry *r);

/* A client that has proved to be `user` wants `database`: finds or makes the pool, counts the client, picks the seat
   with the fewest clients (its own worker's if equal). */
enum entering registry_enter(struct registry *r, const struct config *c, const char *database, const char *user,
                             uint16_t worker, struct entry *entry) MUST_USE;
/* The same for a replication connection: it gets a pool of its own on that worker. Takes `replication`. */
enum entering registry_enter_replication(struct registry *r, const struct config *c, const char *database,
                                         const char *user, uint16_t worker, struct replication *replication,
                                         struct entry *entry) MUST_USE;
/* A client of whom nobody knows yet who it is waits until auth_query can be run, as `auth_user` in `database`, for it:
   a seat of that pool on its worker, and nothing else in `entry`. It counts in no limit for clients. */
enum entering registry_enter_lookups(struct registry *r, const struct config *c, const char *database,
                                     const char *auth_user, uint16_t worker, struct entry *entry) MUST_USE;
void registry_leave(struct registry *r, struct entry *entry, uint64_t now_us);

/* For the console, for reloads, and for who holds what under a limit: databases and pools in creation order, each
   function under the lock while `each` runs; `each` must not come back to the registry. Any thread. */
typedef void database_each(void *arg, struct database *d);
typedef void pool_each(void *arg, struct pool *p);
void registry_each_database(struct registry *r, database_each *each, void *arg);
/* Pools of one database, or of all when `database` is NULL. */
void registry_each_pool(struct registry *r, const char *database, pool_each *each, void *arg);

/* What was counted in pools that exist no more, beside those of replication connections, which is counted in their
   homes. Any thread. */
struct counters registry_gone(struct registry *r);

/* The database of that name, made from the configuration if it is there; NULL if not (or out of memory). Main. */
struct database *registry_database(struct registry *r, const struct config *c, const char *name);
struct database *registry_find_database(struct registry *r, const char *name);
struct account *registry_account(struct registry *r, const char *name);

/* Made from the template, and no client has been let in: perhaps only strangers have named it. Any thread. */
bool registry_only_named(struct registry *r, const char *database);

/* How long things must have been unused before they are swept; microseconds. */
struct sweep_times {
	uint64_t auto_database_us; /* databases made from the template */
	uint64_t pool_us;          /* any pool; 0: never */
};

/* Takes out what nobody has used for long enough, and removed databases: pools are moved to `pools` (on_database; main
   frees its own part of each, then pool_free), databases to `databases` (on_all; then registry_database_free). Returns
   when there may be something again, UINT64_MAX: not before something changes. Main. */
uint64_t registry_sweep(struct registry *r, uint64_t now_us, const struct sweep_times *times, struct list *pools,
                        struct list *databases) MUST_USE;
void registry_database_free(struct database *d);

/* PAUSE and RESUME: of one database, or of everything when `database` is NULL. Letters are left in `out`. Main. */
void registry_set_paused(struct registry *r, const char *database, bool paused, struct letters *out);
bool registry_is_paused(struct registry *r, const char *database);

/* KILL begins: databases (one, or all when NULL) are paused and their pools closed; it ends: the pools are paused.
   Main. */
void registry_begin_kill(struct registry *r, const char *database, struct letters *out);
void registry_end_kill(struct registry *r, const char *database, struct letters *out);

/* DISABLE and ENABLE: whether clients may log in. Main. */
void registry_set_disabled(struct registry *r, const char *database, bool disabled);

/* A shutdown has begun that waits for clients: those of the Unix socket, which stays open for the console and for
   peers, are turned away from now on. Main. */
void registry_turn_local_away(struct registry *r);
bool registry_turns_local_away(struct registry *r); /* any thread */
/* A shutdown has begun: clients are turned away from now on. Main. */
void registry_shut_down(struct registry *r);
/* The end: all pools are closed for good. Main. */
void registry_close(struct registry *r, struct letters *out);

/* Servers that exist or are being opened: of one database, or of all when `database` is NULL. Main. */
uint32_t registry_count_permits(struct registry *r, const char *database);

/* Makes the pools that min_pool_size keeps filled without clients: those of databases with a forced user. Each asks for
   its servers (WANT in `out`). Those that cannot be made (no memory) come with their first client. Main. */
void registry_make_standing(struct registry *r, const struct config *c, struct letters *out);

/* All pools get settings of this configuration; those whose servers may not go on, reconnect. Databases that it does
   not have any more are closed and marked removed. Letters are left in `out`. False: out of memory, nothing has
   changed. Main. */
bool registry_apply(struct registry *r, const struct config *c, struct letters *out) MUST_USE;

#endif
