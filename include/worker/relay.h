/* Moving bytes between a linked client and server, counting answers as they pass. */
#ifndef WORKER_RELAY_H
#define WORKER_RELAY_H

#include "net/stream.h"
#include "worker/client.h"
#include "worker/server.h"

/* Messages that clients may send after login, and servers may send in a session. */
const struct frame_rules *relay_client_rules(void);
const struct frame_rules *relay_server_rules(void);

/* Bytes of a linked client whose server is ready: forwards them; what cannot go now is held. */
enum step relay_from_client(struct client *c, struct span bytes);
/* The server's stream is readable. */
void relay_from_server(struct server *s);

#endif
