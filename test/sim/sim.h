/*
 * The simulated world under the real workers: loops, mailboxes, streams, helper
 * jobs and name lookups that a seed rules, and a clock that it moves. One thread.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/list.h"
#include "base/str.h"
#include "dice.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "net/stream.h"

/* How roughly a connection is treated. */
struct roughness {
	uint32_t read_most;  /* bytes that one read brings, at most */
	uint32_t write_most; /* bytes that one write takes, at most */
	uint32_t room;       /* bytes that lie between the two ends, at most, each way */
};

/* A connection between the product (a stream) and somebody in the simulator (a peer). */
struct conn {
	struct list node;       /* in world->conns */
	struct stream *stream;  /* NULL: the product has closed its end, or has not accepted it */
	struct address address; /* where the product connected to; len 0: it was accepted */
	struct str to_product, to_peer;
	struct roughness rough;
	bool connected;   /* the peer answers */
	bool refused;     /* or it refuses */
	bool peer_closed; /* no more bytes will come to the product */
	bool product_closed;
	bool reset;     /* both ends get an error */
	bool peer_left; /* nobody holds the peer's end any more: freed when the product has closed too */
	void *peer;     /* whoever plays the other end */
};

struct world {
	struct dice dice;
	uint64_t seed, step, now_us;
	bool trace;
	bool faults; /* connections may break by themselves */
	bool gentle;
	struct list loops; /* struct loop */
	struct list conns;
	struct job *first_job, **end_of_jobs;
	/* Who plays the servers: a connection to an address has begun. */
	void (*connecting)(void *arg, struct conn *c);
	void *connecting_arg;
	uint32_t next_port;
};

/* net/loop.h gives loop_new no argument: the world it belongs to. The only such variable. */
struct world *sim_world(void);
void sim_set_world(struct world *w);

void world_init(struct world *w, uint64_t seed);
void world_fini(struct world *w);
/* From now on connections bring and take much at once: what is left shall come in time. */
void world_be_gentle(struct world *w);
void world_trace(struct world *w, const char *fmt, ...) PRINTF(2, 3);
_Noreturn void world_broken(struct world *w, const char *fmt, ...) PRINTF(2, 3);
#define MUST_HOLD(w, cond) ((cond) ? (void)0 : world_broken(w, "%s:%d: %s", __FILE__, __LINE__, #cond))

/* One turn of a loop: letters, ready streams and due timers, some of them, in any order; then its turn function. */
void sim_loop_turn(struct loop *l);
/* When the loop's first timer is due, UINT64_MAX: none. */
uint64_t sim_loop_next_us(const struct loop *l);
/* Something would happen in its next turn. */
bool sim_loop_is_ready(const struct loop *l);

/* A connection from a client in the simulator: the stream for the product, on no loop yet. */
struct stream *conn_accept(struct world *w, struct conn **c);
/* The peer's hands. */
void conn_send(struct conn *c, const char *bytes, size_t len);
void conn_close(struct conn *c); /* after what was sent */
void conn_reset(struct conn *c);
void conn_leave(struct conn *c); /* closes, and nobody looks at it again */

/* A job that waits, run and posted; false: there is none. */
bool sim_run_job(struct world *w);

/* Of each other's files in the simulator's net. */
struct mailbox;
struct list *sim_loop_streams(struct loop *l);
struct world *sim_loop_world(struct loop *l);
void sim_loop_set_mailbox(struct loop *l, struct mailbox *m);
bool sim_mailbox_deliver(struct mailbox *m, uint32_t most);
bool sim_mailbox_has(const struct mailbox *m);
/* One event of this stream if there is any; false: there is none. */
bool sim_stream_deliver(struct stream *s);
bool sim_stream_is_ready(const struct stream *s);
struct stream *sim_stream_of(struct list *node);
uint64_t *sim_stream_seen(struct stream *s);

#endif
