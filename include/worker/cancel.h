/*
 * CancelRequest: finds the client that has the key, on whichever worker it is, and
 * sends a cancel request for its server only while that runs this client's query.
 * The server does not settle before the cancel connection has closed, and who asked
 * is not let go before: when the connection of a CancelRequest has closed, the
 * query that comes next is safe.
 */
#ifndef WORKER_CANCEL_H
#define WORKER_CANCEL_H

#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/letter.h"
#include "worker/server.h"
#include "worker/worker.h"

struct cancel;

/* From `asker`, which waits for the end of the request and is closed then (NULL: nobody does); nothing is answered.
   False: nothing came of it, out of memory. `key` is what CancelRequest brought, CANCEL_KEY_BYTES to CANCEL_KEY_MAX. */
bool cancel_request(struct worker *w, struct client *asker, const void *key, size_t len) MUST_USE;
/* The letter CANCEL. */
void cancel_arrived(struct worker *w, struct letter *letter);
/* Who asked has gone; the request goes on. */
void cancel_forget_asker(struct client *asker);
/* What the server was to be cancelled for is over: requests that have not been sent are not sent any more. */
void cancel_forget_query(struct server *s);
/* The server goes away: requests under way no longer refer to it. */
void cancel_forget_server(struct server *s);
/* The time for requests under way may be another now. */
void cancel_settings_changed(struct worker *w);
/* The worker is being freed. */
void cancel_close_all(struct worker *w);

/* Main gets a request that no worker knew: the key of one of the console's clients, of a peer's, or nobody's. */
struct cancel *cancel_of(struct letter *letter);
uint8_t *cancel_key(struct cancel *c);
size_t cancel_key_len(const struct cancel *c);
/* Loop time at which it came. */
uint64_t cancel_since_us(const struct cancel *c);
/* Nothing more will come of it: it goes to whoever asked, and is freed there. Any thread that has it. */
void cancel_end(struct office *o, struct cancel *c);
/* There are no workers any more. */
void cancel_free(struct cancel *c);

#endif
