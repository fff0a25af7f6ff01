/*
 * What is configured for one pool, resolved from user, database and global
 * settings once, so that nobody looks up names later. Immutable once published.
 */
#ifndef POOL_SETTINGS_H
#define POOL_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/shared.h"
#include "conf/config.h"

/* All times in microseconds; 0 means "off" unless said otherwise. */
struct pool_settings {
	struct shared shared;
	const struct config *config;          /* a reference; the strings below live in it */
	const struct conf_database *database; /* the entry, or the template it was made from */
	const struct settings *global;

	enum pool_mode mode;
	enum state_guard guard;           /* STATE_GUARD_OFF where sessions are not shared */
	enum session_attrs session_attrs; /* which of its hosts serves */
	uint32_t size;                    /* UINT32_MAX: unlimited */
	uint32_t min_size, reserve_size;
	uint32_t max_db_connections, max_user_connections;     /* UINT32_MAX: unlimited */
	uint32_t max_host_connections, max_server_connections; /* likewise */
	uint64_t query_wait_timeout_us, query_timeout_us, transaction_timeout_us;
	uint64_t server_down_wait_us; /* 0: as PgBouncer */
	uint64_t idle_transaction_timeout_us, client_idle_timeout_us;
	uint64_t server_lifetime_us; /* 0: used once */

	struct shared
	    *server_tls; /* the context for its servers (net/tls_context.h), in the configuration; NULL: no TLS */

	char *dbname;       /* on the server */
	char *user;         /* on the server */
	const char *secret; /* for the server, as stored; NULL: none known */
	bool forced_user;
};

/* For clients that asked for database `name` and log in to servers as `user` (the entry's forced user if it has one).
   `d` is the entry or the template. NULL: out of memory. Any thread. */
struct pool_settings *pool_settings_new(const struct config *c, const struct conf_database *d, const char *name,
                                        const char *user) MUST_USE;

/* For the servers that run auth_query as `auth_user` in database `name`: none is opened in advance, and a forced user
   is not theirs. NULL: out of memory. Any thread. */
struct pool_settings *pool_settings_new_lookups(const struct config *c, const struct conf_database *d, const char *name,
                                                const char *auth_user) MUST_USE;

/* Servers opened under `a` may go on under `b`: same place, same account, same start-up. */
bool pool_settings_same_server(const struct pool_settings *a, const struct pool_settings *b);

#endif
