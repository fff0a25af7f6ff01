/*
 * Our login at a server. Owned by the server's worker. The server is as
 * untrusted as a client: each message is allowed in exactly one state.
 */
#include "auth/prover.h"

#include <string.h>

#include "auth/md5.h"
#include "base/mem.h"
#include "wire/message.h"

/* What it waits for. */
enum prover_state {
	PROVER_AWAITS_REQUEST,   /* the first Authentication message */
	PROVER_AWAITS_OK,        /* the verdict: everything that was asked for has been given */
	PROVER_AWAITS_CHALLENGE, /* SCRAM: server-first-message */
	PROVER_AWAITS_KEYS,      /* SCRAM: keys derived from the plain password */
	PROVER_AWAITS_SIGNATURE, /* SCRAM: server-final-message */
	PROVER_OVER
};

struct prover {
	const struct auth_context *ctx;
	enum prover_state state;
	char *user;
	struct secret *secret;
	struct scram_keys keys; /* given, or derived here */
	bool has_keys;          /* given */
	bool used_keys;         /* the login went through SCRAM */
	uint8_t random[SCRAM_NONCE_BYTES];
	struct scram_client scram;
	uint8_t binding[SCRAM_MAX_BINDING_BYTES];
	size_t binding_len;     /* 0: none */
	struct scram_salt salt; /* what the server wants */
	struct scram_order *order;
};

struct prover *prover_new(const struct auth_context *ctx, const struct credentials *with,
                          const uint8_t random[SCRAM_NONCE_BYTES])
{
	struct prover *p = mem_new(struct prover);

	if (p == NULL)
		return NULL;
	p->ctx = ctx;
	p->secret = secret_ref(with->secret);
	p->has_keys = with->keys != NULL;
	if (p->has_keys)
		p->keys = *with->keys;
	memcpy(p->random, random, sizeof(p->random));
	scram_client_init(&p->scram);
	if (with->binding_len > 0 && with->binding_len <= sizeof(p->binding)) {
		memcpy(p->binding, with->binding, with->binding_len);
		p->binding_len = with->binding_len;
	}
	p->user = mem_copy_str(with->user);
	if (p->user == NULL) {
		prover_free(p);
		return NULL;
	}
	return p;
}

void prover_free(struct prover *p)
{
	if (p == NULL)
		return;
	scram_order_free(p->order);
	scram_client_fini(&p->scram);
	secret_unref(p->secret);
	mem_free(p->user);
	mem_wipe(p, sizeof(*p));
	mem_free(p);
}

static enum prover_result fail(struct prover *p, struct failure *why, enum failure_code code, const char *text)
{
	p->state = PROVER_OVER;
	p->used_keys = false;
	failure_set(why, PHASE_AUTH, DOMAIN_POOLER, (int)code, text);
	return PROVER_FAILED;
}

/* What is stored cannot answer `wanted`; nothing stored has its own code. */
static enum prover_result fail_with_secret(struct prover *p, enum failure_code code, const char *wanted,
                                           struct failure *why)
{
	enum secret_kind kind = secret_kind(p->secret);

	p->state = PROVER_OVER;
	if (kind == SECRET_NONE)
		return fail(p, why, FAILURE_AUTH_NO_PASSWORD, wanted);
	failure_setf(why, PHASE_AUTH, DOMAIN_POOLER, (int)code, "%s is stored, the server asks for %s",
	             secret_kind_text(kind), wanted);
	return PROVER_FAILED;
}

static enum prover_result fail_secret(struct prover *p, const char *wanted, struct failure *why)
{
	return fail_with_secret(p, FAILURE_AUTH_SECRET, wanted, why);
}

/* Waits for the server's next message, if `out` could take what was to be sent. */
static enum prover_result answer(struct prover *p, enum prover_state next, const struct str *out, struct failure *why)
{
	if (out->failed)
		return fail(p, why, FAILURE_NO_MEMORY, NULL);
	p->state = next;
	return PROVER_SEND;
}

