/* net/stream.h of the simulator: reads are cut anywhere, writes are taken in part, connections break. One thread. */
#include "net/stream.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "sim.h"

#define HELD_MAX (LOOP_BUFFER_BYTES)

struct stream {
	struct list node; /* in its loop's streams */
	struct conn *conn;
	struct loop *loop;
	stream_handler *handler;
	void *owner;
	struct str held, pending;
	struct failure failure; /* set once it is broken */
	struct peer peer;
	uint64_t seen;
	bool connecting, paused, broken, broken_told;
};

static struct roughness some_roughness(struct world *w)
{
	struct dice *d = &w->dice;
	static const uint32_t sizes[] = {1, 3, 20, 300, 5000, 100000};
	struct roughness r;

	r.read_most = sizes[w->gentle ? 5 : dice_below(d, 6)];
	r.write_most = sizes[w->gentle ? 5 : dice_below(d, 6)];
	r.room = sizes[w->gentle ? 5 : 2 + dice_below(d, 4)];
	return r;
}

static struct conn *conn_new(struct world *w)
{
	struct conn *c = mem_new(struct conn);

	MUST_HOLD(w, c != NULL);
	str_init(&c->to_product, SIZE_MAX / 2);
	str_init(&c->to_peer, SIZE_MAX / 2);
	c->rough = some_roughness(w);
	list_add_tail(&w->conns, &c->node);
	return c;
}

static struct stream *stream_new(struct world *w, struct conn *c)
{
	struct stream *s = mem_new(struct stream);

	MUST_HOLD(w, s != NULL);
	list_init(&s->node);
	str_init(&s->held, HELD_MAX);
	str_init(&s->pending, SIZE_MAX / 2);
	failure_init(&s->failure);
	s->conn = c;
	c->stream = s;
	return s;
}

struct stream *conn_accept(struct world *w, struct conn **conn)
{
	struct conn *c = conn_new(w);
	struct stream *s = stream_new(w, c);

	c->connected = true;
	s->peer.family = 4;
	s->peer.port = (uint16_t)(10000 + w->next_port++ % 50000);
	s->peer.bytes[0] = 127;
	s->peer.bytes[3] = 1;
	*conn = c;
	return s;
}

struct stream *stream_adopt(int fd, const struct peer *peer)
{
	(void)fd;
	(void)peer;
	world_broken(sim_world(), "stream_adopt: there are no descriptors here");
}

struct stream *stream_connect(struct loop *l, const struct address *to, const struct socket_options *options,
                              stream_handler *handler, void *owner, struct failure *why)
{
	struct world *w = sim_loop_world(l);
	struct conn *c;
	struct stream *s;

	(void)options;
	if (w->faults && dice_chance(&w->dice, 10)) {
		failure_set(why, PHASE_CONNECT, DOMAIN_ERRNO, ENETUNREACH, NULL);
		return NULL;
	}
	c = conn_new(w);
	c->address = *to;
	s = stream_new(w, c);
	s->peer = peer_of_address(to);
	s->connecting = true;
	s->loop = l;
	s->handler = handler;
	s->owner = owner;
	list_add_tail(sim_loop_streams(l), &s->node);
	w->connecting(w->connecting_arg, c);
	return s;
}

bool stream_join(struct stream *s, struct loop *l, stream_handler *handler, void *owner)
{
	struct world *w = sim_loop_world(l);

	MUST_HOLD(w, s->loop == NULL);
	if (w->faults && dice_chance(&w->dice, 5))
		return false;
	s->loop = l;
	s->handler = handler;
	s->owner = owner;
	s->paused = false;
	s->broken_told = false;
	list_add_tail(sim_loop_streams(l), &s->node);
	return true;
}

void stream_leave(struct stream *s)
{
	list_remove(&s->node);
	s->loop = NULL;
}

void stream_set_owner(struct stream *s, stream_handler *handler, void *owner)
{
	s->handler = handler;
	s->owner = owner;
}

/* ---- writing ---- */

/* How much of `len` bytes the connection takes now. */
static size_t room_for(struct stream *s, size_t len)
{
	const struct conn *c = s->conn;
	size_t room = c->to_peer.len >= c->rough.room ? 0 : c->rough.room - c->to_peer.len;

	if (s->connecting)
		return 0;
	if (room > c->rough.write_most + len / 30)
		room = c->rough.write_most + len / 30;
	return len < room ? len : room;
}

static bool conn_is_dead(const struct conn *c)
{
	return c->reset || c->peer_left;
}

