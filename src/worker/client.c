/*
 * A client's life after its login: idle, queued, linked, and its end. Thread: its worker's.
 *
 *   IDLE ── bytes ──> pool_borrow ──> LINKED (relay.c) ──> client_released ──> IDLE
 *                          └────────> QUEUED ──> client_got_server (server_settle) ──> LINKED
 *   any ──> client_close: server settled or closed, queue and books left, freed at the end of the turn
 */
#include "worker/client.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "net/loop.h"
#include "net/stream.h"
#include "pool/outage.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/cancel.h"
#include "worker/client_login.h"
#include "worker/client_private.h"
#include "worker/drain.h"
#include "worker/guard.h"
#include "worker/link.h"
#include "worker/lookup.h"
#include "worker/params.h"
#include "worker/prepared.h"
#include "worker/relay.h"
#include "worker/server.h"
#include "worker/strangers.h"
#include "worker/telling.h"
#include "worker/told.h"
#include "worker/waiting.h"

#define BIT(state) (1u << CLIENT_##state)

/* From which state which others may follow; CLOSING from all. */
static const uint32_t may_go[] = {
    [CLIENT_HELLO] =
        BIT(LOOKUP) | BIT(PROVING) | BIT(DERIVING) | BIT(MOVING) | BIT(GREETING) | BIT(CANCELING) | BIT(IDLE),
    [CLIENT_LOOKUP] = BIT(PROVING) | BIT(DERIVING) | BIT(MOVING) | BIT(GREETING) | BIT(IDLE),
    [CLIENT_PROVING] = BIT(DERIVING) | BIT(ASKING) | BIT(MOVING) | BIT(GREETING) | BIT(IDLE),
    [CLIENT_ASKING] = BIT(MOVING) | BIT(GREETING) | BIT(IDLE),
    [CLIENT_DERIVING] = BIT(PROVING) | BIT(MOVING) | BIT(GREETING) | BIT(IDLE),
    [CLIENT_MOVING] = BIT(GREETING) | BIT(IDLE),
    [CLIENT_GREETING] = BIT(IDLE) | BIT(LINKED),
    [CLIENT_CANCELING] = 0,
    [CLIENT_IDLE] = BIT(QUEUED) | BIT(LINKED),
    [CLIENT_QUEUED] = BIT(LINKED) | BIT(IDLE),
    [CLIENT_LINKED] = BIT(IDLE) | BIT(QUEUED),
    [CLIENT_CLOSING] = 0,
};

enum step client_enter(struct client *c, enum client_state to)
{
	assert(to == CLIENT_CLOSING || (may_go[c->state] & (1u << to)) != 0);
	c->state = to;
	return STEP_AGAIN;
}

const char *client_state_text(enum client_state state)
{
	static const char *const text[] = {
#define CLIENT_STATE(name, words, handler) [CLIENT_##name] = words,
	    CLIENT_STATES(CLIENT_STATE)
#undef CLIENT_STATE
	};

	return text[state];
}

const char *client_database(const struct client *c)
{
	return c->entry.database != NULL ? c->entry.database->name : client_login_database(c);
}

const char *client_user(const struct client *c)
{
	return c->entry.account != NULL ? c->entry.account->name : client_login_user(c);
}

const char *client_application_name(const struct client *c)
{
	const struct params *params = c->params != NULL ? c->params : client_login_params(c);

	return params == NULL ? NULL : params_value(params, "application_name");
}

void client_log_address(struct log_event *e, const struct peer *peer, int listen_port, char text[PEER_LOG_BYTES])
{
	bool is_unix = peer->family == PEER_UNIX;

	if (is_unix)
		snprintf(text, PEER_LOG_BYTES, "unix(%d)", (int)peer_pid(peer));
	else
		(void)peer_text(peer, text, PEER_LOG_BYTES);
	e->address = text;
	e->port = is_unix ? listen_port : peer->port;
}

/* It has no place in a pool: that of auth_user, where it waits for a lookup, is anybody's. */
static bool is_stranger(const struct client *c)
{
	return (c->entry.seat == NULL || c->entry.seat->pool->lookups) && !client_login_is_known(c);
}

static void client_vlog(struct client *c, struct log_event *e, const char *fmt, va_list args) PRINTF(3, 0);

