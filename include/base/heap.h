/*
 * Priority queues: a binary heap in an array of pointers to nodes that live inside
 * the things they order. Adding and removing cost at most 3 log2(n) comparisons and
 * never allocate: room is made beforehand, by heap_reserve. Any thread, one at a time.
 */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

struct heap_node {
	uint32_t place; /* in the array, counted from 1; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;
	uint32_t n, room;
	bool (*before)(const struct heap_node *a, const struct heap_node *b);
};

/* `before(a, b)`: a must come out earlier than b. It must not change for nodes that are in the heap. */
void heap_init(struct heap *h, bool (*before)(const struct heap_node *a, const struct heap_node *b));
/* The nodes belong to others. */
void heap_fini(struct heap *h);

/* So many nodes may be in it from now on; room never shrinks. False when out of memory. */
bool heap_reserve(struct heap *h, uint32_t n) MUST_USE;

/* `node` must be in no heap, and there must be room. */
void heap_add(struct heap *h, struct heap_node *node);
/* Harmless for a node that is in no heap. */
void heap_remove(struct heap *h, struct heap_node *node);

/* The one that comes before all others; NULL when the heap is empty. */
static inline struct heap_node *heap_first(const struct heap *h)
{
	return h->n == 0 ? NULL : h->nodes[0];
}

static inline bool heap_has(const struct heap_node *node)
{
	return node->place != 0;
}

#endif
