/*
 * The accounting of answers against a model of the backend: whatever the client sends and however messages and
 * answers cross, the client sees what it would see directly, and "at rest" means that nothing is outstanding.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend_model.h"
#include "worker/answers.h"

/* ---- the rig: client, pooler, backend, and messages on their way ---- */

#define FLIGHT_MAX 16384

struct rig {
	struct answers a;
	struct backend real, direct; /* behind the pooler; and as if the client were connected to it */
	struct said to_server[FLIGHT_MAX];
	size_t first, last;
	size_t n_read;     /* of what the real backend has said */
	size_t n_got;      /* what the client got, compared with what direct has said */
	unsigned ours;     /* requests of ours that are not answered yet */
	bool gave_up;      /* the pooler has closed the server, being in doubt */
	bool odd;          /* the client has sent a request in the middle of a COPY: closing is allowed */
	bool wrong;        /* the client saw something else */
	const char *story; /* for messages of failures */
};

static void rig_init(struct rig *r)
{
	answers_init(&r->a);
	backend_init(&r->real);
	backend_init(&r->direct);
	r->a.status = 'I';
	r->first = r->last = r->n_read = r->n_got = r->ours = 0;
	r->gave_up = r->odd = r->wrong = false;
}

static void to_server(struct rig *r, const struct said *m)
{
	if (r->last < FLIGHT_MAX)
		r->to_server[r->last++] = *m;
}

/* False: the pooler does not read the client now. */
static bool client_sends(struct rig *r, const struct said *m)
{
	bool skips;

	if (r->a.fencing || r->a.wants_fence || answers_is_full(&r->a))
		return false;
	skips = answers_client_skips(&r->a, (uint8_t)m->type);
	if (!skips && !answers_client_sends(&r->a, (uint8_t)m->type))
		return false;
	if (r->direct.copying && strchr("dcfHS", m->type) == NULL)
		r->odd = true;
	backend_reads(&r->direct, m);
	if (!skips)
		to_server(r, m);
	return true;
}

static bool we_send(struct rig *r)
{
	struct said m = {'Q', "s", true};

	if (!answers_we_send(&r->a, 'Q'))
		return false;
	r->ours++;
	to_server(r, &m);
	return true;
}

static bool backend_turn(struct rig *r)
{
	if (r->first == r->last)
		return false;
	backend_reads(&r->real, &r->to_server[r->first++]);
	return true;
}

static void client_gets(struct rig *r, char type, char status)
{
	const struct answered *want = r->n_got < r->direct.n ? &r->direct.out[r->n_got] : NULL;

	r->n_got++;
	if (want == NULL || want->type != type || want->status != status)
		r->wrong = true;
}

static void send_fence(struct rig *r)
{
	struct said sync = {'S', "", true}, empty = {'Q', "", true};

	assert_true(answers_fence_sent(&r->a));
	r->ours++;
	to_server(r, &sync);
	to_server(r, &empty);
}

static bool pooler_turn(struct rig *r)
{
	const struct answered *m;
	enum answer_verdict verdict;
	char released;

	if (r->gave_up || r->n_read == r->real.n)
		return false;
	m = &r->real.out[r->n_read++];
	verdict = answers_server_sent(&r->a, (uint8_t)m->type, m->status);
	if (answers_released_ready(&r->a, &released))
		client_gets(r, 'Z', released);
	switch (verdict) {
	case ANSWER_FORWARD:
		/* a COPY has failed that had Syncs in it and requests behind it */
		r->odd |= m->type == 'E' && r->a.lost;
		if (m->ours)
			r->wrong = true;
		client_gets(r, m->type, m->status);
		break;
	case ANSWER_SWALLOW:
		if (!m->ours)
			r->wrong = true;
		r->ours -= m->type == 'Z';
		break;
	case ANSWER_HOLD_READY:
		break;
	case ANSWER_IMPOSSIBLE:
		/* requests are behind the COPY, and its end is not between */
		r->odd |= m->type == 'G' && r->a.n > 1;
		r->gave_up = true;
		break;
	}
	if (!r->gave_up && answers_needs_fence(&r->a))
		send_fence(r);
	return true;
}

static bool nothing_outstanding(const struct rig *r)
{
	const struct backend *d = &r->direct;

	return r->n_got == d->n && !d->copying && !d->ignoring && !d->dirty && r->ours == 0;
}

