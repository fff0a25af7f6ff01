/* Takes LDAP option strings apart and checks what belongs together. Any thread. */
#include "conf/ldap_options.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef HAVE_LDAP
#include <ldap.h>
#endif

#include "base/mem.h"
#include "base/str.h"
#include "conf/settings.h"
#include "conf/value.h"

#define MAX_TEXT (64u << 10)
#define QUOTES_HINT "A value with blanks or commas needs double quotes around it: ldapsuffix=\", dc=example, dc=net\"."

enum option_kind { OPTION_TEXT, OPTION_PORT, OPTION_SCHEME, OPTION_TLS, OPTION_URL };

struct option {
	const char *name;
	enum option_kind kind;
	size_t offset; /* OPTION_TEXT: of the member */
};

static const struct option options[] = {
    {"ldapserver", OPTION_TEXT, offsetof(struct ldap_options, servers)},
    {"ldapport", OPTION_PORT, 0},
    {"ldapscheme", OPTION_SCHEME, 0},
    {"ldaptls", OPTION_TLS, 0},
    {"ldapprefix", OPTION_TEXT, offsetof(struct ldap_options, prefix)},
    {"ldapsuffix", OPTION_TEXT, offsetof(struct ldap_options, suffix)},
    {"ldapbasedn", OPTION_TEXT, offsetof(struct ldap_options, base_dn)},
    {"ldapbinddn", OPTION_TEXT, offsetof(struct ldap_options, bind_dn)},
    {"ldapbindpasswd", OPTION_TEXT, offsetof(struct ldap_options, bind_password)},
    {"ldapsearchattribute", OPTION_TEXT, offsetof(struct ldap_options, search_attribute)},
    {"ldapsearchfilter", OPTION_TEXT, offsetof(struct ldap_options, search_filter)},
    {"ldapurl", OPTION_URL, 0}};

/* A string that is being read. */
struct reading {
	struct ldap_options *to;
	const char *file;
	unsigned line;
	struct conf_error *why;
	unsigned n_words; /* so far */
};

static void wipe(char *text)
{
	if (text != NULL)
		mem_wipe(text, strlen(text));
	mem_free(text);
}

static void options_free(struct shared *s)
{
	struct ldap_options *o = container_of(s, struct ldap_options, shared);

	mem_free(o->servers);
	mem_free(o->prefix);
	mem_free(o->suffix);
	mem_free(o->base_dn);
	mem_free(o->bind_dn);
	wipe(o->bind_password);
	mem_free(o->search_attribute);
	mem_free(o->search_filter);
	mem_free(o);
}

/* ---- words ---- */

static bool is_separator(char c)
{
	return c == ' ' || c == '\t' || c == ',' || c == '\r' || c == '\n';
}

/* The end of the word that begins at `at`: the next separator outside of quotes. */
static const char *word_end(const char *at, bool *closed)
{
	bool quoted = false;

	for (; *at != '\0' && (quoted || !is_separator(*at)); at++)
		if (*at == '"')
			quoted = !quoted;
	*closed = !quoted;
	return at;
}

/* Appends a word without its quotes; "" inside quotes is one quote. */
static void unquote(const char *at, const char *end, struct str *out)
{
	bool quoted = false;

	for (; at < end; at++) {
		if (*at != '"') {
			str_add_char(out, *at);
			continue;
		}
		if (quoted && at + 1 < end && at[1] == '"')
			str_add_char(out, *at++);
		else
			quoted = !quoted;
	}
}

/* ---- values ---- */

static bool fail(const struct reading *r, const char *text)
{
	return conf_fail(r->why, r->file, r->line, "%s%s", text, conf_place(r->file, r->line).text);
}

static bool fail_value(const struct reading *r, const char *name, const char *value, const char *expected)
{
	return conf_fail(r->why, r->file, r->line, "invalid value \"%.100s\" for LDAP option %s%s: must be %s", value,
	                 name, conf_place(r->file, r->line).text, expected);
}

