/*
 * SHOW STATS and its kin, averages, the log line. Each worker adds up its own
 * part of each pool; everything else is main's.
 */
#include "admin/stats.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "os/service.h"

#define N_COUNTERS (sizeof(struct counters) / sizeof(uint64_t))

const struct message_column stats_columns[] = {
    COLUMN_TEXT("database"),
    COLUMN_NUMBER("total_server_assignment_count"),
    COLUMN_NUMBER("total_xact_count"),
    COLUMN_NUMBER("total_query_count"),
    COLUMN_NUMBER("total_received"),
    COLUMN_NUMBER("total_sent"),
    COLUMN_NUMBER("total_xact_time"),
    COLUMN_NUMBER("total_query_time"),
    COLUMN_NUMBER("total_wait_time"),
    COLUMN_NUMBER("total_client_parse_count"),
    COLUMN_NUMBER("total_server_parse_count"),
    COLUMN_NUMBER("total_bind_count"),
    COLUMN_NUMBER("total_client_login_count"),
    COLUMN_NUMBER("avg_server_assignment_count"),
    COLUMN_NUMBER("avg_xact_count"),
    COLUMN_NUMBER("avg_query_count"),
    COLUMN_NUMBER("avg_recv"),
    COLUMN_NUMBER("avg_sent"),
    COLUMN_NUMBER("avg_xact_time"),
    COLUMN_NUMBER("avg_query_time"),
    COLUMN_NUMBER("avg_wait_time"),
    COLUMN_NUMBER("avg_client_parse_count"),
    COLUMN_NUMBER("avg_server_parse_count"),
    COLUMN_NUMBER("avg_bind_count"),
    COLUMN_NUMBER("avg_client_login_count"),
    {NULL, 0, 0},
};

const struct message_column stats_totals_columns[] = {
    COLUMN_TEXT("database"),
    COLUMN_NUMBER("server_assignment_count"),
    COLUMN_NUMBER("xact_count"),
    COLUMN_NUMBER("query_count"),
    COLUMN_NUMBER("bytes_received"),
    COLUMN_NUMBER("bytes_sent"),
    COLUMN_NUMBER("xact_time"),
    COLUMN_NUMBER("query_time"),
    COLUMN_NUMBER("wait_time"),
    COLUMN_NUMBER("client_parse_count"),
    COLUMN_NUMBER("server_parse_count"),
    COLUMN_NUMBER("bind_count"),
    COLUMN_NUMBER("client_login_count"),
    {NULL, 0, 0},
};

const struct message_column stats_averages_columns[] = {
    COLUMN_TEXT("database"),
    COLUMN_NUMBER("server_assignment_count"),
    COLUMN_NUMBER("xact_count"),
    COLUMN_NUMBER("query_count"),
    COLUMN_NUMBER("bytes_received"),
    COLUMN_NUMBER("bytes_sent"),
    COLUMN_NUMBER("xact_time"),
    COLUMN_NUMBER("query_time"),
    COLUMN_NUMBER("wait_time"),
    COLUMN_NUMBER("avg_client_parse_count"),
    COLUMN_NUMBER("avg_server_parse_count"),
    COLUMN_NUMBER("avg_bind_count"),
    COLUMN_NUMBER("avg_client_login_count"),
    {NULL, 0, 0},
};

const struct message_column totals_columns[] = {COLUMN_TEXT("name"), COLUMN_NUMBER("value"), {NULL, 0, 0}};

/* What SHOW TOTALS calls the counters. */
static const char *const totals_names[] = {
    "server_assignment_count",
    "xact_count",
    "query_count",
    "client_bytes",
    "server_bytes",
    "xact_time",
    "query_time",
    "wait_time",
    "ps_client_parse_count",
    "ps_server_parse_count",
    "ps_bind_count",
    "client_login_count",
};
_Static_assert(sizeof(totals_names) / sizeof(totals_names[0]) == N_COUNTERS, "SHOW TOTALS names every counter");

/* ---- reckoning ---- */

