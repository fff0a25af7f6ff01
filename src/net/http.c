/*
 * HTTP: libevent's evhttp, with the bounds that it has not: how many connections, how long each may take for what, how
 * much may wait to be sent. Thread: its loop's.
 *
 * evhttp makes its connections itself and tells nobody. Each begins with new_buffer, where a slot is taken; at the end
 * of that turn of the loop (adopt_fresh) evhttp has put its connection behind the buffer, and tells us of its end.
 */
#include "net/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/loop_private.h"

#define BACKLOG 511
#define ROOM_PART 8u     /* slots that are made free again each turn, for as many new ones: an eighth */
#define MAX_BODY 4096    /* of what is refused anyway */
#define MAX_INPUT 32768u /* bytes read ahead; more than a request may have */
#define LOOK_US US_PER_S
#define EVERY_METHOD 0xffff /* each is answered by us: 405 */
#define NO_CONTENT_POLICY "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

enum connection_state {
	CONNECTION_FREE,      /* the slot is */
	CONNECTION_FRESH,     /* until the end of the turn: evhttp is not done making it */
	CONNECTION_WAITING,   /* for another request */
	CONNECTION_READING,   /* a request, that has to come at the beginning */
	CONNECTION_ANSWERING, /* the handler has the request */
	CONNECTION_WRITING
};

/* Owned by one thread: the loop's. */
struct connection {
	struct list node; /* in http->free or http->open */
	struct http *http;
	enum connection_state state;
	uint64_t deadline_us; /* 0: none */
	size_t unsent;        /* bytes of the answer, until it is written */
	struct bufferevent *fresh;
	struct evhttp_connection *evcon; /* NULL while fresh */
	struct http_request *request;
};

struct listener_of_http {
	struct http *http;
	struct evhttp *evhttp;
	struct evhttp_bound_socket *bound; /* NULL: it does not listen any more */
	bool on_loopback;
};

/* Owned by one thread: the loop's. */
struct http {
	struct loop *loop;
	http_handler *handler;
	void *owner;
	struct timer *look;
	struct loop_task fresh_task;
	struct listener_of_http *listeners[HTTP_MAX_LISTENERS];
	unsigned n_listeners;
	struct list free, open; /* open: in the order in which each last did something */
	unsigned n_open, most;
	size_t unsent;
	struct connection slots[HTTP_MAX_CONNECTIONS];
};

struct http_request {
	struct evhttp_request *evreq;  /* NULL: the server is gone */
	struct connection *connection; /* NULL: has ended, or was never seen */
	struct listener_of_http *listener;
	bool is_head, has_type;
	char host[300];
	char peer[64];
};

/* ---- connections ---- */

static void enter(struct connection *c, enum connection_state state, uint64_t patience_us)
{
	c->state = state;
	c->deadline_us = patience_us == 0 ? 0 : loop_now_us(c->http->loop) + patience_us;
	list_remove(&c->node);
	list_add_tail(&c->http->open, &c->node);
}

static void forget_unsent(struct connection *c)
{
	c->http->unsent -= c->unsent;
	c->unsent = 0;
}

static void listen_again(struct http *h, bool on)
{
	for (unsigned i = 0; i < h->n_listeners; i++) {
		struct evhttp_bound_socket *bound = h->listeners[i]->bound;

		if (bound == NULL)
			continue;
		if (on)
			evconnlistener_enable(evhttp_bound_socket_get_listener(bound));
		else
			evconnlistener_disable(evhttp_bound_socket_get_listener(bound));
	}
}

static void connection_gone(struct connection *c)
{
	struct http *h = c->http;

	if (c->state == CONNECTION_FREE)
		return;
	if (c->request != NULL)
		c->request->connection = NULL;
	c->request = NULL;
	forget_unsent(c);
	c->evcon = NULL;
	c->state = CONNECTION_FREE;
	list_remove(&c->node);
	list_add_tail(&h->free, &c->node);
	if (--h->n_open < h->most)
		listen_again(h, true);
}

static void evhttp_closes(struct evhttp_connection *evcon, void *arg)
{
	(void)evcon;
	connection_gone((struct connection *)arg);
}

/* Not while the handler has its request. */
static void connection_close(struct connection *c)
{
	struct evhttp_connection *evcon = c->evcon;

	evhttp_connection_free(evcon);
	connection_gone(c);
}

