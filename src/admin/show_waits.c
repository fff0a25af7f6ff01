/*
 * SHOW WAITS: each client that waits for a server, and why. Each worker notes its
 * own waiting clients, and what its clients do with the servers that they have;
 * main joins the two, because whoever has a server may be on another worker.
 */
#include <string.h>

#include "admin/rows.h"
#include "admin/view.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/stream.h"
#include "pool/outage.h"
#include "worker/client.h"
#include "worker/server.h"
#include "worker/waiting.h"

const struct message_column waits_columns[] = {
    COLUMN_BIG("id"),
    COLUMN_TEXT("database"),
    COLUMN_TEXT("user"),
    COLUMN_TEXT("application_name"),
    COLUMN_TEXT("addr"),
    COLUMN_INT("port"),
    COLUMN_TEXT("wait_start"),
    COLUMN_BIG("wait_ms"),
    COLUMN_TEXT("why"),
    COLUMN_TEXT("limited_by"),
    COLUMN_TEXT("backend_down_since"),
    COLUMN_BIG("next_attempt_ms"),
    COLUMN_BIG("holder_id"),
    COLUMN_TEXT("holder_application"),
    COLUMN_BIG("holder_ms"),
    COLUMN_TEXT("holder_state"),
    {NULL, 0, 0},
};

/* A client that waits, as its worker saw it. */
struct wait {
	struct list node; /* in view->waits */
	uint64_t id, since_us;
	char *database, *user, *application;
	struct address address;
	int unix_port;
	bool is_login;
	bool is_asked; /* auth_query runs for it */
	struct waiting_why why;
};

/* A client that has a server. */
struct held {
	struct list node; /* in view->holders */
	struct holder holder;
};

static struct wait *wait_of(struct list *node)
{
	return container_of(node, struct wait, node);
}

static void wait_free(struct wait *wait)
{
	mem_free(wait->database);
	mem_free(wait->user);
	mem_free(wait->application);
	waiting_fini(&wait->why);
	mem_free(wait);
}

void waits_free(struct view *v)
{
	struct list *node;

	while ((node = list_take_first(&v->waits)) != NULL)
		wait_free(wait_of(node));
	while ((node = list_take_first(&v->holders)) != NULL)
		mem_free(container_of(node, struct held, node));
}

/* ---- on each worker ---- */

static void note_wait(struct view *v, struct worker *w, const struct client *c)
{
	const char *application = client_application_name(c);
	struct wait *wait = mem_new(struct wait);

	if (wait == NULL) {
		v->out.failed = true;
		return;
	}
	list_add_tail(&v->waits, &wait->node);
	wait->id = c->waiter.id;
	wait->since_us = c->waiter.since_us;
	wait->database = mem_copy_str(client_database(c));
	wait->user = mem_copy_str(client_user(c));
	wait->application = mem_copy_str(application == NULL ? "" : application);
	wait->unix_port = w->config->settings.listen_port;
	wait->is_login = c->state == CLIENT_GREETING;
	wait->is_asked = c->state == CLIENT_LOOKUP && !c->waiter.queued;
	if (c->stream == NULL || !stream_remote_address(c->stream, &wait->address))
		memset(&wait->address, 0, sizeof(wait->address));
	waiting_copy(&wait->why, waiting_why(w, c->entry.seat, 0));
	if (wait->database == NULL || wait->user == NULL || wait->application == NULL)
		v->out.failed = true;
}

static void note_holder(struct view *v, const struct worker *w, const struct client *c)
{
	struct held *held = mem_new(struct held);

	if (held == NULL) {
		v->out.failed = true;
		return;
	}
	held->holder = waiting_holder(c, worker_now_us(w));
	list_add_tail(&v->holders, &held->node);
}

static bool is_waiting(const struct client *c)
{
	return c->state == CLIENT_QUEUED || c->state == CLIENT_GREETING || c->state == CLIENT_LOOKUP;
}

static void note_holders(struct view *v, const struct worker *w)
{
	const struct list *node;

	list_each (node, &w->servers) {
		const struct server *s = container_of_const(node, struct server, on_worker);

		if (s->client != NULL)
			note_holder(v, w, s->client);
	}
}