static uint64_t value_of(const struct counter_row *row, const struct counters *c)
{
	uint64_t value;

	memcpy(&value, (const char *)c + row->offset, sizeof(value));
	return value;
}

void stats_init(struct stats *s, uint64_t now_us, const uint32_t seed[2])
{
	tally_init(&s->last, seed[0]);
	tally_init(&s->old, seed[1]);
	s->last_us = s->old_us = now_us;
}

void stats_fini(struct stats *s)
{
	tally_fini(&s->last);
	tally_fini(&s->old);
}

void stats_turn(struct stats *s, struct tally *now, uint64_t now_us)
{
	tally_take(&s->old, &s->last);
	tally_take(&s->last, now);
	s->old_us = s->last_us;
	s->last_us = now_us;
}

static uint64_t per(uint64_t sum, uint64_t n)
{
	return n == 0 ? 0 : sum / n;
}

/* How many items a time was spent on. */
static uint64_t items_of(const struct counter_row *row, const struct counters *c)
{
	if (row->offset == offsetof(struct counters, xact_time))
		return c->xact_count;
	return row->offset == offsetof(struct counters, query_time) ? c->query_count : c->server_assignment_count;
}

uint64_t counter_average(const struct counter_row *row, const struct counters *since, uint64_t elapsed_us)
{
	uint64_t value = value_of(row, since);

	if (row->unit == COUNTER_US)
		return per(value, items_of(row, since));
	if (value > UINT64_MAX / US_PER_S)
		return per(value, elapsed_us / US_PER_S);
	return per(value * US_PER_S, elapsed_us);
}

void stats_line(struct str *out, const struct counters *since, uint64_t elapsed_us)
{
	uint64_t avg[N_COUNTERS];

	for (size_t i = 0; i < N_COUNTERS; i++)
		avg[i] = counter_average(&counter_rows[i], since, elapsed_us);
#define AVERAGE(name) avg[offsetof(struct counters, name) / sizeof(uint64_t)]
	str_printf(out,
	           "stats: %" PRIu64 " xacts/s, %" PRIu64 " queries/s, %" PRIu64 " client parses/s, %" PRIu64
	           " server parses/s, %" PRIu64 " binds/s, %" PRIu64 " client logins/s, in %" PRIu64
	           " B/s, out %" PRIu64 " B/s, xact %" PRIu64 " us, query %" PRIu64 " us, wait %" PRIu64 " us",
	           AVERAGE(xact_count), AVERAGE(query_count), AVERAGE(client_parse_count), AVERAGE(server_parse_count),
	           AVERAGE(bind_count), AVERAGE(client_login_count), AVERAGE(bytes_received), AVERAGE(bytes_sent),
	           AVERAGE(xact_time), AVERAGE(query_time), AVERAGE(wait_time));
#undef AVERAGE
}

void stats_status(struct str *out, const char *line)
{
	const char *unit;

	str_add_str(out, "STATUS=");
	for (; (unit = strstr(line, " us")) != NULL; line = unit + 3) {
		str_add(out, line, (size_t)(unit - line));
		str_add_str(out, " \xce\xbcs"); /* the Greek letter, as PgBouncer writes it */
	}
	str_add_str(out, line);
}

/* ---- collecting ---- */

struct collecting {
	struct view *view;
	uint16_t worker;
};

/* Counters are a seat's worker's own; no lock guards them, and none is needed on its thread. */
static void collect_pool(void *arg, struct pool *p)
{
	const struct collecting *c = (const struct collecting *)arg;

	for (uint16_t i = 0; i < p->n_seats; i++) {
		if (p->seat[i].worker == c->worker)
			tally_add(&c->view->tally, p->database, &p->seat[i].counters);
	}
	if (c->worker == 0)
		tally_add(&c->view->tally, p->database, &p->guests);
}

void stats_collect(struct view *v, struct worker *w)
{
	struct collecting c = {v, w->number};

	registry_each_pool(w->office->registry, NULL, collect_pool, &c);
}

