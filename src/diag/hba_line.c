/* Writes the pg_hba.conf line that is missing. Pure, any thread. */
#include "diag/hba_line.h"

#include <stdio.h>
#include <string.h>

#include "base/printable.h"

#define ADDRESS_BYTES 64u
#define DOCKER_DESKTOP "192.168.65." /* what its network is unless it was set otherwise */

/* The text between quotes behind `host `; false: the message names none. PostgreSQL puts it before all that users
   can choose, so that the first one is its own. */
static bool host_in_message(struct bytes message, struct bytes *host)
{
	static const char mark[] = "host \"";
	size_t mark_len = sizeof(mark) - 1;

	for (size_t i = 0; i + mark_len <= message.len; i++) {
		const char *from = message.data + i + mark_len, *quote;

		if (memcmp(message.data + i, mark, mark_len) != 0)
			continue;
		quote = (const char *)memchr(from, '"', message.len - i - mark_len);
		if (quote == NULL)
			return false;
		*host = (struct bytes){from, (size_t)(quote - from)};
		return true;
	}
	return false;
}

static bool is_address_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

/* Copies an IP address without its zone, which pg_hba.conf does not look at; false if it does not look like one. */
static bool copy_address(struct bytes text, char address[ADDRESS_BYTES])
{
	const char *zone = (const char *)memchr(text.data, '%', text.len);
	size_t len = zone == NULL ? text.len : (size_t)(zone - text.data);
	unsigned dots = 0, colons = 0;

	if (len == 0 || len >= ADDRESS_BYTES)
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!is_address_char(text.data[i]))
			return false;
		dots += text.data[i] == '.';
		colons += text.data[i] == ':';
	}
	if (colons < 2 && dots != 3)
		return false;
	memcpy(address, text.data, len);
	address[len] = '\0';
	return true;
}

/* The address that the server saw, or the one that we see; "" when neither is known. */
static void find_address(const struct hba_subject *s, char address[ADDRESS_BYTES])
{
	struct bytes host;

	if (host_in_message(s->message, &host) && copy_address(host, address))
		return;
	if (s->source_address != NULL &&
	    copy_address((struct bytes){s->source_address, strlen(s->source_address)}, address))
		return;
	address[0] = '\0';
}

static bool is_local(const struct hba_subject *s)
{
	struct bytes host;

	return s->is_unix || (host_in_message(s->message, &host) && bytes_are(host, "[local]"));
}

static bool is_plain_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Words that mean something else there unless they are quoted. */
static bool is_keyword(const char *name)
{
	static const char *const words[] = {"all", "replication", "sameuser", "samerole", "samegroup"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strcmp(name, words[i]) == 0)
			return true;
	return false;
}

/*
 * Can a line mean exactly this name? Not with a control character in it, and not with a slash in front: PostgreSQL 16
 * and later take that for a regular expression, quoted or not.
 */
static bool can_be_written(const char *name)
{
	return name[0] != '/' && printable_is(name);
}

/* A name as pg_hba.conf takes it. Quotes take the meaning from keywords and from + and @ in front. */
static void write_name(const char *name, struct str *out)
{
	bool plain = name[0] != '\0' && !is_keyword(name);

	for (const char *c = name; *c != '\0'; c++)
		plain = plain && is_plain_char(*c);
	if (plain) {
		str_add_str(out, name);
		return;
	}
	str_add_char(out, '"');
	for (; *name != '\0'; name++) {
		if (*name == '"')
			str_add_char(out, '"');
		str_add_char(out, *name);
	}
	str_add_char(out, '"');
}

static bool begins(struct bytes text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.data, with, len) == 0;
}

static bool ends(struct bytes text, const char *with)
{
	size_t len = strlen(with);

	return text.len >= len && memcmp(text.data + text.len - len, with, len) == 0;
}

/* The server's words for connections that no database's line lets in. */
static bool is_replication(struct bytes message)
{
	return begins(message, "no pg_hba.conf entry for replication connection from host") ||
	       begins(message, "pg_hba.conf rejects replication connection for host");
}

/* What the server says comes last in its words, behind all that users can choose. */
static bool was_encrypted(const struct hba_subject *s)
{
	if (ends(s->message, ", SSL encryption") || ends(s->message, ", SSL on"))
		return true;
	if (ends(s->message, " encryption") || ends(s->message, ", SSL off"))
		return false;
	return s->encrypted;
}

/* The whole line; `address` "" for local ones. */
static enum hba_line_result write_line(const struct hba_subject *s, const char *address, struct str *out)
{
	bool replication = is_replication(s->message);

	if (s->database == NULL || s->user == NULL)
		return HBA_LINE_NOT_KNOWN;
	if (!can_be_written(s->user) || (!replication && !can_be_written(s->database)))
		return HBA_LINE_NO_SUCH_NAMES;
	if (address[0] == '\0')
		str_add_str(out, "local    ");
	else
		str_add_str(out, was_encrypted(s) ? "hostssl    " : "host    ");
	if (replication)
		str_add_str(out, "replication");
	else
		write_name(s->database, out);
	str_add_str(out, "    ");
	write_name(s->user, out);
	if (address[0] != '\0')
		str_printf(out, "    %s", address);
	str_add_str(out, s->only_md5 ? "    md5" : "    scram-sha-256");
	return HBA_LINE_WRITTEN;
}

enum hba_line_result hba_line_write(const struct hba_subject *s, struct str *out)
{
	char address[ADDRESS_BYTES], network[ADDRESS_BYTES + 8];

	if (is_local(s))
		return write_line(s, "", out);
	find_address(s, address);
	if (address[0] == '\0')
		return HBA_LINE_NOT_KNOWN;
	snprintf(network, sizeof(network), "%s/%d", address, strchr(address, ':') == NULL ? 32 : 128);
	return write_line(s, network, out);
}

enum hba_line_result hba_line_write_network(const struct hba_subject *s, struct str *out)
{
	char address[ADDRESS_BYTES], network[ADDRESS_BYTES];
	unsigned a, b;

	if (is_local(s))
		return HBA_LINE_NO_NETWORK;
	find_address(s, address);
	if (strchr(address, ':') != NULL || sscanf(address, "%3u.%3u.", &a, &b) != 2)
		return HBA_LINE_NO_NETWORK;
	if (a != 10 && !(a == 172 && b >= 16 && b <= 31) && !(a == 192 && b == 168))
		return HBA_LINE_NO_NETWORK;
	if (strncmp(address, DOCKER_DESKTOP, strlen(DOCKER_DESKTOP)) == 0)
		snprintf(network, sizeof(network), "%s0/24",
		         DOCKER_DESKTOP); /* others of 192.168 may be people's own */
	else
		snprintf(network, sizeof(network), "%u.%u.0.0/16", a, b);
	return write_line(s, network, out);
}

bool hba_line_write_translated(const struct hba_subject *s, struct str *out)
{
	char seen[ADDRESS_BYTES], ours[ADDRESS_BYTES];
	struct bytes host;

	if (s->source_address == NULL || !host_in_message(s->message, &host) || !copy_address(host, seen) ||
	    !copy_address((struct bytes){s->source_address, strlen(s->source_address)}, ours) ||
	    strcmp(seen, ours) == 0)
		return false;
	str_add_str(out, seen);
	return true;
}
