/* The other end of HTTP connections, on the same thread as the loop that answers. */
#ifndef TEST_UNIT_HTTP_CLIENT_H
#define TEST_UNIT_HTTP_CLIENT_H

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/str.h"
#include "net/http.h"
#include "until.h"

struct http_client {
	int fd;
	bool ended;
	size_t n_wanted; /* answers that are waited for */
	struct str got;
};

/* A port of loopback that was free a moment ago. */
static inline struct address free_port(void)
{
	struct address a;
	int fd;

	assert_true(address_from_text(&a, "127.0.0.1", 0));
	fd = socket_listen(&a, 1, 0, false);
	assert_true(fd >= 0);
	assert_true(socket_local_address(fd, &a));
	close(fd);
	return a;
}

static inline void http_connect(struct http_client *c, const struct address *a)
{
	memset(c, 0, sizeof(*c));
	str_init(&c->got, 64u << 20);
	c->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(c->fd >= 0);
	assert_int_equal(connect(c->fd, &a->u.any, a->len), 0);
}

static inline void http_say(struct http_client *c, const char *text)
{
	assert_int_equal(send(c->fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static inline void http_take(struct http_client *c)
{
	char buf[65536];
	ssize_t n = 0;

	while (!c->ended && (n = recv(c->fd, buf, sizeof(buf), MSG_DONTWAIT)) > 0)
		str_add(&c->got, buf, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		c->ended = true;
}

/* How often a text is in what has come. */
static inline size_t http_count_of(struct http_client *c, const char *text)
{
	const char *at = str_text(&c->got);
	size_t n = 0;

	while ((at = strstr(at, text)) != NULL) {
		at++;
		n++;
	}
	return n;
}

static inline bool http_has_answers(void *arg)
{
	struct http_client *c = (struct http_client *)arg;

	http_take(c);
	return c->ended || http_count_of(c, "HTTP/1.") >= c->n_wanted;
}

static inline bool http_has_ended(void *arg)
{
	struct http_client *c = (struct http_client *)arg;

	http_take(c);
	return c->ended;
}

/* What is answered to these bytes: so many answers, or the end. */
static inline const char *http_ask(struct loop *l, struct http_client *c, const char *text, size_t answers)
{
	str_clear(&c->got);
	c->n_wanted = answers;
	http_say(c, text);
	assert_true(run_until(l, http_has_answers, c));
	return str_text(&c->got);
}

static inline void http_leave(struct http_client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	c->fd = -1;
	str_fini(&c->got);
}

#endif
