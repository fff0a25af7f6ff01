/*
 * Looking up a client's secret. Thread: its worker's.
 *
 *   lookup_begin ──> LOOKUP: pool_borrow in auth_user's pool ──> ask ──> lookup_event: its answer (auth/lookup.h)
 *                     ^                                      answered ──> login_looked_up (client_login.c)
 *                     └─ the server died before it answered            └─> failed: "bouncer config error", incident
 *
 * The question is the server's: a client that leaves does not take it along, or strangers could have PostgreSQL open
 * one connection after the other.
 *
 * While the question is out the server's stream tells lookup_event instead of server_event, so the data path knows
 * nothing of it.
 */
#include "worker/lookup.h"

#include <stdio.h>
#include <string.h>

#include "auth/lookup.h"
#include "base/clock.h"
#include "base/mem.h"
#include "diag/error_ring.h"
#include "diag/explain.h"
#include "net/loop.h"
#include "net/stream.h"
#include "pool/outage.h"
#include "wire/message.h"
#include "worker/client_private.h"
#include "worker/link.h"
#include "worker/login.h"
#include "worker/loss.h"
#include "worker/telling.h"

#define MOST_LOSSES 3 /* servers that may die under one question before they answered */
#define LOG_AGAIN_US (60 * US_PER_S)
#define HINT "The pooler's log, and SHOW ERRORS on its console, have the reason under this number."

/* ---- telling ---- */

static void tell(struct client *c, const char *sqlstate, const char *text, const char *incident)
{
	struct words words = {"FATAL", sqlstate, text, NULL, HINT};
	char detail[32];

	snprintf(detail, sizeof(detail), "Incident %s.", incident);
	words.detail = detail;
	client_fail(c, &words);
}

static bool is_same(const struct condition *t, const char *class, const char *database, const char *user)
{
	return t->since_us != 0 && strcmp(t->class, class) == 0 && strcmp(t->database, database) == 0 &&
	       strcmp(t->user, user) == 0;
}

/* The one that has this already and was spoken of lately, else in place of the oldest. */
static struct condition *trouble_of(struct worker *w, const char *class, const char *database, const char *user)
{
	struct condition *t = w->lookup_troubles.of, *oldest = t;
	uint64_t now_us = worker_now_us(w);
	uint32_t number;

	for (unsigned i = 0; i < LOOKUP_TROUBLES; i++, t++) {
		if (is_same(t, class, database, user) && now_us < t->logged_us + LOG_AGAIN_US)
			return t;
		if (t->logged_us < oldest->logged_us)
			oldest = t;
	}
	memset(oldest, 0, sizeof(*oldest));
	oldest->since_us = now_us;
	snprintf(oldest->class, sizeof(oldest->class), "%s", class);
	snprintf(oldest->database, sizeof(oldest->database), "%s", database);
	snprintf(oldest->user, sizeof(oldest->user), "%s", user);
	loop_random(w->loop, &number, sizeof(number));
	snprintf(oldest->incident, sizeof(oldest->incident), "%08x", (unsigned)number);
	return oldest;
}

/* Once with all that is known, then not again for a minute. */
static void log_trouble(struct worker *w, struct condition *t, const struct verdict *v)
{
	char text[LOG_TEXT_MAX];
	struct log_event e = {.level = LEVEL_WARNING,
	                      .event = "auth_query_failed",
	                      .class = v->class,
	                      .database = t->database,
	                      .user = t->user,
	                      .incident = t->incident,
	                      .text = text,
	                      .detail = str_text(&v->detail),
	                      .hint = str_text(&v->hint)};

	if (t->logged_us != 0)
		return;
	t->logged_us = worker_now_us(w);
	snprintf(text, sizeof(text), "db=%s user=%s: %s (incident %s)", t->database, t->user, str_text(&v->message),
	         t->incident);
	log_event(w->office->log, &e);
}

static void note_trouble(struct worker *w, const struct condition *t, const struct verdict *v, const char *address)
{
	struct error_note note = {.at_us = worker_now_us(w),
	                          .incident = t->incident,
	                          .class = v->class,
	                          .database = t->database,
	                          .user = t->user,
	                          .address = address,
	                          .count = 1,
	                          .text = str_text(&v->message),
	                          .hint = str_text(&v->hint)};

	if (w->errors != NULL)
		error_ring_add(w->errors, &note);
}

