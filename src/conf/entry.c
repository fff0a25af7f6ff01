/* Reads the entries of [databases], [users] and [peers] by the tables of entry_keys.def. Any thread. */
#include "conf/entry.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/value.h"

#define DEFAULT_SERVER_PORT 5432
#define DEFAULT_PEER_PORT 6432
#define MAX_PEER_ID 65535
#define NO_LIMIT ((size_t)-1)

/* What a key's value is. */
enum key_kind {
	KEY_TEXT,           /* char *, at most `limit` bytes */
	KEY_COUNT,          /* int; negative: unset */
	KEY_TIMEOUT,        /* int seconds; negative: 0, which is off */
	KEY_PORT,           /* int, 1 to 65535 */
	KEY_MODE,           /* enum pool_mode, and a bool at `mark` */
	KEY_GUARD,          /* enum state_guard, and a bool at `mark` */
	KEY_BALANCE,        /* enum load_balance */
	KEY_SESSION_ATTRS,  /* enum session_attrs, and a bool at `mark` */
	KEY_TLS_MODE,       /* enum tls_mode, and a bool at `mark` */
	KEY_TLS_NEGOTIATION /* enum tls_negotiation, and a bool at `mark` */
};

struct key {
	const char *name;
	enum key_kind kind;
	size_t offset;
	size_t mark;
	size_t limit;
};

#define DB(member) offsetof(struct conf_database, member)
#define USER(member) offsetof(struct conf_user, member)
#define PEER(member) offsetof(struct conf_peer, member)

#define NONE 0

static const struct key database_keys[] = {
#define DATABASE_KEY(name, kind, member, mark, limit, doc) {#name, KEY_##kind, DB(member), mark, limit},
#include "conf/entry_keys.def"
    {NULL, KEY_TEXT, 0, 0, 0}};

static const struct key user_keys[] = {
#define USER_KEY(name, kind, member, mark, limit, doc) {#name, KEY_##kind, USER(member), mark, limit},
#include "conf/entry_keys.def"
    {NULL, KEY_TEXT, 0, 0, 0}};

static const struct key peer_keys[] = {
#define PEER_KEY(name, kind, member, mark, limit, doc) {#name, KEY_##kind, PEER(member), mark, limit},
#include "conf/entry_keys.def"
    {NULL, KEY_TEXT, 0, 0, 0}};

/* What is being read, for the texts. */
struct reading {
	const char *what; /* "database", "user" or "peer" */
	const char *name;
	const char *unknown; /* how the text about a key that is not known begins */
	const char *file;
	unsigned line;
	struct conf_error *why;
	const char *previous; /* the key before this place; NULL at the beginning */
};

/* " for database "x" in configuration (file:line)". */
static struct conf_place place_of(const struct reading *r)
{
	struct conf_place place;

	snprintf(place.text, sizeof(place.text), " for %.10s \"%.64s\"%.220s", r->what, r->name,
	         conf_place(r->file, r->line).text);
	return place;
}

/* What stands where a key is expected may be the rest of a password: it is never shown, only the key before it. */
static bool fail_place(const struct reading *r, const char *what)
{
	if (r->previous == NULL)
		return conf_fail(r->why, r->file, r->line, "syntax error in connection string%s: %s at the beginning",
		                 place_of(r).text, what);
	(void)conf_fail(r->why, r->file, r->line,
	                "syntax error in connection string%s: %s after the value of \"%.64s\"", place_of(r).text, what,
	                r->previous);
	conf_hint(r->why, "A value with blanks needs single quotes around it.");
	return false;
}

