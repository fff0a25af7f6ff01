/*
 * Asking LDAP servers whether a password is right. Any thread.
 *
 *   connect (each server in turn) ─> StartTLS ─> simple:  bind as prefix + name + suffix
 *                                            └─> search:  bind as ldapbinddn, find the one entry ─> bind as that
 *
 * Names in bind and search come from clients: they are escaped, and an empty password never gets here.
 */
#include "auth/ldap.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/settings.h"

#define MAX_TEXT (64u << 10)

/* ---- names ---- */

static void add_hex(struct str *out, char c)
{
	str_printf(out, "\\%02x", (unsigned)(unsigned char)c);
}

void ldap_escape_filter(const char *value, struct str *out)
{
	for (; *value != '\0'; value++) {
		if (strchr("*()\\", *value) != NULL)
			add_hex(out, *value);
		else
			str_add_char(out, *value);
	}
}

static bool is_dn_special(const char *value, size_t at)
{
	char c = value[at];

	if (strchr(",+\"\\<>;=", c) != NULL || (unsigned char)c < ' ' || c == 127)
		return true;
	if (c == ' ')
		return at == 0 || value[at + 1] == '\0';
	return c == '#' && at == 0;
}

void ldap_escape_dn(const char *value, struct str *out)
{
	for (size_t i = 0; value[i] != '\0'; i++) {
		if (is_dn_special(value, i))
			add_hex(out, value[i]);
		else
			str_add_char(out, value[i]);
	}
}

static const char *or_empty(const char *text)
{
	return text == NULL ? "" : text;
}

bool ldap_simple_name(const struct ldap_options *o, const char *user, struct str *out)
{
	const char *prefix = or_empty(o->prefix);
	size_t len = strlen(prefix);

	str_add_str(out, prefix);
	if (len > 0 && prefix[len - 1] == '=') {
		ldap_escape_dn(user, out);
	} else {
		/* no distinguished name but one like DOMAIN\name or name@domain: there is no way to escape */
		if (user[strcspn(user, "\\,;=\"<>")] != '\0')
			return false;
		str_add_str(out, user);
	}
	str_add_str(out, or_empty(o->suffix));
	return true;
}

void ldap_search_filter(const struct ldap_options *o, const char *user, struct str *out)
{
	static const char place[] = "$username";
	const char *at = o->search_filter, *found;

	if (at == NULL || at[0] == '\0') {
		str_printf(out, "(%s=", o->search_attribute == NULL ? "uid" : o->search_attribute);
		ldap_escape_filter(user, out);
		str_add_char(out, ')');
		return;
	}
	while ((found = strstr(at, place)) != NULL) {
		str_add(out, at, (size_t)(found - at));
		ldap_escape_filter(user, out);
		at = found + sizeof(place) - 1;
	}
	str_add_str(out, at);
}

void ldap_uris(const struct ldap_options *o, struct str *out)
{
	const char *at = o->servers;
	size_t len;

	for (at += strspn(at, " \t"); (len = strcspn(at, " \t")) > 0; at += len, at += strspn(at, " \t")) {
		bool bare_ip6 = at[0] != '[' && memchr(at, ':', len) != NULL;

		str_printf(out, "%s%s://%s%.*s%s:%d", out->len == 0 ? "" : " ", o->ldaps ? "ldaps" : "ldap",
		           bare_ip6 ? "[" : "", (int)len, at, bare_ip6 ? "]" : "",
		           o->port != 0 ? o->port
		           : o->ldaps   ? 636
		                        : 389);
	}
}

#ifdef HAVE_LDAP
#include <errno.h>
#include <ldap.h>
#include <poll.h>
#include <sys/time.h>

#include "base/clock.h"

#define CONNECT_TIMEOUT_S 5 /* for each server */
#define ANSWER_TIMEOUT_S 10 /* for each answer */
#define WHOLE_TIMEOUT_S 20  /* for everything but the last connecting */
#define LIMIT_LEVEL 15      /* between the socket (LBER_SBIOD_LEVEL_PROVIDER) and TLS (LBER_SBIOD_LEVEL_TRANSPORT) */

