/* Takes URLs of databases apart that were written for other programs, too. Any thread. */
#include "conf/variable_url.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/str.h"
#include "conf/entries.h"
#include "conf/environment.h"
#include "conf/url.h"

#define MAX_URL (4 * ENVIRONMENT_MAX_VALUE) /* bytes; each one may become three */

/* What libpq's parameters become. NULL: part of the address, or looked at below. */
static const struct {
	const char *name, *key;
} parameters[] = {
    {"user", NULL},
    {"password", NULL},
    {"host", NULL},
    {"hostaddr", NULL},
    {"port", NULL},
    {"dbname", NULL},
    {"gssencmode", NULL},
    {"channel_binding", NULL},
    {"application_name", "application_name"},
    {"client_encoding", "client_encoding"},
    {"sslmode", "server_tls_sslmode"},
    {"sslnegotiation", "server_tls_negotiation"},
    {"sslrootcert", "server_tls_ca_file"},
    {"sslcert", "server_tls_cert_file"},
    {"sslkey", "server_tls_key_file"},
    {"target_session_attrs", "target_session_attrs"},
};

#define N_PARAMETERS (sizeof(parameters) / sizeof(parameters[0]))

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_hex(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* Bytes of "scheme://" at the beginning; 0: there is none. */
static size_t scheme_len(const char *text)
{
	size_t len = 0;

	while (is_letter_or_digit(text[len]) || (len > 0 && strchr("+.-", text[len]) != NULL && text[len] != '\0'))
		len++;
	return len > 0 && strncmp(text + len, "://", 3) == 0 ? len + 3 : 0;
}

static bool is_between(char c)
{
	return c == ',' || c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

const char *variable_url_next(const char **rest, size_t *len)
{
	const char *start = *rest, *at;

	while (is_between(*start))
		start++;
	if (*start == '\0')
		return NULL;
	/* the next one begins behind a separator, with its scheme */
	for (at = start; *at != '\0'; at++) {
		const char *next = at;

		while (is_between(*next))
			next++;
		if (next > at && (*next == '\0' || scheme_len(next) > 0))
			break;
	}
	*len = (size_t)(at - start);
	*rest = at;
	return start;
}

/* ---- as libpq wants it ---- */

/* "postgres", "postgresql+asyncpg", "postgis": all that can only mean PostgreSQL. */
static bool is_known_scheme(const char *url, size_t len)
{
	static const char *const schemes[] = {"postgres", "postgresql", "postgis", "psql", "pgsql"};
	size_t word = 0;

	while (word < len && is_letter_or_digit(url[word]))
		word++;
	for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++)
		if (strlen(schemes[i]) == word && strncasecmp(schemes[i], url, word) == 0)
			return true;
	return false;
}

/* User and password, up to the last @ before the path. */
static void add_credentials(struct str *out, const char *at, const char *end)
{
	for (; at < end; at++) {
		if (*at == '@')
			str_add_str(out, "%40");
		else if (*at == '%' && !(is_hex(at[1]) && is_hex(at[2])))
			str_add_str(out, "%25");
		else
			str_add_char(out, *at);
	}
}

static bool is_known_parameter(const char *name, size_t len)
{
	for (size_t i = 0; i < N_PARAMETERS; i++)
		if (strlen(parameters[i].name) == len && strncmp(parameters[i].name, name, len) == 0)
			return true;
	return false;
}

/* Only those parameters that are known: libpq refuses the rest, which is for the program that the URL was written for.
 */
static bool add_parameters(struct variable_url *u, struct str *out, const char *at)
{
	char mark = '?';

	while (*at != '\0') {
		size_t len = strcspn(at, "&"), name = strcspn(at, "=&");

		if (is_known_parameter(at, name)) {
			str_add_char(out, mark);
			str_add(out, at, len);
			mark = '&';
		} else if (len > 0 && !texts_add(&u->ignored, "%.*s", (int)(name > 64 ? 64 : name), at)) {
			return false;
		}
		at += len + (at[len] == '&' ? 1 : 0);
	}
	return true;
}

static bool fail_scheme(struct conf_error *why)
{
	(void)conf_fail(why, NULL, 0, "it is no URL of PostgreSQL");
	conf_hint(why, "The form is postgres://user:password@host:port/database.");
	return false;
}

/* The same URL as libpq reads it. */
static bool rewrite(struct variable_url *u, const char *url, struct str *out, struct conf_error *why)
{
	size_t scheme = scheme_len(url);
	const char *start = url + scheme, *path = start + strcspn(start, "/"), *at = NULL, *question;

	if (scheme == 0 || !is_known_scheme(url, scheme))
		return fail_scheme(why);
	for (const char *p = start; p < path; p++)
		if (*p == '@')
			at = p;
	str_add_str(out, "postgresql://");
	if (at != NULL)
		add_credentials(out, start, at);
	else
		at = start;
	question = strchr(at, '?');
	str_add(out, at, question == NULL ? strlen(at) : (size_t)(question - at));
	if (question != NULL && !add_parameters(u, out, question + 1))
		return conf_fail_memory(why, NULL, 0);
	return !out->failed || conf_fail_memory(why, NULL, 0);
}

/* ---- what it says ---- */

static bool put(char **to, const char *value, struct conf_error *why)
{
	char *copy = mem_copy_str(value);

	if (copy == NULL)
		return conf_fail_memory(why, NULL, 0);
	if (*to != NULL)
		mem_wipe(*to, strlen(*to));
	mem_free(*to);
	*to = copy;
	return true;
}

static bool put_key(struct variable_url *u, const char *key, const char *value, struct conf_error *why)
{
	if (u->n_keys == VARIABLE_URL_MAX_KEYS)
		return conf_fail(why, NULL, 0, "the URL has too many parameters");
	u->keys[u->n_keys].key = key;
	return put(&u->keys[u->n_keys++].value, value, why);
}

static const char *key_of(const char *name)
{
	for (size_t i = 0; i < N_PARAMETERS; i++)
		if (strcmp(parameters[i].name, name) == 0)
			return parameters[i].key;
	return NULL;
}

static bool is_defaulted(const char *name)
{
	return strcmp(name, "gssencmode") == 0 || strcmp(name, "channel_binding") == 0;
}

static bool take_part(void *context, const char *name, const char *value, struct conf_error *why)
{
	struct variable_url *u = (struct variable_url *)context;
	const char *needs;

	if (strcmp(name, "user") == 0)
		return put(&u->user, value, why);
	if (strcmp(name, "password") == 0)
		return put(&u->password, value, why);
	if (strcmp(name, "dbname") == 0)
		return put(&u->dbname, value, why);
	if (strcmp(name, "port") == 0)
		return conf_url_port(value, &u->port, why);
	/* an address goes before the name, in which order they come */
	if (strcmp(name, "hostaddr") == 0 || (strcmp(name, "host") == 0 && u->host == NULL))
		return put(&u->host, value, why);
	if (is_defaulted(name))
		return conf_url_is_harmless(name, value, &needs) ||
		       conf_fail(why, NULL, 0, "%s=%.64s in the URL needs %s, which this version does not have", name,
		                 value, needs == NULL ? "more" : needs);
	return key_of(name) == NULL || put_key(u, key_of(name), value, why);
}

bool variable_url_parse(struct variable_url *u, const char *url, struct conf_error *why)
{
	struct str text;
	bool good;

	memset(u, 0, sizeof(*u));
	str_init(&text, MAX_URL);
	good = rewrite(u, url, &text, why) && conf_url_parts(str_text(&text), take_part, u, why);
	if (!good && why->hint[0] == '\0')
		conf_hint(why, "In a user name or a password, write %%2F for / and %%25 for %%.");
	if (text.data != NULL)
		mem_wipe(text.data, text.capacity);
	str_fini(&text);
	return good;
}

void variable_url_fini(struct variable_url *u)
{
	if (u->password != NULL)
		mem_wipe(u->password, strlen(u->password));
	mem_free(u->user);
	mem_free(u->password);
	mem_free(u->host);
	mem_free(u->dbname);
	for (unsigned i = 0; i < u->n_keys; i++)
		mem_free(u->keys[i].value);
	texts_fini(&u->ignored);
	memset(u, 0, sizeof(*u));
}
