/* Keeping and wiping a secret that auth_query has found or a client has sent. Any thread. */
#include "pool/found_secret.h"

#include <string.h>

#include "base/mem.h"

static void found_secret_free(struct shared *s)
{
	struct found_secret *found = found_secret_of(s);

	mem_wipe(found->text, found->len);
	mem_free(found);
}

struct found_secret *found_secret_new(const char *text, size_t len)
{
	struct found_secret *found = (struct found_secret *)mem_alloc(sizeof(struct found_secret) + len + 1);

	if (found == NULL)
		return NULL;
	shared_init(&found->shared, found_secret_free);
	found->len = len;
	memcpy(found->text, text, len);
	found->text[len] = '\0';
	return found;
}

bool found_secret_same(const struct found_secret *a, const struct found_secret *b)
{
	return a == b || (a != NULL && b != NULL && a->by_client == b->by_client && a->len == b->len &&
	                  memcmp(a->text, b->text, a->len) == 0);
}
