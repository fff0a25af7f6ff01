/*
 * The settings of [pgbouncer], all made from one table, conf/settings.def: the
 * members below, their names, defaults, ranges, parsing and printing.
 *
 * Members are called like their settings. Times are in microseconds and end in
 * _us: server_idle_timeout is the member server_idle_timeout_us; sizes in bytes and end in _bytes. Strings are
 * owned by the structure and may be NULL where the default is NULL; read NULL as empty.
 */
#ifndef CONF_SETTINGS_H
#define CONF_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"
#include "base/str.h"
#include "conf/error.h"

/* Values of auth_type. */
enum auth_type {
	AUTH_TYPE_ANY,
	AUTH_TYPE_TRUST,
	AUTH_TYPE_PLAIN,
	AUTH_TYPE_MD5,
	AUTH_TYPE_CERT,
	AUTH_TYPE_HBA,
	AUTH_TYPE_LDAP,
	AUTH_TYPE_PAM,
	AUTH_TYPE_SCRAM
};

/* Libraries are optional: why a build without one refuses what needs it. CONF_LACKS_…: NULL where it is there. */
#define CONF_NO_PAM "pam is not supported by this build: libpam was not there when it was configured"
#define CONF_NO_LDAP "ldap is not supported by this build: libldap was not there when it was configured"
#ifdef HAVE_PAM
#define CONF_LACKS_PAM NULL
#else
#define CONF_LACKS_PAM CONF_NO_PAM
#endif
#ifdef HAVE_LDAP
#define CONF_LACKS_LDAP NULL
#else
#define CONF_LACKS_LDAP CONF_NO_LDAP
#endif

/* Values of pool_mode. */
enum pool_mode { POOL_MODE_SESSION, POOL_MODE_TRANSACTION, POOL_MODE_STATEMENT };

/* Values of client_tls_sslmode and server_tls_sslmode. */
enum tls_mode {
	TLS_MODE_DISABLE,
	TLS_MODE_ALLOW,
	TLS_MODE_PREFER,
	TLS_MODE_REQUIRE,
	TLS_MODE_VERIFY_CA,
	TLS_MODE_VERIFY_FULL
};

/* Values of server_tls_negotiation: ask by SSLRequest, or begin with the handshake. */
enum tls_negotiation { TLS_NEGOTIATION_POSTGRES, TLS_NEGOTIATION_DIRECT };

/* Values of server_max_protocol_version. */
enum protocol_version { PROTOCOL_VERSION_3_0, PROTOCOL_VERSION_3_2 };

/* Values of error_sqlstate: 08P01 for all errors of the pooler's own, or codes that say more. */
enum error_sqlstate { ERROR_SQLSTATE_COMPATIBLE, ERROR_SQLSTATE_PRECISE };

/* Values of state_guard: what becomes of statements that leave state behind in a shared session. */
enum state_guard { STATE_GUARD_OFF, STATE_GUARD_WARN, STATE_GUARD_REJECT, STATE_GUARD_PIN };

/* Value of load_balance_hosts in [databases]. */
enum load_balance { LOAD_BALANCE_ROUND_ROBIN, LOAD_BALANCE_DISABLE };

/* Values of target_session_attrs: which of several hosts serves, by libpq's words. */
enum session_attrs {
	SESSION_ATTRS_ANY,
	SESSION_ATTRS_READ_WRITE,
	SESSION_ATTRS_READ_ONLY,
	SESSION_ATTRS_PRIMARY,
	SESSION_ATTRS_STANDBY,
	SESSION_ATTRS_PREFER_STANDBY
};

/* Words to values (ASCII case ignored; false if there is no such word) and back. */
bool pool_mode_parse(const char *text, enum pool_mode *out) MUST_USE;
bool tls_mode_parse(const char *text, enum tls_mode *out) MUST_USE;
bool tls_negotiation_parse(const char *text, enum tls_negotiation *out) MUST_USE;
bool state_guard_parse(const char *text, enum state_guard *out) MUST_USE;
bool load_balance_parse(const char *text, enum load_balance *out) MUST_USE;
bool session_attrs_parse(const char *text, enum session_attrs *out) MUST_USE;
const char *pool_mode_name(enum pool_mode mode);
const char *state_guard_name(enum state_guard guard);
const char *load_balance_name(enum load_balance balance);
const char *session_attrs_name(enum session_attrs attrs);
const char *tls_mode_name(enum tls_mode mode);
const char *auth_type_name(enum auth_type type);

