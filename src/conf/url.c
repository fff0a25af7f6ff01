/* Makes a configuration from a connection URL, which libpq takes apart. Any thread. */
#include "conf/url.h"

#include <libpq-fe.h>
#include <string.h>

#include "base/mem.h"
#include "conf/entries.h"
#include "conf/entry.h"
#include "conf/tls.h"
#include "conf/value.h"
#include "os/family.h"

/* Where PostgreSQL's socket is when the URL names no host: libpq's own place on Debian. */
#define DEFAULT_SOCKET_DIR "/var/run/postgresql"

/* What becomes of a parameter of the URL. */
enum use {
	USE_ELSEWHERE, /* user, password and so on */
	USE_CHECK,     /* must be among `accepted`, which changes nothing */
	USE_SETTING    /* becomes the setting `becomes` */
};

struct parameter {
	const char *name;
	enum use use;
	const char *accepted;
	const char *needs;
	const char *becomes;
};

/* Parameters that can be followed; all others are refused. */
static const struct parameter parameters[] = {
    {"user", USE_ELSEWHERE, NULL, NULL, NULL},
    {"password", USE_ELSEWHERE, NULL, NULL, NULL},
    {"host", USE_ELSEWHERE, NULL, NULL, NULL},
    {"hostaddr", USE_ELSEWHERE, NULL, NULL, NULL},
    {"port", USE_ELSEWHERE, NULL, NULL, NULL},
    {"dbname", USE_ELSEWHERE, NULL, NULL, NULL},
    {"application_name", USE_ELSEWHERE, NULL, NULL, NULL},
    {"client_encoding", USE_ELSEWHERE, NULL, NULL, NULL},
    {"connect_timeout", USE_SETTING, NULL, NULL, "server_connect_timeout"},
    {"sslmode", USE_SETTING, NULL, NULL, "server_tls_sslmode"},
    {"sslnegotiation", USE_SETTING, NULL, NULL, "server_tls_negotiation"},
    {"sslrootcert", USE_SETTING, NULL, NULL, "server_tls_ca_file"},
    {"sslcert", USE_SETTING, NULL, NULL, "server_tls_cert_file"},
    {"sslkey", USE_SETTING, NULL, NULL, "server_tls_key_file"},
    {"gssencmode", USE_CHECK, "disable|prefer", "GSSAPI encryption", NULL},
    {"channel_binding", USE_CHECK, "disable|prefer", "channel binding", NULL},
    {"target_session_attrs", USE_SETTING, NULL, NULL, "target_session_attrs"}};

/* The value of a parameter; NULL when the URL does not name it. */
static const char *value_of(const PQconninfoOption *options, const char *name)
{
	for (; options->keyword != NULL; options++)
		if (strcmp(options->keyword, name) == 0)
			return options->val != NULL && options->val[0] != '\0' ? options->val : NULL;
	return NULL;
}

static const struct parameter *find_parameter(const char *name)
{
	for (size_t i = 0; i < sizeof(parameters) / sizeof(parameters[0]); i++)
		if (strcmp(parameters[i].name, name) == 0)
			return &parameters[i];
	return NULL;
}

/* libpq quotes what it cannot read, which may be a password: only what stands before the quotation is told. */
static bool fail_url(const char *message, struct conf_error *why)
{
	size_t len = message == NULL ? 0 : strcspn(message, "\"\n");

	while (len > 0 && (message[len - 1] == ' ' || message[len - 1] == ':'))
		len--;
	(void)conf_fail(why, NULL, 0, "could not read the URL%s%.*s", len > 0 ? ": " : "", (int)len,
	                len > 0 ? message : "");
	conf_hint(why,
	          "The form is postgres://user:password@host:port/database. In a name or password, write %%40 for @, "
	          "%%3A for :, %%2F for /, %%3F for ?, %%23 for # and %%25 for %%.");
	return false;
}

static bool set(struct config *c, const char *name, const char *value, struct conf_error *why)
{
	return setting_parse(&c->settings, name, value, NULL, 0, why);
}

