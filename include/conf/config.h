/*
 * One complete configuration: everything that a load of the file, of what it
 * includes and of the user list gives, checked as a whole. It is built, then
 * never changed, and counted: many threads may read it at the same time.
 *
 * Values only: nothing here opens sockets or knows connections. A change (SET,
 * RELOAD) makes another configuration.
 */
#ifndef CONF_CONFIG_H
#define CONF_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/shared.h"
#include "base/str.h"
#include "base/table.h"
#include "conf/error.h"
#include "conf/ldap_options.h"
#include "conf/read.h"
#include "conf/settings.h"
#include "conf/userlist.h"

/* An int of [databases], [users] or [peers] that the file does not name. */
#define CONF_UNSET (-1)

/* Longest names, in bytes; what PostgreSQL and PgBouncer allow. */
#define CONF_MAX_DATABASE_NAME 63
#define CONF_MAX_USER_NAME 127
#define CONF_MAX_PASSWORD 65534

/* One entry of [databases]. Immutable once published. Strings are NULL when the file does not name them. */
struct conf_database {
	struct table_node node;
	char *name;       /* as clients ask for it; "*" is the template for all others */
	char *dbname;     /* on the server; NULL: the name that the client asked for */
	char *host;       /* as written; NULL: a Unix socket in unix_socket_dir */
	char **hosts;     /* the parts of `host`; each a name, an address, "/dir" or "@abstract" */
	unsigned n_hosts; /* 0 when host is NULL */
	int port;         /* 1 to 65535; 5432 when the file does not name it */

	char *user;     /* forced user: everybody shares one pool */
	char *password; /* of the forced user; secret */
	char *auth_user;
	char *auth_query;
	char *auth_dbname;
	bool is_auth_user_usual; /* nobody asked for auth_user: it is there by the conventions of an image */

	int pool_size;                 /* 0: no limit; CONF_UNSET: default_pool_size */
	int min_pool_size;             /* CONF_UNSET: the setting */
	int reserve_pool_size;         /* CONF_UNSET: the setting */
	int max_db_connections;        /* 0 and less: the setting */
	int max_db_client_connections; /* 0 and less: the setting */
	int server_lifetime;           /* seconds; 0 and less: the setting */
	int query_wait_timeout;        /* seconds; CONF_UNSET: the setting */
	int server_down_wait;          /* seconds; CONF_UNSET: the setting */
	bool has_pool_mode;
	enum pool_mode pool_mode; /* if has_pool_mode */
	bool has_state_guard;
	enum state_guard state_guard; /* if has_state_guard */
	enum load_balance load_balance_hosts;
	bool has_target_session_attrs;
	enum session_attrs target_session_attrs; /* if has_target_session_attrs */

	/* The settings of the same names, for this database's servers only. */
	bool has_server_tls_sslmode;
	enum tls_mode server_tls_sslmode; /* if has_server_tls_sslmode */
	bool has_server_tls_negotiation;
	enum tls_negotiation server_tls_negotiation; /* if has_server_tls_negotiation */
	char *server_tls_ca_file, *server_tls_cert_file, *server_tls_key_file;
	char *server_tls_protocols, *server_tls_ciphers, *server_tls13_ciphers;

	char *connect_query;
	char *client_encoding; /* these four go into the start-up message to the server */
	char *datestyle;
	char *timezone;
	char *application_name;

	char *file;    /* where the entry stands, or "environment variable NAME"; NULL if in no file */
	unsigned line; /* 0: that is no file */
};

/* One entry of [users]. Immutable once published. Times in seconds. CONF_UNSET: the database or the setting decides. */
struct conf_user {
	struct table_node node;
	char *name;
	bool has_pool_mode;
	enum pool_mode pool_mode; /* if has_pool_mode */
	int pool_size;
	int reserve_pool_size;
	int max_user_connections;
	int max_user_client_connections;
	int query_timeout;
	int transaction_timeout;
	int idle_transaction_timeout;
	int client_idle_timeout;
	int query_wait_timeout;
	int server_down_wait;
	bool has_state_guard;
	enum state_guard state_guard; /* if has_state_guard */
	char *file;
	unsigned line;
};

