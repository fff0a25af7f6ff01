/*
 * Mailboxes. Any thread posts; the loop's thread reads once a turn. Only a post
 * to a loop that said it sleeps costs a system call, and only the first one.
 */
#include "net/mailbox.h"

#include <event2/event_struct.h>

#include "base/mem.h"
#include "net/loop_private.h"
#include "os/lock.h"
#include "os/wakeup.h"

struct mailbox {
	/* guarded by: lock */
	struct lock lock;
	struct letters letters;
	bool asleep; /* the loop sleeps or is about to, and nobody has rung yet */

	/* the loop's thread */
	struct loop *loop;
	void (*read)(void *owner, struct letter *letter);
	void *owner;
	struct event event;
	bool must_clear; /* no edge-triggering here */

	struct wakeup wakeup; /* any thread may ring */
};

static void mailbox_rung(evutil_socket_t fd, short what, void *arg)
{
	struct mailbox *m = (struct mailbox *)arg;

	(void)fd;
	(void)what;
	loop_woke(m->loop);
	if (m->must_clear)
		wakeup_clear(&m->wakeup);
	/* the letters are read later in this turn */
}

static bool mailbox_register(struct mailbox *m)
{
	struct event_base *base = loop_base(m->loop);
	short what = EV_READ | EV_PERSIST;

	m->must_clear = wakeup_needs_clearing(&m->wakeup) || (event_base_get_features(base) & EV_FEATURE_ET) == 0;
	if (!m->must_clear)
		what |= EV_ET;
	if (event_assign(&m->event, base, m->wakeup.read_fd, what, mailbox_rung, m) != 0)
		return false;
	return event_add(&m->event, NULL) == 0;
}

struct mailbox *mailbox_new(struct loop *l, void (*read)(void *owner, struct letter *letter), void *owner)
{
	struct mailbox *m = mem_new(struct mailbox);

	if (m == NULL)
		return NULL;
	m->loop = l;
	m->read = read;
	m->owner = owner;
	letters_init(&m->letters);
	if (!wakeup_init(&m->wakeup)) {
		mem_free(m);
		return NULL;
	}
	if (!mailbox_register(m) || !loop_set_mailbox(l, m)) {
		event_del(&m->event);
		wakeup_fini(&m->wakeup);
		mem_free(m);
		return NULL;
	}
	lock_init(&m->lock);
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	loop_drop_mailbox(m->loop);
	event_del(&m->event);
	wakeup_fini(&m->wakeup);
	lock_fini(&m->lock);
	mem_free(m);
}

void mailbox_post(struct mailbox *m, struct letter *letter)
{
	bool ring;

	lock_take(&m->lock);
	letters_add(&m->letters, letter);
	ring = m->asleep;
	m->asleep = false;
	lock_drop(&m->lock);
	if (ring)
		wakeup_ring(&m->wakeup);
}

bool mailbox_may_sleep(struct mailbox *m)
{
	bool empty;

	lock_take(&m->lock);
	empty = m->letters.first == NULL;
	m->asleep = empty;
	lock_drop(&m->lock);
	return empty;
}

/* What is posted meanwhile waits for the next turn: nobody can keep this thread here. */
void mailbox_deliver(struct mailbox *m)
{
	struct letter *letter;

	lock_take(&m->lock);
	m->asleep = false;
	letter = m->letters.first;
	letters_init(&m->letters);
	lock_drop(&m->lock);
	while (letter != NULL) {
		struct letter *next = letter->next;

		m->read(m->owner, letter);
		letter = next;
	}
}
