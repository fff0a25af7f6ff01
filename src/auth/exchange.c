/*
 * The login of one client at us. Owned by the client's worker. What is stored
 * against what is asked for: reference section 8.
 */
#include "auth/exchange.h"

#include <stdio.h>
#include <string.h>

#include "auth/md5.h"
#include "base/mem.h"
#include "wire/message.h"

/* What it waits for. */
enum exchange_state {
	EXCHANGE_FRESH,           /* exchange_start */
	EXCHANGE_AWAITS_PLAIN,    /* the password */
	EXCHANGE_AWAITS_MD5,      /* the salted hash */
	EXCHANGE_AWAITS_FIRST,    /* SASLInitialResponse */
	EXCHANGE_AWAITS_FINAL,    /* SASLResponse with the proof */
	EXCHANGE_AWAITS_ANSWER,   /* somebody else's, about a cleartext password */
	EXCHANGE_AWAITS_PASSWORD, /* keys derived from a cleartext password, to hold against a SCRAM verifier */
	EXCHANGE_AWAITS_VERIFIER, /* keys derived from the stored plain password, to check a proof with */
	EXCHANGE_OVER
};

struct exchange {
	const struct auth_context *ctx;
	enum exchange_state state;
	enum exchange_method method;
	bool user_exists;
	bool is_mock; /* goes through all the motions and is refused */
	char *user;
	struct secret *secret;
	const char *unproven;
	uint32_t scram_iterations;
	struct conf_mock mock;
	enum secret_kind kind; /* of the secret; without one: what the mock pretends */
	uint8_t random[EXCHANGE_RANDOM_BYTES];
	struct scram_server scram;
	uint8_t binding[SCRAM_MAX_BINDING_BYTES];
	size_t binding_len;     /* 0: none is offered */
	struct scram_salt salt; /* what the client was told */
	struct scram_order *order;
	struct scram_keys keys;
	bool has_keys;
	char host[ASK_HOST_BYTES];
	struct ldap_options *ldap; /* a reference, or NULL */
	char *password;            /* as the client sent it */
	size_t password_len;
	enum exchange_refusal refusal;
	const char *detail;
};

struct exchange *exchange_new(const struct auth_context *ctx, const struct exchange_setup *setup)
{
	struct exchange *e = mem_new(struct exchange);

	if (e == NULL)
		return NULL;
	e->ctx = ctx;
	e->method = setup->method;
	e->user_exists = setup->user_exists;
	e->secret = setup->user_exists ? secret_ref(setup->secret) : NULL;
	e->unproven = setup->unproven;
	e->scram_iterations = setup->scram_iterations;
	e->mock = setup->mock;
	memcpy(e->random, setup->random, sizeof(e->random));
	scram_server_init(&e->scram);
	if (setup->binding_len > 0 && setup->binding_len <= sizeof(e->binding)) {
		memcpy(e->binding, setup->binding, setup->binding_len);
		e->binding_len = setup->binding_len;
		e->scram.offered_binding = true;
	}
	snprintf(e->host, sizeof(e->host), "%s", setup->host == NULL ? "" : setup->host);
	if (setup->ldap != NULL) {
		shared_ref(&setup->ldap->shared);
		e->ldap = setup->ldap;
	}
	e->detail = "";
	e->user = mem_copy_str(setup->user);
	if (e->user == NULL) {
		exchange_free(e);
		return NULL;
	}
	return e;
}

static void forget_password(struct exchange *e)
{
	if (e->password != NULL)
		mem_wipe(e->password, e->password_len);
	mem_free(e->password);
	e->password = NULL;
	e->password_len = 0;
}

void exchange_free(struct exchange *e)
{
	if (e == NULL)
		return;
	forget_password(e);
	scram_order_free(e->order);
	scram_server_fini(&e->scram);
	secret_unref(e->secret);
	if (e->ldap != NULL)
		shared_unref(&e->ldap->shared);
	mem_free(e->user);
	mem_wipe(e, sizeof(*e));
	mem_free(e);
}

static enum exchange_result refuse(struct exchange *e, enum exchange_refusal why, const char *detail)
{
	e->state = EXCHANGE_OVER;
	e->refusal = why;
	e->detail = detail;
	e->has_keys = false;
	forget_password(e);
	return EXCHANGE_REFUSED;
}

static enum exchange_result pass(struct exchange *e)
{
	e->state = EXCHANGE_OVER;
	return EXCHANGE_PASSED;
}

/* Waits for the next 'p' message, if `out` could take what was to be sent. */
static enum exchange_result ask(struct exchange *e, enum exchange_state next, const struct str *out)
{
	if (out->failed)
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	e->state = next;
	return EXCHANGE_SEND;
}

