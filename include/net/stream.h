/*
 * A stream of bytes to a client or a server: TCP, Unix socket, TLS or simulated.
 *
 * Rules (they make idle connections free and busy ones cheap):
 * - Bytes are read into the loop's one buffer. Before control goes back to the loop each byte
 *   has been written elsewhere, consumed, or given back with stream_hold; `held` comes first in the next read.
 * - One read per STREAM_READABLE. Interest in reading is dropped lazily: only stream_pause by the owner.
 * - What the other side does not take becomes `pending`, in order; nothing overtakes it. While there is any,
 *   the owner does not write more than its own short messages; it gets STREAM_DRAINED when it is gone.
 * - A callback may close its stream; nothing touches a stream after stream_close.
 *
 * `why` may be NULL everywhere, where nobody wants to know.
 *
 * TLS is another transport under the same rules: bytes that have come but were not read are announced again
 * (STREAM_READABLE) as those in the socket are.
 *
 * A stream is on one loop, or on none while it travels between threads. Owned by one thread.
 */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "os/socket.h"

struct loop;
struct shared;
struct stream;

enum stream_event {
	STREAM_CONNECTED, /* the connect that stream_connect began has succeeded */
	STREAM_READABLE,  /* call stream_read once */
	STREAM_DRAINED,   /* pending has become empty */
	STREAM_BROKEN,    /* connect, handshake or a delayed write failed; stream_failure has why */
	STREAM_SECURED    /* the handshake that stream_start_tls began has succeeded */
};

typedef void stream_handler(void *owner, enum stream_event event);

enum read_result { READ_GOT, READ_LATER, READ_END, READ_FAILED };
enum write_result { WRITE_DONE, WRITE_PENDING, WRITE_FAILED };

struct span {
	char *data;
	size_t len;
};

/* A stream for an accepted socket, on no loop yet. NULL (the descriptor is closed) when out of memory. */
struct stream *stream_adopt(int fd, const struct peer *peer) MUST_USE;

/* Begins to connect; STREAM_CONNECTED or STREAM_BROKEN follows, never from inside this call. NULL with `why` filled in
   (phase PHASE_CONNECT) when that failed at once. */
struct stream *stream_connect(struct loop *l, const struct address *to, const struct socket_options *options,
                              stream_handler *handler, void *owner, struct failure *why) MUST_USE;

/* Puts the stream on a loop, reading; false when out of memory or descriptors. Leaving keeps held and pending bytes. */
bool stream_join(struct stream *s, struct loop *l, stream_handler *handler, void *owner) MUST_USE;
void stream_leave(struct stream *s);
/* From now on somebody else on the same loop is told of events. */
void stream_set_owner(struct stream *s, stream_handler *handler, void *owner);

/* Pending bytes are offered once more, then the socket is closed and the stream freed. NULL is fine. */
void stream_close(struct stream *s);

/*
 * From now on the stream speaks TLS: what comes next from the other side must be its part of a handshake.
 * STREAM_SECURED or STREAM_BROKEN follows, never from inside this call; until then nothing is read, and what is written
 * becomes pending. `context` is of net/tls_context.h and says which side we are; it is referenced. `host` is the name
 * that a server's certificate must have if the context asks for that; NULL for clients.
 * False with `why` filled in (phase PHASE_TLS): out of memory, or bytes came or are pending that were not encrypted.
 */
bool stream_start_tls(struct stream *s, struct shared *context, const char *host, struct failure *why) MUST_USE;

/* The same for a client that began with a handshake at once: `first` is what was read of it. It must name the protocol
   "postgresql" (ALPN). */
bool stream_start_direct_tls(struct stream *s, struct shared *context, const char *first, size_t len,
                             struct failure *why) MUST_USE;

/* Held bytes followed by what one read of at most `max` bytes brings. The span is in the loop's buffer and may be
   changed in place. READ_LATER: nothing came (held bytes stay held). READ_END: closed by the other side; held bytes are
   lost. */
enum read_result stream_read(struct stream *s, size_t max, struct span *out, struct failure *why) MUST_USE;

/* Held bytes only, moved to the loop's buffer; READ_LATER when there are none. */
enum read_result stream_read_held(struct stream *s, struct span *out) MUST_USE;

/* Keeps bytes for the next read. At most LOOP_BUFFER_BYTES. False when out of memory. `rest` may be in the loop's
 * buffer. */
bool stream_hold(struct stream *s, const char *rest, size_t len) MUST_USE;

/* Stops and resumes reading (readiness events). A stream that joins a loop is reading. */
void stream_pause(struct stream *s);
void stream_resume(struct stream *s);
bool stream_is_paused(const struct stream *s);

/* Writes all spans, in one system call if it takes them, keeping the rest as pending. WRITE_PENDING: some or all is
   pending. WRITE_FAILED: the stream is useless, `why` filled in (phase PHASE_SESSION); if the system said so
   (DOMAIN_ERRNO) not one byte of these spans has gone out. */
enum write_result stream_write(struct stream *s, const struct iovec *v, int n, struct failure *why) MUST_USE;

/* The loop has found it readable in this turn, and its owner has not been told yet. Costs nothing. */
bool stream_has_news(const struct stream *s);
/* Asks the system whether there is anything to read, for streams that were on no loop for a while. */
bool stream_peek(const struct stream *s);
/* socket_silence of its socket. */
bool stream_silence(const struct stream *s, struct socket_silence *silence) MUST_USE;

size_t stream_held_bytes(const struct stream *s);
size_t stream_pending_bytes(const struct stream *s);

/* After STREAM_BROKEN; NULL before. From then on nothing is waited for or sent, but stream_read may still bring what
   the other side said before: its reason, perhaps. */
const struct failure *stream_failure(const struct stream *s);

const struct peer *stream_peer(const struct stream *s);
/* Both ends' addresses, asked of the system now; false if it does not know them any more. */
bool stream_local_address(const struct stream *s, struct address *a);
bool stream_remote_address(const struct stream *s, struct address *a);
/* A handshake has succeeded. */
bool stream_is_secured(const struct stream *s);
/* "TLSv1.3/cipher/ECDH=group", put into `buf`, or "" while it is not secured. */
#define STREAM_TLS_TEXT_BYTES 128
const char *stream_tls_text(const struct stream *s, char buf[STREAM_TLS_TEXT_BYTES]);
/* "TLSv1.3", constant; NULL while it is not secured. */
const char *stream_tls_version(const struct stream *s);
/* The common name in the other side's verified certificate; false: it has shown none, or it does not fit. */
bool stream_peer_name(const struct stream *s, char *name, size_t size);
/* The bytes that bind an authentication to this connection: tls-server-end-point of RFC 5929, a hash of the server's
   certificate. Returns their number, 0: there are none. */
#define STREAM_BINDING_BYTES 64
size_t stream_binding(const struct stream *s, uint8_t bytes[STREAM_BINDING_BYTES]);

#endif