static bool may_be_closed(const struct connection *c)
{
	return c->state == CONNECTION_WAITING || c->state == CONNECTION_READING;
}

/* It has had time enough to take its answer, if others wait. */
static bool is_slow(const struct connection *c)
{
	return c->state == CONNECTION_WRITING &&
	       loop_now_us(c->http->loop) + HTTP_WRITE_US >= c->deadline_us + HTTP_SLOW_US;
}

typedef bool connection_test(const struct connection *c);

static bool close_oldest_that(struct http *h, connection_test *test)
{
	struct list *node;

	list_each (node, &h->open) {
		struct connection *c = container_of(node, struct connection, node);

		if (!test(c))
			continue;
		connection_close(c);
		return true;
	}
	return false;
}

/* The oldest one that asks for nothing, else that is slow. False: there is none. */
static bool close_oldest(struct http *h)
{
	return close_oldest_that(h, may_be_closed) || close_oldest_that(h, is_slow);
}

/* A first byte ends the pause between two requests. */
static void input_came(struct evbuffer *buffer, const struct evbuffer_cb_info *info, void *arg)
{
	struct connection *c = (struct connection *)arg;

	(void)buffer;
	loop_woke(c->http->loop);
	if (c->state == CONNECTION_WAITING && info->n_added > 0)
		enter(c, CONNECTION_READING, HTTP_REQUEST_US);
}

/* evhttp has accepted somebody, and asks for what reads and writes there. Our reference keeps the buffer until
   adopt_fresh has looked whether evhttp took it. */
static struct bufferevent *new_buffer(struct event_base *base, void *arg)
{
	struct http *h = (struct http *)arg;
	struct list *node = list_first(&h->free);
	struct bufferevent *buffer = node == NULL ? NULL : bufferevent_socket_new(base, -1, 0);
	struct connection *c;

	loop_woke(h->loop);
	if (buffer == NULL)
		return NULL;
	c = container_of(node, struct connection, node);
	bufferevent_setwatermark(buffer, EV_READ, 0, MAX_INPUT);
	if (evbuffer_add_cb(bufferevent_get_input(buffer), input_came, c) == NULL) {
		bufferevent_free(buffer);
		return NULL;
	}
	bufferevent_incref(buffer);
	c->fresh = buffer;
	enter(c, CONNECTION_FRESH, HTTP_REQUEST_US);
	if (++h->n_open >= h->most)
		listen_again(h, false);
	loop_again(h->loop, &h->fresh_task);
	return buffer;
}

/* What evhttp's callbacks of the buffer are given is its connection. NULL: it did not come that far. */
static struct evhttp_connection *connection_behind(struct bufferevent *buffer)
{
	bufferevent_event_cb on_event = NULL;
	void *arg = NULL;

	bufferevent_getcb(buffer, NULL, NULL, &on_event, &arg);
	return on_event == NULL ? NULL : (struct evhttp_connection *)arg;
}

static void adopt(struct connection *c)
{
	struct bufferevent *buffer = c->fresh;

	c->fresh = NULL;
	c->evcon = connection_behind(buffer);
	if (c->evcon == NULL) {
		connection_gone(c);
	} else {
		evhttp_connection_set_closecb(c->evcon, evhttp_closes, c);
		c->state = CONNECTION_READING;
	}
	bufferevent_decref(buffer);
}

/* For as many as may come in one turn. Those that have just come are not sent away: first they may ask. */
static void make_room(struct http *h)
{
	while (h->n_open > h->most - h->most / ROOM_PART && close_oldest(h))
		;
}

static void adopt_fresh(struct loop_task *task)
{
	struct http *h = container_of(task, struct http, fresh_task);
	struct list *node, *after;

	make_room(h);
	list_each_safe (node, after, &h->open) {
		struct connection *c = container_of(node, struct connection, node);

		if (c->state == CONNECTION_FRESH)
			adopt(c);
	}
}

static bool is_late(const struct connection *c, uint64_t now_us)
{
	return c->evcon != NULL && c->deadline_us != 0 && now_us >= c->deadline_us;
}

