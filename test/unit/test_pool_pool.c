/* Tests of src/pool/pool.c. */
#include "pool/found_secret.h"
#include "pool_bench.h"

struct bench {
	struct pool *p;
	struct seat *a, *b;
	struct place place[6], *pl;
	struct waiter w[6], *to;
	struct seat *seat_of[6];
	struct letters out;
};

static struct bench *begin(uint16_t n_seats, const char *globals)
{
	struct bench *t = (struct bench *)calloc(1, sizeof(*t));

	assert_non_null(t);
	t->p = bench_pool(n_seats, globals);
	t->a = &t->p->seat[0];
	t->b = &t->p->seat[n_seats - 1];
	letters_init(&t->out);
	return t;
}

static void end(struct bench *t)
{
	for (int i = 0; i < 6; i++)
		if (t->w[i].queued)
			pool_leave(t->seat_of[i], &t->w[i]);
	bench_end(t->p, t->place, 6);
	free(t);
}

static enum borrowed borrow(struct bench *t, struct seat *s, int w, uint64_t now_us)
{
	t->seat_of[w] = s;
	return bench_borrow(s, &t->w[w], now_us, &t->pl, &t->out);
}

static enum settled settle(struct bench *t, int place, uint64_t now_us)
{
	return bench_settle(&t->place[place], now_us, &t->to, &t->out);
}

/* ---- borrowing ---- */

static void own_idle_server_is_lent_at_once(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	assert_ptr_equal(t->pl, &t->place[0]);
	assert_int_equal(t->place[0].state, PLACE_LENT);
	assert_int_equal(t->a->n_lent, 1);
	assert_null(t->out.first);
	end(t);
}

static void server_used_last_is_lent_first(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW + 1);
	assert_int_equal(borrow(t, t->a, 0, NOW + 2), BORROWED);
	assert_ptr_equal(t->pl, &t->place[1]);
	end(t);
}

static void round_robin_lends_the_server_idle_longest(void **state)
{
	struct bench *t = begin(1, "server_round_robin=1");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW + 1);
	assert_int_equal(borrow(t, t->a, 0, NOW + 2), BORROWED);
	assert_ptr_equal(t->pl, &t->place[0]);
	end(t);
}

static void waiter_is_served_before_newcomer(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + 1), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 2), SETTLED_LENT);
	assert_ptr_equal(t->to, &t->w[0]);
	assert_false(t->w[0].queued);
	assert_int_equal(settle(t, 0, NOW + 3), SETTLED_LENT);
	assert_ptr_equal(t->to, &t->w[1]);
	assert_int_equal(settle(t, 0, NOW + 4), SETTLED_IDLE);
	end(t);
}

static void want_is_asked_once_until_main_allows_it_again(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	assert_int_equal(borrow(t, t->b, 1, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	pool_may_ask(t->p, false, &t->out);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	pool_may_ask(t->p, true, &t->out);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	end(t);
}

static void nobody_asks_for_more_than_is_on_its_way(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	pool_count_opening(t->a);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	assert_int_equal(borrow(t, t->a, 1, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	pool_open_failed(t->a, NOW, &t->out);
	end(t);
}

static void failed_attempt_lets_the_seat_ask_again(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	pool_count_opening(t->a);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	pool_open_failed(t->a, NOW, &t->out);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	end(t);
}

static void closed_pool_lends_nothing(void **state)
{
	struct bench *t = begin(1, "");
	struct shared *welcome = NULL;
	struct outage *outage = NULL;

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	pool_set_state(t->p, POOL_CLOSED, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_CLOSED);
	assert_int_equal(pool_greet(t->a, &t->w[0], NOW, &welcome, &outage, &t->out), BORROW_CLOSED);
	end(t);
}

static void waiter_that_left_is_not_served(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW), BORROW_WAITS);
	pool_leave(t->a, &t->w[0]);
	pool_leave(t->a, &t->w[0]); /* harmless */
	assert_int_equal(t->a->n_waiting, 1);
	assert_int_equal(settle(t, 0, NOW + 1), SETTLED_LENT);
	assert_ptr_equal(t->to, &t->w[1]);
	end(t);
}

static void client_of_a_bad_server_goes_back_to_where_it_was(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_open(t->a, &t->place[1], NOW);
	for (int i = 0; i < 3; i++)
		assert_int_equal(borrow(t, t->a, i, NOW + (unsigned)i), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 5), SETTLED_LENT);
	assert_int_equal(settle(t, 1, NOW + 5), SETTLED_LENT);
	/* the first comes back first, then the second: their order stays */
	pool_requeue(t->a, &t->w[0], &t->out, NOW + 6);
	pool_requeue(t->a, &t->w[1], &t->out, NOW + 6);
	assert_null(pool_check(t->p));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(settle(t, 0, NOW + 7), SETTLED_LENT);
		assert_ptr_equal(t->to, &t->w[i]);
	}
	end(t);
}

static void client_lent_at_once_waits_from_then_when_its_server_was_bad(void **state)
{
	struct bench *t = begin(1, "query_wait_timeout=10");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	assert_true(pool_gone(&t->place[0], NOW, &t->out));
	pool_requeue(t->a, &t->w[0], &t->out, NOW);
	assert_int_equal(pool_due(t->a, NOW + 9 * US_PER_S, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + 10 * US_PER_S, &w, &outage), DUE_WAIT_TIMEOUT);
	assert_ptr_equal(w, &t->w[0]);
	end(t);
}

static void requeued_client_gets_the_other_idle_server_of_its_seat(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	assert_true(pool_gone(t->pl, NOW, &t->out));
	pool_requeue(t->a, &t->w[0], &t->out, NOW);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	assert_true(pool_give_read(&t->place[0]));
	assert_int_equal(t->place[0].letter.to, 0);
	assert_int_equal(pool_letter_read(&t->place[0]), PLACE_MOVING);
	assert_int_equal(settle(t, 0, NOW), SETTLED_LENT);
	assert_ptr_equal(t->to, &t->w[0]);
	end(t);
}

/* ---- travelling ---- */

