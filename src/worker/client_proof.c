/*
 * How a client proves who it is: which way is asked of it, the exchange (auth/exchange.h), and what runs off the loop
 * for it. Thread: its worker's.
 *
 *   login_prove ──> auth_type, or the HBA rule for it ──> turned away
 *                                                     ──> DERIVING: the name of its account comes from a helper
 *       ──> exchange ──> PROVING client_login_proof: its next message
 *                    ──> DERIVING: keys come from a helper, client_login_keys
 *                    ──> ASKING: PAM or an LDAP server is asked by a helper, client_login_answer
 *                    ──> login_passed (client_login.c), or refused
 */
#include <stdio.h>
#include <string.h>

#include "auth/exchange.h"
#include "auth/hba.h"
#include "base/mem.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "net/stream.h"
#include "os/process.h"
#include "os/socket.h"
#include "wire/message.h"
#include "worker/client_login.h"
#include "worker/client_private.h"
#include "worker/login.h"
#include "worker/secrets.h"

/* How a client is asked, and by which HBA rule. */
struct way {
	enum exchange_method method;
	const struct hba_rule *rule; /* NULL: by auth_type */
};

/* ---- turning away ---- */

static void log_failure(struct client *c, const char *detail)
{
	struct log_event e = {.level = LEVEL_LOG, .event = "login_failed"};

	if (c->worker->config->settings.log_connections)
		client_log_event(c, &e, "login failed: db=%s user=%s%s%s", c->login->database, c->login->user,
		                 detail[0] == '\0' ? "" : ": ", detail);
}

/* By a rule, or for want of one. The client is not told which. */
static enum step turn_away(struct client *c, const char *text, const char *detail)
{
	log_failure(c, detail);
	return login_refuse(c, "client_login_failed", SQLSTATE_NOT_AUTHORIZED, text);
}

/* ---- who may come in ---- */

static enum exchange_method method_of(const struct config *c)
{
	switch (c->settings.auth_type) {
	case AUTH_TYPE_ANY:
		return EXCHANGE_ANY;
	case AUTH_TYPE_TRUST:
		return EXCHANGE_TRUST;
	case AUTH_TYPE_PLAIN:
		return EXCHANGE_PLAIN;
	case AUTH_TYPE_MD5:
		return EXCHANGE_MD5;
	case AUTH_TYPE_PAM:
		return EXCHANGE_PAM;
	case AUTH_TYPE_LDAP:
		return EXCHANGE_LDAP;
	case AUTH_TYPE_CERT:
		return EXCHANGE_CERT;
	case AUTH_TYPE_SCRAM:
	case AUTH_TYPE_HBA: /* its rules say more */
		break;
	}
	/* the others are refused by the configuration; the strictest is right if one ever gets here */
	return EXCHANGE_SCRAM;
}

/* These know their users themselves. */
static bool needs_known_user(enum exchange_method method)
{
	return method != EXCHANGE_ANY && method != EXCHANGE_PAM && method != EXCHANGE_LDAP;
}

static enum exchange_method method_of_rule(enum hba_method method)
{
	switch (method) {
	case HBA_TRUST:
		return EXCHANGE_TRUST;
	case HBA_MD5:
		return EXCHANGE_MD5;
	case HBA_PASSWORD:
		return EXCHANGE_PLAIN;
	case HBA_CERT:
		return EXCHANGE_CERT;
	case HBA_PEER:
		return EXCHANGE_PEER;
	case HBA_LDAP:
		return EXCHANGE_LDAP;
	case HBA_PAM:
		return EXCHANGE_PAM;
	case HBA_SCRAM:
	case HBA_REJECT: /* has turned away */
		break;
	}
	return EXCHANGE_SCRAM;
}

static enum step take_rule(struct client *c, const struct hba_rule *rule, struct way *way)
{
	char detail[LOGIN_DETAIL_BYTES];

	client_log(c, LEVEL_DEBUG, "hba rule %s:%u: %s", rule->file, rule->line, hba_method_name(rule->method));
	if (rule->method == HBA_REJECT) {
		snprintf(detail, sizeof(detail), "%s:%u rejects it", rule->file, rule->line);
		return turn_away(c, "login rejected", detail);
	}
	way->method = method_of_rule(rule->method);
	way->rule = rule;
	return STEP_WAIT;
}

static enum step no_rule(struct client *c, bool encrypted)
{
	char detail[LOGIN_DETAIL_BYTES], addr[64];

	snprintf(detail, sizeof(detail), "no line of auth_hba_file matches a connection from %s, %s%s",
	         peer_text(stream_peer(c->stream), addr, sizeof(addr)), encrypted ? "with TLS" : "without TLS",
	         c->login->physical ? ", for replication" : "");
	return turn_away(c, "no authentication method is found", detail);
}

