/*
 * Four loops on four threads send one another letters, at random, and sleep whenever they have none: every letter
 * arrives, letters from one thread to another in their order, and nobody sleeps through one.
 */
#include "base/letter.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "stress.h"

#define THREADS 4
#define LETTERS 16  /* of each thread, under way at the same time */
#define HOPS 600000 /* in all */

struct item {
	struct letter letter;
	unsigned from;
	uint64_t number;  /* among all from that thread to the present reader */
	uint64_t content; /* not atomic: the mailbox alone makes it safe */
};

struct post {
	unsigned me;
	struct loop *loop;
	struct mailbox *box;
	uint64_t sent_to[THREADS], read_from[THREADS];
	uint32_t seed;
	struct item item[LETTERS];
	struct letter goodbye;
};

static struct post posts[THREADS];
static atomic_uint n_hops;
static atomic_uint n_home; /* letters that have come to rest */

enum { ITEM, GOODBYE };

static void send(struct post *p, struct item *i)
{
	unsigned to = stress_random(&p->seed) % THREADS;

	i->from = p->me;
	i->number = ++p->sent_to[to];
	i->content = i->number * 3 + i->from;
	i->letter.kind = ITEM;
	mailbox_post(posts[to].box, &i->letter);
}

/* All letters rest: everybody may go home. */
static void say_goodbye(void)
{
	for (unsigned i = 0; i < THREADS; i++) {
		posts[i].goodbye.kind = GOODBYE;
		mailbox_post(posts[i].box, &posts[i].goodbye);
	}
}

static void read_letter(void *owner, struct letter *letter)
{
	struct post *p = (struct post *)owner;
	struct item *i = (struct item *)(void *)letter;

	if (letter->kind == GOODBYE) {
		loop_stop(p->loop);
		return;
	}
	EXPECT(i->number == ++p->read_from[i->from]);
	EXPECT(i->content == i->number * 3 + i->from);
	if (atomic_fetch_add(&n_hops, 1) < HOPS)
		send(p, i);
	else if (atomic_fetch_add(&n_home, 1) + 1 == THREADS * LETTERS)
		say_goodbye();
}

static void *run(void *arg)
{
	struct post *p = (struct post *)arg;

	for (unsigned i = 0; i < LETTERS; i++)
		send(p, &p->item[i]);
	loop_run(p->loop);
	return NULL;
}

int main(void)
{
	pthread_t thread[THREADS];
	uint64_t sent = 0, received = 0;

	for (unsigned i = 0; i < THREADS; i++) {
		posts[i].me = i;
		posts[i].seed = i + 1;
		posts[i].loop = loop_new();
		must(posts[i].loop != NULL, "a loop");
		posts[i].box = mailbox_new(posts[i].loop, read_letter, &posts[i]);
		must(posts[i].box != NULL, "a mailbox");
	}
	for (unsigned i = 0; i < THREADS; i++)
		thread[i] = start_thread(run, &posts[i]);
	for (unsigned i = 0; i < THREADS; i++)
		join_thread(thread[i]);
	for (unsigned i = 0; i < THREADS; i++)
		for (unsigned k = 0; k < THREADS; k++) {
			EXPECT(posts[i].sent_to[k] == posts[k].read_from[i]);
			sent += posts[i].sent_to[k];
			received += posts[k].read_from[i];
		}
	EXPECT(sent == received && sent >= HOPS);
	for (unsigned i = 0; i < THREADS; i++) {
		mailbox_free(posts[i].box);
		loop_free(posts[i].loop);
	}
	return stress_result((unsigned)received);
}