/* Whom the system trusts vouches for anybody's name: libpq compares it then, too, unless it is told another mode. */
static bool apply_system_roots(struct config *c, const PQconninfoOption *options, struct conf_error *why)
{
	const char *root = value_of(options, "sslrootcert");

	if (root == NULL || strcmp(root, CONF_TLS_SYSTEM) != 0 || value_of(options, "sslmode") != NULL)
		return true;
	return set(c, "server_tls_sslmode", "verify-full", why);
}

/* Follows or refuses each parameter that is no part of the address. */
static bool apply_parameters(struct config *c, const PQconninfoOption *options, struct conf_error *why)
{
	for (; options->keyword != NULL; options++) {
		const struct parameter *parameter = find_parameter(options->keyword);

		if (options->val == NULL || options->val[0] == '\0')
			continue;
		if (parameter == NULL)
			return conf_fail(why, NULL, 0, "parameter \"%s\" of the URL is not supported",
			                 options->keyword);
		if (parameter->use == USE_CHECK && !value_is_among(options->val, parameter->accepted))
			return conf_fail(why, NULL, 0, "%s=%.64s in the URL needs %s, which this version does not have",
			                 options->keyword, options->val, parameter->needs);
		if (parameter->use == USE_SETTING && !set(c, parameter->becomes, options->val, why))
			return false;
	}
	return true;
}

bool conf_url_port(const char *text, int *port, struct conf_error *why)
{
	size_t len = strcspn(text, ",");
	char first[8];
	int number;

	for (const char *p = text; *p != '\0';) {
		size_t next = strcspn(p, ",");

		if (next != len || strncmp(p, text, len) != 0) {
			(void)conf_fail(why, NULL, 0, "hosts with different ports in a URL are not supported");
			conf_hint(why, "Use a configuration file with an entry in [databases] for each port.");
			return false;
		}
		p += next + (p[next] == ',' ? 1 : 0);
	}
	if (len == 0)
		return true; /* several hosts, and no port for any of them */
	if (len < sizeof(first)) {
		memcpy(first, text, len);
		first[len] = '\0';
		if (value_decimal(first, &number) && number >= 1 && number <= 65535) {
			*port = number;
			return true;
		}
	}
	return conf_fail(why, NULL, 0, "invalid port in the URL: must be from 1 to 65535");
}

/* Copies a text unless it is NULL; false when out of memory. */
static bool put(char **to, const char *text)
{
	if (text == NULL)
		return true;
	*to = mem_copy_str(text);
	return *to != NULL;
}

static bool fill_database(struct conf_database *d, const PQconninfoOption *options, struct conf_error *why)
{
	const char *host = value_of(options, "hostaddr");
	const char *port = value_of(options, "port");

	if (host == NULL)
		host = value_of(options, "host");
	if (host == NULL)
		host = os_is_windows() ? "localhost" : DEFAULT_SOCKET_DIR;
	if (!put(&d->host, host) || !put(&d->application_name, value_of(options, "application_name")) ||
	    !put(&d->client_encoding, value_of(options, "client_encoding")))
		return conf_fail_memory(why, NULL, 0);
	if (port != NULL && !conf_url_port(port, &d->port, why))
		return false;
	return conf_database_split_hosts(d, why);
}

static bool add_database(struct config *c, const char *name, const PQconninfoOption *options, struct conf_error *why)
{
	struct conf_database *d;

	if (strcmp(name, "pgbouncer") == 0)
		return conf_fail(why, NULL, 0, "database name \"pgbouncer\" is reserved: it is the console");
	if (strcmp(name, "*") == 0 || strlen(name) > CONF_MAX_DATABASE_NAME)
		return conf_fail(why, NULL, 0, "invalid database name in the URL");
	d = conf_database_blank(name, NULL, 0);
	if (d == NULL)
		return conf_fail_memory(why, NULL, 0);
	if (!fill_database(d, options, why)) {
		conf_database_free(d);
		return false;
	}
	return entries_add_database(c->entries, d) || conf_fail_memory(why, NULL, 0);
}

