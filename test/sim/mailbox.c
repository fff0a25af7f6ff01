/* net/mailbox.h of the simulator. One thread; each letter waits for a turn of the reader's loop. */
#include "net/mailbox.h"

#include "base/mem.h"
#include "sim.h"

struct mailbox {
	struct letters letters;
	struct loop *loop;
	void (*read)(void *owner, struct letter *letter);
	void *owner;
};

struct mailbox *mailbox_new(struct loop *l, void (*read)(void *owner, struct letter *letter), void *owner)
{
	struct mailbox *m = mem_new(struct mailbox);

	if (m == NULL)
		return NULL;
	letters_init(&m->letters);
	m->loop = l;
	m->read = read;
	m->owner = owner;
	sim_loop_set_mailbox(l, m);
	return m;
}

void mailbox_free(struct mailbox *m)
{
	if (m == NULL)
		return;
	sim_loop_set_mailbox(m->loop, NULL);
	mem_free(m);
}

void mailbox_post(struct mailbox *m, struct letter *letter)
{
	letters_add(&m->letters, letter);
}

bool sim_mailbox_has(const struct mailbox *m)
{
	return m->letters.first != NULL;
}

/* The first letters, at most so many, of those that are there now: order is kept. */
bool sim_mailbox_deliver(struct mailbox *m, uint32_t most)
{
	struct letters now = m->letters;
	struct letter *letter, *later;

	if (now.first == NULL)
		return false;
	letters_init(&m->letters);
	for (; most > 0 && (letter = letters_take(&now)) != NULL; most--)
		m->read(m->owner, letter);
	if (now.first == NULL)
		return true;
	/* the rest goes before what has come meanwhile */
	later = m->letters.first;
	*now.end = later;
	if (later == NULL)
		m->letters.end = now.end;
	m->letters.first = now.first;
	return true;
}
