/*
 * What /metrics wants of the workers: each adds up its own clients and servers when it is visited, so that the answer
 * does not grow with their number. Thread: the worker's.
 */
#include <string.h>

#include "admin/metrics.h"
#include "admin/series.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "net/loop.h"
#include "net/stream.h"
#include "os/thread.h"
#include "worker/client.h"
#include "worker/server.h"
#include "worker/waiting.h"

#define GROUP_PARTS 4
#define LIMIT_BYTES ((size_t)1 << 26)
#define OTHER SERIES_OTHER
#define REMEMBERED 64u /* a power of two */

static const char *const tls_names[METRICS_TLS_VERSIONS] = {"", "TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3", OTHER};

static const struct {
	enum waiting_reason reason;
	enum pool_limit limit;
} waiting_rows[N_METRIC_WAITING] = {
#define WAITING(name, reason, limit) {WAITING_##reason, LIMIT_##limit},
#include "admin/metrics.def"
};

/* ---- making and freeing ---- */

static struct metrics *metrics_new(struct worker *w)
{
	struct metrics *m = mem_new(struct metrics);
	uint32_t seed;

	if (m == NULL)
		return NULL;
	loop_random(w->loop, &seed, sizeof(seed));
	table_init(&m->clients, seed);
	str_init(&m->load, LIMIT_BYTES);
	str_init(&m->classes, LIMIT_BYTES);
	for (unsigned i = 0; i < N_METRIC_SOURCES; i++)
		str_init(&m->rows[i], LIMIT_BYTES);
	/* before anything is counted: a pool that goes during the visit may be missing once, but never counts twice */
	m->gone = registry_gone(w->office->registry);
	return m;
}

void metrics_free(struct metrics *m)
{
	struct table_node *node;

	if (m == NULL)
		return;
	while ((node = table_next(&m->clients, NULL)) != NULL) {
		table_remove(&m->clients, node);
		mem_free(container_of(node, struct client_group, node));
	}
	table_fini(&m->clients);
	str_fini(&m->load);
	str_fini(&m->classes);
	for (unsigned i = 0; i < N_METRIC_SOURCES; i++)
		str_fini(&m->rows[i]);
	mem_free(m);
}

/* ---- groups of clients ---- */

static bool same_group(const struct table_node *node, const void *key)
{
	const struct client_group *g = container_of_const(node, struct client_group, node);
	const char *const *part = (const char *const *)key;

	for (unsigned i = 0; i < GROUP_PARTS; i++) {
		if (strcmp(g->part[i], part[i]) != 0)
			return false;
	}
	return true;
}

static uint32_t hash_group(const struct table *t, const char *const part[GROUP_PARTS])
{
	uint32_t hash = 0;

	for (unsigned i = 0; i < GROUP_PARTS; i++)
		hash = hash * 31 + table_hash(t, part[i], strlen(part[i]));
	return hash;
}

static struct client_group *find_group(const struct metrics *m, const char *const part[GROUP_PARTS])
{
	struct table_node *node = table_find(&m->clients, hash_group(&m->clients, part), same_group, part);

	return node == NULL ? NULL : container_of(node, struct client_group, node);
}

static struct client_group *make_group(struct metrics *m, const char *const part[GROUP_PARTS])
{
	struct client_group *g;
	size_t len = 0;
	char *at;

	for (unsigned i = 0; i < GROUP_PARTS; i++)
		len += strlen(part[i]) + 1;
	g = (struct client_group *)mem_alloc(sizeof(*g) + len);
	if (g == NULL)
		return NULL;
	at = g->text;
	for (unsigned i = 0; i < GROUP_PARTS; i++) {
		size_t n = strlen(part[i]) + 1;

		memcpy(at, part[i], n);
		g->part[i] = at;
		at += n;
	}
	table_add(&m->clients, &g->node, hash_group(&m->clients, part));
	return g;
}

/* The group that this client counts in, with less and less said of it. NULL: out of memory. */
static struct client_group *group_of(struct metrics *m, const char *const part[GROUP_PARTS])
{
	const char *less[GROUP_PARTS] = {part[0], part[1], OTHER, part[3]};
	struct client_group *g = find_group(m, part);

	if (g != NULL)
		return g;
	if (m->clients.count < METRICS_MOST_CLIENT_GROUPS)
		return make_group(m, part);
	g = find_group(m, less);
	if (g != NULL)
		return g;
	if (m->clients.count < 2 * METRICS_MOST_CLIENT_GROUPS)
		return make_group(m, less);
	less[0] = less[1] = OTHER;
	g = find_group(m, less);
	return g == NULL ? make_group(m, less) : g;
}

