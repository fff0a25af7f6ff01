/* Listening sockets: accept in batches, pause when the system has no room. Thread: its loop's. */
#include "net/listener.h"

#include <errno.h>
#include <event2/event_struct.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop_private.h"
#include "net/stream.h"
#include "os/lock.h"

/* Per turn: a storm of logins must not keep main from its other work. */
#define ACCEPT_BATCH 64
#define PAUSE_US (100 * US_PER_MS)

struct listener {
	struct event event;
	struct loop *loop;
	struct timer *retry;
	struct address address;
	struct lock lock;              /* main sets options while another thread accepts */
	struct socket_options options; /* of connections, once set; guarded by: lock */
	bool has_options;              /* guarded by: lock */
	uint64_t file_id;              /* of a Unix socket's file */
	int fd;                        /* -1: none yet */
	bool is_full;                  /* told, and not over yet */
	bool accepting;                /* in listener_accept_batch: whoever frees us meanwhile only marks us */
	bool freed;
	void (*accepted)(void *owner, struct stream *s);
	void (*full)(void *owner, int error);
	void *owner;
};

enum accept_result { ACCEPT_GOT, ACCEPT_NONE, ACCEPT_LOST, ACCEPT_FULL };

static void destroy(struct listener *l)
{
	lock_fini(&l->lock);
	mem_free(l);
}

static void hand_on_options(struct listener *l, int fd)
{
	struct socket_options options;
	bool any;

	lock_take(&l->lock);
	options = l->options;
	any = l->has_options;
	lock_drop(&l->lock);
	if (any)
		socket_hand_on_options(fd, &options);
}

/* One connection. FULL with errno set. */
static enum accept_result accept_one(struct listener *l, struct stream **s)
{
	struct peer peer;
	int fd = socket_accept(l->fd, &peer);

	if (fd >= 0) {
		hand_on_options(l, fd);
		*s = stream_adopt(fd, &peer);
		errno = ENOMEM;
		return *s == NULL ? ACCEPT_FULL : ACCEPT_GOT;
	}
	switch (errno) {
	case EAGAIN:
#if EWOULDBLOCK != EAGAIN
	case EWOULDBLOCK:
#endif
		return ACCEPT_NONE;
	/* this one connection died before we got it, or a firewall forbids it */
	case EINTR:
	case ECONNABORTED:
	case EPROTO:
	case EPERM:
	case ENETDOWN:
	case ENETUNREACH:
	case EHOSTUNREACH:
	case ENOPROTOOPT:
	case EOPNOTSUPP:
#ifdef EHOSTDOWN
	case EHOSTDOWN:
#endif
#ifdef ENONET
	case ENONET:
#endif
		return ACCEPT_LOST;
	default:
		return ACCEPT_FULL;
	}
}

static void listener_pause(struct listener *l, int error)
{
	bool told = l->is_full;

	event_del(&l->event);
	timer_set(l->retry, loop_now_us(l->loop) + PAUSE_US);
	l->is_full = true;
	if (!told)
		l->full(l->owner, error);
}

/* Nobody is left outside: one place that came free and was taken at once is no end of it. */
static void listener_relieved(struct listener *l)
{
	if (!l->is_full)
		return;
	l->is_full = false;
	l->full(l->owner, 0);
}

/* One connection; true if there may be more. */
static bool listener_accept_next(struct listener *l)
{
	struct stream *s = NULL;
	enum accept_result result = accept_one(l, &s);

	switch (result) {
	case ACCEPT_FULL:
		listener_pause(l, errno);
		return false;
	case ACCEPT_NONE:
		listener_relieved(l);
		return false;
	case ACCEPT_GOT:
		l->accepted(l->owner, s);
		break;
	case ACCEPT_LOST:
		break;
	}
	return !l->freed;
}

static void listener_accept_batch(struct listener *l)
{
	int n = 0;

	l->accepting = true;
	while (n < ACCEPT_BATCH && listener_accept_next(l))
		n++;
	l->accepting = false;
	if (l->freed)
		destroy(l);
}

static void listener_ready(evutil_socket_t fd, short what, void *arg)
{
	struct listener *l = (struct listener *)arg;

	(void)fd;
	(void)what;
	loop_woke(l->loop);
	listener_accept_batch(l);
}