/* One entry of [peers]. Immutable once published. */
struct conf_peer {
	int id; /* 1 to 65535 */
	char *host;
	int port;      /* 6432 when the file does not name it */
	int pool_size; /* CONF_UNSET: default_pool_size */
	char *file;
	unsigned line;
};

/* One line of the user list. Immutable once published. */
struct conf_login {
	struct table_node node;
	char *name;
	char *secret;      /* never NULL; never printed */
	size_t secret_len; /* bytes */
	enum secret_kind kind;
	unsigned line;  /* of auth_file; 0: it came from elsewhere */
	char *variable; /* the environment variable it came from; NULL: it came from none */
};

/* A text list; `text[0..n)`. */
struct conf_texts {
	char **text;
	unsigned n;
};

/* What the settings of TLS became, made and checked by whoever publishes the configuration (net/tls_context.h); here
   they are only kept. NULL: no TLS. Immutable once published. */
struct conf_tls_contexts {
	struct shared *client, *server; /* references */
	struct shared **of_database;    /* of entries with TLS keys of their own, by their number; NULL: none has */
	unsigned n_databases;
};

/*
 * What users who do not exist look like: like a user of the list with a secret, by chance, but always the same for a
 * name. So neither the method that is asked for nor the numbers of SCRAM tell who exists.
 */
struct conf_mock {
	uint32_t scram_share; /* how many of them have a SCRAM verifier, of UINT32_MAX */
	uint32_t iterations;  /* of most of those verifiers */
	uint32_t salt_len;    /* likewise, bytes */
};

/* Immutable once published. */
struct config {
	atomic_uint refs;
	struct settings settings; /* conffile is the file that was loaded, unless it names another for the next load */
	struct conf_entries *entries; /* databases, users, peers, logins; shared by configurations that SET made */
	struct conf_tls_contexts tls;
	struct ldap_options *ldap; /* what auth_ldap_options says; NULL: it is empty */
	struct conf_mock mock;
	struct shared *rules;      /* HBA rules (auth/hba.h), kept like `tls`; NULL: auth_type is not hba */
	struct conf_texts notices; /* for the log, once: what is accepted and has no effect, what was not found */
	bool is_file_made;         /* the configuration file is in no file system: it was made of the environment */
	bool is_user_list_made;    /* likewise auth_file */
	bool is_http_optional;     /* nobody asked for http_listen: it is what containers have; it may be missing */
};

/*
 * Loads `path`, what it includes, and the user list. `running` is the configuration in use at a reload and NULL at
 * start: at start a missing user list is a notice, at a reload it is an error if the running one had it. Returns a
 * configuration with one reference, or NULL with `why` filled in. Any thread.
 */
struct config *config_load(const char *path, const struct config *running, conf_read *read, void *context,
                           struct conf_error *why) MUST_USE;

/*
 * SET: a configuration like `from` with one setting changed; NULL with `why`. A setting that needs a restart keeps its
 * value and a notice says so. Notices of the result are about this change only.
 */
struct config *config_with_setting(const struct config *from, const char *name, const char *value,
                                   struct conf_error *why) MUST_USE;

/*
 * Settings that need a restart get the values of `running`, and a notice each where that makes a difference. For a
 * freshly loaded configuration that nobody else has seen yet. False when out of memory.
 */
bool config_keep_restart_settings(struct config *fresh, const struct config *running) MUST_USE;

/* One more reference, one less; the last one frees. Any thread. config_unref(NULL) is fine. */
struct config *config_ref(const struct config *c);
void config_unref(const struct config *c);

/*
 * The entry for a database name: its own, else "*" with `*is_template` true (the caller makes a database of the
 * requested name from it), else NULL. `is_template` may be NULL.
 */
const struct conf_database *config_find_database(const struct config *c, const char *name, bool *is_template);

/* The entry of [users], the line of the user list; NULL if there is none. */
const struct conf_user *config_find_user(const struct config *c, const char *name);
const struct conf_login *config_find_login(const struct config *c, const char *name);

