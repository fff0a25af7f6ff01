/* The table of settings made into code: finding, reading, printing and copying each of them. Any thread. */
#include "conf/settings.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "conf/http_listen.h"
#include "conf/ldap_options.h"
#include "conf/value.h"
#include "conf/words.h"
#include "os/file.h"

#define MAX_TEXT (1024 * 1024) /* bytes of one value as text */

enum kind {
	KIND_STRING,
	KIND_SECRET, /* a string that is not shown */
	KIND_INT,
	KIND_OCTAL,
	KIND_UINT,
	KIND_BOOL,
	KIND_SECONDS,
	KIND_KILOBYTES,
	KIND_MINUTES,
	KIND_AUTH_TYPE,
	KIND_POOL_MODE,
	KIND_TLS_MODE,
	KIND_TLS_NEGOTIATION,
	KIND_PROTOCOL_VERSION,
	KIND_STATE_GUARD,
	KIND_SESSION_ATTRS,
	KIND_ERROR_SQLSTATE,
	KIND_LOG_FORMAT
};

enum when { WHEN_RELOAD, WHEN_RESTART };

/* One row of settings.def. */
struct row {
	const char *name;
	enum kind kind;
	const char *standard;
	long long min, max;
	enum when when;
	const char *needs;
	const char *harmless;
	size_t offset;
};

#define MEMBER_STRING(name) name
#define MEMBER_SECRET(name) name
#define MEMBER_INT(name) name
#define MEMBER_OCTAL(name) name
#define MEMBER_UINT(name) name
#define MEMBER_BOOL(name) name
#define MEMBER_SECONDS(name) name##_us
#define MEMBER_KILOBYTES(name) name##_bytes
#define MEMBER_MINUTES(name) name##_us
#define MEMBER_AUTH_TYPE(name) name
#define MEMBER_POOL_MODE(name) name
#define MEMBER_TLS_MODE(name) name
#define MEMBER_TLS_NEGOTIATION(name) name
#define MEMBER_PROTOCOL_VERSION(name) name
#define MEMBER_STATE_GUARD(name) name
#define MEMBER_SESSION_ATTRS(name) name
#define MEMBER_ERROR_SQLSTATE(name) name
#define MEMBER_LOG_FORMAT(name) name

static const struct row rows[N_SETTINGS] = {
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note)                                      \
	{#name, KIND_##kind, standard,                                                                                 \
	 min,   max,         WHEN_##when,                                                                              \
	 needs, harmless,    offsetof(struct settings, MEMBER_##kind(name))},
#include "conf/settings.def"
};

struct alias {
	const char *name;
	enum setting_id of;
};

static const struct alias aliases[] = {
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note)
#define SETTING_ALIAS(name, of) {#name, SETTING_##of},
#include "conf/settings.def"
};

static const char *const dropped[] = {
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note)
#define SETTING_DROPPED(name, note) #name,
#include "conf/settings.def"
};

static const char *const auth_type_words[] = {AUTH_TYPE_WORDS, NULL};
static const char *const pool_mode_words[] = {POOL_MODE_WORDS, NULL};
static const char *const tls_mode_words[] = {TLS_MODE_WORDS, NULL};
static const char *const tls_negotiation_words[] = {TLS_NEGOTIATION_WORDS, NULL};
static const char *const protocol_version_words[] = {PROTOCOL_VERSION_WORDS, NULL};
static const char *const error_sqlstate_words[] = {ERROR_SQLSTATE_WORDS, NULL};
static const char *const log_format_words[] = {LOG_FORMAT_WORDS, NULL};
static const char *const state_guard_words[] = {STATE_GUARD_WORDS, NULL};
static const char *const session_attrs_words[] = {SESSION_ATTRS_WORDS, NULL};
static const char *const load_balance_words[] = {LOAD_BALANCE_WORDS, NULL};

bool pool_mode_parse(const char *text, enum pool_mode *out)
{
	int word = value_word(text, pool_mode_words);

	if (word < 0)
		return false;
	*out = (enum pool_mode)word;
	return true;
}

const char *pool_mode_name(enum pool_mode mode)
{
	return pool_mode_words[mode];
}

bool tls_mode_parse(const char *text, enum tls_mode *out)
{
	int word = value_word(text, tls_mode_words);

	if (word < 0)
		return false;
	*out = (enum tls_mode)word;
	return true;
}

const char *tls_mode_name(enum tls_mode mode)
{
	return tls_mode_words[mode];
}

