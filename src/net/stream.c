/*
 * Streams: reading into the loop's buffer, writing with an ordered rest, and
 * the plain transport. Each stream is owned by one thread.
 *
 *	stream_readable ← libevent      → STREAM_READABLE → owner calls stream_read
 *	stream_writable ← libevent      → connect result, or pending bytes → STREAM_CONNECTED, _DRAINED, _BROKEN
 *	what it waits for has changed   → stream_changed → (end of turn) stream_register
 *
 * Registrations wait for the end of the turn: what a turn does and undoes costs no system call.
 */
#include "net/stream.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "net/stream_private.h"

/* For a stream that broke when there was no memory to say why. */
static const struct failure broken_no_memory = {
    .phase = PHASE_SESSION, .domain = DOMAIN_POOLER, .code = FAILURE_NO_MEMORY};

static void stream_register_task(struct loop_task *task);

/* ---- plain transport ---- */

bool stream_means_later(int err)
{
	return err == EAGAIN || err == EWOULDBLOCK || err == EINTR;
}

static enum read_result plain_read(struct stream *s, char *buf, size_t size, size_t *got, struct failure *why)
{
	ssize_t n = socket_read(s->fd, buf, size);

	if (n > 0) {
		*got = (size_t)n;
		return READ_GOT;
	}
	if (n == 0)
		return READ_END;
	if (stream_means_later(errno))
		return READ_LATER;
	failure_set(why, PHASE_SESSION, DOMAIN_ERRNO, errno, NULL);
	return READ_FAILED;
}

static size_t total_of(const struct iovec *v, int n)
{
	size_t total = 0;

	for (int i = 0; i < n; i++)
		total += v[i].iov_len;
	return total;
}

static enum write_result plain_write(struct stream *s, const struct iovec *v, int n, size_t *done, struct failure *why)
{
	ssize_t put = socket_write(s->fd, v, n);

	if (put < 0 && !stream_means_later(errno)) {
		failure_set(why, PHASE_SESSION, DOMAIN_ERRNO, errno, NULL);
		return WRITE_FAILED;
	}
	*done = put < 0 ? 0 : (size_t)put;
	return *done == total_of(v, n) ? WRITE_DONE : WRITE_PENDING;
}

static void plain_close(struct stream *s)
{
	(void)s;
}

static const struct stream_ops plain_ops = {.read = plain_read, .write = plain_write, .close = plain_close};

/* ---- registration ---- */

bool stream_wants_read(const struct stream *s)
{
	return s->loop != NULL && s->broken == NULL && !s->connecting && !s->securing && !s->paused;
}

static bool stream_waits_for_bytes(const struct stream *s)
{
	if (s->loop == NULL || s->broken != NULL || s->connecting)
		return false;
	return s->write_needs_read || ((s->securing || !s->paused) && !s->read_needs_write);
}

static bool stream_wants_write(const struct stream *s)
{
	if (s->loop == NULL || s->broken != NULL)
		return false;
	if (s->connecting || s->read_needs_write)
		return true;
	return !s->securing && !s->write_needs_read && stream_pending_bytes(s) > 0;
}

static void stream_readable(evutil_socket_t fd, short what, void *arg);
static void stream_writable(evutil_socket_t fd, short what, void *arg);

static bool stream_arm(struct stream *s, struct event *event, short what, event_callback_fn call)
{
	if (event_assign(event, loop_base(s->loop), s->fd, (short)(what | EV_PERSIST), call, s) != 0)
		return false;
	return event_add(event, NULL) == 0;
}

/* Room for pending bytes is given back as soon as it is neither filled nor registered. */
static void stream_drop_outgoing(struct stream *s)
{
	if (s->out == NULL || s->write_armed || s->connecting || s->read_needs_write || s->out->len > 0)
		return;
	mem_free(s->out->data);
	mem_free(s->out);
	s->out = NULL;
}

/* Makes the registrations what they should be. Adding comes first: then the kernel sees a change, not a removal and a
   new registration. False with errno or out of memory. */
