/*
 * A client's login. Thread: its worker's; it may end on another worker, that of its seat.
 *
 *   HELLO   client_login_hello: SSLRequest, CancelRequest, StartupMessage ──> login_prove (client_proof.c)
 *           ──> LOOKUP, if the user list says nothing (lookup.c) ──> login_looked_up ──> login_prove
 *   login_passed ──> console: to main          ──> registry_enter ──> MOVING (JOIN) or here
 *   greet ──> GREETING until the pool has a welcome ──> client_login_welcome ──> IDLE
 */
#include "worker/client_login.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "auth/exchange.h"
#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/tls_context.h"
#include "os/process.h"
#include "pool/found_secret.h"
#include "pool/outage.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "wire/startup.h"
#include "worker/cancel.h"
#include "worker/client_private.h"
#include "worker/console_guest.h"
#include "worker/greeting.h"
#include "worker/keys.h"
#include "worker/link.h"
#include "worker/login.h"
#include "worker/lookup.h"
#include "worker/params.h"
#include "worker/telling.h"
#include "worker/waiting.h"

#define OUT_MAX (1u << 20)

static void greet(struct client *c);

static struct login *login_new(struct client *c)
{
	struct login *l = mem_new(struct login);

	if (l == NULL)
		return NULL;
	l->client = c;
	l->auth = c->worker->office->auth;
	str_init(&l->out, OUT_MAX);
	l->own = params_empty(c->worker->office->params);
	return l;
}

void login_free(struct login *l)
{
	if (l == NULL)
		return;
	mem_free(l->database);
	mem_free(l->user);
	mem_free(l->replication);
	params_unref(l->own);
	exchange_free(l->exchange);
	scram_order_free(l->order);
	mem_free(l->query);
	secret_unref(l->found);
	ask_free(l->ask);
	str_fini(&l->out);
	mem_free(l);
}

void client_login_free(struct client *c)
{
	struct login *l = c->login;

	c->login = NULL;
	if (l == NULL)
		return;
	if (!l->job_out) {
		login_free(l);
		return;
	}
	l->client = NULL;
	if (l->ask != NULL)
		atomic_store(&l->ask->nobody_waits, true);
}

const char *client_login_database(const struct client *c)
{
	return c->login == NULL || c->login->database == NULL ? "(nodb)" : c->login->database;
}

const char *client_login_user(const struct client *c)
{
	return c->login == NULL || c->login->user == NULL ? "(nouser)" : c->login->user;
}

bool client_login_only_knocks(const struct client *c)
{
	return c->login != NULL && c->login->knocks;
}

bool client_login_is_known(const struct client *c)
{
	return c->login != NULL && c->login->known;
}

const struct params *client_login_params(const struct client *c)
{
	return c->login == NULL ? NULL : c->login->own;
}

/* ---- arriving ---- */

struct client *client_new(struct office *o, struct stream *s)
{
	struct client *c = mem_new(struct client);

	if (c == NULL) {
		stream_close(s);
		return NULL;
	}
	c->stream = s;
	c->state = CLIENT_HELLO;
	c->waiter.id = office_next_id(o);
	c->letter.kind = LETTER_ARRIVE;
	list_init(&c->on_worker);
	list_init(&c->runnable);
	list_init(&c->waiter.node);
	list_init(&c->grave.node);
	return c;
}

/* In order of their beginning, also one that began on another worker: the first one's time is over first. */
static void join_logins(struct worker *w, struct client *c)
{
	struct list *before;

	for (before = w->logins.prev; before != &w->logins; before = before->prev)
		if (container_of(before, struct client, in_login)->connected_us <= c->connected_us)
			break;
	list_insert_between(&c->in_login, before, before->next);
}

static void enter_worker(struct worker *w, struct client *c)
{
	c->worker = w;
	list_add_tail(&w->clients, &c->on_worker);
	join_logins(w, c);
	w->n_clients++;
	worker_need_tick(w);
}

