/* Rows that /metrics has and no SHOW: made of what the workers have gathered, and of what main knows. Main thread. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "admin/metrics.h"
#include "admin/rows.h"
#include "admin/terminal.h"
#include "base/clock.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "diag/explain.h"
#include "net/stream.h"
#include "os/process.h"
#include "os/thread.h"

const struct message_column process_columns[] = {COLUMN_TEXT("name"), COLUMN_BIG("value"), {NULL, 0, 0}};
const struct message_column client_groups_columns[] = {COLUMN_TEXT("database"),         COLUMN_TEXT("user"),
                                                       COLUMN_TEXT("application_name"), COLUMN_TEXT("state"),
                                                       COLUMN_BIG("clients"),           {NULL, 0, 0}};
const struct message_column waiting_columns[] = {COLUMN_TEXT("reason"), COLUMN_BIG("clients"), {NULL, 0, 0}};
const struct message_column failures_columns[] = {
    COLUMN_TEXT("class"), COLUMN_BIG("failures"), COLUMN_BIG("clients"), {NULL, 0, 0}};
const struct message_column connections_columns[] = {
    COLUMN_TEXT("side"), COLUMN_TEXT("tls"), COLUMN_BIG("connections"), {NULL, 0, 0}};
const struct message_column worker_load_columns[] = {
    COLUMN_TEXT("worker"),    COLUMN_BIG("clients"), COLUMN_BIG("logins"), COLUMN_BIG("servers"),
    COLUMN_BIG("hand_overs"), COLUMN_BIG("cpu"),     {NULL, 0, 0}};

/* ---- the process ---- */

static void write_fact(struct view *v, const char *name, uint64_t value)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, name);
	row_number(&r, value);
	row_end(&r);
}

/* 0: it is not known. */
static void write_known(struct view *v, const char *name, uint64_t value)
{
	if (value > 0)
		write_fact(v, name, value);
}

void show_process(struct view *v)
{
	const struct control *control = v->console->control;
	struct process_usage used;

	os_process_usage(&used);
	write_fact(v, "up", 1);
	write_fact(v, "paused", control->is_paused(control->self));
	write_fact(v, "shutting_down", control->is_draining(control->self));
	write_fact(v, "statements", v->n_statements);
	write_fact(v, "statement_bytes", v->statement_bytes);
	write_known(v, "start", v->console->started_us);
	write_known(v, "cpu", used.cpu_us);
	write_known(v, "resident", used.resident_bytes);
	write_known(v, "virtual", used.virtual_bytes);
	write_known(v, "descriptors", used.n_descriptors);
	write_known(v, "most_descriptors", used.most_descriptors);
}

void show_build(struct view *v)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, PACKAGE_VERSION);
	row_end(&r);
}

/* ---- clients ---- */

static int by_parts(const void *x, const void *y)
{
	const struct client_group *a = *(const struct client_group *const *)x;
	const struct client_group *b = *(const struct client_group *const *)y;
	int order = 0;

	for (unsigned i = 0; i < 4 && order == 0; i++)
		order = strcmp(a->part[i], b->part[i]);
	return order;
}

static void write_group(struct view *v, const struct client_group *g)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	for (unsigned i = 0; i < 4; i++)
		row_text(&r, g->part[i]);
	row_number(&r, g->n);
	row_end(&r);
}

void show_client_groups(struct view *v)
{
	struct metrics *m = v->metrics;
	const struct client_group **groups;
	struct table_node *node;
	struct list *terminal;
	size_t n = 0;

	list_each (terminal, &v->console->terminals) {
		const struct terminal *t = terminal_of(terminal);

		metrics_count_client(m, CONSOLE_DATABASE, t->guest->user, t->guest->application_name, "idle");
	}
	groups = (const struct client_group **)mem_alloc((m->clients.count + 1) * sizeof(*groups));
	if (groups == NULL || m->failed) {
		mem_free(groups);
		v->out.failed = true;
		return;
	}
	for (node = table_next(&m->clients, NULL); node != NULL; node = table_next(&m->clients, node))
		groups[n++] = container_of(node, struct client_group, node);
	if (n > 1)
		qsort(groups, n, sizeof(*groups), by_parts);
	for (size_t i = 0; i < n; i++)
		write_group(v, groups[i]);
	mem_free(groups);
}

/* All reasons, so that each has a series from the beginning. */
void show_waiting(struct view *v)
{
	static const char *const names[N_METRIC_WAITING] = {
#define WAITING(name, reason, limit) name,
#include "admin/metrics.def"
	};

	for (unsigned i = 0; i < N_METRIC_WAITING; i++)
		write_fact(v, names[i], v->metrics->waiting[i]);
	write_fact(v, "auth_query", v->metrics->waiting_for_answer);
}

static void write_connections(struct view *v, enum metrics_side side, unsigned version)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, side == METRICS_OF_CLIENTS ? "client" : "server");
	row_text(&r, metrics_tls_name(version));
	row_number(&r, v->metrics->connections[side][version]);
	row_end(&r);
}

void show_connections(struct view *v)
{
	struct list *node;

	list_each (node, &v->console->terminals)
		metrics_count_connection(v->metrics, METRICS_OF_CLIENTS, stream_tls_version(terminal_of(node)->stream));
	for (unsigned i = 0; i < METRICS_TLS_VERSIONS; i++)
		write_connections(v, METRICS_OF_CLIENTS, i);
	for (unsigned i = 0; i < METRICS_TLS_VERSIONS; i++)
		write_connections(v, METRICS_OF_SERVERS, i);
}

/* ---- failures ---- */

static void write_class(struct view *v, const char *class, uint64_t n_failures, uint64_t n_clients)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, class);
	row_number(&r, n_failures);
	row_number(&r, n_clients);
	row_end(&r);
}

/* Those of the table from the beginning, others once they have happened; rows of one class are added up later. */
void show_failures(struct view *v)
{
	struct metrics *m = v->metrics;
	const struct error_class *classes;
	size_t n;

	metrics_copy_classes(m, v->console->control->opener->errors);
	if (m->classes.failed) {
		v->out.failed = true;
		return;
	}
	for (const struct explain_row *e = explain_rows; e->class != NULL; e++)
		write_class(v, e->class, 0, 0);
	classes = (const struct error_class *)(const void *)m->classes.data;
	n = m->classes.len / sizeof(struct error_class);
	for (size_t i = 0; i < n; i++)
		write_class(v, classes[i].class, classes[i].n_failures, classes[i].n_clients);
}

/* ---- threads ---- */

static void write_load(struct view *v, const struct worker_load *l)
{
	char worker[16];
	struct row r;

	snprintf(worker, sizeof(worker), "%u", (unsigned)l->worker);
	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, worker);
	row_number(&r, l->clients);
	row_number(&r, l->logins);
	row_number(&r, l->servers);
	row_number(&r, l->hand_overs);
	row_number(&r, l->cpu_us);
	row_end(&r);
}

/* Main has neither clients nor servers. */
static void write_main(struct view *v)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, "main");
	for (unsigned i = 0; i < 4; i++)
		row_text(&r, NULL);
	row_number(&r, os_thread_cpu_us());
	row_end(&r);
}

void show_worker_load(struct view *v)
{
	const struct str *load = &v->metrics->load;

	if (load->failed) {
		v->out.failed = true;
		return;
	}
	for (size_t i = 0; i < load->len / sizeof(struct worker_load); i++)
		write_load(v, (const struct worker_load *)(const void *)load->data + i);
	write_main(v);
}