/* For the log: why nothing that this user sends can be right. */
static const char *no_match_detail(const struct exchange *e)
{
	if (!e->user_exists)
		return "no such user";
	switch (secret_kind(e->secret)) {
	case SECRET_NONE:
		return "user has no password";
	case SECRET_MD5:
		return e->method == EXCHANGE_SCRAM ? "user has MD5 secret" : "password does not match";
	case SECRET_PLAIN:
	case SECRET_SCRAM:
		break;
	}
	return "password does not match";
}

static enum exchange_result refuse_wrong(struct exchange *e)
{
	return refuse(e, e->method == EXCHANGE_SCRAM ? EXCHANGE_SASL_FAILED : EXCHANGE_WRONG_PASSWORD,
	              no_match_detail(e));
}

/* Who has no secret is like one of the others, the same one each time. */
static bool choose_kind(struct exchange *e)
{
	uint8_t bytes[SHA256_BYTES];
	uint32_t draw;

	e->kind = secret_kind(e->secret);
	if (e->kind != SECRET_NONE)
		return true;
	if (!auth_mock_bytes(e->ctx, "kind", e->user, bytes))
		return false;
	memcpy(&draw, bytes, sizeof(draw));
	e->kind = e->mock.scram_share > 0 && draw <= e->mock.scram_share ? SECRET_SCRAM : SECRET_PLAIN;
	return true;
}

/* By certificate or account: there is nothing to ask. */
static enum exchange_result judge_identity(struct exchange *e, enum exchange_refusal refusal)
{
	if (e->unproven != NULL)
		return refuse(e, refusal, e->unproven);
	return e->user_exists ? pass(e) : refuse(e, refusal, "no such user");
}

enum exchange_result exchange_start(struct exchange *e, struct str *out)
{
	if (e->state != EXCHANGE_FRESH)
		return refuse(e, EXCHANGE_BROKEN_MESSAGE, "login was started twice");
	if (!choose_kind(e))
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	if (e->method == EXCHANGE_MD5 && e->kind == SECRET_SCRAM)
		e->method = EXCHANGE_SCRAM;
	switch (e->method) {
	case EXCHANGE_TRUST:
		return e->user_exists ? pass(e) : refuse(e, EXCHANGE_NOT_TRUSTED, "no such user");
	case EXCHANGE_ANY:
		return pass(e);
	case EXCHANGE_CERT:
		return judge_identity(e, EXCHANGE_CERT_FAILED);
	case EXCHANGE_PEER:
		return judge_identity(e, EXCHANGE_PEER_FAILED);
	case EXCHANGE_PLAIN:
	case EXCHANGE_PAM:
	case EXCHANGE_LDAP:
		message_auth_cleartext(out);
		return ask(e, EXCHANGE_AWAITS_PLAIN, out);
	case EXCHANGE_MD5:
		message_auth_md5(out, e->random + SCRAM_NONCE_BYTES);
		return ask(e, EXCHANGE_AWAITS_MD5, out);
	case EXCHANGE_SCRAM:
		message_auth_sasl(out, e->binding_len > 0 ? SCRAM_MECHANISM_PLUS : NULL, SCRAM_MECHANISM);
		return ask(e, EXCHANGE_AWAITS_FIRST, out);
	}
	return refuse(e, EXCHANGE_BROKEN_MESSAGE, "");
}

/* ---- Salts ---- */

/* A salt that never changes for this user, like those of stored verifiers or those made of plain passwords. */
static bool make_salt(struct exchange *e, bool stored)
{
	uint8_t bytes[SHA256_BYTES];

	if (!auth_mock_bytes(e->ctx, "salt", e->user, bytes))
		return false;
	e->salt.iterations = stored ? e->mock.iterations : e->scram_iterations;
	e->salt.len = stored ? e->mock.salt_len : SCRAM_SALT_BYTES;
	/* longer ones than anybody makes: their end is zeros */
	memcpy(e->salt.bytes, bytes, e->salt.len < sizeof(bytes) ? e->salt.len : sizeof(bytes));
	return true;
}

/* Which salt the client is told. */
static bool choose_salt(struct exchange *e)
{
	const struct scram_verifier *v = secret_verifier(e->secret);
	enum secret_kind kind = secret_kind(e->secret);

	if (v != NULL && (kind == SECRET_SCRAM || v->salt.iterations == e->scram_iterations)) {
		e->salt = v->salt;
		return true;
	}
	e->is_mock = kind != SECRET_PLAIN;
	return make_salt(e, e->is_mock && e->kind == SECRET_SCRAM);
}

