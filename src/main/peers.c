/*
 * Cancel requests whose key another process has made, a peer of [peers]: passed on to it as they came, with one time of
 * being passed on less. Each peer has a queue and at most pool_size connections. Main thread.
 *
 *   peers_take ──> waiting ──pump──> dns_lookup ──> stream_connect ──> CancelRequest ──> closed by the peer ──> end_one
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/mem.h"
#include "main/supervisor.h"
#include "net/dns.h"
#include "net/loop.h"
#include "net/stream.h"
#include "os/error.h"
#include "os/file.h"
#include "wire/message.h"
#include "worker/cancel.h"
#include "worker/cancel_key.h"

/* Strangers can make as many requests as they like: beyond this the newest is dropped. */
#define MOST_WAITING 1000u
#define LOOK_US (100 * US_PER_MS)
/* A peer closes when it has done what it can, and it waits 10 s for PostgreSQL. */
#define ANSWER_TIMEOUT_US (20 * US_PER_S)

/* Owned by main, on supervisor->peer_pools. Made by the first request; goes when its peer leaves the configuration. */
struct peer_pool {
	struct list node;
	int id;
	struct list waiting, active; /* passing->node, oldest first */
	unsigned n_waiting, n_active;
	bool pumping;
	bool failing; /* the log has said so */
};

/* A request that is passed on. Owned by main, on one of its pool's lists. */
struct passing {
	struct list node;
	struct supervisor *s;
	struct peer_pool *pool;
	struct cancel *cancel;
	struct dns_query query;
	struct stream *stream; /* NULL: its peer's name is being looked up, or it waits */
	uint16_t port;
	bool sent;
	uint64_t sent_us;
};

static const struct conf_peer *find_peer(const struct supervisor *s, int id)
{
	const struct conf_peer *peer;

	for (unsigned i = 0; (peer = config_peer(s->config, i)) != NULL; i++)
		if (peer->id == id)
			return peer;
	return NULL;
}

static struct peer_pool *pool_of(struct supervisor *s, int id)
{
	struct list *node;
	struct peer_pool *pool;

	list_each (node, &s->peer_pools) {
		pool = container_of(node, struct peer_pool, node);
		if (pool->id == id)
			return pool;
	}
	pool = mem_new(struct peer_pool);
	if (pool == NULL)
		return NULL;
	pool->id = id;
	list_init(&pool->waiting);
	list_init(&pool->active);
	list_add_tail(&s->peer_pools, &pool->node);
	return pool;
}

static bool has_room(const struct supervisor *s, const struct peer_pool *pool)
{
	const struct conf_peer *peer = find_peer(s, pool->id);
	int size =
	    peer == NULL || peer->pool_size == CONF_UNSET ? s->config->settings.default_pool_size : peer->pool_size;

	return size <= 0 || pool->n_active < (unsigned)size;
}

/* ---- one request ---- */

static void pump(struct supervisor *s, struct peer_pool *pool);

static void drop(struct passing *p)
{
	if (p->query.waiting)
		dns_cancel(p->s->dns, &p->query);
	stream_close(p->stream);
	list_remove(&p->node);
	cancel_end(p->s->office, p->cancel);
	mem_free(p);
}

/* An active one has ended, one way or the other: the next. */
static void end_one(struct passing *p)
{
	struct supervisor *s = p->s;
	struct peer_pool *pool = p->pool;

	pool->n_active--;
	drop(p);
	pump(s, pool);
}

/* Said once until it works again. */
static void fail_one(struct passing *p, const struct failure *why)
{
	char reason[128];
	const char *text = why->text[0] != '\0' ? why->text : "out of memory or descriptors";

	if (why->domain == DOMAIN_ERRNO)
		text = os_error_text(why->code, reason, sizeof(reason));
	if (!p->pool->failing)
		log_write(p->s->log, LEVEL_WARNING, "could not pass a cancel request on to peer %d: %s", p->pool->id,
		          text);
	p->pool->failing = true;
	end_one(p);
}