void client_arrived(struct worker *w, struct client *c)
{
	c->connected_us = c->request_us = worker_now_us(w);
	enter_worker(w, c);
	if (!stream_join(c->stream, w->loop, client_event, c)) {
		client_close(c, "out of memory");
		return;
	}
	/* with tcp_defer_accept its first bytes are here already: no need to wait for the loop to say so */
	if (w->config->settings.tcp_defer_accept > 0 && stream_peer(c->stream)->family != PEER_UNIX) {
		c->readable = true;
		client_run(c);
	}
}

void client_joined(struct worker *w, struct client *c)
{
	enter_worker(w, c);
	if (!stream_join(c->stream, w->loop, client_event, c)) {
		client_close(c, "out of memory");
		return;
	}
	greet(c);
}

static void leave_worker(struct client *c)
{
	struct worker *w = c->worker;

	list_remove(&c->on_worker);
	list_remove(&c->in_login);
	list_remove(&c->runnable);
	w->n_clients--;
	atomic_fetch_sub(&w->office->n_clients_of[w->number], 1);
	stream_leave(c->stream);
}

/* ---- small helpers ---- */

enum step login_refuse(struct client *c, const char *class, const char *precise, const char *text)
{
	client_fail_noted(c, class, precise, text);
	return STEP_CLOSED;
}

enum step login_no_memory(struct client *c)
{
	return login_refuse(c, "out_of_memory", SQLSTATE_NO_MEMORY, "out of memory");
}

bool login_flush(struct client *c)
{
	struct str *out = &c->login->out;
	struct iovec v = {out->data, out->len};
	enum write_result result;

	if (out->failed) {
		(void)login_no_memory(c);
		return false;
	}
	if (out->len == 0)
		return true;
	result = stream_write(c->stream, &v, 1, NULL);
	str_clear(out);
	if (result == WRITE_FAILED)
		client_close(c, "client unexpected eof");
	return result != WRITE_FAILED;
}

enum read_result login_read(struct client *c, struct span *bytes)
{
	enum read_result result;

	if (!c->readable)
		return stream_read_held(c->stream, bytes);
	c->readable = false;
	result = stream_read(c->stream, LOOP_BUFFER_BYTES, bytes, NULL);
	return result;
}

enum step login_nothing_read(struct client *c, enum read_result result)
{
	if (result == READ_LATER)
		return STEP_WAIT;
	client_close(c, "client unexpected eof");
	return STEP_CLOSED;
}

enum step login_keep(struct client *c, struct span bytes)
{
	if (bytes.len > 0 && !stream_hold(c->stream, bytes.data, bytes.len))
		return login_no_memory(c);
	return STEP_WAIT;
}

/* ---- after the proof ---- */

static bool is_secured(const struct client *c)
{
	return stream_is_secured(c->stream);
}

static bool is_replication(const struct client *c)
{
	return c->entry.seat != NULL && c->entry.seat->pool->replication != NULL;
}

static const char *replication_word(const struct client *c)
{
	const struct replication *r = c->entry.seat == NULL ? c->login->replication : c->entry.seat->pool->replication;

	return r == NULL ? "no" : r->kind == REPLICATION_LOGICAL ? "database" : "yes";
}

void client_login_say_attempt(struct client *c)
{
	struct login *l = c->login;
	struct log_event e = {.level = LEVEL_LOG, .event = "login_attempt"};
	char tls[STREAM_TLS_TEXT_BYTES];

	if (l == NULL || !l->unsaid || c->worker == NULL)
		return;
	l->unsaid = false;
	if (c->worker->config->settings.log_connections && !c->untold)
		client_log_event(c, &e, "login attempt: db=%s user=%s tls=%s replication=%s", l->database, l->user,
		                 is_secured(c) ? stream_tls_text(c->stream, tls) : "no", replication_word(c));
}