static void look(void *owner)
{
	struct http *h = (struct http *)owner;
	uint64_t now_us = loop_now_us(h->loop);
	struct list *node, *after;

	timer_set(h->look, now_us + LOOK_US);
	list_each_safe (node, after, &h->open) {
		struct connection *c = container_of(node, struct connection, node);

		if (is_late(c, now_us))
			connection_close(c);
	}
	if (h->n_open >= h->most)
		make_room(h);
	/* cannot_accept has switched it off */
	if (h->n_open < h->most)
		listen_again(h, true);
}

/* No descriptors: `look` tries again. */
static void cannot_accept(struct evconnlistener *listener, void *arg)
{
	(void)arg;
	evconnlistener_disable(listener);
}

/* ---- requests ---- */

static struct connection *find_connection(const struct http *h, const struct evhttp_connection *evcon)
{
	struct list *node;

	list_each (node, &h->open) {
		struct connection *c = container_of(node, struct connection, node);

		if (c->evcon == evcon)
			return c;
	}
	return NULL;
}

/* "": there is none, or more than one. */
static void find_host(struct http_request *r)
{
	const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(r->evreq);
	const char *host = uri == NULL ? NULL : evhttp_uri_get_host(uri);
	struct evkeyval *header;
	unsigned n = 0;

	if (host != NULL) {
		if (snprintf(r->host, sizeof(r->host), "%s", host) >= (int)sizeof(r->host))
			r->host[0] = '\0';
		return;
	}
	for (header = evhttp_request_get_input_headers(r->evreq)->tqh_first; header != NULL;
	     header = header->next.tqe_next) {
		if (evutil_ascii_strcasecmp(header->key, "Host") != 0)
			continue;
		n++;
		host = header->value;
	}
	if (n != 1 || snprintf(r->host, sizeof(r->host), "%s", host) >= (int)sizeof(r->host))
		r->host[0] = '\0';
}

static struct http_request *request_new(struct listener_of_http *l, struct evhttp_request *evreq)
{
	struct evhttp_connection *evcon = evhttp_request_get_connection(evreq);
	struct http_request *r = mem_new(struct http_request);
	char *address = NULL;
	ev_uint16_t port;

	if (r == NULL)
		return NULL;
	r->evreq = evreq;
	r->listener = l;
	r->is_head = evhttp_request_get_command(evreq) == EVHTTP_REQ_HEAD;
	r->connection = find_connection(l->http, evcon);
	if (r->connection != NULL)
		r->connection->request = r;
	evhttp_connection_get_peer(evcon, &address, &port);
	snprintf(r->peer, sizeof(r->peer), "%s", address == NULL ? "" : address);
	find_host(r);
	return r;
}

/* Bytes of a body would be taken for the next request. */
static bool has_body(struct evhttp_request *evreq)
{
	struct evkeyvalq *headers = evhttp_request_get_input_headers(evreq);
	const char *length = evhttp_find_header(headers, "Content-Length");

	return evhttp_find_header(headers, "Transfer-Encoding") != NULL || (length != NULL && strcmp(length, "0") != 0);
}

static void refuse(struct http_request *r, int status, const char *text)
{
	http_set_header(r, "Connection", "close");
	http_answer_text(r, status, text);
}

static void take(struct http_request *r)
{
	struct http *h = r->listener->http;
	enum evhttp_cmd_type method = evhttp_request_get_command(r->evreq);

	if (r->evreq->major != 1) {
		refuse(r, 505, "HTTP/1.0 and HTTP/1.1 are understood\n");
	} else if (method != EVHTTP_REQ_GET && method != EVHTTP_REQ_HEAD) {
		http_set_header(r, "Allow", "GET, HEAD");
		refuse(r, 405, "only GET and HEAD are answered\n");
	} else if (has_body(r->evreq)) {
		refuse(r, 400, "a request without a body is expected\n");
	} else {
		h->handler(h->owner, r);
	}
}

static void request_came(struct evhttp_request *evreq, void *arg)
{
	struct listener_of_http *l = (struct listener_of_http *)arg;
	struct http_request *r = request_new(l, evreq);

	loop_woke(l->http->loop);
	if (r == NULL) {
		evhttp_send_error(evreq, HTTP_SERVUNAVAIL, NULL);
		return;
	}
	if (r->connection != NULL)
		enter(r->connection, CONNECTION_ANSWERING, 0);
	take(r);
}

