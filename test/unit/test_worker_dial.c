/* Connecting side by side, with streams and a clock of this test's own. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "worker/dial.h"
#include <cmocka.h>

/* ---- streams: one for each target ---- */

struct stream {
	stream_handler *handler;
	void *owner;
	bool open;
	unsigned n_begun;
	struct failure failure;
};

struct world {
	struct dial dial;
	struct permit permit;
	struct stream stream[PERMIT_MAX_TARGETS];
	bool fails_at_once[PERMIT_MAX_TARGETS];
	unsigned told[3];
	uint64_t now_us, patience_us;
};

/* The functions of a stream know no world. */
static struct world *world(void)
{
	static struct world w;

	return &w;
}

struct stream *stream_connect(struct loop *l, const struct address *to, const struct socket_options *options,
                              stream_handler *handler, void *owner, struct failure *why)
{
	uint32_t target = ntohs(to->u.v4.sin_port);
	struct stream *s = &world()->stream[target];

	(void)l;
	(void)options;
	assert_false(s->open);
	s->n_begun++;
	if (world()->fails_at_once[target]) {
		failure_set(why, PHASE_CONNECT, DOMAIN_ERRNO, ENETUNREACH, NULL);
		return NULL;
	}
	s->handler = handler;
	s->owner = owner;
	s->open = true;
	return s;
}

void stream_close(struct stream *s)
{
	if (s == NULL)
		return;
	assert_true(s->open);
	s->open = false;
	failure_fini(&s->failure);
}

const struct failure *stream_failure(const struct stream *s)
{
	return &s->failure;
}

bool stream_local_address(const struct stream *s, struct address *a)
{
	(void)s;
	return address_from_text(a, "10.0.0.9", 40000);
}

uint64_t loop_now_us(const struct loop *l)
{
	(void)l;
	return world()->now_us;
}

/* ---- the bench ---- */

static void told(void *owner, enum dial_event event)
{
	struct world *w = (struct world *)owner;

	w->told[event]++;
}

static struct world *begin(uint32_t n_targets, uint64_t patience_us)
{
	struct world *w = world();
	const struct socket_options options = {0};

	memset(w, 0, sizeof(*w));
	w->now_us = 1000;
	w->permit.n_targets = n_targets;
	for (uint16_t i = 0; i < n_targets; i++)
		assert_true(address_from_text(&w->permit.target[i].address, "10.0.0.1", i));
	w->patience_us = patience_us;
	dial_init(&w->dial, NULL, &w->permit, &options, told, w);
	return w;
}

static void end(struct world *w)
{
	dial_fini(&w->dial);
	for (uint32_t i = 0; i < w->permit.n_failed; i++)
		failure_fini(&w->permit.failed[i].failure);
	mem_free(w->permit.failed);
	for (uint32_t i = 0; i < PERMIT_MAX_TARGETS; i++)
		assert_false(w->stream[i].open);
}

static void connects(struct world *w, uint32_t target)
{
	assert_true(w->stream[target].open);
	w->stream[target].handler(w->stream[target].owner, STREAM_CONNECTED);
}

static void refuses(struct world *w, uint32_t target)
{
	assert_true(w->stream[target].open);
	failure_set(&w->stream[target].failure, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	w->stream[target].handler(w->stream[target].owner, STREAM_BROKEN);
}

static void time_passes(struct world *w, uint64_t us)
{
	w->now_us += us;
	if (w->now_us >= dial_deadline_us(&w->dial, w->patience_us))
		dial_tick(&w->dial, w->patience_us);
}

static unsigned n_open(const struct world *w)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < PERMIT_MAX_TARGETS; i++)
		n += w->stream[i].open;
	return n;
}

/* Takes the one that is connected and closes it. */
static uint32_t take(struct world *w, uint64_t *began_us)
{
	uint32_t target;
	struct stream *s = dial_take(&w->dial, &target, began_us);

	assert_ptr_equal(s, &w->stream[target]);
	stream_close(s);
	return target;
}

/* ---- tests ---- */