static void idle_server_travels_to_a_seat_without_servers(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(t->place[0].state, PLACE_MOVING);
	assert_int_equal(t->place[0].letter.kind, LETTER_GIVE);
	assert_int_equal(t->place[0].letter.to, 0);
	assert_int_equal(t->a->n_idle, 0);
	assert_int_equal(t->b->n_moving, 1);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	assert_true(pool_give_read(&t->place[0]));
	assert_int_equal(t->place[0].letter.kind, LETTER_HERE);
	assert_int_equal(t->place[0].letter.to, 1);
	assert_int_equal(pool_letter_read(&t->place[0]), PLACE_MOVING);
	assert_int_equal(settle(t, 0, NOW + 10), SETTLED_LENT);
	assert_ptr_equal(t->to, &t->w[0]);
	assert_ptr_equal(t->place[0].seat, t->b);
	assert_int_equal(t->b->n_moving, 0);
	assert_int_equal(t->b->n_lent, 1);
	end(t);
}

static void coldest_server_travels(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW + 5);
	assert_int_equal(borrow(t, t->b, 0, NOW + 6), BORROW_WAITS);
	assert_int_equal(t->place[0].state, PLACE_MOVING);
	assert_int_equal(t->place[1].state, PLACE_IDLE);
	(void)took(&t->out, LETTER_GIVE);
	end(t);
}

static void one_server_travels_for_each_waiter(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	for (int i = 0; i < 3; i++)
		bench_idle(t->a, &t->place[i], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->b, 1, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_GIVE), 2);
	pool_cover(t->b, NOW + 1, &t->out);
	assert_int_equal(took(&t->out, LETTER_GIVE), 0);
	end(t);
}

static void seat_with_servers_at_work_waits_two_ms_for_its_own(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->b, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_GIVE), 0);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	pool_cover(t->b, NOW + 1999, &t->out);
	assert_int_equal(took(&t->out, LETTER_GIVE), 0);
	pool_cover(t->b, NOW + 2000, &t->out);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	end(t);
}

static void last_server_at_work_dies_and_an_idle_one_travels_at_once(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->b, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_true(pool_gone(&t->place[0], NOW + 1, &t->out));
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	end(t);
}

static void gone_while_moving_covers_again(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW + 1);
	assert_int_equal(borrow(t, t->b, 0, NOW + 1), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	/* it dies before its owner has read the letter: its memory stays until then */
	assert_false(pool_gone(&t->place[0], NOW + 2, &t->out));
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	assert_int_equal(t->place[1].state, PLACE_MOVING);
	assert_false(pool_give_read(&t->place[0]));
	assert_int_equal(t->b->n_moving, 1);
	end(t);
}

static void gone_without_another_server_asks_main(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW + 1), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	assert_false(pool_gone(&t->place[0], NOW + 2, &t->out));
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	end(t);
}

static void server_arrives_after_its_client_died_and_stays(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	pool_leave(t->b, &t->w[0]);
	assert_true(pool_give_read(&t->place[0]));
	assert_int_equal(pool_letter_read(&t->place[0]), PLACE_MOVING);
	assert_int_equal(settle(t, 0, NOW + 1), SETTLED_IDLE);
	assert_int_equal(t->b->n_idle, 1);
	(void)took(&t->out, LETTER_GIVE);
	end(t);
}

static void a_settled_server_goes_to_a_starving_seat(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 1), SETTLED_SEND);
	assert_int_equal(t->place[0].letter.kind, LETTER_HERE);
	assert_int_equal(t->place[0].letter.to, 1);
	assert_int_equal(t->b->n_moving, 1);
	assert_int_equal(t->a->n_lent, 0);
	end(t);
}

static void a_settled_server_goes_to_much_older_head_elsewhere(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + 2 * MS), BORROW_WAITS);
	/* theirs 3 ms, ours 1 ms */
	assert_int_equal(settle(t, 0, NOW + 3 * MS), SETTLED_SEND);
	assert_int_equal(t->place[0].letter.to, 1);
	end(t);
}

static void own_head_is_served_when_the_other_is_hardly_older(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + 999), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 1000), SETTLED_LENT); /* 999 µs older */
	assert_ptr_equal(t->to, &t->w[1]);
	end(t);
}

static void own_head_is_served_when_the_other_waited_less_than_half_as_long_again(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + 2 * MS), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 10 * MS), SETTLED_LENT); /* 10 ms to 8 ms */
	assert_ptr_equal(t->to, &t->w[1]);
	end(t);
}

static void age_alone_moves_no_server_to_a_seat_with_its_share(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_open(t->b, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + 20 * MS), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 30 * MS), SETTLED_LENT); /* 30 ms to 10 ms, one server each */
	assert_ptr_equal(t->to, &t->w[1]);
	end(t);
}

static void a_seat_with_fewer_servers_for_its_load_gets_one(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	for (int i = 0; i < 4; i++)
		bench_open(t->a, &t->place[i], NOW);
	bench_open(t->b, &t->place[4], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->b, 1, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->b, 2, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 3, NOW + 2 * MS), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 4 * MS), SETTLED_SEND);
	assert_ptr_equal(t->place[0].seat, t->b);
	end(t);
}

static void of_several_seats_the_oldest_head_gets_it(void **state)
{
	struct bench *t = begin(3, "");

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, &t->p->seat[1], 0, NOW + 1), BORROW_WAITS);
	assert_int_equal(borrow(t, &t->p->seat[2], 1, NOW), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 2), SETTLED_SEND);
	assert_int_equal(t->place[0].letter.to, 2);
	end(t);
}

static void a_seat_whose_last_server_is_sent_away_is_covered(void **state)
{
	struct bench *t = begin(3, "");
	struct seat *b = &t->p->seat[1], *c = &t->p->seat[2];

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_open(b, &t->place[1], NOW);
	/* b has a server at work, so its head waits although c has an idle one */
	bench_idle(c, &t->place[2], NOW);
	assert_int_equal(borrow(t, b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + 57 * MS), BORROW_WAITS);
	/* b has a server too, so only an age out of all proportion brings it another one */
	assert_int_equal(settle(t, 0, NOW + 60 * MS), SETTLED_SEND);
	assert_ptr_equal(t->place[0].seat, b);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	assert_ptr_equal(t->place[2].seat, t->a);
	assert_null(pool_check(t->p));
	end(t);
}

static void a_seat_with_nothing_is_not_hidden_by_one_that_is_older_but_has_servers(void **state)
{
	struct bench *t = begin(3, "");
	struct seat *b = &t->p->seat[1], *c = &t->p->seat[2];

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_open(b, &t->place[1], NOW);
	bench_open(b, &t->place[2], NOW);
	assert_int_equal(borrow(t, b, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, c, 1, NOW + 1), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 2, NOW + 2 * MS), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW + 4 * MS), SETTLED_SEND);
	assert_ptr_equal(t->place[0].seat, c);
	end(t);
}

/* ---- closing ---- */

