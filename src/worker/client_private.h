/* What client.c and client_login.c share: the two halves of a client's life. */
#ifndef WORKER_CLIENT_PRIVATE_H
#define WORKER_CLIENT_PRIVATE_H

#include "net/stream.h"
#include "worker/client.h"

/* The only function that assigns client->state. */
enum step client_enter(struct client *c, enum client_state to);

/* The stream's handler. */
void client_event(void *owner, enum stream_event event);

/* Ends the client without a word and gives its stream, on no loop, to the caller. */
struct stream *client_take_stream(struct client *c);

/* client_idle_timeout, if there is one. */
void client_arm_timer(struct client *c);

#endif
