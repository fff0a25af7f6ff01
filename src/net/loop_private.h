/* What the other files of net/ need from a loop. The loop's own thread only. */
#ifndef NET_LOOP_PRIVATE_H
#define NET_LOOP_PRIVATE_H

#include <event2/event.h>
#include <stdbool.h>

#include "base/list.h"
#include "net/loop.h"

struct mailbox;

/* Something to be done later in the loop; embedded. On at most one of the lists below. */
struct loop_task {
	struct list node;
	void (*run)(struct loop_task *task);
};

struct event_base *loop_base(struct loop *l);

/* Every libevent callback calls this first: the first one of a turn reads the clock. */
void loop_woke(struct loop *l);

/* In the next turn, which will not sleep before: for bytes that no descriptor announces. */
void loop_again(struct loop *l, struct loop_task *task);

/* After the owner's turn function, before sleeping: for registrations, so that what is undone in the same turn costs
   nothing. May add to the again list. */
void loop_before_sleep(struct loop *l, struct loop_task *task);

void loop_task_init(struct loop_task *task, void (*run)(struct loop_task *task));

/* Takes it off whatever list it is on. */
static inline void loop_task_cancel(struct loop_task *task)
{
	list_remove(&task->node);
}

/* A loop has at most one mailbox: false if it already has one. */
bool loop_set_mailbox(struct loop *l, struct mailbox *m) MUST_USE;
void loop_drop_mailbox(struct loop *l);

/* Whether another step of a TLS handshake may be made in this turn: a login storm shall not starve the others. */
bool loop_may_shake_hands(struct loop *l);

/* In mailbox.c. True: it is empty, and from now on a post wakes the loop. */
bool mailbox_may_sleep(struct mailbox *m) MUST_USE;
/* Gives all letters to the owner. */
void mailbox_deliver(struct mailbox *m);

#endif
