/*
 * How the log speaks of clients that are told of an outage: the first ones of each outage have lines of their own,
 * further ones are counted and said together. On the seat's worker.
 */
#ifndef WORKER_TELLING_H
#define WORKER_TELLING_H

#include <stdbool.h>

#include "pool/pool.h"

struct outage;
struct worker;

#define TELLING_LINES 5u /* clients with lines of their own, per worker and outage */

/* One more client of this seat is told of it. True: it has its lines; false: it is counted. */
bool telling_add(struct worker *w, struct seat *s, struct outage *outage);

/* A client of this seat waits for the pool's first server. True: say now that it wants to log in; false: when it is
   known what becomes of it, for many say so already and none of them got in. */
bool telling_attempt(struct seat *s);
/* One got in. */
void telling_welcome(struct seat *s);

/* Says what is due: each minute, and when an outage is over. */
void telling_tick(struct worker *w);
/* Says everything: the worker ends. */
void telling_end(struct worker *w);

#endif
