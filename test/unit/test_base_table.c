/* base/table: finding, removing, walking, growing, and working on without memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/table.h"
#include "failing_mem.h"

#define N 1000

struct item {
	struct table_node node;
	uint32_t key;
	int seen;
};

static bool same(const struct table_node *node, const void *key)
{
	const struct item *item = container_of_const(node, struct item, node);

	return item->key == *(const uint32_t *)key;
}

static struct item *find(const struct table *t, uint32_t key)
{
	struct table_node *node = table_find(t, table_hash(t, &key, sizeof(key)), same, &key);

	return node == NULL ? NULL : container_of(node, struct item, node);
}

static void fill(struct table *t, struct item *items)
{
	memset(items, 0, N * sizeof(*items));
	for (uint32_t i = 0; i < N; i++) {
		items[i].key = i;
		table_add(t, &items[i].node, table_hash(t, &i, sizeof(i)));
	}
}

/* Every item from `first` on in steps of `step` is found and met once, no other one is. */
static void expect_items(const struct table *t, struct item *items, uint32_t first, uint32_t step)
{
	uint32_t count = 0;

	for (const struct table_node *node = table_next(t, NULL); node != NULL; node = table_next(t, node))
		items[container_of_const(node, struct item, node)->key].seen++;
	for (uint32_t i = 0; i < N; i++) {
		bool in = i >= first && (i - first) % step == 0;

		assert_ptr_equal(find(t, i), in ? &items[i] : NULL);
		assert_int_equal(items[i].seen, in ? 1 : 0);
		items[i].seen = 0;
		count += in;
	}
	assert_int_equal(t->count, count);
}

static void an_empty_table_finds_and_walks_nothing(void **state)
{
	struct table t;

	(void)state;
	table_init(&t, 7);
	assert_null(find(&t, 1));
	assert_null(table_next(&t, NULL));
	assert_int_equal(mem_blocks, 0);
	table_fini(&t);
}

static void everything_added_is_found_and_met_once(void **state)
{
	struct table t;
	static struct item items[N];

	(void)state;
	table_init(&t, 7);
	fill(&t, items);
	assert_true(t.n_buckets >= N / 2);
	expect_items(&t, items, 0, 1);
	table_fini(&t);
	assert_int_equal(mem_blocks, 0);
	assert_null(find(&t, 1));
}

static void removed_things_are_gone_and_others_stay(void **state)
{
	struct table t;
	static struct item items[N];

	(void)state;
	table_init(&t, 7);
	fill(&t, items);
	for (uint32_t i = 0; i < N; i += 2)
		table_remove(&t, &items[i].node);
	expect_items(&t, items, 1, 2);
	for (uint32_t i = N; i-- > 0;)
		if (i % 2 == 1)
			table_remove(&t, &items[i].node);
	expect_items(&t, items, N, 1);
	table_fini(&t);
	assert_int_equal(mem_blocks, 0);
}

static void without_memory_it_works_on_with_longer_chains(void **state)
{
	(void)state;
	for (size_t n = 1; n < 12; n++) {
		struct table t;
		static struct item items[N];

		table_init(&t, 7);
		mem_until_failure = n;
		fill(&t, items);
		mem_until_failure = 0;
		assert_int_equal(t.n_buckets, 1u << (n - 1 < 10 ? n - 1 : 10));
		expect_items(&t, items, 0, 1);
		table_fini(&t);
		assert_int_equal(mem_blocks, 0);
	}
}

static void equal_hashes_are_told_apart_by_the_key(void **state)
{
	struct table t;
	struct item items[3] = {{.key = 10}, {.key = 11}, {.key = 12}};
	uint32_t key = 11;

	(void)state;
	table_init(&t, 0);
	for (int i = 0; i < 3; i++)
		table_add(&t, &items[i].node, 5);
	assert_ptr_equal(table_find(&t, 5, same, &key), &items[1].node);
	assert_null(table_find(&t, 6, same, &key));
	table_remove(&t, &items[1].node);
	assert_null(table_find(&t, 5, same, &key));
	key = 12;
	assert_ptr_equal(table_find(&t, 5, same, &key), &items[2].node);
	table_fini(&t);
}

static void a_removed_thing_may_come_back(void **state)
{
	struct table t;
	struct item item = {.key = 3};

	(void)state;
	table_init(&t, 1);
	for (int i = 0; i < 3; i++) {
		table_add(&t, &item.node, table_hash(&t, &item.key, sizeof(item.key)));
		assert_ptr_equal(find(&t, 3), &item);
		table_remove(&t, &item.node);
		assert_null(find(&t, 3));
	}
	table_fini(&t);
	assert_int_equal(mem_blocks, 0);
}

static void hashes_depend_on_seed_bytes_and_length(void **state)
{
	struct table a, b;

	(void)state;
	table_init(&a, 1);
	table_init(&b, 2);
	assert_int_equal(table_hash(&a, "name", 4), table_hash(&a, "name", 4));
	assert_int_not_equal(table_hash(&a, "name", 4), table_hash(&b, "name", 4));
	assert_int_not_equal(table_hash(&a, "name", 4), table_hash(&a, "nbme", 4));
	assert_int_not_equal(table_hash(&a, "a\0", 1), table_hash(&a, "a\0", 2));
	table_fini(&a);
	table_fini(&b);
}

static void hashes_of_similar_names_spread_over_the_low_bits(void **state)
{
	struct table t;
	unsigned in_bucket[64] = {0};

	(void)state;
	table_init(&t, 99);
	for (uint32_t i = 0; i < 6400; i++)
		in_bucket[table_hash(&t, &i, sizeof(i)) % 64]++;
	for (int i = 0; i < 64; i++) {
		assert_true(in_bucket[i] > 50);
		assert_true(in_bucket[i] < 150);
	}
	table_fini(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_table_finds_and_walks_nothing),
	    cmocka_unit_test(everything_added_is_found_and_met_once),
	    cmocka_unit_test(removed_things_are_gone_and_others_stay),
	    cmocka_unit_test(without_memory_it_works_on_with_longer_chains),
	    cmocka_unit_test(equal_hashes_are_told_apart_by_the_key),
	    cmocka_unit_test(a_removed_thing_may_come_back),
	    cmocka_unit_test(hashes_depend_on_seed_bytes_and_length),
	    cmocka_unit_test(hashes_of_similar_names_spread_over_the_low_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