static bool stream_register(struct stream *s)
{
	if (stream_waits_for_bytes(s) && !s->read_armed)
		s->read_armed = stream_arm(s, &s->event, EV_READ, stream_readable);
	if (stream_wants_write(s) && !s->write_armed)
		s->write_armed = stream_arm(s, &s->out->event, EV_WRITE, stream_writable);
	if (!stream_waits_for_bytes(s) && s->read_armed) {
		event_del(&s->event);
		s->read_armed = false;
	}
	if (!stream_wants_write(s) && s->write_armed) {
		event_del(&s->out->event);
		s->write_armed = false;
	}
	stream_drop_outgoing(s);
	return s->read_armed == stream_waits_for_bytes(s) && s->write_armed == stream_wants_write(s);
}

static void stream_attend(struct stream *s)
{
	if (s->ops->attend != NULL)
		s->ops->attend(s);
}

static void stream_deregister(struct stream *s)
{
	loop_task_cancel(&s->task);
	if (s->read_armed)
		event_del(&s->event);
	if (s->write_armed)
		event_del(&s->out->event);
	s->read_armed = s->write_armed = false;
}

static struct outgoing *stream_outgoing(struct stream *s)
{
	if (s->out == NULL)
		s->out = mem_new(struct outgoing);
	return s->out;
}

bool stream_changed(struct stream *s)
{
	if (s->loop == NULL || s->broken != NULL)
		return true;
	if (s->read_needs_write && stream_outgoing(s) == NULL)
		return false;
	if (s->read_armed == stream_waits_for_bytes(s) && s->write_armed == stream_wants_write(s)) {
		loop_task_cancel(&s->task);
		stream_drop_outgoing(s);
	} else {
		loop_before_sleep(s->loop, &s->task);
	}
	return true;
}

void stream_tell(struct stream *s, enum stream_event event)
{
	s->handler(s->owner, event);
}

static void stream_tell_broken(struct loop_task *task)
{
	stream_tell(container_of(task, struct stream, task), STREAM_BROKEN);
}

/* Nothing is sent any more and nothing waited for; what came before can still be read. */
static void stream_break(struct stream *s, const struct failure *why)
{
	struct failure *copy = mem_new(struct failure);

	if (copy != NULL)
		failure_copy(copy, why);
	s->broken = copy != NULL ? copy : &broken_no_memory;
	s->connecting = s->securing = s->read_needs_write = s->write_needs_read = false;
	stream_deregister(s);
	if (s->out != NULL)
		s->out->len = 0;
	stream_drop_outgoing(s);
}

static void stream_register_task(struct loop_task *task)
{
	struct stream *s = container_of(task, struct stream, task);
	struct failure why;

	errno = ENOMEM; /* in case the library runs out before the kernel is asked */
	if (stream_register(s))
		return;
	failure_init(&why);
	failure_set(&why, PHASE_SESSION, DOMAIN_ERRNO, errno, NULL);
	stream_break(s, &why);
	/* the owner hears of it in the next turn, when it is its turn again */
	task->run = stream_tell_broken;
	loop_again(s->loop, task);
}

/* ---- life ---- */

static struct stream *stream_new(int fd, const struct peer *peer)
{
	struct stream *s = mem_new(struct stream);

	if (s == NULL)
		return NULL;
	s->fd = fd;
	s->ops = &plain_ops;
	s->peer = *peer;
	loop_task_init(&s->task, stream_register_task);
	return s;
}

static void stream_free(struct stream *s)
{
	s->ops->close(s);
	if (s->out != NULL)
		mem_free(s->out->data);
	mem_free(s->out);
	mem_free(s->held);
	if (s->broken != NULL && s->broken != &broken_no_memory) {
		struct failure *broken;

		memcpy(&broken, &s->broken, sizeof(broken));
		failure_fini(broken);
		mem_free(broken);
	}
	socket_close(s->fd);
	mem_free(s);
}