static void take_break(struct stream *s, enum failure_phase phase, int error)
{
	failure_set(&s->failure, phase, DOMAIN_ERRNO, error, NULL);
	s->broken = true;
	s->connecting = false;
	str_clear(&s->pending);
}

enum write_result stream_write(struct stream *s, const struct iovec *v, int n, struct failure *why)
{
	struct world *w = sim_world();
	size_t taken;

	if (s->broken) {
		failure_copy(why, &s->failure);
		return WRITE_FAILED;
	}
	if (conn_is_dead(s->conn) && s->pending.len == 0) {
		failure_set(why, PHASE_SESSION, DOMAIN_ERRNO, EPIPE, NULL);
		return WRITE_FAILED;
	}
	for (int i = 0; i < n; i++)
		str_add(&s->pending, v[i].iov_base, v[i].iov_len);
	MUST_HOLD(w, !s->pending.failed);
	if (s->pending.len == 0)
		return WRITE_DONE;
	taken = room_for(s, s->pending.len);
	str_add(&s->conn->to_peer, s->pending.data, taken);
	str_cut_front(&s->pending, taken);
	return s->pending.len == 0 ? WRITE_DONE : WRITE_PENDING;
}

void stream_close(struct stream *s)
{
	struct conn *c;

	if (s == NULL)
		return;
	c = s->conn;
	if (s->pending.len > 0 && !s->connecting && !s->broken && !conn_is_dead(c)) {
		size_t taken = room_for(s, s->pending.len);

		str_add(&c->to_peer, s->pending.data, taken);
	}
	list_remove(&s->node);
	c->stream = NULL;
	c->product_closed = true;
	if (c->peer_left)
		conn_leave(c);
	str_fini(&s->held);
	str_fini(&s->pending);
	failure_fini(&s->failure);
	mem_free(s);
}

/* ---- reading ---- */

enum read_result stream_read(struct stream *s, size_t max, struct span *out, struct failure *why)
{
	struct world *w = sim_world();
	struct conn *c = s->conn;
	size_t n = c->to_product.len, most = LOOP_BUFFER_BYTES - s->held.len;
	char *buf;

	if (s->loop == NULL || s->connecting || dice_chance(&w->dice, 20))
		return READ_LATER;
	if (n == 0 && c->reset) {
		failure_set(why, PHASE_SESSION, DOMAIN_ERRNO, ECONNRESET, NULL);
		return READ_FAILED;
	}
	if (n == 0)
		return c->peer_closed ? READ_END : READ_LATER;
	/* a long queue goes faster, or tiny reads would take for ever */
	if (n > c->rough.read_most) {
		uint32_t most_now = c->rough.read_most + (uint32_t)(n / 30);

		n = 1 + dice_below(&w->dice, most_now < n ? most_now : (uint32_t)n);
	}
	if (n > max)
		n = max;
	if (n > most)
		n = most;
	if (n == 0)
		return READ_LATER;
	buf = loop_buffer(s->loop);
	if (s->held.len > 0)
		memcpy(buf, s->held.data, s->held.len);
	memcpy(buf + s->held.len, c->to_product.data, n);
	*out = (struct span){buf, s->held.len + n};
	str_fini(&s->held);
	str_init(&s->held, HELD_MAX);
	str_cut_front(&c->to_product, n);
	return READ_GOT;
}

enum read_result stream_read_held(struct stream *s, struct span *out)
{
	if (s->loop == NULL || s->held.len == 0)
		return READ_LATER;
	*out = (struct span){loop_buffer(s->loop), s->held.len};
	memcpy(out->data, s->held.data, s->held.len);
	str_fini(&s->held);
	str_init(&s->held, HELD_MAX);
	return READ_GOT;
}

bool stream_hold(struct stream *s, const char *rest, size_t len)
{
	struct str kept;

	str_init(&kept, HELD_MAX);
	str_add(&kept, rest, len);
	if (kept.failed) {
		str_fini(&kept);
		return false;
	}
	str_fini(&s->held);
	s->held = kept;
	return true;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
}

void stream_resume(struct stream *s)
{
	s->paused = false;
}

bool stream_is_paused(const struct stream *s)
{
	return s->paused;
}

/* ---- events ---- */

static bool is_readable(const struct stream *s)
{
	return !s->paused && !s->connecting && !s->broken && (s->conn->to_product.len > 0 || s->conn->peer_closed);
}

