/*
 * Connecting to the targets of a permit side by side (RFC 8305): the next one is
 * begun when the one before has failed or has been silent for a moment; the first
 * that is connected is kept, the others are closed before a byte was sent, so a
 * permit is never more than one session. Owned by one thread: the server's worker.
 */
#ifndef WORKER_DIAL_H
#define WORKER_DIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/clock.h"
#include "os/socket.h"
#include "pool/permit.h"

struct loop;
struct stream;

#define DIAL_DELAY_US (250 * US_PER_MS) /* so long one target may be silent before the next is begun */

enum dial_event {
	DIAL_CONNECTED, /* dial_take has the connection */
	DIAL_GOES_ON,   /* dial_deadline_us may have changed */
	DIAL_EXHAUSTED  /* every target has failed; the permit has the reasons */
};

/* Told at the end of what dial_on, dial_tick or the loop have begun; the dial may be freed meanwhile. */
typedef void dial_handler(void *owner, enum dial_event event);

enum dial_call_state { CALL_NOT_YET, CALL_UNDER_WAY, CALL_OVER };

/* One target. */
struct dial_call {
	struct dial *dial;
	struct stream *stream; /* while it is under way */
	uint64_t began_us;
	enum dial_call_state state;
};

struct dial {
	struct loop *loop;
	struct permit *permit;
	struct socket_options options;
	dial_handler *handler;
	void *owner;
	uint64_t next_us;    /* when the next target is begun, if none fails before; UINT64_MAX: none is left */
	uint32_t connected;  /* the target that was connected last */
	struct stream *kept; /* its connection, until it is taken */
	struct dial_call call[PERMIT_MAX_TARGETS];
};

void dial_init(struct dial *d, struct loop *l, struct permit *permit, const struct socket_options *options,
               dial_handler *handler, void *owner);
/* Closes what is under way. */
void dial_fini(struct dial *d);

/* Goes on with the targets that have not failed yet. */
void dial_on(struct dial *d);
/* dial_deadline_us has come. `patience_us` is for one target, and may change from call to call; 0: for ever. */
void dial_tick(struct dial *d, uint64_t patience_us);
/* UINT64_MAX: nothing is due. */
uint64_t dial_deadline_us(const struct dial *d, uint64_t patience_us);

/* The connection that is established, now the caller's, and since when it was being made. */
struct stream *dial_take(struct dial *d, uint32_t *target, uint64_t *began_us) MUST_USE;
/* It may be tried once more. */
void dial_forgive(struct dial *d, uint32_t target);
/* Some target has neither failed nor been taken, and was not too slow. */
bool dial_has_promising(const struct dial *d);

#endif
