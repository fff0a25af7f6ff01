/*
 * SHOW: the list of topics, going round the workers, and the topics that need
 * neither pools nor connections. Main thread, except what a visit collects.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "admin/commands.h"
#include "admin/metrics.h"
#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/comma_list.h"
#include "base/mem.h"
#include "conf/show.h"
#include "net/dns.h"
#include "net/loop.h"

#define ANSWER_MAX_BYTES ((size_t)1 << 30)
#define VERSION_TEXT "PgBouncer 1.26.1"

const struct message_column no_columns[] = {{NULL, 0, 0}};
const struct message_column version_columns[] = {COLUMN_TEXT("version"), {NULL, 0, 0}};
const struct message_column state_columns[] = {COLUMN_TEXT("key"), COLUMN_TEXT("value"), {NULL, 0, 0}};
const struct message_column config_columns[] = {
    COLUMN_TEXT("key"), COLUMN_TEXT("value"), COLUMN_TEXT("default"), COLUMN_TEXT("changeable"), {NULL, 0, 0},
};
const struct message_column peers_columns[] = {
    COLUMN_INT("peer_id"), COLUMN_TEXT("host"), COLUMN_INT("port"), COLUMN_INT("pool_size"), {NULL, 0, 0},
};
const struct message_column peer_pools_columns[] = {
    COLUMN_INT("peer_id"),
    COLUMN_INT("cl_active_cancel_req"),
    COLUMN_INT("cl_waiting_cancel_req"),
    COLUMN_INT("sv_active_cancel"),
    COLUMN_INT("sv_login"),
    {NULL, 0, 0},
};
const struct message_column dns_hosts_columns[] = {
    COLUMN_TEXT("hostname"),
    COLUMN_BIG("ttl"),
    COLUMN_TEXT("addrs"),
    {NULL, 0, 0},
};
const struct message_column dns_zones_columns[] = {
    COLUMN_TEXT("zonename"),
    COLUMN_BIG("serial"),
    COLUMN_INT("count"),
    {NULL, 0, 0},
};
const struct message_column workers_columns[] = {
    COLUMN_INT("worker"),  COLUMN_INT("clients"),    COLUMN_INT("logins"),
    COLUMN_INT("servers"), COLUMN_BIG("hand_overs"), {NULL, 0, 0},
};

/* ---- the lists ---- */

const struct topic topics[] = {
#define TOPIC(name, line, columns, collect, write, doc) {#name, line, columns, collect, write, doc},
#include "admin/commands.def"
    {NULL, 0, NULL, NULL, NULL, NULL},
};

const struct constant constants[] = {
#define CONSTANT(name, value) {name, value},
#include "admin/commands.def"
    {NULL, NULL},
};

const struct topic *topic_find(const char *name)
{
	for (const struct topic *t = topics; t->name != NULL; t++) {
		if (strcasecmp(t->name, name) == 0)
			return t;
	}
	return NULL;
}

const struct constant *constant_find(const char *name)
{
	for (const struct constant *c = constants; c->name != NULL; c++) {
		if (strcasecmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

void help_write(struct str *out)
{
	for (const struct topic *t = topics; t->name != NULL; t++) {
		bool begins = t == topics || t[-1].help_line != t->help_line;

		str_printf(out, "%s%s", begins ? "\n\tSHOW " : "|", t->name);
	}
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (c->form != ARGUMENT_TOPIC)
			str_printf(out, "\n\t%s%s", c->name, argument_text(c->form));
	}
}

/* ---- going round ---- */

static void view_free(struct view *v)
{
	list_remove(&v->on_console);
	waits_free(v);
	metrics_free(v->metrics);
	tally_fini(&v->tally);
	str_fini(&v->errors);
	str_fini(&v->guards);
	str_fini(&v->out);
	mem_free(v);
}

void view_forget(struct view *v)
{
	v->done = NULL;
}

void view_abandon(struct view *v)
{
	v->console = NULL;
	view_forget(v);
}

/* Everything is there. */
static void view_finish(struct view *v)
{
	if (v->topic->write != NULL)
		v->topic->write(v);
	if (v->done != NULL)
		v->done(v->asker, v);
	view_free(v);
}

static void view_visit(struct visit *visit, struct worker *w)
{
	struct view *v = container_of(visit, struct view, visit);

	v->topic->collect(v, w);
}

static void view_visited(struct visit *visit)
{
	struct view *v = container_of(visit, struct view, visit);

	if (v->console == NULL) {
		view_free(v);
		return;
	}
	list_remove(&v->on_console);
	v->went_round = true;
	view_finish(v);
}

static unsigned count_columns(const struct message_column *columns)
{
	unsigned n = 0;

	while (columns != NULL && columns[n].name != NULL)
		n++;
	return n;
}

static struct view *view_new(struct console *c, const struct topic *topic, view_done *done, void *asker)
{
	struct view *v = mem_new(struct view);
	uint32_t seed;

	if (v == NULL)
		return NULL;
	loop_random(c->control->loop, &seed, sizeof(seed));
	v->topic = topic;
	v->console = c;
	v->done = done;
	v->asker = asker;
	v->visit.run = view_visit;
	v->visit.done = view_visited;
	v->n_columns = count_columns(topic->columns);
	v->wall_offset_us = clock_wall_us() - loop_now_us(c->control->loop);
	list_init(&v->on_console);
	list_init(&v->waits);
	list_init(&v->holders);
	tally_init(&v->tally, seed);
	str_init(&v->errors, ANSWER_MAX_BYTES);
	str_init(&v->guards, ANSWER_MAX_BYTES);
	str_init(&v->out, ANSWER_MAX_BYTES);
	return v;
}

bool view_start(struct console *c, const struct topic *topic, view_done *done, void *asker, struct view **under_way)
{
	struct view *v = view_new(c, topic, done, asker);

	*under_way = NULL;
	if (v == NULL)
		return false;
	if (topic->collect == NULL) {
		view_finish(v);
		return true;
	}
	*under_way = v;
	list_add_tail(&c->views, &v->on_console);
	visit_start(c->control->office, &v->visit);
	return true;
}

/* ---- topics ---- */

static void write_texts(struct view *v, const char *first, const char *second)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, first);
	if (v->n_columns > 1)
		row_text(&r, second);
	row_end(&r);
}