/* ---- Cleartext and MD5 ---- */

/* The text of a PasswordMessage; false: refused, with e->refusal set. */
static bool read_password(struct exchange *e, const char *body, size_t len, struct bytes *password)
{
	struct reader r;

	reader_init(&r, body, len);
	*password = reader_cstring(&r);
	if (!reader_is_done(&r))
		(void)refuse(e, EXCHANGE_BROKEN_MESSAGE, "malformed PasswordMessage");
	else if (password->len == 0)
		(void)refuse(e, EXCHANGE_EMPTY_PASSWORD, "");
	else if (password->len > EXCHANGE_MAX_PASSWORD_BYTES)
		(void)refuse(e, EXCHANGE_TOO_LONG, "");
	else
		return true;
	return false;
}

/* Compares digests, so that neither content nor length of what is stored shows in the time it takes. */
static bool same_text(const struct exchange *e, struct bytes sent, const char *stored, size_t stored_len)
{
	uint8_t a[SHA256_BYTES], b[SHA256_BYTES];

	return auth_sha256(e->ctx, sent.data, sent.len, a) && auth_sha256(e->ctx, stored, stored_len, b) &&
	       auth_same(a, b, sizeof(a));
}

static bool matches_md5(const struct exchange *e, struct bytes password)
{
	char hash[MD5_SECRET_BYTES + 1];

	return md5_secret(e->ctx, e->user, password.data, password.len, hash) &&
	       same_text(e, (struct bytes){hash, MD5_SECRET_BYTES}, secret_text(e->secret), secret_len(e->secret));
}

/* The work that a stored verifier would make. */
static enum exchange_result derive_in_vain(struct exchange *e, struct bytes password)
{
	if (!make_salt(e, true))
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	e->order = scram_order_new(password.data, password.len, &e->salt);
	if (e->order == NULL)
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	e->state = EXCHANGE_AWAITS_PASSWORD;
	return EXCHANGE_NEED_KEYS;
}

static enum exchange_result check_plain(struct exchange *e, struct bytes password)
{
	bool good = false;

	switch (secret_kind(e->secret)) {
	case SECRET_NONE:
		if (e->kind == SECRET_SCRAM)
			return derive_in_vain(e, password);
		(void)same_text(e, password, "", 0);
		break;
	case SECRET_PLAIN:
		good = same_text(e, password, secret_text(e->secret), secret_len(e->secret));
		break;
	case SECRET_MD5:
		good = matches_md5(e, password);
		break;
	case SECRET_SCRAM:
		e->salt = secret_verifier(e->secret)->salt;
		e->order = scram_order_new(password.data, password.len, &e->salt);
		if (e->order == NULL)
			return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
		e->state = EXCHANGE_AWAITS_PASSWORD;
		return EXCHANGE_NEED_KEYS;
	}
	return good ? pass(e) : refuse_wrong(e);
}

static bool is_asked_elsewhere(const struct exchange *e)
{
	return e->method == EXCHANGE_PAM || e->method == EXCHANGE_LDAP;
}

static enum exchange_result take_plain(struct exchange *e, const char *body, size_t len)
{
	struct bytes password;

	if (!read_password(e, body, len, &password))
		return EXCHANGE_REFUSED;
	e->password = mem_copy(password.data, password.len);
	if (e->password == NULL)
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	e->password_len = password.len;
	if (!is_asked_elsewhere(e))
		return check_plain(e, password);
	e->state = EXCHANGE_AWAITS_ANSWER;
	return EXCHANGE_NEED_ANSWER;
}

/* The "md5…" that stands for the stored secret; for users without one, something of the same shape. */
static bool stored_md5(const struct exchange *e, char hash[MD5_SECRET_BYTES + 1])
{
	if (secret_kind(e->secret) == SECRET_MD5) {
		memcpy(hash, secret_text(e->secret), MD5_SECRET_BYTES + 1);
		return true;
	}
	return md5_secret(e->ctx, e->user, secret_text(e->secret), secret_len(e->secret), hash);
}

static enum exchange_result take_md5(struct exchange *e, const char *body, size_t len)
{
	char hash[MD5_SECRET_BYTES + 1], expected[MD5_SECRET_BYTES + 1];
	struct bytes answer;
	bool same;

	if (!read_password(e, body, len, &answer))
		return EXCHANGE_REFUSED;
	if (!stored_md5(e, hash) || !md5_answer(e->ctx, hash, e->random + SCRAM_NONCE_BYTES, expected))
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "out of memory, or OpenSSL refuses MD5");
	same = answer.len == MD5_SECRET_BYTES && auth_same(answer.data, expected, MD5_SECRET_BYTES);
	mem_wipe(hash, sizeof(hash));
	return same && secret_kind(e->secret) != SECRET_NONE ? pass(e) : refuse_wrong(e);
}

