/*
 * A server's life after its login, and its end. Thread: the worker of its seat.
 *
 *   server_open ──> server_login.c ──> server_opened ──> server_settle ──> idle | lent (link.c) | sent to another seat
 *   lent: [check] [SETs] then the client's queries (relay.c) ──> server_release ──> [reset] ──> server_settle
 *   any: server_close ──> pool_gone, permit back to main
 *
 * A server that dies unused (nothing of its client's was sent) is replaced by another without a word (link.c). That a
 * server which has been idle has died is known in time in two ways: the loop has seen that there is something to read
 * from it, which is then read first (ERRAND_LISTEN), or the system refuses the first write.
 */
#include "worker/server.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "os/error.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/cancel.h"
#include "worker/farewell.h"
#include "worker/link.h"
#include "worker/lookup.h"
#include "worker/params.h"
#include "worker/prepared.h"
#include "worker/relay.h"
#include "worker/server_login.h"
#include "worker/vigil.h"

/* With nothing due, a server's timer fires this often all the same when servers may be idle for ever. */
#define BEAT_US (60 * US_PER_S)

static void server_timer(void *owner);

static const struct pool_settings *settings_of(const struct server *s)
{
	return s->seat->settings;
}

/* ---- words ---- */

/* A Unix socket has one too, in its name: "/run/postgresql/.s.PGSQL.5432". */
static int port_of(const struct server *s)
{
	const char *dot = address_is_unix(&s->address) ? strrchr(s->address.u.local.sun_path, '.') : NULL;

	return dot == NULL ? address_port(&s->address) : (int)strtol(dot + 1, NULL, 10);
}

static void server_vlog(struct server *s, struct log_event *e, const char *fmt, va_list args) PRINTF(3, 0);

static void server_vlog(struct server *s, struct log_event *e, const char *fmt, va_list args)
{
	struct log *l = s->worker->office->log;
	char text[LOG_TEXT_MAX], address[128], who[LOG_WHO_BYTES];

	if (!log_wants(l, e->level))
		return;
	e->database = s->place.pool->database;
	e->user = s->place.pool->user;
	e->address = address_text(&s->address, address, sizeof(address));
	e->port = port_of(s);
	e->server = s->id;
	e->client = s->client == NULL ? 0 : s->client->waiter.id;
	vsnprintf(text, sizeof(text), fmt, args);
	log_name_connection(e, 'S', s, who);
	e->who = who;
	e->text = text;
	log_event(l, e);
}

void server_log_event(struct server *s, struct log_event *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	server_vlog(s, e, fmt, args);
	va_end(args);
}

void server_log(struct server *s, enum log_level level, const char *fmt, ...)
{
	struct log_event e = {.level = level};
	va_list args;

	va_start(args, fmt);
	server_vlog(s, &e, fmt, args);
	va_end(args);
}

const char *server_state_word(const struct server *s)
{
	if (s->state == SERVER_CONNECTING || s->state == SERVER_LOGIN)
		return "new";
	if (s->errand == ERRAND_CANCEL)
		return "being_canceled";
	if (s->client == NULL && s->errand != ERRAND_NONE)
		return "tested";
	return s->client != NULL ? "active" : "idle";
}

static const char *retire_text(enum retire_reason why)
{
	switch (why) {
	case RETIRE_EPOCH:
		return "close_needed";
	case RETIRE_PAUSED:
		return "pause mode";
	case RETIRE_CLOSED:
		return "database removed";
	case RETIRE_AGE:
		return "server lifetime over";
	case RETIRE_SURPLUS:
		return "too many servers in the pool";
	case RETIRE_SHUTDOWN:
		return "server is shutting down";
	case RETIRE_FOR_DATABASE:
		return "evicted for max_db_connections";
	case RETIRE_FOR_USER:
		return "evicted for max_user_connections";
	case RETIRE_FOR_HOST:
		return "evicted for max_host_connections";
	case RETIRE_FOR_PROCESS:
		return "evicted for max_server_connections";
	}
	return "";
}

/* ---- timer ---- */

void server_wake_by(struct server *s, uint64_t at_us)
{
	if (at_us >= s->timer_at_us || s->timer == NULL)
		return;
	s->timer_at_us = at_us;
	timer_set(s->timer, at_us);
}

