/* The inside of a stream, for stream.c and the transports (plain, TLS). */
#ifndef NET_STREAM_PRIVATE_H
#define NET_STREAM_PRIVATE_H

#include <event2/event_struct.h>

#include "net/loop_private.h"
#include "net/stream.h"

enum shake_result { SHAKE_DONE, SHAKE_WAITS, SHAKE_FAILED };

/*
 * A transport. All are non-blocking. On failure `why` is filled in.
 * A transport that keeps readable bytes inside calls loop_again with a task of its own after each read.
 */
struct stream_ops {
	/* READ_GOT: 1 ≤ *got ≤ size. */
	enum read_result (*read)(struct stream *s, char *buf, size_t size, size_t *got, struct failure *why);
	/* *done bytes were taken; WRITE_FAILED only if none of them has gone out; WRITE_PENDING if that is not all:
	   called again, with the same bytes first, when the socket is writable. WRITE_FAILED with DOMAIN_ERRNO: not one
	   was. */
	enum write_result (*write)(struct stream *s, const struct iovec *v, int n, size_t *done, struct failure *why);
	/* Before the socket is closed: says goodbye if it has words for that, frees what is in s->transport. */
	void (*close)(struct stream *s);
	/* Only while secured. */
	void (*text)(const struct stream *s, char *buf);
	const char *(*version)(const struct stream *s);
	/* The other side's common name; see stream_peer_name. */
	bool (*peer_name)(const struct stream *s, char *name, size_t size);
	size_t (*binding)(const struct stream *s, uint8_t *bytes);
	/* Bytes that have come are inside. */
	bool (*has_more)(const struct stream *s);
	/* One step of the handshake. */
	enum shake_result (*shake)(struct stream *s, struct failure *why);
	/* It may be read again, or has left its loop: a transport that keeps readable bytes inside announces them, or
	   stops to. */
	void (*attend)(struct stream *s);
};

/* Bytes kept for the next read. */
struct held {
	size_t len;
	char data[];
};

/* Exists only while connecting or while bytes are pending: an idle stream does not pay for it. */
struct outgoing {
	struct event event; /* writable */
	char *data;         /* pending: `len` bytes from data + from */
	size_t from, len, size;
};

/* Owned by one thread. */
struct stream {
	struct event event; /* readable */
	const struct stream_ops *ops;
	void *transport; /* the transport's own, NULL for plain */
	struct loop *loop;
	stream_handler *handler;
	void *owner;
	struct held *held;
	struct outgoing *out;
	const struct failure *broken; /* owned, except &broken_no_memory */
	struct loop_task task;        /* registrations to be changed before sleeping, or bad news to be told */
	int fd;
	struct peer peer;
	bool connecting;
	bool securing;         /* a handshake is under way */
	bool secured;          /* it has succeeded */
	bool read_needs_write; /* the transport can read, or shake hands, only when the socket is writable */
	bool write_needs_read; /* it can write only when the socket is readable */
	bool paused;
	bool read_armed, write_armed; /* what is registered; what should be is computed */
};

/* ---- stream.c, for transports ---- */

bool stream_wants_read(const struct stream *s);
/* To be called whenever what the stream waits for may have changed. False: out of memory. */
bool stream_changed(struct stream *s);
void stream_tell(struct stream *s, enum stream_event event);
/* Another step of the handshake, with its end told. */
void stream_shake(struct stream *s);
/* EAGAIN and its kin. */
bool stream_means_later(int err);

#endif
