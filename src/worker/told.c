/* Addresses that were told of an outage lately. Thread: the worker's. */
#include "worker/told.h"

#include <string.h>

#include "base/clock.h"

/* Who it is for this purpose: an address without its port; on a Unix socket the account. */
static struct peer who(const struct peer *peer)
{
	struct peer p = {.family = peer->family};

	if (peer->family == PEER_UNIX)
		memcpy(p.bytes, peer->bytes + 4, 4); /* processes come and go */
	else
		memcpy(p.bytes, peer->bytes, sizeof(p.bytes));
	return p;
}

static unsigned slot_of(const struct peer *p)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < sizeof(p->bytes); i++)
		h = (h ^ p->bytes[i]) * 16777619u;
	return (h ^ (h >> 16)) % TOLD_SLOTS;
}

void told_note(struct told *t, const struct peer *peer, uint64_t now_us)
{
	struct peer p = who(peer);

	t->slot[slot_of(&p)] = (struct told_slot){p, now_us};
}

bool told_lately(const struct told *t, const struct peer *peer, uint64_t now_us)
{
	struct peer p = who(peer);
	const struct told_slot *s = &t->slot[slot_of(&p)];

	return s->at_us != 0 && now_us < s->at_us + US_PER_S && s->peer.family == p.family &&
	       memcmp(s->peer.bytes, p.bytes, sizeof(p.bytes)) == 0;
}