/* A conversation with one server. */
struct talk {
	const struct ldap_options *options;
	LDAP *ld;
	enum ask_answer answer;
	char *why; /* ASK_WHY_BYTES */
	uint64_t deadline_us;
	struct ldap_conncb connected;
};

/* ---- the deadline: libldap's own timeouts do not count in a handshake of TLS, so each read asks for it ---- */

static int limit_setup(Sockbuf_IO_Desc *d, void *arg)
{
	d->sbiod_pvt = arg;
	return 0;
}

static int limit_remove(Sockbuf_IO_Desc *d)
{
	d->sbiod_pvt = NULL;
	return 0;
}

static int limit_control(Sockbuf_IO_Desc *d, int option, void *arg)
{
	return LBER_SBIOD_CTRL_NEXT(d, option, arg);
}

/* False with errno set: it is late. */
static bool await(Sockbuf_IO_Desc *d, short events)
{
	const struct talk *t = (const struct talk *)d->sbiod_pvt;
	uint64_t now_us = clock_steady_us();
	struct pollfd p = {-1, events, 0};
	ber_socket_t fd = -1;

	if (ber_sockbuf_ctrl(d->sbiod_sb, LBER_SB_OPT_GET_FD, &fd) < 0 || fd < 0)
		return true; /* the next layer will say what is wrong */
	p.fd = fd;
	if (now_us < t->deadline_us && poll(&p, 1, (int)((t->deadline_us - now_us) / US_PER_MS) + 1) != 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

static ber_slen_t limit_read(Sockbuf_IO_Desc *d, void *buf, ber_len_t len)
{
	return await(d, POLLIN) ? LBER_SBIOD_READ_NEXT(d, buf, len) : -1;
}

static ber_slen_t limit_write(Sockbuf_IO_Desc *d, void *buf, ber_len_t len)
{
	return await(d, POLLOUT) ? LBER_SBIOD_WRITE_NEXT(d, buf, len) : -1;
}

static int limit_close(Sockbuf_IO_Desc *d)
{
	(void)d;
	return 0;
}

/* libldap takes a pointer to something that is not const, and does not change it. */
static const Sockbuf_IO limited_io = {limit_setup, limit_remove, limit_control, limit_read, limit_write, limit_close};

static int connected(LDAP *ld, Sockbuf *sb, LDAPURLDesc *url, struct sockaddr *address, struct ldap_conncb *callback)
{
	(void)ld;
	(void)url;
	(void)address;
	return ber_sockbuf_add_io(sb, (Sockbuf_IO *)(uintptr_t)&limited_io, LIMIT_LEVEL, callback->lc_arg);
}

static void closing(LDAP *ld, Sockbuf *sb, struct ldap_conncb *callback)
{
	(void)ld;
	(void)sb;
	(void)callback;
}

/* ---- the conversation ---- */

static void say(struct talk *t, enum ask_answer answer, const char *what, int code)
{
	char *more = NULL;
	bool unreached = code == LDAP_SERVER_DOWN || code == LDAP_CONNECT_ERROR;
	int n = snprintf(t->why, ASK_WHY_BYTES, "LDAP server \"%s\": %s: %s%s", t->options->servers,
	                 unreached ? "could not be reached" : what, ldap_err2string(code),
	                 unreached && (t->options->start_tls || t->options->ldaps)
	                     ? "; with TLS also if its certificate is for another name or of an authority that is not "
	                       "trusted (TLS_CACERT in ldap.conf)"
	                     : "");

	t->answer = answer;
	/* in parentheses stand codes without a text */
	if (t->ld != NULL && ldap_get_option(t->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more) == LDAP_OPT_SUCCESS &&
	    more != NULL && more[0] != '\0' && more[0] != '(' && n > 0 && (size_t)n < ASK_WHY_BYTES)
		snprintf(t->why + n, ASK_WHY_BYTES - (size_t)n, " (%s)", more);
	ldap_memfree(more);
}

/* Did the server say no, or is there trouble? Numbers below zero are the library's own. */
static enum ask_answer answer_of(int code)
{
	return code < 0 || code == LDAP_BUSY || code == LDAP_UNAVAILABLE || code == LDAP_OPERATIONS_ERROR ||
	               code == LDAP_PROTOCOL_ERROR
	           ? ASK_NO_ANSWER
	           : ASK_NO;
}

static bool set_option(struct talk *t, int option, const void *value)
{
	int code = ldap_set_option(t->ld, option, value);

	if (code != LDAP_OPT_SUCCESS)
		say(t, ASK_NO_ANSWER, "could not set an option", code);
	return code == LDAP_OPT_SUCCESS;
}

static bool open_handle(struct talk *t, const char *uris)
{
	const struct timeval connect = {CONNECT_TIMEOUT_S, 0}, answer = {ANSWER_TIMEOUT_S, 0};
	const int version = LDAP_VERSION3;
	int code = ldap_initialize(&t->ld, uris);

	if (code != LDAP_SUCCESS) {
		say(t, ASK_NO_ANSWER, "could not be used", code);
		return false;
	}
	t->connected = (struct ldap_conncb){connected, closing, t};
	t->deadline_us = clock_steady_us() + WHOLE_TIMEOUT_S * US_PER_S;
	return set_option(t, LDAP_OPT_CONNECT_CB, &t->connected) &&
	       set_option(t, LDAP_OPT_PROTOCOL_VERSION, &version) &&
	       set_option(t, LDAP_OPT_NETWORK_TIMEOUT, &connect) && set_option(t, LDAP_OPT_TIMEOUT, &answer);
}

static bool start_tls(struct talk *t)
{
	int code;

	if (!t->options->start_tls)
		return true;
	code = ldap_start_tls_s(t->ld, NULL, NULL);
	if (code != LDAP_SUCCESS)
		say(t, ASK_NO_ANSWER, "could not start TLS", code);
	return code == LDAP_SUCCESS;
}

/* Connections are made by the first thing that is asked. */
static bool begin(struct talk *t)
{
	struct str uris;
	bool good;

	str_init(&uris, MAX_TEXT);
	ldap_uris(t->options, &uris);
	if (uris.failed) {
		snprintf(t->why, ASK_WHY_BYTES, "out of memory");
		good = false;
	} else {
		good = open_handle(t, str_text(&uris)) && start_tls(t);
	}
	str_fini(&uris);
	return good;
}

static void end(struct talk *t)
{
	if (t->ld != NULL)
		(void)ldap_unbind_ext_s(t->ld, NULL, NULL);
}

static int bind_as(struct talk *t, const char *dn, const char *password)
{
	struct berval credentials = {strlen(password), (char *)(uintptr_t)password};

	return ldap_sasl_bind_s(t->ld, dn, LDAP_SASL_SIMPLE, &credentials, NULL, NULL, NULL);
}

static bool bind_searcher(struct talk *t)
{
	int code = bind_as(t, or_empty(t->options->bind_dn), or_empty(t->options->bind_password));

	if (code != LDAP_SUCCESS)
		say(t, ASK_NO_ANSWER,
		    or_empty(t->options->bind_dn)[0] == '\0' ? "refuses searching without ldapbinddn"
		                                             : "refuses ldapbinddn",
		    code);
	return code == LDAP_SUCCESS;
}

static void bind_user(struct talk *t, const char *dn, const char *password)
{
	int code = bind_as(t, dn, password);
	char what[200];

	snprintf(what, sizeof(what), "refuses \"%.150s\"", dn);
	if (code == LDAP_SUCCESS)
		t->answer = ASK_YES;
	else
		say(t, answer_of(code), what, code);
}

static int scope_of(enum ldap_scope scope)
{
	switch (scope) {
	case LDAP_OPTION_SCOPE_BASE:
		return LDAP_SCOPE_BASE;
	case LDAP_OPTION_SCOPE_ONE:
		return LDAP_SCOPE_ONELEVEL;
	case LDAP_OPTION_SCOPE_SUBTREE:
		break;
	}
	return LDAP_SCOPE_SUBTREE;
}

/* The name of the one entry that the filter finds, for ldap_memfree; NULL: none, several, or trouble. */
static char *find(struct talk *t, const char *filter)
{
	struct timeval limit = {ANSWER_TIMEOUT_S, 0};
	char *no_attributes[] = {(char *)(uintptr_t)LDAP_NO_ATTRS, NULL};
	LDAPMessage *found = NULL;
	char *dn = NULL;
	int code, n;

	code = ldap_search_ext_s(t->ld, t->options->base_dn, scope_of(t->options->scope), filter, no_attributes, 0,
	                         NULL, NULL, &limit, 2, &found);
	n = found == NULL ? 0 : ldap_count_entries(t->ld, found);
	if (code != LDAP_SUCCESS && code != LDAP_SIZELIMIT_EXCEEDED) {
		say(t, ASK_NO_ANSWER, "could not search", code);
	} else if (n == 1 && code == LDAP_SUCCESS) {
		dn = ldap_get_dn(t->ld, ldap_first_entry(t->ld, found));
		if (dn == NULL)
			say(t, ASK_NO_ANSWER, "gave an entry without a name", LDAP_DECODING_ERROR);
	} else {
		t->answer = ASK_NO;
		snprintf(t->why, ASK_WHY_BYTES, "LDAP server \"%s\": %s below \"%s\" with filter \"%s\"",
		         t->options->servers, n == 0 ? "there is no entry" : "there is more than one entry",
		         t->options->base_dn, filter);
	}
	(void)ldap_msgfree(found);
	return dn;
}

static void ask_simply(struct talk *t, const struct ask *a)
{
	struct str name;

	str_init(&name, MAX_TEXT);
	if (!ldap_simple_name(t->options, a->user, &name)) {
		t->answer = ASK_NO;
		snprintf(t->why, ASK_WHY_BYTES, "the user's name cannot be a part of the name for LDAP");
	} else if (name.failed) {
		snprintf(t->why, ASK_WHY_BYTES, "out of memory");
	} else {
		bind_user(t, str_text(&name), a->password);
	}
	str_fini(&name);
}

static void ask_searching(struct talk *t, const struct ask *a)
{
	struct str filter;
	char *dn = NULL;

	if (!bind_searcher(t))
		return;
	str_init(&filter, MAX_TEXT);
	ldap_search_filter(t->options, a->user, &filter);
	if (filter.failed)
		snprintf(t->why, ASK_WHY_BYTES, "out of memory");
	else
		dn = find(t, str_text(&filter));
	str_fini(&filter);
	if (dn != NULL)
		bind_user(t, dn, a->password);
	ldap_memfree(dn);
}

void ldap_prepare(void)
{
	int version;

	(void)ldap_get_option(NULL, LDAP_OPT_PROTOCOL_VERSION, &version);
}

void ldap_ask(struct ask *a)
{
	char why[ASK_WHY_BYTES] = "";
	struct talk t = {.options = a->ldap, .answer = ASK_NO_ANSWER, .why = why};

	if (a->ldap == NULL) {
		ask_answer(a, ASK_NO_ANSWER, "there are no LDAP options");
		return;
	}
	if (begin(&t)) {
		if (a->ldap->base_dn != NULL)
			ask_searching(&t, a);
		else
			ask_simply(&t, a);
	}
	end(&t);
	ask_answer(a, t.answer, "%s", why);
}

bool ldap_try(const struct ldap_options *o, char *why, size_t size)
{
	char text[ASK_WHY_BYTES] = "";
	struct talk t = {.options = o, .answer = ASK_NO_ANSWER, .why = text};
	bool good = begin(&t);

	if (good && o->base_dn != NULL) {
		good = bind_searcher(&t);
	} else if (good) {
		/* who may not come without a name has been reached, too */
		int code = bind_as(&t, "", "");

		good = code >= 0;
		if (!good)
			say(&t, ASK_NO_ANSWER, "could not be reached", code);
	}
	end(&t);
	snprintf(why, size, "%s", text);
	return good;
}
#else
void ldap_prepare(void)
{
}

/* auth_type = ldap is refused by the configuration; nobody is let in if it ever gets here. */
void ldap_ask(struct ask *a)
{
	ask_answer(a, ASK_NO_ANSWER, "%s", CONF_NO_LDAP);
}

bool ldap_try(const struct ldap_options *o, char *why, size_t size)
{
	(void)o;
	snprintf(why, size, "%s", CONF_NO_LDAP);
	return false;
}
#endif
