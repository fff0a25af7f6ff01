/*
 * When to try again after a failure: a first pause, doubled each time up to a
 * limit, with jitter so that many do not try together. Pure; owned by whoever
 * embeds it.
 */
#ifndef POOL_BACKOFF_H
#define POOL_BACKOFF_H

#include <stdint.h>

/* All zero: nothing has failed. */
struct backoff {
	uint64_t pause_us;
	uint64_t next_try_us; /* not before */
};

/* Random enough to keep attempts apart and to number incidents, for no secret. `*random` must not be 0. */
uint64_t backoff_random(uint64_t *random);

/* One more failure. Pauses between three and five quarters; `exact` of them is taken as it is. `random` is the state of
   the jitter, never 0. */
void backoff_grow(struct backoff *b, uint64_t first_us, uint64_t most_us, uint64_t exact_us, uint64_t *random,
                  uint64_t now_us);

#endif
