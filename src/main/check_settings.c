/* Settings against each other. Pure; main thread. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "auth/hba.h"
#include "base/clock.h"
#include "base/comma_list.h"
#include "conf/http_listen.h"
#include "main/check_offline.h"
#include "os/file.h"
#include "os/socket.h"
#include "worker/console_guest.h"

/* Log files that look like a unit that was left out. */
#define SMALL_LOG (64ull << 10)
#define LARGE_LOG (10ull << 30)
#define LONG_LOG_US (31 * 86400 * US_PER_S)

static bool is_empty(const char *text)
{
	return text == NULL || text[strspn(text, " \t,")] == '\0';
}

static double seconds(uint64_t us)
{
	return (double)us / (double)US_PER_S;
}

/* A setting as SHOW CONFIG has it. */
struct shown {
	char text[64];
};

static struct shown value_of(const struct settings *s, enum setting_id id)
{
	struct shown shown;
	struct str text;

	str_init(&text, sizeof(shown.text));
	(void)setting_text(s, id, &text);
	snprintf(shown.text, sizeof(shown.text), "%s", str_text(&text));
	str_fini(&text);
	return shown;
}

/* ---- listening and clients ---- */

static void look_at_listening(struct findings *f, const struct config *c)
{
	const struct settings *s = &c->settings;
	struct finding *n;

	if (is_empty(s->listen_addr) && is_empty(s->unix_socket_dir)) {
		n = findings_add(f, SEVERITY_ERROR, "settings",
		                 "nowhere to listen on: listen_addr and unix_socket_dir are empty");
		finding_remedy(n, "Set listen_addr = 127.0.0.1 for clients on this machine, or * for all.");
	}
	if (s->max_client_conn == 0) {
		n = findings_add(f, SEVERITY_ERROR, "settings", "max_client_conn is 0: no client can connect");
		finding_remedy(n, "Set max_client_conn to the most clients that may be connected at a time.");
	}
	if (config_database(c, 0) == NULL) {
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "no database is configured: only the console can be reached");
		finding_remedy(n, "Add lines like \"app = host=127.0.0.1 port=5432\" to [databases].");
	}
}

static bool is_loopback(const char *host)
{
	struct address a;

	return strcasecmp(host, "localhost") == 0 ||
	       (!path_is_of_socket(host) && address_from_text(&a, host, 0) && address_is_loopback(&a));
}

static void look_at_http_place(struct findings *f, const struct settings *s, const struct http_place *place)
{
	struct finding *n;

	if (place->port == s->listen_port && !is_empty(s->listen_addr)) {
		n = findings_add(
		    f, SEVERITY_WARNING, "settings",
		    "http_listen has the port of listen_port, %d: at the same address only one can have it",
		    s->listen_port);
		finding_remedy(n, "Give http_listen another port; 9127 is usual.");
	}
	if (!is_loopback(place->host) && is_empty(s->http_auth_user)) {
		n = findings_add(f, SEVERITY_NOTE, "settings",
		                 "at \"%s\", port %u, only probes and metrics are served: no login is configured",
		                 place->host, place->port);
		finding_remedy(n, "For the status page, set http_auth_user and http_auth_password.");
	}
}

static void look_at_http(struct findings *f, const struct config *c)
{
	const struct settings *s = &c->settings;
	const char *list = s->http_listen == NULL ? "" : s->http_listen;
	struct http_place place;
	struct finding *n;
	bool found;

	if (is_empty(list) && !is_empty(s->http_auth_user)) {
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "http_auth_user is set, but nobody is asked for it: http_listen is empty");
		finding_remedy(n, "Set http_listen = 127.0.0.1:9127, or take the login out.");
	}
	while (http_listen_next(&list, &place, &found) && found)
		look_at_http_place(f, s, &place);
}

/* ---- times ---- */