static void client_vlog(struct client *c, struct log_event *e, const char *fmt, va_list args)
{
	struct log *l = c->worker->office->log;
	char text[LOG_TEXT_MAX], address[PEER_LOG_BYTES], who[LOG_WHO_BYTES];

	if (e->level < LEVEL_DEBUG && client_login_only_knocks(c))
		e->level = LEVEL_DEBUG;
	if (!log_wants(l, e->level))
		return;
	client_log_address(e, stream_peer(c->stream), c->worker->config->settings.listen_port, address);
	e->database = client_database(c);
	e->user = client_user(c);
	e->client = c->waiter.id;
	vsnprintf(text, sizeof(text), fmt, args);
	e->text = text;
	if (is_stranger(c) && !strangers_may_log(c->worker, e))
		return;
	log_name_connection(e, 'C', c, who);
	e->who = who;
	log_event(l, e);
}

void client_log_event(struct client *c, struct log_event *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	client_vlog(c, e, fmt, args);
	va_end(args);
}

void client_log(struct client *c, enum log_level level, const char *fmt, ...)
{
	struct log_event e = {.level = level};
	va_list args;

	va_start(args, fmt);
	client_vlog(c, &e, fmt, args);
	va_end(args);
}

void client_note(struct client *c, const char *class, const char *address, const char *text, const char *hint)
{
	char own[64];
	struct error_note note = {.at_us = worker_now_us(c->worker),
	                          .class = class,
	                          .database = client_database(c),
	                          .user = client_user(c),
	                          .address = address,
	                          .count = 1,
	                          .text = text,
	                          .hint = hint};

	if (c->worker->errors == NULL || c->state == CLIENT_CLOSING || client_login_only_knocks(c))
		return;
	if (address == NULL)
		note.address = peer_text(stream_peer(c->stream), own, sizeof(own));
	error_ring_add(c->worker->errors, &note);
}

/* ---- states ---- */

static const struct pool_settings *settings_of(const struct client *c)
{
	return c->entry.seat->settings;
}

/* Bytes for this client's next step: what was kept, and what one read of at most `max` brings if it is readable. */
static enum read_result next_bytes(struct client *c, size_t max, struct span *bytes)
{
	enum read_result result;

	if (!c->readable)
		return stream_read_held(c->stream, bytes);
	c->readable = false;
	result = stream_read(c->stream, max, bytes, NULL);
	return result;
}

static enum step ended(struct client *c, enum read_result result)
{
	if (result == READ_LATER)
		return c->worker->leaving && drain_told(c) ? STEP_CLOSED : STEP_WAIT;
	client_close(c, "client unexpected eof");
	return STEP_CLOSED;
}

static enum step hold(struct client *c, struct span bytes)
{
	if (stream_hold(c->stream, bytes.data, bytes.len))
		return STEP_WAIT;
	client_fail_text(c, SQLSTATE_NO_MEMORY, "out of memory");
	return STEP_CLOSED;
}

/* Bytes go to the server at once if no errand of ours comes first. */
static enum step start_query(struct client *c, struct place *pl, struct span bytes)
{
	struct server *s = server_of(pl);

	(void)client_enter(c, CLIENT_LINKED);
	server_lend(s, c);
	if (c->state == CLIENT_QUEUED) /* the server was gone already */
		return hold(c, bytes);
	if (c->state != CLIENT_LINKED)
		return STEP_CLOSED;
	return s->errand == ERRAND_NONE ? relay_from_client(c, bytes) : hold(c, bytes);
}

static enum step borrow(struct client *c, struct span bytes)
{
	struct worker *w = c->worker;
	struct outage *outage = NULL;
	struct place *pl = NULL;
	struct letters letters;
	enum borrowed result;

	c->n_losses = 0;
	letters_init(&letters);
	result = pool_borrow(c->entry.seat, &c->waiter, worker_now_us(w), &pl, &outage, &letters);
	worker_post_all(w, &letters);
	switch (result) {
	case BORROWED:
		return start_query(c, pl, bytes);
	case BORROW_WAITS:
		(void)client_enter(c, CLIENT_QUEUED);
		worker_watch_seat(w, c->entry.seat);
		return hold(c, bytes);
	case BORROW_TOLD:
		if (!client_told(c, outage))
			return STEP_CLOSED;
		(void)client_enter(c, CLIENT_QUEUED);
		return hold(c, bytes);
	case BORROW_CLOSED:
		client_due(c, DUE_CLOSED, NULL);
		return STEP_CLOSED;
	}
	return STEP_WAIT;
}

