/*
 * A worker's turn. Thread: the worker's own.
 *
 *   loop: letters (read_letter), ready streams (client_event, server_event), timers
 *   then, once a turn: run_clients (those that got a server), bury
 */
#include "worker/worker.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "pool/outage.h"
#include "worker/cancel.h"
#include "worker/client.h"
#include "worker/client_login.h"
#include "worker/farewell.h"
#include "worker/greeting.h"
#include "worker/link.h"
#include "worker/prepared.h"
#include "worker/secrets.h"
#include "worker/server.h"
#include "worker/server_login.h"
#include "worker/telling.h"
#include "worker/vigil.h"
#include "worker/waiting.h"

#define TICK_US (100 * US_PER_MS)
#define SCRATCH_MAX (1u << 20)

uint64_t worker_now_us(const struct worker *w)
{
	return loop_now_us(w->loop);
}

void worker_post_all(struct worker *w, struct letters *letters)
{
	office_post_all(w->office, letters);
}

void worker_bury(struct worker *w, struct grave *g, void (*bury)(struct grave *g))
{
	g->bury = bury;
	list_add_tail(&w->graves, &g->node);
}

/* ---- ticks ---- */

void worker_need_tick(struct worker *w)
{
	if (!timer_is_set(w->tick))
		timer_set(w->tick, worker_now_us(w) + TICK_US);
}

void worker_watch_seat(struct worker *w, struct seat *s)
{
	if (list_is_empty(&s->on_worker))
		list_add_tail(&w->seats, &s->on_worker);
	worker_need_tick(w);
	if (s->pool->n_seats > 1 && !timer_is_set(w->cover))
		timer_set(w->cover, worker_now_us(w) + POOL_PATIENCE_US);
}

static struct seat *seat_of(struct list *node)
{
	return container_of(node, struct seat, on_worker);
}

static struct client *client_of_waiter(struct waiter *w)
{
	return container_of(w, struct client, waiter);
}

/* Everybody at this seat whose waiting must end now. */
static void tell_due(struct worker *w, struct seat *s)
{
	struct waiter *waiter;
	struct outage *outage = NULL;
	enum due due;

	while ((due = pool_due(s, worker_now_us(w), &waiter, &outage)) != DUE_NOTHING) {
		client_due(client_of_waiter(waiter), due, outage);
		if (outage != NULL)
			shared_unref(&outage->shared);
		outage = NULL;
	}
}

/* Nobody waits there any more: only this worker's clients ever do, so this can be asked without the lock. */
static bool has_waiters(struct seat *s)
{
	bool has;

	lock_take(&s->pool->lock);
	has = s->n_waiting + s->n_newcomers > 0;
	lock_drop(&s->pool->lock);
	return has;
}

static void tick(void *owner)
{
	struct worker *w = (struct worker *)owner;
	struct list *node, *after;
	bool left_out;

	list_each_safe (node, after, &w->seats) {
		struct seat *s = seat_of(node);

		waiting_ask(w, s);
		tell_due(w, s);
		client_notify_waiters(w, s);
		if (!has_waiters(s))
			list_remove(&s->on_worker);
	}
	client_login_tick(w);
	telling_tick(w);
	left_out = strangers_tick(w);
	if (left_out || !list_is_empty(&w->seats) || !list_is_empty(&w->logins) || !list_is_empty(&w->tellings))
		timer_set(w->tick, worker_now_us(w) + TICK_US);
}

/* The moment after which seats that have servers at work may take idle ones from other seats. */
static void cover_tick(void *owner)
{
	struct worker *w = (struct worker *)owner;
	struct letters letters;
	struct list *node;
	bool again = false;

	letters_init(&letters);
	list_each (node, &w->seats) {
		struct seat *s = seat_of(node);

		if (s->pool->n_seats == 1)
			continue;
		pool_cover(s, worker_now_us(w), &letters);
		again |= has_waiters(s);
	}
	worker_post_all(w, &letters);
	if (again)
		timer_set(w->cover, worker_now_us(w) + POOL_PATIENCE_US);
}

/* ---- letters ---- */

/* Timeouts that were not armed, or armed for later, may apply now. */
static void apply_settings(struct worker *w, const struct seat *s)
{
	struct list *node;

	list_each (node, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		if (server->seat == s)
			server_settings_changed(server);
	}
	list_each (node, &w->clients) {
		struct client *c = container_of(node, struct client, on_worker);

		if (c->entry.seat == s)
			client_settings_changed(c);
	}
}

/* In session pooling servers that must go would stay for as long as their clients do. */
static void close_fast(struct worker *w, const struct seat *s)
{
	struct list *node, *after;

	list_each_safe (node, after, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		if (server->seat == s && server->state == SERVER_READY)
			link_close_fast(server);
	}
}

static void look(struct worker *w, struct seat *s)
{
	struct letters letters;
	enum retire_reason why;
	struct place *pl;

	if (pool_look_begins(s))
		apply_settings(w, s);
	while ((pl = pool_take_unfit(s, &why)) != NULL)
		server_retire(server_of(pl), why);
	waiting_answer(w, s);
	if (s->settings->global->server_fast_close)
		close_fast(w, s);
	tell_due(w, s);
	letters_init(&letters);
	pool_cover(s, worker_now_us(w), &letters);
	worker_post_all(w, &letters);
}

static void visited(struct worker *w, struct visit *v)
{
	v->run(v, w);
	v->letter.to = w->number + 1 < w->office->n_workers ? (uint16_t)(w->number + 1) : TO_MAIN;
	office_post(w->office, &v->letter);
}

void visit_start(struct office *o, struct visit *v)
{
	v->letter.kind = LETTER_VISIT;
	v->letter.to = 0;
	office_post(o, &v->letter);
}

