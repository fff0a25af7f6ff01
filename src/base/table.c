/* The intrusive hash table. Thread: its owner's. */
#include "base/table.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

void table_init(struct table *t, uint32_t seed)
{
	memset(t, 0, sizeof(*t));
	t->seed = seed;
	t->n_buckets = 1;
	t->bucket = &t->first_bucket;
}

void table_fini(struct table *t)
{
	if (t->bucket != &t->first_bucket)
		mem_free(t->bucket);
	table_init(t, t->seed);
}

static uint64_t mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * 0x9E3779B97F4A7C15ull;
	return h ^ (h >> 32);
}

uint32_t table_hash(const struct table *t, const void *key, size_t len)
{
	const unsigned char *p = (const unsigned char *)key;
	uint64_t h = mix((uint64_t)t->seed << 17, len), word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = mix(h, word);
	}
	word = 0;
	memcpy(&word, p, len);
	return (uint32_t)mix(mix(h, word), t->seed);
}

/* Doubles the buckets when there are as many things; stays as it is when there is no memory. */
static void table_grow(struct table *t)
{
	uint32_t n = t->n_buckets * 2;
	struct table_node **bucket;

	if (t->count < t->n_buckets || n == 0)
		return;
	bucket = (struct table_node **)mem_alloc(n * sizeof(struct table_node *));
	if (bucket == NULL)
		return;
	for (uint32_t i = 0; i < t->n_buckets; i++) {
		struct table_node *node = t->bucket[i];

		while (node != NULL) {
			struct table_node *next = node->next;

			node->next = bucket[node->hash & (n - 1)];
			bucket[node->hash & (n - 1)] = node;
			node = next;
		}
	}
	if (t->bucket != &t->first_bucket)
		mem_free(t->bucket);
	t->bucket = bucket;
	t->n_buckets = n;
}

void table_add(struct table *t, struct table_node *node, uint32_t hash)
{
	struct table_node **chain;

	table_grow(t);
	chain = &t->bucket[hash & (t->n_buckets - 1)];
	node->hash = hash;
	node->next = *chain;
	*chain = node;
	t->count++;
}

void table_remove(struct table *t, struct table_node *node)
{
	struct table_node **at = &t->bucket[node->hash & (t->n_buckets - 1)];

	while (*at != node) {
		assert(*at != NULL);
		at = &(*at)->next;
	}
	*at = node->next;
	node->next = NULL;
	t->count--;
}

struct table_node *table_find(const struct table *t, uint32_t hash, table_same *same, const void *key)
{
	struct table_node *node = t->bucket[hash & (t->n_buckets - 1)];

	while (node != NULL && !(node->hash == hash && same(node, key)))
		node = node->next;
	return node;
}

struct table_node *table_next(const struct table *t, const struct table_node *node)
{
	uint32_t i = 0;

	if (node != NULL) {
		if (node->next != NULL)
			return node->next;
		i = (node->hash & (t->n_buckets - 1)) + 1;
	}
	for (; i < t->n_buckets; i++)
		if (t->bucket[i] != NULL)
			return t->bucket[i];
	return NULL;
}
