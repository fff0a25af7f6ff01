/*
 * SCRAM-SHA-256 as steps over bytes. Any thread, one at a time per state; what
 * both sides share comes first, then the server's side, then the client's.
 */
#include "auth/scram.h"

#include <string.h>

#include "auth/saslprep.h"
#include "base/base64.h"
#include "base/mem.h"
#include "wire/message.h"

#define MAX_MESSAGE_BYTES 16384u /* of one message; honest ones have a few hundred bytes */
#define NO_BINDING "n,,"

/* ---- Texts of attributes: "a=value,b=value" ---- */

struct attributes {
	const char *at, *end;
	bool first;
};

static void attributes_init(struct attributes *a, const char *text, size_t len)
{
	a->at = text;
	a->end = text + len;
	a->first = true;
}

static bool attributes_left(const struct attributes *a)
{
	return a->at < a->end;
}

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* The next attribute, whichever it is; false: malformed or none left. */
static bool attributes_next(struct attributes *a, char *name, struct bytes *value)
{
	const char *at = a->at, *comma;

	if (!a->first) {
		if (at == a->end || *at != ',')
			return false;
		at++;
	}
	if (a->end - at < 2 || !is_letter(at[0]) || at[1] != '=')
		return false;
	comma = (const char *)memchr(at + 2, ',', (size_t)(a->end - at - 2));
	if (comma == NULL)
		comma = a->end;
	*name = at[0];
	*value = (struct bytes){at + 2, (size_t)(comma - at - 2)};
	a->at = comma;
	a->first = false;
	return true;
}

static bool attributes_expect(struct attributes *a, char name, struct bytes *value)
{
	char found;

	return attributes_next(a, &found, value) && found == name;
}

/* What is left must be extensions that may be ignored: well formed, and not the mandatory "m". */
static bool attributes_skip_extensions(struct attributes *a)
{
	struct bytes value;
	char name;

	while (attributes_left(a))
		if (!attributes_next(a, &name, &value) || name == 'm')
			return false;
	return true;
}

static bool is_acceptable(const char *msg, size_t len)
{
	return len > 0 && len <= MAX_MESSAGE_BYTES && memchr(msg, '\0', len) == NULL;
}

static bool is_nonce(struct bytes b)
{
	for (size_t i = 0; i < b.len; i++)
		if (b.data[i] < 0x21 || b.data[i] > 0x7e || b.data[i] == ',')
			return false;
	return b.len > 0;
}

static enum scram_result malformed(const char **why, const char *text)
{
	*why = text;
	return SCRAM_MALFORMED;
}

static void str_wipe(struct str *s)
{
	if (s->data != NULL)
		mem_wipe(s->data, s->capacity);
	str_fini(s);
}

/* ---- Salts, verifiers, keys ---- */