/* All of them, in the order of the file; NULL behind the last. The template "*" is among the databases. */
const struct conf_database *config_database(const struct config *c, unsigned i);
const struct conf_user *config_user(const struct config *c, unsigned i);
const struct conf_peer *config_peer(const struct config *c, unsigned i);
const struct conf_login *config_login(const struct config *c, unsigned i);

/* True if `user` is in a comma list such as admin_users. */
bool conf_list_has(const char *list, const char *name);
/* The same for names of parameters, whose letters may be large or small. */
bool conf_list_has_parameter(const char *list, const char *name);

/*
 * What holds for a pool of database `d` and user `u`: the user's own value, else the database's, else the setting.
 * `u` may be NULL. Sizes: 0 is no limit. Times in microseconds: 0 is off, for server_lifetime: use once.
 */
enum pool_mode conf_pool_mode(const struct config *c, const struct conf_database *d, const struct conf_user *u);
enum state_guard conf_state_guard(const struct config *c, const struct conf_database *d, const struct conf_user *u);
enum session_attrs conf_session_attrs(const struct config *c, const struct conf_database *d);
int conf_pool_size(const struct config *c, const struct conf_database *d, const struct conf_user *u);
int conf_reserve_pool_size(const struct config *c, const struct conf_database *d, const struct conf_user *u);
int conf_min_pool_size(const struct config *c, const struct conf_database *d);
int conf_max_db_connections(const struct config *c, const struct conf_database *d);
int conf_max_db_client_connections(const struct config *c, const struct conf_database *d);
int conf_max_user_connections(const struct config *c, const struct conf_user *u);
int conf_max_user_client_connections(const struct config *c, const struct conf_user *u);
uint64_t conf_server_lifetime_us(const struct config *c, const struct conf_database *d);
uint64_t conf_query_wait_timeout_us(const struct config *c, const struct conf_database *d, const struct conf_user *u);
uint64_t conf_server_down_wait_us(const struct config *c, const struct conf_database *d, const struct conf_user *u);
uint64_t conf_query_timeout_us(const struct config *c, const struct conf_user *u);
uint64_t conf_transaction_timeout_us(const struct config *c, const struct conf_user *u);
uint64_t conf_idle_transaction_timeout_us(const struct config *c, const struct conf_user *u);
uint64_t conf_client_idle_timeout_us(const struct config *c, const struct conf_user *u);

/*
 * How the secret is found of users who are not in the user list, for clients of database `d`; NULL: the console. Each
 * is the database's own value, else the setting. NULL: there is none; auth_dbname: the database itself.
 */
const char *conf_auth_user(const struct config *c, const struct conf_database *d);
const char *conf_auth_query(const struct config *c, const struct conf_database *d);
const char *conf_auth_dbname(const struct config *c, const struct conf_database *d);

/* What config_diff tells. */
enum conf_change {
	CONF_SETTING_CHANGED,        /* name, old and new text (NULL for SQL NULL; secrets are not settings) */
	CONF_SETTING_NEEDS_RESTART,  /* likewise, for a setting that changes only at a restart */
	CONF_DATABASE_ADDED,         /* name */
	CONF_DATABASE_REMOVED,       /* name */
	CONF_DATABASE_CHANGED,       /* name; its servers may stay */
	CONF_DATABASE_SERVERS_STALE, /* name; where or how its servers connect has changed: they must go */
	CONF_USER_ADDED,             /* name, of [users] */
	CONF_USER_REMOVED,
	CONF_USER_CHANGED,
	CONF_LOGIN_ADDED, /* name, of the user list */
	CONF_LOGIN_REMOVED,
	CONF_LOGIN_CHANGED
};

typedef void conf_changed(void *context, enum conf_change what, const char *name, const char *before,
                          const char *after);

/*
 * Calls `changed` once for each difference, settings first. Texts are valid during the call only. False when out of
 * memory (some calls may be missing).
 */
bool config_diff(const struct config *before, const struct config *after, conf_changed *changed,
                 void *context) MUST_USE;

/*
 * How a change of one database's entry matters: SERVERS_STALE, CHANGED, or false in `*differs` if it does not.
 * Also for the template, when its databases are in use.
 */
enum conf_change conf_database_compare(const struct conf_database *before, const struct conf_database *after,
                                       bool *differs);

#endif
