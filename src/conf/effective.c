/* Which of several places decides: the user's entry, the database's entry, the setting. Pure; any thread. */
#include "base/clock.h"
#include "conf/config.h"

static uint64_t seconds_to_us(int seconds)
{
	uint64_t s = (uint64_t)seconds;

	return s * US_PER_S;
}

enum pool_mode conf_pool_mode(const struct config *c, const struct conf_database *d, const struct conf_user *u)
{
	if (u != NULL && u->has_pool_mode)
		return u->pool_mode;
	return d->has_pool_mode ? d->pool_mode : c->settings.pool_mode;
}

enum state_guard conf_state_guard(const struct config *c, const struct conf_database *d, const struct conf_user *u)
{
	if (u != NULL && u->has_state_guard)
		return u->state_guard;
	return d->has_state_guard ? d->state_guard : c->settings.state_guard;
}

enum session_attrs conf_session_attrs(const struct config *c, const struct conf_database *d)
{
	return d->has_target_session_attrs ? d->target_session_attrs : c->settings.target_session_attrs;
}

int conf_pool_size(const struct config *c, const struct conf_database *d, const struct conf_user *u)
{
	if (u != NULL && u->pool_size != CONF_UNSET)
		return u->pool_size;
	return d->pool_size != CONF_UNSET ? d->pool_size : c->settings.default_pool_size;
}

int conf_reserve_pool_size(const struct config *c, const struct conf_database *d, const struct conf_user *u)
{
	if (u != NULL && u->reserve_pool_size != CONF_UNSET)
		return u->reserve_pool_size;
	return d->reserve_pool_size != CONF_UNSET ? d->reserve_pool_size : c->settings.reserve_pool_size;
}

int conf_min_pool_size(const struct config *c, const struct conf_database *d)
{
	return d->min_pool_size != CONF_UNSET ? d->min_pool_size : c->settings.min_pool_size;
}

int conf_max_db_connections(const struct config *c, const struct conf_database *d)
{
	return d->max_db_connections > 0 ? d->max_db_connections : c->settings.max_db_connections;
}

int conf_max_db_client_connections(const struct config *c, const struct conf_database *d)
{
	return d->max_db_client_connections > 0 ? d->max_db_client_connections : c->settings.max_db_client_connections;
}

int conf_max_user_connections(const struct config *c, const struct conf_user *u)
{
	if (u != NULL && u->max_user_connections != CONF_UNSET)
		return u->max_user_connections;
	return c->settings.max_user_connections;
}

int conf_max_user_client_connections(const struct config *c, const struct conf_user *u)
{
	if (u != NULL && u->max_user_client_connections != CONF_UNSET)
		return u->max_user_client_connections;
	return c->settings.max_user_client_connections;
}

uint64_t conf_server_lifetime_us(const struct config *c, const struct conf_database *d)
{
	return d->server_lifetime > 0 ? seconds_to_us(d->server_lifetime) : c->settings.server_lifetime_us;
}

/* Where 0 counts, too, unlike in the user's other times. */
static uint64_t nearest_time(int users_s, int databases_s, uint64_t setting_us)
{
	if (users_s != CONF_UNSET)
		return seconds_to_us(users_s);
	return databases_s != CONF_UNSET ? seconds_to_us(databases_s) : setting_us;
}

/* 0 switches the global time off (seen in PgBouncer 1.26.1). */
uint64_t conf_query_wait_timeout_us(const struct config *c, const struct conf_database *d, const struct conf_user *u)
{
	return nearest_time(u == NULL ? CONF_UNSET : u->query_wait_timeout, d->query_wait_timeout,
	                    c->settings.query_wait_timeout_us);
}

/* 0 is PgBouncer's behaviour, also for one database or user only. */
uint64_t conf_server_down_wait_us(const struct config *c, const struct conf_database *d, const struct conf_user *u)
{
	return nearest_time(u == NULL ? CONF_UNSET : u->server_down_wait, d->server_down_wait,
	                    c->settings.server_down_wait_us);
}

/* A user's own time counts when it is above 0. */
static uint64_t users_time(int own_s, uint64_t setting_us)
{
	return own_s > 0 ? seconds_to_us(own_s) : setting_us;
}

uint64_t conf_query_timeout_us(const struct config *c, const struct conf_user *u)
{
	return users_time(u == NULL ? 0 : u->query_timeout, c->settings.query_timeout_us);
}

uint64_t conf_transaction_timeout_us(const struct config *c, const struct conf_user *u)
{
	return users_time(u == NULL ? 0 : u->transaction_timeout, c->settings.transaction_timeout_us);
}

uint64_t conf_idle_transaction_timeout_us(const struct config *c, const struct conf_user *u)
{
	return users_time(u == NULL ? 0 : u->idle_transaction_timeout, c->settings.idle_transaction_timeout_us);
}

uint64_t conf_client_idle_timeout_us(const struct config *c, const struct conf_user *u)
{
	return users_time(u == NULL ? 0 : u->client_idle_timeout, c->settings.client_idle_timeout_us);
}

static const char *own_or(const char *own, const char *setting)
{
	if (own != NULL)
		return own;
	return setting == NULL || setting[0] == '\0' ? NULL : setting;
}

const char *conf_auth_user(const struct config *c, const struct conf_database *d)
{
	return own_or(d == NULL ? NULL : d->auth_user, c->settings.auth_user);
}

const char *conf_auth_query(const struct config *c, const struct conf_database *d)
{
	return own_or(d == NULL ? NULL : d->auth_query, c->settings.auth_query);
}

const char *conf_auth_dbname(const struct config *c, const struct conf_database *d)
{
	return own_or(d == NULL ? NULL : d->auth_dbname, c->settings.auth_dbname);
}