static void too_old_server_closes_when_it_settles(void **state)
{
	struct bench *t = begin(1, "server_lifetime=100");
	enum retire_reason why;

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(settle(t, 0, NOW + 99 * US_PER_S), SETTLED_IDLE);
	assert_int_equal(borrow(t, t->a, 0, NOW + 99 * US_PER_S), BORROWED);
	assert_int_equal(pool_settle(&t->place[0], NOW + 100 * US_PER_S, &t->to, &why, &t->out), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_AGE);
	assert_int_equal(t->place[0].state, PLACE_CLOSING);
	end(t);
}

static void closures_for_age_are_spread(void **state)
{
	struct bench *t = begin(1, "server_lifetime=100\ndefault_pool_size=10");
	uint64_t later = NOW + 100 * US_PER_S;

	(void)state;
	for (int i = 0; i < 3; i++)
		bench_open(t->a, &t->place[i], NOW);
	assert_int_equal(settle(t, 0, later), SETTLED_CLOSE);
	assert_int_equal(settle(t, 1, later + 9 * US_PER_S), SETTLED_IDLE);
	assert_int_equal(settle(t, 2, later + 10 * US_PER_S), SETTLED_CLOSE);
	end(t);
}

static void idle_servers_of_one_age_close_one_by_one(void **state)
{
	struct bench *t = begin(1, "server_lifetime=100\ndefault_pool_size=10");
	uint64_t later = NOW + 100 * US_PER_S, ends_us = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		bench_idle(t->a, &t->place[i], NOW);
	assert_false(pool_retire_old(&t->place[0], later - 1, &ends_us));
	assert_true(ends_us == later);
	assert_true(pool_retire_old(&t->place[0], later, &ends_us));
	assert_int_equal(t->place[0].state, PLACE_CLOSING);
	for (int i = 1; i < 3; i++) {
		assert_false(pool_retire_old(&t->place[i], later, &ends_us));
		assert_true(ends_us == later + 10 * US_PER_S);
	}
	assert_true(pool_retire_old(&t->place[2], later + 10 * US_PER_S, &ends_us));
	assert_int_equal(t->a->n_idle, 1);
	end(t);
}

static void without_pool_size_ends_are_spread_over_the_servers_there_are(void **state)
{
	struct bench *t = begin(1, "server_lifetime=100\ndefault_pool_size=0");
	uint64_t later = NOW + 100 * US_PER_S, ends_us = 0;

	(void)state;
	for (int i = 0; i < 3; i++)
		bench_idle(t->a, &t->place[i], NOW);
	assert_true(pool_retire_old(&t->place[0], later, &ends_us));
	assert_false(pool_retire_old(&t->place[1], later, &ends_us));
	assert_true(ends_us == later + 50 * US_PER_S);
	end(t);
}

static void pools_that_were_opened_together_do_not_end_together(void **state)
{
	uint64_t first_us = UINT64_MAX, last_us = 0;

	(void)state;
	for (uint32_t hash = 0; hash < 4096; hash += 64) {
		struct bench *t = begin(1, "server_lifetime=100\ndefault_pool_size=1");
		uint64_t ends_us = 0;

		t->p->by_name.hash = hash * 2654435761u;
		bench_idle(t->a, &t->place[0], NOW);
		assert_false(pool_retire_old(&t->place[0], NOW + 99 * US_PER_S, &ends_us));
		first_us = ends_us < first_us ? ends_us : first_us;
		last_us = ends_us > last_us ? ends_us : last_us;
		end(t);
	}
	assert_true(first_us >= NOW + 100 * US_PER_S);
	assert_true(last_us < NOW + 112500 * MS);
	assert_true(last_us - first_us > 10 * US_PER_S);
}

static void a_lent_server_is_not_retired_for_its_age(void **state)
{
	struct bench *t = begin(1, "server_lifetime=100");
	uint64_t ends_us;

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	assert_false(pool_retire_old(&t->place[0], NOW + 1000 * US_PER_S, &ends_us));
	assert_int_equal(t->place[0].state, PLACE_LENT);
	end(t);
}

static void each_waiter_is_taken_for_notice_once_and_in_order(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *found[2];

	(void)state;
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(borrow(t, t->a, (int)i, NOW + i), BORROW_WAITS);
	assert_int_equal(pool_take_unnotified(t->a, NOW - 1, found, 2), 0);
	assert_int_equal(pool_take_unnotified(t->a, NOW + 2, found, 2), 2);
	assert_ptr_equal(found[0], &t->w[0]);
	assert_ptr_equal(found[1], &t->w[1]);
	assert_int_equal(pool_take_unnotified(t->a, NOW + 2, found, 2), 1);
	assert_ptr_equal(found[0], &t->w[2]);
	assert_int_equal(pool_take_unnotified(t->a, NOW + 2, found, 2), 0);
	/* who waits anew is taken anew */
	pool_leave(t->a, &t->w[0]);
	assert_int_equal(borrow(t, t->a, 0, NOW + 4), BORROW_WAITS);
	assert_int_equal(pool_take_unnotified(t->a, NOW + 4, found, 2), 2);
	assert_ptr_equal(found[0], &t->w[3]);
	assert_ptr_equal(found[1], &t->w[0]);
	end(t);
}

static void server_with_lifetime_zero_serves_one_client(void **state)
{
	struct bench *t = begin(1, "server_lifetime=0");

	(void)state;
	bench_log_in(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW), SETTLED_LENT); /* not closed right after its login */
	assert_int_equal(settle(t, 0, NOW + 1), SETTLED_CLOSE);
	end(t);
}

static void reconnect_closes_idle_ones_at_once_and_others_when_they_settle(void **state)
{
	struct bench *t = begin(1, "");
	enum retire_reason why;

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	pool_reconnect(t->p, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	assert_null(pool_welcome(t->p));
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS); /* the old idle one is not lent any more */
	assert_ptr_equal(pool_take_unfit(t->a, &why), &t->place[1]);
	assert_int_equal(why, RETIRE_EPOCH);
	assert_null(pool_take_unfit(t->a, &why));
	assert_int_equal(pool_settle(&t->place[0], NOW, &t->to, &why, &t->out), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_EPOCH);
	end(t);
}

static void surplus_after_a_smaller_size_closes_when_it_settles(void **state)
{
	struct bench *t = begin(1, "");
	enum retire_reason why;

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_open(t->a, &t->place[1], NOW);
	bench_open(t->a, &t->place[2], NOW);
	pool_set_settings(t->p, bench_settings("app = host=127.0.0.1 pool_size=1 reserve_pool_size=1", ""), &t->out);
	(void)took(&t->out, LETTER_LOOK);
	assert_int_equal(pool_settle(&t->place[0], NOW, &t->to, &why, &t->out), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_SURPLUS);
	assert_true(pool_gone(&t->place[0], NOW, &t->out));
	assert_int_equal(settle(t, 1, NOW), SETTLED_IDLE);
	end(t);
}