bool tls_negotiation_parse(const char *text, enum tls_negotiation *out)
{
	int word = value_word(text, tls_negotiation_words);

	if (word < 0)
		return false;
	*out = (enum tls_negotiation)word;
	return true;
}

bool state_guard_parse(const char *text, enum state_guard *out)
{
	int word = value_word(text, state_guard_words);

	if (word < 0)
		return false;
	*out = (enum state_guard)word;
	return true;
}

const char *state_guard_name(enum state_guard guard)
{
	return state_guard_words[guard];
}

bool load_balance_parse(const char *text, enum load_balance *out)
{
	int word = value_word(text, load_balance_words);

	if (word < 0)
		return false;
	*out = (enum load_balance)word;
	return true;
}

bool session_attrs_parse(const char *text, enum session_attrs *out)
{
	int word = value_word(text, session_attrs_words);

	if (word < 0)
		return false;
	*out = (enum session_attrs)word;
	return true;
}

const char *session_attrs_name(enum session_attrs attrs)
{
	return session_attrs_words[attrs];
}

const char *load_balance_name(enum load_balance balance)
{
	return load_balance_words[balance];
}

const char *auth_type_name(enum auth_type type)
{
	return auth_type_words[type];
}

/* A value between text and member. */
struct parsed {
	long long number;   /* all kinds but strings; times in microseconds */
	const char *string; /* KIND_STRING, KIND_SECRET */
};

static bool is_string(const struct row *row)
{
	return row->kind == KIND_STRING || row->kind == KIND_SECRET;
}

/* The words of an enum, NULL for other kinds. */
static const char *const *words_of(enum kind kind)
{
	switch (kind) {
	case KIND_AUTH_TYPE:
		return auth_type_words;
	case KIND_POOL_MODE:
		return pool_mode_words;
	case KIND_TLS_MODE:
		return tls_mode_words;
	case KIND_TLS_NEGOTIATION:
		return tls_negotiation_words;
	case KIND_PROTOCOL_VERSION:
		return protocol_version_words;
	case KIND_SESSION_ATTRS:
		return session_attrs_words;
	case KIND_ERROR_SQLSTATE:
		return error_sqlstate_words;
	case KIND_LOG_FORMAT:
		return log_format_words;
	case KIND_STATE_GUARD:
		return state_guard_words;
	case KIND_STRING:
	case KIND_SECRET:
	case KIND_INT:
	case KIND_OCTAL:
	case KIND_UINT:
	case KIND_BOOL:
	case KIND_SECONDS:
	case KIND_KILOBYTES:
	case KIND_MINUTES:
		break;
	}
	return NULL;
}

/* Those that may stand behind the number, NULL for kinds without. As PostgreSQL's. */
static const struct value_unit *units_of(enum kind kind)
{
	static const struct value_unit sizes[] = {
	    {"kB", 1ull << 10}, {"MB", 1ull << 20}, {"GB", 1ull << 30}, {"TB", 1ull << 40}, {NULL, 0}};
	static const struct value_unit times[] = {
	    {"min", 60 * US_PER_S}, {"h", 3600 * US_PER_S}, {"d", 86400 * US_PER_S}, {NULL, 0}};

	return kind == KIND_KILOBYTES ? sizes : kind == KIND_MINUTES ? times : NULL;
}

static void *member_of(struct settings *s, const struct row *row)
{
	return (char *)s + row->offset;
}

static const void *member_in(const struct settings *s, const struct row *row)
{
	return (const char *)s + row->offset;
}

/* The value of a member that is no string. */
static long long number_in(const struct settings *s, const struct row *row)
{
	const void *at = member_in(s, row);

	switch (row->kind) {
	case KIND_STRING:
	case KIND_SECRET:
		break;
	case KIND_INT:
	case KIND_OCTAL:
		return *(const int *)at;
	case KIND_UINT:
		return *(const unsigned *)at;
	case KIND_BOOL:
		return *(const bool *)at ? 1 : 0;
	case KIND_SECONDS:
	case KIND_KILOBYTES:
	case KIND_MINUTES:
		return (long long)*(const uint64_t *)at;
	case KIND_AUTH_TYPE:
		return *(const enum auth_type *)at;
	case KIND_POOL_MODE:
		return *(const enum pool_mode *)at;
	case KIND_TLS_MODE:
		return *(const enum tls_mode *)at;
	case KIND_TLS_NEGOTIATION:
		return *(const enum tls_negotiation *)at;
	case KIND_PROTOCOL_VERSION:
		return *(const enum protocol_version *)at;
	case KIND_SESSION_ATTRS:
		return *(const enum session_attrs *)at;
	case KIND_ERROR_SQLSTATE:
		return *(const enum error_sqlstate *)at;
	case KIND_LOG_FORMAT:
		return *(const enum log_format *)at;
	case KIND_STATE_GUARD:
		return *(const enum state_guard *)at;
	}
	return 0;
}

