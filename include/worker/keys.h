/* SCRAM keys that a pool keeps: of a client's login (pass-through) or of our last one. Immutable once published. */
#ifndef WORKER_KEYS_H
#define WORKER_KEYS_H

#include "auth/scram.h"
#include "base/attr.h"
#include "base/shared.h"

struct login_keys {
	struct shared shared;
	struct scram_keys keys;
};

/* A copy; wiped when the last reference goes. NULL: out of memory. Any thread. */
struct login_keys *login_keys_new(const struct scram_keys *keys) MUST_USE;

#endif