static void send_request(struct passing *p)
{
	const uint8_t *key = cancel_key(p->cancel);
	uint32_t pid = (uint32_t)key[0] << 24 | (uint32_t)key[1] << 16 | (uint32_t)key[2] << 8 | key[3];
	enum write_result result = WRITE_FAILED;
	struct failure why;
	struct str out;

	failure_init(&why);
	str_init(&out, 2 * CANCEL_KEY_MAX);
	message_cancel_request(&out, pid, key + 4, cancel_key_len(p->cancel) - 4);
	if (!out.failed) {
		struct iovec v = {out.data, out.len};

		result = stream_write(p->stream, &v, 1, &why);
	}
	str_fini(&out);
	if (result == WRITE_FAILED) {
		fail_one(p, &why);
	} else {
		p->sent = true;
		p->sent_us = loop_now_us(p->s->loop);
		p->pool->failing = false;
	}
	failure_fini(&why);
}

static void stream_told(void *owner, enum stream_event event)
{
	struct passing *p = (struct passing *)owner;
	enum read_result result;
	struct span bytes;

	switch (event) {
	case STREAM_CONNECTED:
		send_request(p);
		break;
	case STREAM_READABLE:
		result = stream_read(p->stream, LOOP_BUFFER_BYTES, &bytes, NULL);
		if (result == READ_END || result == READ_FAILED)
			end_one(p);
		break;
	case STREAM_BROKEN:
		if (p->sent)
			end_one(p);
		else
			fail_one(p, stream_failure(p->stream));
		break;
	case STREAM_DRAINED:
	case STREAM_SECURED:
		break;
	}
}

static void connect_to(struct passing *p, const struct address *a)
{
	struct socket_options none = {0};
	struct failure why;

	failure_init(&why);
	p->stream = stream_connect(p->s->loop, a, &none, stream_told, p, &why);
	if (p->stream == NULL)
		fail_one(p, &why);
	failure_fini(&why);
}

static void name_answered(struct dns_query *q, const struct dns_answer *answer, const struct failure *why)
{
	struct passing *p = container_of(q, struct passing, query);
	struct address a;

	if (answer == NULL || answer->n == 0) {
		fail_one(p, why);
		return;
	}
	a = answer->address[0];
	if (a.u.any.sa_family == AF_INET)
		a.u.v4.sin_port = htons(p->port);
	else
		a.u.v6.sin6_port = htons(p->port);
	connect_to(p, &a);
}

/* An address or the directory of a Unix socket; false: a name. */
static bool literal_address(struct address *a, const struct conf_peer *peer)
{
	char path[sizeof(a->u.local.sun_path)];
	int n;

	if (!path_is_of_socket(peer->host))
		return address_from_text(a, peer->host, (uint16_t)peer->port);
	n = snprintf(path, sizeof(path), "%s/.s.PGSQL.%d", peer->host, peer->port);
	return n > 0 && (size_t)n < sizeof(path) && address_from_text(a, path, 0);
}

static void begin(struct passing *p)
{
	const struct conf_peer *peer = find_peer(p->s, p->pool->id);
	struct address a;

	list_add_tail(&p->pool->active, &p->node);
	p->pool->n_active++;
	if (peer == NULL) {
		end_one(p);
	} else if (literal_address(&a, peer)) {
		connect_to(p, &a);
	} else {
		p->port = (uint16_t)peer->port;
		p->query.answered = name_answered;
		dns_lookup(p->s->dns, peer->host, &p->query);
	}
}

/* Those that fail at once come back here: one after the other, not one inside the other. */
static void pump(struct supervisor *s, struct peer_pool *pool)
{
	struct list *node;

	if (pool->pumping)
		return;
	pool->pumping = true;
	while (has_room(s, pool) && (node = list_take_first(&pool->waiting)) != NULL) {
		pool->n_waiting--;
		begin(container_of(node, struct passing, node));
	}
	pool->pumping = false;
}

/* ---- what main does with them ---- */