void collect_waits(struct view *v, struct worker *w)
{
	struct list *node;

	list_each (node, &w->clients) {
		const struct client *c = container_of(node, struct client, on_worker);

		if (is_waiting(c))
			note_wait(v, w, c);
	}
	note_holders(v, w);
}

/* Into its place among those that have waited longest, if there is one. */
static void note_longest(const struct client *longest[WAITS_LONGEST], unsigned *n, const struct client *c)
{
	unsigned at = *n;

	while (at > 0 && longest[at - 1]->waiter.since_us > c->waiter.since_us)
		at--;
	if (at == WAITS_LONGEST)
		return;
	if (*n < WAITS_LONGEST)
		++*n;
	memmove(&longest[at + 1], &longest[at], (*n - at - 1) * sizeof(longest[0]));
	longest[at] = c;
}

void collect_longest_waits(struct view *v, struct worker *w)
{
	const struct client *longest[WAITS_LONGEST];
	struct list *node;
	unsigned n = 0;

	list_each (node, &w->clients) {
		const struct client *c = container_of(node, struct client, on_worker);

		if (!is_waiting(c))
			continue;
		v->n_waits++;
		note_longest(longest, &n, c);
	}
	for (unsigned i = 0; i < n; i++)
		note_wait(v, w, longest[i]);
	note_holders(v, w); /* for those who wait on other workers, too */
}

/* ---- on main ---- */

/* Its own worker knows best what the holder does. */
static void join_holder(struct view *v, struct wait *wait)
{
	struct holder *longest = &wait->why.crowd.longest;
	struct list *node;

	if (longest->id == 0)
		return;
	list_each (node, &v->holders) {
		const struct holder *h = &container_of(node, struct held, node)->holder;

		if (h->id != longest->id)
			continue;
		*longest = *h;
		return;
	}
}

static void row_ms(struct row *r, uint64_t from_us, uint64_t to_us)
{
	row_number(r, to_us > from_us ? (to_us - from_us) / US_PER_MS : 0);
}

static void row_outage(struct row *r, const struct view *v, const struct waiting_why *why)
{
	const struct outage *o = why->crowd.outage;

	if (o == NULL) {
		row_text(r, NULL);
		row_text(r, NULL);
		return;
	}
	row_time(r, o->since_us + v->wall_offset_us);
	row_ms(r, why->at_us, why->crowd.trying ? 0 : o->next_try_us); /* 0: one is under way */
}

static void row_holder(struct row *r, const struct waiting_why *why)
{
	const struct holder *h = &why->crowd.longest;

	if (h->id == 0) {
		for (int i = 0; i < 4; i++)
			row_text(r, NULL);
		return;
	}
	row_number(r, h->id);
	row_text(r, h->application);
	row_ms(r, why->crowd.longest_us, why->at_us);
	row_text(r, holder_state_text(h->state));
}

static void write_wait(struct view *v, const struct wait *wait)
{
	const struct waiting_why *why = &wait->why;
	struct str sentence;
	struct row r;

	str_init(&sentence, WAITING_TEXT_LIMIT_BYTES);
	if (wait->is_asked)
		str_printf(&sentence,
		           "the login waits for the answer to auth_query, asked as user \"%s\" in database \"%s\"",
		           why->user, why->database);
	else
		waiting_write_sentence(why, wait->is_login, &sentence);
	row_begin(&r, &v->out, v->n_columns);
	row_number(&r, wait->id);
	row_text(&r, wait->database);
	row_text(&r, wait->user);
	row_text(&r, wait->application);
	row_address(&r, &wait->address, wait->unix_port);
	row_time(&r, wait->since_us + v->wall_offset_us);
	row_ms(&r, wait->since_us, why->at_us);
	row_text(&r, str_text(&sentence));
	row_text(&r, why->limited_by == NULL ? "" : why->limited_by);
	row_outage(&r, v, why);
	row_holder(&r, why);
	row_end(&r);
	str_fini(&sentence);
}

void show_waits(struct view *v)
{
	struct list *node;

	list_each (node, &v->waits) {
		struct wait *wait = wait_of(node);

		join_holder(v, wait);
		write_wait(v, wait);
	}
}