bool scram_salt_same(const struct scram_salt *a, const struct scram_salt *b)
{
	return a->iterations == b->iterations && a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Cuts `text` at the first `separator`: the part before it, and what is behind it stays in `text`. */
static bool cut(struct bytes *text, char separator, struct bytes *part)
{
	const char *at = (const char *)memchr(text->data, separator, text->len);

	if (at == NULL)
		return false;
	*part = (struct bytes){text->data, (size_t)(at - text->data)};
	text->len -= part->len + 1;
	text->data = at + 1;
	return true;
}

void scram_verifier_write(const struct scram_verifier *v, struct str *out)
{
	str_printf(out, SCRAM_VERIFIER_PREFIX "%u:", v->salt.iterations);
	base64_write(out, v->salt.bytes, v->salt.len);
	str_add_char(out, '$');
	base64_write(out, v->stored_key, SHA256_BYTES);
	str_add_char(out, ':');
	base64_write(out, v->server_key, SHA256_BYTES);
}

bool scram_verifier_from_keys(const struct auth_context *ctx, const struct scram_keys *keys, struct scram_verifier *v)
{
	memset(v, 0, sizeof(*v));
	v->salt = keys->salt;
	memcpy(v->server_key, keys->server_key, SHA256_BYTES);
	return auth_sha256(ctx, keys->client_key, SHA256_BYTES, v->stored_key);
}

bool scram_derive(const struct auth_context *ctx, const char *password, size_t len, const struct scram_salt *salt,
                  struct scram_keys *keys)
{
	uint8_t salted[SHA256_BYTES];
	size_t prepared_len;
	char *prepared = saslprep(password, len, &prepared_len);
	bool ok;

	if (prepared == NULL)
		return false;
	keys->salt = *salt;
	ok = auth_pbkdf2(ctx, prepared, prepared_len, salt->bytes, salt->len, salt->iterations, salted) &&
	     auth_hmac(ctx, salted, "Client Key", 10, keys->client_key) &&
	     auth_hmac(ctx, salted, "Server Key", 10, keys->server_key);
	mem_wipe(salted, sizeof(salted));
	mem_wipe(prepared, prepared_len);
	mem_free(prepared);
	return ok;
}

struct scram_order *scram_order_new(const char *password, size_t len, const struct scram_salt *salt)
{
	struct scram_order *order = mem_new(struct scram_order);

	if (order == NULL)
		return NULL;
	order->password = mem_copy(password, len);
	if (order->password == NULL) {
		mem_free(order);
		return NULL;
	}
	order->password_len = len;
	order->salt = *salt;
	return order;
}

void scram_order_run(const struct auth_context *ctx, struct scram_order *order)
{
	order->done = scram_derive(ctx, order->password, order->password_len, &order->salt, &order->keys);
}

void scram_order_free(struct scram_order *order)
{
	if (order == NULL)
		return;
	mem_wipe(order->password, order->password_len);
	mem_free(order->password);
	mem_wipe(order, sizeof(*order));
	mem_free(order);
}

/* ---- The side that lets in ---- */

void scram_server_init(struct scram_server *s)
{
	memset(s, 0, sizeof(*s));
	str_init(&s->auth_message, SCRAM_MAX_MESSAGE_BYTES);
	str_init(&s->nonce, SCRAM_MAX_MESSAGE_BYTES);
	str_init(&s->binding, SCRAM_MAX_MESSAGE_BYTES);
	s->why = "";
}

void scram_server_fini(struct scram_server *s)
{
	str_wipe(&s->auth_message);
	str_fini(&s->nonce);
	str_fini(&s->binding);
	mem_wipe(s->proof, sizeof(s->proof));
}

/* The channel binding flag in front of the first comma. Returns NULL if it is right, else what is wrong. */
static const char *check_binding_flag(struct bytes flag, const char *binding_name, bool offered)
{
	if (flag.len > 2 && flag.data[0] == 'p' && flag.data[1] == '=') {
		if (binding_name == NULL)
			return "client asks for channel binding, which was not offered";
		flag.data += 2;
		flag.len -= 2;
		return bytes_are(flag, binding_name) ? NULL : "client asks for another kind of channel binding";
	}
	if (!bytes_are(flag, "n") && !bytes_are(flag, "y"))
		return "malformed channel binding flag";
	if (offered && flag.data[0] == 'y')
		return "client was told that there is no channel binding, but it was offered: somebody is in between";
	return binding_name == NULL ? NULL : "client chose channel binding but does not use it";
}

/* Takes "flag,authzid," off the front of the client-first-message. Returns NULL if it is right, else what is wrong. */
static const char *cut_gs2_header(struct bytes *msg, const char *binding_name, bool offered)
{
	struct bytes flag, identity;
	const char *wrong;

	if (!cut(msg, ',', &flag) || !cut(msg, ',', &identity))
		return "malformed client-first-message";
	wrong = check_binding_flag(flag, binding_name, offered);
	if (wrong != NULL)
		return wrong;
	return identity.len == 0 ? NULL : "client asks for an authorization identity";
}

/* The name is whatever the client likes: who it is was said in the start-up packet, as PostgreSQL sees it. */
static bool read_first_bare(struct bytes bare, struct bytes *nonce)
{
	struct attributes a;
	struct bytes name;

	attributes_init(&a, bare.data, bare.len);
	return attributes_expect(&a, 'n', &name) && attributes_expect(&a, 'r', nonce) && is_nonce(*nonce) &&
	       attributes_skip_extensions(&a);
}

enum scram_result scram_server_first(struct scram_server *s, const char *msg, size_t len, const char *binding_name,
                                     const void *binding, size_t binding_len, const uint8_t nonce[SCRAM_NONCE_BYTES],
                                     const struct scram_salt *salt, struct str *out)
{
	struct bytes bare = {msg, len}, client_nonce;
	const char *wrong;
	size_t from;

	if (!is_acceptable(msg, len))
		return malformed(&s->why, "client-first-message is empty, too long or has a NUL");
	wrong = cut_gs2_header(&bare, binding_name, s->offered_binding);
	if (wrong != NULL)
		return malformed(&s->why, wrong);
	if (!read_first_bare(bare, &client_nonce))
		return malformed(&s->why, "malformed client-first-message");

	str_add(&s->binding, msg, len - bare.len);
	str_add(&s->binding, binding, binding_len);
	str_add(&s->nonce, client_nonce.data, client_nonce.len);
	base64_write(&s->nonce, nonce, SCRAM_NONCE_BYTES);

	str_add(&s->auth_message, bare.data, bare.len);
	str_add_char(&s->auth_message, ',');
	from = s->auth_message.len;
	str_printf(&s->auth_message, "r=%s,s=", str_text(&s->nonce));
	base64_write(&s->auth_message, salt->bytes, salt->len);
	str_printf(&s->auth_message, ",i=%u", salt->iterations);
	if (s->binding.failed || s->nonce.failed || s->auth_message.failed)
		return SCRAM_NO_MEMORY;
	str_add(out, s->auth_message.data + from, s->auth_message.len - from);
	return out->failed ? SCRAM_NO_MEMORY : SCRAM_GOOD;
}

/* Is this the base64 of what the client must have bound? */
static bool binding_matches(const struct scram_server *s, struct bytes text)
{
	struct str expected;
	bool same;

	str_init(&expected, SCRAM_MAX_MESSAGE_BYTES * 2);
	base64_write(&expected, str_text(&s->binding), s->binding.len);
	same = !expected.failed && text.len == expected.len && memcmp(text.data, str_text(&expected), text.len) == 0;
	str_fini(&expected);
	return same;
}

/* Walks to the proof, which must be the last attribute; `before_proof` is where its comma stands. */
static bool read_proof(struct attributes *a, const char **before_proof, struct bytes *proof)
{
	char name;

	do {
		*before_proof = a->at;
		if (!attributes_next(a, &name, proof) || name == 'm')
			return false;
	} while (name != 'p');
	return !attributes_left(a);
}

enum scram_result scram_server_read_final(struct scram_server *s, const char *msg, size_t len)
{
	struct attributes a;
	struct bytes binding, nonce, proof;
	const char *before_proof;

	if (!is_acceptable(msg, len))
		return malformed(&s->why, "client-final-message is empty, too long or has a NUL");
	attributes_init(&a, msg, len);
	if (!attributes_expect(&a, 'c', &binding))
		return malformed(&s->why, "client-final-message has no channel binding");
	if (!attributes_expect(&a, 'r', &nonce))
		return malformed(&s->why, "client-final-message has no nonce");
	if (!read_proof(&a, &before_proof, &proof))
		return malformed(&s->why, "client-final-message has no proof at its end");
	if (!binding_matches(s, binding))
		return malformed(&s->why, "channel binding does not match");
	if (nonce.len != s->nonce.len || memcmp(nonce.data, str_text(&s->nonce), nonce.len) != 0)
		return malformed(&s->why, "nonce does not match");
	if (!scram_read_key(proof.data, proof.len, s->proof))
		return malformed(&s->why, "malformed proof");
	str_add_char(&s->auth_message, ',');
	str_add(&s->auth_message, msg, (size_t)(before_proof - msg));
	return s->auth_message.failed ? SCRAM_NO_MEMORY : SCRAM_GOOD;
}

enum scram_result scram_server_check(struct scram_server *s, const struct auth_context *ctx,
                                     const struct scram_verifier *v, struct str *out, struct scram_keys *keys)
{
	const char *text = str_text(&s->auth_message);
	size_t len = s->auth_message.len;
	uint8_t key[SHA256_BYTES], stored_key[SHA256_BYTES], signature[SHA256_BYTES];

	if (!auth_hmac(ctx, v->stored_key, text, len, key))
		return SCRAM_NO_MEMORY;
	for (size_t i = 0; i < SHA256_BYTES; i++)
		key[i] ^= s->proof[i];
	if (!auth_sha256(ctx, key, sizeof(key), stored_key) || !auth_hmac(ctx, v->server_key, text, len, signature))
		return SCRAM_NO_MEMORY;
	if (!auth_same(stored_key, v->stored_key, SHA256_BYTES))
		return SCRAM_WRONG;
	keys->salt = v->salt;
	memcpy(keys->client_key, key, SHA256_BYTES);
	memcpy(keys->server_key, v->server_key, SHA256_BYTES);
	mem_wipe(key, sizeof(key));
	str_add_str(out, "v=");
	base64_write(out, signature, sizeof(signature));
	return out->failed ? SCRAM_NO_MEMORY : SCRAM_GOOD;
}

/* ---- The side that wants in ---- */

void scram_client_init(struct scram_client *c)
{
	memset(c, 0, sizeof(*c));
	str_init(&c->auth_message, SCRAM_MAX_MESSAGE_BYTES);
	str_init(&c->nonce, SCRAM_MAX_MESSAGE_BYTES);
	str_init(&c->binding, SCRAM_MAX_MESSAGE_BYTES);
	c->why = "";
}

void scram_client_fini(struct scram_client *c)
{
	str_wipe(&c->auth_message);
	str_fini(&c->nonce);
	str_fini(&c->binding);
	mem_wipe(c->server_signature, sizeof(c->server_signature));
}

void scram_client_bind(struct scram_client *c, const void *bytes, size_t len)
{
	str_clear(&c->binding);
	str_add_str(&c->binding, len > 0 ? "p=" SCRAM_BINDING_NAME ",," : "y,,");
	c->header_len = c->binding.len;
	str_add(&c->binding, bytes, len);
}

/* The gs2 header and what is bound. */
static struct bytes binding_of(const struct scram_client *c)
{
	if (c->header_len == 0)
		return (struct bytes){NO_BINDING, sizeof(NO_BINDING) - 1};
	return (struct bytes){c->binding.data, c->binding.len};
}

enum scram_result scram_client_first(struct scram_client *c, const uint8_t nonce[SCRAM_NONCE_BYTES], struct str *out)
{
	base64_write(&c->nonce, nonce, SCRAM_NONCE_BYTES);
	str_printf(&c->auth_message, "n=,r=%s", str_text(&c->nonce));
	if (c->binding.failed)
		return SCRAM_NO_MEMORY;
	str_add(out, binding_of(c).data, c->header_len == 0 ? sizeof(NO_BINDING) - 1 : c->header_len);
	str_add(out, str_text(&c->auth_message), c->auth_message.len);
	return c->nonce.failed || c->auth_message.failed || out->failed ? SCRAM_NO_MEMORY : SCRAM_GOOD;
}

/* True if the server's nonce is ours with something behind it. */
static bool nonce_continues(const struct scram_client *c, struct bytes nonce)
{
	return is_nonce(nonce) && nonce.len > c->nonce.len &&
	       memcmp(nonce.data, str_text(&c->nonce), c->nonce.len) == 0;
}

enum scram_result scram_client_read_first(struct scram_client *c, const char *msg, size_t len, struct scram_salt *salt)
{
	struct attributes a;
	struct bytes nonce, salt_text, iterations;
	struct scram_salt found = {0, 0, {0}};

	if (!is_acceptable(msg, len))
		return malformed(&c->why, "server-first-message is empty, too long or has a NUL");
	attributes_init(&a, msg, len);
	if (!attributes_expect(&a, 'r', &nonce) || !nonce_continues(c, nonce))
		return malformed(&c->why, "server's SCRAM nonce does not continue ours");
	if (!attributes_expect(&a, 's', &salt_text) || !scram_read_salt(salt_text.data, salt_text.len, &found))
		return malformed(&c->why, "malformed SCRAM salt");
	if (!attributes_expect(&a, 'i', &iterations) ||
	    !scram_read_number(iterations.data, iterations.len, UINT32_MAX, &found.iterations))
		return malformed(&c->why, "malformed SCRAM iteration count");
	if (found.iterations > SCRAM_MAX_ITERATIONS)
		return malformed(&c->why, "server asks for more than 1000000 SCRAM iterations");
	if (!attributes_skip_extensions(&a))
		return malformed(&c->why, "malformed server-first-message");
	str_clear(&c->nonce);
	str_add(&c->nonce, nonce.data, nonce.len);
	str_add_char(&c->auth_message, ',');
	str_add(&c->auth_message, msg, len);
	if (c->nonce.failed || c->auth_message.failed)
		return SCRAM_NO_MEMORY;
	*salt = found;
	return SCRAM_GOOD;
}

/* The proof for the finished auth_message, and the signature that the server must answer with. */
static bool prove(struct scram_client *c, const struct auth_context *ctx, const struct scram_keys *keys,
                  uint8_t proof[SHA256_BYTES])
{
	const char *text = str_text(&c->auth_message);
	size_t len = c->auth_message.len;
	uint8_t stored_key[SHA256_BYTES];

	if (!auth_sha256(ctx, keys->client_key, SHA256_BYTES, stored_key) ||
	    !auth_hmac(ctx, stored_key, text, len, proof) ||
	    !auth_hmac(ctx, keys->server_key, text, len, c->server_signature))
		return false;
	for (size_t i = 0; i < SHA256_BYTES; i++)
		proof[i] ^= keys->client_key[i];
	return true;
}

enum scram_result scram_client_final(struct scram_client *c, const struct auth_context *ctx,
                                     const struct scram_keys *keys, struct str *out)
{
	uint8_t proof[SHA256_BYTES];
	size_t from;

	str_add_char(&c->auth_message, ',');
	from = c->auth_message.len;
	str_add_str(&c->auth_message, "c=");
	base64_write(&c->auth_message, binding_of(c).data, binding_of(c).len);
	str_printf(&c->auth_message, ",r=%s", str_text(&c->nonce));
	if (c->auth_message.failed || !prove(c, ctx, keys, proof))
		return SCRAM_NO_MEMORY;
	str_add(out, c->auth_message.data + from, c->auth_message.len - from);
	str_add_str(out, ",p=");
	base64_write(out, proof, sizeof(proof));
	return out->failed ? SCRAM_NO_MEMORY : SCRAM_GOOD;
}

enum scram_result scram_client_check(struct scram_client *c, const char *msg, size_t len)
{
	struct attributes a;
	struct bytes value;
	uint8_t signature[SHA256_BYTES];
	char name;

	if (!is_acceptable(msg, len))
		return malformed(&c->why, "server-final-message is empty, too long or has a NUL");
	attributes_init(&a, msg, len);
	if (!attributes_next(&a, &name, &value) || (name != 'v' && name != 'e'))
		return malformed(&c->why, "malformed server-final-message");
	if (name == 'e')
		return SCRAM_WRONG;
	if (!scram_read_key(value.data, value.len, signature) || !attributes_skip_extensions(&a))
		return malformed(&c->why, "malformed server-final-message");
	return auth_same(signature, c->server_signature, SHA256_BYTES) ? SCRAM_GOOD : SCRAM_WRONG;
}