/* ---- Cleartext and MD5 ---- */

static enum prover_result answer_cleartext(struct prover *p, struct bytes rest, struct str *out, struct failure *why)
{
	if (rest.len != 0)
		return fail(p, why, FAILURE_PROTOCOL, "malformed request for a password");
	if (secret_kind(p->secret) == SECRET_NONE)
		return fail_secret(p, "a password", why);
	message_password(out, secret_text(p->secret), secret_len(p->secret));
	return answer(p, PROVER_AWAITS_OK, out, why);
}

static enum prover_result answer_md5(struct prover *p, struct bytes rest, struct str *out, struct failure *why)
{
	char hash[MD5_SECRET_BYTES + 1], sent[MD5_SECRET_BYTES + 1];
	enum secret_kind kind = secret_kind(p->secret);
	uint8_t salt[4];
	bool ok = true;

	if (rest.len != sizeof(salt))
		return fail(p, why, FAILURE_PROTOCOL, "malformed request for an MD5 password");
	if (kind == SECRET_NONE || kind == SECRET_SCRAM)
		return fail_secret(p, "an MD5 password", why);
	memcpy(salt, rest.data, sizeof(salt));
	if (kind == SECRET_MD5)
		memcpy(hash, secret_text(p->secret), sizeof(hash));
	else
		ok = md5_secret(p->ctx, p->user, secret_text(p->secret), secret_len(p->secret), hash);
	ok = ok && md5_answer(p->ctx, hash, salt, sent);
	mem_wipe(hash, sizeof(hash));
	if (!ok)
		return fail(p, why, FAILURE_AUTH_METHOD, "MD5 (refused by this OpenSSL)");
	message_password(out, sent, MD5_SECRET_BYTES);
	return answer(p, PROVER_AWAITS_OK, out, why);
}

/* ---- SCRAM ---- */

static enum prover_result scram_fail(struct prover *p, enum scram_result result, struct failure *why)
{
	if (result == SCRAM_NO_MEMORY)
		return fail(p, why, FAILURE_NO_MEMORY, NULL);
	return fail(p, why, FAILURE_PROTOCOL, p->scram.why);
}

/* Appends a mechanism's name to a list, printable whatever the server sent. */
static void list_mechanism(struct str *list, struct bytes name)
{
	str_add_str(list, list->len == 0 ? "SASL " : ", ");
	for (size_t i = 0; i < name.len; i++)
		str_add_char(list, name.data[i] > ' ' && name.data[i] <= '~' ? name.data[i] : '?');
}

/* What a list of mechanisms holds. */
struct offer {
	bool scram, bound; /* bound: SCRAM with channel binding */
	bool well_formed;
};

/* `list` gets the names of all. */
static struct offer read_offer(struct bytes rest, struct str *list)
{
	struct offer o = {false, false, false};
	struct bytes name;
	struct reader r;

	reader_init(&r, rest.data, rest.len);
	for (name = reader_cstring(&r); name.len > 0; name = reader_cstring(&r)) {
		o.scram = o.scram || bytes_are(name, SCRAM_MECHANISM);
		o.bound = o.bound || bytes_are(name, SCRAM_MECHANISM_PLUS);
		list_mechanism(list, name);
	}
	o.well_formed = reader_is_done(&r);
	return o;
}

/* Bound to the connection if both sides can. */
static enum prover_result begin_scram(struct prover *p, const struct offer *o, struct str *out, struct failure *why)
{
	bool bound = o->bound && p->binding_len > 0;
	enum secret_kind kind = secret_kind(p->secret);
	enum scram_result result;
	struct str first;

