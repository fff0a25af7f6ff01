/*
 * /metrics: what is gathered in one visit to the workers, and the table of what is told, made from metrics.def. The
 * console's topics give the rows wherever they have them, so that both say the same.
 */
#ifndef ADMIN_METRICS_H
#define ADMIN_METRICS_H

#include <stdbool.h>
#include <stdint.h>

#include "admin/exposition.h"
#include "admin/view.h"
#include "base/histogram.h"
#include "base/str.h"
#include "base/table.h"
#include "diag/counters.h"

/* Most sets of labels of one source; what is beyond is told as one. */
#define METRICS_MOST_SERIES 10000u
/* Clients choose application names, and strangers users' and databases' names where there is a template for all: from
   this number of groups on, clients are told without application name, from twice this on without any name. */
#define METRICS_MOST_CLIENT_GROUPS 1000u

enum metric_kind { METRIC_COUNTER, METRIC_GAUGE, METRIC_PEAK, METRIC_HISTOGRAM };

enum metric_source {
#define SOURCE(name, columns, write, labels, key) SOURCE_##name,
#include "admin/metrics.def"
	N_METRIC_SOURCES
};

enum metric_waiting {
#define WAITING(name, reason, limit) METRIC_WAITING_##reason##_##limit,
#include "admin/metrics.def"
	N_METRIC_WAITING
};

/* A row of the table. */
struct metric {
	const char *name;
	enum metric_kind kind;
	enum metric_source source; /* not of histograms */
	const char *column;
	const char *unit; /* "" if it has none */
	uint64_t divisor;
	size_t histogram; /* its offset in struct metrics */
	const char *help;
};

/* In their order; ends with name NULL. */
extern const struct metric metric_rows[];

/* Where rows come from. */
struct metric_source_row {
	const char *name;
	const struct message_column *columns;
	view_write *write;
	const char *labels;
	bool keyed;
};
extern const struct metric_source_row metric_sources[N_METRIC_SOURCES];

#define METRICS_TLS_VERSIONS 6u
enum metrics_side { METRICS_OF_CLIENTS, METRICS_OF_SERVERS, N_METRICS_SIDES };

/* What a visit brings home. Owned by the view. */
struct metrics {
	struct table clients; /* struct client_group, metrics_gather.c */
	uint64_t waiting[N_METRIC_WAITING];
	uint64_t waiting_for_answer; /* auth_query runs for their login */
	uint64_t connections[N_METRICS_SIDES][METRICS_TLS_VERSIONS];
	struct histogram waits, waits_in_vain, client_logins, server_logins;
	struct str load;      /* struct worker_load */
	struct str classes;   /* struct error_class */
	struct counters gone; /* of pools that existed no more when the visit began */
	bool failed;          /* out of memory */
	struct str rows[N_METRIC_SOURCES];
};

/* Clients of which the same is told; in metrics.clients. */
struct client_group {
	struct table_node node;
	uint64_t n;
	size_t len;
	const char *part[4]; /* database, user, application_name, state: in `text` */
	char text[];         /* each with its NUL */
};

struct worker_load {
	uint16_t worker;
	uint32_t clients, logins, servers;
	uint64_t hand_overs, cpu_us;
};

/* The topics behind /metrics, one for each format: the text is in v->out. */
extern const struct topic metrics_topic, open_metrics_topic;

/* metrics_gather.c: on each worker, and main. */
view_collect collect_metrics;
/* One more client. Fails by m->failed. */
void metrics_count_client(struct metrics *m, const char *database, const char *user, const char *application,
                          const char *state);
/* `version` as from stream_tls_version. */
void metrics_count_connection(struct metrics *m, enum metrics_side side, const char *version);
const char *metrics_tls_name(unsigned i);
void metrics_copy_classes(struct metrics *m, const struct error_ring *r);
/* What the view has gathered; NULL is fine. */
void metrics_free(struct metrics *m);

/* metrics_sources.c: those of our own. */
#define SOURCE(name, columns, write, labels, key) extern const struct message_column columns[];
#include "admin/metrics.def"
view_write show_process, show_build, show_client_groups, show_waiting, show_failures, show_connections,
    show_worker_load;
view_write show_backend_times; /* show_backends.c */

#endif