void visit_arrived(struct visit *v)
{
	v->done(v);
}

static void read_letter(void *owner, struct letter *letter)
{
	struct worker *w = (struct worker *)owner;

	switch (letter->kind) {
	case LETTER_GIVE:
		server_give(w, container_of(letter, struct place, letter));
		break;
	case LETTER_HERE:
		server_here(w, container_of(letter, struct place, letter));
		break;
	case LETTER_CLOSE:
		server_close_letter(w, container_of(letter, struct place, letter));
		break;
	case LETTER_LOOK:
		look(w, container_of(letter, struct seat, look));
		break;
	case LETTER_OPEN:
		server_open(w, container_of(letter, struct permit, letter));
		break;
	case LETTER_ARRIVE:
		client_arrived(w, container_of(letter, struct client, letter));
		break;
	case LETTER_JOIN:
		client_joined(w, container_of(letter, struct client, letter));
		break;
	case LETTER_CLIENT_KEYS:
		client_login_keys(w, letter);
		break;
	case LETTER_CLIENT_ACCOUNT:
		client_login_account(w, letter);
		break;
	case LETTER_CLIENT_ANSWER:
		client_login_answer(w, letter);
		break;
	case LETTER_SERVER_KEYS:
		server_login_keys(w, letter);
		break;
	case LETTER_VISIT:
		visited(w, container_of(letter, struct visit, letter));
		break;
	case LETTER_CANCEL:
		cancel_arrived(w, letter);
		break;
	default: /* not for workers */
		break;
	}
}

/* ---- the turn ---- */

static void run_clients(struct worker *w)
{
	struct list now, *node;

	list_init(&now);
	list_move_all(&now, &w->runnable);
	while ((node = list_take_first(&now)) != NULL)
		client_run(container_of(node, struct client, runnable));
}

static void bury_all(struct worker *w)
{
	struct list *node;

	while ((node = list_take_first(&w->graves)) != NULL) {
		struct grave *g = container_of(node, struct grave, node);

		g->bury(g);
	}
}

static bool turn(void *owner)
{
	struct worker *w = (struct worker *)owner;

	if (!list_is_empty(&w->runnable))
		run_clients(w);
	if (!list_is_empty(&w->graves))
		bury_all(w);
	return !list_is_empty(&w->runnable);
}

/* ---- life ---- */

static bool make_parts(struct worker *w)
{
	uint32_t seeds[3];

	w->loop = loop_new();
	if (w->loop == NULL)
		return false;
	loop_random(w->loop, seeds, sizeof(seeds));
	table_init(&w->keys, seeds[0]);
	table_init(&w->secrets, seeds[1]);
	table_init(&w->statements, seeds[2]);
	w->tick = timer_new(w->loop, tick, w);
	w->cover = timer_new(w->loop, cover_tick, w);
	w->vigil = timer_new(w->loop, vigil_tick, w);
	w->mailbox = mailbox_new(w->loop, read_letter, w);
	w->errors = error_ring_new();
	return w->tick != NULL && w->cover != NULL && w->vigil != NULL && w->mailbox != NULL && w->errors != NULL;
}

struct worker *worker_new(struct office *o, uint16_t number, const struct config *config)
{
	struct worker *w = mem_new(struct worker);

	if (w == NULL)
		return NULL;
	w->office = o;
	w->number = number;
	w->config = config_ref(config);
	list_init(&w->clients);
	list_init(&w->logins);
	list_init(&w->runnable);
	list_init(&w->graves);
	list_init(&w->servers);
	list_init(&w->seats);
	list_init(&w->cancels);
	list_init(&w->asked);
	list_init(&w->tellings);
	list_init(&w->farewells);
	str_init(&w->scratch, SCRATCH_MAX);
	str_init(&w->rewritten, 2 * (PREPARED_OUT_MAX + PREPARED_STATEMENT_MAX));
	str_init(&w->greeting, SCRATCH_MAX);
	if (!make_parts(w)) {
		worker_free(w);
		return NULL;
	}
	loop_set_turn(w->loop, turn, w);
	o->worker_box[number] = w->mailbox;
	return w;
}

void worker_close_connections(struct worker *w)
{
	struct list *node;

	/* closing one may close others: each is taken off its list at once */
	while ((node = list_first(&w->clients)) != NULL)
		client_close(container_of(node, struct client, on_worker), "server shutting down");
	while ((node = list_first(&w->servers)) != NULL)
		server_close(container_of(node, struct server, on_worker), "server shutting down");
	cancel_close_all(w);
}

static void close_everything(struct worker *w)
{
	worker_close_connections(w);
	farewell_close_all(w);
	telling_end(w);
	strangers_end(w);
	bury_all(w);
}

void worker_free(struct worker *w)
{
	if (w == NULL)
		return;
	if (w->mailbox != NULL)
		close_everything(w);
	secrets_forget(w);
	greeting_forget(w);
	waiting_forget(w);
	table_fini(&w->keys);
	table_fini(&w->secrets);
	table_fini(&w->statements);
	str_fini(&w->scratch);
	str_fini(&w->rewritten);
	timer_free(w->tick);
	timer_free(w->cover);
	timer_free(w->vigil);
	mailbox_free(w->mailbox);
	error_ring_free(w->errors);
	loop_free(w->loop);
	config_unref(w->config);
	mem_free(w);
}

void worker_run(struct worker *w)
{
	loop_run(w->loop);
}

void worker_stop(struct worker *w)
{
	w->stopping = true;
	loop_stop(w->loop);
}

void worker_set_config(struct worker *w, const struct config *config)
{
	config_unref(w->config);
	w->config = config_ref(config);
	secrets_forget(w);
	greeting_forget(w);
	cancel_settings_changed(w);
}
