/*
 * auth_query: a client that logs in waits until its secret has been looked up on
 * a server connection of auth_user, which serves nobody else. Nothing that the
 * client has sent is used there but its user name, as a parameter. Its worker's thread.
 */
#ifndef WORKER_LOOKUP_H
#define WORKER_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "worker/client.h"
#include "worker/server.h"

/* The user list says nothing about the user whom this client names, and auth_query is configured. */
bool lookup_is_due(const struct client *c);

/* It waits from now on; login_looked_up (login.h) follows, or its end. */
enum step lookup_begin(struct client *c);

/* From the queue: the question is asked. */
void lookup_got_server(struct client *c, struct server *s);
/* That server is being closed, for this reason or, if it has failed, for what worker->why says: another one, or the
   end. */
void lookup_server_lost(struct client *c, struct server *s, const char *reason);

/* The part of a server that is being closed. */
void lookup_server_free(struct server *s);

/* Its time is over: FATAL with the name of the setting, and what it waited for in SHOW ERRORS. */
void lookup_time_out(struct client *c, const char *setting, const char *precise);
/* No server can be had, and why is not for strangers: the incident's number is all that it is told. */
void lookup_tell_outage(struct client *c, const struct outage *outage);

#endif