static void check(const struct rig *r)
{
	if (r->wrong)
		fail_msg("the client saw something else: %s", r->story);
	if (r->gave_up && !r->odd)
		fail_msg("message %zu, %c, was taken for impossible: %s", r->n_read, r->real.out[r->n_read - 1].type,
		         r->story);
	if (!r->gave_up && !r->odd && answers_at_rest(&r->a) != nothing_outstanding(r))
		fail_msg("at rest is %d, got %zu of %zu, %u of ours, direct %s: %s", answers_at_rest(&r->a), r->n_got,
		         r->direct.n, r->ours,
		         r->direct.ignoring  ? "ignores"
		         : r->direct.copying ? "copies"
		                             : "",
		         r->story);
	assert_false(answers_run_client(&r->a) && answers_run_ours(&r->a));
}

static void settle(struct rig *r)
{
	while (backend_turn(r) || pooler_turn(r))
		check(r);
	check(r);
}

/* ---- texts: "P B Ei S d c S" ---- */

static const char *read_said(const char *text, struct said *m)
{
	size_t n = 0;

	memset(m, 0, sizeof(*m));
	m->type = *text++;
	while (*text != ' ' && *text != '\0') {
		if (n < sizeof(m->what) - 1)
			m->what[n++] = *text;
		text++;
	}
	return *text == ' ' ? text + 1 : text;
}

/* Sends it all at once, then lets the answers come. "|" waits for all answers. */
static void play(struct rig *r, const char *text)
{
	struct said m;

	r->story = text;
	while (*text != '\0') {
		if (*text == '|') {
			settle(r);
			text += text[1] == ' ' ? 2 : 1;
			continue;
		}
		text = read_said(text, &m);
		if (!client_sends(r, &m)) {
			settle(r);
			assert_true(client_sends(r, &m));
		}
		check(r);
	}
	settle(r);
}

/* Every way in which n messages can cross their answers would be too many; message by message and all at once are
 * the two ends, the random test below is between. */
static void plays(const char *text, bool rests)
{
	static struct rig r;
	struct said m;

	rig_init(&r);
	play(&r, text);
	if (r.odd || r.n_got != r.direct.n || answers_at_rest(&r.a) != rests)
		fail_msg("%zu of %zu messages, %s, %s", r.n_got, r.direct.n, r.odd ? "odd" : "", r.story);
	answers_fini(&r.a);
	rig_init(&r);
	r.story = text;
	while (*text != '\0') {
		if (*text == '|') {
			text += text[1] == ' ' ? 2 : 1;
			continue;
		}
		text = read_said(text, &m);
		assert_true(client_sends(&r, &m));
		settle(&r);
	}
	if (r.odd || r.n_got != r.direct.n || answers_at_rest(&r.a) != rests)
		fail_msg("%zu of %zu messages, %s, %s", r.n_got, r.direct.n, r.odd ? "odd" : "", r.story);
	answers_fini(&r.a);
}

/* ---- cases ---- */

static void simple_queries_are_answered_by_ready(void **state)
{
	(void)state;
	plays("Qs", true);
	plays("Qscs Q Qe Qse Qo", true);
	plays("Qb Qs Qr", true);
	plays("Qb Qe Qs Qr", true);
}

static void extended_queries_rest_only_after_sync(void **state)
{
	(void)state;
	plays("P B D Es S", true);
	plays("P B D Es", false);
	plays("P Dt B Dn Ep H Es C S", true);
	plays("P B E0 S P B Eo S", true);
	plays("S", true);
	plays("H", true);
	plays("P", false);
}

static void an_error_skips_to_the_next_sync(void **state)
{
	(void)state;
	plays("P Be D Es S P B Es S", true);
	plays("Pe B D Es Qs F S", true);
	plays("P B Ee B Es", false);
	plays("P B Ee | Qs | F | P | S Qs", true);
}

static void a_commit_that_fails_at_sync_is_answered_twice(void **state)
{
	(void)state;
	plays("P B Es Se Qs", true);
}

static void function_calls_are_answered_by_ready(void **state)
{
	(void)state;
	plays("F Fe F", true);
}

static void copy_in_takes_data_until_it_ends(void **state)
{
	(void)state;
	plays("Qi | d d c Qs", true);
	plays("Qi | d f Qs", true);
	plays("Qi d d c Qs", true);
	plays("Qi d", false);
	plays("Qii | d c d c", true);
	plays("Qii d c d c Qs", true);
	plays("Qi | de d c Qs", true);
}

