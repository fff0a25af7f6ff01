/* Socket addresses as values: text, comparison, and the short form kept for every client. Any thread. */
#include "os/socket.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/interfaces.h"

/* 127.0.0.0/8 */
#define LOOPBACK_NET 127

/* The longest text of an address fits: callers have that much room. */
#define TEXT_BYTES 64

static bool unix_from_text(struct address *a, const char *text)
{
	struct sockaddr_un local;
	size_t len = strlen(text);

	memset(&local, 0, sizeof(local));
	local.sun_family = AF_UNIX;
	if (len >= sizeof(local.sun_path) || len < 2)
		return false;
	memcpy(local.sun_path, text, len);
	memset(a, 0, sizeof(*a));
	a->len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 1);
	if (address_text_is_abstract(text)) {
		/* abstract names are not terminated: each byte counts */
		local.sun_path[0] = '\0';
		a->len--;
	}
	a->u.local = local;
	return true;
}

/* "eth0" or "2"; 0 if it is neither. */
static uint32_t scope_from_text(const char *text)
{
	uint32_t index = interface_number(text);
	char *end;
	unsigned long long n;

	if (index != 0)
		return index;
	n = strtoull(text, &end, 10);
	return end == text || *end != '\0' || n > UINT32_MAX ? 0 : (uint32_t)n;
}