static uint64_t sooner(uint64_t a, uint64_t since_us, uint64_t timeout_us)
{
	return timeout_us == 0 || since_us == 0 || since_us + timeout_us >= a ? a : since_us + timeout_us;
}

static bool is_timed(enum errand errand)
{
	return errand != ERRAND_NONE && errand != ERRAND_CANCEL;
}

static const char *errand_overdue_text(enum errand errand)
{
	switch (errand) {
	case ERRAND_LISTEN:
		return "idle server got dirty";
	case ERRAND_CHECK:
		return "test query timed out";
	case ERRAND_PARAMS:
		return "invalid server parameter";
	case ERRAND_CONNECT:
		return "connect timeout";
	case ERRAND_RESET:
		return "reset query failed";
	case ERRAND_LOOKUP:
		return "auth_query timed out";
	case ERRAND_NONE:
	case ERRAND_CANCEL:
		break;
	}
	return "";
}

/* When something about a server that is lent becomes due, and what. */
static uint64_t lent_deadline(const struct server *s, const char **what)
{
	const struct pool_settings *set = settings_of(s);
	const struct client *c = s->client;
	uint64_t at = UINT64_MAX, query, idle, xact;

	if (is_timed(s->errand)) {
		*what = errand_overdue_text(s->errand);
		return sooner(at, s->errand_us, set->global->server_connect_timeout_us);
	}
	if (c == NULL)
		return at;
	query = answers_at_rest(&s->answers) ? at : sooner(at, c->query_since_us, set->query_timeout_us);
	idle = answers_at_rest(&s->answers) && c->in_transaction
	           ? sooner(at, c->request_us, set->idle_transaction_timeout_us)
	           : at;
	xact = sooner(at, c->xact_since_us, set->transaction_timeout_us);
	*what = "query timeout";
	at = query;
	if (idle < at) {
		at = idle;
		*what = "idle transaction timeout";
	}
	if (xact < at) {
		at = xact;
		*what = "transaction timeout";
	}
	return at;
}

/* The latest moment to look at it again. Its idle time may have been set to none: that must not mean "at once". */
static uint64_t next_beat_us(const struct server *s)
{
	uint64_t idle_us = settings_of(s)->global->server_idle_timeout_us;

	return worker_now_us(s->worker) + (idle_us == 0 ? BEAT_US : idle_us);
}

void server_watch_query(struct server *s)
{
	const struct pool_settings *set = settings_of(s);
	const char *what;

	if (set->query_timeout_us + set->transaction_timeout_us + set->idle_transaction_timeout_us == 0)
		return;
	server_wake_by(s, lent_deadline(s, &what));
}

void server_settings_changed(struct server *s)
{
	if (s->state == SERVER_CONNECTING || s->state == SERVER_LOGIN)
		server_login_watch(s);
	if (s->state != SERVER_READY)
		return;
	if (s->errand != ERRAND_NONE)
		server_watch_errand(s);
	else if (s->client != NULL)
		server_watch_query(s);
	else
		server_wake_by(s, worker_now_us(s->worker));
}

/* When an idle server may have been idle for too long, later than now. */
static uint64_t idle_until_us(const struct server *s, uint64_t now_us)
{
	uint64_t most_us = settings_of(s)->global->server_idle_timeout_us, at_us = s->place.idle_since_us + most_us;

	if (most_us == 0)
		return UINT64_MAX;
	return at_us > now_us ? at_us : now_us + most_us;
}

/* Idleness closes servers above min_pool_size only. */
static bool is_idle_too_long(struct server *s, uint64_t now_us)
{
	uint64_t most_us = settings_of(s)->global->server_idle_timeout_us;

	return most_us > 0 && now_us >= s->place.idle_since_us + most_us && !pool_keeps_minimum(s->place.pool);
}

static void idle_timer(struct server *s)
{
	uint64_t now_us = worker_now_us(s->worker), ends_us;

	if (pool_retire_old(&s->place, now_us, &ends_us)) {
		server_close(s, "server lifetime over");
		return;
	}
	if (is_idle_too_long(s, now_us) && pool_retire_idle(&s->place)) {
		server_close(s, "server idle timeout");
		return;
	}
	/* one that is promised to another worker is looked at there */
	if (ends_us > now_us)
		server_wake_by(s, ends_us);
	server_wake_by(s, idle_until_us(s, now_us));
}