static bool add_login(struct config *c, const char *user, const char *password, struct conf_error *why)
{
	struct conf_login *login;

	if (password == NULL) {
		(void)conf_fail(why, NULL, 0, "the URL has no password");
		conf_hint(
		    why,
		    "Clients log in with the user and password of the URL: postgres://user:password@host/database.");
		return false;
	}
	if (strlen(user) > CONF_MAX_USER_NAME || strlen(password) > CONF_MAX_PASSWORD)
		return conf_fail(why, NULL, 0, "user name or password too long in the URL");
	login = conf_login_new(user, password);
	if (login == NULL || !entries_add_login(c->entries, login))
		return conf_fail_memory(why, NULL, 0);
	c->entries->has_user_list = true;
	return true;
}

static bool apply_settings(struct config *c, const char *user, struct conf_error *why)
{
	if (!set(c, "listen_addr", "127.0.0.1", why) || !set(c, "unix_socket_dir", "", why) ||
	    !set(c, "auth_type", "scram-sha-256", why) || !set(c, "pool_mode", "transaction", why))
		return false;
	/* A name with a comma would give the rights to other names. */
	return strchr(user, ',') != NULL || set(c, "admin_users", user, why);
}

static bool build(struct config *c, const PQconninfoOption *options, const char *user, struct conf_error *why)
{
	const char *dbname = value_of(options, "dbname");

	if (!apply_settings(c, user, why) || !apply_parameters(c, options, why) || !apply_system_roots(c, options, why))
		return false;
	return add_login(c, user, value_of(options, "password"), why) &&
	       add_database(c, dbname == NULL ? user : dbname, options, why);
}

/* The user that libpq would take: PGUSER, or the name of the account. NULL if that cannot be told; the caller frees it.
 */
static char *default_user(void)
{
	PQconninfoOption *defaults = PQconndefaults();
	const char *user = defaults == NULL ? NULL : value_of(defaults, "user");
	char *copy = user == NULL ? NULL : mem_copy_str(user);

	PQconninfoFree(defaults);
	return copy;
}

static bool build_with_user(struct config *c, const PQconninfoOption *options, struct conf_error *why)
{
	const char *named = value_of(options, "user");
	char *user = named == NULL ? default_user() : mem_copy_str(named);
	bool good;

	if (user == NULL)
		return conf_fail(why, NULL, 0, "the URL has no user name");
	good = build(c, options, user, why);
	mem_free(user);
	return good;
}

/* libpq's copies of the password are overwritten before they go. */
static void forget(PQconninfoOption *options)
{
	for (PQconninfoOption *o = options; o != NULL && o->keyword != NULL; o++)
		if (o->val != NULL && strcmp(o->keyword, "password") == 0)
			mem_wipe(o->val, strlen(o->val));
	PQconninfoFree(options);
}

bool conf_url_parts(const char *url, conf_url_part *part, void *context, struct conf_error *why)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &message);
	bool good = true;

	if (options == NULL) {
		(void)fail_url(message, why);
		PQfreemem(message);
		return false;
	}
	for (const PQconninfoOption *o = options; good && o->keyword != NULL; o++)
		if (o->val != NULL && o->val[0] != '\0')
			good = part(context, o->keyword, o->val, why);
	forget(options);
	return good;
}

bool conf_url_is_harmless(const char *name, const char *value, const char **needs)
{
	const struct parameter *parameter = find_parameter(name);

	*needs = parameter == NULL ? NULL : parameter->needs;
	return parameter != NULL && parameter->use == USE_CHECK && value_is_among(value, parameter->accepted);
}

bool conf_is_url(const char *argument)
{
	return strncmp(argument, "postgres://", 11) == 0 || strncmp(argument, "postgresql://", 13) == 0;
}

struct config *config_from_url(const char *url, struct conf_error *why)
{
	char *message = NULL;
	PQconninfoOption *options = PQconninfoParse(url, &message);
	struct conf_entries *entries;
	struct config *c;

	if (options == NULL) {
		(void)fail_url(message, why);
		PQfreemem(message);
		return NULL;
	}
	entries = entries_new();
	c = entries == NULL ? NULL : config_new(entries);
	if (c == NULL)
		(void)conf_fail_memory(why, NULL, 0);
	if (c != NULL && !build_with_user(c, options, why)) {
		config_unref(c);
		c = NULL;
	}
	forget(options);
	return c;
}