static void copy_in_swallows_sync_and_flush(void **state)
{
	(void)state;
	plays("P B D Ei S | d H c S", true);
	plays("P B Ei S d c S", true);
	plays("P B Ei H d S d c S", true);
	plays("P B Ei S", false);
	plays("P B Ei S d c", false);
}

static void a_copy_that_fails_with_syncs_in_flight_is_fenced(void **state)
{
	(void)state;
	plays("P B Ei S | d de d c S | Qs", true);
	plays("P B Ei S d de d c S | Qs", true);
	plays("P B Ei S | de", false);
	plays("P B Ei S | d f S", true);
	plays("P B Ei S | de | S P B Es S", true);
	plays("P B Ei S | d S S de S S S | S Qs", true);
	plays("Qi | d S f | Qs", true);
	plays("Qi | S S de S S | Qs", true);
}

static void what_follows_a_failed_copy_is_skipped_as_without_a_pooler(void **state)
{
	(void)state;
	plays("P B Ei S | de | d c P B Es S Qs", true);
	plays("P B Ei S | de | Qs", false);
	plays("P B Ei S | de | F Qs | S", true);
}

static void copy_messages_outside_of_copy_are_ignored(void **state)
{
	(void)state;
	plays("d c f Qs", true);
	plays("Qs d c Qs", true);
	plays("Qe d d c Qs", true);
	plays("P B Ee d c S Qs", true);
	plays("Qs c S c Qi | c", true);
}

static void copy_out_passes(void **state)
{
	(void)state;
	plays("Qo Qsoc P B Eo S", true);
}

static void requests_in_the_middle_of_a_copy_never_hang(void **state)
{
	static const char *const text[] = {"Qi | Qs", "Qi Qs", "P B Ei S | Qs | S", "P B Ei S P B Es S", "Qi | d P S"};
	static struct rig r;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(text) / sizeof(text[0]); i++) {
		rig_init(&r);
		r.real.old = r.direct.old = i % 2 == 1;
		play(&r, text[i / 2]);
		assert_true(r.gave_up || r.real.dead);
		assert_false(answers_at_rest(&r.a));
		answers_fini(&r.a);
	}
}

static void errands_are_swallowed(void **state)
{
	static struct rig r;

	(void)state;
	rig_init(&r);
	play(&r, "Qs");
	assert_true(we_send(&r));
	assert_true(answers_run_ours(&r.a));
	settle(&r);
	assert_true(answers_at_rest(&r.a));
	assert_false(answers_run_ours(&r.a));
	assert_int_equal(r.n_got, r.direct.n);
	play(&r, "P B Es S");
	assert_int_equal(r.n_got, r.direct.n);
	answers_fini(&r.a);
}

static void a_full_ring_takes_no_more(void **state)
{
	struct answers a;

	(void)state;
	answers_init(&a);
	for (unsigned i = 0; i < ANSWERS_MAX; i++) {
		assert_false(answers_is_full(&a));
		assert_true(answers_client_sends(&a, i % 2 == 0 ? 'P' : 'C'));
	}
	assert_true(answers_is_full(&a));
	assert_false(answers_client_sends(&a, 'Q'));
	for (unsigned i = 0; i < ANSWERS_MAX; i++)
		assert_int_equal(answers_server_sent(&a, i % 2 == 0 ? '1' : '3', 0), ANSWER_FORWARD);
	assert_false(answers_at_rest(&a));
	assert_true(answers_client_sends(&a, 'S'));
	assert_int_equal(answers_server_sent(&a, 'Z', 'T'), ANSWER_FORWARD);
	assert_true(answers_at_rest(&a));
	assert_int_equal(a.status, 'T');
	answers_fini(&a);
}

static void answers_that_nobody_asked_for_are_impossible(void **state)
{
	static const char types[] = "123CDGHITVcdnst";
	struct answers a;

	(void)state;
	for (const char *t = types; *t != '\0'; t++) {
		answers_init(&a);
		assert_int_equal(answers_server_sent(&a, (uint8_t)*t, 0), ANSWER_IMPOSSIBLE);
		answers_fini(&a);
	}
	answers_init(&a);
	assert_int_equal(answers_server_sent(&a, 'Z', 'I'), ANSWER_IMPOSSIBLE);
	assert_int_equal(answers_server_sent(&a, 'W', 0), ANSWER_IMPOSSIBLE);
	assert_true(answers_client_sends(&a, 'P'));
	assert_int_equal(answers_server_sent(&a, '2', 0), ANSWER_IMPOSSIBLE);
	assert_int_equal(answers_server_sent(&a, 'Z', 'I'), ANSWER_IMPOSSIBLE);
	assert_int_equal(answers_server_sent(&a, 'D', 0), ANSWER_IMPOSSIBLE);
	answers_fini(&a);
}

