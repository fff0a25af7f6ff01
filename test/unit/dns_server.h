/*
 * A name server on loopback for tests: a thread that answers each question as
 * the first label of its name says. It counts questions, and can be silent.
 */
#ifndef TEST_UNIT_DNS_SERVER_H
#define TEST_UNIT_DNS_SERVER_H

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SERVER_MANY 1000 /* addresses of the name "many" */
#define SERVER_PACKET 65536

struct dns_server {
	int udp, tcp, stop[2];
	uint16_t port;
	pthread_t thread;
	atomic_int asked, asked_by_tcp;
	char file[64]; /* like resolv.conf, naming it */
};

/* A message being written. */
struct packet {
	uint8_t bytes[SERVER_PACKET];
	size_t len;
};

static inline void put(struct packet *p, const void *bytes, size_t len)
{
	memcpy(p->bytes + p->len, bytes, len);
	p->len += len;
}

static inline void put_16(struct packet *p, unsigned value)
{
	uint8_t two[2] = {(uint8_t)(value >> 8), (uint8_t)value};

	put(p, two, 2);
}

static inline void put_32(struct packet *p, uint32_t value)
{
	put_16(p, value >> 16);
	put_16(p, value & 0xffff);
}

/* `name`: bytes as on the wire; the question's own is "\300\14". */
static inline void put_record(struct packet *p, const char *name, unsigned type, uint32_t ttl_s, const void *data,
                              size_t len)
{
	put(p, name, strlen(name) + (((uint8_t)name[0] & 0xc0) == 0 ? 1 : 0));
	put_16(p, type);
	put_16(p, 1);
	put_32(p, ttl_s);
	put_16(p, (unsigned)len);
	put(p, data, len);
	/* one answer more */
	p->bytes[7] = (uint8_t)(p->bytes[7] + 1);
	if (p->bytes[7] == 0)
		p->bytes[6]++;
}

#define SELF "\300\14"

static inline void put_address(struct packet *p, const char *name, const char *address, uint32_t ttl_s)
{
	uint8_t data[16];
	bool v6 = strchr(address, ':') != NULL;

	(void)!inet_pton(v6 ? AF_INET6 : AF_INET, address, data);
	put_record(p, name, v6 ? 28 : 1, ttl_s, data, v6 ? 16 : 4);
}

static inline void put_many(struct packet *p)
{
	for (unsigned i = 0; i < SERVER_MANY; i++) {
		char address[32];

		snprintf(address, sizeof(address), "10.1.%u.%u", i / 256, i % 256);
		put_address(p, SELF, address, 60);
	}
}

static inline void put_soa(struct packet *p, uint32_t serial)
{
	static const uint8_t names[] = "\2ns\0\4host";
	struct packet data = {.len = 0};

	put(&data, names, sizeof(names));
	put_32(&data, serial);
	for (int i = 0; i < 4; i++)
		put_32(&data, 1);
	put_record(p, SELF, 6, 5, data.bytes, data.len);
}

/* The answer's records for a name of that first label; returns the code. */
static inline unsigned answer_records(struct packet *p, const char *label, unsigned type)
{
	if (strcmp(label, "both") == 0 && type == 1)
		put_address(p, SELF, "10.0.0.1", 70);
	else if (strcmp(label, "both") == 0 && type == 28)
		put_address(p, SELF, "fd00::1", 50);
	else if (strcmp(label, "plain") == 0 && type == 1)
		put_address(p, SELF, "10.0.0.2", 7);
	else if (strcmp(label, "chain") == 0 && type == 1) {
		put_record(p, SELF, 5, 3, "\4real", 6);
		put_address(p, "\4real", "10.0.0.3", 90);
	} else if (strcmp(label, "loop") == 0) {
		put_record(p, SELF, 5, 3, "\1b", 3);
		put_record(p, "\1b", 5, 3, SELF, 2);
	} else if (strcmp(label, "many") == 0 && type == 1)
		put_many(p);
	else if (strcmp(label, "zone") == 0 && type == 6)
		put_soa(p, 2026112401);
	else if (strcmp(label, "broken") == 0)
		put_record(p, "\77", 1, 1, "\1\2", 2);
	else if (strcmp(label, "servfail") == 0)
		return 2;
	else if (strcmp(label, "refused") == 0)
		return 5;
	else if (strcmp(label, "nothing") == 0 || strcmp(label, "both") == 0 || strcmp(label, "plain") == 0)
		return 0;
	else if (p->bytes[7] == 0 && p->bytes[6] == 0 && strcmp(label, "chain") != 0 && strcmp(label, "many") != 0)
		return 3;
	return 0;
}

/* False: nothing is said. */
static inline bool answer(struct dns_server *s, const uint8_t *asked, size_t len, struct packet *p, bool tcp,
                          char *label)
{
	size_t at = 12;
	unsigned type, code;

	atomic_fetch_add(tcp ? &s->asked_by_tcp : &s->asked, 1);
	if (len < 17 || asked[12] > 63)
		return false;
	memcpy(label, asked + 13, asked[12]);
	label[asked[12]] = '\0';
	while (at < len && asked[at] != 0)
		at += (size_t)asked[at] + 1;
	if (at + 5 > len || strcmp(label, "silent") == 0)
		return false;
	type = (unsigned)asked[at + 1] << 8 | asked[at + 2];
	p->len = 0;
	put(p, asked, 2);
	put(p, "\201\200\0\1\0\0\0\0\0\0", 10);
	put(p, asked + 12, at + 5 - 12);
	code = answer_records(p, label, type);
	p->bytes[3] = (uint8_t)(0x80 | code);
	if (!tcp && p->len > 512) {
		p->len = at + 5;
		p->bytes[2] |= 2; /* TC */
		p->bytes[6] = p->bytes[7] = 0;
	}
	return true;
}

