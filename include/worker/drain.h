/*
 * The end of drain_timeout: clients are told to leave, each at the first moment at which nothing of theirs is lost.
 */
#ifndef WORKER_DRAIN_H
#define WORKER_DRAIN_H

#include <stdbool.h>

#include "worker/client.h"
#include "worker/worker.h"

/* Who is still there. */
struct drain_counts {
	unsigned clients; /* of all states */
	unsigned running; /* in a transaction, or waiting for an answer */
	unsigned waiting; /* for a server */
};

/* Adds this worker's clients. From a visit. */
void drain_count(const struct worker *w, struct drain_counts *counts);

/* From a visit, again and again: who is between two transactions, waits for a server, or has been logging in for a
 * while is told to leave; from now on also whoever ends a transaction. */
void drain_tell(struct worker *w);

/* Once worker->leaving: a transaction of this client is over. What it has sent already is run first. */
void drain_soon(struct client *c);
/* Once worker->leaving: it has sent nothing more. True: it was told to leave, and is closed. */
bool drain_told(struct client *c) MUST_USE;

#endif
