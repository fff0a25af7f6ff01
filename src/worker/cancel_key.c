/* What is written in keys of CancelRequest. Pure; any thread. */
#include "worker/cancel_key.h"

#define PASSES 0x03u

void cancel_key_mark(uint8_t *key, int peer_id)
{
	key[0] &= 0x7f; /* clients show it as a process id, which is not negative */
	if (peer_id <= 0)
		return;
	key[1] = (uint8_t)(peer_id & 0xff);
	key[2] = (uint8_t)(peer_id >> 8);
	cancel_key_restore(key);
}

int cancel_key_peer(const uint8_t *key)
{
	return key[1] | key[2] << 8;
}

void cancel_key_restore(uint8_t *key)
{
	key[7] |= PASSES;
}

bool cancel_key_pass_on(uint8_t *key)
{
	if ((key[7] & PASSES) == 0)
		return false;
	key[7]--;
	return true;
}
