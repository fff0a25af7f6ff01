/* base/list: order, removing twice, walking while removing, moving whole lists. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include <cmocka.h>

struct item {
	int number;
	struct list node;
};

/* The numbers on the list, front first, as one decimal number; read backwards they must be the same. */
static int numbers(const struct list *head)
{
	int forward = 0, backward = 0, scale = 1;

	for (const struct list *node = head->next; node != head; node = node->next)
		forward = forward * 10 + container_of_const(node, struct item, node)->number;
	for (const struct list *node = head->prev; node != head; node = node->prev) {
		backward += scale * container_of_const(node, struct item, node)->number;
		scale *= 10;
	}
	assert_int_equal(forward, backward);
	return forward;
}

static void make_items(struct item *items, int n)
{
	for (int i = 0; i < n; i++) {
		items[i].number = i + 1;
		list_init(&items[i].node);
	}
}

static void a_new_list_is_empty(void **state)
{
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_is_empty(&head));
	assert_null(list_first(&head));
	assert_null(list_last(&head));
	assert_null(list_take_first(&head));
	assert_int_equal(numbers(&head), 0);
}

static void nodes_keep_the_order_of_adding(void **state)
{
	struct list head;
	struct item items[4];

	(void)state;
	list_init(&head);
	make_items(items, 4);
	list_add_tail(&head, &items[1].node);
	list_add_tail(&head, &items[2].node);
	list_add_head(&head, &items[0].node);
	list_add_tail(&head, &items[3].node);
	assert_int_equal(numbers(&head), 1234);
	assert_ptr_equal(list_first(&head), &items[0].node);
	assert_ptr_equal(list_last(&head), &items[3].node);
	assert_false(list_is_empty(&head));
	assert_false(list_is_empty(&items[2].node));
}

static void removing_works_anywhere_and_twice(void **state)
{
	struct list head;
	struct item items[4];

	(void)state;
	list_init(&head);
	make_items(items, 4);
	for (int i = 0; i < 4; i++)
		list_add_tail(&head, &items[i].node);
	list_remove(&items[1].node);
	assert_int_equal(numbers(&head), 134);
	assert_true(list_is_empty(&items[1].node));
	list_remove(&items[1].node);
	assert_int_equal(numbers(&head), 134);
	list_remove(&items[3].node);
	assert_int_equal(numbers(&head), 13);
	list_remove(&items[0].node);
	list_remove(&items[2].node);
	assert_true(list_is_empty(&head));
}

static void taking_first_goes_from_front_to_end(void **state)
{
	struct list head;
	struct item items[3];

	(void)state;
	list_init(&head);
	make_items(items, 3);
	for (int i = 0; i < 3; i++)
		list_add_tail(&head, &items[i].node);
	for (int i = 0; i < 3; i++) {
		assert_ptr_equal(list_take_first(&head), &items[i].node);
		assert_true(list_is_empty(&items[i].node));
	}
	assert_null(list_take_first(&head));
}

static void moving_all_appends_and_empties(void **state)
{
	struct list to, from;
	struct item items[4];

	(void)state;
	list_init(&to);
	list_init(&from);
	make_items(items, 4);
	list_add_tail(&to, &items[0].node);
	for (int i = 1; i < 4; i++)
		list_add_tail(&from, &items[i].node);
	list_move_all(&to, &from);
	assert_int_equal(numbers(&to), 1234);
	assert_true(list_is_empty(&from));
	list_move_all(&to, &from);
	assert_int_equal(numbers(&to), 1234);
	list_move_all(&from, &to);
	assert_int_equal(numbers(&from), 1234);
	assert_true(list_is_empty(&to));
}

static void a_walk_meets_each_node_once(void **state)
{
	struct list head, *node;
	struct item items[3];
	int met = 0;

	(void)state;
	list_init(&head);
	make_items(items, 3);
	for (int i = 0; i < 3; i++)
		list_add_tail(&head, &items[i].node);
	list_each (node, &head)
		met = met * 10 + container_of(node, struct item, node)->number;
	assert_int_equal(met, 123);
}

static void a_safe_walk_survives_removing(void **state)
{
	struct list head, *node, *after;
	struct item items[4];

	(void)state;
	list_init(&head);
	make_items(items, 4);
	for (int i = 0; i < 4; i++)
		list_add_tail(&head, &items[i].node);
	list_each_safe (node, after, &head) {
		if (container_of(node, struct item, node)->number % 2 == 1)
			list_remove(node);
	}
	assert_int_equal(numbers(&head), 24);
	list_each_safe (node, after, &head) {
		list_remove(node);
	}
	assert_true(list_is_empty(&head));
}

static void counting_counts_the_nodes(void **state)
{
	struct list head;
	struct item items[3];

	(void)state;
	list_init(&head);
	make_items(items, 3);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(list_count(&head), i);
		list_add_tail(&head, &items[i].node);
	}
	assert_int_equal(list_count(&head), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_new_list_is_empty),
	    cmocka_unit_test(nodes_keep_the_order_of_adding),
	    cmocka_unit_test(removing_works_anywhere_and_twice),
	    cmocka_unit_test(taking_first_goes_from_front_to_end),
	    cmocka_unit_test(moving_all_appends_and_empties),
	    cmocka_unit_test(a_walk_meets_each_node_once),
	    cmocka_unit_test(a_safe_walk_survives_removing),
	    cmocka_unit_test(counting_counts_the_nodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