static enum step to_console(struct client *c)
{
	struct login *l = c->login;
	struct console_guest *g = mem_new(struct console_guest);
	const char *name = params_value(l->own, "application_name");
	struct office *o = c->worker->office;

	if (g == NULL || !login_flush(c)) {
		mem_free(g);
		return c->state == CLIENT_CLOSING ? STEP_CLOSED : login_no_memory(c);
	}
	g->letter.kind = LETTER_CONSOLE;
	g->letter.to = TO_MAIN;
	g->user = mem_copy_str(l->user);
	g->database = mem_copy_str(l->database);
	g->application_name = name == NULL ? NULL : mem_copy_str(name);
	g->rights = l->rights;
	g->id = c->waiter.id;
	g->connected_us = c->connected_us;
	loop_random(c->worker->loop, g->key, sizeof(g->key));
	cancel_key_mark(g->key, c->worker->config->settings.peer_id);
	g->key[0] &= 0x7f;
	if (g->user == NULL || g->database == NULL) {
		console_guest_free(g);
		return login_no_memory(c);
	}
	g->stream = client_take_stream(c);
	office_post(o, &g->letter);
	return STEP_CLOSED;
}

/* The same with what a person can do about it. */
static enum step refuse_with(struct client *c, const char *class, const char *precise, const char *text,
                             const struct str *detail, const struct str *hint)
{
	bool compatible = c->worker->config->settings.error_sqlstate == ERROR_SQLSTATE_COMPATIBLE;
	struct words words = {"FATAL", compatible ? SQLSTATE_PROTOCOL : precise, text, NULL, NULL};

	words.detail = detail->len > 0 ? str_text(detail) : NULL;
	words.hint = hint->len > 0 ? str_text(hint) : NULL;
	client_note(c, class, NULL, text, words.hint);
	client_fail(c, &words);
	return STEP_CLOSED;
}

static enum step disabled(struct client *c)
{
	struct str detail, hint;
	enum step step;
	char text[160];

	str_init(&detail, OUT_MAX);
	str_init(&hint, OUT_MAX);
	snprintf(text, sizeof(text), "database \"%.100s\" is disabled", c->login->database);
	str_printf(&hint, "Somebody has typed DISABLE on the console; \"ENABLE %s\" there lets clients in again.",
	           c->login->database);
	step = refuse_with(c, "database_disabled", SQLSTATE_CANNOT_CONNECT_NOW, text, &detail, &hint);
	str_fini(&detail);
	str_fini(&hint);
	return step;
}

/* As many clients as this setting allows. */
static enum step full(struct client *c, const char *setting, int limit, const char *what, const char *name)
{
	struct str detail, hint;
	enum step step;
	char text[160];

	str_init(&detail, OUT_MAX);
	str_init(&hint, OUT_MAX);
	snprintf(text, sizeof(text), "client connections exceeded (%s)", setting);
	str_printf(&detail, "%s \"%s\" has as many clients as %s = %d allows.", what, name, setting, limit);
	str_printf(&hint,
	           "Close clients that are not needed (\"SHOW CLIENTS\" on the console lists them), or raise %s.",
	           setting);
	step = refuse_with(c, setting, SQLSTATE_TOO_MANY_CONNECTIONS, text, &detail, &hint);
	str_fini(&detail);
	str_fini(&hint);
	return step;
}

static enum step database_full(struct client *c)
{
	const struct config *conf = c->worker->config;
	const struct conf_database *d = config_find_database(conf, c->login->database, NULL);

	return full(c, "max_db_client_connections", d == NULL ? 0 : conf_max_db_client_connections(conf, d), "Database",
	            c->login->database);
}

static enum step user_full(struct client *c)
{
	const struct config *conf = c->worker->config;
	const struct conf_user *u = config_find_user(conf, c->login->user);

	return full(c, "max_user_client_connections", conf_max_user_client_connections(conf, u), "User",
	            c->login->user);
}

