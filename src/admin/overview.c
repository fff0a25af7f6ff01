/*
 * /api/overview: one visit to the workers, and one object of what several topics tell. Each list is bounded: what
 * matters most comes first, and `total` says how many there are. Main thread, except what a visit collects.
 */
#include "admin/overview.h"

#include <inttypes.h>

#include "admin/health.h"
#include "admin/history.h"
#include "admin/rows.h"
#include "admin/rows_json.h"
#include "admin/terminal.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/version.h"
#include "net/loop.h"

/* A list of the answer. */
struct part {
	const char *name;
	const struct message_column *columns;
	view_write *write;
	row_weight *weight; /* NULL: rows come as they are */
	size_t most;
};

#define REASONS_MAX_BYTES (256 * 1024)
#define FLAG_WEIGHT ((uint64_t)1 << 62)
#define WAITING_WEIGHT ((uint64_t)1 << 31)

/* Columns 6 and 7 of usage_columns are cl_waiting and sv_active, 11 is paused. */
static uint64_t weight_of_pool(const struct bytes *values)
{
	return row_value(values[6]) * WAITING_WEIGHT + (row_value(values[11]) + row_value(values[7])) * 2;
}

/* Of outages_columns 9 is clients_waiting, 8 pools. */
static uint64_t weight_of_outage(const struct bytes *values)
{
	return row_value(values[9]) * WAITING_WEIGHT + row_value(values[8]);
}

/* Of waits_columns 7 is wait_ms. */
static uint64_t weight_of_wait(const struct bytes *values)
{
	return row_value(values[7]);
}

/* Of backend_hints_columns 3 is state, 10 failures in a row, 12 pools that wait. */
static uint64_t weight_of_backend(const struct bytes *values)
{
	bool fine = bytes_are(values[3], "up") || bytes_are(values[3], "unknown");

	return (fine ? 0 : FLAG_WEIGHT) + row_value(values[12]) * WAITING_WEIGHT + row_value(values[10]);
}

/* Of databases_columns 15 and 16 are paused and disabled, 14 the clients, 12 the servers. */
static uint64_t weight_of_database(const struct bytes *values)
{
	return (row_value(values[15]) + row_value(values[16]) > 0 ? FLAG_WEIGHT : 0) + row_value(values[14]) * 2 +
	       row_value(values[12]);
}

static const struct part parts[] = {
    {"outages", outages_columns, show_outages, weight_of_outage, 20},
    {"usage", usage_columns, show_usage, weight_of_pool, 50},
    {"waits", waits_columns, show_waits, weight_of_wait, 50},
    {"backends", backend_hints_columns, show_backend_hints, weight_of_backend, 50},
    {"databases", databases_columns, show_databases, weight_of_database, 50},
    {"errors", errors_columns, show_error_hints, NULL, 50},
    {NULL, NULL, NULL, NULL, 0},
};

static void collect_overview(struct view *v, struct worker *w)
{
	collect_longest_waits(v, w);
	collect_errors(v, w);
	collect_lists(v, w);
}

static unsigned count_columns(const struct message_column *columns)
{
	unsigned n = 0;

	while (columns[n].name != NULL)
		n++;
	return n;
}

/* Its rows are made in v->out. */
static void write_part(struct view *v, const struct part *p, struct str *out)
{
	struct str rows;
	size_t total = 0;

	str_clear(&v->out);
	v->n_columns = count_columns(p->columns);
	p->write(v);
	str_init(&rows, SIZE_MAX);
	if (v->out.failed || !rows_write_json_most(&rows, p->columns, &v->out, p->weight, p->most, &total))
		rows.failed = true;
	str_printf(out, ",\"%s\":{\"total\":%zu,\"rows\":", p->name, total);
	str_add(out, str_text(&rows), rows.len);
	str_add_char(out, '}');
	if (rows.failed)
		out->failed = true;
	str_fini(&rows);
}

static const char *yes(bool b)
{
	return b ? "true" : "false";
}

/* As /readyz says it. */
static void write_readiness(const struct control *control, struct str *out)
{
	struct str reasons;
	bool ready;

	str_init(&reasons, REASONS_MAX_BYTES);
	ready = health_look(control, NULL, HEALTH_JSON, &reasons) == HEALTH_READY;
	str_printf(out, ",\"ready\":%s,\"reasons\":[", yes(ready));
	str_add(out, str_text(&reasons), reasons.failed ? 0 : reasons.len);
	str_add_char(out, ']');
	str_fini(&reasons);
}

static void write_process(const struct view *v, uint64_t now_us, struct str *out)
{
	const struct control *control = v->console->control;
	const struct settings *settings = &control->config(control->self)->settings;
	struct pool_sums sums;

	if (!pools_sum(v, &sums)) {
		out->failed = true;
		return;
	}
	str_printf(out, ",\"process\":{\"pgweir\":\"%s\",\"pgbouncer\":\"%s\",\"up_s\":%llu,\"workers\":%u",
	           PACKAGE_VERSION, PGBOUNCER_VERSION, (now_us - v->console->began_us) / US_PER_S,
	           control->office->n_workers);
	str_printf(out, ",\"paused\":%s,\"shutting_down\":%s", yes(control->is_paused(control->self)),
	           yes(control->is_draining(control->self)));
	str_printf(out, ",\"clients\":%" PRIu64 ",\"logging_in\":%" PRIu64 ",\"waiting\":%" PRIu64, v->n_clients,
	           v->n_logins, v->n_waits);
	str_printf(out, ",\"pools\":%" PRIu64 ",\"servers_active\":%" PRIu64 ",\"servers_idle\":%" PRIu64, sums.pools,
	           sums.active, sums.idle);
	str_printf(out, ",\"servers_opening\":%" PRIu64 ",\"max_client_conn\":%d}", sums.opening,
	           settings->max_client_conn);
}

static void write_overview(struct view *v)
{
	uint64_t now_us = loop_now_us(v->console->control->loop);
	char time[TIME_TEXT_BYTES];
	struct str out;

	str_init(&out, v->out.limit);
	time_write(time, now_us + v->wall_offset_us);
	str_printf(&out, "{\"topic\":\"overview\",\"at\":%llu,\"now\":", (now_us + v->wall_offset_us) / US_PER_MS);
	json_text(&out, time);
	write_readiness(v->console->control, &out);
	write_process(v, now_us, &out);
	for (const struct part *p = parts; p->name != NULL && !out.failed; p++)
		write_part(v, p, &out);
	str_add_str(&out, ",\"history\":");
	history_write(v->console->history, now_us, &out);
	str_add_char(&out, '}');
	str_fini(&v->out);
	v->out = out;
}

const struct topic overview_topic = {
    "overview", 0, NULL, collect_overview, write_overview, "What the status page shows."};