static void what_a_server_says_unasked_is_forwarded(void **state)
{
	struct answers a;

	(void)state;
	answers_init(&a);
	a.status = 'I';
	assert_int_equal(answers_server_sent(&a, 'S', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'N', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'A', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'E', 0), ANSWER_FORWARD);
	assert_true(answers_at_rest(&a));
	assert_true(answers_we_send(&a, 'Q'));
	assert_int_equal(answers_server_sent(&a, 'S', 0), ANSWER_SWALLOW);
	assert_int_equal(answers_server_sent(&a, 'N', 0), ANSWER_SWALLOW);
	assert_int_equal(answers_server_sent(&a, 'A', 0), ANSWER_FORWARD);
	answers_fini(&a);
}

/* ---- random sequences ---- */

static uint32_t next_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static const char *const phrases[] = {"Qs",
                                      "Q",
                                      "Qcsc",
                                      "Qe",
                                      "Qse",
                                      "Qo",
                                      "Qb",
                                      "Qr",
                                      "P B D Es S",
                                      "P B Es H",
                                      "P B Ee S",
                                      "Pe B Es",
                                      "S",
                                      "H",
                                      "C S",
                                      "P Dt S",
                                      "F",
                                      "Fe",
                                      "Qi d c",
                                      "Qi d d f",
                                      "Qi de d c",
                                      "Qii d c d c",
                                      "Qi S d c",
                                      "Qi d S de d c",
                                      "P B Ei S d c S",
                                      "P B Ei d d c S",
                                      "P B Ei S d f S",
                                      "P B Ei S de d c S",
                                      "P B Ei S H d S d c S",
                                      "P B Ei S d S de S S c S",
                                      "d",
                                      "c",
                                      "f",
                                      "P B Ep Ep Es S",
                                      "P B E0 S",
                                      "P B Es Se",
                                      "P B Es P B Ee P B Es S",
                                      "P B Eo D C S"};

#define TEXT_MAX 600

static void random_text(uint32_t *seed, char *text)
{
	size_t len = 0;
	unsigned n = 1 + next_random(seed) % 8;

	text[0] = '\0';
	while (n-- > 0) {
		const char *p = phrases[next_random(seed) % (sizeof(phrases) / sizeof(phrases[0]))];

		len += (size_t)snprintf(text + len, TEXT_MAX - len, "%s ", p);
	}
	text[len - 1] = '\0';
	/* what fits nowhere: a letter here and there is replaced */
	if (next_random(seed) % 8 == 0) {
		size_t at = next_random(seed) % len;

		if (strchr("PBDECSHQFdcf", text[at]) != NULL)
			text[at] = "PBDECSHQFdcf"[next_random(seed) % 12];
	}
}

static void play_at_random(struct rig *r, uint32_t *seed, const char *text)
{
	struct said m;
	uint32_t bias = next_random(seed) % 4;

	while (*text != '\0' && !r->gave_up && !r->real.dead) {
		switch (next_random(seed) % (3 + bias)) {
		case 0:
			(void)backend_turn(r);
			break;
		case 1:
			(void)pooler_turn(r);
			break;
		default: {
			const char *rest = read_said(text, &m);

			if (answers_at_rest(&r->a) && next_random(seed) % 16 == 0) {
				assert_true(we_send(r));
				settle(r);
			}
			if (client_sends(r, &m))
				text = rest;
			else
				settle(r);
			break;
		}
		}
		check(r);
	}
	settle(r);
}

static void clients_see_what_they_would_see_directly(void **state)
{
	static struct rig r;
	char text[TEXT_MAX], story[TEXT_MAX + 60];
	unsigned n_odd = 0, n_rest = 0;

	(void)state;
	for (uint32_t round = 1; round <= 60000; round++) {
		uint32_t seed = round * 2654435761u + 1;

		random_text(&seed, text);
		snprintf(story, sizeof(story), "round %u: %s", round, text);
		rig_init(&r);
		r.story = story;
		r.real.old = r.direct.old = round % 2 == 0;
		play_at_random(&r, &seed, text);
		n_odd += r.odd;
		n_rest += answers_at_rest(&r.a);
		if (!r.gave_up && r.n_got != r.direct.n)
			fail_msg("the client got %zu of %zu messages: %s", r.n_got, r.direct.n, story);
		answers_fini(&r.a);
	}
	/* the sequences are of all kinds */
	assert_true(n_odd > 300 && n_odd < 40000);
	assert_true(n_rest > 6000);
}