/* By the HBA rules. */
static enum step find_rule(struct client *c, const struct shared *rules, struct way *way)
{
	const struct login *l = c->login;
	struct hba_client who = {.database = l->console ? "pgbouncer" : l->database,
	                         .user = l->user,
	                         .peer = stream_peer(c->stream),
	                         .encrypted = stream_is_secured(c->stream),
	                         .replicates = l->physical,
	                         .is_near = address_is_near};
	const struct hba_rule *rule;
	char detail[LOGIN_DETAIL_BYTES];

	switch (rules == NULL ? HBA_NONE : hba_find(hba_of(rules), &who, &rule)) {
	case HBA_FOUND:
		return take_rule(c, rule, way);
	case HBA_NONE:
		return no_rule(c, who.encrypted);
	case HBA_FAILED:
		break;
	}
	snprintf(detail, sizeof(detail), "whether %s:%u matches takes too much to find out", rule->file, rule->line);
	return turn_away(c, "login rejected", detail);
}

/* STEP_CLOSED: it was turned away. */
static enum step find_way(struct client *c, struct way *way)
{
	const struct config *conf = c->worker->config;

	*way = (struct way){method_of(conf), NULL};
	if (conf->settings.auth_type != AUTH_TYPE_HBA)
		return STEP_WAIT;
	return find_rule(c, conf->rules, way);
}

enum step login_may_prove(struct client *c, bool *needs_user)
{
	struct way way;

	if (find_way(c, &way) == STEP_CLOSED)
		return STEP_CLOSED;
	*needs_user = needs_known_user(way.method);
	return STEP_WAIT;
}

/* ---- certificates and accounts ---- */

/* NULL: who is proven to be `name` may be the user; else why not, in login->detail. */
static const char *judge_name(struct login *l, const struct hba_rule *rule, const char *what, const char *name)
{
	const struct ident_map *map = rule == NULL ? NULL : rule->map;

	switch (ident_check(map, name, l->user)) {
	case IDENT_FITS:
		return NULL;
	case IDENT_DIFFERS:
		snprintf(l->detail, sizeof(l->detail), "%s \"%s\"%s%s%s", what, name,
		         map == NULL ? " is not the user" : ": ident map \"", map == NULL ? "" : rule->map_name,
		         map == NULL ? "" : "\" does not have that user for it");
		break;
	case IDENT_FAILED:
		snprintf(l->detail, sizeof(l->detail), "%s \"%s\": ident map \"%s\" takes too much to find out", what,
		         name, map == NULL ? "" : rule->map_name);
		break;
	}
	return l->detail;
}

static const char *judge_certificate(const struct client *c, const struct hba_rule *rule)
{
	char name[LOGIN_ACCOUNT_BYTES];

	if (!stream_is_secured(c->stream))
		return "TLS connection required";
	if (!stream_peer_name(c->stream, name, sizeof(name)))
		return "TLS client certificate required, with a common name";
	return judge_name(c->login, rule, "TLS certificate name mismatch:", name);
}

static const char *judge_account(const struct client *c, const struct hba_rule *rule)
{
	struct login *l = c->login;

	if (!l->knows_account)
		return "the connection is not through a Unix socket";
	if (l->account[0] != '\0')
		return judge_name(l, rule, "account", l->account);
	snprintf(l->detail, sizeof(l->detail), "user id %lld has no name", (long long)l->uid);
	return l->detail;
}

static enum step start_naming(struct client *c);

/* Its name is asked for off the loop: directory services may be slow. */
static bool needs_account(const struct client *c, const struct way *way)
{
	return way->method == EXCHANGE_PEER && !c->login->knows_account && peer_uid(stream_peer(c->stream)) >= 0;
}

/* ---- the exchange ---- */

static enum step take_result(struct client *c, enum exchange_result result);

/* Whoever auth_query does not find, or finds without a secret, is asked for what the one before was, or strangers could
   tell by that who exists. */
static void mock_like_found(struct client *c, struct conf_mock *mock)
{
	enum secret_kind kind = secret_kind(c->login->found);

	if (kind != SECRET_NONE)
		c->worker->finds_md5 = kind != SECRET_SCRAM;
	mock->scram_share = c->worker->finds_md5 ? 0 : UINT32_MAX;
}

enum step login_prove(struct client *c)
{
	struct worker *w = c->worker;
	struct login *l = c->login;
	const struct conf_login *listed = config_find_login(w->config, l->user);
	uint8_t binding[STREAM_BINDING_BYTES];
	char host[ASK_HOST_BYTES];
	struct way way;
	struct exchange_setup setup = {.user = l->user};