static void old_idle_servers_do_not_keep_main_from_being_asked(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	pool_reconnect(t->p, &t->out);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_GIVE), 0);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

static void paused_pool_keeps_its_queue(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;
	enum retire_reason why;

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	pool_set_state(t->p, POOL_PAUSED, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	pool_look_begins(t->a);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	assert_ptr_equal(pool_take_unfit(t->a, &why), &t->place[1]);
	assert_int_equal(why, RETIRE_PAUSED);
	assert_int_equal(pool_settle(&t->place[0], NOW, &t->to, &why, &t->out), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_PAUSED);
	assert_int_equal(pool_due(t->a, NOW + 60 * US_PER_S, &w, &outage), DUE_NOTHING);
	assert_true(t->w[0].queued);
	pool_set_state(t->p, POOL_OPEN, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	pool_look_begins(t->a);
	pool_cover(t->a, NOW, &t->out);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	end(t);
}

static void resume_before_anybody_looked_serves_from_the_own_idle_server(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	pool_set_state(t->p, POOL_PAUSED, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	pool_set_state(t->p, POOL_OPEN, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1); /* one for both changes */
	pool_look_begins(t->a);
	pool_cover(t->a, NOW, &t->out);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	end(t);
}

/* Although another one is at work: nobody else would make the waiter look again. */
static void resume_does_not_let_an_own_idle_server_lie(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->a, 1, NOW), BORROWED);
	pool_set_state(t->p, POOL_PAUSED, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	pool_set_state(t->p, POOL_OPEN, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	pool_look_begins(t->a);
	pool_cover(t->a, NOW, &t->out);
	assert_int_equal(took(&t->out, LETTER_GIVE), 1);
	end(t);
}

static void retiring_an_idle_server_fails_when_it_is_promised(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROW_WAITS);
	assert_false(pool_retire_idle(&t->place[0]));
	assert_true(pool_retire_idle(&t->place[1]));
	assert_int_equal(t->place[1].state, PLACE_CLOSING);
	assert_int_equal(t->a->n_idle, 0);
	(void)took(&t->out, LETTER_GIVE);
	end(t);
}

static void idle_servers_above_a_smaller_size_are_taken_off(void **state)
{
	struct bench *t = begin(1, "");
	enum retire_reason why = RETIRE_EPOCH;

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW + 1);
	assert_null(pool_take_unfit(t->a, &why));
	pool_set_settings(t->p, bench_settings("app = host=127.0.0.1 pool_size=1", ""), &t->out);
	assert_ptr_equal(pool_take_unfit(t->a, &why), &t->place[0]); /* the one not used for longest */
	assert_int_equal(why, RETIRE_SURPLUS);
	assert_null(pool_take_unfit(t->a, &why));
	(void)pool_look_begins(t->a);
	end(t);
}

static void eviction_takes_the_coldest_of_all_seats(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	assert_int_equal(pool_coldest_us(t->p, NULL), 0);
	assert_false(pool_evict_coldest(t->p, NULL, LIMIT_DATABASE, &t->out));
	bench_idle(t->a, &t->place[0], NOW + 5);
	bench_idle(t->b, &t->place[1], NOW);
	assert_int_equal(pool_coldest_us(t->p, NULL), NOW);
	assert_true(pool_evict_coldest(t->p, NULL, LIMIT_DATABASE, &t->out));
	assert_int_equal(t->place[1].state, PLACE_CLOSING);
	assert_int_equal(t->place[1].letter.to, 1);
	assert_int_equal(took(&t->out, LETTER_CLOSE), 1);
	assert_int_equal(pool_letter_read(&t->place[1]), PLACE_CLOSING);
	end(t);
}

static void evicted_server_that_dies_first_is_freed_by_its_letter(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_true(pool_evict_coldest(t->p, NULL, LIMIT_DATABASE, &t->out));
	assert_false(pool_gone(&t->place[0], NOW, &t->out));
	assert_int_equal(pool_letter_read(&t->place[0]), PLACE_GONE);
	end(t);
}

/* ---- newcomers and welcome ---- */

static void newcomer_waits_for_the_first_login(void **state)
{
	struct bench *t = begin(2, "");
	struct shared *welcome = NULL;
	struct outage *outage = NULL;
	struct waiter *w = NULL;

	(void)state;
	t->seat_of[0] = t->b;
	assert_int_equal(pool_greet(t->b, &t->w[0], NOW, &welcome, &outage, &t->out), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	assert_int_equal(pool_due(t->b, NOW, &w, &outage), DUE_NOTHING);
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(pool_due(t->b, NOW, &w, &outage), DUE_WELCOME);
	assert_ptr_equal(w, &t->w[0]);
	assert_int_equal(pool_greet(t->b, &t->w[1], NOW, &welcome, &outage, &t->out), BORROWED);
	assert_non_null(welcome);
	shared_unref(welcome);
	end(t);
}

static void one_opening_server_is_enough_for_all_newcomers(void **state)
{
	struct bench *t = begin(2, "");
	struct shared *welcome = NULL;
	struct outage *outage = NULL;

	(void)state;
	pool_count_opening(t->a);
	t->seat_of[0] = t->a;
	assert_int_equal(pool_greet(t->a, &t->w[0], NOW, &welcome, &outage, &t->out), BORROW_WAITS);
	t->seat_of[1] = t->b;
	assert_int_equal(pool_greet(t->b, &t->w[1], NOW, &welcome, &outage, &t->out), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 0);
	pool_open_failed(t->a, NOW, &t->out);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	end(t);
}

static void newcomers_after_reconnect_do_not_wait_for_old_servers(void **state)
{
	struct bench *t = begin(1, "");
	struct shared *welcome = NULL;
	struct outage *outage = NULL;
	struct pool_need need;

	(void)state;
	bench_open(t->a, &t->place[0], NOW); /* in use for long */
	pool_reconnect(t->p, &t->out);
	t->seat_of[0] = t->a;
	assert_int_equal(pool_greet(t->a, &t->w[0], NOW, &welcome, &outage, &t->out), BORROW_WAITS);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	pool_needs(t->p, &need);
	assert_int_equal(need.lacking, 1);
	assert_ptr_equal(need.neediest, t->a);
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

static void server_of_an_old_epoch_brings_no_welcome(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	pool_count_opening(t->a);
	pool_place_init(&t->place[0], t->a);
	pool_reconnect(t->p, &t->out);
	pool_opened(&t->place[0], NOW, bench_welcome(), &t->out);
	assert_null(pool_welcome(t->p));
	assert_int_equal(settle(t, 0, NOW), SETTLED_CLOSE);
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

/* ---- ends of waiting ---- */

static void query_wait_timeout_ends_waiting(void **state)
{
	struct bench *t = begin(1, "query_wait_timeout=3");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->a, 1, NOW + US_PER_S), BORROW_WAITS);
	assert_int_equal(pool_due(t->a, NOW + 3 * US_PER_S - 1, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + 3 * US_PER_S, &w, &outage), DUE_WAIT_TIMEOUT);
	assert_ptr_equal(w, &t->w[0]);
	assert_int_equal(pool_due(t->a, NOW + 3 * US_PER_S, &w, &outage), DUE_NOTHING);
	(void)took(&t->out, LETTER_WANT);
	end(t);
}

static void query_timeout_counts_waiting_too(void **state)
{
	struct bench *t = begin(1, "query_timeout=2\nquery_wait_timeout=0");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	assert_int_equal(pool_due(t->a, NOW + 2 * US_PER_S, &w, &outage), DUE_QUERY_TIMEOUT);
	end(t);
}

static void closed_pool_ends_waiting(void **state)
{
	struct bench *t = begin(1, "");
	struct shared *welcome = NULL;
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	t->seat_of[1] = t->a;
	assert_int_equal(pool_greet(t->a, &t->w[1], NOW, &welcome, &outage, &t->out), BORROW_WAITS);
	pool_set_state(t->p, POOL_CLOSED, &t->out);
	assert_int_equal(pool_due(t->a, NOW, &w, &outage), DUE_CLOSED);
	assert_int_equal(pool_due(t->a, NOW, &w, &outage), DUE_CLOSED);
	assert_int_equal(pool_due(t->a, NOW, &w, &outage), DUE_NOTHING);
	end(t);
}

static void refusal_is_told_at_once(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	pool_set_outage(t->p, bench_outage(NOW, 0), false, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	assert_int_equal(pool_due(t->a, NOW + 1, &w, &outage), DUE_OUTAGE);
	assert_non_null(outage);
	shared_unref(&outage->shared);
	assert_int_equal(borrow(t, t->a, 1, NOW + 2), BORROW_TOLD); /* whoever comes later too */
	end(t);
}

static void being_told_makes_main_try_again(void **state)
{
	struct bench *t = begin(1, "");
	struct pool_need need;

	(void)state;
	pool_set_outage(t->p, bench_outage(NOW, 0), false, &t->out);
	(void)took(&t->out, LETTER_LOOK);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_TOLD);
	assert_int_equal(took(&t->out, LETTER_WANT), 1);
	pool_needs(t->p, &need);
	assert_true(need.asked);
	pool_set_trying(t->p, true);
	pool_needs(t->p, &need);
	assert_false(need.asked);
	end(t);
}

static void a_patient_one_is_told_a_moment_later(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	pool_set_outage(t->p, bench_outage(NOW, 0), false, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_TOLD);
	pool_wait(t->a, &t->w[0], false, NOW, &t->out);
	assert_int_equal(pool_due(t->a, NOW + 99 * MS, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + 100 * MS, &w, &outage), DUE_OUTAGE);
	assert_ptr_equal(w, &t->w[0]);
	shared_unref(&outage->shared);
	pool_wait(t->a, &t->w[1], true, NOW, &t->out); /* in its login */
	assert_int_equal(t->a->n_newcomers, 1);
	assert_int_equal(pool_due(t->a, NOW + 99 * MS, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + 100 * MS, &w, &outage), DUE_OUTAGE);
	shared_unref(&outage->shared);
	end(t);
}

static void silence_is_told_when_the_outage_is_old_enough(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	pool_set_outage(t->p, bench_outage(NOW, NOW + 5 * US_PER_S), false, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW + 4 * US_PER_S), BORROW_WAITS);
	assert_int_equal(pool_due(t->a, NOW + 5 * US_PER_S - 1, &w, &outage), DUE_NOTHING);
	/* the clock is the outage's, not the client's */
	assert_int_equal(pool_due(t->a, NOW + 5 * US_PER_S, &w, &outage), DUE_OUTAGE);
	shared_unref(&outage->shared);
	assert_int_equal(borrow(t, t->a, 1, NOW + 5 * US_PER_S), BORROW_TOLD);
	end(t);
}

static void while_a_try_is_running_an_asker_waits_one_second(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;
	struct shared *welcome = NULL;

	(void)state;
	pool_set_outage(t->p, bench_outage(NOW, 0), true, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROW_WAITS);
	t->seat_of[1] = t->a;
	assert_int_equal(pool_greet(t->a, &t->w[1], NOW, &welcome, &outage, &t->out), BORROW_WAITS);
	assert_int_equal(pool_due(t->a, NOW + US_PER_S - 1, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + US_PER_S, &w, &outage), DUE_OUTAGE);
	shared_unref(&outage->shared);
	assert_int_equal(pool_due(t->a, NOW + US_PER_S, &w, &outage), DUE_OUTAGE);
	shared_unref(&outage->shared);
	end(t);
}

static void a_login_ends_the_outage(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	pool_set_outage(t->p, bench_outage(NOW, 0), true, &t->out);
	bench_open(t->a, &t->place[0], NOW);
	assert_null(pool_outage(t->p));
	assert_false(t->p->trying);
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

static void busy_pool_that_cannot_grow_tells_who_waited_long(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	assert_int_equal(settle(t, 0, NOW), SETTLED_IDLE);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	assert_int_equal(borrow(t, t->a, 1, NOW), BORROW_WAITS);
	pool_set_outage(t->p, bench_outage(NOW, 0), false, &t->out);
	assert_int_equal(pool_due(t->a, NOW + 5 * US_PER_S - 1, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + 5 * US_PER_S, &w, &outage), DUE_OUTAGE_BUSY);
	shared_unref(&outage->shared);
	end(t);
}

static void busy_pool_whose_servers_come_free_tells_nobody(void **state)
{
	struct bench *t = begin(1, "");
	struct waiter *w = NULL;
	struct outage *outage = NULL;

	(void)state;
	bench_open(t->a, &t->place[0], NOW);
	for (int i = 0; i < 3; i++)
		assert_int_equal(borrow(t, t->a, i, NOW), BORROW_WAITS);
	pool_set_outage(t->p, bench_outage(NOW, 0), false, &t->out);
	assert_int_equal(settle(t, 0, NOW + 4 * US_PER_S), SETTLED_LENT);
	assert_int_equal(pool_due(t->a, NOW + 8 * US_PER_S, &w, &outage), DUE_NOTHING);
	assert_int_equal(pool_due(t->a, NOW + 9 * US_PER_S, &w, &outage), DUE_OUTAGE_BUSY);
	shared_unref(&outage->shared);
	end(t);
}

/* ---- the rest ---- */

static void clients_sit_where_the_fewest_are(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	assert_ptr_equal(pool_seat_for(t->p, 1), t->b); /* equal: its own worker */
	assert_ptr_equal(pool_seat_for(t->p, 1), t->a);
	assert_ptr_equal(pool_seat_for(t->p, 0), t->a);
	assert_false(pool_is_unused(t->p));
	pool_seat_left(t->a);
	pool_seat_left(t->a);
	pool_seat_left(t->b);
	assert_true(pool_is_unused(t->p));
	end(t);
}

static void a_kept_seat_keeps_its_pool(void **state)
{
	struct bench *t = begin(2, "");

	(void)state;
	assert_true(pool_is_unused(t->p));
	pool_keep_seat(t->b, true); /* its worker has something to say, though no client is left */
	assert_false(pool_is_unused(t->p));
	pool_keep_seat(t->b, false);
	assert_true(pool_is_unused(t->p));
	end(t);
}

static void needs_are_what_nobody_is_bringing(void **state)
{
	struct bench *t = begin(2, "");
	struct pool_need need;

	(void)state;
	pool_count_opening(t->a);
	assert_int_equal(borrow(t, t->a, 0, NOW + 1), BORROW_WAITS);
	assert_int_equal(borrow(t, t->b, 1, NOW), BORROW_WAITS);
	assert_int_equal(borrow(t, t->b, 2, NOW + 2), BORROW_WAITS);
	pool_needs(t->p, &need);
	assert_int_equal(need.lacking, 2);
	assert_ptr_equal(need.neediest, t->b);
	assert_int_equal(need.waiting, 3);
	assert_int_equal(need.opening, 1);
	assert_int_equal(need.oldest_wait_us, NOW);
	assert_ptr_equal(need.emptiest, t->b);
	pool_open_failed(t->a, NOW, &t->out);
	end(t);
}

static void look_brings_new_settings_to_the_seat(void **state)
{
	struct bench *t = begin(1, "");
	struct pool_settings *fresh = bench_settings("app = host=127.0.0.1 pool_size=7", "");

	(void)state;
	pool_set_settings(t->p, fresh, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	assert_ptr_not_equal(t->a->settings, fresh);
	pool_look_begins(t->a);
	assert_ptr_equal(t->a->settings, fresh);
	assert_int_equal(t->a->settings->size, 7);
	end(t);
}

static void keys_are_shared(void **state)
{
	struct bench *t = begin(1, "");
	struct shared *keys = bench_welcome();
	struct shared *got;

	(void)state;
	assert_null(pool_keys(t->p));
	pool_set_keys(t->p, keys);
	got = pool_keys(t->p);
	assert_ptr_equal(got, keys);
	pool_set_keys(t->p, NULL);
	assert_null(pool_keys(t->p));
	shared_unref(got);
	end(t);
}

/* ---- why somebody waits ---- */

static void the_server_lent_longest_is_known_over_all_seats(void **state)
{
	struct bench *t = begin(2, "");
	struct pool_crowd crowd;

	(void)state;
	for (int i = 0; i < 4; i++)
		t->w[i].id = 100u + (unsigned)i;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->b, &t->place[1], NOW);
	bench_idle(t->b, &t->place[2], NOW);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.n_usable, 3);
	assert_int_equal(crowd.n_lent, 0);
	assert_int_equal(crowd.longest_us, 0);
	assert_int_equal(crowd.longest.id, 0);
	assert_int_equal(borrow(t, t->b, 0, NOW + 1), BORROWED);
	assert_int_equal(borrow(t, t->a, 1, NOW + 2), BORROWED);
	assert_int_equal(borrow(t, t->b, 2, NOW + 3), BORROWED);
	assert_int_equal(borrow(t, t->b, 3, NOW + 4), BORROW_WAITS);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.n_waiting, 1);
	assert_int_equal(crowd.n_lent, 3);
	assert_int_equal(crowd.longest_us, NOW + 1);
	assert_int_equal(crowd.longest.id, 100);
	assert_int_equal(crowd.longest.state, HOLDER_UNSEEN);
	assert_int_equal(pool_longest_holder(t->a), 101);
	assert_int_equal(pool_longest_holder(t->b), 100);
	/* last used first: the first client got place 2, which now goes to the one that waits, and is lent anew */
	assert_int_equal(settle(t, 2, NOW + 5), SETTLED_LENT);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.longest_us, NOW + 2);
	assert_int_equal(crowd.longest.id, 101);
	assert_int_equal(pool_longest_holder(t->b), 102);
	assert_int_equal(t->place[2].holder, 103);
	assert_int_equal(t->place[2].lent_us, NOW + 5);
	assert_null(pool_check(t->p));
	(void)took(&t->out, LETTER_WANT);
	end(t);
}

