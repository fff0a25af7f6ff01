/* An opener on a table: pools whose clients are waiters, and what main and workers would do with its permits. */
#ifndef TEST_OPENER_BENCH_H
#define TEST_OPENER_BENCH_H

#include <errno.h>

#include "base/mem.h"
#include "pool/opener.h"
#include "pool_bench.h"

/* Clients of one pool, and what its workers would do. */
struct side {
	struct pool *p;
	struct entry entry[6];
	struct waiter w[6];
	struct permit *permit[6]; /* with OPEN */
	struct place place[6];
	int n_clients, n_permits, n_open_letters;
};

struct bench {
	struct registry *registry;
	struct opener *opener;
	struct config *config;
	struct log *log;
	struct letters out;
	uint32_t n_hosts; /* that the database has; 0 means 1 */
	uint64_t now_us;
	struct side *side[24];
	int n_sides;
};

static inline struct bench *begin(const char *databases, const char *globals)
{
	struct bench *t = (struct bench *)calloc(1, sizeof(*t));

	assert_non_null(t);
	t->now_us = NOW;
	t->config = bench_config(databases, globals);
	t->log = log_new();
	assert_non_null(t->log);
	log_set_stderr(t->log, false);
	t->registry = registry_new(1, 7);
	assert_non_null(t->registry);
	t->opener = opener_new(t->registry, t->log, t->config, 5);
	assert_non_null(t->opener);
	letters_init(&t->out);
	return t;
}

static inline struct side *side_of(struct bench *t, const struct pool *p)
{
	for (int i = 0; i < t->n_sides; i++)
		if (t->side[i]->p == p)
			return t->side[i];
	fail_msg("a permit for nobody");
	return NULL;
}

static inline void resolve(struct bench *t, bool good)
{
	struct permit *permit;

	while ((permit = opener_take_unresolved(t->opener)) != NULL) {
		struct side *s = good ? side_of(t, permit->pool) : NULL;
		int n;

		if (good) {
			permit->n_targets = t->n_hosts == 0 ? 1 : t->n_hosts;
			for (uint16_t i = 0; i < permit->n_targets; i++) {
				permit->target[i].host = "127.0.0.1";
				assert_true(
				    address_from_text(&permit->target[i].address, "127.0.0.1", (uint16_t)(5432 + i)));
			}
			s->permit[s->n_permits] = permit;
		} else {
			failure_set(&permit->failure, PHASE_RESOLVE, DOMAIN_POOLER, FAILURE_NO_ADDRESS, NULL);
		}
		opener_resolved(t->opener, permit, t->now_us, &t->out);
		n = took(&t->out, LETTER_OPEN);
		if (s == NULL)
			continue;
		s->n_permits += n; /* none: it is back already */
		s->n_open_letters += n;
	}
}

/* Main reads what workers would have posted, and time that is due. */
static inline void run_main(struct bench *t, struct side *s)
{
	if (took(&t->out, LETTER_WANT) > 0)
		opener_consider(t->opener, s->p, t->now_us, &t->out);
	if (opener_next_us(t->opener) <= t->now_us)
		opener_tick(t->opener, t->now_us, &t->out);
	resolve(t, true);
}

static inline void joins(struct bench *t, struct side *s)
{
	if (s->p == NULL)
		t->side[t->n_sides++] = s;
	s->p = s->entry[0].seat->pool;
}

/* A client of this pool comes and waits. */
static inline void waits(struct bench *t, struct side *s, const char *database, const char *user)
{
	struct place *pl;
	int i = s->n_clients++;

	assert_int_equal(registry_enter(t->registry, t->config, database, user, 0, &s->entry[i]), ENTERED);
	joins(t, s);
	assert_int_equal(bench_borrow(s->entry[i].seat, &s->w[i], t->now_us, &pl, &t->out), BORROW_WAITS);
	run_main(t, s);
}

static inline void news(struct bench *t, struct permit *permit, enum permit_news what)
{
	assert_true(permit_report(permit, what));
	opener_news(t->opener, permit, t->now_us, &t->out);
}

