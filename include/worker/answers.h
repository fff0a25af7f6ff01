/*
 * What a server still has to answer, in order. Decides of each of its messages
 * whether it belongs to the client, to us, or is impossible, and when the server
 * is at rest. Pure: no sockets. Rules: protocol chapter, "Message Flow", and what
 * PostgreSQL's tcop/postgres.c and commands/copy do with messages during errors and COPY.
 */
#ifndef WORKER_ANSWERS_H
#define WORKER_ANSWERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

#define ANSWERS_MAX 4096u /* a client with more is not read until some have come */
#define ANSWERS_INLINE 16u

enum answer_kind {
	ANSWER_PARSE,
	ANSWER_BIND,
	ANSWER_DESCRIBE,
	ANSWER_EXECUTE,
	ANSWER_CLOSE,
	ANSWER_SYNC,
	ANSWER_QUERY,
	ANSWER_CALL,
	ANSWER_COPY_END, /* CopyDone or CopyFail that was sent before the server said that it copies */
	ANSWER_FENCE     /* our empty query after a failed COPY: its answer proves that all before is answered */
};

enum answer_origin {
	ORIGIN_CLIENT,
	ORIGIN_OURS, /* swallowed */
	ORIGIN_LOCAL /* nothing was sent: we answer it ourselves when all before is answered */
};

struct answer {
	uint8_t kind;    /* enum answer_kind */
	uint8_t origin;  /* enum answer_origin */
	uint8_t marked;  /* 1: it has an effect on prepared statements (src/worker/prepared.c) */
	uint8_t refused; /* not 0: the message was spoiled (src/worker/guard.c), its error is told in other words */
};

enum copy_state { COPY_NONE, COPY_IN, COPY_IN_ENDED, COPY_OUT, COPY_BOTH };

/* Owned by its server. */
struct answers {
	struct answer *ring; /* NULL while `first` is enough */
	struct answer first[ANSWERS_INLINE];
	uint32_t head, n, capacity;
	enum copy_state copy;
	uint32_t syncs_in_copy; /* Syncs that COPY IN may or may not have swallowed */
	bool skip;              /* after an error: the server ignores everything until Sync */
	bool skip_here; /* likewise, but our fence has ended it at the server: the client's messages go nowhere */
	bool lost;      /* a request was sent in the middle of a COPY: only errors can be understood from now on */
	bool sent_since_ready; /* something was sent after the last ReadyForQuery */
	bool wants_fence;      /* a COPY has failed and nobody can know how many ReadyForQuery will come */
	bool fencing;          /* the fence is out: the client is not read until it is answered */
	bool fence_seen;       /* its EmptyQueryResponse has come; ReadyForQuery follows */
	bool held_ready;       /* a ReadyForQuery is kept back until we know whose it is */
	bool released_ready;   /* it was the client's: it has to go out before the present message */
	char held_status, released_status;
	char status;            /* of the last ReadyForQuery; 0 before the first */
	uint32_t n_local;       /* answers of ORIGIN_LOCAL */
	uint32_t effects_ended; /* marked answers that have come or were dropped; whoever deals with them zeroes it */
	uint32_t segment;       /* Syncs that the client has sent */
};

void answers_init(struct answers *a);
void answers_fini(struct answers *a);

/* A message of this type from the client is about to be sent. False: no room, stop reading (or out of memory). */
bool answers_client_sends(struct answers *a, uint8_t type) MUST_USE;

/* To be asked before that: true if the message must not be sent, because without our fence the server would have
 * ignored it. */
bool answers_client_skips(struct answers *a, uint8_t type) MUST_USE;

/* Room for `n` more; false: there is none, or no memory. Then answers_expect cannot fail for as many. */
bool answers_reserve(struct answers *a, uint32_t n) MUST_USE;
/* A request of the extended protocol is about to be sent, or answered by us. */
void answers_expect(struct answers *a, enum answer_kind kind, enum answer_origin origin, bool marked);
/* The next answer is for us to give: its type, '1' or '3'; it counts as come. */
bool answers_take_local(struct answers *a, char *type);
bool answers_head_is_marked(const struct answers *a);
/* The client's message that was sent last, if anything will be answered to it. */
void answers_refuse_last(struct answers *a, uint8_t mark);
/* 0: the next answer is to a message that was sent as it came. */
uint8_t answers_head_refused(const struct answers *a);

/* One of ours is about to be sent: 'Q' or 'S'. */
bool answers_we_send(struct answers *a, uint8_t type) MUST_USE;

enum answer_verdict {
	ANSWER_FORWARD,
	ANSWER_SWALLOW,
	ANSWER_HOLD_READY, /* ReadyForQuery: swallow it; it may be given out later (answers_released_ready) */
	ANSWER_IMPOSSIBLE  /* no such message can come now: the server has lost its way */
};

/* What the message means. `status` is for 'Z' only. Afterwards: */
enum answer_verdict answers_server_sent(struct answers *a, uint8_t type, char status) MUST_USE;

/* The last message asks for a fence: send Sync and an empty Query, then call answers_fence_sent. */
bool answers_needs_fence(const struct answers *a);
bool answers_fence_sent(struct answers *a) MUST_USE;

/* A ReadyForQuery that was held back turned out to be the client's: forward one with this status before the present
 * message. */
bool answers_released_ready(struct answers *a, char *status);

/* Nothing outstanding and the last thing the server said was ReadyForQuery. `status` 'I' is the caller's to ask for. */
bool answers_at_rest(const struct answers *a);

/* Of the last ReadyForQuery; 0: there was none; '?': one is outstanding. */
char answers_known_status(const struct answers *a);

/* Something of the client's is being run. */
bool answers_run_client(const struct answers *a);
/* Something of ours is being run. */
bool answers_run_ours(const struct answers *a);
bool answers_is_full(const struct answers *a);

#endif
