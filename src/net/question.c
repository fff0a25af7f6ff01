/*
 * Questions to name servers through c-ares. Each has a channel of its own: the
 * configuration is read anew each time, as the C library does, no name waits for
 * another one's server, and taking a question back is closing its channel. The
 * loop's thread.
 *
 *	question_new → ares_… → watch (a socket to wait for) … socket_ready, time_over → question_step → done
 */
#include "net/question.h"

#ifdef HAVE_CARES

#include <ares.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/mem.h"
#include "net/loop_private.h"
#include "net/soa.h"

/* The first server that is silent costs this; each is asked TRIES times, with doubled patience. */
#define PATIENCE_MS 2000
#define TRIES 3

/* RFC 1035 */
#define CLASS_IN 1
#define TYPE_SOA 6

/* The end of a question, whatever servers and search domains there are. */
#define QUESTION_MAX_US (30 * US_PER_S)

/* A socket of c-ares in the loop. */
struct watch {
	struct list node; /* question->watches */
	struct question *question;
	ares_socket_t fd;
	struct event *event;
};

struct question {
	struct loop *loop;
	ares_channel channel;
	struct list watches;
	struct timer *timer;
	uint64_t end_us;
	bool asked;    /* somebody on the network */
	bool finished; /* `result` is complete */
	struct question_result result;
	question_done *done;
	void *asker;
};

bool question_is_possible(void)
{
	return true;
}

const char *question_backend(char *buf, size_t size)
{
	snprintf(buf, size, "c-ares %s", ares_version(NULL));
	return buf;
}

/* ---- answers ---- */

static enum question_outcome outcome_of(int status)
{
	switch (status) {
	case ARES_SUCCESS:
		return QUESTION_ANSWERED;
	case ARES_ENOTFOUND:
	case ARES_EBADNAME:
		return QUESTION_NO_NAME;
	case ARES_ENODATA:
		return QUESTION_NO_ADDRESS;
	case ARES_ETIMEOUT:
		return QUESTION_SILENT;
	default:
		return QUESTION_REFUSED;
	}
}

static void result_add(struct question_result *r, const struct ares_addrinfo_node *node)
{
	struct address a;

	if (address_from_sockaddr(&a, node->ai_addr, (size_t)node->ai_addrlen) &&
	    !address_is_among(&a, r->address, r->n))
		r->address[r->n++] = a;
}

static void add_ttl(struct question_result *r, int ttl_s)
{
	uint64_t ttl_us = (uint64_t)(ttl_s > 0 ? ttl_s : 0);

	ttl_us *= US_PER_S;
	if (ttl_us < r->ttl_us)
		r->ttl_us = ttl_us;
}

/* An answer lives as long as the shortest-lived record on the way to it. */
static void collect_ttl(struct question_result *r, const struct ares_addrinfo *info)
{
	for (const struct ares_addrinfo_cname *c = info->cnames; c != NULL; c = c->next)
		add_ttl(r, c->ttl);
	for (const struct ares_addrinfo_node *node = info->nodes; node != NULL; node = node->ai_next)
		add_ttl(r, node->ai_ttl);
}

static void collect(struct question *q, const struct ares_addrinfo *info)
{
	struct question_result *r = &q->result;
	const struct ares_addrinfo_node *node = info->nodes;

	r->address = (struct address *)mem_alloc(QUESTION_ADDRESSES_MAX * sizeof(*r->address));
	if (r->address == NULL) {
		r->outcome = QUESTION_REFUSED;
		return;
	}
	for (; node != NULL && r->n < QUESTION_ADDRESSES_MAX; node = node->ai_next)
		result_add(r, node);
	if (r->n == 0)
		r->outcome = QUESTION_NO_ADDRESS;
	if (q->asked)
		collect_ttl(r, info);
}

static void addresses_came(void *arg, int status, int timeouts, struct ares_addrinfo *info)
{
	struct question *q = (struct question *)arg;

	(void)timeouts;
	q->result.outcome = outcome_of(status);
	q->finished = true;
	if (status == ARES_SUCCESS && info != NULL)
		collect(q, info);
	if (info != NULL)
		ares_freeaddrinfo(info);
}

static void serial_came(void *arg, int status, int timeouts, unsigned char *message, int len)
{
	struct question *q = (struct question *)arg;

	(void)timeouts;
	q->result.outcome = outcome_of(status);
	q->finished = true;
	/* "no such record" and "no such name" come with the SOA of the zone that says so */
	if (message != NULL && len > 0 && soa_serial(message, (size_t)len, &q->result.serial))
		q->result.outcome = QUESTION_ANSWERED;
	else if (q->result.outcome == QUESTION_ANSWERED)
		q->result.outcome = QUESTION_REFUSED;
}

/* ---- on the loop ---- */

static void question_set_timer(struct question *q)
{
	uint64_t now_us = loop_now_us(q->loop), at_us = q->end_us;
	struct timeval left;

	if (q->finished) {
		at_us = now_us;
	} else if (ares_timeout(q->channel, NULL, &left) != NULL) {
		uint64_t next_us = now_us + (uint64_t)left.tv_sec * US_PER_S + (uint64_t)left.tv_usec;

		if (next_us < at_us)
			at_us = next_us;
	}
	timer_set(q->timer, at_us);
}

/* The only place where a question ends by itself: outside of c-ares, which may not be closed inside its callbacks. */
static void question_step(struct question *q)
{
	struct question_result result;
	question_done *done = q->done;
	void *asker = q->asker;

	if (!q->finished && loop_now_us(q->loop) >= q->end_us) {
		q->finished = true;
		q->result.outcome = QUESTION_SILENT;
	}
	if (!q->finished) {
		question_set_timer(q);
		return;
	}
	result = q->result;
	q->result.address = NULL;
	question_free(q);
	done(asker, &result);
	mem_free(result.address);
}