/* What strangers might send in place of the answer, before it comes. */
static inline void lie(const struct dns_server *s, const struct packet *p, const struct sockaddr_in *to)
{
	static const char *const junk[] = {"", "x", "\0\0\201\200\377\377\377\377", "GET / HTTP/1.0\r\n\r\n"};
	struct packet wrong = *p;

	wrong.bytes[0] ^= 0x55;
	wrong.bytes[wrong.len - 1] = 66; /* another address */
	(void)!sendto(s->udp, wrong.bytes, wrong.len, 0, (const struct sockaddr *)to, sizeof(*to));
	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++)
		(void)!sendto(s->udp, junk[i], strlen(junk[i]), 0, (const struct sockaddr *)to, sizeof(*to));
}

static inline void serve_udp(struct dns_server *s)
{
	struct sockaddr_in from;
	socklen_t size = sizeof(from);
	uint8_t asked[512];
	char label[64];
	struct packet p;
	ssize_t n = recvfrom(s->udp, asked, sizeof(asked), 0, (struct sockaddr *)&from, &size);

	if (n <= 0 || !answer(s, asked, (size_t)n, &p, false, label))
		return;
	if (strcmp(label, "plain") == 0)
		lie(s, &p, &from);
	if (strcmp(label, "garbage") == 0) {
		/* the right id, and nothing that makes sense behind it */
		memset(p.bytes + 4, 0xff, 60);
		p.len = 64;
	}
	(void)!sendto(s->udp, p.bytes, p.len, 0, (struct sockaddr *)&from, size);
}

static inline void serve_tcp(struct dns_server *s)
{
	int fd = accept(s->tcp, NULL, NULL);
	uint8_t asked[514], head[2];
	char label[64];
	struct packet p;
	ssize_t n;

	if (fd < 0)
		return;
	while ((n = recv(fd, head, 2, MSG_WAITALL)) == 2) {
		size_t len = (size_t)head[0] << 8 | head[1];

		if (len > sizeof(asked) || recv(fd, asked, len, MSG_WAITALL) != (ssize_t)len ||
		    !answer(s, asked, len, &p, true, label))
			break;
		head[0] = (uint8_t)(p.len >> 8);
		head[1] = (uint8_t)p.len;
		(void)!send(fd, head, 2, MSG_NOSIGNAL);
		(void)!send(fd, p.bytes, p.len, MSG_NOSIGNAL);
	}
	close(fd);
}

static inline void *serve(void *arg)
{
	struct dns_server *s = (struct dns_server *)arg;
	struct pollfd fds[3] = {{s->udp, POLLIN, 0}, {s->tcp, POLLIN, 0}, {s->stop[0], POLLIN, 0}};

	for (;;) {
		(void)!poll(fds, 3, -1);
		if (fds[2].revents != 0)
			return NULL;
		if (fds[0].revents != 0)
			serve_udp(s);
		if (fds[1].revents != 0)
			serve_tcp(s);
	}
}

/* A port that is free for both; false: it was not for TCP. */
static inline bool dns_server_bind(struct dns_server *s, struct sockaddr_in *any)
{
	socklen_t size = sizeof(*any);

	s->udp = socket(AF_INET, SOCK_DGRAM, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM, 0);
	return bind(s->udp, (struct sockaddr *)any, size) == 0 &&
	       getsockname(s->udp, (struct sockaddr *)any, &size) == 0 &&
	       bind(s->tcp, (struct sockaddr *)any, size) == 0;
}

/* One port for UDP and TCP; `search`: further lines of its file. */
static inline bool dns_server_start(struct dns_server *s, const char *lines)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	FILE *f;
	int fd;

	memset(s, 0, sizeof(*s));
	while (!dns_server_bind(s, &any)) {
		close(s->udp);
		close(s->tcp);
		if (errno != EADDRINUSE)
			return false;
		any.sin_port = 0;
	}
	s->port = ntohs(any.sin_port);
	if (listen(s->tcp, 5) != 0 || pipe(s->stop) != 0)
		return false;
	snprintf(s->file, sizeof(s->file), "/tmp/pgweir-dns-XXXXXX");
	fd = mkstemp(s->file);
	f = fd < 0 ? NULL : fdopen(fd, "w");
	if (f == NULL)
		return false;
	fprintf(f, "nameserver 127.0.0.1\n%s\n", lines);
	fclose(f);
	return pthread_create(&s->thread, NULL, serve, s) == 0;
}

static inline void dns_server_stop(struct dns_server *s)
{
	(void)!write(s->stop[1], "x", 1);
	pthread_join(s->thread, NULL);
	close(s->udp);
	close(s->tcp);
	close(s->stop[0]);
	close(s->stop[1]);
	(void)unlink(s->file);
}

#endif
