/* Priority queues: order, and how many comparisons it takes with as many nodes as there may be clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/heap.h"
#include "base/list.h"

#define MANY 100000u
/* 2 to the power of 17 is more than MANY: a step down compares twice, a step up once */
#define MOST_COMPARISONS (2 * 17 + 1)

struct thing {
	uint64_t key;
	struct heap_node node;
};

static struct thing things[MANY];
static struct heap heap;
static unsigned n_compared;
static uint32_t seed;

static uint64_t key_of(const struct heap_node *node)
{
	return container_of_const(node, struct thing, node)->key;
}

static bool before(const struct heap_node *a, const struct heap_node *b)
{
	n_compared++;
	return key_of(a) < key_of(b);
}

static uint32_t any_number(void)
{
	seed = seed * 1664525u + 1013904223u;
	return seed >> 8;
}

static int set_up(void **state)
{
	(void)state;
	memset(things, 0, sizeof(things));
	seed = 1;
	heap_init(&heap, before);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	heap_fini(&heap);
	return 0;
}

static void add(struct thing *t, uint64_t key)
{
	n_compared = 0;
	t->key = key;
	heap_add(&heap, &t->node);
	assert_true(n_compared <= MOST_COMPARISONS);
}

static void remove_one(struct thing *t)
{
	n_compared = 0;
	heap_remove(&heap, &t->node);
	assert_false(heap_has(&t->node));
	assert_true(n_compared <= MOST_COMPARISONS);
}

static void empty_heap_has_no_first(void **state)
{
	(void)state;
	assert_null(heap_first(&heap));
	heap_remove(&heap, &things[0].node);
	assert_true(heap_reserve(&heap, 1));
	add(&things[0], 5);
	assert_ptr_equal(heap_first(&heap), &things[0].node);
	remove_one(&things[0]);
	assert_null(heap_first(&heap));
}

/* Against a search through all: every order of adding and removing that a few thousand random steps try. */
static void first_is_always_the_smallest(void **state)
{
	enum { FEW = 40 };

	(void)state;
	assert_true(heap_reserve(&heap, FEW));
	for (int step = 0; step < 20000; step++) {
		struct thing *t = &things[any_number() % FEW];
		uint64_t least = UINT64_MAX;
		uint32_t n = 0;

		if (heap_has(&t->node))
			remove_one(t);
		else
			add(t, any_number() % 30);
		for (int i = 0; i < FEW; i++) {
			if (!heap_has(&things[i].node))
				continue;
			n++;
			if (things[i].key < least)
				least = things[i].key;
		}
		assert_int_equal(heap.n, n);
		if (n > 0)
			assert_true(key_of(heap_first(&heap)) == least);
	}
}

/* In any order of coming: the worst single step stays below MOST_COMPARISONS (see add and remove_one). */
static void hundred_thousand_nodes_take_few_comparisons(void **state)
{
	(void)state;
	assert_true(heap_reserve(&heap, MANY));
	for (int order = 0; order < 3; order++) {
		uint64_t last = 0;

		for (uint32_t i = 0; i < MANY; i++)
			add(&things[i], order == 0 ? i : order == 1 ? MANY - i : any_number());
		for (uint32_t i = 0; i < MANY / 2; i++) {
			struct thing *t = &things[any_number() % MANY];

			remove_one(t);
			add(t, any_number());
		}
		while (heap_first(&heap) != NULL) {
			struct thing *t = container_of(heap_first(&heap), struct thing, node);

			assert_true(t->key >= last);
			last = t->key;
			remove_one(t);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(empty_heap_has_no_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(first_is_always_the_smallest, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(hundred_thousand_nodes_take_few_comparisons, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