const char *http_path(const struct http_request *r)
{
	const struct evhttp_uri *uri = r->evreq == NULL ? NULL : evhttp_request_get_evhttp_uri(r->evreq);
	const char *path = uri == NULL ? NULL : evhttp_uri_get_path(uri);

	return path == NULL ? "" : path;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next byte, and how much of the text it takes. Negative: a broken escape. */
static int decode_byte(const char *text, size_t len, size_t *taken)
{
	int high, low;

	*taken = 1;
	if (text[0] == '+')
		return ' ';
	if (text[0] != '%')
		return (unsigned char)text[0];
	high = len > 2 ? hex_digit(text[1]) : -1;
	low = len > 2 ? hex_digit(text[2]) : -1;
	*taken = 3;
	return high < 0 || low < 0 ? -1 : high * 16 + low;
}

static bool decode(const char *text, size_t len, char *out, size_t size)
{
	size_t n = 0, taken;

	for (size_t i = 0; i < len; i += taken) {
		if (decode_byte(text + i, len - i, &taken) <= 0)
			return false;
		n++;
	}
	if (n >= size)
		return false;
	n = 0;
	for (size_t i = 0; i < len; i += taken)
		out[n++] = (char)decode_byte(text + i, len - i, &taken);
	out[n] = '\0';
	return true;
}

/* Where the first parameter of this name begins, behind its "="; NULL: there is none. */
static const char *find_parameter(const struct http_request *r, const char *name, size_t *len)
{
	const struct evhttp_uri *uri = r->evreq == NULL ? NULL : evhttp_request_get_evhttp_uri(r->evreq);
	const char *at = uri == NULL ? NULL : evhttp_uri_get_query(uri);
	size_t name_len = strlen(name);

	while (at != NULL && *at != '\0') {
		*len = strcspn(at, "&");
		if (*len > name_len && at[name_len] == '=' && memcmp(at, name, name_len) == 0) {
			*len -= name_len + 1;
			return at + name_len + 1;
		}
		at += *len + (at[*len] == '&' ? 1 : 0);
	}
	return NULL;
}

bool http_has_parameter(const struct http_request *r, const char *name)
{
	size_t len;

	return find_parameter(r, name, &len) != NULL;
}

bool http_parameter(const struct http_request *r, const char *name, char *value, size_t size)
{
	size_t len;
	const char *at = find_parameter(r, name, &len);

	return at != NULL && decode(at, len, value, size);
}

const char *http_header(const struct http_request *r, const char *name)
{
	return r->evreq == NULL ? NULL : evhttp_find_header(evhttp_request_get_input_headers(r->evreq), name);
}

const char *http_host(const struct http_request *r)
{
	return r->host[0] == '\0' ? NULL : r->host;
}

const char *http_peer(const struct http_request *r)
{
	return r->peer;
}

bool http_came_by_loopback(const struct http_request *r)
{
	return r->listener != NULL && r->listener->on_loopback;
}

/* ---- answers ---- */

void http_set_header(struct http_request *r, const char *name, const char *value)
{
	struct evkeyvalq *headers;

	if (r->evreq == NULL)
		return;
	headers = evhttp_request_get_output_headers(r->evreq);
	(void)evhttp_remove_header(headers, name);
	(void)evhttp_add_header(headers, name, value);
}

static void add_default(struct http_request *r, const char *name, const char *value)
{
	if (evhttp_find_header(evhttp_request_get_output_headers(r->evreq), name) == NULL)
		http_set_header(r, name, value);
}

static void set_usual_headers(struct http_request *r, const char *type, size_t len)
{
	char length[32];

	snprintf(length, sizeof(length), "%zu", len);
	http_set_header(r, "Content-Length", length);
	http_set_header(r, "Content-Type", type);
	add_default(r, "Cache-Control", "no-store");
	add_default(r, "Content-Security-Policy", NO_CONTENT_POLICY);
	add_default(r, "Cross-Origin-Resource-Policy", "same-origin");
	add_default(r, "Referrer-Policy", "no-referrer");
	add_default(r, "X-Content-Type-Options", "nosniff");
	add_default(r, "X-Frame-Options", "DENY");
}

/* All of it is written. */
static void answer_written(struct evhttp_request *evreq, void *arg)
{
	struct connection *c = (struct connection *)arg;
	struct bufferevent *buffer = evhttp_connection_get_bufferevent(c->evcon);

	(void)evreq;
	loop_woke(c->http->loop);
	forget_unsent(c);
	/* another one may be there already */
	if (evbuffer_get_length(bufferevent_get_input(buffer)) > 0)
		enter(c, CONNECTION_READING, HTTP_REQUEST_US);
	else
		enter(c, CONNECTION_WAITING, HTTP_IDLE_US);
}

static const char *phrase(int status)
{
	switch (status) {
	case 421:
		return "Misdirected Request";
	case 429:
		return "Too Many Requests";
	default:
		return NULL; /* evhttp knows it */
	}
}

static void send_answer(struct http_request *r, int status, struct evbuffer *body)
{
	struct connection *c = r->connection;
	struct evhttp_connection *evcon = c == NULL ? NULL : c->evcon;

	/* what is answered as a newer or older version is not understood */
	r->evreq->major = 1;
	r->evreq->minor = r->evreq->minor == 0 ? 0 : 1;
	if (c != NULL) {
		c->request = NULL;
		c->unsent = evbuffer_get_length(body);
		c->http->unsent += c->unsent;
		enter(c, CONNECTION_WRITING, HTTP_WRITE_US);
		evhttp_request_set_on_complete_cb(r->evreq, answer_written, c);
	}
	evhttp_send_reply(r->evreq, status, phrase(status), body);
	/* who has closed its half already still reads; nothing is read ahead meanwhile */
	if (evcon != NULL && c->evcon == evcon)
		bufferevent_disable(evhttp_connection_get_bufferevent(evcon), EV_READ);
}

/* Probes are answered however many do not take what they have asked for: only big answers are too much. */
static bool is_too_much(const struct http_request *r, size_t len)
{
	return r->connection != NULL && !r->is_head && len > HTTP_SMALL_ANSWER &&
	       r->connection->http->unsent > HTTP_MAX_UNSENT;
}

static void answer_with(struct http_request *r, int status, const char *type, const void *bytes, size_t len)
{
	struct evbuffer *body = r->evreq == NULL ? NULL : evbuffer_new();

	if (body != NULL && !r->is_head && evbuffer_add(body, bytes, len) != 0) {
		evbuffer_free(body);
		body = NULL;
	}
	if (body != NULL) {
		set_usual_headers(r, type, len);
		send_answer(r, status, body);
		evbuffer_free(body);
	} else if (r->evreq != NULL) {
		if (r->connection != NULL) {
			r->connection->request = NULL;
			enter(r->connection, CONNECTION_WRITING, HTTP_WRITE_US);
		}
		evhttp_send_error(r->evreq, HTTP_SERVUNAVAIL, NULL);
	}
	mem_free(r);
}

void http_answer(struct http_request *r, int status, const char *type, const void *bytes, size_t len)
{
	static const char too_much[] = "too many answers are waiting to be taken\n";

	if (!is_too_much(r, len)) {
		answer_with(r, status, type, bytes, len);
		return;
	}
	http_set_header(r, "Retry-After", "5");
	answer_with(r, 503, "text/plain; charset=utf-8", too_much, strlen(too_much));
}

void http_answer_text(struct http_request *r, int status, const char *text)
{
	http_answer(r, status, "text/plain; charset=utf-8", text, strlen(text));
}

/* ---- life ---- */

/* What libevent would say on stderr: a stranger's malformed requests are no news. */
static void say_nothing(int severity, const char *text)
{
	(void)severity;
	(void)text;
}

struct http *http_new(struct loop *l, http_handler *handler, void *owner)
{
	struct http *h = mem_new(struct http);

	if (h == NULL)
		return NULL;
	event_set_log_callback(say_nothing);
	h->loop = l;
	h->handler = handler;
	h->owner = owner;
	h->most = HTTP_MAX_CONNECTIONS;
	list_init(&h->free);
	list_init(&h->open);
	loop_task_init(&h->fresh_task, adopt_fresh);
	for (unsigned i = 0; i < HTTP_MAX_CONNECTIONS; i++) {
		h->slots[i].http = h;
		list_init(&h->slots[i].node);
		list_add_tail(&h->free, &h->slots[i].node);
	}
	h->look = timer_new(l, look, h);
	if (h->look == NULL) {
		mem_free(h);
		return NULL;
	}
	timer_set(h->look, loop_now_us(l) + LOOK_US);
	return h;
}

void http_set_most(struct http *h, unsigned most)
{
	h->most = most < HTTP_LEAST_CONNECTIONS ? HTTP_LEAST_CONNECTIONS
	          : most < HTTP_MAX_CONNECTIONS ? most
	                                        : HTTP_MAX_CONNECTIONS;
}

static void listener_of_http_free(struct listener_of_http *l)
{
	if (l == NULL)
		return;
	if (l->evhttp != NULL)
		evhttp_free(l->evhttp);
	mem_free(l);
}

static struct listener_of_http *listener_of_http_new(struct http *h)
{
	struct listener_of_http *l = mem_new(struct listener_of_http);

	if (l == NULL)
		return NULL;
	l->http = h;
	l->evhttp = evhttp_new(loop_base(h->loop));
	if (l->evhttp == NULL) {
		mem_free(l);
		return NULL;
	}
	evhttp_set_allowed_methods(l->evhttp, EVERY_METHOD);
	evhttp_set_max_headers_size(l->evhttp, HTTP_MAX_HEADERS);
	evhttp_set_max_body_size(l->evhttp, MAX_BODY);
	/* beyond our own limits: a second line */
	evhttp_set_timeout(l->evhttp, (int)(2 * HTTP_IDLE_US / US_PER_S));
	evhttp_set_bevcb(l->evhttp, new_buffer, h);
	evhttp_set_gencb(l->evhttp, request_came, l);
	return l;
}

/* Takes the descriptor. */
static bool begin_accepting(struct listener_of_http *l, int fd)
{
	struct evconnlistener *listener = evconnlistener_new(loop_base(l->http->loop), NULL, NULL,
	                                                     LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);

	if (listener == NULL) {
		socket_close(fd);
		return false;
	}
	evconnlistener_set_error_cb(listener, cannot_accept);
	l->bound = evhttp_bind_listener(l->evhttp, listener);
	if (l->bound == NULL)
		evconnlistener_free(listener);
	return l->bound != NULL;
}

bool http_listen(struct http *h, const struct address *a, bool reuseport, struct failure *why)
{
	struct listener_of_http *l;
	int fd;

	if (h->n_listeners == HTTP_MAX_LISTENERS) {
		failure_set(why, PHASE_NONE, DOMAIN_ERRNO, EMFILE, NULL);
		return false;
	}
	fd = socket_listen(a, BACKLOG, 0, reuseport);
	if (fd < 0) {
		failure_set(why, PHASE_NONE, DOMAIN_ERRNO, errno, NULL);
		return false;
	}
	l = listener_of_http_new(h);
	if (l == NULL)
		socket_close(fd);
	if (l == NULL || !begin_accepting(l, fd)) {
		failure_set(why, PHASE_NONE, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		listener_of_http_free(l);
		return false;
	}
	l->on_loopback = address_is_loopback(a);
	h->listeners[h->n_listeners++] = l;
	return true;
}

void http_stop_listening(struct http *h)
{
	for (unsigned i = 0; i < h->n_listeners; i++) {
		struct listener_of_http *l = h->listeners[i];

		if (l->bound != NULL)
			evhttp_del_accept_socket(l->evhttp, l->bound);
		l->bound = NULL;
	}
}

unsigned http_count(const struct http *h)
{
	return h->n_open;
}

/* Their requests go with them. */
static void forget_requests(struct http *h)
{
	struct list *node;

	list_each (node, &h->open) {
		struct connection *c = container_of(node, struct connection, node);

		if (c->request == NULL)
			continue;
		c->request->evreq = NULL;
		c->request->connection = NULL;
		c->request->listener = NULL;
		c->request = NULL;
	}
}

void http_free(struct http *h)
{
	if (h == NULL)
		return;
	http_stop_listening(h);
	loop_task_cancel(&h->fresh_task);
	adopt_fresh(&h->fresh_task);
	forget_requests(h);
	for (unsigned i = 0; i < h->n_listeners; i++)
		listener_of_http_free(h->listeners[i]);
	timer_free(h->look);
	mem_free(h);
}
