/* Pools on a table: a pool of some seats with configuration text, servers and clients that are only places and waiters.
 */
#ifndef TEST_POOL_BENCH_H
#define TEST_POOL_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/failure.h"
#include "configured.h"
#include "pool/outage.h"
#include "pool/pool.h"
#include "pool/settings.h"
#include <cmocka.h>

#define NOW (1000 * US_PER_S)
#define MS US_PER_MS

/* A configuration with these lines in [databases] and [pgbouncer]; config_unref it. */
static inline struct config *bench_config(const char *databases, const char *globals)
{
	char text[2000];

	assert_in_range(
	    snprintf(text, sizeof(text), "[databases]\n%s\n[pgbouncer]\nauth_type=trust\n%s\n", databases, globals), 1,
	    sizeof(text) - 1);
	return configured(text, NULL);
}

static inline struct pool_settings *bench_settings(const char *database, const char *globals)
{
	struct config *c = bench_config(database, globals);
	struct pool_settings *set = pool_settings_new(c, config_find_database(c, "app", NULL), "app", "ann");

	assert_non_null(set);
	config_unref(c);
	return set;
}

/* A pool on workers 0 … n − 1. */
static inline struct pool *bench_pool(uint16_t n_seats, const char *globals)
{
	uint16_t workers[] = {0, 1, 2, 3};
	struct pool *p = pool_new("app", "ann", workers, n_seats, bench_settings("app = host=127.0.0.1", globals));

	assert_non_null(p);
	return p;
}

/* Letters by kind, taken off; how many there were. */
static inline int took(struct letters *l, enum pool_letter kind)
{
	struct letter *letter, *keep = NULL;
	struct letters rest;
	int n = 0;

	(void)keep;
	letters_init(&rest);
	while ((letter = letters_take(l)) != NULL) {
		if (letter->kind != (uint8_t)kind) {
			letters_add(&rest, letter);
			continue;
		}
		n++;
		if (kind == LETTER_WANT)
			pool_want_read(container_of(letter, struct pool, want));
	}
	letters_init(l);
	while ((letter = letters_take(&rest)) != NULL)
		letters_add(l, letter);
	return n;
}

static inline void bench_free_shared(struct shared *s)
{
	free(s);
}

static inline struct shared *bench_welcome(void)
{
	struct shared *w = (struct shared *)malloc(sizeof(*w));

	assert_non_null(w);
	shared_init(w, bench_free_shared);
	return w;
}

/* A server that has just logged in at this seat and has not settled yet. */
static inline void bench_log_in(struct seat *s, struct place *pl, uint64_t now_us)
{
	struct letters out;

	letters_init(&out);
	pool_count_opening(s);
	pool_place_init(pl, s);
	pool_opened(pl, now_us, bench_welcome(), &out);
	(void)took(&out, LETTER_LOOK);
	for (uint16_t i = 0; i < s->pool->n_seats; i++)
		if (s->pool->seat[i].look_posted)
			pool_look_begins(&s->pool->seat[i]);
}

/* A server at work at this seat: LENT to nobody in particular. Nobody waits there yet. */
static inline void bench_open(struct seat *s, struct place *pl, uint64_t now_us)
{
	struct waiter *to = NULL, somebody = {.newcomer = false};
	struct outage *outage = NULL;
	struct letters out;
	struct place *got = NULL;
	enum retire_reason why;

	letters_init(&out);
	list_init(&somebody.node);
	bench_log_in(s, pl, now_us);
	assert_int_equal(pool_settle(pl, now_us, &to, &why, &out), SETTLED_IDLE);
	/* last used first: it is this one */
	assert_int_equal(pool_borrow(s, &somebody, now_us, &got, &outage, &out), BORROWED);
	assert_ptr_equal(got, pl);
}

static inline enum settled bench_settle(struct place *pl, uint64_t now_us, struct waiter **to, struct letters *out)
{
	enum retire_reason why;

	*to = NULL;
	return pool_settle(pl, now_us, to, &why, out);
}

/* An idle server at this seat. */
static inline void bench_idle(struct seat *s, struct place *pl, uint64_t now_us)
{
	struct letters out;
	struct waiter *to;

	letters_init(&out);
	bench_log_in(s, pl, now_us);
	assert_int_equal(bench_settle(pl, now_us, &to, &out), SETTLED_IDLE);
}

static inline enum borrowed bench_borrow(struct seat *s, struct waiter *w, uint64_t now_us, struct place **pl,
                                         struct letters *out)
{
	struct outage *outage = NULL;
	enum borrowed result;

	*pl = NULL;
	result = pool_borrow(s, w, now_us, pl, &outage, out);
	if (outage != NULL)
		shared_unref(&outage->shared);
	return result;
}

/* An outage that is told from then on. */
static inline struct outage *bench_outage(uint64_t since_us, uint64_t tell_at_us)
{
	struct verdict v;
	struct outage *o;

	verdict_init(&v);
	o = outage_new(&v, since_us, tell_at_us, 1);
	assert_non_null(o);
	return o;
}

/* Ends everything that these places still are, then the pool. */
static inline void bench_end(struct pool *p, struct place *places, int n)
{
	struct letters out;

	letters_init(&out);
	for (int i = 0; i < n; i++)
		if (places[i].pool == p && places[i].state != PLACE_GONE)
			(void)!pool_gone(&places[i], NOW, &out);
	assert_null(pool_check(p));
	for (uint16_t i = 0; i < p->n_seats; i++)
		assert_int_equal(p->seat[i].n_idle + p->seat[i].n_lent + p->seat[i].n_moving + p->seat[i].n_opening, 0);
	pool_free(p);
}

#endif