/* Programs such as pg_basebackup, which need no database, name one that few would think of. */
static enum step no_database(struct client *c)
{
	bool compatible = c->worker->config->settings.error_sqlstate == ERROR_SQLSTATE_COMPATIBLE;
	char text[160];
	struct words words = {"FATAL", compatible ? SQLSTATE_PROTOCOL : SQLSTATE_NO_DATABASE, text, NULL, NULL};

	snprintf(text, sizeof(text), "no such database: %.100s", c->login->database);
	if (c->login->replicates && strcmp(c->login->database, "replication") == 0)
		words.hint = "Programs for physical replication connect to a database of this name: add an entry such "
		             "as \"replication = host=... port=...\" to the section [databases] and reload.";
	client_note(c, "no_such_database", NULL, text, words.hint);
	client_fail(c, &words);
	return STEP_CLOSED;
}

static enum step no_entry(struct client *c, enum entering result)
{
	switch (result) {
	case ENTERED:
	case ENTERED_NEW_DATABASE:
		break;
	case ENTER_NO_DATABASE:
		return no_database(c);
	case ENTER_DISABLED:
		return disabled(c);
	case ENTER_DATABASE_FULL:
		return database_full(c);
	case ENTER_USER_FULL:
		return user_full(c);
	case ENTER_SHUTTING_DOWN:
		return login_refuse(c, "shutting_down", SQLSTATE_CANNOT_CONNECT_NOW, "pooler is shutting down");
	case ENTER_NO_MEMORY:
		break;
	}
	return login_no_memory(c);
}

/* A client's own SCRAM keys may serve at the server, if it logs in there as itself. */
static void offer_keys(struct client *c)
{
	const struct scram_keys *keys = exchange_keys(c->login->exchange);
	struct pool *p = c->entry.seat->pool;
	struct login_keys *offered;

	if (keys == NULL || c->entry.seat->settings->forced_user)
		return;
	offered = login_keys_new(keys);
	if (offered != NULL)
		pool_set_keys(p, &offered->shared);
}

/* What auth_query has found serves at the server, too, if the client logs in there as itself. */
static void offer_found_secret(struct client *c)
{
	const struct secret *found = c->login->found;
	struct found_secret *offered;
	struct letters letters;

	if (found == NULL || c->entry.seat->settings->forced_user)
		return;
	offered = found_secret_new(secret_text(found), secret_len(found));
	if (offered == NULL)
		return;
	letters_init(&letters);
	pool_set_secret(c->entry.seat->pool, &offered->shared, &letters);
	worker_post_all(c->worker, &letters);
}

/* A password that a client has sent and that is right. It serves at the server if nothing here is better: what is
   listed for users of PAM and LDAP is not looked at, and a stored hash answers few servers. False: it does not. */
static bool offer_password(struct client *c)
{
	const struct exchange *x = c->login->exchange;
	const struct pool_settings *set = c->entry.seat->settings;
	struct found_secret *offered;
	struct letters letters;
	const char *password;
	size_t len;

	password = exchange_password(x, &len);
	if (password == NULL || set->forced_user ||
	    (exchange_method(x) == EXCHANGE_PLAIN && exchange_has_plain_secret(x)))
		return false;
	offered = found_secret_new(password, len);
	if (offered == NULL)
		return false;
	offered->by_client = true;
	letters_init(&letters);
	pool_set_secret(c->entry.seat->pool, &offered->shared, &letters);
	worker_post_all(c->worker, &letters);
	return true;
}

/* NULL: this client is not offered TLS. */
static struct shared *tls_for(const struct client *c)
{
	return stream_peer(c->stream)->family == PEER_UNIX ? NULL : c->worker->config->tls.client;
}

static enum entering enter_registry(struct client *c)
{
	struct worker *w = c->worker;
	struct login *l = c->login;
	struct registry *r = w->office->registry;
	struct replication *replication = l->replication;

