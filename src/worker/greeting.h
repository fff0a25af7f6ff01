/*
 * The login reply: AuthenticationOk and all parameters, kept with what it was made of, because login storms ask for
 * the same one again and again.
 */
#ifndef WORKER_GREETING_H
#define WORKER_GREETING_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/settings.h"
#include "worker/params.h"
#include "worker/worker.h"

/* worker->greeting and worker->greeting_params for a client that asked for `own` in a pool with this welcome. False:
   out of memory. */
bool greeting_prepare(struct worker *w, struct welcome *welcome, struct params *own, enum pool_mode mode) MUST_USE;
void greeting_forget(struct worker *w);

#endif