/* `number` is in the row's range, so it fits. */
static void set_number(struct settings *s, const struct row *row, long long number)
{
	void *at = member_of(s, row);

	switch (row->kind) {
	case KIND_STRING:
	case KIND_SECRET:
		break;
	case KIND_INT:
	case KIND_OCTAL:
		*(int *)at = (int)number;
		break;
	case KIND_UINT:
		*(unsigned *)at = (unsigned)number;
		break;
	case KIND_BOOL:
		*(bool *)at = number != 0;
		break;
	case KIND_SECONDS:
	case KIND_KILOBYTES:
	case KIND_MINUTES:
		*(uint64_t *)at = (uint64_t)number;
		break;
	case KIND_AUTH_TYPE:
		*(enum auth_type *)at = (enum auth_type)number;
		break;
	case KIND_POOL_MODE:
		*(enum pool_mode *)at = (enum pool_mode)number;
		break;
	case KIND_TLS_MODE:
		*(enum tls_mode *)at = (enum tls_mode)number;
		break;
	case KIND_TLS_NEGOTIATION:
		*(enum tls_negotiation *)at = (enum tls_negotiation)number;
		break;
	case KIND_PROTOCOL_VERSION:
		*(enum protocol_version *)at = (enum protocol_version)number;
		break;
	case KIND_SESSION_ATTRS:
		*(enum session_attrs *)at = (enum session_attrs)number;
		break;
	case KIND_ERROR_SQLSTATE:
		*(enum error_sqlstate *)at = (enum error_sqlstate)number;
		break;
	case KIND_LOG_FORMAT:
		*(enum log_format *)at = (enum log_format)number;
		break;
	case KIND_STATE_GUARD:
		*(enum state_guard *)at = (enum state_guard)number;
		break;
	}
}

static const char *string_in(const struct settings *s, const struct row *row)
{
	return *(char *const *)member_in(s, row);
}

static void free_string(const struct row *row, char *string)
{
	if (row->kind == KIND_SECRET && string != NULL)
		mem_wipe(string, strlen(string));
	mem_free(string);
}

/* Copies the string in; NULL stays NULL. On failure the old one stays. */
static bool set_string(struct settings *s, const struct row *row, const char *string)
{
	char **at = (char **)member_of(s, row);
	char *copy = NULL;

	if (string != NULL) {
		copy = mem_copy_str(string);
		if (copy == NULL)
			return false;
	}
	free_string(row, *at);
	*at = copy;
	return true;
}

static bool set_parsed(struct settings *s, const struct row *row, const struct parsed *value)
{
	if (is_string(row))
		return set_string(s, row, value->string);
	set_number(s, row, value->number);
	return true;
}

/* Text to value, range included; without the checks that belong to single settings. */
static bool parse_value(const struct row *row, const char *text, struct parsed *out)
{
	const char *const *words = words_of(row->kind);
	const struct value_unit *units = units_of(row->kind);
	uint64_t us, amount;

	if (is_string(row)) {
		out->string = text;
		return true;
	}
	if (words != NULL) {
		out->number = value_word(text, words);
		return out->number >= 0;
	}
	if (row->kind == KIND_SECONDS) {
		if (!value_seconds(text, (uint64_t)row->max, &us))
			return false;
		out->number = (long long)us;
		return us >= (uint64_t)row->min * US_PER_S;
	}
	if (units != NULL) {
		if (!value_measure(text, units, (uint64_t)row->max, &amount))
			return false;
		out->number = (long long)amount;
		return amount >= (uint64_t)row->min * units->each;
	}
	return value_number(text, &out->number) && out->number >= row->min && out->number <= row->max;
}

