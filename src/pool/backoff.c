/* Pauses that grow. Any thread. */
#include "pool/backoff.h"

/* xorshift* */
uint64_t backoff_random(uint64_t *random)
{
	*random ^= *random >> 12;
	*random ^= *random << 25;
	*random ^= *random >> 27;
	return *random * 2685821657736338717u;
}

static uint64_t jitter(uint64_t *random, uint64_t us)
{
	return us - us / 4 + backoff_random(random) % (us / 2 + 1);
}

void backoff_grow(struct backoff *b, uint64_t first_us, uint64_t most_us, uint64_t exact_us, uint64_t *random,
                  uint64_t now_us)
{
	b->pause_us = b->pause_us == 0 ? first_us : b->pause_us * 2;
	if (b->pause_us > most_us)
		b->pause_us = most_us;
	b->next_try_us = now_us + (b->pause_us == exact_us ? b->pause_us : jitter(random, b->pause_us));
}