static void look_at_times(struct findings *f, const struct config *c)
{
	const struct settings *s = &c->settings;
	struct finding *n;

	if (s->query_wait_timeout_us == 0) {
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "query_wait_timeout is 0: a client waits for a server without end");
		finding_remedy(n,
		               "Set it to the longest time that an application can wait; the default is 120 seconds.");
	}
	if (s->server_connect_timeout_us == 0) {
		n = findings_add(
		    f, SEVERITY_WARNING, "settings",
		    "server_connect_timeout is 0: an attempt that nobody answers lasts as long as the system lets it");
		finding_remedy(n, "Set it to a few seconds; the default is 15.");
	}
	if (s->query_wait_timeout_us != 0 && s->server_down_wait_us >= s->query_wait_timeout_us) {
		n = findings_add(
		    f, SEVERITY_WARNING, "settings",
		    "server_down_wait (%g s) is not below query_wait_timeout (%g s): clients time out before they "
		    "are told why the server cannot be reached",
		    seconds(s->server_down_wait_us), seconds(s->query_wait_timeout_us));
		finding_remedy(n, "Set server_down_wait well below query_wait_timeout.");
	}
}

/* ---- the log ---- */

static void look_at_log(struct findings *f, const struct settings *s)
{
	bool by_size = s->log_rotation_size_bytes > 0, by_age = s->log_rotation_age_us > 0;
	const char *setting = by_size ? "log_rotation_size" : "log_rotation_age";
	struct finding *n;

	if ((by_size || by_age) && is_empty(s->logfile)) {
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "%s is set, but there is no log file: logfile is empty", setting);
		finding_remedy(n,
		               "Set logfile, or take %s out: what receives the log otherwise keeps it in its own way.",
		               setting);
	}
	if (by_size && (s->log_rotation_size_bytes < SMALL_LOG || s->log_rotation_size_bytes >= LARGE_LOG)) {
		n = findings_add(f, SEVERITY_WARNING, "settings", "log_rotation_size is %s %s",
		                 s->log_rotation_size_bytes < SMALL_LOG ? "only" : "as much as",
		                 value_of(s, SETTING_log_rotation_size).text);
		finding_remedy(n,
		               "A number without a unit is kilobytes, as in PostgreSQL: for 10 megabytes write 10MB.");
	}
	if (s->log_rotation_age_us > LONG_LOG_US) {
		n = findings_add(f, SEVERITY_WARNING, "settings", "log_rotation_age is as much as %s",
		                 value_of(s, SETTING_log_rotation_age).text);
		finding_remedy(n, "A number without a unit is minutes, as in PostgreSQL: for a day write 1d.");
	}
}

/* ---- sizes ---- */

static void look_at_reserve(struct findings *f, const struct config *c, const struct conf_database *d)
{
	struct finding *n;

	if (conf_reserve_pool_size(c, d, NULL) <= 0 || c->settings.reserve_pool_timeout_us != 0)
		return;
	n = findings_add(f, SEVERITY_WARNING, "settings",
	                 "the reserve of database \"%s\" is never used: reserve_pool_timeout is 0", d->name);
	finding_remedy(n,
	               "Set reserve_pool_timeout to the seconds after which a waiting client may have a server of the "
	               "reserve.");
}

static void look_at_sizes(struct findings *f, const struct config *c, const struct conf_database *d)
{
	int size = conf_pool_size(c, d, NULL), min = conf_min_pool_size(c, d), limit = conf_max_db_connections(c, d);
	struct finding *n;

	if (size > 0 && min > size) {
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "min_pool_size (%d) of database \"%s\" is above its pool size (%d), which counts", min,
		                 d->name, size);
		finding_remedy(n, "Raise pool_size, or lower min_pool_size.");
	}
	if (limit > 0 && size > limit) {
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "the pool size (%d) of database \"%s\" is never reached: max_db_connections is %d",
		                 size, d->name, limit);
		finding_remedy(n, "Raise max_db_connections, or lower pool_size.");
	}
	look_at_reserve(f, c, d);
}

static void look_at_user(struct findings *f, const struct config *c, const struct conf_user *u)
{
	int limit = conf_max_user_connections(c, u);
	struct finding *n;

	if (limit <= 0 || u->pool_size <= limit)
		return;
	n = findings_add(f, SEVERITY_WARNING, "settings",
	                 "the pool size (%d) of user \"%s\" is never reached: max_user_connections is %d", u->pool_size,
	                 u->name, limit);
	finding_remedy(n, "Raise max_user_connections, or lower pool_size.");
}

/* ---- auth_query ---- */

