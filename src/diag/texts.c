/* Placeholders, and what stands for them. Pure, any thread. */
#include "diag/texts.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "diag/hba_line.h"
#include "diag/idioms.h"

/* ---- Where the server is ---- */

bool is_known(const char *text)
{
	return text != NULL && text[0] != '\0';
}

static bool is_loopback(const char *host)
{
	return is_known(host) &&
	       (strcmp(host, "localhost") == 0 || strncmp(host, "127.", 4) == 0 || strcmp(host, "::1") == 0);
}

bool facts_are_local(const struct facts *facts)
{
	return facts->is_unix || is_loopback(facts->host) || is_loopback(facts->address);
}

bool is_outside(const struct facts *facts)
{
	return is_known(facts->host) && (strcmp(facts->host, "host.docker.internal") == 0 ||
	                                 strcmp(facts->host, "host.containers.internal") == 0);
}

/* A server on a machine that runs Windows, or what that server itself shows. */
static void find_place(struct subject *s)
{
	const struct facts *facts = s->facts;

	s->place = facts->place;
	server_place_read_error(&s->place, s->report.message, s->report.source_file);
	if ((facts->on_windows && facts_are_local(facts)) || (facts->below_windows && is_outside(facts)))
		s->place.on_windows = true;
}

void subject_init(struct subject *s, const struct failure *f, const struct facts *facts)
{
	memset(s, 0, sizeof(*s));
	s->f = f;
	s->facts = facts;
	if (f->domain == DOMAIN_SERVER && !report_parse(&s->report, f->report, f->report_len))
		report_read_broken(&s->report, f->report, f->report_len);
	find_place(s);
}

/* ---- Words ---- */

/* As POSIX systems say it, the same in every language and on every system. */
static const char *system_words(int code, char *buf, size_t size)
{
	switch (code) {
	case EACCES:
		return "Permission denied";
	case EADDRINUSE:
		return "Address already in use";
	case EADDRNOTAVAIL:
		return "Cannot assign requested address";
	case EAFNOSUPPORT:
		return "Address family not supported by protocol";
	case EAGAIN:
		return "Resource temporarily unavailable";
	case ECONNABORTED:
		return "Software caused connection abort";
	case ECONNREFUSED:
		return "Connection refused";
	case ECONNRESET:
		return "Connection reset by peer";
	case EHOSTUNREACH:
		return "No route to host";
	case EMFILE:
		return "Too many open files";
	case ENETDOWN:
		return "Network is down";
	case ENETUNREACH:
		return "Network is unreachable";
	case ENFILE:
		return "Too many open files in system";
	case ENOBUFS:
		return "No buffer space available";
	case ENOENT:
		return "No such file or directory";
	case ENOTSOCK:
		return "Socket operation on non-socket";
	case EPERM:
		return "Operation not permitted";
	case EPIPE:
		return "Broken pipe";
	case ETIMEDOUT:
		return "Connection timed out";
	default: /* an int from the system */
		snprintf(buf, size, "system error %d", code);
		return buf;
	}
}

void write_duration(uint64_t us, struct str *out)
{
	if (us < 1000000)
		str_printf(out, "%llu ms", (unsigned long long)(us / 1000));
	else
		str_printf(out, "%llu.%llu s", (unsigned long long)(us / 1000000),
		           (unsigned long long)(us / 100000 % 10));
}

static void write_printable(const char *text, struct str *out)
{
	printable_add(out, text, strlen(text));
}

void write_target(const struct facts *facts, struct str *out)
{
	bool has_host = is_known(facts->host), has_address = is_known(facts->address);

	if (facts->is_unix && (has_address || has_host)) {
		str_add_str(out, "server on socket \"");
		write_printable(has_address ? facts->address : facts->host, out);
		str_add_char(out, '"');
		return;
	}
	str_add_str(out, "server");
	if (has_host || has_address) {
		str_add_str(out, " at \"");
		write_printable(has_host ? facts->host : facts->address, out);
		str_add_char(out, '"');
	}
	if (has_host && has_address && strcmp(facts->host, facts->address) != 0)
		str_printf(out, " (%s)", facts->address);
	if (facts->port != 0)
		str_printf(out, ", port %d", facts->port);
}

/* A name between quotes as SQL takes it. With control characters in it, which an operator could not paste: the
   U&"…\000A…" form. */
