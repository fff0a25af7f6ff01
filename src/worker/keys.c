/* Making and wiping kept keys. Any thread. */
#include "worker/keys.h"

#include "base/mem.h"

static void keys_free(struct shared *s)
{
	struct login_keys *k = container_of(s, struct login_keys, shared);

	mem_wipe(&k->keys, sizeof(k->keys));
	mem_free(k);
}

struct login_keys *login_keys_new(const struct scram_keys *keys)
{
	struct login_keys *k = mem_new(struct login_keys);

	if (k == NULL)
		return NULL;
	shared_init(&k->shared, keys_free);
	k->keys = *keys;
	return k;
}