static void the_first_that_answers_in_time_is_the_only_one(void **state)
{
	struct world *w = begin(3, 0);
	uint64_t began_us;

	(void)state;
	dial_on(&w->dial);
	assert_int_equal(w->told[DIAL_GOES_ON], 1);
	time_passes(w, DIAL_DELAY_US - 1);
	connects(w, 0);
	assert_int_equal(w->told[DIAL_CONNECTED], 1);
	assert_int_equal(take(w, &began_us), 0);
	assert_int_equal(began_us, 1000);
	assert_int_equal(w->stream[1].n_begun + w->stream[2].n_begun, 0);
	assert_int_equal(w->permit.n_failed, 0);
	end(w);
}

static void after_a_moment_of_silence_the_next_begins_beside_it(void **state)
{
	struct world *w = begin(3, 0);
	uint64_t began_us;

	(void)state;
	dial_on(&w->dial);
	assert_int_equal(dial_deadline_us(&w->dial, w->patience_us), w->now_us + DIAL_DELAY_US);
	time_passes(w, DIAL_DELAY_US);
	assert_int_equal(n_open(w), 2);
	time_passes(w, DIAL_DELAY_US);
	assert_int_equal(n_open(w), 3);
	assert_int_equal(dial_deadline_us(&w->dial, w->patience_us), UINT64_MAX);
	connects(w, 1);
	assert_int_equal(n_open(w), 1); /* the others are closed before anything was sent */
	assert_int_equal(take(w, &began_us), 1);
	assert_int_equal(began_us, 1000 + DIAL_DELAY_US);
	assert_true(w->permit.target[0].overtaken);
	assert_false(w->permit.target[1].overtaken);
	assert_false(w->permit.target[2].overtaken); /* it had no chance yet */
	assert_int_equal(w->permit.n_failed, 0);     /* silence is no failure */
	end(w);
}

static void the_older_one_may_still_win(void **state)
{
	struct world *w = begin(2, 0);
	uint64_t began_us;

	(void)state;
	dial_on(&w->dial);
	time_passes(w, DIAL_DELAY_US);
	connects(w, 0);
	assert_int_equal(take(w, &began_us), 0);
	assert_false(w->permit.target[1].overtaken);
	end(w);
}

static void who_refuses_is_followed_at_once(void **state)
{
	struct world *w = begin(3, 0);

	(void)state;
	w->fails_at_once[1] = true;
	dial_on(&w->dial);
	refuses(w, 0);
	assert_true(w->stream[2].open);
	assert_int_equal(w->permit.n_failed, 2);
	assert_int_equal(w->permit.failed[0].target, 0);
	assert_int_equal(w->permit.failed[0].failure.code, ECONNREFUSED);
	assert_int_equal(w->permit.failed[1].target, 1);
	assert_int_equal(w->permit.failed[1].failure.code, ENETUNREACH);
	assert_int_equal(w->permit.failed[1].failure.phase, PHASE_CONNECT);
	assert_int_equal(w->told[DIAL_EXHAUSTED], 0);
	refuses(w, 2);
	assert_int_equal(w->told[DIAL_EXHAUSTED], 1);
	assert_int_equal(w->permit.n_failed, 3);
	assert_true(w->permit.source.len > 0);
	end(w);
}

static void without_anybody_to_connect_to_it_says_so(void **state)
{
	struct world *w = begin(2, 0);

	(void)state;
	w->fails_at_once[0] = w->fails_at_once[1] = true;
	dial_on(&w->dial);
	assert_int_equal(w->told[DIAL_EXHAUSTED], 1);
	assert_int_equal(w->told[DIAL_GOES_ON], 0);
	end(w);
}

static void each_has_its_own_time(void **state)
{
	struct world *w = begin(2, US_PER_S);

	(void)state;
	dial_on(&w->dial);
	time_passes(w, DIAL_DELAY_US);
	assert_int_equal(dial_deadline_us(&w->dial, w->patience_us), 1000 + US_PER_S);
	time_passes(w, US_PER_S - DIAL_DELAY_US);
	assert_false(w->stream[0].open);
	assert_true(w->stream[1].open);
	assert_int_equal(w->permit.failed[0].failure.code, FAILURE_TIMED_OUT);
	assert_int_equal(w->permit.failed[0].phase_us, US_PER_S);
	assert_int_equal(w->told[DIAL_EXHAUSTED], 0);
	time_passes(w, DIAL_DELAY_US);
	assert_int_equal(w->told[DIAL_EXHAUSTED], 1);
	assert_int_equal(w->permit.n_failed, 2);
	end(w);
}

