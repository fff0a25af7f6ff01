/*
 * Doubly linked lists that live inside the things they link. A list head and
 * a node are the same structure; a node that is on no list points at itself,
 * so removing it twice is harmless.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

struct list {
	struct list *next, *prev;
};

/* Makes an empty list, or a node that is on no list. */
static inline void list_init(struct list *l)
{
	l->next = l->prev = l;
}

/* True for an empty list, and for a node that is on no list. */
static inline bool list_is_empty(const struct list *l)
{
	return l->next == l;
}

static inline void list_insert_between(struct list *node, struct list *prev, struct list *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = node;
	next->prev = node;
}

/* `node` must be on no list. */
static inline void list_add_tail(struct list *head, struct list *node)
{
	list_insert_between(node, head->prev, head);
}

/* `node` must be on no list. */
static inline void list_add_head(struct list *head, struct list *node)
{
	list_insert_between(node, head, head->next);
}

/* Takes `node` off whatever list it is on, if any. */
static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* First and last node, or NULL when the list is empty. */
static inline struct list *list_first(const struct list *head)
{
	return head->next == head ? NULL : head->next;
}

static inline struct list *list_last(const struct list *head)
{
	return head->prev == head ? NULL : head->prev;
}

/* Takes the first node off the list and returns it; NULL when the list is empty. */
static inline struct list *list_take_first(struct list *head)
{
	struct list *node = list_first(head);

	if (node != NULL)
		list_remove(node);
	return node;
}

/* Moves all nodes of `from` to the end of `to`; `from` is empty afterwards. */
static inline void list_move_all(struct list *to, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

/* Walks a list whose nodes are not removed during the walk. */
#define list_each(node, head) for ((node) = (head)->next; (node) != (head); (node) = (node)->next)

/* How many nodes it has: it counts them. */
static inline unsigned list_count(const struct list *head)
{
	const struct list *node;
	unsigned n = 0;

	list_each (node, head)
		n++;
	return n;
}

/* Walks a list; `node` itself may be removed or freed during its step. */
#define list_each_safe(node, after, head)                                                                              \
	for ((node) = (head)->next, (after) = (node)->next; (node) != (head); (node) = (after), (after) = (node)->next)

#endif