/* The last one counts, as in PostgreSQL. */
static bool set_text(const struct reading *r, char **member, const char *value)
{
	char *copy = mem_copy_str(value);

	if (copy == NULL)
		return conf_fail_memory(r->why, r->file, r->line);
	wipe(*member);
	*member = copy;
	return true;
}

#ifdef HAVE_LDAP
static enum ldap_scope scope_of(int scope)
{
	if (scope == LDAP_SCOPE_ONELEVEL)
		return LDAP_OPTION_SCOPE_ONE;
	return scope == LDAP_SCOPE_SUBTREE ? LDAP_OPTION_SCOPE_SUBTREE : LDAP_OPTION_SCOPE_BASE;
}

static bool take_url_parts(const struct reading *r, const LDAPURLDesc *url)
{
	struct ldap_options *o = r->to;

	o->ldaps = strcmp(url->lud_scheme, "ldaps") == 0;
	o->port = url->lud_port;
	o->scope = scope_of(url->lud_scope);
	if (url->lud_host != NULL && url->lud_host[0] != '\0' && !set_text(r, &o->servers, url->lud_host))
		return false;
	if (url->lud_dn != NULL && url->lud_dn[0] != '\0' && !set_text(r, &o->base_dn, url->lud_dn))
		return false;
	if (url->lud_attrs != NULL && url->lud_attrs[0] != NULL &&
	    !set_text(r, &o->search_attribute, url->lud_attrs[0]))
		return false;
	return url->lud_filter == NULL || set_text(r, &o->search_filter, url->lud_filter);
}

static bool take_url(const struct reading *r, const char *value)
{
	LDAPURLDesc *url = NULL;
	bool good;

	if (ldap_url_parse(value, &url) != 0)
		return fail_value(r, "ldapurl", value, "like ldap://host:port/base?attribute?scope?filter");
	if (strcmp(url->lud_scheme, "ldap") != 0 && strcmp(url->lud_scheme, "ldaps") != 0)
		good = fail_value(r, "ldapurl", value, "a URL that begins with ldap:// or ldaps://");
	else
		good = take_url_parts(r, url);
	ldap_free_urldesc(url);
	return good;
}
#else
static bool take_url(const struct reading *r, const char *value)
{
	(void)value;
	return fail(r, CONF_NO_LDAP);
}
#endif

static bool take_value(const struct reading *r, const struct option *o, const char *value)
{
	int number;

	switch (o->kind) {
	case OPTION_TEXT:
		return set_text(r, (char **)((char *)r->to + o->offset), value);
	case OPTION_PORT:
		if (!value_decimal(value, &number) || number < 1 || number > 65535)
			return fail_value(r, o->name, value, "a port: a whole number from 1 to 65535");
		r->to->port = number;
		return true;
	case OPTION_SCHEME:
		r->to->ldaps = strcmp(value, "ldaps") == 0;
		return r->to->ldaps || strcmp(value, "ldap") == 0 || fail_value(r, o->name, value, "ldap or ldaps");
	case OPTION_TLS:
		r->to->start_tls = strcmp(value, "1") == 0;
		return r->to->start_tls || strcmp(value, "0") == 0 || fail_value(r, o->name, value, "0 or 1");
	case OPTION_URL:
		return take_url(r, value);
	}
	return true;
}

static bool fail_name(const struct reading *r, const char *name)
{
	struct conf_nearest nearest;

	conf_nearest_init(&nearest, name);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		conf_nearest_try(&nearest, options[i].name);
	(void)conf_fail(r->why, r->file, r->line, "there is no LDAP option \"%.100s\"%s", name,
	                conf_place(r->file, r->line).text);
	if (nearest.best != NULL)
		conf_hint(r->why, "Perhaps \"%s\" is meant.", nearest.best);
	else
		conf_hint(r->why, QUOTES_HINT);
	return false;
}