static enum step client_idle(struct client *c)
{
	struct span bytes;
	enum read_result result = next_bytes(c, (size_t)c->worker->config->settings.pkt_buf, &bytes);

	if (result != READ_GOT)
		return ended(c, result);
	/* less than a header is no request yet: nobody shall occupy a server with one byte */
	if (bytes.len < FRAME_HEADER_BYTES &&
	    relay_client_rules()->need[(unsigned char)bytes.data[0]] != FRAME_FORBIDDEN)
		return hold(c, bytes);
	if (bytes.data[0] == 'X') {
		client_close(c, "client close request");
		return STEP_CLOSED;
	}
	if (relay_client_rules()->need[(unsigned char)bytes.data[0]] == FRAME_FORBIDDEN) {
		client_fail_noted(c, "client_protocol", SQLSTATE_PROTOCOL, "unknown pkt");
		return STEP_CLOSED;
	}
	c->request_us = c->query_since_us = worker_now_us(c->worker);
	if (bytes.data[0] == 'Q' && c->worker->config->settings.disable_pqexec) {
		client_fail_text(c, SQLSTATE_NOT_SUPPORTED, "PQexec disallowed");
		return STEP_CLOSED;
	}
	return borrow(c, bytes);
}

/* While it waits it is read a little, so that its leaving is seen. */
static enum step client_queued(struct client *c)
{
	size_t most = (size_t)c->worker->config->settings.pkt_buf;
	struct span bytes;
	enum read_result result;

	if (!c->readable)
		return STEP_WAIT;
	if (stream_held_bytes(c->stream) >= most) {
		stream_pause(c->stream);
		return STEP_WAIT;
	}
	result = next_bytes(c, most - stream_held_bytes(c->stream), &bytes);
	return result == READ_GOT ? hold(c, bytes) : ended(c, result);
}

static bool can_send(const struct server *s)
{
	/* a cancel request under way must not hit the client's next query */
	if (s->n_cancels > 0 && answers_at_rest(&s->answers))
		return false;
	return s->errand == ERRAND_NONE && !s->answers.fencing && !s->answers.wants_fence &&
	       stream_pending_bytes(s->stream) == 0 && !answers_is_full(&s->answers);
}

static enum step client_linked(struct client *c)
{
	struct span bytes;
	enum read_result result;

	if (c->server->n_cancels > 0 && answers_at_rest(&c->server->answers))
		cancel_forget_query(c->server);
	if (!can_send(c->server)) {
		/* interest in reading ends only when something came that cannot be used */
		if (c->readable)
			stream_pause(c->stream);
		return STEP_WAIT;
	}
	result = next_bytes(c, LOOP_BUFFER_BYTES, &bytes);
	return result == READ_GOT ? relay_from_client(c, bytes) : ended(c, result);
}

static enum step client_closing(struct client *c)
{
	(void)c;
	return STEP_CLOSED;
}

typedef enum step state_handler(struct client *c);

static state_handler *const handle[] = {
#define CLIENT_STATE(name, words, handler) [CLIENT_##name] = handler,
    CLIENT_STATES(CLIENT_STATE)
#undef CLIENT_STATE
};

void client_run(struct client *c)
{
	while (handle[c->state](c) == STEP_AGAIN)
		;
}

void client_run_soon(struct client *c)
{
	if (list_is_empty(&c->runnable))
		list_add_tail(&c->worker->runnable, &c->runnable);
}

void client_event(void *owner, enum stream_event event)
{
	struct client *c = (struct client *)owner;

	switch (event) {
	case STREAM_READABLE:
		c->readable = true;
		client_run(c);
		break;
	case STREAM_DRAINED:
		if (c->server != NULL)
			stream_resume(c->server->stream);
		break;
	case STREAM_BROKEN:
		client_login_broken(c);
		break;
	case STREAM_CONNECTED:
	case STREAM_SECURED: /* what it says next is announced as ever */
		break;
	}
}

/* ---- what the server side tells ---- */

void client_wake(struct client *c)
{
	c->readable = false; /* if bytes are there, the loop will say so again */
	stream_resume(c->stream);
	if (stream_held_bytes(c->stream) > 0)
		client_run_soon(c);
}

/* How long it has been in the queue. */
static uint64_t waited_us(const struct client *c)
{
	uint64_t now_us = worker_now_us(c->worker);

	return now_us > c->waiter.since_us ? now_us - c->waiter.since_us : 0;
}

