/*
 * A thread's mailbox. Posting is a lock, a link and, only if the receiver sleeps,
 * one system call. Letters from one thread arrive in the order they were posted.
 */
#ifndef NET_MAILBOX_H
#define NET_MAILBOX_H

#include "base/attr.h"
#include "base/letter.h"

struct loop;
struct mailbox;

/* Letters are given to `read(owner, letter)` on the loop's thread, once a turn, before the loop's turn function. NULL:
 * out of memory. */
struct mailbox *mailbox_new(struct loop *l, void (*read)(void *owner, struct letter *letter), void *owner) MUST_USE;
void mailbox_free(struct mailbox *m);

/* Any thread. Never fails. The letter belongs to the receiver until it has been read. */
void mailbox_post(struct mailbox *m, struct letter *letter);

#endif