static const struct conf_database *database_of(const struct client *c)
{
	return c->login->console ? NULL : config_find_database(c->worker->config, c->login->database, NULL);
}

/* The client learns that the configuration is wrong; what is wrong is for those who can correct it. `s` NULL: it has
   not come to a server. */
static void failed(struct client *c, const struct server *s, const struct failure *why)
{
	const struct login *l = c->login;
	const char *database = l->database, *user = conf_auth_user(c->worker->config, database_of(c));
	struct condition *t;
	struct facts facts;
	struct verdict v;
	char address[96];

	memset(&facts, 0, sizeof(facts));
	if (s != NULL) {
		loss_facts(s, &facts, address);
		database = s->place.pool->database;
		user = facts.user;
	}
	facts.runs_auth_query = s != NULL;
	facts.auth_query = l->query;
	verdict_init(&v);
	explain(why, &facts, &v);
	t = trouble_of(c->worker, v.class, database, user == NULL ? "" : user); /* a reload may have taken it away */
	log_trouble(c->worker, t, &v);
	note_trouble(c->worker, t, &v, facts.address);
	c->untold = ++t->n_told > TELLING_LINES;
	tell(c, SQLSTATE_PROTOCOL, "bouncer config error", t->incident);
	verdict_fini(&v);
}

static enum step no_database(struct client *c, const char *fmt, const char *name)
{
	struct failure why;
	char text[160];

	snprintf(text, sizeof(text), fmt, name);
	failure_init(&why);
	failure_set(&why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_LOOKUP_DATABASE, text);
	failed(c, NULL, &why);
	failure_fini(&why);
	return STEP_CLOSED;
}

/* PgBouncer's words of old for a server that cannot be reached, which tell nothing; programs look for them. */
void lookup_tell_outage(struct client *c, const struct outage *outage)
{
	const struct verdict *v = &outage->verdict;

	if (v->kind == VERDICT_REFUSED)
		tell(c, v->sqlstate, "bouncer config error", outage->incident);
	else
		tell(c, v->sqlstate, "server login has been failing, try again later (server_login_retry)",
		     outage->incident);
}

void lookup_time_out(struct client *c, const char *setting, const char *precise)
{
	client_note(
	    c, setting, NULL, setting,
	    c->server == NULL
	        ? "It waited for its turn to be looked up by auth_query: SHOW WAITS tells who holds auth_user's "
	          "connections."
	        : "It waited for the answer to auth_query: pg_stat_activity on the server tells what keeps it.");
	client_fail_text(c, precise, setting);
}

/* ---- waiting ---- */

bool lookup_is_due(const struct client *c)
{
	const struct config *conf = c->worker->config;
	const struct conf_database *d = database_of(c);

	if (config_find_login(conf, c->login->user) != NULL)
		return false;
	if (conf->settings.auth_type == AUTH_TYPE_ANY || conf->settings.auth_type == AUTH_TYPE_PAM ||
	    conf->settings.auth_type == AUTH_TYPE_LDAP)
		return false;
	if (d == NULL && !c->login->console)
		return false;
	return conf_auth_user(conf, d) != NULL;
}

static enum step wait_for_server(struct client *c)
{
	struct worker *w = c->worker;
	struct outage *outage = NULL;
	struct place *pl = NULL;
	struct letters letters;
	enum borrowed result;

	letters_init(&letters);
	result = pool_borrow(c->entry.seat, &c->waiter, worker_now_us(w), &pl, &outage, &letters);
	worker_post_all(w, &letters);
	switch (result) {
	case BORROWED:
		lookup_got_server(c, server_of(pl));
		break;
	case BORROW_WAITS:
		worker_watch_seat(w, c->entry.seat);
		break;
	case BORROW_TOLD:
		(void)!client_told(c, outage);
		break;
	case BORROW_CLOSED:
		client_due(c, DUE_CLOSED, NULL);
		break;
	}
	return c->state == CLIENT_CLOSING ? STEP_CLOSED : STEP_WAIT;
}

static enum step enter(struct client *c, const char *database, const char *auth_user)
{
	struct worker *w = c->worker;
	char text[160];