/* What has no name may be a part of a password that lacks its quotes: it is not shown. */
static bool fail_nameless(const struct reading *r)
{
	(void)conf_fail(r->why, r->file, r->line, "word %u of the LDAP options has no \"=\"%s", r->n_words,
	                conf_place(r->file, r->line).text);
	conf_hint(r->why, QUOTES_HINT);
	return false;
}

/* `word`: an option without quotes; it is cut in two. */
static bool take_word(const struct reading *r, char *word)
{
	char *value = strchr(word, '=');

	if (value == NULL)
		return fail_nameless(r);
	*value++ = '\0';
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (strcmp(options[i].name, word) == 0)
			return take_value(r, &options[i], value);
	return fail_name(r, word);
}

static bool take_words(struct reading *r, const char *at)
{
	struct str word;
	bool good = true;

	str_init(&word, MAX_TEXT);
	while (good) {
		const char *end;

		while (is_separator(*at))
			at++;
		if (*at == '\0')
			break;
		str_clear(&word);
		end = word_end(at, &good);
		if (!good) {
			(void)fail(r, "a double quote is not closed in the LDAP options");
			break;
		}
		unquote(at, end, &word);
		r->n_words++;
		good =
		    word.failed ? conf_fail_memory(r->why, r->file, r->line) : word.len == 0 || take_word(r, word.data);
		at = end;
	}
	if (word.data != NULL)
		mem_wipe(word.data, word.capacity);
	str_fini(&word);
	return good;
}

/* ---- what belongs together ---- */

static bool is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool check(const struct reading *r)
{
	const struct ldap_options *o = r->to;
	bool simple = is_set(o->prefix) || is_set(o->suffix);
	bool search = is_set(o->base_dn) || is_set(o->bind_dn) || is_set(o->bind_password) ||
	              is_set(o->search_attribute) || is_set(o->search_filter);

	if (!is_set(o->servers))
		return fail(r, "the LDAP options name no server: ldapserver or ldapurl is needed");
	if (simple && search)
		return fail(r, "cannot use ldapbasedn, ldapbinddn, ldapbindpasswd, ldapsearchattribute, "
		               "ldapsearchfilter, or ldapurl together with ldapprefix or ldapsuffix");
	if (!simple && !is_set(o->base_dn))
		return fail(r, "the LDAP options need ldapbasedn, ldapprefix, or ldapsuffix");
	if (is_set(o->search_attribute) && is_set(o->search_filter))
		return fail(r, "cannot use ldapsearchattribute together with ldapsearchfilter");
	if (o->ldaps && o->start_tls)
		return fail(r, "cannot use ldaptls together with ldapscheme = ldaps: that is encrypted already");
	if (is_set(o->bind_password) && !is_set(o->bind_dn))
		return fail(r, "ldapbindpasswd is of no use without ldapbinddn");
	return true;
}

struct ldap_options *ldap_options_parse(const char *text, const char *file, unsigned line, struct conf_error *why)
{
	struct ldap_options *o = mem_new(struct ldap_options);
	struct reading r = {o, file, line, why, 0};

	if (o == NULL) {
		(void)conf_fail_memory(why, file, line);
		return NULL;
	}
	shared_init(&o->shared, options_free);
	o->scope = LDAP_OPTION_SCOPE_SUBTREE;
	if (take_words(&r, text) && check(&r))
		return o;
	shared_unref(&o->shared);
	return NULL;
}

/* ---- showing ---- */

void ldap_options_show(const char *text, struct str *out)
{
	static const char secret[] = "ldapbindpasswd";
	struct str word;
	bool closed;

	str_init(&word, MAX_TEXT);
	while (*text != '\0') {
		const char *end = word_end(text, &closed);

		str_clear(&word);
		unquote(text, end, &word);
		if (word.failed || strncmp(str_text(&word), secret, sizeof(secret) - 1) == 0)
			str_printf(out, "%s=****", secret);
		else
			str_add(out, text, (size_t)(end - text));
		for (text = end; is_separator(*text); text++)
			str_add_char(out, *text);
	}
	if (word.data != NULL)
		mem_wipe(word.data, word.capacity);
	str_fini(&word);
}