static void a_server_that_dies_while_lent_is_no_longer_the_longest(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	t->w[0].id = 7;
	bench_idle(t->a, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	assert_int_equal(pool_longest_holder(t->a), 7);
	assert_true(pool_gone(&t->place[0], NOW, &t->out));
	assert_int_equal(pool_longest_holder(t->a), 0);
	assert_null(pool_check(t->p));
	end(t);
}

static void who_has_it_is_asked_of_its_own_seat_and_not_too_often(void **state)
{
	struct bench *t = begin(2, "");
	struct holder seen = {.id = 7, .seen_us = NOW, .state = HOLDER_RUNNING, .application = "billing"};
	struct pool_crowd crowd;

	(void)state;
	t->w[0].id = 7;
	t->w[1].id = 8;
	pool_ask_holder(t->p, NOW, US_PER_S, &t->out); /* nobody has any */
	assert_int_equal(took(&t->out, LETTER_LOOK), 0);
	bench_idle(t->b, &t->place[0], NOW);
	assert_int_equal(borrow(t, t->b, 0, NOW), BORROWED);
	pool_ask_holder(t->p, NOW, US_PER_S, &t->out);
	assert_true(t->b->look_posted);
	assert_false(t->a->look_posted);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	pool_look_begins(t->b);
	pool_ask_holder(t->p, NOW, US_PER_S, &t->out); /* asked already */
	assert_int_equal(took(&t->out, LETTER_LOOK), 0);
	assert_false(pool_holder_is_asked(t->a));
	assert_true(pool_holder_is_asked(t->b));
	assert_false(pool_holder_is_asked(t->b));
	pool_show_holder(t->b, &seen);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.longest.id, 7);
	assert_int_equal(crowd.longest.state, HOLDER_RUNNING);
	assert_string_equal(crowd.longest.application, "billing");
	pool_ask_holder(t->p, NOW + US_PER_S - 1, US_PER_S, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 0);
	pool_ask_holder(t->p, NOW + US_PER_S, US_PER_S, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	/* what is known of one is never said of another */
	assert_int_equal(borrow(t, t->b, 1, NOW), BORROW_WAITS);
	assert_int_equal(settle(t, 0, NOW), SETTLED_LENT);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.longest.id, 8);
	assert_int_equal(crowd.longest.state, HOLDER_UNSEEN);
	assert_string_equal(crowd.longest.application, "");
	(void)took(&t->out, LETTER_WANT);
	end(t);
}

