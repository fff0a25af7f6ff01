/* Writes the manual's page of metrics from src/admin/metrics.def to standard output. "./dev manual" runs it. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/histogram.h"

struct source {
	const char *name, *labels;
};

static const struct source sources[] = {
#define SOURCE(name, columns, write, labels, key) {#name, labels},
#include "admin/metrics.def"
};

struct metric {
	const char *name, *source, *kind, *unit, *help;
};

static const struct metric metrics[] = {
#define METRIC(name, source, column, kind, unit, divisor, help) {name, #source, #kind, unit, help},
#define HISTOGRAM(name, member, help) {name, "", "HISTOGRAM", "seconds", help},
#include "admin/metrics.def"
};

#define N_METRICS (sizeof(metrics) / sizeof(metrics[0]))

static const char *const reasons[] = {
#define WAITING(name, reason, limit) name,
#include "admin/metrics.def"
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static const char *labels_of(const struct metric *m)
{
	for (size_t i = 0; i < sizeof(sources) / sizeof(sources[0]); i++)
		if (is(sources[i].name, m->source))
			return sources[i].labels;
	return is(m->kind, "HISTOGRAM") ? "le" : "";
}

static const char *type_of(const struct metric *m)
{
	if (is(m->kind, "COUNTER"))
		return "counter";
	return is(m->kind, "HISTOGRAM") ? "histogram" : "gauge";
}

/* "a,b" as `a`, `b`. */
static void put_labels(const char *labels)
{
	for (bool first = true; *labels != '\0'; first = false) {
		size_t len = strcspn(labels, ",");

		printf("%s`%.*s`", first ? "" : ", ", (int)len, labels);
		labels += len;
		labels += *labels == ',';
	}
}

static void put_metric(const struct metric *m)
{
	printf("| `%s` | %s | ", m->name, type_of(m));
	put_labels(labels_of(m));
	printf(" | %s |\n", m->help);
}

static void put_table(const char *front, bool process)
{
	puts("\n| metric | type | labels | what it tells |\n| --- | --- | --- | --- |");
	for (size_t i = 0; i < N_METRICS; i++) {
		bool of_process = strncmp(metrics[i].name, "pgbouncer_process_", strlen("pgbouncer_process_")) == 0;

		if (strncmp(metrics[i].name, front, strlen(front)) == 0 && of_process == process)
			put_metric(&metrics[i]);
	}
}

static void put_reasons(void)
{
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		printf("`%s`, ", reasons[i]);
}

int main(void)
{
	puts("<!-- Made from src/admin/metrics.def by \"./dev manual\". Do not edit: change the table, and make it "
	     "anew. -->\n"
	     "\n"
	     "# Metrics\n"
	     "\n"
	     "With `http_listen` set, pgweir answers `GET /metrics` itself: no exporter is needed beside it. What is "
	     "answered is\n"
	     "Prometheus text 0.0.4, or OpenMetrics 1.0.0 if the request's `Accept` header prefers it, as Prometheus "
	     "does.\n"
	     "\n"
	     "Names, labels, types and values of the metrics that begin with `pgbouncer_` are those of "
	     "pgbouncer_exporter 0.12, so\n"
	     "that dashboards and alerts made for it work unchanged: let Prometheus ask pgweir where it asked the "
	     "exporter, with\n"
	     "the same job name. The exporter itself works as well, on the console. Its connection to the console is "
	     "the one\n"
	     "difference in what both tell: it counts among the clients of the database `pgbouncer`. Metrics of the "
	     "exporter's own\n"
	     "process (`go_`, `process_`, `promhttp_`, `pgbouncer_exporter_build_info`) are not told; those of "
	     "the pooler's process,\n"
	     "which the exporter has only with a pidfile, are told where the system knows them.\n"
	     "\n"
	     "A family without any sample is left out. Counters begin at 0 with the process. Those by database are "
	     "sums over the\n"
	     "pools that exist: when one is swept (`pool_idle_timeout`, `autodb_idle_timeout`, a database removed), "
	     "they fall, which\n"
	     "Prometheus takes for a restart of the counter. Histograms never fall.\n"
	     "\n"
	     "## As pgbouncer_exporter tells it");
	put_table("pgbouncer_", false);
	puts("\nAbout the process, as the exporter does with a pidfile:");
	put_table("pgbouncer_", true);
	puts("\n## What only pgweir tells");
	put_table("pgweir_", false);
	fputs("\nWhy clients wait (`reason`): ", stdout);
	put_reasons();
	puts("`auth_query`.\nNames of settings are limits: the clients' pool has as many server connections as that "
	     "setting allows. `opening`: a\n"
	     "server connection is being made. `busy`: all are at work, and another one will be opened. `down`: there "
	     "is none, and\n"
	     "none can be opened. `down_busy`: those that there are are at work, and no other can be opened. "
	     "`auth_query`: the query\n"
	     "runs for the client's login. `SHOW WAITS` tells it of each client.\n"
	     "\n"
	     "Classes of failures (`class`) are the sections of the page \"Errors and what to do\"; those of clients' "
	     "own errors, as in\n"
	     "`SHOW ERRORS`, appear when one has happened. `tls` is empty for connections without TLS.\n");
	fputs("Bounds of the histograms, in seconds:", stdout);
	for (unsigned i = 0; i < HISTOGRAM_BOUNDS; i++)
		printf("%s %g", i == 0 ? "" : ",", (double)histogram_bound_us[i] / 1e6);
	puts(".\n"
	     "\n"
	     "## How many series there can be\n"
	     "\n"
	     "Clients choose their application names, and where there is a template for databases or users are found "
	     "by `auth_query`,\n"
	     "strangers choose further names. So `pgbouncer_client_connections` has at most 1,000 sets of labels that "
	     "are told in full;\n"
	     "clients beyond that are added up with `application_name=\"(other)\"`, and beyond 2,000 sets with "
	     "`(other)` for database and\n"
	     "user, too. Any other metric has at most 10,000 sets of labels, for all further ones one more with "
	     "`(other)` everywhere.\n"
	     "Values of labels are cut after 256 bytes. A name that is no valid UTF-8 is told as `<invalid>`, as the "
	     "exporter does; what\n"
	     "has the same labels then is added up.");
	return 0;
}