	if (!p->has_keys && kind == SECRET_SCRAM)
		return fail_with_secret(p, FAILURE_AUTH_NO_KEYS, SCRAM_MECHANISM, why);
	if (!p->has_keys && kind != SECRET_PLAIN)
		return fail_secret(p, SCRAM_MECHANISM, why);
	if (p->binding_len > 0)
		scram_client_bind(&p->scram, p->binding, bound ? p->binding_len : 0);
	str_init(&first, SCRAM_MAX_MESSAGE_BYTES);
	result = scram_client_first(&p->scram, p->random, &first);
	if (result == SCRAM_GOOD)
		message_sasl_initial(out, bound ? SCRAM_MECHANISM_PLUS : SCRAM_MECHANISM, str_text(&first), first.len);
	str_fini(&first);
	if (result != SCRAM_GOOD)
		return scram_fail(p, result, why);
	return answer(p, PROVER_AWAITS_CHALLENGE, out, why);
}

static enum prover_result answer_sasl(struct prover *p, struct bytes rest, struct str *out, struct failure *why)
{
	enum prover_result result;
	struct str list;
	struct offer o;

	str_init(&list, 128);
	o = read_offer(rest, &list);
	if (o.well_formed && (o.scram || (o.bound && p->binding_len > 0)))
		result = begin_scram(p, &o, out, why);
	else if (!o.well_formed)
		result = fail(p, why, FAILURE_PROTOCOL, "malformed list of SASL mechanisms");
	else
		result = fail(p, why, FAILURE_AUTH_METHOD, list.len == 0 ? "SASL" : str_text(&list));
	str_fini(&list);
	return result;
}

/* Sends the proof made with p->keys. */
static enum prover_result send_proof(struct prover *p, struct str *out, struct failure *why)
{
	size_t m = message_begin(out, 'p');
	enum scram_result result = scram_client_final(&p->scram, p->ctx, &p->keys, out);

	if (result != SCRAM_GOOD)
		return scram_fail(p, result, why);
	message_end(out, m);
	return answer(p, PROVER_AWAITS_SIGNATURE, out, why);
}

/* The keys are not this server's. */
static enum prover_result fail_salt(struct prover *p, struct failure *why)
{
	if (p->keys.salt.iterations == p->salt.iterations)
		return fail(p, why, FAILURE_AUTH_OTHER_SALT,
		            "the SCRAM verifier here has another salt than the server's");
	p->state = PROVER_OVER;
	failure_setf(why, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_OTHER_SALT,
	             "the SCRAM verifier here has another iteration count (%u) than the server's (%u)",
	             p->keys.salt.iterations, p->salt.iterations);
	return PROVER_FAILED;
}

static enum prover_result answer_challenge(struct prover *p, struct bytes rest, struct str *out, struct failure *why)
{
	enum scram_result result = scram_client_read_first(&p->scram, rest.data, rest.len, &p->salt);

	if (result != SCRAM_GOOD)
		return scram_fail(p, result, why);
	if (p->has_keys && scram_salt_same(&p->keys.salt, &p->salt))
		return send_proof(p, out, why);
	if (secret_kind(p->secret) != SECRET_PLAIN)
		return fail_salt(p, why);
	p->order = scram_order_new(secret_text(p->secret), secret_len(p->secret), &p->salt);
	if (p->order == NULL)
		return fail(p, why, FAILURE_NO_MEMORY, NULL);
	p->state = PROVER_AWAITS_KEYS;
	return PROVER_NEED_KEYS;
}

static enum prover_result check_signature(struct prover *p, struct bytes rest, const struct str *out,
                                          struct failure *why)
{
	enum scram_result result = scram_client_check(&p->scram, rest.data, rest.len);

	if (result == SCRAM_WRONG)
		return fail(p, why, FAILURE_AUTH_SERVER, "wrong SCRAM server signature");
	if (result != SCRAM_GOOD)
		return scram_fail(p, result, why);
	p->used_keys = true;
	return answer(p, PROVER_AWAITS_OK, out, why);
}

/* ---- Which message when ---- */