	if (replication == NULL)
		return registry_enter(r, w->config, l->database, l->user, w->number, &c->entry);
	l->replication = NULL;
	l->replicates = true;
	return registry_enter_replication(r, w->config, l->database, l->user, w->number, replication, &c->entry);
}

enum step login_passed(struct client *c)
{
	struct worker *w = c->worker;
	struct login *l = c->login;
	enum entering result;

	l->unsaid = true;
	if (l->console) {
		l->known = true;
		l->knocks = false;
		client_login_say_attempt(c);
		return to_console(c);
	}
	if (stream_peer(c->stream)->family == PEER_UNIX && registry_turns_local_away(w->office->registry))
		return no_entry(c, ENTER_SHUTTING_DOWN);
	result = enter_registry(c);
	if (result != ENTERED && result != ENTERED_NEW_DATABASE)
		return no_entry(c, result);
	l->knocks = false;
	if (result == ENTERED_NEW_DATABASE)
		log_write(w->office->log, LEVEL_LOG, "registered new auto-database: %s", l->database);
	offer_keys(c);
	if (!offer_password(c)) /* not both: another secret than before is tried at once */
		offer_found_secret(c);
	exchange_free(l->exchange);
	l->exchange = NULL;
	if (c->entry.seat->worker == w->number) {
		greet(c);
		return STEP_CLOSED; /* whatever it is now, its state has been run */
	}
	(void)client_enter(c, CLIENT_MOVING);
	leave_worker(c);
	c->worker = NULL;
	c->letter.kind = LETTER_JOIN;
	c->letter.to = c->entry.seat->worker;
	office_count_client(w->office, c->letter.to);
	office_post(w->office, &c->letter);
	return STEP_CLOSED;
}

/* ---- HELLO ---- */

static enum step answer_n(struct client *c, struct span rest, const char *kind)
{
	char no[] = {'N'};
	struct iovec v = {no, sizeof(no)};
	enum write_result result;
	char text[80];

	if (rest.len > 0) { /* what came with the request was sent in the hope of encryption */
		snprintf(text, sizeof(text), "received unencrypted data after %s request", kind);
		return login_refuse(c, "client_protocol", SQLSTATE_PROTOCOL, text);
	}
	result = stream_write(c->stream, &v, 1, NULL);
	if (result != WRITE_FAILED)
		return STEP_WAIT;
	client_close(c, "client unexpected eof");
	return STEP_CLOSED;
}

/* The handshake has begun, or could not. */
static enum step securing(struct client *c, bool begun)
{
	if (begun)
		return STEP_WAIT;
	return login_no_memory(c);
}

static enum step answer_ssl(struct client *c, struct span rest)
{
	char yes[] = {'S'};
	struct iovec v = {yes, sizeof(yes)};

	if (is_secured(c)) {
		client_close(c, "SSL req inside SSL");
		return STEP_CLOSED;
	}
	if (tls_for(c) == NULL || rest.len > 0)
		return answer_n(c, rest, "SSL");
	if (stream_write(c->stream, &v, 1, NULL) != WRITE_DONE) {
		client_close(c, "client unexpected eof");
		return STEP_CLOSED;
	}
	return securing(c, stream_start_tls(c->stream, tls_for(c), NULL, NULL));
}

/* A handshake without asking first: no start-up message begins like that. */
static bool begins_with_tls(const struct client *c, struct span bytes)
{
	return bytes.data[0] == 0x16 && tls_for(c) != NULL && !is_secured(c);
}

void client_login_broken(struct client *c)
{
	const struct failure *why = stream_failure(c->stream);

	if (c->state == CLIENT_HELLO && why->phase == PHASE_TLS && why->text[0] != '\0')
		client_log(c, LEVEL_WARNING, "TLS handshake error: %s", why->text);
	client_close(c, "client unexpected eof");
}

/* Counted at once, so that a burst cannot exceed the limit; the console is exempt. */
static enum step count_client(struct client *c)
{
	struct registry *r = c->worker->office->registry;
	unsigned limit = (unsigned)c->worker->config->settings.max_client_conn;

