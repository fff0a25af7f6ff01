/*
 * A worker: a thread with its loop, its clients and its servers. Nothing of it is
 * touched by another thread; others send letters.
 */
#ifndef WORKER_WORKER_H
#define WORKER_WORKER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/histogram.h"
#include "base/list.h"
#include "base/str.h"
#include "base/table.h"
#include "conf/config.h"
#include "worker/lookup_troubles.h"
#include "worker/office.h"
#include "worker/strangers.h"
#include "worker/told.h"
#include "worker/waiting.h"

struct error_ring;
struct loop;
struct params;
struct timer;

/* Owned by one thread: its own. */
struct worker {
	struct office *office;
	uint16_t number;
	struct loop *loop;
	struct mailbox *mailbox;
	const struct config *config; /* of the running edition, a reference */

	struct list clients;     /* client->on_worker: all */
	struct list logins;      /* client->in_login: oldest first, until the login is complete */
	struct list runnable;    /* client->runnable: to be run at the end of this turn */
	struct list graves;      /* things to be freed at the end of this turn */
	struct list servers;     /* server->on_worker: all */
	struct list seats;       /* seat->on_worker: those that have waiters */
	struct list cancels;     /* cancel->on_worker: those for servers of this worker */
	struct list asked;       /* cancel->at_home: those that came from clients of this worker */
	struct list tellings;    /* seat->telling: clients were told, the log does not say how many yet */
	struct list farewells;   /* connections whose end is waited for */
	struct table keys;       /* clients by cancel key */
	struct table secrets;    /* src/worker/secrets.h */
	struct table statements; /* that clients have prepared; src/worker/prepared.c */
	size_t statement_bytes;  /* of all of them */
	struct timer *tick;      /* every 100 ms while somebody waits or logs in */
	struct timer *cover;     /* the travel rules' moment of waiting, while somebody waits */
	struct timer *vigil;     /* every few seconds while servers are lent; src/worker/vigil.c */
	bool keeps_vigil;        /* it is set */

	/* The last login reply and what it was made of: login storms ask for the same again and again. */
	struct shared *greeting_welcome;               /* a reference */
	struct params *greeting_own, *greeting_params; /* references */
	int greeting_mode;
	struct str greeting;

	struct error_ring *errors; /* what ended here, for SHOW ERRORS */

	/* For metrics. */
	struct histogram wait_times;      /* of clients that were queued, until they got a server */
	struct histogram vain_wait_times; /* until they were told that they get none */
	struct histogram login_times;     /* of clients, from being accepted to the end of the login */

	struct waiting_why waiting; /* what waiting_why found last */

	struct lookup_troubles lookup_troubles; /* what auth_query ran into of late */
	bool finds_md5;                         /* the last secret that it has found was no SCRAM verifier */

	struct told told; /* addresses that were told of an outage a moment ago */
	struct strangers strangers;
	struct failure why;    /* of the last read or write on a server that failed; empty otherwise */
	struct str rewritten;  /* what goes to a server instead of a client's own messages; empty between two uses */
	struct str scratch;    /* for building messages; empty between two uses */
	uint64_t n_hand_overs; /* servers sent to other workers */
	uint32_t n_clients, n_servers;
	bool stopping;
	bool leaving; /* drain_timeout is over: clients are told to leave */
};

/* A visit goes to every worker in turn, then to main. Embed it; main owns it again when `done` is called. */
struct visit {
	struct letter letter;
	void (*run)(struct visit *v, struct worker *w); /* on each worker's thread */
	void (*done)(struct visit *v);                  /* on main */
};

/* The mailbox is registered in the office; `config` is referenced. NULL: out of memory. Main, before the thread runs.
 */
struct worker *worker_new(struct office *o, uint16_t number, const struct config *config) MUST_USE;
/* Closes all clients and servers. After its loop has ended. */
void worker_free(struct worker *w);
/* Turns the loop until worker_stop; the body of the thread. */
void worker_run(struct worker *w);
/* Closes its clients, servers and cancel requests, because the process ends. From a visit. */
void worker_close_connections(struct worker *w);
/* From a visit. */
void worker_stop(struct worker *w);

uint64_t worker_now_us(const struct worker *w);

/* Posts what a pool function has left. */
void worker_post_all(struct worker *w, struct letters *letters);

/* The seat has waiters: the ticks look at it from now on. */
void worker_watch_seat(struct worker *w, struct seat *s);

/* Something is logging in: the tick runs. */
void worker_need_tick(struct worker *w);

/* A thing that is freed at the end of this turn. */
struct grave {
	struct list node;
	void (*bury)(struct grave *g);
};
void worker_bury(struct worker *w, struct grave *g, void (*bury)(struct grave *g));

/* From a visit: new edition. Takes a reference. */
void worker_set_config(struct worker *w, const struct config *config);

/* Main: sends a visit on its way; LETTER_VISIT at main calls visit_arrived. */
void visit_start(struct office *o, struct visit *v);
void visit_arrived(struct visit *v);

#endif
