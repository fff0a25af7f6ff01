/*
 * Client and server, paired for a while. Thread: their worker's.
 *
 *   client_idle / server_settle ──> link_begin ──> server_lend (errands first)
 *   relay_from_server, each ReadyForQuery ──> link_consider ──> part ──> client_released, server_release
 *   client_close ──> link_client_left          server_close ──> link_server_lost
 */
#include "worker/link.h"

#include <string.h>

#include "net/loop.h"
#include "net/stream.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/drain.h"
#include "worker/lookup.h"
#include "worker/loss.h"
#include "worker/prepared.h"
#include "worker/vigil.h"

#define MOST_LOSSES 3 /* servers that may die under one request before it was sent */

static const struct pool_settings *settings_of(const struct server *s)
{
	return s->seat->settings;
}

static void tie(struct client *c, struct server *s)
{
	c->server = s;
	s->client = c;
	if (!c->worker->keeps_vigil)
		vigil_begin(c->worker);
}

/* Not counted as an assignment, as in PgBouncer; its server is no other's, so it is never replaced without a word. */
void link_for_good(struct client *c, struct server *s)
{
	tie(c, s);
	s->unused = false;
	s->seat->counters.wait_time += worker_now_us(c->worker) - c->waiter.since_us;
}

void link_begin(struct client *c, struct server *s)
{
	struct counters *counters = &s->seat->counters;
	uint64_t now_us = worker_now_us(c->worker);

	tie(c, s);
	s->unused = true;
	counters->server_assignment_count++;
	/* stays set: if the server turns out to be bad, the client goes back to where it was in the queue */
	counters->wait_time += now_us - c->waiter.since_us;
}

/* Its client keeps it until it leaves. */
static bool is_kept(const struct server *s)
{
	return settings_of(s)->mode == POOL_MODE_SESSION || (s->client != NULL && s->client->pinned);
}

enum link_bond link_bond(const struct server *s)
{
	const struct client *c = s->client;

	/* the client has read its last words: they end together */
	if (s->said_fatal)
		return LINK_BUSY;
	if (s->errand != ERRAND_NONE || !answers_at_rest(&s->answers) || !framer_at_boundary(&s->framer) ||
	    !framer_at_boundary(&c->framer) || stream_held_bytes(s->stream) + stream_pending_bytes(s->stream) > 0)
		return LINK_BUSY;
	if (is_kept(s))
		return LINK_SESSION;
	return s->answers.status == 'I' ? LINK_MAY_PART : LINK_TRANSACTION;
}

static struct client *cut(struct server *s)
{
	struct client *c = s->client;

	s->client = NULL;
	if (c != NULL)
		c->server = NULL;
	return c;
}

void link_close_fast(struct server *s)
{
	if (s->client != NULL && link_bond(s) == LINK_SESSION && s->answers.status == 'I' && pool_is_stale(&s->place))
		server_close(s, "database configuration changed");
}

void link_consider(struct server *s)
{
	const struct pool_settings *set = settings_of(s);
	struct client *c = s->client;

	if (link_bond(s) != LINK_MAY_PART) {
		if (set->global->server_fast_close)
			link_close_fast(s);
		if (s->worker->leaving && s->client != NULL)
			drain_soon(s->client);
		return;
	}
	client_released(cut(s));
	if (c->worker->leaving)
		drain_soon(c);
	server_release(s, set->global->server_reset_query_always);
}

bool link_is_over(const struct server *s)
{
	const struct client *c = s->client;

	return c != NULL && s->errand == ERRAND_NONE && answers_at_rest(&s->answers) && s->answers.status == 'I' &&
	       framer_at_boundary(&c->framer) && !is_kept(s);
}

void link_let_go(struct server *s)
{
	client_released(cut(s));
}

/* How a server can be left: at rest and outside of transactions, or not at all. */
void link_client_left(struct client *c, const char *why)
{
	struct server *s = c->server;
	bool clean = link_bond(s) != LINK_BUSY && s->answers.status == 'I';
	bool kept = is_kept(s);

	(void)why;
	cut(s);
	if (s->errand == ERRAND_LOOKUP) /* nothing of the client's is on it; lookup.c hears the answer to its end */
		return;
	if (s->place.pool->replication != NULL)
		server_close(s, "replication client was closed");
	else if (clean)
		server_release(s, kept || settings_of(s)->global->server_reset_query_always);
	else
		server_close(s, "client disconnect while server was not ready");
}

/* Nothing of the client's was sent, so it may simply wait again. An idle server that turns out to be dead is one less
   each time; others could go on dying for ever. */
static bool goes_to_another(struct server *s, struct client *c)
{
	if (!s->unused || !(s->failed || s->errand == ERRAND_CHECK))
		return false;
	return s->errand == ERRAND_CHECK || s->errand == ERRAND_LISTEN || c->n_losses++ < MOST_LOSSES;
}

/* Which class of error a reason is that server.c closes servers for. */
static const char *lost_class(const struct server *s, const char *reason)
{
	static const char *const classes[][2] = {{"query timeout", "query_timeout"},
	                                         {"idle transaction timeout", "idle_transaction_timeout"},
	                                         {"transaction timeout", "transaction_timeout"}};

	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
		if (strcmp(reason, classes[i][0]) == 0)
			return classes[i][1];
	return s->said_fatal ? "session_ended" : "session_lost";
}

static void note_loss(const struct server *s, struct client *c, const char *reason)
{
	char address[128];

	client_note(c, lost_class(s, reason), address_text(&s->address, address, sizeof(address)), reason, NULL);
}

void link_server_lost(struct server *s, const char *reason)
{
	/* in the middle of a message the only honest answer is to close */
	bool half_message = !framer_at_boundary(&s->framer) && !s->swallowing;
	struct client *c = cut(s);
	struct letters letters;

	if (c == NULL)
		return;
	if (c->state == CLIENT_LOOKUP) {
		lookup_server_lost(c, s, reason);
	} else if (goes_to_another(s, c)) {
		prepared_undo_all(s, c);
		letters_init(&letters);
		client_requeued(c, &letters);
	} else if (s->said_fatal || half_message) {
		note_loss(s, c, reason);
		client_close(c, reason);
	} else if (s->failed) {
		loss_tell(c, s, &s->worker->why);
	} else {
		note_loss(s, c, reason);
		client_lost_server(c, reason);
	}
}