	if (c->login->console)
		return STEP_WAIT;
	c->counted = true;
	if (atomic_fetch_add(&r->n_clients, 1) < limit)
		return STEP_WAIT;
	return login_refuse(c, "max_client_conn", SQLSTATE_TOO_MANY_CONNECTIONS,
	                    "no more connections allowed (max_client_conn)");
}

static enum step console_rights(struct client *c)
{
	const struct settings *set = &c->worker->config->settings;
	struct login *l = c->login;

	if (conf_list_has(set->admin_users, l->user))
		l->rights = CONSOLE_ADMIN;
	else if (conf_list_has(set->stats_users, l->user) || set->auth_type == AUTH_TYPE_ANY)
		l->rights = CONSOLE_STATS;
	else
		return login_refuse(c, "console_not_allowed", SQLSTATE_NOT_AUTHORIZED, "not allowed");
	return STEP_WAIT;
}

/* A check every few seconds shall not fill the log. From elsewhere anybody could hide behind that name. */
static bool only_knocks(const struct client *c, const struct startup *s)
{
	struct bytes name;

	return peer_is_local(stream_peer(c->stream)) && startup_find_param(s, "application_name", &name) &&
	       strcmp(name.data, CLIENT_KNOCKS_AS) == 0;
}

/* The account that runs us needs no password on the Unix socket. */
static bool is_own_account(const struct client *c)
{
	const struct peer *peer = stream_peer(c->stream);

	return peer->family == PEER_UNIX && strcmp(c->login->user, "pgbouncer") == 0 && peer_uid(peer) == os_user_id();
}

static enum step begin_login(struct client *c, const struct startup *s)
{
	struct login *l = c->login = login_new(c);
	struct worker *w = c->worker;

	if (l == NULL)
		return login_no_memory(c);
	l->database = mem_copy(s->database.data, s->database.len);
	l->user = mem_copy(s->user.data, s->user.len);
	if (l->database == NULL || l->user == NULL)
		return login_no_memory(c);
	l->knocks = only_knocks(c, s);
	if (s->user.len > CONF_MAX_USER_NAME)
		return login_refuse(c, "client_protocol", SQLSTATE_NOT_AUTHORIZED, "username too long");
	l->console = console_is_database(w->config, l->database);
	if (count_client(c) == STEP_CLOSED || login_take_params(c, s) == STEP_CLOSED)
		return STEP_CLOSED;
	if (startup_needs_negotiation(s))
		startup_write_negotiation(s, &l->out);
	if (l->console && is_own_account(c)) {
		l->known = true;
		l->knocks = false;
		client_log(c, LEVEL_LOG, "pgbouncer access from unix socket");
		l->rights = CONSOLE_ADMIN;
		return to_console(c);
	}
	/* whom the rules turn away, or leave to PAM or LDAP, shall cost no query */
	if (lookup_is_due(c)) {
		bool needs_user = true;

		if (login_may_prove(c, &needs_user) == STEP_CLOSED)
			return STEP_CLOSED;
		if (needs_user)
			return lookup_begin(c);
	}
	if (l->console && console_rights(c) == STEP_CLOSED)
		return STEP_CLOSED;
	return login_prove(c);
}

void login_looked_up(struct client *c)
{
	stream_resume(c->stream); /* what came too early may have stopped it */
	if (c->login->console && console_rights(c) == STEP_CLOSED)
		return;
	if (login_prove(c) == STEP_AGAIN)
		client_run(c);
}

/* When its connection closes, nothing more will come of the request. */
static enum step ask_to_cancel(struct client *c, struct bytes key)
{
	(void)client_enter(c, CLIENT_CANCELING);
	if (!cancel_request(c->worker, c, key.data, key.len))
		client_close(c, "cancel request");
	return c->state == CLIENT_CLOSING ? STEP_CLOSED : STEP_WAIT;
}