/* ---- SCRAM ---- */

static enum exchange_result scram_refuse(struct exchange *e, enum scram_result result)
{
	if (result == SCRAM_NO_MEMORY)
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	if (result == SCRAM_MALFORMED)
		return refuse(e, EXCHANGE_SASL_FAILED, e->scram.why);
	return refuse_wrong(e);
}

static enum exchange_result take_first(struct exchange *e, const char *body, size_t len, struct str *out)
{
	struct bytes mechanism, msg;
	enum scram_result result;
	struct reader r;
	bool bound;
	size_t m;

	reader_init(&r, body, len);
	mechanism = reader_cstring(&r);
	bound = e->binding_len > 0 && bytes_are(mechanism, SCRAM_MECHANISM_PLUS);
	if (!r.failed && !bound && !bytes_are(mechanism, SCRAM_MECHANISM))
		return refuse(e, EXCHANGE_SASL_MECHANISM, "");
	msg.len = reader_u32(&r);
	msg = reader_bytes(&r, msg.len);
	if (!reader_is_done(&r))
		return refuse(e, EXCHANGE_SASL_FAILED, "malformed SASLInitialResponse");
	if (!choose_salt(e))
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	m = message_begin(out, 'R');
	message_u32(out, AUTH_SASL_CONTINUE);
	result = scram_server_first(&e->scram, msg.data, msg.len, bound ? SCRAM_BINDING_NAME : NULL, e->binding,
	                            bound ? e->binding_len : 0, e->random, &e->salt, out);
	if (result != SCRAM_GOOD)
		return scram_refuse(e, result);
	message_end(out, m);
	return ask(e, EXCHANGE_AWAITS_FINAL, out);
}

/* Checks the proof against `v`; on success the client's keys are kept. */
static enum exchange_result check_proof(struct exchange *e, const struct scram_verifier *v, struct str *out)
{
	size_t m = message_begin(out, 'R');
	enum scram_result result;

	message_u32(out, AUTH_SASL_FINAL);
	result = scram_server_check(&e->scram, e->ctx, v, out, &e->keys);
	if (result != SCRAM_GOOD)
		return scram_refuse(e, result);
	message_end(out, m);
	if (e->is_mock)
		return refuse_wrong(e);
	if (out->failed)
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	e->has_keys = true;
	return pass(e);
}

/* A verifier that no proof fits, so that a mock login takes as long as a real one. */
static enum exchange_result check_mock_proof(struct exchange *e, struct str *out)
{
	struct scram_verifier v = {.salt = e->salt};

	if (!auth_mock_bytes(e->ctx, "stored key", e->user, v.stored_key) ||
	    !auth_mock_bytes(e->ctx, "server key", e->user, v.server_key))
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	return check_proof(e, &v, out);
}

static enum exchange_result take_final(struct exchange *e, const char *body, size_t len, struct str *out)
{
	enum scram_result result = scram_server_read_final(&e->scram, body, len);
	const struct scram_verifier *v = secret_verifier(e->secret);

	if (result != SCRAM_GOOD)
		return scram_refuse(e, result);
	if (e->is_mock)
		return check_mock_proof(e, out);
	/* Another login may have derived and remembered it meanwhile. */
	if (v != NULL && scram_salt_same(&v->salt, &e->salt))
		return check_proof(e, v, out);
	e->order = scram_order_new(secret_text(e->secret), secret_len(e->secret), &e->salt);
	if (e->order == NULL)
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	e->state = EXCHANGE_AWAITS_VERIFIER;
	return EXCHANGE_NEED_KEYS;
}

static enum exchange_result take(struct exchange *e, const char *body, size_t len, struct str *out)
{
	switch (e->state) {
	case EXCHANGE_AWAITS_PLAIN:
		return take_plain(e, body, len);
	case EXCHANGE_AWAITS_MD5:
		return take_md5(e, body, len);
	case EXCHANGE_AWAITS_FIRST:
		return take_first(e, body, len, out);
	case EXCHANGE_AWAITS_FINAL:
		return take_final(e, body, len, out);
	case EXCHANGE_FRESH:
	case EXCHANGE_AWAITS_ANSWER:
	case EXCHANGE_AWAITS_PASSWORD:
	case EXCHANGE_AWAITS_VERIFIER:
	case EXCHANGE_OVER:
		break;
	}
	return refuse(e, EXCHANGE_BROKEN_MESSAGE, "password message at a wrong time");
}