/* The console's own counters come on top, and a failure is one of the whole answer. */
static void finish_tally(struct view *v)
{
	tally_add(&v->tally, CONSOLE_DATABASE, &v->console->counters);
	if (v->tally.failed)
		v->out.failed = true;
}

/* ---- showing ---- */

static const struct counters *old_of(const struct view *v, const char *database)
{
	static const struct counters none;
	const struct tally_row *row = tally_find(&v->console->stats.old, database);

	return row == NULL ? &none : &row->sum;
}

static uint64_t elapsed_of(const struct view *v)
{
	uint64_t now_us = loop_now_us(v->console->control->loop);

	return now_us > v->console->stats.old_us ? now_us - v->console->stats.old_us : 0;
}

static void add_totals(struct row *r, const struct counters *now)
{
	for (size_t i = 0; i < N_COUNTERS; i++)
		row_number(r, value_of(&counter_rows[i], now));
}

static void add_averages(struct row *r, const struct counters *since, uint64_t elapsed_us)
{
	for (size_t i = 0; i < N_COUNTERS; i++)
		row_number(r, counter_average(&counter_rows[i], since, elapsed_us));
}

enum stats_parts { TOTALS = 1, AVERAGES = 2 };

static void write_databases(struct view *v, unsigned parts)
{
	const struct tally_row **rows;
	struct row r;

	finish_tally(v);
	rows = tally_sorted(&v->tally);
	if (rows == NULL) {
		v->out.failed = true;
		return;
	}
	for (uint32_t i = 0; i < v->tally.rows.count; i++) {
		struct counters since = counters_since(&rows[i]->sum, old_of(v, rows[i]->database));

		row_begin(&r, &v->out, v->n_columns);
		row_text(&r, rows[i]->database);
		if (parts & TOTALS)
			add_totals(&r, &rows[i]->sum);
		if (parts & AVERAGES)
			add_averages(&r, &since, elapsed_of(v));
		row_end(&r);
	}
	mem_free(rows);
}

void show_stats(struct view *v)
{
	write_databases(v, TOTALS | AVERAGES);
}

void show_stats_totals(struct view *v)
{
	write_databases(v, TOTALS);
}

void show_stats_averages(struct view *v)
{
	write_databases(v, AVERAGES);
}

static void write_total(struct view *v, const char *kind, size_t i, uint64_t value)
{
	char name[64];
	struct row r;

	snprintf(name, sizeof(name), "%s_%s", kind, totals_names[i]);
	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, name);
	row_number(&r, value);
	row_end(&r);
}

void show_totals(struct view *v)
{
	struct counters now, old, since;

	finish_tally(v);
	now = tally_sum(&v->tally);
	old = tally_sum(&v->console->stats.old);
	since = counters_since(&now, &old);
	for (size_t i = 0; i < N_COUNTERS; i++)
		write_total(v, "total", i, value_of(&counter_rows[i], &now));
	for (size_t i = 0; i < N_COUNTERS; i++)
		write_total(v, "avg", i, counter_average(&counter_rows[i], &since, elapsed_of(v)));
}

/* ---- every stats_period ---- */

static void end_period(struct view *v)
{
	struct console *c = v->console;
	uint64_t now_us = loop_now_us(c->control->loop);
	struct counters now, last, since;
	struct str line, status;

	finish_tally(v);
	if (v->tally.failed)
		return; /* the period goes on */
	now = tally_sum(&v->tally);
	last = tally_sum(&c->stats.last);
	since = counters_since(&now, &last);
	str_init(&line, 1024);
	stats_line(&line, &since, now_us - c->stats.last_us);
	if (c->control->config(c->control->self)->settings.log_stats && !line.failed)
		log_write(c->control->office->log, LEVEL_LOG, "%s", str_text(&line));
	str_init(&status, 1100);
	stats_status(&status, str_text(&line));
	(void)!service_notify(str_text(&status)); /* the start has said so if nobody can be told */
	str_fini(&line);
	str_fini(&status);
	stats_turn(&c->stats, &v->tally, now_us);
}

const struct topic stats_period_topic = {"", 0, NULL, stats_collect, end_period, ""};
