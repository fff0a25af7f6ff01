/*
 * A farewell: the server has been told that we leave, and its permit goes back only when it has closed its side. So
 * PostgreSQL never sees more connections than a limit allows, not even for the moment in which one backend ends while
 * another begins.
 */
#ifndef WORKER_FAREWELL_H
#define WORKER_FAREWELL_H

#include "net/stream.h"
#include "pool/permit.h"
#include "worker/worker.h"

/* Takes the stream, on which Terminate has been sent, and the permit. Waits a second at most. */
void farewell_begin(struct worker *w, struct stream *s, struct permit *permit);

/* The worker is being freed. */
void farewell_close_all(struct worker *w);

#endif