static void with_little_time_the_next_begins_when_the_one_before_is_overdue(void **state)
{
	struct world *w = begin(2, DIAL_DELAY_US / 2);

	(void)state;
	dial_on(&w->dial);
	time_passes(w, DIAL_DELAY_US / 2);
	assert_false(w->stream[0].open);
	assert_true(w->stream[1].open);
	end(w);
}

static void after_a_failed_login_those_go_on_that_were_closed_for_it(void **state)
{
	struct world *w = begin(3, 0);
	uint64_t began_us;

	(void)state;
	dial_on(&w->dial);
	time_passes(w, DIAL_DELAY_US);
	connects(w, 1);
	assert_int_equal(take(w, &began_us), 1);
	assert_true(dial_has_promising(&w->dial)); /* the third */
	dial_on(&w->dial);
	assert_int_equal(w->stream[0].n_begun, 2);
	refuses(w, 0);
	refuses(w, 2);
	assert_int_equal(w->told[DIAL_EXHAUSTED], 1);
	assert_int_equal(w->stream[1].n_begun, 1);
	dial_forgive(&w->dial, 1);
	dial_on(&w->dial);
	assert_int_equal(w->stream[1].n_begun, 2);
	end(w);
}

static void who_was_overtaken_is_not_promising(void **state)
{
	struct world *w = begin(2, 0);
	uint64_t began_us;

	(void)state;
	assert_true(dial_has_promising(&w->dial));
	dial_on(&w->dial);
	time_passes(w, DIAL_DELAY_US);
	connects(w, 1);
	assert_int_equal(take(w, &began_us), 1);
	assert_false(dial_has_promising(&w->dial));
	end(w);
}

/* One event of those that are possible now. False: it has ended. */
static bool something_happens(struct world *w, uint32_t n_targets)
{
	uint32_t target = (uint32_t)rand() % n_targets;

	if (rand() % 3 == 0)
		time_passes(w, (unsigned)rand() % (2 * DIAL_DELAY_US));
	else if (w->stream[target].open && rand() % 4 == 0)
		connects(w, target);
	else if (w->stream[target].open)
		refuses(w, target);
	return w->told[DIAL_CONNECTED] + w->told[DIAL_EXHAUSTED] == 0;
}

static void however_it_goes_one_connection_is_left_or_a_reason_for_each_target(void **state)
{
	(void)state;
	srand(1);
	for (int round = 0; round < 5000; round++) {
		uint32_t n = 1 + (uint32_t)rand() % 6;
		struct world *w = begin(n, rand() % 2 ? 0 : US_PER_S);
		uint64_t began_us;

		for (uint32_t i = 0; i < n; i++)
			w->fails_at_once[i] = rand() % 5 == 0;
		dial_on(&w->dial);
		while (w->told[DIAL_CONNECTED] + w->told[DIAL_EXHAUSTED] == 0 && something_happens(w, n)) {
			assert_true(n_open(w) > 0);
			assert_true(dial_deadline_us(&w->dial, w->patience_us) > w->now_us);
		}
		if (w->told[DIAL_CONNECTED] > 0) {
			assert_int_equal(n_open(w), 1);
			(void)take(w, &began_us);
		} else {
			assert_int_equal(n_open(w), 0);
			assert_int_equal(w->permit.n_failed, n);
		}
		end(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_first_that_answers_in_time_is_the_only_one),
	    cmocka_unit_test(after_a_moment_of_silence_the_next_begins_beside_it),
	    cmocka_unit_test(the_older_one_may_still_win),
	    cmocka_unit_test(who_refuses_is_followed_at_once),
	    cmocka_unit_test(without_anybody_to_connect_to_it_says_so),
	    cmocka_unit_test(each_has_its_own_time),
	    cmocka_unit_test(with_little_time_the_next_begins_when_the_one_before_is_overdue),
	    cmocka_unit_test(after_a_failed_login_those_go_on_that_were_closed_for_it),
	    cmocka_unit_test(who_was_overtaken_is_not_promising),
	    cmocka_unit_test(however_it_goes_one_connection_is_left_or_a_reason_for_each_target),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