#define TEST(name) cmocka_unit_test(name)

static void a_replication_stream_goes_both_ways_until_its_end(void **state)
{
	struct answers a;

	(void)state;
	answers_init(&a);
	assert_true(answers_client_sends(&a, 'Q'));
	assert_true(answers_client_sends(&a, 'd'));
	assert_int_equal(answers_server_sent(&a, 'W', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'd', 0), ANSWER_FORWARD);
	assert_true(answers_client_sends(&a, 'd'));
	assert_int_equal(answers_server_sent(&a, 'N', 0), ANSWER_FORWARD);
	assert_false(answers_at_rest(&a));
	assert_true(answers_client_sends(&a, 'c'));
	assert_int_equal(answers_server_sent(&a, 'd', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'c', 0), ANSWER_FORWARD);
	/* the end of a timeline: where it goes on */
	for (const char *t = "TDCC"; *t != '\0'; t++)
		assert_int_equal(answers_server_sent(&a, (uint8_t)*t, 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'd', 0), ANSWER_IMPOSSIBLE);
	assert_int_equal(answers_server_sent(&a, 'Z', 'I'), ANSWER_FORWARD);
	assert_true(answers_at_rest(&a));
	answers_fini(&a);
}

static void the_end_of_a_stream_may_be_sent_before_it_begins_or_after_it_failed(void **state)
{
	struct answers a;

	(void)state;
	answers_init(&a);
	assert_true(answers_client_sends(&a, 'Q'));
	assert_true(answers_client_sends(&a, 'c'));
	assert_int_equal(answers_server_sent(&a, 'W', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'E', 0), ANSWER_FORWARD);
	assert_true(answers_client_sends(&a, 'c'));
	assert_int_equal(answers_server_sent(&a, 'Z', 'I'), ANSWER_FORWARD);
	assert_true(answers_at_rest(&a));
	answers_fini(&a);
}

static void a_refused_message_is_known_by_its_answer(void **state)
{
	struct answers a;

	(void)state;
	answers_init(&a);
	answers_refuse_last(&a, 1); /* nothing was sent */
	assert_int_equal(answers_head_refused(&a), 0);
	assert_true(answers_client_sends(&a, 'Q'));
	assert_true(answers_client_sends(&a, 'P'));
	answers_refuse_last(&a, 3);
	assert_true(answers_client_sends(&a, 'S'));
	answers_refuse_last(&a, 4); /* no text is in it */
	assert_int_equal(answers_head_refused(&a), 0);
	assert_int_equal(answers_server_sent(&a, 'C', 0), ANSWER_FORWARD);
	assert_int_equal(answers_server_sent(&a, 'Z', 'I'), ANSWER_FORWARD);
	assert_int_equal(answers_head_refused(&a), 3);
	assert_int_equal(answers_server_sent(&a, 'E', 0), ANSWER_FORWARD);
	assert_int_equal(answers_head_refused(&a), 0);
	answers_fini(&a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(simple_queries_are_answered_by_ready),
	    TEST(extended_queries_rest_only_after_sync),
	    TEST(an_error_skips_to_the_next_sync),
	    TEST(a_commit_that_fails_at_sync_is_answered_twice),
	    TEST(function_calls_are_answered_by_ready),
	    TEST(copy_in_takes_data_until_it_ends),
	    TEST(copy_in_swallows_sync_and_flush),
	    TEST(a_copy_that_fails_with_syncs_in_flight_is_fenced),
	    TEST(what_follows_a_failed_copy_is_skipped_as_without_a_pooler),
	    TEST(copy_messages_outside_of_copy_are_ignored),
	    TEST(copy_out_passes),
	    TEST(requests_in_the_middle_of_a_copy_never_hang),
	    TEST(errands_are_swallowed),
	    TEST(a_full_ring_takes_no_more),
	    TEST(answers_that_nobody_asked_for_are_impossible),
	    TEST(what_a_server_says_unasked_is_forwarded),
	    TEST(a_refused_message_is_known_by_its_answer),
	    TEST(clients_see_what_they_would_see_directly),
	    TEST(a_replication_stream_goes_both_ways_until_its_end),
	    TEST(the_end_of_a_stream_may_be_sent_before_it_begins_or_after_it_failed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
