/*
 * The secrets of users who log in at this worker, each with the SCRAM verifier that was derived from it, so that a
 * plain password is derived once and not at every login. They belong to one edition.
 */
#ifndef WORKER_SECRETS_H
#define WORKER_SECRETS_H

#include "auth/secret.h"
#include "base/attr.h"
#include "conf/config.h"
#include "worker/worker.h"

/* The secret of a line of the user list; the worker's. NULL: out of memory. */
struct secret *secrets_find(struct worker *w, const struct conf_login *login) MUST_USE;
void secrets_forget(struct worker *w);

#endif