/* The pool of the peer that has made the key; NULL: there is none, or the request was passed on often enough. */
static struct peer_pool *pool_for(struct supervisor *s, struct cancel *c)
{
	int own = s->config->settings.peer_id, id = cancel_key_peer(cancel_key(c));
	struct peer_pool *pool;

	if (own == 0 || id == own || find_peer(s, id) == NULL || s->shutdown.stage >= STAGE_ENDING)
		return NULL;
	pool = pool_of(s, id);
	if (pool == NULL || pool->n_waiting >= MOST_WAITING || !cancel_key_pass_on(cancel_key(c)))
		return NULL;
	return pool;
}

void peers_take(struct supervisor *s, struct cancel *c)
{
	struct peer_pool *pool = pool_for(s, c);
	struct passing *p = pool == NULL ? NULL : mem_new(struct passing);

	if (p == NULL) {
		cancel_end(s->office, c);
		return;
	}
	p->s = s;
	p->pool = pool;
	p->cancel = c;
	list_add_tail(&pool->waiting, &p->node);
	pool->n_waiting++;
	if (!timer_is_set(s->peers_timer))
		timer_set(s->peers_timer, loop_now_us(s->loop) + LOOK_US);
	pump(s, pool);
}

static bool is_overdue(const struct passing *p, uint64_t now_us)
{
	uint64_t limit_us = p->s->config->settings.cancel_wait_timeout_us;

	if (p->sent)
		return now_us >= p->sent_us + ANSWER_TIMEOUT_US;
	return limit_us > 0 && now_us >= cancel_since_us(p->cancel) + limit_us;
}

static void end_overdue(struct supervisor *s, struct peer_pool *pool)
{
	uint64_t now_us = loop_now_us(s->loop);
	struct list *node, *after;

	list_each_safe (node, after, &pool->waiting) {
		struct passing *p = container_of(node, struct passing, node);

		if (!is_overdue(p, now_us))
			break;
		pool->n_waiting--;
		drop(p);
	}
	list_each_safe (node, after, &pool->active) {
		struct passing *p = container_of(node, struct passing, node);

		if (!is_overdue(p, now_us))
			continue;
		pool->n_active--;
		drop(p);
	}
	pump(s, pool);
}

void peers_look(void *owner)
{
	struct supervisor *s = (struct supervisor *)owner;
	struct list *node;
	bool any = false;

	list_each (node, &s->peer_pools) {
		struct peer_pool *pool = container_of(node, struct peer_pool, node);

		end_overdue(s, pool);
		any = any || pool->n_waiting > 0 || pool->n_active > 0;
	}
	if (any)
		timer_set(s->peers_timer, loop_now_us(s->loop) + LOOK_US);
}

static void drop_pool(struct peer_pool *pool)
{
	struct list *node;

	while ((node = list_first(&pool->waiting)) != NULL)
		drop(container_of(node, struct passing, node));
	while ((node = list_first(&pool->active)) != NULL)
		drop(container_of(node, struct passing, node));
	list_remove(&pool->node);
	mem_free(pool);
}

void peers_settings_changed(struct supervisor *s)
{
	struct list *node, *after;

	list_each_safe (node, after, &s->peer_pools) {
		struct peer_pool *pool = container_of(node, struct peer_pool, node);

		if (find_peer(s, pool->id) == NULL)
			drop_pool(pool);
		else
			pump(s, pool);
	}
}

void peers_stop(struct supervisor *s)
{
	struct list *node;

	while ((node = list_first(&s->peer_pools)) != NULL)
		drop_pool(container_of(node, struct peer_pool, node));
}

bool peers_counts(struct supervisor *s, int id, struct peer_counts *counts)
{
	struct list *node, *each;

	list_each (node, &s->peer_pools) {
		const struct peer_pool *pool = container_of(node, struct peer_pool, node);

		if (pool->id != id)
			continue;
		*counts = (struct peer_counts){.waiting = pool->n_waiting};
		list_each (each, &pool->active) {
			if (container_of(each, struct passing, node)->sent)
				counts->active++;
			else
				counts->connecting++;
		}
		return true;
	}
	return false;
}