/* What a value of this row must be, after "must be ". */
static void expect(const struct row *row, char *buf, size_t size)
{
	const char *const *words = words_of(row->kind);
	size_t len = 0;

	if (words != NULL) {
		len = (size_t)snprintf(buf, size, "one of");
		for (int i = 0; words[i] != NULL && len < size; i++)
			len += (size_t)snprintf(buf + len, size - len, "%s %s", i == 0 ? "" : ",", words[i]);
		return;
	}
	if (row->kind == KIND_BOOL)
		snprintf(buf, size, "0 or 1");
	else if (row->kind == KIND_SECONDS)
		snprintf(buf, size, "a number of seconds without a unit, such as 15 or 0.5");
	else if (row->kind == KIND_KILOBYTES)
		snprintf(buf, size, "a whole number of kilobytes, or one with a unit: 10MB, 1GB");
	else if (row->kind == KIND_MINUTES)
		snprintf(buf, size, "a whole number of minutes, or one with a unit: 90min, 12h, 7d");
	else if (row->kind == KIND_OCTAL)
		snprintf(buf, size, "an octal number from %#llo to %#llo", row->min, row->max);
	else
		snprintf(buf, size, "a whole number from %lld to %lld", row->min, row->max);
}

/* Appends the value; false if it is NULL. */
static bool value_text(const struct row *row, const struct parsed *value, struct str *out)
{
	const char *const *words = words_of(row->kind);
	const struct value_unit *units = units_of(row->kind);
	char text[64];

	if (is_string(row)) {
		if (value->string != NULL)
			str_add_str(out, value->string);
		return value->string != NULL;
	}
	if (words != NULL)
		str_add_str(out, words[value->number]);
	else if (row->kind == KIND_SECONDS)
		str_printf(out, "%g", (double)value->number / (double)US_PER_S);
	else if (units != NULL)
		str_add_str(out, value_measure_text((uint64_t)value->number, units, text, sizeof(text)));
	else
		str_printf(out, "%lld", value->number);
	return true;
}

/* A value that needs a part that this version does not have is refused, never ignored. */
static bool check_parts(const struct row *row, const struct parsed *value, const char *file, unsigned line,
                        struct conf_error *why)
{
	struct str text;
	bool missing;

	if (row->needs == NULL)
		return true;
	str_init(&text, MAX_TEXT);
	(void)value_text(row, value, &text);
	if (text.failed) {
		str_fini(&text);
		return conf_fail_memory(why, file, line);
	}
	missing = !value_is_among(str_text(&text), row->harmless);
	if (missing)
		(void)conf_fail(why, file, line,
		                "value \"%.200s\" for parameter %s%s needs %s, which this version does not have",
		                str_text(&text), row->name, conf_place(file, line).text, row->needs);
	str_fini(&text);
	return !missing;
}

static bool check_auth_type(enum auth_type type, const char *file, unsigned line, struct conf_error *why)
{
	const char *missing = type == AUTH_TYPE_PAM ? CONF_LACKS_PAM : type == AUTH_TYPE_LDAP ? CONF_LACKS_LDAP : NULL;

	if (missing == NULL)
		return true;
	(void)conf_fail(why, file, line, "%s%s", missing, conf_place(file, line).text);
	conf_hint(why, "Install the library's development files (Debian: libpam0g-dev, libldap-dev), run configure "
	               "again and look at what it finds.");
	return false;
}

/* Rules of single settings that their kind does not say. */
static bool check_special(const struct row *row, const struct parsed *value, const char *file, unsigned line,
                          struct conf_error *why)
{
	if (row - rows == SETTING_auth_dbname && strcmp(value->string, "pgbouncer") == 0)
		return conf_fail(why, file, line, "cannot use the reserved \"pgbouncer\" database as an auth_dbname%s",
		                 conf_place(file, line).text);
	if (row - rows == SETTING_auth_type)
		return check_auth_type((enum auth_type)value->number, file, line, why);
	if (row - rows == SETTING_http_listen && !http_listen_is_valid(value->string))
		return conf_fail(why, file, line, "invalid value \"%.200s\" for parameter %s%s: must be %s",
		                 value->string, row->name, conf_place(file, line).text, HTTP_LISTEN_FORM);
	if (row - rows == SETTING_auth_ldap_options && value->string[0] != '\0') {
		struct ldap_options *options = ldap_options_parse(value->string, file, line, why);

		if (options == NULL)
			return false;
		shared_unref(&options->shared);
	}
	return true;
}

static bool fail_name(const char *name, const char *file, unsigned line, struct conf_error *why)
{
	struct conf_nearest nearest;

	conf_nearest_init(&nearest, name);
	for (int id = 0; id < N_SETTINGS; id++)
		conf_nearest_try(&nearest, rows[id].name);
	(void)conf_fail(why, file, line, "unknown parameter: pgbouncer/%.100s%s", name, conf_place(file, line).text);
	if (nearest.best != NULL)
		conf_hint(why, "Perhaps \"%s\" is meant.", nearest.best);
	return false;
}