void show_version(struct view *v)
{
	write_texts(v, VERSION_TEXT, NULL);
}

void show_state(struct view *v)
{
	const struct control *control = v->console->control;
	bool paused = control->is_paused(control->self);

	write_texts(v, "active", paused ? "no" : "yes");
	write_texts(v, "paused", paused ? "yes" : "no");
}

static bool write_setting(void *context, const char *name, const char *value, const char *standard, bool changeable)
{
	struct view *v = (struct view *)context;
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, name);
	row_text(&r, value);
	row_text(&r, standard);
	row_text(&r, changeable ? "yes" : "no");
	row_end(&r);
	return !v->out.failed;
}

void show_config(struct view *v)
{
	const struct control *control = v->console->control;

	if (!conf_show(control->config(control->self), write_setting, v))
		v->out.failed = true;
}

void show_peers(struct view *v)
{
	const struct control *control = v->console->control;
	const struct config *conf = control->config(control->self);
	const struct conf_peer *peer;

	for (unsigned i = 0; (peer = config_peer(conf, i)) != NULL; i++) {
		struct row r;

		row_begin(&r, &v->out, v->n_columns);
		row_int(&r, peer->id);
		row_text(&r, peer->host);
		row_int(&r, peer->port);
		row_int(&r, peer->pool_size == CONF_UNSET ? conf->settings.default_pool_size : peer->pool_size);
		row_end(&r);
	}
}

/* Each connection to a peer is there for one request. */
void show_peer_pools(struct view *v)
{
	const struct control *control = v->console->control;
	const struct config *conf = control->config(control->self);
	const struct conf_peer *peer;
	struct peer_counts counts;

	for (unsigned i = 0; (peer = config_peer(conf, i)) != NULL; i++) {
		struct row r;

		if (!control->peer_counts(control->self, peer->id, &counts))
			continue;
		row_begin(&r, &v->out, v->n_columns);
		row_int(&r, peer->id);
		row_int(&r, counts.active);
		row_int(&r, (int64_t)counts.waiting + counts.connecting);
		row_int(&r, counts.active);
		row_int(&r, counts.connecting);
		row_end(&r);
	}
}

/* "10.0.0.5,::1" becomes "10.0.0.5:0,[::1]:0", as PgBouncer writes it. */
static void add_ports(struct str *out, const char *addresses)
{
	const char *address;
	size_t len;

	while (comma_list_next(&addresses, &address, &len)) {
		bool v6 = memchr(address, ':', len) != NULL;

		str_printf(out, "%s%s%.*s%s:0", out->len > 0 ? "," : "", v6 ? "[" : "", (int)len, address,
		           v6 ? "]" : "");
	}
}

static void write_host(void *arg, const char *host, int64_t ttl_s, const char *addresses)
{
	struct view *v = (struct view *)arg;
	struct str text;
	struct row r;

	str_init(&text, 65536);
	add_ports(&text, addresses);
	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, host);
	row_number(&r, ttl_s > 0 ? (uint64_t)ttl_s : 0);
	row_text(&r, str_text(&text));
	row_end(&r);
	if (text.failed)
		v->out.failed = true;
	str_fini(&text);
}

void show_dns_hosts(struct view *v)
{
	dns_each(v->console->control->dns, write_host, v);
}

static void write_zone(void *arg, const char *name, uint32_t serial, int n_names)
{
	struct view *v = (struct view *)arg;
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, name);
	row_number(&r, serial);
	row_int(&r, n_names);
	row_end(&r);
}

void show_dns_zones(struct view *v)
{
	dns_each_zone(v->console->control->dns, write_zone, v);
}

void collect_workers(struct view *v, struct worker *w)
{
	struct row r;

	row_begin(&r, &v->out, v->n_columns);
	row_int(&r, w->number);
	row_int(&r, w->n_clients);
	row_int(&r, list_count(&w->logins));
	row_int(&r, w->n_servers);
	row_number(&r, w->n_hand_overs);
	row_end(&r);
}

void collect_lists(struct view *v, struct worker *w)
{
	v->n_clients += w->n_clients;
	v->n_logins += list_count(&w->logins);
}
