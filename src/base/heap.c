/* Priority queues: a binary heap. The nodes of place i come before those of places 2i and 2i + 1. */
#include "base/heap.h"

#include <assert.h>

#include "base/mem.h"

#define LEAST_ROOM 8u

void heap_init(struct heap *h, bool (*before)(const struct heap_node *a, const struct heap_node *b))
{
	h->nodes = NULL;
	h->n = h->room = 0;
	h->before = before;
}

void heap_fini(struct heap *h)
{
	mem_free(h->nodes);
	h->nodes = NULL;
	h->n = h->room = 0;
}

bool heap_reserve(struct heap *h, uint32_t n)
{
	uint64_t room = h->room + h->room / 2;
	void *nodes;

	if (n <= h->room)
		return true;
	if (room < n)
		room = n;
	if (room < LEAST_ROOM)
		room = LEAST_ROOM;
	if (room > UINT32_MAX)
		return false;
	nodes = mem_resize(h->nodes, (size_t)room * sizeof(h->nodes[0]));
	if (nodes == NULL)
		return false;
	h->nodes = (struct heap_node **)nodes;
	h->room = (uint32_t)room;
	return true;
}

static void put(struct heap *h, uint32_t place, struct heap_node *node)
{
	h->nodes[place - 1] = node;
	node->place = place;
}

/* Moves a hole at `place` up to where `node` belongs. */
static void rise(struct heap *h, uint32_t place, struct heap_node *node)
{
	while (place > 1 && h->before(node, h->nodes[place / 2 - 1])) {
		put(h, place, h->nodes[place / 2 - 1]);
		place /= 2;
	}
	put(h, place, node);
}

/* Moves a hole at `place` down to where `node` belongs. */
static void sink(struct heap *h, uint32_t place, struct heap_node *node)
{
	while (place <= h->n / 2) {
		uint32_t child = 2 * place;

		if (child < h->n && h->before(h->nodes[child], h->nodes[child - 1]))
			child++;
		if (!h->before(h->nodes[child - 1], node))
			break;
		put(h, place, h->nodes[child - 1]);
		place = child;
	}
	put(h, place, node);
}

void heap_add(struct heap *h, struct heap_node *node)
{
	assert(node->place == 0 && h->n < h->room);
	h->n++;
	rise(h, h->n, node);
}

void heap_remove(struct heap *h, struct heap_node *node)
{
	uint32_t place = node->place;
	struct heap_node *last;

	if (place == 0)
		return;
	last = h->nodes[h->n - 1];
	h->n--;
	node->place = 0;
	if (last == node)
		return;
	if (place > 1 && h->before(last, h->nodes[place / 2 - 1]))
		rise(h, place, last);
	else
		sink(h, place, last);
}
