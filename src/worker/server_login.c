/*
 * Our login at a server. Thread: the server's worker.
 *
 *   server_login_begin ──> dial (dial.h) ──> SSLRequest, handshake ──> StartupMessage ──> R: prover (auth/prover.h),
 *                           ^ next target                               keys from a helper if need be; S, K, N: noted
 *                           │        ──> Z: its role, asked for if need be ──> welcome made, server_opened
 *                           └── target_failed <── refused, closed, silent, ErrorResponse, of another role,
 *                                                 anything that is not PostgreSQL
 *
 * Nothing that the other side says is trusted. What one login may keep: a message that is read whole (WHOLE_LIMIT) or
 * the front of an ErrorResponse (ERROR_FRONT), parameters (NAMES_MAX, and what params.h allows), a secret key. What it
 * may say: MESSAGES_MAX, BYTES_MAX. How long it may take: server_connect_timeout, whatever it says meanwhile.
 */
#include "worker/server_login.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth/prover.h"
#include "base/mem.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "net/tls_context.h"
#include "pool/found_secret.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/dial.h"
#include "worker/keys.h"
#include "worker/params.h"
#include "worker/vigil.h"

#define OUT_MAX (1u << 16)
#define NAMES_MAX (1u << 15)
#define WHOLE_LIMIT 32768u
#define ERROR_FRONT 16384u /* of the body of an ErrorResponse: what is read and passed on */
#define MESSAGES_MAX 1000u
#define BYTES_MAX (1u << 20)
#define LEAVE_US US_PER_S /* so long a server of another role may take to close */

/* Lengths from here on are four letters: what says them talks another protocol, or PostgreSQL's of long ago. */
#define LENGTH_OF_TEXT 0x20000000u

/* How far the question of TLS is. */
enum tls_stage {
	TLS_NOT_YET,
	TLS_ASKED,   /* SSLRequest is out */
	TLS_SHAKING, /* the handshake is under way */
	TLS_SETTLED  /* encrypted or not: PostgreSQL's protocol now */
};

/* Owned by its server, or by the job while a derivation is under way. */
struct server_login {
	struct server *server; /* NULL once it has gone while the job was out */
	struct dial dial;
	uint32_t target; /* that it is connected to */
	struct prover *prover;
	struct str out;
	struct str names_values; /* every ParameterStatus so far, for the welcome */
	struct job job;          /* LETTER_SERVER_KEYS */
	struct scram_order *order;
	const struct auth_context *auth;
	uint64_t phase_us;            /* when the present phase began */
	uint64_t began_us;            /* when the present target was first spoken to, or left */
	uint32_t n_messages, n_bytes; /* of this connection so far; bytes as announced */
	enum tls_stage tls;
	char ready; /* status of the ReadyForQuery that has come, or 0 */
	bool job_out, answered, authenticated;
	bool asked;     /* what it is, because it did not say so itself */
	bool leaving;   /* it is of another role: we wait until it has closed */
	bool takes_any; /* prefer-standby, and there is no standby */
	enum server_role role;
};

static void login_free(struct server_login *l)
{
	prover_free(l->prover);
	str_fini(&l->out);
	str_fini(&l->names_values);
	scram_order_free(l->order);
	mem_free(l);
}

void server_login_free(struct server *s)
{
	struct server_login *l = s->login;

	s->login = NULL;
	if (l == NULL)
		return;
	dial_fini(&l->dial);
	if (l->job_out)
		l->server = NULL;
	else
		login_free(l);
}

/* Notes how long the phase took that ends now. */
static void phase_ends(struct server *s, uint64_t *took_us)
{
	uint64_t now_us = worker_now_us(s->worker);

	*took_us = now_us - s->login->phase_us;
	s->login->phase_us = now_us;
}

/* How long one target may take; 0: for ever. */
static uint64_t patience_with(const struct server *s)
{
	uint64_t configured = s->seat->settings->global->server_connect_timeout_us;

	if (s->permit->brief && (configured == 0 || configured > BACKEND_SILENT_US))
		return BACKEND_SILENT_US;
	return configured;
}

void server_login_watch(struct server *s)
{
	struct server_login *l = s->login;
	uint64_t patience_us = patience_with(s), at_us = UINT64_MAX;

	if (s->state == SERVER_CONNECTING)
		at_us = dial_deadline_us(&l->dial, patience_us);
	else if (l->leaving)
		at_us = l->began_us + LEAVE_US;
	else if (patience_us > 0)
		at_us = l->began_us + patience_us;
	timer_clear(s->timer);
	s->timer_at_us = UINT64_MAX;
	server_wake_by(s, at_us);
}