struct stream *stream_adopt(int fd, const struct peer *peer)
{
	struct stream *s = stream_new(fd, peer);

	if (s == NULL)
		socket_close(fd);
	return s;
}

struct stream *stream_connect(struct loop *l, const struct address *to, const struct socket_options *options,
                              stream_handler *handler, void *owner, struct failure *why)
{
	struct peer peer = peer_of_address(to);
	bool connected = false;
	struct stream *s;
	int fd = socket_connect(to, options, &connected);

	if (fd < 0) {
		failure_set(why, PHASE_CONNECT, DOMAIN_ERRNO, errno, NULL);
		return NULL;
	}
	s = stream_adopt(fd, &peer);
	if (s == NULL) {
		failure_set(why, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		return NULL;
	}
	/* one that is connected already is writable at once: it is told the same way */
	s->connecting = true;
	s->loop = l;
	s->handler = handler;
	s->owner = owner;
	errno = ENOMEM;
	if (stream_outgoing(s) == NULL || !stream_register(s)) {
		failure_set(why, PHASE_CONNECT, DOMAIN_ERRNO, errno, NULL);
		stream_deregister(s);
		stream_free(s);
		return NULL;
	}
	return s;
}

bool stream_join(struct stream *s, struct loop *l, stream_handler *handler, void *owner)
{
	s->loop = l;
	s->handler = handler;
	s->owner = owner;
	s->paused = false;
	if (!stream_register(s)) {
		stream_leave(s);
		return false;
	}
	if (s->broken != NULL) {
		s->task.run = stream_tell_broken;
		loop_again(l, &s->task);
	}
	stream_attend(s);
	return true;
}

void stream_leave(struct stream *s)
{
	if (s->loop == NULL)
		return;
	stream_deregister(s);
	stream_drop_outgoing(s);
	s->loop = NULL;
	stream_attend(s);
}

void stream_set_owner(struct stream *s, stream_handler *handler, void *owner)
{
	s->handler = handler;
	s->owner = owner;
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	stream_deregister(s);
	if (stream_pending_bytes(s) > 0 && !s->connecting && !s->securing && s->broken == NULL) {
		struct iovec v = {s->out->data + s->out->from, s->out->len};
		struct failure why;
		size_t done;

		failure_init(&why);
		(void)s->ops->write(s, &v, 1, &done, &why);
		failure_fini(&why);
	}
	stream_free(s);
}

/* ---- reading ---- */

static void stream_write_pending(struct stream *s);

static void stream_readable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = (struct stream *)arg;

	(void)fd;
	(void)what;
	loop_woke(s->loop);
	if (s->securing)
		stream_shake(s);
	else if (s->write_needs_read)
		stream_write_pending(s);
	else if (stream_wants_read(s)) /* else it was paused earlier in this turn */
		stream_tell(s, STREAM_READABLE);
}

static void stream_drop_held(struct stream *s)
{
	mem_free(s->held);
	s->held = NULL;
}

enum read_result stream_read(struct stream *s, size_t max, struct span *out, struct failure *why)
{
	size_t held = stream_held_bytes(s);
	enum read_result result;
	size_t got = 0;
	char *buf;

	/* asking for no bytes at all would look like the end */
	if (s->loop == NULL || s->connecting || s->securing || max == 0)
		return READ_LATER;
	buf = loop_buffer(s->loop);
	if (held == LOOP_BUFFER_BYTES)
		return stream_read_held(s, out);
	if (max > LOOP_BUFFER_BYTES - held)
		max = LOOP_BUFFER_BYTES - held;
	result = s->ops->read(s, buf + held, max, &got, why);
	if (result != READ_GOT)
		return result;
	if (held > 0) {
		memcpy(buf, s->held->data, held);
		stream_drop_held(s);
	}
	out->data = buf;
	out->len = held + got;
	return READ_GOT;
}