/* What a row's kind is in C; OCTAL is an int that people write and read in octal. */
#define SETTING_MEMBER_STRING(name) char *name;
#define SETTING_MEMBER_SECRET(name) char *name;
#define SETTING_MEMBER_INT(name) int name;
#define SETTING_MEMBER_OCTAL(name) int name;
#define SETTING_MEMBER_UINT(name) unsigned name;
#define SETTING_MEMBER_BOOL(name) bool name;
#define SETTING_MEMBER_SECONDS(name) uint64_t name##_us;
#define SETTING_MEMBER_KILOBYTES(name) uint64_t name##_bytes;
#define SETTING_MEMBER_MINUTES(name) uint64_t name##_us;
#define SETTING_MEMBER_AUTH_TYPE(name) enum auth_type name;
#define SETTING_MEMBER_POOL_MODE(name) enum pool_mode name;
#define SETTING_MEMBER_TLS_MODE(name) enum tls_mode name;
#define SETTING_MEMBER_TLS_NEGOTIATION(name) enum tls_negotiation name;
#define SETTING_MEMBER_PROTOCOL_VERSION(name) enum protocol_version name;
#define SETTING_MEMBER_SESSION_ATTRS(name) enum session_attrs name;
#define SETTING_MEMBER_ERROR_SQLSTATE(name) enum error_sqlstate name;
#define SETTING_MEMBER_LOG_FORMAT(name) enum log_format name;
#define SETTING_MEMBER_STATE_GUARD(name) enum state_guard name;

/* Immutable once published. */
struct settings {
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note) SETTING_MEMBER_##kind(name)
#include "conf/settings.def"
};

/* SETTING_admin_users and so on, in the order of SHOW CONFIG. */
enum setting_id {
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note) SETTING_##name,
#include "conf/settings.def"
	N_SETTINGS
};

/* The setting of this name or alias; N_SETTINGS if there is none. */
enum setting_id setting_find(const char *name);

/* Facts of a row. `setting_default` is the text that SHOW CONFIG prints, NULL for SQL NULL. */
const char *setting_name(enum setting_id id);
const char *setting_default(enum setting_id id);

/* False if a change waits for a restart. */
bool setting_is_changeable(enum setting_id id);

/* What stands for the value of a secret wherever values are shown. */
#define SETTING_HIDDEN "****"
/* It may hold a password, wholly or in part. */
bool setting_is_secret(enum setting_id id);

/* The present value as it is shown, appended to `out`; false if it is NULL (nothing is appended then). */
bool setting_text(const struct settings *s, enum setting_id id, struct str *out);

/* True if the setting has the same value in both. */
bool setting_is_same(const struct settings *a, const struct settings *b, enum setting_id id);

/* All defaults. False when out of memory; settings_fini is right afterwards in both cases. */
bool settings_init(struct settings *s) MUST_USE;
void settings_fini(struct settings *s);

/* An independent copy into an uninitialised `to`; false as settings_init. */
bool settings_copy(struct settings *to, const struct settings *from) MUST_USE;

/* Gives `to` the value that `from` has; false when out of memory (the old value stays). */
bool setting_copy(struct settings *to, const struct settings *from, enum setting_id id) MUST_USE;

/*
 * Parses and checks one value as it stands in a file. `name` may be an alias. On failure nothing is changed and
 * `why` says why; file and line (may be NULL and 0) only serve to name the place in it. A setting that is accepted
 * without effect (setting_is_dropped) is fine.
 */
bool setting_parse(struct settings *s, const char *name, const char *value, const char *file, unsigned line,
                   struct conf_error *why) MUST_USE;

/* True for settings that older versions had and that are accepted without effect. */
bool setting_is_dropped(const char *name);

#endif