static bool fail_syntax(const struct reading *r, const char *what, const char *key)
{
	return conf_fail(r->why, r->file, r->line, "syntax error in connection string%s: %s \"%.64s\"",
	                 place_of(r).text, what, key);
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* Takes the next "key = value" off the text, which is changed. `*key` is NULL at the end. */
static bool take_pair(const struct reading *r, char **at, char **key, char **value)
{
	char *p = skip_blanks(*at);
	char *end;

	*key = NULL;
	if (*p == '\0')
		return true;
	*key = p;
	while (*p != '\0' && *p != '=' && !is_blank(*p))
		p++;
	end = p;
	p = skip_blanks(p);
	if (*p != '=')
		return fail_place(r, "there is a word without \"=\"");
	if (*key == end)
		return fail_place(r, "a key is missing before \"=\"");
	*end = '\0';
	p = skip_blanks(p + 1);
	if (*p == '\'') {
		*value = value_take_quoted(&p);
		if (*value == NULL)
			return fail_syntax(r, "a quote is not closed after", *key);
		if (*p != '\0' && !is_blank(*p))
			return fail_syntax(r, "a blank is missing after the quoted value of", *key);
	} else {
		*value = p;
		while (*p != '\0' && !is_blank(*p))
			p++;
		if (*p != '\0')
			*p++ = '\0';
	}
	*at = p;
	if (**value == '\0')
		return fail_syntax(r, "the value is empty of", *key);
	return true;
}

static bool fail_key(const struct reading *r, const struct key *keys, const char *name)
{
	struct conf_nearest nearest;

	conf_nearest_init(&nearest, name);
	for (const struct key *key = keys; key->name != NULL; key++)
		conf_nearest_try(&nearest, key->name);
	if (r->previous != NULL && strcmp(r->previous, "password") == 0)
		return fail_place(r, "there is a parameter that is not known (not shown)");
	(void)conf_fail(r->why, r->file, r->line, "%s: %.64s%s", r->unknown, name, place_of(r).text);
	if (nearest.best != NULL)
		conf_hint(r->why, "Perhaps \"%s\" is meant.", nearest.best);
	return false;
}

static bool set_text(const struct reading *r, const struct key *key, char **at, const char *value)
{
	char *copy;

	if (strlen(value) > key->limit)
		return conf_fail(r->why, r->file, r->line, "%s is too long%s: more than %zu bytes", key->name,
		                 place_of(r).text, key->limit);
	copy = mem_copy_str(value);
	if (copy == NULL)
		return conf_fail_memory(r->why, r->file, r->line);
	if (*at != NULL)
		mem_wipe(*at, strlen(*at));
	mem_free(*at);
	*at = copy;
	return true;
}

static bool set_port(const struct reading *r, int *at, const char *value)
{
	int port;

	if (value_decimal(value, &port) && port >= 1 && port <= 65535) {
		*at = port;
		return true;
	}
	(void)conf_fail(r->why, r->file, r->line, "invalid port: %.64s%s: must be from 1 to 65535", value,
	                place_of(r).text);
	if (strchr(value, ',') != NULL)
		conf_hint(r->why, "One port serves all hosts of a list.");
	return false;
}

static bool set_count(const struct reading *r, const struct key *key, int *at, const char *value, int negative)
{
	if (!value_decimal(value, at))
		return conf_fail(r->why, r->file, r->line,
		                 "invalid value \"%.64s\" for parameter %s%s: must be a whole number", value, key->name,
		                 place_of(r).text);
	if (*at < 0)
		*at = negative;
	return true;
}

static bool set_key(const struct reading *r, const struct key *key, void *entry, const char *value)
{
	char *at = (char *)entry + key->offset;

	switch (key->kind) {
	case KEY_TEXT:
		return set_text(r, key, (char **)(void *)at, value);
	case KEY_COUNT:
		return set_count(r, key, (int *)(void *)at, value, CONF_UNSET);
	case KEY_TIMEOUT:
		return set_count(r, key, (int *)(void *)at, value, 0);
	case KEY_PORT:
		return set_port(r, (int *)(void *)at, value);
	case KEY_MODE:
		if (!pool_mode_parse(value, (enum pool_mode *)(void *)at))
			return conf_fail(r->why, r->file, r->line,
			                 "invalid pool mode: %.64s%s: must be session, transaction or statement", value,
			                 place_of(r).text);
		*(bool *)(void *)((char *)entry + key->mark) = true;
		return true;
	case KEY_TLS_MODE:
		if (!tls_mode_parse(value, (enum tls_mode *)(void *)at))
			return conf_fail(r->why, r->file, r->line,
			                 "invalid %s: %.64s%s: must be disable, allow, prefer, require, verify-ca or "
			                 "verify-full",
			                 key->name, value, place_of(r).text);
		*(bool *)(void *)((char *)entry + key->mark) = true;
		return true;
	case KEY_TLS_NEGOTIATION:
		if (!tls_negotiation_parse(value, (enum tls_negotiation *)(void *)at))
			return conf_fail(r->why, r->file, r->line, "invalid %s: %.64s%s: must be postgres or direct",
			                 key->name, value, place_of(r).text);
		*(bool *)(void *)((char *)entry + key->mark) = true;
		return true;
	case KEY_GUARD:
		if (!state_guard_parse(value, (enum state_guard *)(void *)at))
			return conf_fail(r->why, r->file, r->line,
			                 "invalid state_guard: %.64s%s: must be off, warn, reject or pin", value,
			                 place_of(r).text);
		*(bool *)(void *)((char *)entry + key->mark) = true;
		return true;
	case KEY_SESSION_ATTRS:
		if (!session_attrs_parse(value, (enum session_attrs *)(void *)at))
			return conf_fail(r->why, r->file, r->line,
			                 "invalid %s: %.64s%s: must be any, read-write, read-only, primary, standby or "
			                 "prefer-standby",
			                 key->name, value, place_of(r).text);
		*(bool *)(void *)((char *)entry + key->mark) = true;
		return true;
	case KEY_BALANCE:
		if (!load_balance_parse(value, (enum load_balance *)(void *)at))
			return conf_fail(r->why, r->file, r->line,
			                 "invalid load_balance_hosts: %.64s%s: must be round-robin or disable", value,
			                 place_of(r).text);
		return true;
	}
	return true;
}

static bool read_pair(const struct reading *r, const struct key *keys, void *entry, const char *name, const char *value)
{
	const struct key *key = keys;

	while (key->name != NULL && strcmp(key->name, name) != 0)
		key++;
	if (key->name == NULL)
		return fail_key(r, keys, name);
	return set_key(r, key, entry, value);
}

/* Reads all pairs of `text` into the entry. */
static bool read_pairs(const struct reading *reading, const struct key *keys, void *entry, const char *text)
{
	struct reading r = *reading;
	char *copy = mem_copy_str(text);
	char *at = copy, *key, *value = NULL;
	bool good = copy != NULL;

	if (!good)
		return conf_fail_memory(r.why, r.file, r.line);
	for (;;) {
		good = take_pair(&r, &at, &key, &value);
		if (!good || key == NULL)
			break;
		good = read_pair(&r, keys, entry, key, value);
		if (!good)
			break;
		r.previous = key;
	}
	mem_wipe(copy, strlen(text));
	mem_free(copy);
	return good;
}

/* Copies what every entry has; false when out of memory. */
static bool copy_origin(char **name_to, const char *name, char **file_to, const char *file)
{
	*name_to = mem_copy_str(name);
	if (file != NULL)
		*file_to = mem_copy_str(file);
	return *name_to != NULL && (file == NULL || *file_to != NULL);
}

struct conf_database *conf_database_blank(const char *name, const char *file, unsigned line)
{
	struct conf_database *d = mem_new(struct conf_database);

	if (d == NULL)
		return NULL;
	d->line = line;
	d->port = DEFAULT_SERVER_PORT;
	d->pool_size = CONF_UNSET;
	d->min_pool_size = CONF_UNSET;
	d->reserve_pool_size = CONF_UNSET;
	d->max_db_connections = CONF_UNSET;
	d->max_db_client_connections = CONF_UNSET;
	d->server_lifetime = CONF_UNSET;
	d->query_wait_timeout = CONF_UNSET;
	d->server_down_wait = CONF_UNSET;
	if (!copy_origin(&d->name, name, &d->file, file)) {
		conf_database_free(d);
		return NULL;
	}
	return d;
}

static unsigned count_hosts(const char *host)
{
	unsigned n = 1;

	for (const char *p = host; *p != '\0'; p++)
		if (*p == ',')
			n++;
	return n;
}

static bool split_hosts(const struct reading *r, struct conf_database *d)
{
	const char *p = d->host;
	unsigned n;

	if (p == NULL)
		return true;
	n = count_hosts(p);
	d->hosts = (char **)mem_alloc(n * sizeof(char *));
	if (d->hosts == NULL)
		return conf_fail_memory(r->why, r->file, r->line);
	while (d->n_hosts < n) {
		size_t len = strcspn(p, ",");
		const char *next = p + len + 1;

		for (; len > 0 && is_blank(*p); len--)
			p++;
		while (len > 0 && is_blank(p[len - 1]))
			len--;
		if (len == 0)
			return conf_fail(r->why, r->file, r->line, "a name is missing in host \"%.64s\"%s", d->host,
			                 place_of(r).text);
		d->hosts[d->n_hosts] = mem_copy(p, len);
		if (d->hosts[d->n_hosts] == NULL)
			return conf_fail_memory(r->why, r->file, r->line);
		d->n_hosts++;
		p = next;
	}
	return true;
}

bool conf_database_split_hosts(struct conf_database *d, struct conf_error *why)
{
	struct reading r = {"database", d->name, NULL, d->file, d->line, why, NULL};

	return split_hosts(&r, d);
}

struct conf_database *conf_database_new(const char *name, const char *value, const char *file, unsigned line,
                                        struct conf_error *why)
{
	struct reading r = {"database", name, "unrecognized connection parameter", file, line, why, NULL};
	struct conf_database *d;

	if (strcmp(name, "pgbouncer") == 0) {
		(void)conf_fail(why, file, line, "database name \"pgbouncer\" is reserved%s",
		                conf_place(file, line).text);
		conf_hint(why, "It is the console. Give the entry another name and add dbname=pgbouncer.");
		return NULL;
	}
	if (strlen(name) > CONF_MAX_DATABASE_NAME) {
		(void)conf_fail(why, file, line, "too long db name: %.100s%s: more than %d bytes", name,
		                conf_place(file, line).text, CONF_MAX_DATABASE_NAME);
		return NULL;
	}
	d = conf_database_blank(name, file, line);
	if (d == NULL) {
		(void)conf_fail_memory(why, file, line);
		return NULL;
	}
	if (!read_pairs(&r, database_keys, d, value) || !split_hosts(&r, d)) {
		conf_database_free(d);
		return NULL;
	}
	return d;
}

const char *conf_database_key(unsigned i)
{
	return i < sizeof(database_keys) / sizeof(database_keys[0]) ? database_keys[i].name : NULL;
}

static struct conf_user *user_blank(const char *name, const char *file, unsigned line)
{
	struct conf_user *u = mem_new(struct conf_user);

	if (u == NULL)
		return NULL;
	u->line = line;
	u->pool_size = CONF_UNSET;
	u->reserve_pool_size = CONF_UNSET;
	u->max_user_connections = CONF_UNSET;
	u->max_user_client_connections = CONF_UNSET;
	u->query_timeout = CONF_UNSET;
	u->transaction_timeout = CONF_UNSET;
	u->idle_transaction_timeout = CONF_UNSET;
	u->client_idle_timeout = CONF_UNSET;
	u->query_wait_timeout = CONF_UNSET;
	u->server_down_wait = CONF_UNSET;
	if (!copy_origin(&u->name, name, &u->file, file)) {
		conf_user_free(u);
		return NULL;
	}
	return u;
}

struct conf_user *conf_user_new(const char *name, const char *value, const char *file, unsigned line,
                                struct conf_error *why)
{
	struct reading r = {"user", name, "unrecognized user parameter", file, line, why, NULL};
	struct conf_user *u;

	if (strlen(name) > CONF_MAX_USER_NAME) {
		(void)conf_fail(why, file, line, "too long user name: %.200s%s: more than %d bytes", name,
		                conf_place(file, line).text, CONF_MAX_USER_NAME);
		return NULL;
	}
	u = user_blank(name, file, line);
	if (u == NULL) {
		(void)conf_fail_memory(why, file, line);
		return NULL;
	}
	if (!read_pairs(&r, user_keys, u, value)) {
		conf_user_free(u);
		return NULL;
	}
	return u;
}

struct conf_peer *conf_peer_new(const char *id, const char *value, const char *file, unsigned line,
                                struct conf_error *why)
{
	struct reading r = {"peer", id, "unrecognized connection parameter", file, line, why, NULL};
	struct conf_peer *p;
	int number;

	if (!value_decimal(id, &number) || number < 1 || number > MAX_PEER_ID) {
		(void)conf_fail(why, file, line,
		                "ids of peers must be a number larger than 0 and at most %d%s: \"%.64s\"", MAX_PEER_ID,
		                conf_place(file, line).text, id);
		return NULL;
	}
	p = mem_new(struct conf_peer);
	if (p == NULL) {
		(void)conf_fail_memory(why, file, line);
		return NULL;
	}
	p->id = number;
	p->port = DEFAULT_PEER_PORT;
	p->pool_size = CONF_UNSET;
	p->line = line;
	if (file != NULL)
		p->file = mem_copy_str(file);
	if (file != NULL && p->file == NULL) {
		(void)conf_fail_memory(why, file, line);
		conf_peer_free(p);
		return NULL;
	}
	if (!read_pairs(&r, peer_keys, p, value)) {
		conf_peer_free(p);
		return NULL;
	}
	if (p->host == NULL) {
		(void)conf_fail(why, file, line, "host was not provided for peer %d%s", number,
		                conf_place(file, line).text);
		conf_peer_free(p);
		return NULL;
	}
	return p;
}

struct conf_login *conf_login_new(const char *name, const char *secret)
{
	struct conf_login *l = mem_new(struct conf_login);

	if (l == NULL)
		return NULL;
	l->name = mem_copy_str(name);
	l->secret = mem_copy_str(secret);
	if (l->name == NULL || l->secret == NULL) {
		conf_login_free(l);
		return NULL;
	}
	l->secret_len = strlen(secret);
	l->kind = secret_classify(secret);
	return l;
}

/* Overwrites and frees a text that may be secret. */
static void free_secret(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	mem_free(text);
}

void conf_database_free(struct conf_database *d)
{
	if (d == NULL)
		return;
	for (unsigned i = 0; i < d->n_hosts; i++)
		mem_free(d->hosts[i]);
	mem_free(d->hosts);
	free_secret(d->password);
	for (const struct key *key = database_keys; key->name != NULL; key++)
		if (key->kind == KEY_TEXT && key->offset != DB(password))
			mem_free(*(char **)(void *)((char *)d + key->offset));
	mem_free(d->name);
	mem_free(d->file);
	mem_free(d);
}

void conf_user_free(struct conf_user *u)
{
	if (u == NULL)
		return;
	mem_free(u->name);
	mem_free(u->file);
	mem_free(u);
}

void conf_peer_free(struct conf_peer *p)
{
	if (p == NULL)
		return;
	mem_free(p->host);
	mem_free(p->file);
	mem_free(p);
}

void conf_login_free(struct conf_login *l)
{
	if (l == NULL)
		return;
	mem_free(l->name);
	free_secret(l->secret);
	mem_free(l->variable);
	mem_free(l);
}
