/*
 * Which client addresses were told of an outage a moment ago, so that a client
 * that comes back at once in a loop waits a little for its next refusal: failing
 * fast must not become a storm. Owned by one worker; fixed memory.
 */
#ifndef WORKER_TOLD_H
#define WORKER_TOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "os/socket.h"

#define TOLD_SLOTS 64u

/* All zero: nobody. Two addresses that share a slot push each other out: then one of them is told at once. */
struct told {
	struct told_slot {
		struct peer peer;
		uint64_t at_us;
	} slot[TOLD_SLOTS];
};

void told_note(struct told *t, const struct peer *peer, uint64_t now_us);
/* Within the last second, whatever its port. */
bool told_lately(const struct told *t, const struct peer *peer, uint64_t now_us);

#endif
