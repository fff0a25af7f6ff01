/*
 * Our login at a server: connect, start-up, proof, until its first ReadyForQuery.
 */
#ifndef WORKER_SERVER_LOGIN_H
#define WORKER_SERVER_LOGIN_H

#include <stdbool.h>

#include "base/attr.h"
#include "net/stream.h"
#include "worker/server.h"

/* Begins with the permit's first target. False: nothing could be begun, s->permit->failure says why. */
bool server_login_begin(struct server *s) MUST_USE;
/* What its stream reports while it logs in. */
void server_login_event(struct server *s, enum stream_event event);
/* The time for connecting is over. */
void server_login_timed_out(struct server *s);
/* Sets the timer for server_connect_timeout; also when that has changed meanwhile. */
void server_login_watch(struct server *s);
/* The letter SERVER_KEYS. */
void server_login_keys(struct worker *w, struct letter *letter);
void server_login_free(struct server *s);

#endif