static enum step take_startup(struct client *c, const struct startup *s, struct span bytes)
{
	struct span rest = {bytes.data + s->len, bytes.len - s->len};
	enum step step;

	switch (s->kind) {
	case STARTUP_SSL:
		return answer_ssl(c, rest);
	case STARTUP_GSS:
		return answer_n(c, rest, "GSSAPI encryption");
	case STARTUP_CANCEL:
		return ask_to_cancel(c, s->key);
	case STARTUP_LOGIN:
		break;
	}
	if (!is_secured(c) && tls_for(c) != NULL && tls_context_mode(tls_for(c)) >= TLS_MODE_REQUIRE)
		return login_refuse(c, "client_needs_tls", SQLSTATE_NOT_AUTHORIZED, "SSL required");
	/* what is behind it belongs to the exchange: it must be kept before the buffer is used again */
	step = login_keep(c, rest);
	if (step == STEP_CLOSED)
		return step;
	return begin_login(c, s);
}

enum step client_login_hello(struct client *c)
{
	struct span bytes;
	struct startup s;
	enum startup_problem why;
	char text[STARTUP_TEXT_BYTES];
	enum read_result result = login_read(c, &bytes);

	if (result != READ_GOT)
		return login_nothing_read(c, result);
	if (begins_with_tls(c, bytes))
		return securing(c, stream_start_direct_tls(c->stream, tls_for(c), bytes.data, bytes.len, NULL));
	switch (startup_parse(bytes.data, bytes.len, &s, &why)) {
	case STARTUP_GOT:
		return take_startup(c, &s, bytes);
	case STARTUP_MORE:
		return login_keep(c, bytes);
	case STARTUP_BAD:
		break;
	}
	if (startup_problem_text(why, bytes.data, bytes.len, text)[0] != '\0')
		return login_refuse(c, "client_protocol", SQLSTATE_PROTOCOL, text);
	client_close(c, "bad packet");
	return STEP_CLOSED;
}

/* Nothing is expected from the client now, but it may leave. What it sends is kept for later, within reason. */
enum step client_login_wait(struct client *c)
{
	struct span bytes;
	enum read_result result;

	if (!c->readable)
		return STEP_WAIT;
	if (stream_held_bytes(c->stream) >= (size_t)c->worker->config->settings.pkt_buf) {
		stream_pause(c->stream);
		return STEP_WAIT;
	}
	result = login_read(c, &bytes);
	return result == READ_GOT ? login_keep(c, bytes) : login_nothing_read(c, result);
}

/* ---- the welcome ---- */

static void make_key(struct client *c)
{
	struct worker *w = c->worker;

	c->key_len = sizeof(c->key);
	loop_random(w->loop, c->key, c->key_len);
	cancel_key_mark(c->key, w->config->settings.peer_id);
	table_add(&w->keys, &c->by_key, table_hash(&w->keys, c->key, c->key_len));
	c->in_keys = true;
}

static void write_rest(struct client *c, struct str *out)
{
	const char *notice = c->worker->config->settings.login_notify_message;
	size_t at = message_begin(out, 'K');

	message_bytes(out, c->key, c->key_len);
	message_end(out, at);
	if (notice != NULL && notice[0] != '\0') {
		struct words words = {"NOTICE", SQLSTATE_SUCCESSFUL, notice, NULL, NULL};

		message_notice(out, &words);
	}
	message_ready(out, 'I');
}