static void write_quoted(const char *name, char quote, struct str *out)
{
	bool escaped = false;

	for (const char *c = name; *c != '\0'; c++)
		escaped = escaped || (unsigned char)*c < ' ' || *c == 0x7F;
	if (escaped)
		str_add_str(out, "U&");
	str_add_char(out, quote);
	for (; *name != '\0'; name++) {
		if ((unsigned char)*name < ' ' || *name == 0x7F) {
			str_printf(out, "\\%04X", (unsigned)(unsigned char)*name);
			continue;
		}
		if (*name == quote || (escaped && *name == '\\'))
			str_add_char(out, *name);
		str_add_char(out, *name);
	}
	str_add_char(out, quote);
}

/* The same made printable: what is no UTF-8 cannot be pasted anyway. */
static bool write_sql(const char *name, char quote, struct str *out)
{
	struct str quoted;

	if (!is_known(name))
		return false;
	str_init(&quoted, out->limit);
	write_quoted(name, quote, &quoted);
	write_printable(str_text(&quoted), out);
	str_fini(&quoted);
	return true;
}

static bool write_known(const char *text, struct str *out)
{
	if (!is_known(text))
		return false;
	write_printable(text, out);
	return true;
}

static bool write_number(uint32_t n, struct str *out)
{
	if (n == 0)
		return false;
	str_printf(out, "%u", n);
	return true;
}

static const char *code_words(enum failure_code code)
{
	switch (code) {
	case FAILURE_TIMED_OUT:
		return "timed out";
	case FAILURE_CLOSED:
		return "closed without a word";
	case FAILURE_NOT_POSTGRES:
		return "not a PostgreSQL server";
	case FAILURE_PROTOCOL:
		return "protocol violated";
	case FAILURE_TOO_LARGE:
		return "message too large";
	case FAILURE_NO_TLS:
		return "no TLS there";
	case FAILURE_AUTH_METHOD:
		return "authentication method not supported";
	case FAILURE_AUTH_SECRET:
	case FAILURE_AUTH_NO_KEYS:
	case FAILURE_AUTH_OTHER_SALT:
		return "wrong password type";
	case FAILURE_AUTH_NO_PASSWORD:
		return "no password known";
	case FAILURE_AUTH_SERVER:
		return "server not proven";
	case FAILURE_WRONG_ROLE:
		return "of another role";
	case FAILURE_NO_MEMORY:
		return "out of memory";
	case FAILURE_NO_ADDRESS:
		return "no addresses";
	case FAILURE_ADMIN:
		return "ended by an operator";
	case FAILURE_NONE:
	case FAILURE_LOOKUP_SHAPE:
	case FAILURE_LOOKUP_DATABASE:
	case FAILURE_POOL_FULL:
	case FAILURE_DATABASE_FULL:
	case FAILURE_USER_FULL:
	case FAILURE_HOST_FULL:
	case FAILURE_PROCESS_FULL:
	case FAILURE_PAUSED:
	case FAILURE_DISABLED:
	case FAILURE_NO_DATABASE:
	case FAILURE_DATABASE_CLIENTS:
	case FAILURE_USER_CLIENTS:
	case FAILURE_TOO_MANY_CLIENTS:
	case FAILURE_QUERY_TIMEOUT:
	case FAILURE_TRANSACTION_TIMEOUT:
	case FAILURE_IDLE_TRANSACTION_TIMEOUT:
	case FAILURE_CLIENT_IDLE_TIMEOUT:
	case FAILURE_CLIENT_LOGIN_TIMEOUT:
	case FAILURE_SHUTDOWN:
	case FAILURE_DATABASE_REMOVED:
		break; /* no target's failures */
	}
	return "failed";
}

void write_reason(const struct subject *s, struct str *out)
{
	char buf[32];

	switch (s->f->domain) {
	case DOMAIN_ERRNO:
		str_add_str(out, s->f->code == ECONNREFUSED ? "connection refused"
		                                            : system_words(s->f->code, buf, sizeof(buf)));
		break;
	case DOMAIN_SERVER:
		texts_expand("%m", s, out);
		break;
	case DOMAIN_GAI:
	case DOMAIN_TLS:
		texts_expand(is_known(s->f->text) ? "%x" : "failed", s, out);
		break;
	case DOMAIN_POOLER:
		if (s->f->code == FAILURE_WRONG_ROLE && is_known(s->f->text))
			texts_expand("%x", s, out);
		else
			str_add_str(out, code_words((enum failure_code)s->f->code));
		break;
	case DOMAIN_NONE:
		str_add_str(out, "failed");
		break;
	}
}

/* ---- Placeholders: each writes what it stands for; false: not known, nothing was written ---- */