static void time_over(void *arg)
{
	struct question *q = (struct question *)arg;

	if (!q->finished)
		ares_process_fd(q->channel, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
	question_step(q);
}

static void socket_ready(evutil_socket_t fd, short what, void *arg)
{
	const struct watch *w = (const struct watch *)arg;
	struct question *q = w->question;

	(void)fd;
	loop_woke(q->loop);
	/* this may take the watch away */
	ares_process_fd(q->channel, (what & EV_READ) != 0 ? w->fd : ARES_SOCKET_BAD,
	                (what & EV_WRITE) != 0 ? w->fd : ARES_SOCKET_BAD);
	question_step(q);
}

static void watch_free(struct watch *w)
{
	list_remove(&w->node);
	if (w->event != NULL)
		event_free(w->event);
	mem_free(w);
}

static struct watch *watch_find(struct question *q, ares_socket_t fd)
{
	struct list *node;

	list_each (node, &q->watches) {
		struct watch *w = container_of(node, struct watch, node);

		if (w->fd == fd)
			return w;
	}
	return NULL;
}

/* A socket that cannot be waited for is like a server that is silent. */
static void watch_add(struct question *q, ares_socket_t fd, short what)
{
	struct watch *w = mem_new(struct watch);

	if (w == NULL)
		return;
	list_init(&w->node);
	w->question = q;
	w->fd = fd;
	w->event = event_new(loop_base(q->loop), (evutil_socket_t)fd, (short)(what | EV_PERSIST), socket_ready, w);
	if (w->event == NULL || event_add(w->event, NULL) != 0) {
		watch_free(w);
		return;
	}
	list_add_tail(&q->watches, &w->node);
}

static void watch(void *arg, ares_socket_t fd, int readable, int writable)
{
	struct question *q = (struct question *)arg;
	struct watch *w = watch_find(q, fd);

	q->asked = true;
	if (w != NULL)
		watch_free(w);
	if (readable != 0 || writable != 0)
		watch_add(q, fd, (short)((readable != 0 ? EV_READ : 0) | (writable != 0 ? EV_WRITE : 0)));
}

/* ---- asking ---- */

static bool open_channel(struct question *q, const struct question_servers *servers)
{
	struct ares_options options;
	int given = ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB;
	char *file = NULL;
	int status;

	memset(&options, 0, sizeof(options));
	options.timeout = servers->patience_ms > 0 ? servers->patience_ms : PATIENCE_MS;
	options.tries = TRIES;
	options.sock_state_cb = watch;
	options.sock_state_cb_data = q;
	if (servers->file != NULL && servers->file[0] != '\0') {
		file = mem_copy_str(servers->file);
		if (file == NULL)
			return false;
		options.resolvconf_path = file;
		given |= ARES_OPT_RESOLVCONF;
	}
	if (servers->port != 0) {
		options.udp_port = options.tcp_port = servers->port;
		given |= ARES_OPT_UDP_PORT | ARES_OPT_TCP_PORT;
	}
	status = ares_init_options(&q->channel, &options, given);
	mem_free(file);
	if (status != ARES_SUCCESS)
		q->channel = NULL;
	return status == ARES_SUCCESS;
}

static int family_of(enum question_kind kind)
{
	switch (kind) {
	case QUESTION_V4:
		return AF_INET;
	case QUESTION_V6:
		return AF_INET6;
	case QUESTION_ADDRESSES:
	case QUESTION_SERIAL:
		break;
	}
	return AF_UNSPEC;
}

static void ask(struct question *q, enum question_kind kind, const char *name)
{
	struct ares_addrinfo_hints hints;

	if (kind == QUESTION_SERIAL) {
		ares_query(q->channel, name, CLASS_IN, TYPE_SOA, serial_came, q);
		return;
	}
	memset(&hints, 0, sizeof(hints));
	hints.ai_family = family_of(kind);
	hints.ai_socktype = SOCK_STREAM;
	ares_getaddrinfo(q->channel, name, NULL, &hints, addresses_came, q);
}

struct question *question_new(struct loop *l, const struct question_servers *servers, enum question_kind kind,
                              const char *name, question_done *done, void *asker)
{
	struct question *q = mem_new(struct question);

	if (q == NULL)
		return NULL;
	list_init(&q->watches);
	q->loop = l;
	q->done = done;
	q->asker = asker;
	q->end_us = loop_now_us(l) + QUESTION_MAX_US;
	q->result.ttl_us = UINT64_MAX;
	q->timer = timer_new(l, time_over, q);
	if (q->timer == NULL || !open_channel(q, servers)) {
		question_free(q);
		return NULL;
	}
	ask(q, kind, name);
	question_set_timer(q);
	return q;
}

void question_free(struct question *q)
{
	struct list *node;

	if (q == NULL)
		return;
	/* calls back for what is under way, which only fills the result */
	if (q->channel != NULL)
		ares_destroy(q->channel);
	while ((node = list_first(&q->watches)) != NULL)
		watch_free(container_of(node, struct watch, node));
	timer_free(q->timer);
	mem_free(q->result.address);
	mem_free(q);
}

#else

bool question_is_possible(void)
{
	return false;
}

const char *question_backend(char *buf, size_t size)
{
	if (size > 0)
		buf[0] = '\0';
	return buf;
}

struct question *question_new(struct loop *l, const struct question_servers *servers, enum question_kind kind,
                              const char *name, question_done *done, void *asker)
{
	(void)l;
	(void)servers;
	(void)kind;
	(void)name;
	(void)done;
	(void)asker;
	return NULL;
}

void question_free(struct question *q)
{
	(void)q;
}

#endif