/* Takes back what was appended since `len`. */
static void take_back(struct str *out, size_t len)
{
	if (out->len <= len)
		return;
	out->len = len;
	out->data[len] = '\0';
}

enum exchange_result exchange_take(struct exchange *e, const char *body, size_t len, struct str *out)
{
	size_t before = out->len;
	enum exchange_result result = take(e, body, len, out);

	if (result == EXCHANGE_REFUSED)
		take_back(out, before);
	return result;
}

struct scram_order *exchange_take_order(struct exchange *e)
{
	struct scram_order *order = e->order;

	e->order = NULL;
	return order;
}

static enum exchange_result resume(struct exchange *e, const struct scram_order *order, struct str *out)
{
	const struct scram_verifier *stored = secret_verifier(e->secret);
	struct scram_verifier v;

	if (e->state != EXCHANGE_AWAITS_PASSWORD && e->state != EXCHANGE_AWAITS_VERIFIER)
		return refuse(e, EXCHANGE_BROKEN_MESSAGE, "keys at a wrong time");
	if (order == NULL || !order->done || !scram_verifier_from_keys(e->ctx, &order->keys, &v))
		return refuse(e, EXCHANGE_OUT_OF_MEMORY, "");
	if (e->state == EXCHANGE_AWAITS_PASSWORD)
		return stored != NULL && auth_same(v.stored_key, stored->stored_key, SHA256_BYTES) ? pass(e)
		                                                                                   : refuse_wrong(e);
	secret_remember(e->secret, &v);
	return check_proof(e, &v, out);
}

enum exchange_result exchange_resume(struct exchange *e, const struct scram_order *order, struct str *out)
{
	size_t before = out->len;
	enum exchange_result result = resume(e, order, out);

	if (result == EXCHANGE_REFUSED)
		take_back(out, before);
	return result;
}

/* ---- Asked elsewhere ---- */

struct ask *exchange_take_ask(struct exchange *e)
{
	if (e->state != EXCHANGE_AWAITS_ANSWER)
		return NULL;
	return ask_new(e->method == EXCHANGE_LDAP ? ASK_LDAP : ASK_PAM, e->user, e->password, e->password_len, e->host,
	               e->ldap);
}

enum exchange_result exchange_answered(struct exchange *e, const struct ask *a)
{
	if (e->state != EXCHANGE_AWAITS_ANSWER)
		return refuse(e, EXCHANGE_BROKEN_MESSAGE, "an answer at a wrong time");
	if (a->answer == ASK_YES)
		return pass(e);
	return refuse(e, e->method == EXCHANGE_LDAP ? EXCHANGE_LDAP_FAILED : EXCHANGE_PAM_FAILED, a->why);
}

/* ---- Results ---- */

enum exchange_refusal exchange_refusal(const struct exchange *e)
{
	return e->refusal;
}

const char *exchange_refusal_text(enum exchange_refusal why)
{
	switch (why) {
	case EXCHANGE_WRONG_PASSWORD:
		return "password authentication failed";
	case EXCHANGE_SASL_FAILED:
		return "SASL authentication failed";
	case EXCHANGE_SASL_MECHANISM:
		return "client selected an invalid SASL authentication mechanism";
	case EXCHANGE_EMPTY_PASSWORD:
		return "empty password returned by client";
	case EXCHANGE_NOT_TRUSTED:
		return "\"trust\" authentication failed";
	case EXCHANGE_PAM_FAILED:
		return "PAM authentication failed";
	case EXCHANGE_LDAP_FAILED:
		return "LDAP authentication failed";
	case EXCHANGE_CERT_FAILED:
		return "certificate authentication failed";
	case EXCHANGE_PEER_FAILED:
		return "unix socket login rejected";
	case EXCHANGE_TOO_LONG:
		return "password too long";
	case EXCHANGE_BROKEN_MESSAGE:
		return "failed to parse packet";
	case EXCHANGE_OUT_OF_MEMORY:
		return "out of memory";
	}
	return "";
}

const char *exchange_refusal_detail(const struct exchange *e)
{
	return e->detail;
}

const struct scram_keys *exchange_keys(const struct exchange *e)
{
	return e->has_keys ? &e->keys : NULL;
}

const char *exchange_password(const struct exchange *e, size_t *len)
{
	if (e->password != NULL)
		*len = e->password_len;
	return e->password;
}

bool exchange_has_plain_secret(const struct exchange *e)
{
	return secret_kind(e->secret) == SECRET_PLAIN;
}

enum exchange_method exchange_method(const struct exchange *e)
{
	return e->method;
}
