/* What differs between two configurations, for the log and for the pools. Any thread. */
#include <string.h>

#include "conf/config.h"
#include "conf/entries.h"

#define MAX_VALUE 2048 /* bytes of a value that is told */

static bool is_same(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

/* The value for the log: one that may hold a password is not shown, one that is too long is cut. NULL is SQL NULL. */
static const char *text_for_log(const struct settings *s, enum setting_id id, struct str *text)
{
	if (setting_is_secret(id))
		return "(not shown)";
	if (!setting_text(s, id, text))
		return NULL;
	if (text->len > MAX_VALUE) {
		memcpy(text->data + MAX_VALUE - 3, "...", 3);
		text->data[MAX_VALUE] = '\0';
	}
	return str_text(text);
}

static bool diff_setting(const struct settings *before, const struct settings *after, enum setting_id id,
                         conf_changed *changed, void *context)
{
	enum conf_change what = setting_is_changeable(id) ? CONF_SETTING_CHANGED : CONF_SETTING_NEEDS_RESTART;
	struct str was, is;
	const char *was_text, *is_text;
	bool good;

	str_init(&was, CONF_MAX_FILE_BYTES);
	str_init(&is, CONF_MAX_FILE_BYTES);
	was_text = text_for_log(before, id, &was);
	is_text = text_for_log(after, id, &is);
	good = !was.failed && !is.failed;
	if (good)
		changed(context, what, setting_name(id), was_text, is_text);
	str_fini(&was);
	str_fini(&is);
	return good;
}

static bool diff_settings(const struct config *before, const struct config *after, conf_changed *changed, void *context)
{
	bool good = true;

	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;

		if (!setting_is_same(&before->settings, &after->settings, id))
			good = diff_setting(&before->settings, &after->settings, id, changed, context) && good;
	}
	return good;
}

/* Where servers of the entry connect, as whom, and what they are told first. */
static bool has_same_servers(const struct conf_database *a, const struct conf_database *b)
{
	return is_same(a->dbname, b->dbname) && is_same(a->host, b->host) && a->port == b->port &&
	       is_same(a->user, b->user) && is_same(a->connect_query, b->connect_query) &&
	       is_same(a->auth_dbname, b->auth_dbname) && is_same(a->auth_query, b->auth_query) &&
	       a->load_balance_hosts == b->load_balance_hosts &&
	       a->has_target_session_attrs == b->has_target_session_attrs &&
	       a->target_session_attrs == b->target_session_attrs;
}

static bool has_same_tls(const struct conf_database *a, const struct conf_database *b)
{
	return a->has_server_tls_sslmode == b->has_server_tls_sslmode &&
	       a->server_tls_sslmode == b->server_tls_sslmode &&
	       a->has_server_tls_negotiation == b->has_server_tls_negotiation &&
	       a->server_tls_negotiation == b->server_tls_negotiation &&
	       is_same(a->server_tls_ca_file, b->server_tls_ca_file) &&
	       is_same(a->server_tls_cert_file, b->server_tls_cert_file) &&
	       is_same(a->server_tls_key_file, b->server_tls_key_file) &&
	       is_same(a->server_tls_protocols, b->server_tls_protocols) &&
	       is_same(a->server_tls_ciphers, b->server_tls_ciphers) &&
	       is_same(a->server_tls13_ciphers, b->server_tls13_ciphers);
}

static bool has_same_mode(bool a_has, enum pool_mode a, bool b_has, enum pool_mode b)
{
	return a_has == b_has && (!a_has || a == b);
}

static bool has_same_guard(bool a_has, enum state_guard a, bool b_has, enum state_guard b)
{
	return a_has == b_has && (!a_has || a == b);
}

static bool has_same_rest(const struct conf_database *a, const struct conf_database *b)
{
	return is_same(a->password, b->password) && is_same(a->auth_user, b->auth_user) &&
	       a->pool_size == b->pool_size && a->min_pool_size == b->min_pool_size &&
	       a->reserve_pool_size == b->reserve_pool_size && a->max_db_connections == b->max_db_connections &&
	       a->max_db_client_connections == b->max_db_client_connections &&
	       a->server_lifetime == b->server_lifetime && a->query_wait_timeout == b->query_wait_timeout &&
	       a->server_down_wait == b->server_down_wait &&
	       has_same_mode(a->has_pool_mode, a->pool_mode, b->has_pool_mode, b->pool_mode) &&
	       has_same_guard(a->has_state_guard, a->state_guard, b->has_state_guard, b->state_guard) &&
	       is_same(a->client_encoding, b->client_encoding) && is_same(a->datestyle, b->datestyle) &&
	       is_same(a->timezone, b->timezone) && is_same(a->application_name, b->application_name);
}