static bool v6_from_text(struct address *a, const char *text, uint16_t port)
{
	char host[INET6_ADDRSTRLEN];
	const char *percent = strchr(text, '%');
	size_t len = percent == NULL ? strlen(text) : (size_t)(percent - text);
	struct sockaddr_in6 v6;

	if (len >= sizeof(host))
		return false;
	memcpy(host, text, len);
	host[len] = '\0';
	memset(&v6, 0, sizeof(v6));
	v6.sin6_family = AF_INET6;
	v6.sin6_port = htons(port);
	if (inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
		return false;
	if (percent != NULL) {
		v6.sin6_scope_id = scope_from_text(percent + 1);
		if (v6.sin6_scope_id == 0)
			return false;
	}
	memset(a, 0, sizeof(*a));
	a->len = sizeof(v6);
	a->u.v6 = v6;
	return true;
}

bool address_from_text(struct address *a, const char *text, uint16_t port)
{
	struct sockaddr_in v4;

	if (address_text_is_local(text))
		return unix_from_text(a, text);
	memset(&v4, 0, sizeof(v4));
	v4.sin_family = AF_INET;
	v4.sin_port = htons(port);
	if (inet_pton(AF_INET, text, &v4.sin_addr) != 1)
		return v6_from_text(a, text, port);
	memset(a, 0, sizeof(*a));
	a->len = sizeof(v4);
	a->u.v4 = v4;
	return true;
}

bool address_from_sockaddr(struct address *a, const struct sockaddr *from, size_t len)
{
	if ((from->sa_family != AF_INET && from->sa_family != AF_INET6) || len > sizeof(a->u))
		return false;
	memset(a, 0, sizeof(*a));
	a->len = (socklen_t)len;
	memcpy(&a->u, from, len);
	return true;
}

static const char *text_of(int family, const void *bytes, char *buf, size_t size)
{
	/* systems do not agree on the type of a size here */
	if (size < TEXT_BYTES || inet_ntop(family, bytes, buf, TEXT_BYTES) == NULL)
		snprintf(buf, size, "?");
	return buf;
}

const char *address_text(const struct address *a, char *buf, size_t size)
{
	if (a->len != 0 && a->u.any.sa_family == AF_INET)
		return text_of(AF_INET, &a->u.v4.sin_addr, buf, size);
	if (a->len != 0 && a->u.any.sa_family == AF_INET6)
		return text_of(AF_INET6, &a->u.v6.sin6_addr, buf, size);
	snprintf(buf, size, "%s", address_is_unix(a) ? "unix" : "none");
	return buf;
}

uint16_t address_port(const struct address *a)
{
	if (a->len == 0)
		return 0;
	if (a->u.any.sa_family == AF_INET)
		return ntohs(a->u.v4.sin_port);
	return a->u.any.sa_family == AF_INET6 ? ntohs(a->u.v6.sin6_port) : 0;
}

bool address_is_unix(const struct address *a)
{
	return a->len != 0 && a->u.any.sa_family == AF_UNIX;
}

bool address_is_loopback(const struct address *a)
{
	const struct in6_addr *v6 = &a->u.v6.sin6_addr;

	if (a->len == 0)
		return false;
	if (a->u.any.sa_family == AF_INET)
		return ntohl(a->u.v4.sin_addr.s_addr) >> 24 == LOOPBACK_NET;
	if (a->u.any.sa_family != AF_INET6)
		return false;
	return IN6_IS_ADDR_LOOPBACK(v6) || (IN6_IS_ADDR_V4MAPPED(v6) && v6->s6_addr[12] == LOOPBACK_NET);
}

bool address_same(const struct address *a, const struct address *b)
{
	if (a->len == 0 || b->len == 0)
		return a->len == b->len;
	if (a->u.any.sa_family != b->u.any.sa_family || address_port(a) != address_port(b))
		return false;
	if (a->u.any.sa_family == AF_INET)
		return a->u.v4.sin_addr.s_addr == b->u.v4.sin_addr.s_addr;
	if (a->u.any.sa_family == AF_INET6)
		return a->u.v6.sin6_scope_id == b->u.v6.sin6_scope_id &&
		       memcmp(&a->u.v6.sin6_addr, &b->u.v6.sin6_addr, sizeof(a->u.v6.sin6_addr)) == 0;
	return a->len == b->len && memcmp(&a->u, &b->u, (size_t)a->len) == 0;
}

bool address_is_among(const struct address *a, const struct address *list, int n)
{
	for (int i = 0; i < n; i++)
		if (address_same(&list[i], a))
			return true;
	return false;
}

struct peer peer_of_address(const struct address *a)
{
	struct peer p;

	memset(&p, 0, sizeof(p));
	if (a->len == 0)
		return p;
	p.port = address_port(a);
	if (a->u.any.sa_family == AF_INET) {
		p.family = PEER_V4;
		memcpy(p.bytes, &a->u.v4.sin_addr, 4);
	} else if (a->u.any.sa_family == AF_INET6) {
		p.family = PEER_V6;
		memcpy(p.bytes, &a->u.v6.sin6_addr, 16);
	} else if (a->u.any.sa_family == AF_UNIX) {
		int32_t nobody = -1;

		p.family = PEER_UNIX;
		memcpy(p.bytes + 4, &nobody, 4);
	}
	return p;
}

const char *peer_text(const struct peer *p, char *buf, size_t size)
{
	if (p->family == PEER_V4)
		return text_of(AF_INET, p->bytes, buf, size);
	if (p->family == PEER_V6)
		return text_of(AF_INET6, p->bytes, buf, size);
	snprintf(buf, size, "%s", p->family == PEER_UNIX ? "unix" : "none");
	return buf;
}

bool peer_is_local(const struct peer *p)
{
	static const uint8_t one[16] = {[15] = 1}, mapped[13] = {[10] = 0xff, 0xff, 127};

	if (p->family == PEER_V6)
		return memcmp(p->bytes, one, sizeof(one)) == 0 || memcmp(p->bytes, mapped, sizeof(mapped)) == 0;
	return p->family == PEER_UNIX || (p->family == PEER_V4 && p->bytes[0] == 127);
}

int32_t peer_pid(const struct peer *p)
{
	int32_t pid = 0;

	if (p->family == PEER_UNIX)
		memcpy(&pid, p->bytes, 4);
	return pid;
}

int64_t peer_uid(const struct peer *p)
{
	uint32_t uid = UINT32_MAX;

	if (p->family == PEER_UNIX)
		memcpy(&uid, p->bytes + 4, 4);
	return uid == UINT32_MAX ? -1 : (int64_t)uid;
}

/* ---- this machine's addresses ---- */

struct nearness {
	const struct peer *peer;
	bool networks, found;
};

static bool is_at(const struct peer *p, const struct peer *at, const struct peer *mask)
{
	if (at->family != p->family)
		return false;
	for (size_t b = 0; b < sizeof(p->bytes); b++)
		if (((at->bytes[b] ^ p->bytes[b]) & mask->bytes[b]) != 0)
			return false;
	return true;
}

static void look_whether_near(void *arg, const struct peer *at, const struct peer *mask)
{
	static const struct peer whole = {
	    .bytes = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
	struct nearness *n = (struct nearness *)arg;

	n->found |= is_at(n->peer, at, n->networks ? mask : &whole);
}

bool address_is_near(const struct peer *p, bool networks)
{
	struct nearness n = {p, networks, false};

	return p->family != PEER_UNIX && interfaces_look(look_whether_near, &n) && n.found;
}

struct families {
	bool v4, v6;
};

static bool is_first_loopback(const struct peer *p)
{
	static const uint8_t one[4] = {127, 0, 0, 1};

	return p->family == PEER_V4 ? memcmp(p->bytes, one, sizeof(one)) == 0 : peer_is_local(p);
}

static void note_family(void *arg, const struct peer *at, const struct peer *mask)
{
	struct families *f = (struct families *)arg;

	(void)mask;
	if (is_first_loopback(at))
		return;
	f->v4 |= at->family == PEER_V4;
	f->v6 |= at->family == PEER_V6;
}

void address_families(bool *v4, bool *v6)
{
	struct families f = {false, false};
	bool known = interfaces_look(note_family, &f);

	*v4 = f.v4 || !known;
	*v6 = f.v6 || !known;
}