	if (find_way(c, &way) == STEP_CLOSED)
		return STEP_CLOSED;
	if (needs_account(c, &way)) {
		l->uid = peer_uid(stream_peer(c->stream));
		return start_naming(c);
	}
	setup.method = way.method;
	if (way.method == EXCHANGE_CERT)
		setup.unproven = judge_certificate(c, way.rule);
	if (way.method == EXCHANGE_PEER)
		setup.unproven = judge_account(c, way.rule);
	setup.user_exists =
	    l->looked_up ? l->user_found : listed != NULL || config_find_user(w->config, l->user) != NULL;
	setup.scram_iterations = (uint32_t)w->config->settings.scram_iterations;
	setup.mock = w->config->mock;
	if (l->looked_up) {
		setup.secret = l->found;
		mock_like_found(c, &setup.mock);
	} else if (listed != NULL) {
		setup.secret = secrets_find(w, listed);
		if (setup.secret == NULL)
			return login_no_memory(c);
	}
	setup.binding = binding;
	setup.binding_len = stream_binding(c->stream, binding);
	setup.host = stream_peer(c->stream)->family == PEER_UNIX
	                 ? "[local]"
	                 : peer_text(stream_peer(c->stream), host, sizeof(host));
	setup.ldap = way.rule != NULL && way.rule->ldap != NULL ? way.rule->ldap : w->config->ldap;
	loop_random(w->loop, setup.random, sizeof(setup.random));
	l->exchange = exchange_new(w->office->auth, &setup);
	if (l->exchange == NULL)
		return login_no_memory(c);
	if (!setup.user_exists && needs_known_user(setup.method))
		client_log(c, LEVEL_LOG, "no such user: %s", l->user);
	return take_result(c, exchange_start(l->exchange, &l->out));
}

static enum step refused(struct client *c)
{
	struct exchange *x = c->login->exchange;
	enum exchange_refusal why = exchange_refusal(x);

	log_failure(c, exchange_refusal_detail(x));
	return login_refuse(c, why == EXCHANGE_OUT_OF_MEMORY ? "out_of_memory" : "client_login_failed",
	                    why == EXCHANGE_OUT_OF_MEMORY ? SQLSTATE_NO_MEMORY : SQLSTATE_WRONG_PASSWORD,
	                    exchange_refusal_text(why));
}

/* ---- key derivation off the loop ---- */

static void derive(struct job *job)
{
	struct login *l = container_of(job, struct login, job);

	scram_order_run(l->auth, l->order);
}

static void discard(struct job *job)
{
	login_free(container_of(job, struct login, job));
}

static void start_job(struct client *c, enum office_letter kind, void (*work)(struct job *), struct jobs *helpers)
{
	struct login *l = c->login;

	memset(&l->job, 0, sizeof(l->job));
	l->job.letter.kind = (uint8_t)kind;
	l->job.letter.to = c->worker->number;
	l->job.reply_to = c->worker->mailbox;
	l->job.work = work;
	l->job.discard = discard;
	l->job_out = true;
	jobs_run(helpers, &l->job);
}

/* The job is done, and what it worked on is ours again. False: the client has left, and all is freed. */
static bool take_back(struct login *l)
{
	l->job_out = false;
	if (l->client == NULL) {
		login_free(l);
		return false;
	}
	stream_resume(l->client->stream); /* what came too early may have stopped it */
	return true;
}

static enum step start_derivation(struct client *c)
{
	struct login *l = c->login;

	l->order = exchange_take_order(l->exchange);
	if (l->order == NULL)
		return login_no_memory(c);
	start_job(c, LETTER_CLIENT_KEYS, derive, c->worker->office->jobs);
	(void)client_enter(c, CLIENT_DERIVING);
	return STEP_WAIT;
}

void client_login_keys(struct worker *w, struct letter *letter)
{
	struct login *l = container_of(letter, struct login, job.letter);
	struct scram_order *order;

	(void)w;
	if (!take_back(l))
		return;
	order = l->order;
	l->order = NULL;
	if (take_result(l->client, exchange_resume(l->exchange, order, &l->out)) == STEP_AGAIN)
		client_run(l->client);
	scram_order_free(order);
}

/* ---- the name of an account, off the loop ---- */

static void name_account(struct job *job)
{
	struct login *l = container_of(job, struct login, job);

	if (!os_user_name(l->uid, l->account, sizeof(l->account)))
		l->account[0] = '\0';
	l->knows_account = true;
}

static enum step start_naming(struct client *c)
{
	start_job(c, LETTER_CLIENT_ACCOUNT, name_account, c->worker->office->jobs);
	(void)client_enter(c, CLIENT_DERIVING);
	return STEP_WAIT;
}

