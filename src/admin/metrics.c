/*
 * /metrics: from the rows of all sources, which are made like those of SHOW, to text. Main thread, except what a visit
 * gathers (metrics_gather.c).
 */
#include "admin/metrics.h"

#include <string.h>

#include "admin/routes.h"
#include "admin/series.h"
#include "admin/terminal.h"
#include "admin/web.h"
#include "base/mem.h"
#include "net/loop.h"

#define KEYED true
#define ROWS false

const struct metric_source_row metric_sources[N_METRIC_SOURCES] = {
#define SOURCE(name, columns, write, labels, key) {#name, columns, write, labels, key},
#include "admin/metrics.def"
};

const struct metric metric_rows[] = {
#define METRIC(name, source, column, kind, unit, divisor, help)                                                        \
	{name, METRIC_##kind, SOURCE_##source, column, unit, divisor, 0, help},
#define HISTOGRAM(name, member, help)                                                                                  \
	{name, METRIC_HISTOGRAM, SOURCE_PROCESS, NULL, "seconds", 1, offsetof(struct metrics, member), help},
#include "admin/metrics.def"
    {NULL, METRIC_GAUGE, SOURCE_PROCESS, NULL, NULL, 1, 0, NULL},
};

/* ---- rows ---- */

/* As if the source were a topic of its own. */
static void write_source(struct view *v, enum metric_source source)
{
	const struct metric_source_row *row = &metric_sources[source];
	struct str *rows = &v->metrics->rows[source], mine = v->out;

	v->n_columns = 0;
	while (row->columns[v->n_columns].name != NULL)
		v->n_columns++;
	v->out = *rows;
	row->write(v);
	*rows = v->out;
	v->out = mine;
	if (rows->failed)
		v->out.failed = true;
}

/* Those who got a server at once are the assignments of which no wait is known. There cannot be fewer than there were:
   pools that went during the visit may be missing. */
static void count_served_at_once(struct view *v)
{
	uint64_t given = tally_sum(&v->tally).server_assignment_count + v->metrics->gone.server_assignment_count;
	uint64_t waited = histogram_count(&v->metrics->waits);
	uint64_t at_once = given > waited ? given - waited : 0;

	if (at_once < v->console->n_served_at_once)
		at_once = v->console->n_served_at_once;
	v->console->n_served_at_once = at_once;
	histogram_add_zeros(&v->metrics->waits, at_once);
}

/* ---- text ---- */

static const char *type_of(enum metric_kind kind)
{
	switch (kind) {
	case METRIC_COUNTER:
		return "counter";
	case METRIC_GAUGE:
	case METRIC_PEAK:
		break;
	case METRIC_HISTOGRAM:
		return "histogram";
	}
	return "gauge";
}

static void write_head(struct str *out, enum exposition format, const struct metric *m)
{
	exposition_family(out, format, m->name, type_of(m->kind), m->unit, m->help);
}

/* A family without samples is left out. */
static void write_family(struct str *out, enum exposition format, const struct metric *m, const struct series_set *set)
{
	enum series_fold fold = m->kind == METRIC_PEAK ? SERIES_GREATEST : SERIES_SUM;
	bool begun = false;
	uint64_t value;

	for (size_t i = 0; i < set->n_series; i++) {
		const struct series *one = &set->series[i];

		if (!series_value(set, one, m->column, fold, &value))
			continue;
		if (!begun)
			write_head(out, format, m);
		begun = true;
		exposition_sample(out, m->name, set->labels.data + one->labels, one->labels_len, value, m->divisor);
	}
}

static void write_metric(struct view *v, enum exposition format, const struct metric *m, const struct series_set *sets)
{
	const struct histogram *h = (const struct histogram *)(const void *)((const char *)v->metrics + m->histogram);
	uint64_t value;

	if (m->kind == METRIC_HISTOGRAM) {
		write_head(&v->out, format, m);
		exposition_histogram(&v->out, m->name, h);
	} else if (!metric_sources[m->source].keyed) {
		write_family(&v->out, format, m, &sets[m->source]);
	} else if (series_value_of_key(&sets[m->source], m->column, &value)) {
		write_head(&v->out, format, m);
		exposition_sample(&v->out, m->name, "", 0, value, m->divisor);
	}
}

/* A source that has no good rows would be a mistake of ours: then nothing is told rather than half of it. */
static void write_all(struct view *v, enum exposition format, struct series_set *sets)
{
	unsigned n = 0;
	uint32_t seed;

	for (; n < N_METRIC_SOURCES && !v->out.failed; n++) {
		const struct metric_source_row *row = &metric_sources[n];

		loop_random(v->console->control->loop, &seed, sizeof(seed));
		if (!series_init(&sets[n], &v->metrics->rows[n], row->columns, row->labels, METRICS_MOST_SERIES, seed))
			v->out.failed = true;
	}
	for (const struct metric *m = metric_rows; m->name != NULL && !v->out.failed; m++)
		write_metric(v, format, m, sets);
	while (n > 0)
		series_fini(&sets[--n]);
	exposition_end(&v->out, format);
}

static void write_metrics(struct view *v, enum exposition format)
{
	struct series_set *sets;

	for (unsigned i = 0; i < N_METRIC_SOURCES && !v->out.failed; i++)
		write_source(v, (enum metric_source)i);
	if (v->out.failed)
		return;
	count_served_at_once(v);
	v->metrics->server_logins = v->console->control->opener->login_times;
	sets = (struct series_set *)mem_alloc(N_METRIC_SOURCES * sizeof(*sets));
	if (sets == NULL) {
		v->out.failed = true;
		return;
	}
	write_all(v, format, sets);
	mem_free(sets);
}

static void write_text(struct view *v)
{
	write_metrics(v, EXPOSITION_TEXT);
}

static void write_open(struct view *v)
{
	write_metrics(v, EXPOSITION_OPEN);
}

const struct topic metrics_topic = {"", 0, NULL, collect_metrics, write_text, ""};
const struct topic open_metrics_topic = {"", 0, NULL, collect_metrics, write_open, ""};

/* ---- the route ---- */

static void answer(struct web *w, struct http_request *r, struct view *v)
{
	enum exposition format = v->topic == &open_metrics_topic ? EXPOSITION_OPEN : EXPOSITION_TEXT;

	(void)w;
	http_set_header(r, "Vary", "Accept");
	http_answer(r, 200, exposition_content_type(format), v->out.data, v->out.len);
}

void route_metrics(struct web *w, struct http_request *r)
{
	bool open = exposition_wanted(http_header(r, "Accept")) == EXPOSITION_OPEN;

	web_show(w, r, open ? &open_metrics_topic : &metrics_topic, answer);
}