static void a_pause_counts_from_the_first_look(void **state)
{
	struct bench *t = begin(1, "");
	struct pool_crowd crowd;

	(void)state;
	pool_set_state(t->p, POOL_PAUSED, &t->out);
	pool_cover(t->a, NOW, &t->out);
	assert_int_equal(borrow(t, t->a, 0, NOW + 5), BORROW_WAITS);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.state, POOL_PAUSED);
	assert_int_equal(crowd.paused_since_us, NOW);
	pool_set_state(t->p, POOL_PAUSED, &t->out); /* PAUSE of everything beside that of the database */
	pool_cover(t->a, NOW + 7, &t->out);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.paused_since_us, NOW);
	pool_set_state(t->p, POOL_OPEN, &t->out);
	pool_cover(t->a, NOW + 9, &t->out);
	pool_look_around(t->p, &crowd);
	assert_int_equal(crowd.paused_since_us, 0);
	(void)took(&t->out, LETTER_LOOK);
	(void)took(&t->out, LETTER_WANT);
	end(t);
}

static void a_crowd_has_its_own_reference_to_the_outage(void **state)
{
	struct bench *t = begin(1, "");
	struct outage *o = bench_outage(NOW, NOW + 5);
	struct pool_crowd crowd;

	(void)state;
	pool_set_outage(t->p, o, true, &t->out);
	pool_set_limit(t->p, LIMIT_DATABASE, NULL);
	pool_count_opening(t->a);
	pool_look_around(t->p, &crowd);
	pool_set_outage(t->p, NULL, false, &t->out);
	assert_ptr_equal(crowd.outage, o);
	assert_int_equal(crowd.outage->since_us, NOW);
	assert_true(crowd.trying);
	assert_int_equal(crowd.limit, LIMIT_DATABASE);
	assert_int_equal(crowd.n_opening, 1);
	assert_int_equal(pool_count_servers(t->p, NULL), 1);
	shared_unref(&crowd.outage->shared);
	pool_open_failed(t->a, NOW, &t->out);
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

static struct outage *shutting_down(void)
{
	struct outage *o = bench_outage(NOW, NOW + 5 * US_PER_S);

	o->lets_go = true;
	return o;
}

static void while_postgresql_shuts_down_idle_servers_go_and_free_ones_too(void **state)
{
	struct bench *t = begin(1, "");
	enum retire_reason why = RETIRE_EPOCH;
	struct waiter *w;

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	bench_idle(t->a, &t->place[1], NOW);
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	pool_set_outage(t->p, shutting_down(), false, &t->out);
	assert_int_equal(took(&t->out, LETTER_LOOK), 1);
	/* the idle one is not lent any more, and goes */
	assert_int_equal(borrow(t, t->a, 1, NOW), BORROW_WAITS);
	assert_ptr_equal(pool_take_unfit(t->a, &why), &t->place[0]);
	assert_int_equal(why, RETIRE_SHUTDOWN);
	assert_null(pool_take_unfit(t->a, &why));
	/* the busy one goes when its transaction is over, although somebody waits */
	assert_int_equal(pool_settle(&t->place[1], NOW, &w, &why, &t->out), SETTLED_CLOSE);
	assert_int_equal(why, RETIRE_SHUTDOWN);
	assert_true(pool_gone(&t->place[0], NOW, &t->out));
	assert_true(pool_gone(&t->place[1], NOW, &t->out));
	/* the first that comes afterwards may stay */
	bench_log_in(t->a, &t->place[2], NOW);
	assert_int_equal(pool_settle(&t->place[2], NOW, &w, &why, &t->out), SETTLED_LENT);
	(void)took(&t->out, LETTER_WANT);
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

static void other_outages_leave_idle_servers_alone(void **state)
{
	struct bench *t = begin(1, "");
	enum retire_reason why;

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	pool_set_outage(t->p, bench_outage(NOW, NOW + 5 * US_PER_S), false, &t->out);
	(void)took(&t->out, LETTER_LOOK);
	assert_null(pool_take_unfit(t->a, &why));
	assert_int_equal(borrow(t, t->a, 0, NOW), BORROWED);
	end(t);
}

static void a_server_is_stale_after_reconnect(void **state)
{
	struct bench *t = begin(1, "");

	(void)state;
	bench_idle(t->a, &t->place[0], NOW);
	assert_false(pool_is_stale(&t->place[0]));
	pool_reconnect(t->p, &t->out);
	assert_true(pool_is_stale(&t->place[0]));
	(void)took(&t->out, LETTER_LOOK);
	end(t);
}

static struct shared *found(const char *text)
{
	struct found_secret *s = found_secret_new(text, strlen(text));

	assert_non_null(s);
	return &s->shared;
}

static void another_secret_is_news_for_main_and_the_same_is_not(void **state)
{
	struct bench *t = begin(1, "");
	struct shared *got;

	(void)state;
	assert_null(pool_secret(t->p));
	pool_set_secret(t->p, found("one"), &t->out);
	got = pool_secret(t->p);
	assert_string_equal(found_secret_of(got)->text, "one");
	shared_unref(got);
	assert_int_equal(took(&t->out, LETTER_WANT), 0); /* nothing is wrong: no hurry */
	assert_true(pool_take_new_secret(t->p));
	assert_false(pool_take_new_secret(t->p));
	pool_set_secret(t->p, found("one"), &t->out);
	assert_false(pool_take_new_secret(t->p));
	pool_set_secret(t->p, found("two"), &t->out);
	assert_true(pool_take_new_secret(t->p));
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(own_idle_server_is_lent_at_once),
	    cmocka_unit_test(while_postgresql_shuts_down_idle_servers_go_and_free_ones_too),
	    cmocka_unit_test(other_outages_leave_idle_servers_alone),
	    cmocka_unit_test(a_server_is_stale_after_reconnect),
	    cmocka_unit_test(server_used_last_is_lent_first),
	    cmocka_unit_test(round_robin_lends_the_server_idle_longest),
	    cmocka_unit_test(waiter_is_served_before_newcomer),
	    cmocka_unit_test(want_is_asked_once_until_main_allows_it_again),
	    cmocka_unit_test(nobody_asks_for_more_than_is_on_its_way),
	    cmocka_unit_test(failed_attempt_lets_the_seat_ask_again),
	    cmocka_unit_test(closed_pool_lends_nothing),
	    cmocka_unit_test(waiter_that_left_is_not_served),
	    cmocka_unit_test(client_of_a_bad_server_goes_back_to_where_it_was),
	    cmocka_unit_test(client_lent_at_once_waits_from_then_when_its_server_was_bad),
	    cmocka_unit_test(requeued_client_gets_the_other_idle_server_of_its_seat),
	    cmocka_unit_test(idle_server_travels_to_a_seat_without_servers),
	    cmocka_unit_test(coldest_server_travels),
	    cmocka_unit_test(one_server_travels_for_each_waiter),
	    cmocka_unit_test(seat_with_servers_at_work_waits_two_ms_for_its_own),
	    cmocka_unit_test(last_server_at_work_dies_and_an_idle_one_travels_at_once),
	    cmocka_unit_test(gone_while_moving_covers_again),
	    cmocka_unit_test(gone_without_another_server_asks_main),
	    cmocka_unit_test(server_arrives_after_its_client_died_and_stays),
	    cmocka_unit_test(a_settled_server_goes_to_a_starving_seat),
	    cmocka_unit_test(a_settled_server_goes_to_much_older_head_elsewhere),
	    cmocka_unit_test(own_head_is_served_when_the_other_is_hardly_older),
	    cmocka_unit_test(own_head_is_served_when_the_other_waited_less_than_half_as_long_again),
	    cmocka_unit_test(age_alone_moves_no_server_to_a_seat_with_its_share),
	    cmocka_unit_test(a_seat_with_fewer_servers_for_its_load_gets_one),
	    cmocka_unit_test(of_several_seats_the_oldest_head_gets_it),
	    cmocka_unit_test(a_seat_whose_last_server_is_sent_away_is_covered),
	    cmocka_unit_test(a_seat_with_nothing_is_not_hidden_by_one_that_is_older_but_has_servers),
	    cmocka_unit_test(too_old_server_closes_when_it_settles),
	    cmocka_unit_test(closures_for_age_are_spread),
	    cmocka_unit_test(idle_servers_of_one_age_close_one_by_one),
	    cmocka_unit_test(without_pool_size_ends_are_spread_over_the_servers_there_are),
	    cmocka_unit_test(pools_that_were_opened_together_do_not_end_together),
	    cmocka_unit_test(a_lent_server_is_not_retired_for_its_age),
	    cmocka_unit_test(each_waiter_is_taken_for_notice_once_and_in_order),
	    cmocka_unit_test(server_with_lifetime_zero_serves_one_client),
	    cmocka_unit_test(reconnect_closes_idle_ones_at_once_and_others_when_they_settle),
	    cmocka_unit_test(surplus_after_a_smaller_size_closes_when_it_settles),
	    cmocka_unit_test(old_idle_servers_do_not_keep_main_from_being_asked),
	    cmocka_unit_test(paused_pool_keeps_its_queue),
	    cmocka_unit_test(resume_before_anybody_looked_serves_from_the_own_idle_server),
	    cmocka_unit_test(resume_does_not_let_an_own_idle_server_lie),
	    cmocka_unit_test(retiring_an_idle_server_fails_when_it_is_promised),
	    cmocka_unit_test(idle_servers_above_a_smaller_size_are_taken_off),
	    cmocka_unit_test(eviction_takes_the_coldest_of_all_seats),
	    cmocka_unit_test(evicted_server_that_dies_first_is_freed_by_its_letter),
	    cmocka_unit_test(newcomer_waits_for_the_first_login),
	    cmocka_unit_test(one_opening_server_is_enough_for_all_newcomers),
	    cmocka_unit_test(newcomers_after_reconnect_do_not_wait_for_old_servers),
	    cmocka_unit_test(server_of_an_old_epoch_brings_no_welcome),
	    cmocka_unit_test(query_wait_timeout_ends_waiting),
	    cmocka_unit_test(query_timeout_counts_waiting_too),
	    cmocka_unit_test(closed_pool_ends_waiting),
	    cmocka_unit_test(refusal_is_told_at_once),
	    cmocka_unit_test(being_told_makes_main_try_again),
	    cmocka_unit_test(a_patient_one_is_told_a_moment_later),
	    cmocka_unit_test(silence_is_told_when_the_outage_is_old_enough),
	    cmocka_unit_test(while_a_try_is_running_an_asker_waits_one_second),
	    cmocka_unit_test(a_login_ends_the_outage),
	    cmocka_unit_test(busy_pool_that_cannot_grow_tells_who_waited_long),
	    cmocka_unit_test(busy_pool_whose_servers_come_free_tells_nobody),
	    cmocka_unit_test(clients_sit_where_the_fewest_are),
	    cmocka_unit_test(a_kept_seat_keeps_its_pool),
	    cmocka_unit_test(needs_are_what_nobody_is_bringing),
	    cmocka_unit_test(look_brings_new_settings_to_the_seat),
	    cmocka_unit_test(keys_are_shared),
	    cmocka_unit_test(the_server_lent_longest_is_known_over_all_seats),
	    cmocka_unit_test(a_server_that_dies_while_lent_is_no_longer_the_longest),
	    cmocka_unit_test(who_has_it_is_asked_of_its_own_seat_and_not_too_often),
	    cmocka_unit_test(a_pause_counts_from_the_first_look),
	    cmocka_unit_test(a_crowd_has_its_own_reference_to_the_outage),
	    cmocka_unit_test(another_secret_is_news_for_main_and_the_same_is_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