static void listener_try_again(void *owner)
{
	struct listener *l = (struct listener *)owner;

	if (event_add(&l->event, NULL) != 0)
		timer_set(l->retry, loop_now_us(l->loop) + PAUSE_US);
	else
		listener_accept_batch(l);
}

/* False with errno set. */
static bool listener_open(struct listener *l, int backlog, int unix_mode, bool reuseport)
{
	l->fd = socket_listen(&l->address, backlog, unix_mode, reuseport);
	if (l->fd < 0)
		return false;
	l->file_id = socket_file_id(&l->address);
	return address_port(&l->address) != 0 || address_is_unix(&l->address) ||
	       socket_local_address(l->fd, &l->address);
}

/* False with errno set. */
static bool listener_start(struct listener *l)
{
	errno = ENOMEM;
	l->retry = timer_new(l->loop, listener_try_again, l);
	return l->retry != NULL &&
	       event_assign(&l->event, loop_base(l->loop), l->fd, EV_READ | EV_PERSIST, listener_ready, l) == 0 &&
	       event_add(&l->event, NULL) == 0;
}

static struct listener *listener_make(struct loop *l, void (*accepted)(void *owner, struct stream *s),
                                      void (*full)(void *owner, int error), void *owner, struct failure *why)
{
	struct listener *listener = mem_new(struct listener);

	if (listener == NULL) {
		failure_set(why, PHASE_NONE, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		return NULL;
	}
	lock_init(&listener->lock);
	listener->loop = l;
	listener->fd = -1;
	listener->accepted = accepted;
	listener->full = full;
	listener->owner = owner;
	return listener;
}

struct listener *listener_new(struct loop *l, const struct address *a, int backlog, int unix_mode, bool reuseport,
                              void (*accepted)(void *owner, struct stream *s), void (*full)(void *owner, int error),
                              void *owner, struct failure *why)
{
	struct listener *listener = listener_make(l, accepted, full, owner, why);

	if (listener == NULL)
		return NULL;
	listener->address = *a;
	if (!listener_open(listener, backlog, unix_mode, reuseport) || !listener_start(listener)) {
		failure_set(why, PHASE_NONE, DOMAIN_ERRNO, errno, NULL);
		listener_free(listener);
		return NULL;
	}
	return listener;
}

struct listener *listener_adopt(struct loop *l, int fd, void (*accepted)(void *owner, struct stream *s),
                                void (*full)(void *owner, int error), void *owner, struct failure *why)
{
	struct listener *listener = listener_make(l, accepted, full, owner, why);

	if (listener == NULL)
		return NULL;
	listener->fd = socket_adopt_listening(fd, &listener->address);
	if (listener->fd < 0 || !listener_start(listener)) {
		failure_set(why, PHASE_NONE, DOMAIN_ERRNO, errno, NULL);
		listener->fd = -1;
		listener_free(listener);
		return NULL;
	}
	return listener;
}

void listener_free(struct listener *l)
{
	if (l == NULL)
		return;
	if (event_initialized(&l->event))
		event_del(&l->event);
	timer_free(l->retry);
	/* first the name: nobody shall find a socket that nobody listens on */
	socket_remove_file(&l->address, l->file_id);
	socket_close(l->fd);
	l->freed = true;
	if (!l->accepting)
		destroy(l);
}

void listener_take_rest(struct listener *l)
{
	l->accepting = true;
	while (listener_accept_next(l))
		;
	l->accepting = false;
	if (l->freed)
		destroy(l);
}

bool listener_turn_away(struct listener *l)
{
	return socket_turn_away(l->fd);
}

bool listener_set_options(struct listener *l, const struct socket_options *options)
{
	if (address_is_unix(&l->address))
		return true;
	lock_take(&l->lock);
	l->options = *options;
	l->has_options = true;
	lock_drop(&l->lock);
	return socket_set_options(l->fd, options);
}

bool listener_set_defer_accept(struct listener *l, int seconds)
{
	return address_is_unix(&l->address) || socket_set_defer_accept(l->fd, seconds);
}

void listener_remove_file(const struct listener *l)
{
	socket_remove_file(&l->address, l->file_id);
}

const struct address *listener_address(const struct listener *l)
{
	return &l->address;
}