enum read_result stream_read_held(struct stream *s, struct span *out)
{
	if (s->loop == NULL || s->held == NULL)
		return READ_LATER;
	out->data = loop_buffer(s->loop);
	out->len = s->held->len;
	memcpy(out->data, s->held->data, s->held->len);
	stream_drop_held(s);
	return READ_GOT;
}

bool stream_hold(struct stream *s, const char *rest, size_t len)
{
	struct held *held = NULL;

	if (len > LOOP_BUFFER_BYTES)
		return false;
	if (len > 0) {
		held = (struct held *)mem_alloc(sizeof(*held) + len);
		if (held == NULL)
			return false;
		held->len = len;
		memcpy(held->data, rest, len);
	}
	stream_drop_held(s);
	s->held = held;
	return true;
}

void stream_pause(struct stream *s)
{
	s->paused = true;
	(void)stream_changed(s);
}

void stream_resume(struct stream *s)
{
	if (!s->paused)
		return;
	s->paused = false;
	(void)stream_changed(s);
	stream_attend(s);
}

bool stream_is_paused(const struct stream *s)
{
	return s->paused;
}

/* ---- writing ---- */

/* Room for `more` pending bytes behind those that are there. */
static bool outgoing_make_room(struct outgoing *out, size_t more)
{
	size_t need = out->len + more;
	size_t size;
	char *data;

	if (need < more)
		return false;
	if (out->from > 0 && out->from + need > out->size) {
		memmove(out->data, out->data + out->from, out->len);
		out->from = 0;
	}
	if (need <= out->size - out->from)
		return true;
	/* exact at first, for most rests are written whole the next time */
	size = need > out->size * 2 ? need : out->size * 2;
	data = (char *)mem_resize(out->data, size);
	if (data == NULL)
		return false;
	out->data = data;
	out->size = size;
	return true;
}

/* Keeps what follows the first `skip` bytes of the spans. */
static bool stream_keep(struct stream *s, const struct iovec *v, int n, size_t skip)
{
	struct outgoing *out = stream_outgoing(s);

	if (out == NULL || !outgoing_make_room(out, total_of(v, n) - skip))
		return false;
	for (int i = 0; i < n; i++) {
		const char *bytes = (const char *)v[i].iov_base;
		size_t len = v[i].iov_len;

		if (skip >= len) {
			skip -= len;
			continue;
		}
		memcpy(out->data + out->from + out->len, bytes + skip, len - skip);
		out->len += len - skip;
		skip = 0;
	}
	return true;
}

enum write_result stream_write(struct stream *s, const struct iovec *v, int n, struct failure *why)
{
	size_t total = total_of(v, n);
	size_t done = 0;