static void forget_connection(struct server *s)
{
	struct server_login *l = s->login;

	if (stream_local_address(s->stream, &s->permit->source) == false)
		s->permit->source.len = 0;
	stream_close(s->stream);
	s->stream = NULL;
	memset(&s->framer, 0, sizeof(s->framer));
	prover_free(l->prover);
	l->prover = NULL;
	str_clear(&l->names_values);
	l->answered = l->authenticated = l->asked = l->leaving = false;
	l->role = ROLE_UNKNOWN;
	l->tls = TLS_NOT_YET;
	l->n_messages = l->n_bytes = 0;
	l->ready = 0;
	mem_free(s->key);
	s->key = NULL;
	s->key_len = 0;
	s->pid = 0;
	params_unref(s->params);
	s->params = params_empty(s->worker->office->params);
}

static void target_failed(struct server *s, struct failure *why)
{
	struct server_login *l = s->login;

	forget_connection(s);
	permit_add_failure(s->permit, l->target, why, worker_now_us(s->worker) - l->phase_us);
	if (l->job_out) {
		server_close(s, "connect failed");
		return;
	}
	s->state = SERVER_CONNECTING;
	dial_on(&l->dial);
}

static void fail_with(struct server *s, enum failure_phase phase, enum failure_code code, const char *text)
{
	struct failure why;

	failure_init(&why);
	failure_set(&why, phase, DOMAIN_POOLER, (int)code, text);
	target_failed(s, &why);
	failure_fini(&why);
}

static enum failure_phase phase_of(const struct server *s)
{
	if (s->state == SERVER_CONNECTING)
		return PHASE_CONNECT;
	if (s->login->tls != TLS_SETTLED)
		return PHASE_TLS;
	if (!s->login->answered)
		return PHASE_STARTUP;
	return s->login->authenticated ? PHASE_SETTLE : PHASE_AUTH;
}

/* With prefer-standby, those that are none will do when no other is there. False: it was so already, or there are no
   such. */
static bool settle_for_any(struct server *s)
{
	const struct permit *permit = s->permit;
	struct server_login *l = s->login;
	bool any = false;

	if (permit->settings->session_attrs != SESSION_ATTRS_PREFER_STANDBY || l->takes_any)
		return false;
	l->takes_any = true;
	for (uint32_t i = 0; i < permit->n_failed; i++) {
		if (!failure_is_of_pooler(&permit->failed[i].failure, FAILURE_WRONG_ROLE))
			continue;
		dial_forgive(&l->dial, permit->failed[i].target);
		any = true;
	}
	return any;
}

static void connected(struct server *s);

static void answered(struct server *s)
{
	struct server_login *l = s->login;

	s->stream = dial_take(&l->dial, &l->target, &l->began_us);
	stream_set_owner(s->stream, server_event, s);
	s->address = s->permit->target[l->target].address;
	l->phase_us = l->began_us;
	connected(s);
}

static void dialled(void *owner, enum dial_event event)
{
	struct server *s = (struct server *)owner;

	switch (event) {
	case DIAL_CONNECTED:
		answered(s);
		break;
	case DIAL_GOES_ON:
		server_login_watch(s);
		break;
	case DIAL_EXHAUSTED:
		if (settle_for_any(s))
			dial_on(&s->login->dial);
		else
			server_close(s, "connect failed");
		break;
	}
}