void client_login_account(struct worker *w, struct letter *letter)
{
	struct login *l = container_of(letter, struct login, job.letter);
	struct client *c = l->client;

	(void)w;
	if (!take_back(l))
		return;
	/* not even one thread could be started: it would be asked for again and again */
	if ((l->job.done ? login_prove(c) : login_no_memory(c)) == STEP_AGAIN)
		client_run(c);
}

/* ---- PAM and LDAP, off the loop ---- */

static void ask_them(struct job *job)
{
	ask_run(container_of(job, struct login, job)->ask);
}

/* So many wait that the newcomer would only make it worse. */
static enum step refuse_busy(struct client *c, enum ask_whom whom)
{
	char text[80];

	snprintf(text, sizeof(text), "too many logins wait for %s", ask_name(whom));
	return login_refuse(c, whom == ASK_LDAP ? "ldap_busy" : "pam_busy", SQLSTATE_TOO_MANY_CONNECTIONS, text);
}

static enum step start_asking(struct client *c)
{
	struct office *o = c->worker->office;
	struct login *l = c->login;
	enum ask_whom whom;

	l->ask = exchange_take_ask(l->exchange);
	if (l->ask == NULL)
		return login_no_memory(c);
	whom = l->ask->whom;
	if (atomic_fetch_add(&o->n_asking[whom], 1) >= OFFICE_MOST_ASKING) {
		atomic_fetch_sub(&o->n_asking[whom], 1);
		return refuse_busy(c, whom);
	}
	start_job(c, LETTER_CLIENT_ANSWER, ask_them, o->asking[whom]);
	(void)client_enter(c, CLIENT_ASKING);
	return STEP_WAIT;
}

void client_login_answer(struct worker *w, struct letter *letter)
{
	struct login *l = container_of(letter, struct login, job.letter);
	struct client *c = l->client;

	atomic_fetch_sub(&w->office->n_asking[l->ask->whom], 1);
	if (!take_back(l))
		return;
	if (!l->job.done)
		ask_answer(l->ask, ASK_NO_ANSWER, "not even one thread could be started for asking");
	if (take_result(c, exchange_answered(l->exchange, l->ask)) == STEP_AGAIN)
		client_run(c);
}

static enum step take_result(struct client *c, enum exchange_result result)
{
	switch (result) {
	case EXCHANGE_SEND:
		if (!login_flush(c))
			return STEP_CLOSED;
		if (c->state != CLIENT_PROVING)
			(void)client_enter(c, CLIENT_PROVING);
		return stream_held_bytes(c->stream) > 0 ? STEP_AGAIN : STEP_WAIT;
	case EXCHANGE_NEED_KEYS:
		return start_derivation(c);
	case EXCHANGE_NEED_ANSWER:
		return start_asking(c);
	case EXCHANGE_PASSED:
		return login_passed(c);
	case EXCHANGE_REFUSED:
		return refused(c);
	}
	return STEP_WAIT;
}

/* ---- PROVING ---- */

static const struct frame_rules proof_rules = {
    .whole_limit = LOOP_BUFFER_BYTES, .max_message = LOOP_BUFFER_BYTES, .need = {['p'] = FRAME_WHOLE}};

/* Out of turn: a second start-up message begins with a zero byte. */
static enum step bad_proof(struct client *c, enum frame_result result, const struct span *bytes)
{
	char text[FRAME_PROBLEM_BYTES];

	if (bytes->data[0] == 'X') {
		client_close(c, "client close request");
		return STEP_CLOSED;
	}
	if (bytes->data[0] == 0)
		return login_refuse(c, "client_protocol", SQLSTATE_PROTOCOL, "client re-sent startup pkt");
	if (result == FRAME_NOT_ALLOWED)
		return login_refuse(c, "client_protocol", SQLSTATE_PROTOCOL, "unknown pkt");
	return login_refuse(c, "client_protocol", SQLSTATE_PROTOCOL, frame_problem_text(bytes->data, bytes->len, text));
}

enum step client_login_proof(struct client *c)
{
	struct login *l = c->login;
	struct framer framer = {0};
	struct frame f;
	struct span bytes;
	enum read_result got = login_read(c, &bytes);
	enum frame_result result;

	if (got != READ_GOT)
		return login_nothing_read(c, got);
	l->knocks = false;
	result = framer_next(&framer, &proof_rules, bytes.data, bytes.len, &f);
	if (result == FRAME_MORE)
		return login_keep(c, bytes);
	if (result != FRAME_GOT)
		return bad_proof(c, result, &bytes);
	if (login_keep(c, (struct span){bytes.data + f.len, bytes.len - f.len}) == STEP_CLOSED)
		return STEP_CLOSED;
	return take_result(
	    c, exchange_take(l->exchange, f.data + FRAME_HEADER_BYTES, f.len - FRAME_HEADER_BYTES, &l->out));
}