void metrics_count_client(struct metrics *m, const char *database, const char *user, const char *application,
                          const char *state)
{
	const char *part[GROUP_PARTS] = {database, user, application == NULL ? "" : application, state};
	struct client_group *g = group_of(m, part);

	if (g == NULL)
		m->failed = true;
	else
		g->n++;
}

/* ---- connections ---- */

const char *metrics_tls_name(unsigned i)
{
	return tls_names[i];
}

void metrics_count_connection(struct metrics *m, enum metrics_side side, const char *version)
{
	unsigned i = 0;

	while (version != NULL && i < METRICS_TLS_VERSIONS - 1 && strcmp(tls_names[i], version) != 0)
		i++;
	m->connections[side][i]++;
}

/* ---- who waits ---- */

/* Rows without a limit fit any. */
static unsigned waiting_row(enum waiting_reason reason, enum pool_limit limit)
{
	for (unsigned i = 0; i < N_METRIC_WAITING; i++) {
		if (waiting_rows[i].reason == reason &&
		    (waiting_rows[i].limit == limit || waiting_rows[i].limit == LIMIT_NONE))
			return i;
	}
	return METRIC_WAITING_BUSY_NONE;
}

/* Clients of one seat wait for the same: each of the last seats is looked at once. */
struct remembered_seat {
	struct seat *seat;
	unsigned row;
};

static size_t slot_of(const void *pointer)
{
	return ((uintptr_t)pointer >> 6) % REMEMBERED;
}

static void count_waiting(struct metrics *m, struct remembered_seat *seats, const struct client *c)
{
	struct remembered_seat *r = &seats[slot_of(c->entry.seat)];
	enum pool_limit limit;
	enum waiting_reason reason;

	if (c->state == CLIENT_LOOKUP && !c->waiter.queued) {
		m->waiting_for_answer++;
		return;
	}
	if (c->entry.seat == NULL)
		return;
	if (r->seat != c->entry.seat) {
		reason = waiting_reason_now(c->entry.seat, &limit);
		r->seat = c->entry.seat;
		r->row = waiting_row(reason, limit);
	}
	m->waiting[r->row]++;
}

static bool is_waiting(const struct client *c)
{
	return c->state == CLIENT_QUEUED || c->state == CLIENT_GREETING || c->state == CLIENT_LOOKUP;
}

/* ---- a worker's clients and servers ---- */

static void gather_clients(struct metrics *m, struct worker *w)
{
	struct remembered_seat seats[REMEMBERED] = {{NULL, 0}};
	struct list *node;

	list_each (node, &w->clients) {
		const struct client *c = container_of(node, struct client, on_worker);
		const char *state = client_word(c);

		if (state != NULL)
			metrics_count_client(m, client_database(c), client_user(c), client_shown_application(c), state);
		if (c->stream != NULL)
			metrics_count_connection(m, METRICS_OF_CLIENTS, stream_tls_version(c->stream));
		if (is_waiting(c))
			count_waiting(m, seats, c);
	}
}

static void gather_servers(struct metrics *m, const struct worker *w)
{
	struct list *node;

	list_each (node, &w->servers) {
		const struct server *s = container_of(node, struct server, on_worker);

		if (s->stream != NULL && s->state != SERVER_CLOSING)
			metrics_count_connection(m, METRICS_OF_SERVERS, stream_tls_version(s->stream));
	}
}

static void gather_load(struct metrics *m, const struct worker *w)
{
	struct worker_load load = {.worker = w->number,
	                           .clients = w->n_clients,
	                           .logins = list_count(&w->logins),
	                           .servers = w->n_servers,
	                           .hand_overs = w->n_hand_overs,
	                           .cpu_us = os_thread_cpu_us()};

	str_add(&m->load, &load, sizeof(load));
	histogram_merge(&m->waits, &w->wait_times);
	histogram_merge(&m->waits_in_vain, &w->vain_wait_times);
	histogram_merge(&m->client_logins, &w->login_times);
}

void metrics_copy_classes(struct metrics *m, const struct error_ring *r)
{
	for (unsigned i = 0; i < error_ring_count_classes(r); i++)
		str_add(&m->classes, error_ring_class(r, i), sizeof(struct error_class));
}

void collect_metrics(struct view *v, struct worker *w)
{
	if (v->metrics == NULL && !v->out.failed)
		v->metrics = metrics_new(w);
	if (v->metrics == NULL) {
		v->out.failed = true;
		return;
	}
	collect_lists(v, w);
	collect_mem(v, w);
	collect_state_guard(v, w);
	gather_clients(v->metrics, w);
	gather_servers(v->metrics, w);
	gather_load(v->metrics, w);
	metrics_copy_classes(v->metrics, w->errors);
	stats_collect(v, w);
}
