/*
 * A hash table whose nodes live inside the things it holds. Adding cannot fail:
 * when there is no memory for more buckets, the chains get longer.
 */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct table_node {
	struct table_node *next;
	uint32_t hash;
};

/* Owned by one thread, or guarded by its owner's lock. */
struct table {
	struct table_node **bucket;
	struct table_node *first_bucket; /* the only bucket until the table grows */
	uint32_t n_buckets;
	uint32_t count;
	uint32_t seed; /* so that nobody outside can choose colliding keys */
};

typedef bool table_same(const struct table_node *node, const void *key);

/* `seed` should be random. Must not be moved in memory afterwards. */
void table_init(struct table *t, uint32_t seed);

/* Frees the buckets, not the things. */
void table_fini(struct table *t);

/* Hash of a key for this table. */
uint32_t table_hash(const struct table *t, const void *key, size_t len);

/* Adds a node; equal keys are the caller's business. */
void table_add(struct table *t, struct table_node *node, uint32_t hash);

/* Takes a node out; it must be in the table. */
void table_remove(struct table *t, struct table_node *node);

/* The node for which `same(node, key)` holds, or NULL. */
struct table_node *table_find(const struct table *t, uint32_t hash, table_same *same, const void *key);

/* The node after `node` in no particular order, the first one after NULL; NULL at the end. */
struct table_node *table_next(const struct table *t, const struct table_node *node);

#endif
