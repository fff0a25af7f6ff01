/* Keeping secrets and what was derived from them. Thread: the worker's. */
#include "worker/secrets.h"

#include <string.h>

#include "base/mem.h"

/* A user's secret with what was derived from it. */
struct known_secret {
	struct table_node node;
	char *user;
	struct secret *secret;
};

static struct known_secret *known_of(struct table_node *node)
{
	return container_of(node, struct known_secret, node);
}

static bool same_user(const struct table_node *node, const void *key)
{
	return strcmp(container_of_const(node, struct known_secret, node)->user, (const char *)key) == 0;
}

static void known_free(struct known_secret *k)
{
	secret_unref(k->secret);
	mem_free(k->user);
	mem_free(k);
}

/* The secret of a user of the list, kept with what is derived from it. NULL: out of memory. */
struct secret *secrets_find(struct worker *w, const struct conf_login *login)
{
	uint32_t hash = table_hash(&w->secrets, login->name, strlen(login->name));
	struct table_node *node = table_find(&w->secrets, hash, same_user, login->name);
	struct known_secret *k;

	if (node != NULL)
		return known_of(node)->secret;
	k = mem_new(struct known_secret);
	if (k == NULL)
		return NULL;
	k->user = mem_copy_str(login->name);
	k->secret = secret_new(login->secret, login->secret_len);
	if (k->user == NULL || k->secret == NULL) {
		known_free(k);
		return NULL;
	}
	table_add(&w->secrets, &k->node, hash);
	return k->secret;
}

void secrets_forget(struct worker *w)
{
	struct table_node *node;

	while ((node = table_next(&w->secrets, NULL)) != NULL) {
		table_remove(&w->secrets, node);
		known_free(known_of(node));
	}
}