static bool is_writable(const struct stream *s)
{
	return s->pending.len > 0 && !s->connecting && !s->broken &&
	       (conn_is_dead(s->conn) || s->conn->to_peer.len < s->conn->rough.room);
}

static bool is_decided(const struct stream *s)
{
	return s->connecting && (s->conn->connected || s->conn->refused || s->conn->reset || s->conn->peer_left);
}

bool sim_stream_is_ready(const struct stream *s)
{
	return (s->broken && !s->broken_told) || is_decided(s) || is_writable(s) || is_readable(s);
}

static void tell_broken(struct stream *s)
{
	s->broken_told = true;
	s->handler(s->owner, STREAM_BROKEN);
}

static void write_pending(struct stream *s)
{
	size_t taken;

	if (conn_is_dead(s->conn)) {
		take_break(s, PHASE_SESSION, EPIPE);
		tell_broken(s);
		return;
	}
	taken = room_for(s, s->pending.len);
	str_add(&s->conn->to_peer, s->pending.data, taken);
	str_cut_front(&s->pending, taken);
	if (s->pending.len == 0)
		s->handler(s->owner, STREAM_DRAINED);
}

bool sim_stream_deliver(struct stream *s)
{
	if (s->broken) {
		if (s->broken_told)
			return false;
		tell_broken(s);
		return true;
	}
	if (is_decided(s)) {
		s->connecting = false;
		if (s->conn->connected && !conn_is_dead(s->conn)) {
			s->handler(s->owner, STREAM_CONNECTED);
			return true;
		}
		take_break(s, PHASE_CONNECT, ECONNREFUSED);
		tell_broken(s);
		return true;
	}
	if (is_writable(s) && (!is_readable(s) || dice_chance(&sim_world()->dice, 500))) {
		write_pending(s);
		return true;
	}
	if (!is_readable(s))
		return false;
	s->handler(s->owner, STREAM_READABLE);
	return true;
}

struct stream *sim_stream_of(struct list *node)
{
	return container_of(node, struct stream, node);
}

uint64_t *sim_stream_seen(struct stream *s)
{
	return &s->seen;
}

/* ---- questions ---- */

/* A real loop asks for all streams at once: what came since then it has not seen. */
bool stream_has_news(const struct stream *s)
{
	return is_readable(s) && dice_chance(&sim_world()->dice, 500);
}

bool stream_peek(const struct stream *s)
{
	return s->conn->to_product.len > 0 || s->conn->peer_closed;
}

bool stream_silence(const struct stream *s, struct socket_silence *silence)
{
	(void)s;
	(void)silence;
	return false;
}

size_t stream_held_bytes(const struct stream *s)
{
	return s->held.len;
}

size_t stream_pending_bytes(const struct stream *s)
{
	return s->pending.len;
}

const struct failure *stream_failure(const struct stream *s)
{
	return s->broken ? &s->failure : NULL;
}

const struct peer *stream_peer(const struct stream *s)
{
	return &s->peer;
}

bool stream_local_address(const struct stream *s, struct address *a)
{
	(void)s;
	return address_from_text(a, "127.0.0.9", 40000);
}

bool stream_remote_address(const struct stream *s, struct address *a)
{
	*a = s->conn->address;
	return a->len > 0;
}

bool stream_is_secured(const struct stream *s)
{
	(void)s;
	return false;
}

const char *stream_tls_version(const struct stream *s)
{
	(void)s;
	return NULL;
}

const char *stream_tls_text(const struct stream *s, char buf[STREAM_TLS_TEXT_BYTES])
{
	(void)s;
	buf[0] = '\0';
	return buf;
}

/* ---- TLS: no context is ever made here ---- */

bool stream_start_tls(struct stream *s, struct shared *context, const char *host, struct failure *why)
{
	(void)s;
	(void)context;
	(void)host;
	failure_set(why, PHASE_TLS, DOMAIN_POOLER, FAILURE_NO_TLS, "no TLS configured");
	return false;
}

bool stream_start_direct_tls(struct stream *s, struct shared *context, const char *first, size_t len,
                             struct failure *why)
{
	(void)first;
	(void)len;
	return stream_start_tls(s, context, NULL, why);
}

bool stream_peer_name(const struct stream *s, char *name, size_t size)
{
	(void)s;
	(void)name;
	(void)size;
	return false;
}

size_t stream_binding(const struct stream *s, uint8_t bytes[STREAM_BINDING_BYTES])
{
	(void)s;
	(void)bytes;
	return 0;
}