	switch (registry_enter_lookups(w->office->registry, w->config, database, auth_user, w->number, &c->entry)) {
	case ENTERED:
	case ENTERED_NEW_DATABASE: /* never: that is said of whoever has proven who he is */
		return STEP_AGAIN;
	case ENTER_NO_DATABASE:
		return no_database(c, "authentication database \"%.100s\" is not configured", database);
	case ENTER_DISABLED:
		snprintf(text, sizeof(text), "authentication database \"%.100s\" is disabled", database);
		return login_refuse(c, "database_disabled", SQLSTATE_CANNOT_CONNECT_NOW, text);
	case ENTER_SHUTTING_DOWN:
		return login_refuse(c, "shutting_down", SQLSTATE_CANNOT_CONNECT_NOW, "pooler is shutting down");
	case ENTER_DATABASE_FULL: /* nobody is counted here */
	case ENTER_USER_FULL:
	case ENTER_NO_MEMORY:
		break;
	}
	return login_refuse(c, "out_of_memory", SQLSTATE_NO_MEMORY, "no memory for authentication pool");
}

enum step lookup_begin(struct client *c)
{
	const struct config *conf = c->worker->config;
	const struct conf_database *d = database_of(c);
	const char *database = conf_auth_dbname(conf, d), *query = conf_auth_query(conf, d);
	struct login *l = c->login;

	if (database == NULL)
		database = l->database;
	if (console_is_database(conf, database))
		return no_database(c, "cannot use the reserved \"%.64s\" database as an auth_dbname", database);
	l->query = mem_copy_str(query == NULL ? "" : query); /* a reload may come before its turn */
	if (l->query == NULL)
		return login_no_memory(c);
	if (enter(c, database, conf_auth_user(conf, d)) == STEP_CLOSED)
		return STEP_CLOSED;
	(void)client_enter(c, CLIENT_LOOKUP);
	return wait_for_server(c);
}

/* ---- asking ---- */

void lookup_server_free(struct server *s)
{
	if (s->lookup != NULL)
		lookup_fini(s->lookup);
	mem_free(s->lookup);
	s->lookup = NULL;
}

/* The server is done with the question, and free of its client, if that is still there; it waits for nothing more. */
static void part(struct server *s)
{
	struct client *c = s->client;

	lookup_server_free(s);
	s->client = NULL;
	s->errand = ERRAND_NONE;
	s->request_us = worker_now_us(s->worker);
	stream_set_owner(s->stream, server_event, s);
	if (c == NULL)
		return;
	c->server = NULL;
	registry_leave(s->worker->office->registry, &c->entry, worker_now_us(s->worker));
}