void client_got_server(struct client *c, struct server *s)
{
	/* what link_begin counts as an assignment; a replication connection's wait is part of its login */
	if (c->state == CLIENT_QUEUED || c->state == CLIENT_LOOKUP)
		histogram_add(&c->worker->wait_times, waited_us(c));
	if (c->state != CLIENT_QUEUED) {
		if (c->state == CLIENT_LOOKUP)
			lookup_got_server(c, s);
		else
			client_login_own_server(c, s);
		return;
	}
	(void)client_enter(c, CLIENT_LINKED);
	server_lend(s, c);
	if (c->state == CLIENT_LINKED)
		client_wake(c);
}

void client_requeued(struct client *c, struct letters *out)
{
	(void)client_enter(c, CLIENT_QUEUED);
	stream_resume(c->stream); /* so that its leaving is seen */
	pool_requeue(c->entry.seat, &c->waiter, out, worker_now_us(c->worker));
	worker_post_all(c->worker, out);
	worker_watch_seat(c->worker, c->entry.seat);
}

void client_released(struct client *c)
{
	(void)client_enter(c, CLIENT_IDLE);
	c->query_since_us = 0;
	client_wake(c);
}

/* The first of what it has sent is not run; what is behind that, if anything, goes on waiting in its place. */
static void drop_request(struct client *c, struct span rest)
{
	struct words words = {"ERROR", SQLSTATE_CANCELED, "canceling statement due to user request", NULL, NULL};
	struct str *out = &c->worker->scratch;
	enum write_result result = WRITE_FAILED;

	str_clear(out);
	message_error(out, &words);
	message_ready(out, 'I');
	if (!out->failed) {
		struct iovec v = {out->data, out->len};

		result = stream_write(c->stream, &v, 1, NULL);
	}
	if (result == WRITE_FAILED) {
		client_close(c, "client unexpected eof");
		return;
	}
	if (rest.len > 0) {
		c->query_since_us = worker_now_us(c->worker);
		return;
	}
	pool_leave(c->entry.seat, &c->waiter);
	client_released(c);
}

void client_cancel_queued(struct client *c)
{
	struct span bytes;
	size_t len;

	if (!framer_at_boundary(&c->framer) || stream_pending_bytes(c->stream) > 0 ||
	    stream_read_held(c->stream, &bytes) != READ_GOT)
		return;
	len = framer_request_bytes(bytes.data, bytes.len);
	bytes = (struct span){bytes.data + len, bytes.len - len};
	if (bytes.len > 0 && hold(c, bytes) == STEP_CLOSED)
		return;
	if (len > 0)
		drop_request(c, bytes);
}

void client_lost_server(struct client *c, const char *reason)
{
	client_fail_text(c, SQLSTATE_CONNECTION_LOST, reason);
}

/* ---- ends of waiting ---- */

/* It has sent a request of which no server has heard. */
static bool is_asking(const struct client *c)
{
	return c->state == CLIENT_QUEUED || (c->state == CLIENT_IDLE && c->query_since_us != 0);
}

/* PgBouncer's words for whoever comes while a failure is known already; programs look for them. */
static void told_known(struct client *c, struct words *words)
{
	struct str text;

	str_init(&text, 65536);
	str_printf(&text, "server login has been failing, cached error: %s (server_login_retry)", words->message);
	if (!text.failed)
		words->message = str_text(&text);
	client_fail(c, words);
	str_fini(&text);
}

static void told_outage(struct client *c, struct outage *outage, bool known_before)
{
	struct words words = verdict_words(&outage->verdict);

	told_note(&c->worker->told, stream_peer(c->stream), worker_now_us(c->worker));
	c->untold = !telling_add(c->worker, c->entry.seat, outage);
	if (c->state == CLIENT_LOOKUP)
		lookup_tell_outage(c, outage);
	else if (known_before && !is_asking(c))
		told_known(c, &words);
	else
		client_fail(c, &words);
}

bool client_told(struct client *c, struct outage *outage)
{
	struct worker *w = c->worker;
	bool waits = told_lately(&w->told, stream_peer(c->stream), worker_now_us(w));
	struct letters letters;

	letters_init(&letters);
	if (waits) {
		pool_wait(c->entry.seat, &c->waiter, c->state != CLIENT_IDLE && c->state != CLIENT_LOOKUP,
		          worker_now_us(w), &letters);
		worker_post_all(w, &letters);
		worker_watch_seat(w, c->entry.seat);
	} else {
		told_outage(c, outage, true);
	}
	shared_unref(&outage->shared);
	return waits;
}

