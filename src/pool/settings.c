/* Resolving what holds for one pool. Any thread. */
#include "pool/settings.h"

#include <string.h>

#include "base/mem.h"
#include "conf/tls.h"

static void settings_free(struct shared *s)
{
	struct pool_settings *set = container_of(s, struct pool_settings, shared);

	config_unref(set->config);
	mem_free(set->dbname);
	mem_free(set->user);
	mem_free(set);
}

/* A configured limit; 0 and less is none. */
static uint32_t limit_of(int configured)
{
	return configured <= 0 ? UINT32_MAX : (uint32_t)configured;
}

static uint32_t count_of(int configured)
{
	return configured <= 0 ? 0 : (uint32_t)configured;
}

static void resolve(struct pool_settings *set, const struct conf_user *u)
{
	const struct config *c = set->config;
	const struct conf_database *d = set->database;

	set->mode = conf_pool_mode(c, d, u);
	set->guard = set->mode == POOL_MODE_SESSION ? STATE_GUARD_OFF : conf_state_guard(c, d, u);
	set->session_attrs = conf_session_attrs(c, d);
	set->size = limit_of(conf_pool_size(c, d, u));
	set->min_size = count_of(conf_min_pool_size(c, d));
	set->reserve_size = count_of(conf_reserve_pool_size(c, d, u));
	set->max_db_connections = limit_of(conf_max_db_connections(c, d));
	set->max_user_connections = limit_of(conf_max_user_connections(c, u));
	set->max_host_connections = limit_of(c->settings.max_host_connections);
	set->max_server_connections = limit_of(c->settings.max_server_connections);
	set->query_wait_timeout_us = conf_query_wait_timeout_us(c, d, u);
	set->server_down_wait_us = conf_server_down_wait_us(c, d, u);
	set->query_timeout_us = conf_query_timeout_us(c, u);
	set->transaction_timeout_us = conf_transaction_timeout_us(c, u);
	set->idle_transaction_timeout_us = conf_idle_transaction_timeout_us(c, u);
	set->client_idle_timeout_us = conf_client_idle_timeout_us(c, u);
	set->server_lifetime_us = conf_server_lifetime_us(c, d);
}

static const char *find_secret(const struct pool_settings *set)
{
	const struct conf_database *d = set->database;
	const struct conf_login *login;

	if (d->user != NULL && d->password != NULL && strcmp(d->user, set->user) == 0)
		return d->password;
	login = config_find_login(set->config, set->user);
	return login == NULL || login->kind == SECRET_NONE ? NULL : login->secret;
}

static struct pool_settings *make(const struct config *c, const struct conf_database *d, const char *name,
                                  const char *user, bool forced_user)
{
	struct pool_settings *set = mem_new(struct pool_settings);

	if (set == NULL)
		return NULL;
	shared_init(&set->shared, settings_free);
	set->config = config_ref(c);
	set->database = d;
	set->global = &c->settings;
	set->forced_user = forced_user;
	set->dbname = mem_copy_str(d->dbname == NULL ? name : d->dbname);
	set->user = mem_copy_str(user);
	if (set->dbname == NULL || set->user == NULL) {
		shared_unref(&set->shared);
		return NULL;
	}
	resolve(set, config_find_user(c, set->user));
	set->server_tls = conf_server_context(c, d);
	set->secret = find_secret(set);
	return set;
}

struct pool_settings *pool_settings_new(const struct config *c, const struct conf_database *d, const char *name,
                                        const char *user)
{
	return make(c, d, name, d->user == NULL ? user : d->user, d->user != NULL);
}

struct pool_settings *pool_settings_new_lookups(const struct config *c, const struct conf_database *d, const char *name,
                                                const char *auth_user)
{
	struct pool_settings *set = make(c, d, name, auth_user, false);

	if (set == NULL)
		return NULL;
	set->guard = STATE_GUARD_OFF; /* no client shares it */
	set->min_size = 0;
	return set;
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

bool pool_settings_same_server(const struct pool_settings *a, const struct pool_settings *b)
{
	bool differs = false;

	/* what was made from the same settings and files is the same */
	if (a->server_tls != b->server_tls || a->session_attrs != b->session_attrs)
		return false;
	if (!same_text(a->user, b->user) || !same_text(a->dbname, b->dbname))
		return false;
	if (!same_text(a->global->unix_socket_dir, b->global->unix_socket_dir) && a->database->host == NULL)
		return false;
	return conf_database_compare(a->database, b->database, &differs) != CONF_DATABASE_SERVERS_STALE || !differs;
}