static void welcome_with(struct client *c, struct welcome *welcome)
{
	struct worker *w = c->worker;
	struct login *l = c->login;

	client_login_say_attempt(c);
	if (!greeting_prepare(w, welcome, l->own, c->entry.seat->settings->mode)) {
		(void)login_no_memory(c);
		return;
	}
	c->params = params_ref(w->greeting_params);
	make_key(c);
	str_add(&l->out, w->greeting.data, w->greeting.len);
	write_rest(c, &l->out);
	if (!login_flush(c))
		return;
	telling_welcome(c->entry.seat);
	c->entry.seat->counters.client_login_count++;
	/* another worker, whose clock was read at another moment, may have accepted it */
	histogram_add(&w->login_times, worker_now_us(w) > c->connected_us ? worker_now_us(w) - c->connected_us : 0);
	list_remove(&c->in_login);
	client_login_free(c);
	(void)client_enter(c, c->server == NULL ? CLIENT_IDLE : CLIENT_LINKED);
	c->request_us = worker_now_us(w);
	client_arm_timer(c);
	client_wake(c);
}

/* Of a replication connection: its server has logged in, as it asked for, and is its own from now on. */
void client_login_own_server(struct client *c, struct server *s)
{
	struct login *l = c->login;
	struct shared *shared = pool_welcome(c->entry.seat->pool);

	link_for_good(c, s);
	if (shared == NULL) { /* RECONNECT has just come */
		client_fail_text(c, SQLSTATE_CONNECTION_LOST, "database configuration changed");
		return;
	}
	params_unref(l->own);
	l->own = params_empty(c->worker->office->params);
	welcome_with(c, container_of(shared, struct welcome, shared));
	shared_unref(shared);
}

void client_login_welcome(struct client *c)
{
	struct shared *shared = is_replication(c) ? NULL : pool_welcome(c->entry.seat->pool);

	if (shared == NULL) { /* forgotten since: wait for the next one */
		greet(c);
		return;
	}
	welcome_with(c, container_of(shared, struct welcome, shared));
	shared_unref(shared);
}

/* Waits for the pool's first server. */
static void stay(struct client *c)
{
	if (c->login->unsaid && telling_attempt(c->entry.seat))
		client_login_say_attempt(c);
	if (c->state != CLIENT_GREETING)
		(void)client_enter(c, CLIENT_GREETING);
	(void)login_flush(c);
}

/* On its seat's worker: waits for the pool's welcome, or is welcomed. */
static void greet(struct client *c)
{
	struct worker *w = c->worker;
	struct shared *welcome = NULL;
	struct outage *outage = NULL;
	struct letters letters;
	enum borrowed result;

	letters_init(&letters);
	if (is_replication(c))
		result = pool_claim(c->entry.seat, &c->waiter, worker_now_us(w), &outage, &letters);
	else
		result = pool_greet(c->entry.seat, &c->waiter, worker_now_us(w), &welcome, &outage, &letters);
	worker_post_all(w, &letters);
	switch (result) {
	case BORROWED:
		welcome_with(c, container_of(welcome, struct welcome, shared));
		shared_unref(welcome);
		break;
	case BORROW_WAITS:
		worker_watch_seat(w, c->entry.seat);
		stay(c);
		break;
	case BORROW_TOLD:
		if (client_told(c, outage))
			stay(c);
		break;
	case BORROW_CLOSED:
		client_due(c, DUE_CLOSED, NULL);
		break;
	}
}

/* ---- time ---- */

void client_login_tick(struct worker *w)
{
	uint64_t limit = w->config->settings.client_login_timeout_us;
	struct list *node;

	if (limit == 0)
		return;
	while ((node = list_first(&w->logins)) != NULL) {
		struct client *c = container_of(node, struct client, in_login);

		if (worker_now_us(w) < c->connected_us + limit)
			break;
		if (c->state == CLIENT_CANCELING)
			client_close(c, "cancel request");
		else if (c->state == CLIENT_GREETING)
			waiting_fail(c, "client_login_timeout", SQLSTATE_PROTOCOL,
			             "client_login_timeout (server down)");
		else if (c->state == CLIENT_LOOKUP)
			lookup_time_out(c, "client_login_timeout", SQLSTATE_PROTOCOL);
		else
			client_fail_noted(c, "client_login_timeout", SQLSTATE_PROTOCOL, "client_login_timeout");
	}
}