void client_due(struct client *c, enum due due, struct outage *outage)
{
	if (due == DUE_OUTAGE || due == DUE_OUTAGE_BUSY || due == DUE_WAIT_TIMEOUT || due == DUE_QUERY_TIMEOUT)
		histogram_add(&c->worker->vain_wait_times, waited_us(c));
	switch (due) {
	case DUE_NOTHING:
		break;
	case DUE_WELCOME:
		client_login_welcome(c);
		break;
	case DUE_OUTAGE:
		told_outage(c, outage, c->waiter.patient);
		break;
	case DUE_OUTAGE_BUSY:
		if (c->state == CLIENT_LOOKUP)
			told_outage(c, outage, false);
		else
			waiting_fail_busy(c, outage);
		break;
	case DUE_WAIT_TIMEOUT:
		if (c->state == CLIENT_LOOKUP)
			lookup_time_out(c, "query_wait_timeout", SQLSTATE_TOO_MANY_CONNECTIONS);
		else
			waiting_time_out(c);
		break;
	case DUE_QUERY_TIMEOUT:
		if (c->state == CLIENT_LOOKUP)
			lookup_time_out(c, "query_timeout", SQLSTATE_CANCELED);
		else
			waiting_fail(c, "query_timeout", SQLSTATE_CANCELED, "query_timeout");
		break;
	case DUE_CLOSED:
		client_fail_text(c, SQLSTATE_ADMIN_SHUTDOWN, "database removed");
		break;
	}
}

/* What the tick sends to all clients of a seat that have waited long enough. */
static const char queued_text[] = "No server connection available in postgres backend, client being queued";

static bool put_notice(struct client *c, const struct waiting_why *why)
{
	struct str *out = &c->worker->scratch, detail, hint;
	struct words words = {"NOTICE", SQLSTATE_SUCCESSFUL, queued_text, NULL, NULL};
	struct iovec v;
	bool put;

	str_init(&detail, WAITING_TEXT_LIMIT_BYTES);
	str_init(&hint, WAITING_TEXT_LIMIT_BYTES);
	waiting_write_detail(why, false, &detail);
	waiting_write_hint(why, &hint);
	words.detail = str_text(&detail);
	words.hint = hint.len > 0 ? str_text(&hint) : NULL;
	str_clear(out);
	message_notice(out, &words);
	str_fini(&detail);
	str_fini(&hint);
	if (out->failed)
		return true;
	v = (struct iovec){out->data, out->len};
	put = stream_write(c->stream, &v, 1, NULL) != WRITE_FAILED;
	return put;
}

void client_notify_waiters(struct worker *w, struct seat *s)
{
	uint64_t after_us = (uint64_t)(unsigned)w->config->settings.query_wait_notify * US_PER_S;
	struct waiter *found[64];
	unsigned n;

	if (after_us == 0 || worker_now_us(w) < after_us)
		return;
	do {
		n = pool_take_unnotified(s, worker_now_us(w) - after_us, found, 64);
		for (unsigned i = 0; i < n; i++) {
			struct client *c = container_of(found[i], struct client, waiter);

			if (c->state == CLIENT_QUEUED && !put_notice(c, waiting_why(w, s, 0)))
				client_close(c, "client unexpected eof");
		}
	} while (n == 64);
}

/* ---- timers ---- */

/* When client_idle_timeout may be over at the earliest. One that is busy now begins to be idle later. */
static uint64_t idle_until_us(const struct client *c)
{
	uint64_t since_us = c->state == CLIENT_IDLE ? c->request_us : worker_now_us(c->worker);

	return since_us + settings_of(c)->client_idle_timeout_us;
}

static void idle_fired(void *owner)
{
	struct client *c = (struct client *)owner;

	/* another timer of this turn may have ended it */
	if (c->state == CLIENT_CLOSING || settings_of(c)->client_idle_timeout_us == 0)
		return;
	if (worker_now_us(c->worker) >= idle_until_us(c))
		client_fail_noted(c, "client_idle_timeout", SQLSTATE_IDLE_SESSION, "client_idle_timeout");
	else
		timer_set(c->timer, idle_until_us(c));
}