/* It is lost before it was announced: that is a failed attempt to open one. */
static void attempt_failed(struct server *s)
{
	struct failure why;

	failure_init(&why);
	failure_copy(&why, &s->worker->why);
	why.phase = PHASE_SETTLE;
	permit_add_failure(s->permit, s->permit->reached, &why, worker_now_us(s->worker) - s->connected_us);
	failure_fini(&why);
}

/* It does not even answer us. */
static void errand_overdue(struct server *s, const char *what)
{
	struct failure *why = &s->worker->why;

	failure_set(why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	if (s->welcome != NULL)
		attempt_failed(s);
	s->failed = true;
	s->silent_us = worker_now_us(s->worker) - s->errand_us;
	server_close(s, what);
	failure_fini(why);
}

static void server_timer(void *owner)
{
	struct server *s = (struct server *)owner;
	uint64_t at;
	const char *what = "";

	s->timer_at_us = UINT64_MAX;
	if (s->state == SERVER_CONNECTING || s->state == SERVER_LOGIN) {
		server_login_timed_out(s);
		return;
	}
	if (s->client == NULL && s->errand == ERRAND_NONE) {
		idle_timer(s);
		return;
	}
	at = lent_deadline(s, &what);
	if (at <= worker_now_us(s->worker)) {
		if (is_timed(s->errand))
			errand_overdue(s, what);
		else
			server_close(s, what);
		return;
	}
	server_wake_by(s, at);
	server_wake_by(s, next_beat_us(s));
}

/* ---- opening and travelling ---- */

/* There is something to read from it, perhaps the end: its event comes next. */
static void listen_first(struct server *s)
{
	const char *what;

	s->errand = ERRAND_LISTEN;
	s->errand_us = worker_now_us(s->worker);
	server_wake_by(s, lent_deadline(s, &what));
}

static bool make_timer(struct server *s)
{
	s->timer_at_us = UINT64_MAX;
	s->timer = timer_new(s->worker->loop, server_timer, s);
	return s->timer != NULL;
}

static void drop_timer(struct server *s)
{
	timer_free(s->timer);
	s->timer = NULL;
	s->timer_at_us = UINT64_MAX;
}

static void enter_worker(struct server *s, struct worker *w)
{
	s->worker = w;
	list_add_tail(&w->servers, &s->on_worker);
	w->n_servers++;
}

static void leave_worker(struct server *s)
{
	list_remove(&s->on_worker);
	s->worker->n_servers--;
}

void server_return_permit(struct worker *w, struct permit *permit)
{
	if (permit_report(permit, PERMIT_RETURNED)) {
		permit->letter.kind = LETTER_NEWS;
		permit->letter.to = TO_MAIN;
		office_post(w->office, &permit->letter);
	}
}

void server_open(struct worker *w, struct permit *permit)
{
	struct server *s = mem_new(struct server);
	struct letters letters;

	letters_init(&letters);
	if (s == NULL) {
		failure_set(&permit->failure, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		pool_open_failed(permit->seat, worker_now_us(w), &letters);
		worker_post_all(w, &letters);
		server_return_permit(w, permit);
		return;
	}
	pool_place_init(&s->place, permit->seat);
	s->permit = permit;
	s->seat = permit->seat;
	s->id = office_next_id(w->office);
	s->connected_us = s->request_us = worker_now_us(w);
	answers_init(&s->answers);
	list_init(&s->grave.node);
	s->params = params_empty(w->office->params);
	enter_worker(s, w);
	if (!make_timer(s) || !server_login_begin(s))
		server_close(s, "connect failed");
}

/* GIVE: an idle server of ours is wanted elsewhere. */
void server_give(struct worker *w, struct place *pl)
{
	struct server *s = server_of(pl);

	if (!pool_give_read(pl)) {
		mem_free(s);
		return;
	}
	stream_leave(s->stream);
	drop_timer(s);
	leave_worker(s);
	s->worker = NULL;
	w->n_hand_overs++;
	office_post(w->office, &pl->letter);
}

void server_here(struct worker *w, struct place *pl)
{
	struct server *s = server_of(pl);

	(void)!pool_letter_read(pl); /* on its way nothing can happen to it */
	s->seat = pl->seat;
	enter_worker(s, w);
	if (!make_timer(s) || !stream_join(s->stream, w->loop, server_event, s)) {
		server_close(s, "out of memory");
		return;
	}
	server_wake_by(s, next_beat_us(s));
	server_wake_by(s, sooner(UINT64_MAX, s->place.opened_us, settings_of(s)->server_lifetime_us));
	/* on its way nobody listened to it */
	if (stream_peek(s->stream))
		listen_first(s);
	else
		server_settle(s);
}

void server_close_letter(struct worker *w, struct place *pl)
{
	struct server *s = server_of(pl);

	(void)w;
	if (pool_letter_read(pl) == PLACE_GONE)
		mem_free(s);
	else
		server_close(s, retire_text((enum retire_reason)pl->why));
}

/* ---- becoming free ---- */

static void send_away(struct server *s)
{
	struct worker *w = s->worker;

	stream_leave(s->stream);
	drop_timer(s);
	leave_worker(s);
	s->worker = NULL;
	w->n_hand_overs++;
	office_post(w->office, &s->place.letter);
}

void server_retire(struct server *s, enum retire_reason why)
{
	server_close(s, retire_text(why));
}

void server_settle(struct server *s)
{
	struct worker *w = s->worker;
	struct letters letters;
	struct waiter *waiter = NULL;
	enum retire_reason why = RETIRE_EPOCH;

	cancel_forget_query(s);
	if (s->n_cancels > 0) {
		s->errand = ERRAND_CANCEL;
		return;
	}
	s->errand = ERRAND_NONE;
	if (s->may_be_hit) {
		server_close(s, "cancel request was not answered");
		return;
	}
	if (s->unfit) {
		server_close(s, "role of the server has changed");
		return;
	}
	letters_init(&letters);
	switch (pool_settle(&s->place, worker_now_us(w), &waiter, &why, &letters)) {
	case SETTLED_LENT:
		client_got_server(container_of(waiter, struct client, waiter), s);
		break;
	case SETTLED_IDLE:
		break;
	case SETTLED_SEND:
		send_away(s);
		break;
	case SETTLED_CLOSE:
		server_retire(s, why);
		break;
	}
	worker_post_all(w, &letters);
}

/* ---- errands ---- */

/* Whatever we ask ourselves must be answered in server_connect_timeout. */
void server_watch_errand(struct server *s)
{
	const char *what;

	if (is_timed(s->errand))
		server_wake_by(s, lent_deadline(s, &what));
}

/* A query of ours. False: it could not be sent, the server is being closed. */
static bool run_errand(struct server *s, enum errand errand, const char *sql)
{
	struct str *out = &s->worker->scratch;
	enum write_result result;
	struct iovec v;

	str_clear(out);
	message_query(out, sql);
	if (out->failed || !answers_we_send(&s->answers, 'Q')) {
		server_close(s, "out of memory");
		return false;
	}
	s->errand = errand;
	s->errand_failed = false;
	s->errand_us = worker_now_us(s->worker);
	v = (struct iovec){out->data, out->len};
	result = stream_write(s->stream, &v, 1, NULL);
	if (result == WRITE_FAILED)
		server_lost(s);
	else
		server_watch_errand(s);
	return result != WRITE_FAILED;
}

void server_release(struct server *s, bool reset)
{
	const char *query = settings_of(s)->global->server_reset_query;

	/* its client may have left while the server waited for it to read on */
	stream_resume(s->stream);
	if (reset && query != NULL && query[0] != '\0')
		(void)run_errand(s, ERRAND_RESET, query);
	else
		server_settle(s);
}

/* Brings the session's parameters to what the client has; false: an errand is under way, or the end. */
static bool params_fit(struct server *s)
{
	struct client *c = s->client;
	struct str sql;
	bool sent = false;

	if (s->params == c->params)
		return true;
	str_init(&sql, 65536);
	if (params_write_sets(c->params, s->params, &sql) > 0) {
		sent = true;
		if (sql.failed)
			server_close(s, "out of memory");
		else
			(void)run_errand(s, ERRAND_PARAMS, str_text(&sql));
	}
	str_fini(&sql);
	return !sent;
}

static bool wants_check(const struct server *s)
{
	const struct settings *g = settings_of(s)->global;

	return g->server_check_query != NULL && g->server_check_query[0] != '\0' && s->place.idle_since_us != 0 &&
	       worker_now_us(s->worker) >= s->place.idle_since_us + g->server_check_delay_us;
}

static const char *check_query(const struct server *s)
{
	const char *query = settings_of(s)->global->server_check_query;

	return strcmp(query, "<empty>") == 0 ? "" : query;
}

/* True: nothing comes before the client's own messages. */
static bool prepare(struct server *s)
{
	if (!wants_check(s))
		return params_fit(s);
	(void)run_errand(s, ERRAND_CHECK, check_query(s));
	return false;
}

void server_lend(struct server *s, struct client *c)
{
	link_begin(c, s);
	if (stream_has_news(s->stream))
		listen_first(s);
	else
		(void)prepare(s);
}

/* The check has failed: nothing of the client's was sent, so it simply waits again, at the front. */
static void check_failed(struct server *s)
{
	struct client *c = s->client;
	struct letters letters;

	s->client = NULL;
	c->server = NULL;
	server_close(s, "test query failed");
	letters_init(&letters);
	client_requeued(c, &letters);
}

/* Its own session would have refused the value, too: the client reads why and has to go. The statements were one
   transaction, so the server is as it was and stays. */
static void tell_refused_sets(struct server *s, struct client *c)
{
	bool compatible = s->worker->config->settings.error_sqlstate == ERROR_SQLSTATE_COMPATIBLE;
	struct words words = {
	    "FATAL", compatible ? SQLSTATE_PROTOCOL : SQLSTATE_INVALID_PARAMETER, "invalid server parameter",
	    s->refusal,
	    "Correct what the client asks for in its start-up parameters or in \"options\"; SET would "
	    "be refused for the same reason."};

	if (s->refusal == NULL)
		words.hint = NULL;
	else
		server_log(s, LEVEL_WARNING, "the client's parameters are refused: %s", s->refusal);
	client_note(c, "client_parameters", NULL, words.message, words.hint);
	client_fail(c, &words);
}

static void params_done(struct server *s)
{
	struct client *c = s->client;
	struct params *after;

	if (s->errand_failed) {
		tell_refused_sets(s, c);
		return;
	}
	after = params_after_sets(s->params, c->params);
	if (after == NULL) {
		server_close(s, "out of memory");
		return;
	}
	s->params = after;
	/* the server's spelling of the values is the truth from now on */
	params_unref(c->params);
	c->params = params_ref(after);
	client_wake(c);
}

/* What it said was harmless. */
static void listened(struct server *s)
{
	if (s->client == NULL)
		server_settle(s);
	else if (prepare(s))
		client_wake(s->client);
}

/* Nobody tells us what the reset query has undone of what servers do not report. False: it is being closed. */
static bool forget_wishes(struct server *s)
{
	struct params *unsure = params_unsure(s->params);

	if (unsure == NULL)
		server_close(s, "out of memory");
	else
		s->params = unsure;
	return unsure != NULL;
}

static void announce(struct server *s);

void server_errand_failed(struct server *s, const char *body, size_t len)
{
	const char *query = settings_of(s)->database->connect_query;
	struct bytes words = {"", 0};
	struct report report;

	s->errand_failed = true;
	if (s->errand != ERRAND_CONNECT && s->errand != ERRAND_PARAMS)
		return;
	if (report_parse(&report, body, len) && report.message.len > 0)
		words = report.message;
	if (s->errand == ERRAND_PARAMS) {
		mem_free(s->refusal);
		s->refusal = (char *)mem_copy(words.data, words.len);
		return;
	}
	s->permit->connect_query_failed = true;
	server_log(s, LEVEL_WARNING, "connect_query failed: %.*s (connect_query: %s)", (int)words.len, words.data,
	           query == NULL ? "changed since" : query);
}

void server_errand_done(struct server *s)
{
	enum errand done = s->errand;

	s->errand = ERRAND_NONE;
	if (done == ERRAND_LISTEN) {
		listened(s);
		return;
	}
	s->place.idle_since_us = 0;
	switch (done) {
	case ERRAND_CHECK:
		if (s->errand_failed || s->unfit)
			check_failed(s);
		else if (params_fit(s))
			client_wake(s->client);
		break;
	case ERRAND_PARAMS:
		params_done(s);
		break;
	case ERRAND_CONNECT:
		announce(s);
		break;
	case ERRAND_RESET:
		if (s->errand_failed || s->answers.status != 'I')
			server_close(s, "reset query failed");
		else if (forget_wishes(s))
			server_settle(s);
		break;
	case ERRAND_NONE:
	case ERRAND_LISTEN:
	case ERRAND_CANCEL:
	case ERRAND_LOOKUP: /* has its own end: lookup.c */
		break;
	}
}

/* Never changed once main has given the permit out. */
static const struct host *host_reached(const struct permit *permit)
{
	const struct backend *b = permit->reached < permit->n_targets ? permit->target[permit->reached].backend : NULL;

	return b == NULL ? NULL : b->at;
}

/* It can serve: its pool and main are told. Not before its connect_query: a server that dies of that was none. */
static void announce(struct server *s)
{
	struct letters letters;

	letters_init(&letters);
	s->place.host = host_reached(s->permit);
	pool_opened(&s->place, worker_now_us(s->worker), &s->welcome->shared, &letters);
	s->welcome = NULL;
	if (permit_report(s->permit, PERMIT_OPENED)) {
		s->permit->letter.kind = LETTER_NEWS;
		s->permit->letter.to = TO_MAIN;
		letters_add(&letters, &s->permit->letter);
	}
	worker_post_all(s->worker, &letters);
	server_settle(s);
}

void server_opened(struct server *s, struct welcome *welcome)
{
	const struct pool_settings *set = settings_of(s);
	uint64_t now_us = worker_now_us(s->worker);

	s->state = SERVER_READY;
	s->welcome = welcome;
	timer_clear(s->timer);
	s->timer_at_us = UINT64_MAX;
	if (set->global->server_idle_timeout_us > 0)
		server_wake_by(s, now_us + set->global->server_idle_timeout_us);
	if (set->server_lifetime_us > 0)
		server_wake_by(s, now_us + set->server_lifetime_us);
	if (set->database->connect_query != NULL)
		(void)run_errand(s, ERRAND_CONNECT, set->database->connect_query);
	else
		announce(s);
}

/* ---- events ---- */

void server_event(void *owner, enum stream_event event)
{
	struct server *s = (struct server *)owner;

	if (s->state == SERVER_CLOSING)
		return;
	if (s->state != SERVER_READY) {
		server_login_event(s, event);
		return;
	}
	switch (event) {
	case STREAM_READABLE:
		relay_from_server(s);
		break;
	case STREAM_DRAINED:
		if (s->client != NULL)
			client_wake(s->client);
		break;
	case STREAM_CONNECTED:
	case STREAM_SECURED:
		break;
	case STREAM_BROKEN:
		server_lost(s);
		break;
	}
}

/* ---- the end ---- */

static void bury(struct grave *g)
{
	mem_free(container_of(g, struct server, grave));
}

/* Says goodbye where the server would understand it; false: it would not, or it has gone already. */
static bool terminate(struct server *s)
{
	char message[] = {'X', 0, 0, 0, 4};
	struct iovec v = {message, sizeof(message)};
	enum write_result result;

	if (s->state != SERVER_READY || stream_pending_bytes(s->stream) > 0 || s->lost)
		return false;
	if (s->client != NULL && !framer_at_boundary(&s->client->framer))
		return false;
	result = stream_write(s->stream, &v, 1, NULL);
	return result == WRITE_DONE;
}

static void free_parts(struct server *s)
{
	server_login_free(s);
	drop_timer(s);
	params_unref(s->params);
	s->params = NULL;
	if (s->welcome != NULL)
		shared_unref(&s->welcome->shared);
	s->welcome = NULL;
	prepared_server_free(s);
	lookup_server_free(s);
	answers_fini(&s->answers);
	mem_free(s->key);
	s->key = NULL;
	mem_free(s->refusal);
	s->refusal = NULL;
	server_forget_last_words(s);
}

void server_close(struct server *s, const char *reason)
{
	struct worker *w = s->worker;
	struct permit *permit = s->permit;
	struct stream *stream = s->stream;
	struct letters letters;
	bool may_free, farewell;

	if (s->state == SERVER_CLOSING)
		return;
	farewell = stream != NULL && terminate(s);
	if (w->config->settings.log_disconnections && s->state == SERVER_READY) {
		struct log_event e = {.level = LEVEL_LOG, .event = "server_closed"};

		server_log_event(s, &e, "closing because: %s (age=%llus)", reason,
		                 (unsigned long long)((worker_now_us(w) - s->connected_us) / US_PER_S));
	}
	s->state = SERVER_CLOSING;
	s->stream = NULL;
	link_server_lost(s, reason);
	cancel_forget_server(s);
	free_parts(s);
	leave_worker(s);
	if (!farewell)
		stream_close(stream);
	letters_init(&letters);
	may_free = pool_gone(&s->place, worker_now_us(w), &letters);
	worker_post_all(w, &letters);
	if (farewell)
		farewell_begin(w, stream, permit);
	else
		server_return_permit(w, permit);
	if (may_free)
		worker_bury(w, &s->grave, bury);
}

void server_note_last_words(struct server *s, const char *body, size_t len)
{
	if (s->last_words == NULL)
		s->last_words = mem_new(struct failure); /* all zero: empty */
	if (s->last_words != NULL)
		failure_set_report(s->last_words, PHASE_SESSION, body, len);
}

void server_forget_last_words(struct server *s)
{
	if (s->last_words != NULL)
		failure_fini(s->last_words);
	mem_free(s->last_words);
	s->last_words = NULL;
}

/* ---- roles ---- */

/* ROLE_UNKNOWN: it is in doubt. Main knows when the permit is back. */
static void role_is_new(struct server *s, enum server_role role)
{
	s->permit->role_is_new = true;
	s->permit->new_role = role;
	s->unfit = !session_attrs_allow(settings_of(s)->session_attrs, role);
}

void server_note_fixed(struct server *s, const char *name, const char *value)
{
	const char *read_only;

	if (strcmp(name, "in_hot_standby") != 0)
		return;
	read_only = params_value(s->params, "default_transaction_read_only");
	role_is_new(s, server_role_of(strcmp(value, "on") == 0, read_only != NULL && strcmp(read_only, "on") == 0));
}

/* It may be the transaction's own wish, too: a login more is all that this costs. */
void server_note_error(struct server *s, const char *body, size_t len)
{
	enum session_attrs wanted = settings_of(s)->session_attrs;
	struct report report;

	if (wanted != SESSION_ATTRS_READ_WRITE && wanted != SESSION_ATTRS_PRIMARY)
		return;
	if (report_parse(&report, body, len) && bytes_are(report.sqlstate, SQLSTATE_READ_ONLY))
		role_is_new(s, ROLE_UNKNOWN);
}

void server_drop_unfit(struct server *s)
{
	if (s->unfit && s->errand == ERRAND_NONE && pool_retire_idle(&s->place))
		server_close(s, "role of the server has changed");
}

/* ---- being lost ---- */

/* worker->why says it all: the log is told, its client too, or gets another server. */
static void end_failed(struct server *s)
{
	struct failure *why = &s->worker->why;

	if (s->welcome != NULL)
		attempt_failed(s);
	s->failed = s->lost = true;
	server_close(s, "server conn crashed?");
	failure_fini(why);
}

/* Nobody is at the other end any more. */
void server_lost(struct server *s)
{
	struct log_event e = {.level = LEVEL_WARNING, .event = "server_lost"};
	struct failure *why = &s->worker->why;
	struct socket_silence silence;
	char text[128];

	if (s->last_words != NULL) {
		failure_take(why, s->last_words);
	} else if (why->domain == DOMAIN_ERRNO) {
		server_log_event(s, &e, "connection lost: %s", os_error_text(why->code, text, sizeof(text)));
	} else if (!failure_is_set(why)) {
		failure_set(why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
	}
	if (why->domain == DOMAIN_ERRNO && vigil_means_silence(why->code)) {
		if (stream_silence(s->stream, &silence))
			s->silent_us = silence.quiet_us;
		failure_set(why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	}
	end_failed(s);
}

void server_close_dirty(struct server *s)
{
	struct failure *why = &s->worker->why;

	failure_set(why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_PROTOCOL, "idle server got dirty");
	s->failed = true;
	server_close(s, why->text);
	failure_fini(why);
}

void server_is_silent(struct server *s, uint64_t silent_us)
{
	struct log_event e = {.level = LEVEL_WARNING, .event = "server_lost"};

	s->silent_us = silent_us;
	server_log_event(s, &e, "connection lost: no acknowledgement for %llu s",
	                 (unsigned long long)(silent_us / US_PER_S));
	failure_set(&s->worker->why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_TIMED_OUT, NULL);
	end_failed(s);
}