bool check_looks_up(const struct config *c)
{
	const struct conf_database *d;

	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		if (conf_auth_user(c, d) != NULL)
			return true;
	return conf_auth_user(c, NULL) != NULL;
}

/* In a database of [databases] that lookups can be made in. */
static void look_at_auth_query(struct findings *f, const struct config *c, const struct conf_database *d)
{
	const char *name = conf_auth_dbname(c, d);
	struct finding *n;

	if (conf_auth_user(c, d) == NULL || name == NULL)
		return;
	if (console_is_database(c, name))
		n = findings_add(f, SEVERITY_ERROR, "settings",
		                 "auth_query of database \"%s\" cannot be run in the console database \"%s\"", d->name,
		                 name);
	else if (config_find_database(c, name, NULL) == NULL)
		n = findings_add(f, SEVERITY_ERROR, "settings",
		                 "auth_dbname of database \"%s\" is \"%s\", which [databases] does not have", d->name,
		                 name);
	else
		return;
	finding_cause(n, "Users who are not in auth_file cannot log in there.");
	finding_remedy(n, "Set auth_dbname to an entry of [databases].");
}

/* ---- who is named ---- */

/* With "any" nobody needs to be known; PAM and LDAP know their users themselves. */
static bool needs_known_users(const struct config *c)
{
	enum auth_type type = c->settings.auth_type;
	const struct hba_rule *r;

	for (unsigned i = 0; c->rules != NULL && (r = hba_rule_at(hba_of(c->rules), i)) != NULL; i++)
		if (r->method == HBA_PAM || r->method == HBA_LDAP)
			return false;
	return type != AUTH_TYPE_ANY && type != AUTH_TYPE_PAM && type != AUTH_TYPE_LDAP;
}

static bool is_known(const struct config *c, const char *name)
{
	return config_find_login(c, name) != NULL || config_find_user(c, name) != NULL ||
	       (conf_auth_user(c, NULL) != NULL && conf_auth_dbname(c, NULL) != NULL);
}

static void look_at_names(struct findings *f, const struct config *c, const char *setting, const char *list)
{
	char name[CONF_MAX_USER_NAME + 2];
	struct finding *n;

	while (needs_known_users(c) && comma_list_copy_next(&list, name, sizeof(name))) {
		if (is_known(c, name))
			continue;
		n = findings_add(f, SEVERITY_WARNING, "settings",
		                 "%s names \"%s\", who cannot log in: auth_file does not have that user", setting,
		                 name);
		finding_remedy(n, "Add a line for \"%s\" to auth_file, or take the name out of %s.", name, setting);
	}
}

static bool is_forced(const struct config *c, const char *name)
{
	const struct conf_database *d;

	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		if (d->user != NULL && strcmp(d->user, name) == 0)
			return true;
	return false;
}

/* A line of [users] makes a user known, but gives no secret to log in with. */
static void look_at_listed(struct findings *f, const struct config *c, const struct conf_user *u)
{
	enum auth_type type = c->settings.auth_type;
	struct finding *n;

	if (!needs_known_users(c) || type == AUTH_TYPE_TRUST || type == AUTH_TYPE_CERT || type == AUTH_TYPE_HBA ||
	    config_find_login(c, u->name) != NULL || is_forced(c, u->name) || check_looks_up(c))
		return;
	n = findings_add(f, SEVERITY_WARNING, "settings",
	                 "user \"%s\" of [users] cannot log in: auth_file does not have that user", u->name);
	finding_remedy(n, "Add a line for \"%s\" to auth_file.", u->name);
}

void check_settings(struct findings *f, const struct config *c)
{
	const struct conf_database *d;
	const struct conf_user *u;

	look_at_listening(f, c);
	look_at_http(f, c);
	look_at_times(f, c);
	look_at_log(f, &c->settings);
	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		look_at_sizes(f, c, d);
	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		look_at_auth_query(f, c, d);
	for (unsigned i = 0; (u = config_user(c, i)) != NULL; i++) {
		look_at_user(f, c, u);
		look_at_listed(f, c, u);
	}
	look_at_names(f, c, "admin_users", c->settings.admin_users);
	look_at_names(f, c, "stats_users", c->settings.stats_users);
}