void client_arm_timer(struct client *c)
{
	if (settings_of(c)->client_idle_timeout_us == 0)
		return;
	if (c->timer == NULL)
		c->timer = timer_new(c->worker->loop, idle_fired, c);
	if (c->timer != NULL)
		timer_set(c->timer, idle_until_us(c));
}

void client_settings_changed(struct client *c)
{
	if (c->state == CLIENT_IDLE || c->state == CLIENT_QUEUED || c->state == CLIENT_LINKED)
		client_arm_timer(c);
}

/* ---- the end ---- */

void client_fail(struct client *c, const struct words *words)
{
	struct str *out = &c->worker->scratch;
	bool at_boundary = c->server == NULL || framer_at_boundary(&c->server->framer) || c->server->swallowing;
	struct iovec v;

	if (c->state == CLIENT_CLOSING)
		return;
	client_login_say_attempt(c);
	if (c->worker->config->settings.log_pooler_errors && !c->untold) {
		struct log_event e = {.level = LEVEL_WARNING, .event = "client_told"};

		client_log_event(c, &e, "pooler error: %s", words->message);
	}
	str_clear(out);
	message_error(out, words);
	/* libpq since 15 would forget the error for that of the end of the connection: in PQexec(), which most drivers
	 * use */
	if (is_asking(c))
		message_ready(out, 'I');
	if (at_boundary && !out->failed) {
		v = (struct iovec){out->data, out->len};
		(void)!stream_write(c->stream, &v, 1, NULL);
	}
	client_close(c, words->message);
}

void client_fail_text(struct client *c, const char *precise, const char *text)
{
	bool compatible = c->worker->config->settings.error_sqlstate == ERROR_SQLSTATE_COMPATIBLE;
	struct words words = {"FATAL", compatible ? SQLSTATE_PROTOCOL : precise, text, NULL, NULL};

	client_fail(c, &words);
}

void client_fail_noted(struct client *c, const char *class, const char *precise, const char *text)
{
	client_note(c, class, NULL, text, NULL);
	client_fail_text(c, precise, text);
}

static void bury(struct grave *g)
{
	struct client *c = container_of(g, struct client, grave);

	stream_close(c->stream);
	timer_free(c->timer);
	mem_free(c);
}

/* A replication connection's pool ends with it, whatever is still logging in for it. */
static void close_own_pool(struct client *c)
{
	struct letters letters;

	letters_init(&letters);
	pool_set_state(c->entry.seat->pool, POOL_CLOSED, &letters);
	worker_post_all(c->worker, &letters);
}

static void leave_books(struct client *c)
{
	struct worker *w = c->worker;

	if (c->entry.seat != NULL)
		pool_leave(c->entry.seat, &c->waiter);
	if (c->entry.seat != NULL && c->entry.seat->pool->replication != NULL)
		close_own_pool(c);
	registry_leave(w->office->registry, &c->entry, worker_now_us(w));
	if (c->counted)
		atomic_fetch_sub(&w->office->registry->n_clients, 1);
	if (c->in_keys)
		table_remove(&w->keys, &c->by_key);
	list_remove(&c->on_worker);
	list_remove(&c->runnable);
	list_remove(&c->in_login);
	w->n_clients--;
	atomic_fetch_sub(&w->office->n_clients_of[w->number], 1);
}

void client_close(struct client *c, const char *why)
{
	struct worker *w = c->worker;

	if (c->state == CLIENT_CLOSING)
		return;
	client_login_say_attempt(c);
	if (why != NULL && w->config->settings.log_disconnections && !c->untold) {
		struct log_event e = {.level = LEVEL_LOG, .event = "client_closed"};

		client_log_event(c, &e, "closing because: %s (age=%llus)", why,
		                 (unsigned long long)((worker_now_us(w) - c->connected_us) / US_PER_S));
	}
	if (c->state == CLIENT_CANCELING)
		cancel_forget_asker(c);
	(void)client_enter(c, CLIENT_CLOSING);
	if (c->server != NULL)
		link_client_left(c, why);
	guard_free(c);
	leave_books(c);
	client_login_free(c);
	prepared_client_free(c);
	params_unref(c->params);
	c->params = NULL;
	worker_bury(w, &c->grave, bury);
}

struct stream *client_take_stream(struct client *c)
{
	struct stream *s = c->stream;

	stream_leave(s);
	c->stream = NULL;
	client_close(c, NULL);
	return s;
}
