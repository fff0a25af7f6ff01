/* The record of an address: made, asked, and told what attempts have met. Main thread. */
#include "pool/backend.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "pool/permit.h"

#define FORGET_US (24 * 3600 * US_PER_S)
#define OVERTAKEN_FOR_US (30 * US_PER_S) /* so long an address that was slow to answer is tried behind others */
#define WIDEST 64u                       /* attempts at once after which an address counts as healthy again */

/* ---- finding ---- */

struct key {
	const char *host;
	const struct address *address;
};

static bool same_address(const struct address *a, const struct address *b)
{
	return address_same(a, b) && address_port(a) == address_port(b);
}

static bool same_host(const struct table_node *node, const void *key)
{
	return same_address(&container_of_const(node, struct host, node)->address, (const struct address *)key);
}

static const struct backend *backend_of(const struct table_node *node)
{
	return container_of_const(node, struct backend, node);
}

static bool same(const struct table_node *node, const void *key)
{
	const struct key *k = (const struct key *)key;
	const struct backend *b = backend_of(node);

	return strcmp(b->host, k->host) == 0 && same_address(&b->address, k->address);
}

static uint32_t hash_of(const struct backends *all, const struct key *k)
{
	char text[128];

	(void)address_text(k->address, text, sizeof(text));
	if (address_is_unix(k->address))
		return table_hash(&all->by_address, k->address->u.local.sun_path, strlen(k->address->u.local.sun_path));
	return table_hash(&all->by_address, text, strlen(text)) + address_port(k->address);
}

void backends_init(struct backends *all, uint32_t seed)
{
	table_init(&all->by_address, seed);
	table_init(&all->hosts, seed);
	list_init(&all->all);
}

static void backend_free(struct backends *all, struct backend *b)
{
	table_remove(&all->by_address, &b->node);
	list_remove(&b->on_all);
	failure_fini(&b->failure);
	mem_free(b->host);
	mem_free(b);
}

static struct backend *backend_on_all(struct list *node)
{
	return container_of(node, struct backend, on_all);
}

void backends_fini(struct backends *all)
{
	struct table_node *host;
	struct list *node;

	while ((node = list_first(&all->all)) != NULL)
		backend_free(all, backend_on_all(node));
	while ((host = table_next(&all->hosts, NULL)) != NULL) {
		table_remove(&all->hosts, host);
		mem_free(container_of(host, struct host, node));
	}
	table_fini(&all->by_address);
	table_fini(&all->hosts);
}

static void forget_old(struct backends *all, uint64_t now_us)
{
	struct list *node, *after;

	list_each_safe (node, after, &all->all) {
		struct backend *b = backend_on_all(node);

		if (b->n_refs == 0 && now_us > b->tried_us + FORGET_US)
			backend_free(all, b);
	}
}

/* The host names of an address do not matter here. */
static struct host *host_get(struct backends *all, const struct address *address, uint32_t hash)
{
	struct table_node *node = table_find(&all->hosts, hash, same_host, address);
	struct host *h;

	if (node != NULL)
		return container_of(node, struct host, node);
	h = mem_new(struct host);
	if (h == NULL)
		return NULL;
	h->address = *address;
	quota_init(&h->quota, LIMIT_HOST, h);
	table_add(&all->hosts, &h->node, hash);
	return h;
}

static struct backend *backend_new(struct backends *all, const struct key *k, uint32_t hash, uint64_t now_us)
{
	struct backend *b;

	forget_old(all, now_us);
	b = mem_new(struct backend);
	if (b == NULL)
		return NULL;
	b->host = mem_copy_str(k->host);
	b->at = host_get(all, k->address, hash);
	if (b->host == NULL || b->at == NULL) {
		mem_free(b->host);
		mem_free(b);
		return NULL;
	}
	b->address = *k->address;
	list_init(&b->attempts);
	list_init(&b->blocked);
	failure_init(&b->failure);
	list_init(&b->on_all);
	list_add_tail(&all->all, &b->on_all);
	table_add(&all->by_address, &b->node, hash);
	return b;
}

struct backend *backend_get(struct backends *all, const char *host, const struct address *address, uint64_t now_us)
{
	struct key key = {host, address};
	uint32_t hash = hash_of(all, &key);
	struct table_node *node = table_find(&all->by_address, hash, same, &key);
	struct backend *b;

	if (node != NULL)
		b = container_of(node, struct backend, node);
	else
		b = backend_new(all, &key, hash, now_us);
	if (b == NULL)
		return NULL;
	b->tried_us = now_us;
	return backend_ref(b);
}

struct backend *backend_ref(struct backend *b)
{
	b->n_refs++;
	return b;
}

void backend_unref(struct backend *b)
{
	if (b != NULL)
		b->n_refs--;
}

/* ---- asking ---- */

static uint64_t oldest_began_us(const struct backend *b)
{
	struct list *node = list_first(&b->attempts);

	return node == NULL ? 0 : container_of(node, struct permit, on_backend)->began_us;
}

uint64_t backend_silent_since_us(const struct backend *b, uint64_t now_us)
{
	uint64_t began_us = oldest_began_us(b);

	return began_us == 0 || now_us < began_us + BACKEND_SILENT_US || b->success_us >= began_us ? 0 : began_us;
}

bool backend_admits(const struct backend *b, uint64_t now_us)
{
	if (backend_silent_since_us(b, now_us) != 0)
		return b->n_attempts < 2;
	if (b->down)
		return b->n_attempts == 0 && now_us >= b->retry.next_try_us;
	return b->width == 0 || b->n_attempts < b->width;
}

uint64_t backend_wake_us(const struct backend *b, uint64_t now_us)
{
	uint64_t began_us = oldest_began_us(b);

	if (began_us != 0 && now_us < began_us + BACKEND_SILENT_US && (b->down || b->width > 0))
		return began_us + BACKEND_SILENT_US;
	return b->down && b->n_attempts == 0 ? b->retry.next_try_us : UINT64_MAX;
}

static unsigned role_rank(enum session_attrs wanted, enum server_role role)
{
	if (session_attrs_prefer(wanted, role))
		return 0;
	return role == ROLE_UNKNOWN ? 1 : 2;
}

unsigned backend_rank(const struct backend *b, enum session_attrs wanted, uint64_t now_us)
{
	bool slow = b->overtaken_us != 0 && now_us < b->overtaken_us + OVERTAKEN_FOR_US;

	return role_rank(wanted, b->role) * 2 + slow;
}

/* ---- news ---- */

bool backend_came_through(struct backend *b, uint64_t now_us)
{
	bool was_down = b->down;

	b->success_us = now_us;
	b->overtaken_us = 0;
	if (b->width > 0)
		b->width = b->width >= WIDEST ? 0 : b->width * 2;
	if (!was_down)
		return false;
	b->down = false;
	b->since_us = now_us;
	b->retry = (struct backoff){0, 0};
	b->n_tried = 0;
	b->width = 2;
	failure_fini(&b->failure);
	return true;
}

void backend_failed(struct backend *b, const struct failure *f, uint64_t phase_us, uint64_t began_us, uint64_t now_us)
{
	if (!b->down)
		b->since_us = began_us;
	b->down = true;
	b->role = ROLE_UNKNOWN; /* it may come back as something else */
	b->n_tried++;
	b->failure_us = now_us;
	b->failure_age_us = phase_us;
	failure_copy(&b->failure, f);
}

void backend_hurry(struct backend *b)
{
	b->retry = (struct backoff){0, 0};
}