	if (s->broken != NULL) {
		failure_copy(why, s->broken);
		return WRITE_FAILED;
	}
	if (total == 0)
		return stream_pending_bytes(s) > 0 ? WRITE_PENDING : WRITE_DONE;
	if (!s->connecting && !s->securing && stream_pending_bytes(s) == 0) {
		enum write_result result = s->ops->write(s, v, n, &done, why);

		if (result != WRITE_PENDING)
			return result;
	}
	if (!stream_keep(s, v, n, done)) {
		failure_set(why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		return WRITE_FAILED;
	}
	(void)stream_changed(s);
	return WRITE_PENDING;
}

/* The answer to a connect has come. */
static void stream_finish_connect(struct stream *s)
{
	int err = socket_connect_result(s->fd);
	struct failure why;

	if (err != 0) {
		failure_init(&why);
		failure_set(&why, PHASE_CONNECT, DOMAIN_ERRNO, err, NULL);
		stream_break(s, &why);
		stream_tell(s, STREAM_BROKEN);
		return;
	}
	s->connecting = false;
	(void)stream_changed(s);
	stream_tell(s, STREAM_CONNECTED);
}

static void stream_write_pending(struct stream *s)
{
	struct outgoing *out = s->out;
	struct iovec v = {out->data + out->from, out->len};
	struct failure why;
	size_t done = 0;

	failure_init(&why);
	s->write_needs_read = false;
	if (s->ops->write(s, &v, 1, &done, &why) == WRITE_FAILED) {
		stream_break(s, &why);
		failure_fini(&why);
		stream_tell(s, STREAM_BROKEN);
		return;
	}
	out->from += done;
	out->len -= done;
	if (out->len > 0) {
		(void)stream_changed(s);
		return;
	}
	mem_free(out->data);
	out->data = NULL;
	out->from = out->size = 0;
	(void)stream_changed(s);
	stream_tell(s, STREAM_DRAINED);
}

/* Room to write is what a read had waited for. */
static void stream_read_on(struct stream *s)
{
	s->read_needs_write = false;
	(void)stream_changed(s);
	if (stream_wants_read(s))
		stream_tell(s, STREAM_READABLE);
}

void stream_shake(struct stream *s)
{
	enum shake_result result;
	struct failure why;

	failure_init(&why);
	result = s->ops->shake(s, &why);
	if (result == SHAKE_WAITS && !stream_changed(s)) {
		failure_set(&why, PHASE_TLS, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		result = SHAKE_FAILED;
	}
	if (result == SHAKE_FAILED)
		stream_break(s, &why);
	failure_fini(&why);
	if (result == SHAKE_WAITS)
		return;
	s->securing = false;
	s->secured = result == SHAKE_DONE;
	(void)stream_changed(s);
	if (result == SHAKE_DONE)
		stream_attend(s);
	stream_tell(s, result == SHAKE_DONE ? STREAM_SECURED : STREAM_BROKEN);
}

static void stream_writable(evutil_socket_t fd, short what, void *arg)
{
	struct stream *s = (struct stream *)arg;

	(void)fd;
	(void)what;
	loop_woke(s->loop);
	if (s->connecting)
		stream_finish_connect(s);
	else if (s->securing)
		stream_shake(s);
	else if (s->read_needs_write)
		stream_read_on(s);
	else if (stream_pending_bytes(s) > 0)
		stream_write_pending(s);
}

/* ---- questions ---- */

static bool stream_has_more(const struct stream *s)
{
	return s->ops->has_more != NULL && s->ops->has_more(s);
}

bool stream_has_news(const struct stream *s)
{
	return (s->event.ev_evcallback.evcb_flags & EVLIST_ACTIVE) != 0 || stream_has_more(s);
}

bool stream_peek(const struct stream *s)
{
	return stream_has_more(s) || socket_has_news(s->fd);
}

bool stream_silence(const struct stream *s, struct socket_silence *silence)
{
	return socket_silence(s->fd, silence);
}

size_t stream_held_bytes(const struct stream *s)
{
	return s->held == NULL ? 0 : s->held->len;
}

size_t stream_pending_bytes(const struct stream *s)
{
	return s->out == NULL ? 0 : s->out->len;
}

const struct failure *stream_failure(const struct stream *s)
{
	return s->broken;
}

const struct peer *stream_peer(const struct stream *s)
{
	return &s->peer;
}

bool stream_local_address(const struct stream *s, struct address *a)
{
	return socket_local_address(s->fd, a);
}

bool stream_remote_address(const struct stream *s, struct address *a)
{
	return socket_peer_address(s->fd, a);
}

bool stream_is_secured(const struct stream *s)
{
	return s->secured;
}

const char *stream_tls_text(const struct stream *s, char buf[STREAM_TLS_TEXT_BYTES])
{
	buf[0] = '\0';
	if (s->secured)
		s->ops->text(s, buf);
	return buf;
}

const char *stream_tls_version(const struct stream *s)
{
	return s->secured ? s->ops->version(s) : NULL;
}

bool stream_peer_name(const struct stream *s, char *name, size_t size)
{
	return s->ops->peer_name != NULL && s->ops->peer_name(s, name, size);
}

size_t stream_binding(const struct stream *s, uint8_t bytes[STREAM_BINDING_BYTES])
{
	return s->ops->binding == NULL ? 0 : s->ops->binding(s, bytes);
}