bool server_login_begin(struct server *s)
{
	struct server_login *l = s->login = mem_new(struct server_login);
	struct socket_options options = vigil_socket_options(s->permit->settings->global);

	if (l == NULL) {
		failure_set(&s->permit->failure, PHASE_CONNECT, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		return false;
	}
	l->server = s;
	l->auth = s->worker->office->auth;
	str_init(&l->out, OUT_MAX);
	str_init(&l->names_values, NAMES_MAX);
	s->state = SERVER_CONNECTING;
	s->address = s->permit->target[0].address;
	dial_init(&l->dial, s->worker->loop, s->permit, &options, dialled, s);
	dial_on(&l->dial);
	return true;
}

static void left(struct server *s);

void server_login_timed_out(struct server *s)
{
	if (s->state == SERVER_CONNECTING)
		dial_tick(&s->login->dial, patience_with(s));
	else if (s->login->leaving)
		left(s);
	else
		fail_with(s, phase_of(s), FAILURE_TIMED_OUT, NULL);
}

/* ---- sending ---- */

/* Gone: but it may have said why, and that is still to be read. Its end comes behind it. */
static bool has_hung_up(const struct failure *why)
{
	return why->domain == DOMAIN_ERRNO && (why->code == EPIPE || why->code == ECONNRESET);
}

/* False: the connection has failed. */
static bool flush(struct server *s)
{
	struct str *out = &s->login->out;
	struct iovec v = {out->data, out->len};
	struct failure why;
	enum write_result result;

	if (out->failed) {
		fail_with(s, phase_of(s), FAILURE_NO_MEMORY, NULL);
		return false;
	}
	if (out->len == 0)
		return true;
	failure_init(&why);
	result = stream_write(s->stream, &v, 1, &why);
	str_clear(out);
	if (result == WRITE_FAILED && has_hung_up(&why))
		result = WRITE_PENDING;
	if (result == WRITE_FAILED) {
		why.phase = phase_of(s);
		target_failed(s, &why);
	}
	failure_fini(&why);
	return result != WRITE_FAILED;
}

static void add_param(struct str *out, const char *name, const char *value)
{
	if (value != NULL)
		message_startup_param(out, name, value);
}

static uint32_t version_for(const struct pool_settings *set)
{
	return set->global->server_max_protocol_version == PROTOCOL_VERSION_3_2 ? PROTOCOL_3_2 : PROTOCOL_3_0;
}

/* What its client asked for comes last: it prevails. */
static void add_replication(struct str *out, const struct replication *r)
{
	const char *at = r->params;

	while (at < r->params + r->len) {
		const char *value = at + strlen(at) + 1;

		add_param(out, at, value);
		at = value + strlen(value) + 1;
	}
}

static void send_startup(struct server *s)
{
	const struct pool_settings *set = s->permit->settings;
	struct str *out = &s->login->out;
	size_t at;

	permit_reaches(s->permit, PHASE_STARTUP);
	s->login->tls = TLS_SETTLED;
	str_clear(out);
	at = message_startup_begin(out, version_for(set));
	add_param(out, "database", set->dbname);
	add_param(out, "client_encoding", set->database->client_encoding);
	add_param(out, "datestyle", set->database->datestyle);
	add_param(out, "timezone", set->database->timezone);
	add_param(out, "application_name", set->database->application_name);
	add_param(out, "user", set->user);
	if (s->place.pool->replication != NULL)
		add_replication(out, s->place.pool->replication);
	message_startup_end(out, at);
	(void)flush(s);
}

/* ---- TLS ---- */

static void begin_tls(struct server *s)
{
	const struct target *t = &s->permit->target[s->login->target];
	struct failure why;

	s->login->tls = TLS_SHAKING;
	failure_init(&why);
	if (!stream_start_tls(s->stream, s->permit->settings->server_tls, t->host, &why))
		target_failed(s, &why);
	failure_fini(&why);
}

static void ask_for_tls(struct server *s)
{
	struct str *out = &s->login->out;

	s->login->tls = TLS_ASKED;
	str_clear(out);
	message_ssl_request(out);
	(void)flush(s);
}

static void seek_tls(struct server *s, const struct shared *context)
{
	permit_reaches(s->permit, PHASE_TLS);
	if (tls_context_is_direct(context))
		begin_tls(s);
	else
		ask_for_tls(s);
}

static void connected(struct server *s)
{
	const struct shared *context = s->permit->settings->server_tls;

	s->state = SERVER_LOGIN;
	phase_ends(s, &s->permit->phases.connect_us);
	if (context == NULL || address_is_unix(&s->address))
		send_startup(s);
	else
		seek_tls(s, context);
}

static void secured(struct server *s)
{
	char text[STREAM_TLS_TEXT_BYTES];

	phase_ends(s, &s->permit->phases.tls_us);
	if (s->worker->config->settings.log_connections)
		server_log(s, LEVEL_LOG, "SSL established: %s", stream_tls_text(s->stream, text));
	send_startup(s);
}

static void without_tls(struct server *s)
{
	uint64_t asked_us;

	if (tls_context_mode(s->permit->settings->server_tls) >= TLS_MODE_REQUIRE) {
		fail_with(s, PHASE_TLS, FAILURE_NO_TLS, NULL);
		return;
	}
	phase_ends(s, &asked_us); /* no handshake that could be shown */
	send_startup(s);
}

/* ---- authentication ---- */

/* What a client has sent goes before what is configured, and that before what auth_query has found. False: out of
   memory. */
static bool find_secret(const struct server *s, struct secret **secret)
{
	const char *configured = s->permit->settings->secret;
	struct shared *shared = pool_secret(s->place.pool);
	const struct found_secret *found = found_secret_of(shared);
	bool known = configured != NULL || found != NULL;

	*secret = NULL;
	if (configured != NULL && (found == NULL || !found->by_client))
		*secret = secret_new(configured, strlen(configured));
	else if (found != NULL)
		*secret = secret_new(found->text, found->len);
	shared_unref(shared);
	return !known || *secret != NULL;
}

static struct prover *make_prover(struct server *s)
{
	const struct pool_settings *set = s->permit->settings;
	struct shared *kept = pool_keys(s->place.pool);
	struct credentials with = {.user = set->user};
	uint8_t nonce[SCRAM_NONCE_BYTES], binding[STREAM_BINDING_BYTES];
	struct prover *p;
	bool found = find_secret(s, &with.secret);

	if (kept != NULL)
		with.keys = &container_of(kept, struct login_keys, shared)->keys;
	with.binding = binding;
	with.binding_len = stream_binding(s->stream, binding);
	loop_random(s->worker->loop, nonce, sizeof(nonce));
	p = !found ? NULL : prover_new(s->login->auth, &with, nonce);
	secret_unref(with.secret);
	shared_unref(kept);
	return p;
}

static void derive(struct job *job)
{
	struct server_login *l = container_of(job, struct server_login, job);

	scram_order_run(l->auth, l->order);
}

static void discard(struct job *job)
{
	login_free(container_of(job, struct server_login, job));
}

static bool start_derivation(struct server *s)
{
	struct server_login *l = s->login;

	l->order = prover_take_order(l->prover);
	if (l->order == NULL) {
		fail_with(s, PHASE_AUTH, FAILURE_NO_MEMORY, NULL);
		return false;
	}
	memset(&l->job, 0, sizeof(l->job));
	l->job.letter.kind = LETTER_SERVER_KEYS;
	l->job.letter.to = s->worker->number;
	l->job.reply_to = s->worker->mailbox;
	l->job.work = derive;
	l->job.discard = discard;
	l->job_out = true;
	jobs_run(s->worker->office->jobs, &l->job);
	return true;
}

/* Keys that worked are kept, so that the next login of this pool needs no derivation. */
static void authenticated(struct server *s)
{
	const struct scram_keys *keys = prover_keys(s->login->prover);
	struct login_keys *kept = keys == NULL ? NULL : login_keys_new(keys);

	s->login->authenticated = true;
	phase_ends(s, &s->permit->phases.auth_us);
	if (kept != NULL)
		pool_set_keys(s->place.pool, &kept->shared);
}

/* False: the login is over, for this target or altogether. */
static bool take_proof_result(struct server *s, enum prover_result result, struct failure *why)
{
	switch (result) {
	case PROVER_SEND:
		return flush(s);
	case PROVER_NEED_KEYS:
		return start_derivation(s);
	case PROVER_DONE:
		authenticated(s);
		return true;
	case PROVER_FAILED:
		why->phase = phase_of(s);
		target_failed(s, why);
		return false;
	}
	return false;
}

static bool take_auth(struct server *s, const char *body, size_t len)
{
	struct server_login *l = s->login;
	struct failure why;
	bool goes_on;

	if (l->prover == NULL)
		l->prover = make_prover(s);
	if (l->prover == NULL) {
		fail_with(s, PHASE_AUTH, FAILURE_NO_MEMORY, NULL);
		return false;
	}
	str_clear(&l->out);
	failure_init(&why);
	goes_on = take_proof_result(s, prover_take(l->prover, body, len, &l->out, &why), &why);
	failure_fini(&why);
	return goes_on;
}

void server_login_keys(struct worker *w, struct letter *letter)
{
	struct server_login *l = container_of(letter, struct server_login, job.letter);
	struct server *s = l->server;
	struct scram_order *order = l->order;
	struct failure why;

	(void)w;
	l->job_out = false;
	if (s == NULL) {
		login_free(l);
		return;
	}
	l->order = NULL;
	str_clear(&l->out);
	failure_init(&why);
	(void)take_proof_result(s, prover_resume(l->prover, order, &l->out, &why), &why);
	failure_fini(&why);
	scram_order_free(order);
}

/* ---- what the server says ---- */

static const struct frame_rules login_rules = {.whole_limit = WHOLE_LIMIT,
                                               .max_message = LENGTH_OF_TEXT,
                                               .need = {['R'] = FRAME_WHOLE,
                                                        ['S'] = FRAME_WHOLE,
                                                        ['K'] = FRAME_WHOLE,
                                                        ['N'] = FRAME_FLOWS,
                                                        ['E'] = FRAME_FLOWS,
                                                        ['v'] = FRAME_WHOLE,
                                                        ['T'] = FRAME_FLOWS,
                                                        ['D'] = FRAME_WHOLE,
                                                        ['C'] = FRAME_FLOWS,
                                                        ['Z'] = FRAME_WHOLE}};

/* A message that is malformed, or comes when it may not. */
static bool refuse(struct server *s, const char *what)
{
	fail_with(s, phase_of(s), FAILURE_PROTOCOL, what);
	return false;
}

static bool refuse_size(struct server *s, const char *what)
{
	fail_with(s, phase_of(s), FAILURE_TOO_LARGE, what);
	return false;
}

static bool take_parameter(struct server *s, const char *body, size_t len)
{
	struct server_login *l = s->login;
	struct bytes name, value;
	struct params *with;

	if (!message_parse_parameter_status(body, len, &name, &value))
		return refuse(s, "ParameterStatus");
	if (len > NAMES_MAX - l->names_values.len || !params_have_room(s->params, name.data, value.data))
		return refuse_size(s, "ParameterStatus: too many parameters, or too long ones");
	str_add(&l->names_values, name.data, name.len + 1);
	str_add(&l->names_values, value.data, value.len + 1);
	with = params_is_fixed(name.data) ? s->params : params_with(s->params, name.data, value.data);
	if (with != NULL)
		s->params = with;
	if (with == NULL || l->names_values.failed) {
		fail_with(s, PHASE_SETTLE, FAILURE_NO_MEMORY, NULL);
		return false;
	}
	return true;
}

static bool take_key(struct server *s, const char *body, size_t len)
{
	struct bytes key;
	uint32_t pid;

	if (!message_parse_backend_key(body, len, &pid, &key) || key.len > SERVER_KEY_MAX)
		return refuse(s, "BackendKeyData");
	mem_free(s->key);
	s->key_len = 0;
	s->key = (uint8_t *)mem_copy(key.data, key.len);
	if (s->key == NULL) {
		fail_with(s, phase_of(s), FAILURE_NO_MEMORY, NULL);
		return false;
	}
	s->key_len = (uint16_t)key.len;
	s->pid = pid;
	return true;
}

/* It speaks an older version than it was asked for, which is as good: nothing of ours depends on 3.2 but the length of
   its key. No options were asked for. When there was nothing to negotiate there is no harm in being told so. */
static bool take_negotiation(struct server *s, const char *body, size_t len)
{
	uint32_t version, n_names;

	if (s->login->authenticated || !message_parse_negotiate(body, len, &version, &n_names) ||
	    version >> 16 != PROTOCOL_3_0 >> 16 || n_names != 0)
		return refuse(s, "NegotiateProtocolVersion");
	return true;
}

static bool take_ready(struct server *s, const char *body, size_t len)
{
	char status;

	if (!message_parse_ready(body, len, &status) || status != 'I')
		return refuse(s, "ReadyForQuery");
	s->login->ready = status;
	return true;
}

static void log_opened(struct server *s)
{
	struct log_event e = {.level = LEVEL_LOG, .event = "server_opened"};
	struct address from;
	char text[96];

	if (!s->worker->config->settings.log_connections)
		return;
	if (stream_local_address(s->stream, &from) && !address_is_unix(&from))
		server_log_event(s, &e, "new connection to server (from %s:%u)",
		                 address_text(&from, text, sizeof(text)), address_port(&from));
	else
		server_log_event(s, &e, "new connection to server");
}

static void succeed(struct server *s)
{
	struct server_login *l = s->login;
	struct welcome *welcome = welcome_new(s->params, str_text(&l->names_values), l->names_values.len);

	if (welcome == NULL) {
		fail_with(s, PHASE_SETTLE, FAILURE_NO_MEMORY, NULL);
		return;
	}
	s->answers.status = l->ready;
	log_opened(s);
	phase_ends(s, &s->permit->phases.settle_us);
	s->permit->reached = l->target;
	server_login_free(s);
	server_opened(s, welcome);
}

/* ---- its role ---- */

/* What it has reported of this parameter; NULL: nothing. */
static const char *reported(const struct server_login *l, const char *name)
{
	const char *at = str_text(&l->names_values), *end = at + l->names_values.len;

	while (at < end) {
		const char *value = at + strlen(at) + 1;

		if (strcmp(at, name) == 0)
			return value;
		at = value + strlen(value) + 1;
	}
	return NULL;
}

/* PostgreSQL 14 and later say so themselves. */
static enum server_role reported_role(const struct server_login *l)
{
	const char *standby = reported(l, "in_hot_standby");
	const char *read_only = reported(l, "default_transaction_read_only");

	if (standby == NULL || read_only == NULL)
		return ROLE_UNKNOWN;
	return server_role_of(strcmp(standby, "on") == 0, strcmp(read_only, "on") == 0);
}

static void ask_role(struct server *s)
{
	struct server_login *l = s->login;

	l->asked = true;
	l->ready = 0;
	str_clear(&l->out);
	message_query(&l->out,
	              "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')");
	(void)flush(s);
}

/* The one row of the answer: t or f, on or off. */
static bool take_role(struct server *s, const char *body, size_t len)
{
	struct bytes in_recovery, read_only;
	struct reader r;
	bool right;

	reader_init(&r, body, len);
	right = reader_i16(&r) == 2;
	in_recovery = reader_bytes(&r, reader_u32(&r));
	read_only = reader_bytes(&r, reader_u32(&r));
	if (!right || !reader_is_done(&r))
		return refuse(s, "DataRow");
	s->login->role = server_role_of(bytes_are(in_recovery, "t"), bytes_are(read_only, "on"));
	return true;
}

/* It is another one's turn, once this one's session is over: a permit is never more than one. */
static void left(struct server *s)
{
	const char *what = server_role_phrase(s->permit->target[s->login->target].role);

	fail_with(s, PHASE_SETTLE, FAILURE_WRONG_ROLE, what == NULL ? "does not say what it is" : what);
}

static void leave(struct server *s)
{
	char message[] = {'X', 0, 0, 0, 4};
	struct iovec v = {message, sizeof(message)};
	enum write_result result;

	s->login->leaving = true;
	s->login->began_us = worker_now_us(s->worker);
	server_login_watch(s);
	result = stream_write(s->stream, &v, 1, NULL);
	if (result == WRITE_FAILED)
		left(s);
}

/* What is better may be among those that answer quickly. */
static bool has_better(const struct server *s)
{
	return !s->login->takes_any && dial_has_promising(&s->login->dial);
}

static bool may_serve(const struct server *s, enum server_role role)
{
	enum session_attrs wanted = s->permit->settings->session_attrs;

	return session_attrs_prefer(wanted, role) || (session_attrs_allow(wanted, role) && !has_better(s));
}

static void logged_in(struct server *s)
{
	struct server_login *l = s->login;
	enum server_role role = l->asked ? l->role : reported_role(l);

	if (role == ROLE_UNKNOWN && !l->asked && s->permit->settings->session_attrs != SESSION_ATTRS_ANY) {
		ask_role(s);
		return;
	}
	s->permit->target[l->target].role = role;
	if (may_serve(s, role))
		succeed(s);
	else
		leave(s);
}

/* Whatever its form, what can be read of it is told. */
static bool take_error(struct server *s, const char *body, size_t len)
{
	struct failure why;
	struct str mended;

	failure_init(&why);
	str_init(&mended, ERROR_FRONT + REPORT_MEND_BYTES);
	report_mend(body, len > ERROR_FRONT ? ERROR_FRONT : len, &mended);
	failure_set_report(&why, phase_of(s), str_text(&mended), mended.failed ? 0 : mended.len);
	target_failed(s, &why);
	failure_fini(&why);
	str_fini(&mended);
	return false;
}

/* Which messages may come when; between ReadyForQuery and the session only what may come at any time. */
static bool is_due(const struct server_login *l, uint8_t type)
{
	switch (type) {
	case 'R':
	case 'v':
		return l->ready == 0 && !l->asked;
	case 'K':
		return l->authenticated && l->ready == 0 && !l->asked;
	case 'Z':
		return l->authenticated && l->ready == 0;
	case 'T':
	case 'D':
	case 'C':
		return l->ready == 0 && l->asked;
	case 'S':
		return l->authenticated;
	default: /* ErrorResponse, Notice */
		return true;
	}
}

static bool refuse_message(struct server *s, uint8_t type, const char *why)
{
	const char *name = server_message_name(type);
	char text[80];

	if (name != NULL)
		snprintf(text, sizeof(text), "%s %s", name, why);
	else
		snprintf(text, sizeof(text), "message of type 0x%02x %s", type, why);
	return refuse(s, text);
}

/* False: it has said too much. */
static bool count_message(struct server *s, uint32_t bytes)
{
	struct server_login *l = s->login;
	char text[80];

	if (l->n_messages >= MESSAGES_MAX) {
		snprintf(text, sizeof(text), "more than %u messages in one login", MESSAGES_MAX);
		return refuse_size(s, text);
	}
	if (bytes > BYTES_MAX - l->n_bytes) {
		snprintf(text, sizeof(text), "more than %u MB in one login", BYTES_MAX >> 20);
		return refuse_size(s, text);
	}
	l->n_messages++;
	l->n_bytes += bytes;
	return true;
}

/* False: stop reading, this connection's login is over. */
static bool take_message(struct server *s, const struct frame *f)
{
	const char *body = f->data + FRAME_HEADER_BYTES;
	size_t len = f->len - FRAME_HEADER_BYTES;

	s->login->answered = true;
	if (f->type == 'E')
		return take_error(s, body, len);
	if (!count_message(s, f->total))
		return false;
	if (!is_due(s->login, f->type))
		return refuse_message(s, f->type, "at a wrong time");
	switch (f->type) {
	case 'R':
		return take_auth(s, body, len);
	case 'S':
		return take_parameter(s, body, len);
	case 'K':
		return take_key(s, body, len);
	case 'Z':
		return take_ready(s, body, len);
	case 'v':
		return take_negotiation(s, body, len);
	case 'D':
		return take_role(s, body, len);
	default: /* Notice, and the frame of our answer: nothing to do */
		return true;
	}
}

/*
 * "Ecould not fork new process for connection: …\n", with a NUL: PostgreSQL says it in its protocol of long ago when it
 * has no process to speak for it. Other protocols begin with an E as well, but have no NUL.
 */
static bool is_error_without_length(struct span bytes)
{
	const char *end = (const char *)memchr(bytes.data, '\0', bytes.len);

	if (bytes.data[0] != 'E' || end == NULL)
		return false;
	for (const char *at = bytes.data; at < end; at++)
		if ((unsigned char)*at < ' ' && *at != '\n')
			return false;
	return true;
}

static void take_error_without_length(struct server *s, struct span bytes)
{
	char body[512] = "SFATAL";
	size_t at = sizeof("SFATAL"), len = strlen(bytes.data + 1);

	while (len > 0 && bytes.data[len] == '\n')
		len--;
	if (len > sizeof(body) - at - 3)
		len = sizeof(body) - at - 3;
	body[at++] = 'M';
	memcpy(body + at, bytes.data + 1, len);
	memset(body + at + len, 0, 2);
	s->login->answered = true;
	(void)take_error(s, body, at + len + 2);
}

/* First bytes that no PostgreSQL says. */
static void not_postgres(struct server *s, struct span bytes)
{
	char text[65];
	size_t n = 0;

	for (; n < bytes.len && n < sizeof(text) - 1; n++)
		text[n] = isprint((unsigned char)bytes.data[n]) ? bytes.data[n] : '.';
	text[n] = '\0';
	fail_with(s, phase_of(s), FAILURE_NOT_POSTGRES, text);
}

static void bad_frame(struct server *s, enum frame_result result, struct span bytes)
{
	uint8_t type = (uint8_t)bytes.data[0];
	char text[80];

	if (!s->login->answered && is_error_without_length(bytes)) {
		take_error_without_length(s, bytes);
	} else if (!s->login->answered) {
		not_postgres(s, bytes);
	} else if (result == FRAME_TOO_LARGE) {
		snprintf(text, sizeof(text), "%s", server_message_name(type));
		(void)refuse_size(s, text);
	} else {
		(void)refuse_message(s, type, result == FRAME_BAD_LENGTH ? "with an impossible length" : "in a login");
	}
}

/* Of an ErrorResponse only the front is wanted, but in one piece. */
static bool tells_too_little(const struct frame *f)
{
	return f->type == 'E' && f->starts && !f->ends && f->len < FRAME_HEADER_BYTES + ERROR_FRONT;
}

/* Takes all messages that are there. False: this connection's login is over. */
static bool take_messages(struct server *s, struct span bytes, size_t *used)
{
	while (*used < bytes.len) {
		struct span rest = {bytes.data + *used, bytes.len - *used};
		struct framer before = s->framer;
		enum frame_result result;
		struct frame f;

		result = framer_next(&s->framer, &login_rules, rest.data, rest.len, &f);
		if (result == FRAME_GOT && tells_too_little(&f)) {
			s->framer = before;
			result = FRAME_MORE;
		}
		if (result == FRAME_MORE)
			break;
		if (result != FRAME_GOT) {
			bad_frame(s, result, rest);
			return false;
		}
		*used += f.len;
		if (f.starts && !take_message(s, &f))
			return false;
	}
	return true;
}

/* "SSH-2.0-…", or as much of it as has come: no yes. */
static bool begins_as_ssh(struct span bytes)
{
	return bytes.len > 1 && memcmp(bytes.data, "SSH-", bytes.len < 4 ? bytes.len : 4) == 0;
}

/* The answer to SSLRequest: one letter, or an ErrorResponse of a server that cannot serve. What comes behind the letter
   was not encrypted, and is not the server's. */
static void take_tls_answer(struct server *s, struct span bytes)
{
	size_t used = 0;

	if (bytes.data[0] == 'E') {
		if (take_messages(s, bytes, &used) && !stream_hold(s->stream, bytes.data + used, bytes.len - used))
			fail_with(s, PHASE_TLS, FAILURE_NO_MEMORY, NULL);
	} else if ((bytes.data[0] != 'S' && bytes.data[0] != 'N') || begins_as_ssh(bytes)) {
		not_postgres(s, bytes);
	} else if (bytes.len > 1) {
		(void)refuse(s, "unencrypted data after SSL response");
	} else if (bytes.data[0] == 'S') {
		begin_tls(s);
	} else {
		without_tls(s);
	}
}

static void take_bytes(struct server *s, struct span bytes)
{
	size_t used = 0;

	if (!take_messages(s, bytes, &used))
		return;
	/* what comes right behind ReadyForQuery belongs to the login: a session begins with nothing left over */
	if (s->login->ready != 0 && used == bytes.len && framer_at_boundary(&s->framer))
		logged_in(s);
	else if (used < bytes.len && !stream_hold(s->stream, bytes.data + used, bytes.len - used))
		fail_with(s, phase_of(s), FAILURE_NO_MEMORY, NULL);
}

/* It has ended in the middle of an ErrorResponse. False: it has not. */
static bool take_half_error(struct server *s)
{
	struct span bytes;

	if (stream_read_held(s->stream, &bytes) != READ_GOT || bytes.data[0] != 'E' || bytes.len <= FRAME_HEADER_BYTES)
		return false;
	s->login->answered = true;
	(void)take_error(s, bytes.data + FRAME_HEADER_BYTES, bytes.len - FRAME_HEADER_BYTES);
	return true;
}

static void readable(struct server *s)
{
	struct span bytes;
	struct failure why;

	failure_init(&why);
	switch (stream_read(s->stream, LOOP_BUFFER_BYTES, &bytes, &why)) {
	case READ_GOT:
		if (s->login->leaving)
			break;
		if (s->login->tls == TLS_ASKED)
			take_tls_answer(s, bytes);
		else
			take_bytes(s, bytes);
		break;
	case READ_LATER:
		break;
	case READ_END:
		if (s->login->leaving)
			left(s);
		else if (!take_half_error(s))
			fail_with(s, phase_of(s), FAILURE_CLOSED, NULL);
		break;
	case READ_FAILED:
		why.phase = phase_of(s);
		if (s->login->leaving)
			left(s);
		else if (!take_half_error(s))
			target_failed(s, &why);
		break;
	}
	failure_fini(&why);
}

static void broken(struct server *s)
{
	struct failure why;

	if (s->login->leaving) {
		left(s);
		return;
	}
	failure_init(&why);
	failure_copy(&why, stream_failure(s->stream));
	why.phase = phase_of(s);
	target_failed(s, &why);
	failure_fini(&why);
}

void server_login_event(struct server *s, enum stream_event event)
{
	switch (event) {
	case STREAM_SECURED:
		secured(s);
		break;
	case STREAM_READABLE:
		readable(s);
		break;
	case STREAM_CONNECTED: /* told to the dial */
	case STREAM_DRAINED:
		break;
	case STREAM_BROKEN:
		broken(s);
		break;
	}
}