/* worker->why says how; its client goes on in lookup_server_lost. */
static void server_failed(struct server *s)
{
	struct failure *why = &s->worker->why;

	if (!failure_is_set(why))
		failure_set(why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
	s->failed = s->lost = true;
	server_close(s, "server conn crashed?");
	failure_fini(why);
}

/* False: out of memory. */
static bool take_finding(struct client *c, const struct lookup *answer)
{
	struct login *l = c->login;
	char *user = mem_copy_str(answer->name);

	if (user == NULL)
		return false;
	mem_free(l->user); /* whom the query names is who it is, as in PgBouncer */
	l->user = user;
	l->user_found = true;
	if (answer->secret == NULL)
		return true;
	l->found = secret_new(answer->secret, answer->secret_len);
	return l->found != NULL;
}

/* `clean`: nothing has come behind the answer. */
static void let_go(struct server *s, bool clean)
{
	if (clean)
		server_settle(s);
	else
		server_close(s, "idle server got dirty");
}

static void look_done(struct server *s, bool found, bool clean)
{
	struct client *c = s->client;
	bool enough = c == NULL || !found || take_finding(c, s->lookup);

	part(s);
	let_go(s, clean);
	if (c == NULL)
		return;
	c->login->looked_up = true;
	if (!enough)
		(void)login_no_memory(c);
	else
		login_looked_up(c);
}

/* The answer is complete, and no use. The server may be used on, unless it is in a transaction. */
static void look_failed(struct server *s, bool clean)
{
	bool idle = s->lookup->status == 'I';
	struct client *c = s->client;
	struct failure why;

	failure_init(&why);
	failure_take(&why, &s->lookup->why);
	part(s);
	if (c != NULL)
		failed(c, s, &why);
	failure_fini(&why);
	if (idle)
		let_go(s, clean);
	else
		server_close(s, "auth_query failed");
}

static void answered(struct server *s, enum lookup_result result, bool clean)
{
	switch (result) {
	case LOOKUP_MORE:
		break;
	case LOOKUP_FOUND:
	case LOOKUP_NOBODY:
		look_done(s, result == LOOKUP_FOUND, clean);
		break;
	case LOOKUP_FAILED:
		look_failed(s, clean);
		break;
	case LOOKUP_LOST:
	case LOOKUP_BROKEN:
		failure_take(&s->worker->why, &s->lookup->why);
		server_failed(s);
		break;
	}
}

static void readable(struct server *s)
{
	struct span bytes;
	enum lookup_result result;
	size_t used;

	switch (stream_read(s->stream, LOOP_BUFFER_BYTES, &bytes, &s->worker->why)) {
	case READ_GOT:
		break;
	case READ_LATER:
		return;
	case READ_END:
	case READ_FAILED:
		server_failed(s);
		return;
	}
	result = lookup_take(s->lookup, bytes.data, bytes.len, &used);
	if (result == LOOKUP_MORE && used < bytes.len && !stream_hold(s->stream, bytes.data + used, bytes.len - used)) {
		failure_set(&s->worker->why, PHASE_LOOKUP, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		server_failed(s);
		return;
	}
	answered(s, result, used == bytes.len);
}

/* The stream's handler while the question is out. */
static void lookup_event(void *owner, enum stream_event event)
{
	struct server *s = (struct server *)owner;

	if (s->state == SERVER_CLOSING)
		return;
	switch (event) {
	case STREAM_READABLE:
		readable(s);
		break;
	case STREAM_BROKEN:
		server_failed(s);
		break;
	case STREAM_CONNECTED:
	case STREAM_SECURED:
	case STREAM_DRAINED:
		break;
	}
}

void lookup_got_server(struct client *c, struct server *s)
{
	struct lookup *answer = s->lookup = mem_new(struct lookup);
	struct str *out = &s->worker->scratch;
	enum write_result result;
	struct iovec v;

	link_begin(c, s);
	s->errand = ERRAND_LOOKUP;
	s->errand_us = worker_now_us(s->worker);
	stream_set_owner(s->stream, lookup_event, s);
	if (answer != NULL)
		lookup_init(answer);
	str_clear(out);
	lookup_ask(out, c->login->query, c->login->user);
	if (answer == NULL || out->failed) {
		part(s);
		server_settle(s);
		(void)login_no_memory(c);
		return;
	}
	v = (struct iovec){out->data, out->len};
	result = stream_write(s->stream, &v, 1, &s->worker->why);
	if (result == WRITE_FAILED)
		server_failed(s);
	else
		server_watch_errand(s);
}

/* It had been idle, and died before it said anything: it is as if it had died a moment sooner. */
static bool may_try_another(const struct client *c, const struct server *s)
{
	const struct failure *why = &s->worker->why;

	return s->request_us != s->connected_us && (s->lookup == NULL || !lookup_has_begun(s->lookup)) &&
	       !(why->domain == DOMAIN_POOLER && why->code == FAILURE_TIMED_OUT) && c->n_losses < MOST_LOSSES;
}

static void wait_again(struct client *c)
{
	struct worker *w = c->worker;
	struct letters letters;

	c->n_losses++;
	letters_init(&letters);
	pool_requeue(c->entry.seat, &c->waiter, &letters, worker_now_us(w));
	worker_post_all(w, &letters);
	worker_watch_seat(w, c->entry.seat);
}

void lookup_server_lost(struct client *c, struct server *s, const char *reason)
{
	bool again = s->failed && may_try_another(c, s);
	struct failure why;

	if (again) {
		wait_again(c);
		return;
	}
	if (!s->failed) {
		client_lost_server(c, reason);
		return;
	}
	failure_init(&why);
	failure_copy(&why, &s->worker->why);
	why.phase = PHASE_LOOKUP;
	failed(c, s, &why);
	failure_fini(&why);
}
