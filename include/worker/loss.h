/* What a client is told when the server that it used is lost. */
#ifndef WORKER_LOSS_H
#define WORKER_LOSS_H

#include "base/failure.h"
#include "diag/explain.h"
#include "worker/client.h"
#include "worker/server.h"

/* FATAL with the server's last words if there were any, else with what was noticed; the client is closed. `s` is not
   the client's any more. The worker's thread. */
void loss_tell(struct client *c, const struct server *s, const struct failure *why);

#define LOSS_ADDRESS_BYTES 96

/* Where and as whom it is connected; the texts are in its settings and in `address`. */
void loss_facts(const struct server *s, struct facts *f, char address[LOSS_ADDRESS_BYTES]);

#endif
