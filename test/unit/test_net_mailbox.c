/* Mailboxes between real threads: nothing lost, nothing out of order, nobody asleep over letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/mem.h"
#include "net/mailbox.h"
#include "os/thread.h"
#include "until.h"

#define N_LETTERS 10000
#define N_SENDERS 2

struct numbered {
	struct letter letter;
	int sender, number;
};

struct receiver {
	struct loop *loop;
	struct mailbox *box;
	int next[N_SENDERS]; /* number expected of each sender */
	int n, wrong;
};

static void receive(void *owner, struct letter *letter)
{
	struct receiver *r = (struct receiver *)owner;
	struct numbered *l = container_of(letter, struct numbered, letter);

	r->n++;
	if (r->next[l->sender]++ != l->number)
		r->wrong++;
	mem_free(l);
}

static void receiver_init(struct receiver *r)
{
	*r = (struct receiver){.loop = loop_new()};
	assert_non_null(r->loop);
	r->box = mailbox_new(r->loop, receive, r);
	assert_non_null(r->box);
}

static void receiver_fini(struct receiver *r)
{
	mailbox_free(r->box);
	loop_free(r->loop);
}

struct sender {
	struct thread thread;
	struct mailbox *to;
	int number;
};

static void post_numbered(struct mailbox *to, int sender, int number)
{
	struct numbered *l = mem_new(struct numbered);

	if (l == NULL)
		return;
	l->sender = sender;
	l->number = number;
	mailbox_post(to, &l->letter);
}

static void *send_all(void *arg)
{
	struct sender *s = (struct sender *)arg;

	for (int i = 0; i < N_LETTERS; i++)
		post_numbered(s->to, s->number, i);
	return NULL;
}

static bool all_received(void *arg)
{
	return ((struct receiver *)arg)->n == N_SENDERS * N_LETTERS;
}

static void letters_of_each_sender_arrive_complete_and_in_order(void **state)
{
	struct sender s[N_SENDERS];
	struct receiver r;

	(void)state;
	receiver_init(&r);
	for (int i = 0; i < N_SENDERS; i++) {
		s[i].to = r.box;
		s[i].number = i;
		assert_true(thread_start(&s[i].thread, "sender", send_all, &s[i]));
	}
	assert_true(run_until(r.loop, all_received, &r));
	for (int i = 0; i < N_SENDERS; i++)
		thread_join(&s[i].thread);
	assert_int_equal(r.wrong, 0);
	receiver_fini(&r);
}

/* Two loops that answer each letter with the next: after each one both are about to sleep. */
struct player {
	struct loop *loop;
	struct mailbox *box;
	struct player *other;
	int limit;
};

struct ball {
	struct letter letter;
	int hits;
};

static void hit(void *owner, struct letter *letter)
{
	struct player *p = (struct player *)owner;
	struct ball *ball = container_of(letter, struct ball, letter);
	bool last = ball->hits >= p->limit; /* the other one has stopped */
	bool stop = ball->hits >= p->limit - 1;

	ball->hits++;
	if (!last)
		mailbox_post(p->other->box, letter);
	if (stop)
		loop_stop(p->loop);
}

static void *play(void *arg)
{
	loop_run(((struct player *)arg)->loop);
	return NULL;
}

static void no_wake_up_is_lost_between_two_loops_that_both_fall_asleep(void **state)
{
	struct player p[2];
	struct thread thread;
	struct ball ball = {.hits = 0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		p[i] = (struct player){loop_new(), NULL, &p[1 - i], 10000};
		assert_non_null(p[i].loop);
		p[i].box = mailbox_new(p[i].loop, hit, &p[i]);
		assert_non_null(p[i].box);
	}
	assert_true(thread_start(&thread, "player", play, &p[1]));
	mailbox_post(p[0].box, &ball.letter);
	loop_run(p[0].loop);
	thread_join(&thread);
	assert_int_equal(ball.hits, 10001);
	for (int i = 0; i < 2; i++) {
		mailbox_free(p[i].box);
		loop_free(p[i].loop);
	}
}

struct echo {
	struct loop *loop;
	struct mailbox *box;
	struct letter letter;
	int turn, read_in_turn[3], n;
};

static void read_and_post_again(void *owner, struct letter *letter)
{
	struct echo *e = (struct echo *)owner;

	e->read_in_turn[e->n++] = e->turn;
	if (e->n < 3)
		mailbox_post(e->box, letter);
}

static bool echo_is_over(void *arg)
{
	struct echo *e = (struct echo *)arg;

	e->turn++;
	return e->n == 3;
}

static void letter_to_oneself_is_read_in_the_next_turn(void **state)
{
	struct echo e = {.loop = loop_new()};

	(void)state;
	e.box = mailbox_new(e.loop, read_and_post_again, &e);
	assert_non_null(e.box);
	mailbox_post(e.box, &e.letter);
	assert_true(run_until(e.loop, echo_is_over, &e));
	assert_int_equal(e.read_in_turn[1], e.read_in_turn[0] + 1);
	assert_int_equal(e.read_in_turn[2], e.read_in_turn[0] + 2);
	mailbox_free(e.box);
	loop_free(e.loop);
}

static void loop_has_at_most_one_mailbox(void **state)
{
	struct receiver r;

	(void)state;
	receiver_init(&r);
	assert_null(mailbox_new(r.loop, receive, &r));
	receiver_fini(&r);
	mailbox_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(letters_of_each_sender_arrive_complete_and_in_order),
	    cmocka_unit_test(no_wake_up_is_lost_between_two_loops_that_both_fall_asleep),
	    cmocka_unit_test(letter_to_oneself_is_read_in_the_next_turn),
	    cmocka_unit_test(loop_has_at_most_one_mailbox),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
