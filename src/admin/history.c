/* A ring of samples, each taken by one visit to the workers; rates are made of them when they are asked for. Main
   thread, except what a visit collects. */
#include "admin/history.h"

#include <inttypes.h>
#include <stdlib.h>

#include "admin/stats.h"
#include "admin/terminal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "net/loop.h"

struct history {
	struct sample sample[HISTORY_SAMPLES];
	unsigned next, count;
	bool has_begun;
	struct tally last; /* by database, because pools that are freed take their counts along */
	uint64_t last_us, last_errors;
};

struct history *history_new(uint32_t seed)
{
	struct history *h = mem_new(struct history);

	if (h != NULL)
		tally_init(&h->last, seed);
	return h;
}

void history_free(struct history *h)
{
	if (h == NULL)
		return;
	tally_fini(&h->last);
	mem_free(h);
}

unsigned history_count(const struct history *h)
{
	return h == NULL ? 0 : h->count;
}

const struct sample *history_sample(const struct history *h, unsigned i)
{
	return &h->sample[(h->next + HISTORY_SAMPLES - h->count + i) % HISTORY_SAMPLES];
}

/* ---- taking samples ---- */

static struct counters count_since(const struct tally *now, const struct tally *last)
{
	static const struct counters none;
	struct counters sum = none;
	struct table_node *node;

	for (node = table_next(&now->rows, NULL); node != NULL; node = table_next(&now->rows, node)) {
		const struct tally_row *row = container_of_const(node, struct tally_row, node);
		const struct tally_row *before = tally_find(last, row->database);
		struct counters since = counters_since(&row->sum, before == NULL ? &none : &before->sum);

		counters_add(&sum, &since);
	}
	return sum;
}

void history_add(struct history *h, struct tally *now, const struct history_totals *totals)
{
	struct sample *s = &h->sample[h->next];

	if (h->has_begun && totals->at_us <= h->last_us)
		return;
	if (h->has_begun) {
		s->at_us = totals->at_us;
		s->interval_us = totals->at_us - h->last_us;
		s->since = count_since(now, &h->last);
		s->errors = totals->errors > h->last_errors ? totals->errors - h->last_errors : 0;
		s->logging_in = totals->logging_in;
		s->sums = totals->sums;
		h->next = (h->next + 1) % HISTORY_SAMPLES;
		h->count += h->count < HISTORY_SAMPLES;
	}
	h->has_begun = true;
	h->last_us = totals->at_us;
	h->last_errors = totals->errors;
	tally_take(&h->last, now);
}

static uint64_t count_told(const struct error_ring *r)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < error_ring_count_classes(r); i++)
		n += error_ring_class(r, i)->n_clients;
	return n;
}

static void collect_sample(struct view *v, struct worker *w)
{
	stats_collect(v, w);
	collect_lists(v, w);
	v->n_errors += count_told(w->errors);
}

/* Without memory there is no sample, and the next one is of a longer time. */
static void take_sample(struct view *v)
{
	struct console *c = v->console;
	struct history_totals totals = {.at_us = loop_now_us(c->control->loop), .logging_in = v->n_logins};

	totals.errors = v->n_errors + count_told(c->control->opener->errors);
	if (c->history != NULL && !v->tally.failed && pools_sum(v, &totals.sums))
		history_add(c->history, &v->tally, &totals);
}

const struct topic history_topic = {"", 0, NULL, collect_sample, take_sample, ""};

/* ---- telling them ---- */

/* Per second, with two decimals. */
static void add_rate(struct str *out, uint64_t n, uint64_t interval_us)
{
	uint64_t hundredths;

	if (n > UINT64_MAX / (100 * US_PER_S)) {
		str_printf(out, ",%llu", n / (interval_us / US_PER_S + 1));
		return;
	}
	hundredths = n * 100 * US_PER_S / interval_us;
	str_printf(out, ",%" PRIu64 ".%02u", hundredths / 100, (unsigned)(hundredths % 100));
}

static void add_mean(struct str *out, uint64_t time_us, uint64_t n)
{
	str_printf(out, ",%" PRIu64, n == 0 ? 0 : time_us / n);
}

static void add_count(struct str *out, uint64_t n)
{
	str_printf(out, ",%" PRIu64, n);
}

/* The columns: name, and how a sample's value is written. */
#define COLUMNS(RATE, MEAN, COUNT)                                                                                     \
	RATE(transactions, since.xact_count)                                                                           \
	RATE(queries, since.query_count)                                                                               \
	RATE(received_bytes, since.bytes_received)                                                                     \
	RATE(sent_bytes, since.bytes_sent)                                                                             \
	RATE(assignments, since.server_assignment_count)                                                               \
	RATE(logins, since.client_login_count)                                                                         \
	RATE(errors, errors)                                                                                           \
	MEAN(transaction_us, since.xact_time, since.xact_count)                                                        \
	MEAN(query_us, since.query_time, since.query_count)                                                            \
	MEAN(wait_us, since.wait_time, since.server_assignment_count)                                                  \
	COUNT(clients, sums.clients)                                                                                   \
	COUNT(waiting, sums.waiting)                                                                                   \
	COUNT(logging_in, logging_in)                                                                                  \
	COUNT(servers_active, sums.active)                                                                             \
	COUNT(servers_idle, sums.idle)                                                                                 \
	COUNT(servers_opening, sums.opening)                                                                           \
	COUNT(pools, sums.pools)

#define NAME_OF(name, ...) ",\"" #name "\""

static void write_sample(const struct sample *s, uint64_t now_us, struct str *out)
{
	uint64_t age_us = now_us > s->at_us ? now_us - s->at_us : 0;

	str_printf(out, "[%llu.%u", age_us / US_PER_S, (unsigned)(age_us % US_PER_S / (US_PER_S / 10)));
#define RATE(name, field) add_rate(out, s->field, s->interval_us);
#define MEAN(name, time, number) add_mean(out, s->time, s->number);
#define COUNT(name, field) add_count(out, s->field);
	COLUMNS(RATE, MEAN, COUNT)
	str_add_char(out, ']');
}

void history_write(const struct history *h, uint64_t now_us, struct str *out)
{
	unsigned n = history_count(h);

	str_printf(out, "{\"every_s\":%u,\"columns\":[\"age_s\"" COLUMNS(NAME_OF, NAME_OF, NAME_OF) "],\"samples\":[",
	           HISTORY_EVERY_S);
	for (unsigned i = 0; i < n; i++) {
		if (i > 0)
			str_add_char(out, ',');
		write_sample(history_sample(h, i), now_us, out);
	}
	str_add_str(out, "]}");
}