enum conf_change conf_database_compare(const struct conf_database *before, const struct conf_database *after,
                                       bool *differs)
{
	*differs = true;
	if (!has_same_servers(before, after) || !has_same_tls(before, after))
		return CONF_DATABASE_SERVERS_STALE;
	*differs = !has_same_rest(before, after);
	return CONF_DATABASE_CHANGED;
}

static void diff_databases(const struct conf_entries *before, const struct conf_entries *after, conf_changed *changed,
                           void *context)
{
	for (unsigned i = 0; i < before->databases.n; i++) {
		const struct conf_database *was = (const struct conf_database *)before->databases.at[i];
		const struct conf_database *is = entries_find_database(after, was->name);
		enum conf_change what = CONF_DATABASE_REMOVED;
		bool differs = true;

		if (is != NULL)
			what = conf_database_compare(was, is, &differs);
		if (differs)
			changed(context, what, was->name, NULL, NULL);
	}
	for (unsigned i = 0; i < after->databases.n; i++) {
		const struct conf_database *is = (const struct conf_database *)after->databases.at[i];

		if (entries_find_database(before, is->name) == NULL)
			changed(context, CONF_DATABASE_ADDED, is->name, NULL, NULL);
	}
}

static bool is_same_user(const struct conf_user *a, const struct conf_user *b)
{
	return has_same_mode(a->has_pool_mode, a->pool_mode, b->has_pool_mode, b->pool_mode) &&
	       a->pool_size == b->pool_size && a->reserve_pool_size == b->reserve_pool_size &&
	       a->max_user_connections == b->max_user_connections &&
	       a->max_user_client_connections == b->max_user_client_connections &&
	       a->query_timeout == b->query_timeout && a->transaction_timeout == b->transaction_timeout &&
	       a->idle_transaction_timeout == b->idle_transaction_timeout &&
	       a->client_idle_timeout == b->client_idle_timeout && a->query_wait_timeout == b->query_wait_timeout &&
	       a->server_down_wait == b->server_down_wait &&
	       has_same_guard(a->has_state_guard, a->state_guard, b->has_state_guard, b->state_guard);
}

static void diff_users(const struct conf_entries *before, const struct conf_entries *after, conf_changed *changed,
                       void *context)
{
	for (unsigned i = 0; i < before->users.n; i++) {
		const struct conf_user *was = (const struct conf_user *)before->users.at[i];
		const struct conf_user *is = entries_find_user(after, was->name);

		if (is == NULL)
			changed(context, CONF_USER_REMOVED, was->name, NULL, NULL);
		else if (!is_same_user(was, is))
			changed(context, CONF_USER_CHANGED, was->name, NULL, NULL);
	}
	for (unsigned i = 0; i < after->users.n; i++) {
		const struct conf_user *is = (const struct conf_user *)after->users.at[i];

		if (entries_find_user(before, is->name) == NULL)
			changed(context, CONF_USER_ADDED, is->name, NULL, NULL);
	}
}

static void diff_logins(const struct conf_entries *before, const struct conf_entries *after, conf_changed *changed,
                        void *context)
{
	for (unsigned i = 0; i < before->logins.n; i++) {
		const struct conf_login *was = (const struct conf_login *)before->logins.at[i];
		const struct conf_login *is = entries_find_login(after, was->name);

		if (is == NULL)
			changed(context, CONF_LOGIN_REMOVED, was->name, NULL, NULL);
		else if (strcmp(was->secret, is->secret) != 0)
			changed(context, CONF_LOGIN_CHANGED, was->name, NULL, NULL);
	}
	for (unsigned i = 0; i < after->logins.n; i++) {
		const struct conf_login *is = (const struct conf_login *)after->logins.at[i];

		if (entries_find_login(before, is->name) == NULL)
			changed(context, CONF_LOGIN_ADDED, is->name, NULL, NULL);
	}
}

bool config_diff(const struct config *before, const struct config *after, conf_changed *changed, void *context)
{
	bool good = diff_settings(before, after, changed, context);

	if (before->entries != after->entries) {
		diff_databases(before->entries, after->entries, changed, context);
		diff_users(before->entries, after->entries, changed, context);
		diff_logins(before->entries, after->entries, changed, context);
	}
	return good;
}