/* The permit's server logs in and serves whoever waits. */
static inline void logs_in(struct bench *t, struct side *s, int i)
{
	struct waiter *to;

	pool_place_init(&s->place[i], s->permit[i]->seat);
	s->place[i].host = s->permit[i]->target[0].backend->at;
	pool_opened(&s->place[i], t->now_us, bench_welcome(), &t->out);
	(void)took(&t->out, LETTER_LOOK);
	s->p->seat[0].look_posted = false;
	(void)bench_settle(&s->place[i], t->now_us, &to, &t->out);
	news(t, s->permit[i], PERMIT_OPENED);
	resolve(t, true);
}

/* One target of this attempt says no: with that SQLSTATE, or by refusing to connect. */
static inline void fails_at(struct bench *t, struct side *s, int i, uint32_t target, const char *sqlstate)
{
	struct failure why;
	char body[100];
	int n;

	(void)t;
	failure_init(&why);
	if (sqlstate == NULL) {
		failure_set(&why, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	} else {
		n = snprintf(body, sizeof(body), "SFATAL%cVFATAL%cC%s%cMno%c", 0, 0, sqlstate, 0, 0);
		failure_set_report(&why, PHASE_AUTH, body, (size_t)n + 1);
	}
	permit_add_failure(s->permit[i], target, &why, 20);
	s->permit[i]->reached = target + 1;
	failure_fini(&why);
}

static inline void fails(struct bench *t, struct side *s, int i, const char *sqlstate)
{
	pool_place_init(&s->place[i], s->permit[i]->seat);
	(void)!pool_gone(&s->place[i], t->now_us, &t->out);
	fails_at(t, s, i, 0, sqlstate);
	news(t, s->permit[i], PERMIT_RETURNED);
	s->permit[i] = NULL;
	s->p->seat[0].look_posted = false;
	(void)took(&t->out, LETTER_LOOK);
	run_main(t, s);
}

static inline void ends(struct bench *t, struct side *s, int i)
{
	(void)!pool_gone(&s->place[i], t->now_us, &t->out);
	s->place[i].pool = NULL;
	news(t, s->permit[i], PERMIT_RETURNED);
	s->permit[i] = NULL;
}

static inline void leaves(struct bench *t, struct side *s, int i)
{
	if (s->entry[i].seat == NULL)
		return;
	pool_leave(s->entry[i].seat, &s->w[i]);
	registry_leave(t->registry, &s->entry[i], t->now_us);
}

static inline void everybody_leaves(struct bench *t, struct side *s)
{
	for (int i = 0; i < s->n_clients; i++)
		leaves(t, s, i);
	for (int i = 0; i < s->n_permits; i++) {
		if (s->permit[i] == NULL)
			continue;
		if (s->place[i].pool == NULL)
			pool_open_failed(s->permit[i]->seat, t->now_us, &t->out);
		else
			(void)!pool_gone(&s->place[i], t->now_us, &t->out);
		news(t, s->permit[i], PERMIT_RETURNED);
		s->permit[i] = NULL;
	}
}

static inline void end(struct bench *t)
{
	for (int i = 0; i < t->n_sides; i++)
		everybody_leaves(t, t->side[i]);
	resolve(t, false);
	for (int i = 0; i < t->n_sides; i++) {
		const struct opener_pool *op = t->side[i]->p->opener;

		assert_int_equal(op->n_permits, 0);
		assert_int_equal(op->n_starting, 0);
		assert_int_equal(op->database->quota.n_permits, 0);
		assert_int_equal(op->account->quota.n_permits, 0);
		assert_int_equal(t->opener->process.n_permits, 0);
		for (uint32_t k = 0; k < op->n_known; k++)
			assert_int_equal(op->known[k]->at->quota.n_permits, 0);
		opener_forget(t->opener, t->side[i]->p);
	}
	opener_free(t->opener);
	registry_free(t->registry);
	config_unref(t->config);
	log_free(t->log);
	free(t);
}

static inline struct verdict *verdict_of(struct side *s)
{
	assert_non_null(s->p->outage);
	return &s->p->outage->verdict;
}

#endif
