/* /livez, /readyz, /startupz. Main thread; only /livez has workers visited, and does not wait for them. */
#include "admin/health.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "admin/routes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "net/loop.h"
#include "pool/opener.h"
#include "pool/outage.h"
#include "pool/registry.h"

#define MAX_BODY_BYTES (256 * 1024)
#define MOST_OUTAGES 16u /* with words of their own */
#define MOST_ASKED 16u   /* pools that are tried again on one request */

/* ---- what is said ---- */

/* Texts may be NULL. */
struct reason {
	const char *code; /* constant, snake_case */
	const char *text, *detail, *hint;
	const char *database, *user, *class, *incident;
	uint64_t since_us; /* wall clock; 0: not known */
};

struct reasons {
	enum health_form form;
	struct str *out;
	unsigned n;
};

static void time_text(uint64_t wall_us, char *buf, size_t size)
{
	time_t seconds = (time_t)(wall_us / US_PER_S);
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(buf, size, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		buf[0] = '\0';
}

/* Each line of it behind a tab. */
static void add_lines(struct str *out, const char *label, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	str_printf(out, "\t%s: ", label);
	for (; *text != '\0'; text++) {
		str_add_char(out, *text);
		if (*text == '\n' && text[1] != '\0')
			str_add_char(out, '\t');
	}
	if (text[-1] != '\n')
		str_add_char(out, '\n');
}

static void add_as_text(struct str *out, const struct reason *r, const char *since)
{
	if (r->database != NULL)
		str_printf(out, "database \"%s\", user \"%s\": ", r->database, r->user);
	str_add_str(out, r->text);
	if (r->incident != NULL)
		str_printf(out, " (since %s, incident %s)", since, r->incident);
	str_add_char(out, '\n');
	add_lines(out, "DETAIL", r->detail);
	add_lines(out, "HINT", r->hint);
}

static void add_member(struct str *out, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	str_printf(out, ",\"%s\":", name);
	json_text(out, text);
}

static void add_as_json(struct str *out, const struct reason *r, const char *since)
{
	str_add_str(out, "{\"code\":");
	json_text(out, r->code);
	add_member(out, "text", r->text);
	add_member(out, "detail", r->detail);
	add_member(out, "hint", r->hint);
	add_member(out, "database", r->database);
	add_member(out, "user", r->user);
	add_member(out, "class", r->class);
	add_member(out, "incident", r->incident);
	add_member(out, "since", since);
	str_add_char(out, '}');
}

static void add_reason(struct reasons *to, const struct reason *r)
{
	char since[32] = "";

	if (r->since_us != 0)
		time_text(r->since_us, since, sizeof(since));
	if (to->form == HEALTH_TEXT) {
		add_as_text(to->out, r, since);
	} else {
		if (to->n > 0)
			str_add_char(to->out, ',');
		add_as_json(to->out, r, since);
	}
	to->n++;
}

/* ---- what can be reached ---- */

/* One outage of one pool or more. */
struct out_of_reach {
	struct outage *outage;       /* a reference */
	const char *database, *user; /* of the first pool that has it; pools last longer than this look */
};

struct look {
	struct opener *opener;
	uint64_t now_us;
	const char *database; /* NULL: all */
	bool disabled;        /* that one is */
	unsigned n_up, n_down;
	struct out_of_reach down[MOST_OUTAGES];
	unsigned n_outages, n_more; /* those that are told, and pools with others */
};

/* It has servers, or had some, and nothing is known against having some again. */
static bool is_up(struct pool *p)
{
	const struct opener_pool *op = p->opener;
	struct shared *welcome;

	if (op->n_permits > op->n_starting)
		return true;
	if (op->behind == NULL || op->behind->down)
		return false;
	welcome = pool_welcome(p);
	shared_unref(welcome);
	return welcome != NULL;
}

static bool is_same(const struct outage *a, const struct outage *b)
{
	return a == b || (a->verdict.class == b->verdict.class && strcmp(a->incident, b->incident) == 0);
}

/* Takes the reference. */
static void note_outage(struct look *l, const struct pool *p, struct outage *outage)
{
	unsigned i = 0;

	while (i < l->n_outages && !is_same(l->down[i].outage, outage))
		i++;
	if (i < l->n_outages || i == MOST_OUTAGES) {
		l->n_more += i == MOST_OUTAGES;
		shared_unref(&outage->shared);
		return;
	}
	l->down[i] = (struct out_of_reach){outage, p->database, p->user};
	l->n_outages++;
}

static void look_at_pool(struct look *l, struct pool *p)
{
	const struct opener_pool *op = p->opener;
	struct outage *outage;

	if (op == NULL || p->console || p->home != NULL)
		return;
	outage = pool_outage(p);
	if (outage == NULL) {
		l->n_up += is_up(p);
		return;
	}
	if (op->n_permits > op->n_starting) { /* no more servers, but those that there are work */
		l->n_up++;
		shared_unref(&outage->shared);
		return;
	}
	l->n_down++;
	note_outage(l, p, outage);
}

/* In use: not one that only strangers may have named, nor one that an operator has taken out of use. */
static bool is_in_use(const struct database *d)
{
	return !d->removed && !d->disabled && !d->paused && !d->killing && (!d->is_auto || d->entered);
}

static void look_at_database(void *arg, struct database *d)
{
	struct look *l = (struct look *)arg;
	struct list *node;

	if (l->database != NULL && strcmp(d->name, l->database) != 0)
		return;
	if (l->database != NULL)
		l->disabled = d->disabled;
	if (!is_in_use(d))
		return;
	list_each (node, &d->pools)
		look_at_pool(l, container_of(node, struct pool, on_database));
}

/* ---- trying again ---- */

struct retry {
	struct opener *opener;
	uint64_t now_us;
	const char *database;
	unsigned n;
};

/* Those whose pause is not over have their turn with a later request. */
static void try_pool(struct retry *retry, struct pool *p)
{
	const struct opener_pool *op = p->opener;

	if (op == NULL || op->since_us == 0 || op->n_starting > 0 || retry->now_us < op->retry.next_try_us ||
	    retry->n == MOST_ASKED)
		return;
	pool_ask_for_news(p);
	opener_consider_soon(retry->opener, p, retry->now_us);
	retry->n++;
}

static void try_database(void *arg, struct database *d)
{
	struct retry *retry = (struct retry *)arg;
	struct list *node;

	if ((retry->database != NULL && strcmp(d->name, retry->database) != 0) || !is_in_use(d))
		return;
	list_each (node, &d->pools)
		try_pool(retry, container_of(node, struct pool, on_database));
}

static void try_again(const struct control *c, const char *database, uint64_t now_us)
{
	struct retry retry = {c->opener, now_us, database, 0};

	registry_each_database(c->office->registry, try_database, &retry);
}

/* ---- reasons ---- */

static void add_outages(struct reasons *to, struct look *l)
{
	char more[96];

	for (unsigned i = 0; i < l->n_outages; i++) {
		const struct outage *o = l->down[i].outage;
		const struct reason r = {.code = "unreachable",
		                         .text = str_text(&o->verdict.message),
		                         .detail = str_text(&o->verdict.detail),
		                         .hint = str_text(&o->verdict.hint),
		                         .database = l->down[i].database,
		                         .user = l->down[i].user,
		                         .class = o->verdict.class,
		                         .incident = o->incident,
		                         .since_us = o->since_us + l->opener->wall_offset_us};

		add_reason(to, &r);
	}
	if (l->n_more == 0)
		return;
	snprintf(more, sizeof(more), "%u more pools are out of reach", l->n_more);
	add_reason(to, &(struct reason){.code = "more", .text = more});
}

static void look_at_servers(const struct control *c, const char *database, struct reasons *to)
{
	struct look l = {.opener = c->opener, .now_us = loop_now_us(c->loop), .database = database};

	registry_each_database(c->office->registry, look_at_database, &l);
	if (l.disabled)
		add_reason(to, &(struct reason){.code = "disabled",
		                                .text = "disabled",
		                                .hint = "ENABLE on the console lets clients in again."});
	if (l.n_down > 0 && l.n_up == 0) {
		add_outages(to, &l);
		try_again(c, database, l.now_us);
	}
	for (unsigned i = 0; i < l.n_outages; i++)
		shared_unref(&l.down[i].outage->shared);
}

/* By PAUSE of all, or one after the other, or by KILL. With a template there may always be another one. */
static bool is_all_paused(const struct control *c, const struct config *conf)
{
	const struct conf_database *d;
	unsigned i = 0;

	if (c->is_paused(c->self))
		return true;
	for (; (d = config_database(conf, i)) != NULL; i++)
		if (strcmp(d->name, "*") == 0 || !registry_is_paused(c->office->registry, d->name))
			return false;
	return i > 0;
}

static bool is_paused(const struct control *c, const char *database)
{
	if (database == NULL)
		return is_all_paused(c, c->config(c->self));
	return c->is_paused(c->self) || registry_is_paused(c->office->registry, database);
}

enum health_state health_look(const struct control *c, const char *database, enum health_form form, struct str *out)
{
	struct reasons to = {form, out, 0};

	if (database != NULL && config_find_database(c->config(c->self), database, NULL) == NULL)
		return HEALTH_NO_SUCH_DATABASE;
	if (c->is_draining(c->self)) /* which also pauses, and tries nothing any more */
		add_reason(&to, &(struct reason){.code = "draining", .text = "shutting down"});
	else if (is_paused(c, database))
		add_reason(&to, &(struct reason){
		                    .code = "paused", .text = "paused", .hint = "RESUME on the console goes on."});
	else
		look_at_servers(c, database, &to);
	return to.n == 0 ? HEALTH_READY : HEALTH_NOT_READY;
}

/* ---- routes ---- */

static bool wants_json(const struct http_request *r)
{
	const char *accept = http_header(r, "Accept");

	return accept != NULL && strstr(accept, "application/json") != NULL;
}

static void answer_text(struct http_request *r, enum health_state state, struct str *reasons)
{
	if (state == HEALTH_READY)
		http_answer_text(r, 200, "ok\n");
	else
		http_answer_text(r, 503, reasons->failed ? "out of memory\n" : str_text(reasons));
}

static void answer_json(struct http_request *r, enum health_state state, struct str *reasons)
{
	struct str body;

	str_init(&body, MAX_BODY_BYTES);
	str_printf(&body, "{\"ready\":%s,\"reasons\":[", state == HEALTH_READY ? "true" : "false");
	str_add(&body, str_text(reasons), reasons->failed ? 0 : reasons->len);
	str_add_str(&body, "]}\n");
	if (body.failed)
		http_answer_text(r, 503, "out of memory\n");
	else
		http_answer(r, state == HEALTH_READY ? 200 : 503, "application/json", body.data, body.len);
	str_fini(&body);
}

void route_readyz(struct web *w, struct http_request *r)
{
	char name[256];
	const char *database = http_parameter(r, "database", name, sizeof(name)) ? name : NULL;
	bool json = wants_json(r);
	enum health_state state;
	struct str reasons;

	if (database == NULL && http_has_parameter(r, "database")) {
		http_answer_text(r, 400, "the name of the database is too long or not encoded as it must be\n");
		return;
	}
	str_init(&reasons, MAX_BODY_BYTES - 1024);
	state = health_look(web_control(w), database, json ? HEALTH_JSON : HEALTH_TEXT, &reasons);
	if (state == HEALTH_NO_SUCH_DATABASE)
		http_answer_text(r, 404, "there is no such database\n");
	else if (json)
		answer_json(r, state, &reasons);
	else
		answer_text(r, state, &reasons);
	str_fini(&reasons);
}

/* HTTP is answered only when clients can connect. */
void route_startupz(struct web *w, struct http_request *r)
{
	(void)w;
	http_answer_text(r, 200, "ok\n");
}

static void see(struct visit *v, struct worker *w)
{
	(void)v;
	(void)w; /* that it came by is all */
}

static void seen(struct visit *v)
{
	struct health_visit *visit = container_of(v, struct health_visit, visit);

	if (visit->health != NULL)
		visit->health->under_way = NULL;
	mem_free(visit);
}

/* Without memory the next request tries again. */
static void send_visit(struct health *h, const struct control *c)
{
	struct health_visit *visit = mem_new(struct health_visit);

	if (visit == NULL)
		return;
	h->under_way = visit;
	visit->health = h;
	visit->since_us = loop_now_us(c->loop);
	visit->visit.run = see;
	visit->visit.done = seen;
	visit_start(c->office, &visit->visit);
}

void health_fini(struct health *h)
{
	if (h->under_way != NULL)
		h->under_way->health = NULL;
}

/* Main works, or there would be no answer. Of the workers one answer tells what the visit of the one before has met. */
void route_livez(struct web *w, struct http_request *r)
{
	const struct control *c = web_control(w);
	struct health *h = web_health(w);

	if (h->under_way == NULL && web_console(w) != NULL) /* at the end workers are gone */
		send_visit(h, c);
	if (h->under_way != NULL && loop_now_us(c->loop) >= h->under_way->since_us + HEALTH_STUCK_US)
		http_answer_text(r, 503, "a worker thread is stuck\n");
	else
		http_answer_text(r, 200, "ok\n");
}