static bool fail_value(const struct row *row, const char *value, const char *file, unsigned line,
                       struct conf_error *why)
{
	char expected[256];

	expect(row, expected, sizeof(expected));
	(void)conf_fail(why, file, line, "invalid value \"%.200s\" for parameter %s%s: must be %s", value, row->name,
	                conf_place(file, line).text, expected);
	if (strpbrk(value, ";#") != NULL)
		conf_hint(why, "A comment needs a line of its own.");
	else if (value[0] == '\'' || value[0] == '"')
		conf_hint(why, "Values in this section are written without quotes.");
	return false;
}

bool setting_parse(struct settings *s, const char *name, const char *value, const char *file, unsigned line,
                   struct conf_error *why)
{
	enum setting_id id = setting_find(name);
	struct parsed parsed = {0, NULL};

	if (setting_is_dropped(name))
		return true;
	if (id == N_SETTINGS)
		return fail_name(name, file, line, why);
	if (!parse_value(&rows[id], value, &parsed))
		return fail_value(&rows[id], value, file, line, why);
	if (!check_parts(&rows[id], &parsed, file, line, why) || !check_special(&rows[id], &parsed, file, line, why))
		return false;
	if (!set_parsed(s, &rows[id], &parsed))
		return conf_fail_memory(why, file, line);
	return true;
}

enum setting_id setting_find(const char *name)
{
	for (int id = 0; id < N_SETTINGS; id++)
		if (strcmp(rows[id].name, name) == 0)
			return (enum setting_id)id;
	for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i].name, name) == 0)
			return aliases[i].of;
	return N_SETTINGS;
}

bool setting_is_dropped(const char *name)
{
	for (size_t i = 0; i < sizeof(dropped) / sizeof(dropped[0]); i++)
		if (strcmp(dropped[i], name) == 0)
			return true;
	return false;
}

const char *setting_name(enum setting_id id)
{
	return rows[id].name;
}

const char *setting_default(enum setting_id id)
{
	return rows[id].standard;
}

bool setting_is_changeable(enum setting_id id)
{
	return rows[id].when == WHEN_RELOAD;
}

bool setting_is_secret(enum setting_id id)
{
	return rows[id].kind == KIND_SECRET || id == SETTING_auth_ldap_options;
}

static struct parsed value_in(const struct settings *s, const struct row *row)
{
	struct parsed value = {0, NULL};

	if (is_string(row))
		value.string = string_in(s, row);
	else
		value.number = number_in(s, row);
	return value;
}

bool setting_text(const struct settings *s, enum setting_id id, struct str *out)
{
	struct parsed value = value_in(s, &rows[id]);

	if (id == SETTING_auth_ldap_options && value.string != NULL) {
		ldap_options_show(value.string, out); /* it may have a password */
		return true;
	}
	if (rows[id].kind == KIND_SECRET && value.string != NULL && value.string[0] != '\0')
		value.string = SETTING_HIDDEN;
	return value_text(&rows[id], &value, out);
}

bool setting_is_same(const struct settings *a, const struct settings *b, enum setting_id id)
{
	struct parsed in_a = value_in(a, &rows[id]);
	struct parsed in_b = value_in(b, &rows[id]);

	if (in_a.string == NULL || in_b.string == NULL)
		return in_a.string == in_b.string && in_a.number == in_b.number;
	return strcmp(in_a.string, in_b.string) == 0;
}

bool settings_init(struct settings *s)
{
	memset(s, 0, sizeof(*s));
	for (int id = 0; id < N_SETTINGS; id++) {
		struct parsed value = {0, NULL};

		if (rows[id].standard == NULL)
			continue;
		/* Every default is in its own range: a test walks the table. */
		if (!parse_value(&rows[id], rows[id].standard, &value) || !set_parsed(s, &rows[id], &value))
			return false;
	}
	return true;
}

void settings_fini(struct settings *s)
{
	for (int id = 0; id < N_SETTINGS; id++)
		if (is_string(&rows[id]))
			free_string(&rows[id], *(char **)member_of(s, &rows[id]));
	memset(s, 0, sizeof(*s));
}

bool setting_copy(struct settings *to, const struct settings *from, enum setting_id id)
{
	struct parsed value = value_in(from, &rows[id]);

	return set_parsed(to, &rows[id], &value);
}

bool settings_copy(struct settings *to, const struct settings *from)
{
	memset(to, 0, sizeof(*to));
	for (int id = 0; id < N_SETTINGS; id++)
		if (!setting_copy(to, from, (enum setting_id)id))
			return false;
	return true;
}
