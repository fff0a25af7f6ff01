/*
 * A link: one client and one server that belong together for a while. The only
 * place that begins and ends it, and that answers whether they may part.
 */
#ifndef WORKER_LINK_H
#define WORKER_LINK_H

#include <stdbool.h>

#include "base/attr.h"
#include "worker/client.h"
#include "worker/server.h"

/* Why client and server stay together. */
enum link_bond {
	LINK_MAY_PART,
	LINK_BUSY,        /* not at rest */
	LINK_TRANSACTION, /* in a transaction block */
	LINK_SESSION      /* pool_mode = session */
};

void link_begin(struct client *c, struct server *s);
/* A replication connection and the server that was opened for it: until one of them ends. */
void link_for_good(struct client *c, struct server *s);
enum link_bond link_bond(const struct server *s);
/* After each ReadyForQuery that completes: parts them if they may part. */
void link_consider(struct server *s);
/* server_fast_close: ends a session whose server must go, if it is outside of transactions. */
void link_close_fast(struct server *s);
/* The client has all its answers and keeps nothing: whatever the server says now is not for it. */
bool link_is_over(const struct server *s);
/* Then the client goes on without this server, which is about to be closed. */
void link_let_go(struct server *s);
/* The client leaves (closing): the server is reset and settled if it is at rest, closed otherwise. */
void link_client_left(struct client *c, const char *why);
/* The server is gone: its client is told. */
void link_server_lost(struct server *s, const char *reason);

#endif