static bool put_target(const struct subject *s, struct str *out)
{
	write_target(s->facts, out);
	return true;
}

static bool put_host(const struct subject *s, struct str *out)
{
	return write_known(is_known(s->facts->host) ? s->facts->host : s->facts->address, out);
}

static bool put_address(const struct subject *s, struct str *out)
{
	return write_known(s->facts->address, out);
}

static bool put_port(const struct subject *s, struct str *out)
{
	return write_number((uint32_t)s->facts->port, out);
}

static bool put_user(const struct subject *s, struct str *out)
{
	return write_known(s->facts->user, out);
}

static bool put_user_identifier(const struct subject *s, struct str *out)
{
	return write_sql(s->facts->user, '"', out);
}

static bool put_user_literal(const struct subject *s, struct str *out)
{
	return write_sql(s->facts->user, '\'', out);
}

static bool put_database_identifier(const struct subject *s, struct str *out)
{
	return write_sql(s->facts->database, '"', out);
}

static bool put_config_database(const struct subject *s, struct str *out)
{
	return write_known(s->facts->config_database, out);
}

static bool put_config_place(const struct subject *s, struct str *out)
{
	return write_known(s->facts->config_place, out);
}

static bool put_secret_place(const struct subject *s, struct str *out)
{
	return write_known(s->facts->secret_place, out);
}

static bool put_account(const struct subject *s, struct str *out)
{
	return write_known(s->facts->account, out);
}

static bool put_server_message(const struct subject *s, struct str *out)
{
	if (s->report.message.len == 0)
		str_add_str(out, "server sent an error without a message");
	printable_add(out, s->report.message.data, s->report.message.len);
	return true;
}

static bool put_failure_text(const struct subject *s, struct str *out)
{
	return write_known(s->f->text, out);
}

static bool put_system_words(const struct subject *s, struct str *out)
{
	char buf[32];

	return write_known(system_words(s->f->code, buf, sizeof(buf)), out);
}

static bool put_duration(const struct subject *s, struct str *out)
{
	if (s->facts->phase_us == 0)
		return false;
	write_duration(s->facts->phase_us, out);
	return true;
}

static void hba_subject(const struct subject *s, struct hba_subject *h)
{
	h->message = s->report.message;
	h->database = s->facts->database;
	h->user = s->facts->user;
	h->source_address = s->facts->source_address;
	h->is_unix = s->facts->is_unix;
	h->encrypted = s->facts->encrypted;
	h->only_md5 = s->facts->stored == STORED_MD5;
}

/* When there is no line, a comment that says why: harmless where it is pasted. */
static bool put_hba_line(const struct subject *s, struct str *out)
{
	struct hba_subject h;

	hba_subject(s, &h);
	switch (hba_line_write(&h, out)) {
	case HBA_LINE_WRITTEN:
		break;
	case HBA_LINE_NOT_KNOWN:
	case HBA_LINE_NO_NETWORK:
		str_add_str(out,
		            "# host    DATABASE    USER    ADDRESS/32    scram-sha-256    (not all is known here)");
		break;
	case HBA_LINE_NO_SUCH_NAMES:
		str_add_str(out, "# no line of pg_hba.conf can mean exactly this database and user");
		break;
	}
	return true;
}

static bool put_hba_network(const struct subject *s, struct str *out)
{
	struct hba_subject h;

	hba_subject(s, &h);
	return hba_line_write_network(&h, out) == HBA_LINE_WRITTEN;
}

/* The address that the server saw instead of the one on our side. */
static bool put_seen_address(const struct subject *s, struct str *out)
{
	struct hba_subject h;

	if (!is_known(s->facts->source_address))
		return false;
	hba_subject(s, &h);
	return hba_line_write_translated(&h, out);
}

static bool put_source_address(const struct subject *s, struct str *out)
{
	return write_known(s->facts->source_address, out);
}

static bool put_hba_file(const struct subject *s, struct str *out)
{
	return server_place_write_hba_file(&s->place, out);
}

static bool put_reload(const struct subject *s, struct str *out)
{
	return server_place_write_reload(&s->place, out);
}

static bool put_service(const struct subject *s, struct str *out)
{
	return server_place_write_service(&s->place, out);
}

/* Where the server may run on Windows: its firewall lets nobody in by itself. */
static bool put_firewall_rule(const struct subject *s, struct str *out)
{
	if (!s->place.on_windows && !s->facts->on_windows && !s->facts->below_windows)
		return false;
	str_printf(out,
	           "New-NetFirewallRule -DisplayName PostgreSQL -Direction Inbound -Protocol TCP -LocalPort %d "
	           "-Action Allow",
	           s->facts->port == 0 ? 5432 : s->facts->port);
	return true;
}