static enum prover_result take_ok(struct prover *p, struct bytes rest, struct failure *why)
{
	if (rest.len != 0)
		return fail(p, why, FAILURE_PROTOCOL, "malformed AuthenticationOk");
	if (p->state == PROVER_AWAITS_CHALLENGE || p->state == PROVER_AWAITS_SIGNATURE)
		return fail(p, why, FAILURE_AUTH_SERVER, "AuthenticationOk before the end of SCRAM");
	if (p->state != PROVER_AWAITS_REQUEST && p->state != PROVER_AWAITS_OK)
		return fail(p, why, FAILURE_PROTOCOL, "AuthenticationOk at a wrong time");
	p->state = PROVER_OVER;
	return PROVER_DONE;
}

static enum prover_result fail_method(struct prover *p, uint32_t code, struct failure *why)
{
	switch (code) {
	case AUTH_KERBEROS_V5:
		return fail(p, why, FAILURE_AUTH_METHOD, "Kerberos V5");
	case AUTH_CRYPT:
		return fail(p, why, FAILURE_AUTH_METHOD, "crypt");
	case AUTH_SCM:
		return fail(p, why, FAILURE_AUTH_METHOD, "SCM credentials");
	case AUTH_GSS:
	case AUTH_GSS_CONTINUE:
		return fail(p, why, FAILURE_AUTH_METHOD, "GSSAPI");
	case AUTH_SSPI:
		return fail(p, why, FAILURE_AUTH_METHOD, "SSPI");
	default: /* a number from the network */
		p->state = PROVER_OVER;
		failure_setf(why, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_METHOD, "number %u", code);
		return PROVER_FAILED;
	}
}

/* The server's first request. */
static enum prover_result take_request(struct prover *p, uint32_t code, struct bytes rest, struct str *out,
                                       struct failure *why)
{
	switch (code) {
	case AUTH_CLEARTEXT:
		return answer_cleartext(p, rest, out, why);
	case AUTH_MD5:
		return answer_md5(p, rest, out, why);
	case AUTH_SASL:
		return answer_sasl(p, rest, out, why);
	case AUTH_SASL_CONTINUE:
	case AUTH_SASL_FINAL:
		return fail(p, why, FAILURE_PROTOCOL, "SASL message before the list of mechanisms");
	default: /* a number from the network */
		return fail_method(p, code, why);
	}
}

enum prover_result prover_take(struct prover *p, const char *body, size_t len, struct str *out, struct failure *why)
{
	struct bytes rest;
	uint32_t code;

	if (!message_parse_authentication(body, len, &code, &rest))
		return fail(p, why, FAILURE_PROTOCOL, "malformed Authentication message");
	if (code == AUTH_OK)
		return take_ok(p, rest, why);
	if (p->state == PROVER_AWAITS_REQUEST)
		return take_request(p, code, rest, out, why);
	if (p->state == PROVER_AWAITS_CHALLENGE && code == AUTH_SASL_CONTINUE)
		return answer_challenge(p, rest, out, why);
	if (p->state == PROVER_AWAITS_SIGNATURE && code == AUTH_SASL_FINAL)
		return check_signature(p, rest, out, why);
	return fail(p, why, FAILURE_PROTOCOL, "Authentication message at a wrong time");
}

struct scram_order *prover_take_order(struct prover *p)
{
	struct scram_order *order = p->order;

	p->order = NULL;
	return order;
}

enum prover_result prover_resume(struct prover *p, const struct scram_order *order, struct str *out,
                                 struct failure *why)
{
	if (p->state != PROVER_AWAITS_KEYS)
		return fail(p, why, FAILURE_PROTOCOL, "keys at a wrong time");
	if (order == NULL || !order->done)
		return fail(p, why, FAILURE_NO_MEMORY, NULL);
	p->keys = order->keys;
	return send_proof(p, out, why);
}

const struct scram_keys *prover_keys(const struct prover *p)
{
	return p->used_keys ? &p->keys : NULL;
}