static bool put_name_servers(const struct subject *s, struct str *out)
{
	return write_known(s->facts->name_servers, out);
}

static bool put_ca_file(const struct subject *s, struct str *out)
{
	return write_known(s->facts->ca_file, out);
}

static bool put_keepalive(const struct subject *s, struct str *out)
{
	return write_known(s->facts->keepalive, out);
}

static bool put_limits(const struct subject *s, struct str *out)
{
	return write_known(s->facts->limits, out);
}

static bool put_sum_of_pools(const struct subject *s, struct str *out)
{
	return write_number(s->facts->pool_sizes, out);
}

static bool put_hosts(const struct subject *s, struct str *out)
{
	return write_known(s->facts->hosts, out);
}

static bool put_wanted_role(const struct subject *s, struct str *out)
{
	return write_known(s->facts->wanted_role, out);
}

static bool put_connections(const struct subject *s, struct str *out)
{
	return write_number(s->facts->connections, out);
}

static bool put_auth_query(const struct subject *s, struct str *out)
{
	return write_known(s->facts->auth_query, out);
}

/* What PostgreSQL says permission is denied for, and the privilege that a query needs there. */
static const struct {
	const char *says, *grant;
} grants[] = {
    {"permission denied for table ", "SELECT ON"},
    {"permission denied for view ", "SELECT ON"},
    {"permission denied for materialized view ", "SELECT ON"},
    {"permission denied for foreign table ", "SELECT ON"},
    {"permission denied for relation ", "SELECT ON"},
    {"permission denied for schema ", "USAGE ON SCHEMA"},
    {"permission denied for function ", "EXECUTE ON FUNCTION"},
};

/* A server's word that needs no quotes, or nothing: it is to be pasted. */
static bool is_plain_name(const char *name, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((name[i] >= 'a' && name[i] <= 'z') || (name[i] >= '0' && name[i] <= '9' && i > 0) ||
		      name[i] == '_'))
			return false;
	return len > 0 && len < 64;
}

static bool put_missing_grant(const struct subject *s, struct str *out)
{
	struct bytes m = s->report.message;

	for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
		size_t len = strlen(grants[i].says);

		if (m.len <= len || memcmp(m.data, grants[i].says, len) != 0 ||
		    !is_plain_name(m.data + len, m.len - len))
			continue;
		str_printf(out, "GRANT %s %.*s TO ", grants[i].grant, (int)(m.len - len), m.data + len);
		return put_user_identifier(s, out);
	}
	return false;
}

static const struct {
	char letter;
	bool (*put)(const struct subject *s, struct str *out);
} placeholders[] = {
#define PLACEHOLDER(letter, writer, example) {letter, put_##writer},
#include "diag/placeholders.def"
#undef PLACEHOLDER
};

static bool expand(const char *text, const struct subject *s, struct str *out);

static bool write_placeholder(char letter, const struct subject *s, struct str *out)
{
	enum idiom idiom = idiom_of_letter(letter);

	if (idiom != IDIOMS)
		return expand(idiom_text(idiom, s->facts->on_windows), s, out);
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (placeholders[i].letter == letter)
			return placeholders[i].put(s, out);
	return false; /* a letter of the table; the test of the table finds wrong ones */
}

static void cut_to(struct str *out, size_t len)
{
	if (out->len <= len)
		return;
	out->len = len;
	out->data[len] = '\0';
}

/* False if something outside of groups is not known. */
static bool expand(const char *text, const struct subject *s, struct str *out)
{
	size_t group_from = 0;
	bool in_group = false, complete = true, known = true;

	for (; *text != '\0'; text++) {
		if (*text == '{') {
			in_group = true;
			complete = true;
			group_from = out->len;
		} else if (*text == '}') {
			in_group = false;
			if (!complete)
				cut_to(out, group_from);
		} else if (*text == '%' && text[1] != '\0') {
			size_t before = out->len;

			text++;
			if (write_placeholder(*text, s, out))
				continue;
			complete = false;
			known = known && in_group;
			if (!in_group && out->len == before)
				str_add_char(out, '?');
		} else {
			str_add_char(out, *text);
		}
	}
	return known;
}

void texts_expand(const char *text, const struct subject *s, struct str *out)
{
	(void)expand(text, s, out);
}
