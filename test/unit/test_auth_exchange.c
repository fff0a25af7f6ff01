/* Logins of clients: what is stored against what is asked for, mock logins, and everything out of order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/exchange.h"
#include "auth/md5.h"
#include "base/str.h"
#include "failing_mem.h"
#include "wire/message.h"

#define ITERATIONS 7u /* few: these tests are about messages */

static struct auth_context *ctx;
static char stored_md5[MD5_SECRET_BYTES + 1]; /* of user app, password pencil */
static char stored_scram[300];

static int make_secrets(void **state)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {7};
	struct scram_salt salt = {.iterations = 5, .len = 4, .bytes = {1, 2, 3, 4}};
	struct scram_keys keys;
	struct scram_verifier v;
	struct str text;

	(void)state;
	ctx = auth_context_new(mock_key);
	if (ctx == NULL || !md5_secret(ctx, "app", "pencil", 6, stored_md5) ||
	    !scram_derive(ctx, "pencil", 6, &salt, &keys) || !scram_verifier_from_keys(ctx, &keys, &v))
		return -1;
	str_init(&text, sizeof(stored_scram) - 1);
	scram_verifier_write(&v, &text);
	memcpy(stored_scram, str_text(&text), text.len + 1);
	str_fini(&text);
	return 0;
}

static int free_context(void **state)
{
	(void)state;
	auth_context_free(ctx);
	return mem_blocks == 0 ? 0 : -1;
}

static struct exchange *begin(enum exchange_method method, const char *user, bool exists, struct secret *secret)
{
	struct exchange_setup setup = {.method = method,
	                               .user = user,
	                               .user_exists = exists,
	                               .secret = secret,
	                               .scram_iterations = ITERATIONS,
	                               .random = {9, 8, 7}};

	return exchange_new(ctx, &setup);
}

/* ---- A client that knows a password ---- */

struct client {
	const char *password;
	struct scram_client scram;
	struct str answer; /* body of the next 'p' message */
	int salt_iterations;
	uint8_t salt[SCRAM_MAX_SALT_BYTES];
	uint32_t salt_len;
	bool signature_was_right;
};

static void client_init(struct client *c, const char *password)
{
	memset(c, 0, sizeof(*c));
	c->password = password;
	scram_client_init(&c->scram);
	str_init(&c->answer, 1u << 20);
}

static void client_fini(struct client *c)
{
	scram_client_fini(&c->scram);
	str_fini(&c->answer);
}

static void client_md5(struct client *c, const char *salt)
{
	char hash[MD5_SECRET_BYTES + 1], sent[MD5_SECRET_BYTES + 1];

	assert_true(md5_secret(ctx, "app", c->password, strlen(c->password), hash));
	assert_true(md5_answer(ctx, hash, (const uint8_t *)salt, sent));
	message_cstring(&c->answer, sent);
}

static bool client_sasl_first(struct client *c)
{
	static const uint8_t nonce[SCRAM_NONCE_BYTES] = {3, 1, 4};
	struct str first;

	str_init(&first, 1000);
	if (scram_client_first(&c->scram, nonce, &first) != SCRAM_GOOD) {
		str_fini(&first);
		return false;
	}
	message_cstring(&c->answer, SCRAM_MECHANISM);
	message_u32(&c->answer, (uint32_t)first.len);
	message_bytes(&c->answer, first.data, first.len);
	str_fini(&first);
	return true;
}

static bool client_sasl_final(struct client *c, struct bytes challenge)
{
	struct scram_salt salt;
	struct scram_keys keys;

	if (scram_client_read_first(&c->scram, challenge.data, challenge.len, &salt) != SCRAM_GOOD)
		return false;
	c->salt_iterations = (int)salt.iterations;
	c->salt_len = salt.len;
	memcpy(c->salt, salt.bytes, salt.len);
	return scram_derive(ctx, c->password, strlen(c->password), &salt, &keys) &&
	       scram_client_final(&c->scram, ctx, &keys, &c->answer) == SCRAM_GOOD;
}

/* Reads one Authentication message and prepares the answer; returns its code, or -1 when memory ran out. */
static int client_answer(struct client *c, const struct str *from_server)
{
	struct bytes rest;
	uint32_t code;
	bool ok = true;

	assert_true(from_server->len >= 9 && from_server->data[0] == 'R');
	assert_true(message_parse_authentication(from_server->data + 5, from_server->len - 5, &code, &rest));
	str_clear(&c->answer);
	if (code == AUTH_CLEARTEXT) {
		message_cstring(&c->answer, c->password);
	} else if (code == AUTH_MD5) {
		client_md5(c, rest.data);
	} else if (code == AUTH_SASL) {
		ok = client_sasl_first(c);
	} else if (code == AUTH_SASL_CONTINUE) {
		ok = client_sasl_final(c, rest);
	} else {
		assert_int_equal(code, AUTH_SASL_FINAL);
		c->signature_was_right = scram_client_check(&c->scram, rest.data, rest.len) == SCRAM_GOOD;
	}
	return ok && !c->answer.failed ? (int)code : -1;
}

static enum exchange_result carry_out(struct exchange *e, struct str *out)
{
	struct scram_order *order = exchange_take_order(e);
	enum exchange_result result;

	if (order == NULL)
		return EXCHANGE_REFUSED;
	scram_order_run(ctx, order);
	result = exchange_resume(e, order, out);
	scram_order_free(order);
	return result;
}

/* A whole login. `codes` gets the codes of what we sent: "10 11 12". */
static enum exchange_result login(struct exchange *e, struct client *c, struct str *codes)
{
	enum exchange_result result;
	struct str out;

	str_init(&out, 1u << 20);
	result = exchange_start(e, &out);
	while (result == EXCHANGE_SEND) {
		int code = client_answer(c, &out);

		if (code < 0) {
			result = EXCHANGE_REFUSED;
			break;
		}
		str_printf(codes, "%d ", code);
		str_clear(&out);
		result = exchange_take(e, c->answer.data, c->answer.len, &out);
		if (result == EXCHANGE_NEED_KEYS)
			result = carry_out(e, &out);
	}
	if (result == EXCHANGE_PASSED && out.len > 0)
		str_printf(codes, "%d ", client_answer(c, &out));
	if (result == EXCHANGE_REFUSED && e != NULL)
		assert_true(out.failed || out.len == 0 || mem_until_failure > 0);
	str_fini(&out);
	return result;
}

struct outcome {
	enum exchange_result result;
	const char *text;   /* told to the client when refused */
	const char *detail; /* for the log */
	const char *codes;
};

static void check_login(enum exchange_method method, bool exists, const char *stored, const char *password,
                        const struct outcome *expected)
{
	struct secret *secret = stored == NULL ? NULL : secret_new(stored, strlen(stored));
	struct exchange *e = begin(method, "app", exists, secret);
	struct client c;
	struct str codes;

	assert_non_null(e);
	client_init(&c, password);
	str_init(&codes, 100);
	assert_int_equal(login(e, &c, &codes), expected->result);
	assert_string_equal(str_text(&codes), expected->codes);
	if (expected->result == EXCHANGE_REFUSED) {
		assert_string_equal(exchange_refusal_text(exchange_refusal(e)), expected->text);
		assert_string_equal(exchange_refusal_detail(e), expected->detail);
		assert_null(exchange_keys(e));
	} else if (exchange_method(e) == EXCHANGE_SCRAM) {
		assert_true(c.signature_was_right);
		assert_non_null(exchange_keys(e));
	} else {
		assert_null(exchange_keys(e));
	}
	str_fini(&codes);
	client_fini(&c);
	exchange_free(e);
	secret_unref(secret);
}

#define PASS(codes)                                                                                                    \
	{                                                                                                              \
		EXCHANGE_PASSED, NULL, NULL, codes                                                                     \
	}
#define FAIL(text, detail, codes)                                                                                      \
	{                                                                                                              \
		EXCHANGE_REFUSED, text, detail, codes                                                                  \
	}
#define WRONG "password authentication failed"
#define SASL "SASL authentication failed"
#define NO_MATCH "password does not match"

static void stored_against_asked_is_as_the_matrix_says(void **state)
{
	static const struct {
		const char *stored;
		enum exchange_method method;
		struct outcome right, wrong;
	} cases[] = {
	    {"pencil", EXCHANGE_PLAIN, PASS("3 "), FAIL(WRONG, NO_MATCH, "3 ")},
	    {"pencil", EXCHANGE_MD5, PASS("5 "), FAIL(WRONG, NO_MATCH, "5 ")},
	    {"pencil", EXCHANGE_SCRAM, PASS("10 11 12 "), FAIL(SASL, NO_MATCH, "10 11 ")},
	    {stored_md5, EXCHANGE_PLAIN, PASS("3 "), FAIL(WRONG, NO_MATCH, "3 ")},
	    {stored_md5, EXCHANGE_MD5, PASS("5 "), FAIL(WRONG, NO_MATCH, "5 ")},
	    {stored_md5, EXCHANGE_SCRAM, FAIL(SASL, "user has MD5 secret", "10 11 "),
	     FAIL(SASL, "user has MD5 secret", "10 11 ")},
	    {stored_scram, EXCHANGE_PLAIN, PASS("3 "), FAIL(WRONG, NO_MATCH, "3 ")},
	    {stored_scram, EXCHANGE_MD5, PASS("10 11 12 "), FAIL(SASL, NO_MATCH, "10 11 ")},
	    {stored_scram, EXCHANGE_SCRAM, PASS("10 11 12 "), FAIL(SASL, NO_MATCH, "10 11 ")},
	    {"", EXCHANGE_PLAIN, FAIL(WRONG, "user has no password", "3 "), FAIL(WRONG, "user has no password", "3 ")},
	    {"", EXCHANGE_MD5, FAIL(WRONG, "user has no password", "5 "), FAIL(WRONG, "user has no password", "5 ")},
	    {"", EXCHANGE_SCRAM, FAIL(SASL, "user has no password", "10 11 "),
	     FAIL(SASL, "user has no password", "10 11 ")},
	    {"", EXCHANGE_TRUST, PASS(""), PASS("")},
	    {"pencil", EXCHANGE_TRUST, PASS(""), PASS("")},
	    {"pencil", EXCHANGE_ANY, PASS(""), PASS("")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_login(cases[i].method, true, cases[i].stored, "pencil", &cases[i].right);
		check_login(cases[i].method, true, cases[i].stored, "pencils", &cases[i].wrong);
	}
}

static void users_that_do_not_exist_get_the_same_messages_and_are_refused(void **state)
{
	static const struct {
		enum exchange_method method;
		struct outcome expected;
	} cases[] = {
	    {EXCHANGE_PLAIN, FAIL(WRONG, "no such user", "3 ")},
	    {EXCHANGE_MD5, FAIL(WRONG, "no such user", "5 ")},
	    {EXCHANGE_SCRAM, FAIL(SASL, "no such user", "10 11 ")},
	    {EXCHANGE_TRUST, FAIL("\"trust\" authentication failed", "no such user", "")},
	    {EXCHANGE_ANY, PASS("")},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check_login(cases[i].method, false, NULL, "pencil", &cases[i].expected);
		/* a secret given for a user that does not exist is not looked at */
		check_login(cases[i].method, false, "pencil", "pencil", &cases[i].expected);
	}
}

/* The salt a client of this user is shown. */
static void shown_salt(const char *user, bool exists, const char *stored, struct client *c)
{
	struct secret *secret = stored == NULL ? NULL : secret_new(stored, strlen(stored));
	struct exchange *e = begin(EXCHANGE_SCRAM, user, exists, secret);
	struct str codes;

	assert_non_null(e);
	client_init(c, "guess");
	str_init(&codes, 100);
	assert_int_equal(login(e, c, &codes), EXCHANGE_REFUSED);
	str_fini(&codes);
	client_fini(c);
	exchange_free(e);
	secret_unref(secret);
}

static void mock_salt_is_stable_per_user_and_looks_like_a_real_one(void **state)
{
	struct client a, b, other, real;

	(void)state;
	shown_salt("ghost", false, NULL, &a);
	shown_salt("ghost", false, NULL, &b);
	shown_salt("ghost2", false, NULL, &other);
	shown_salt("ghost", true, "pencil", &real);
	assert_int_equal(a.salt_len, SCRAM_SALT_BYTES);
	assert_int_equal(a.salt_iterations, ITERATIONS);
	assert_memory_equal(a.salt, b.salt, SCRAM_SALT_BYTES);
	assert_memory_not_equal(a.salt, other.salt, SCRAM_SALT_BYTES);
	/* whether a user of that name with a plain password exists cannot be told by the salt */
	assert_int_equal(real.salt_len, a.salt_len);
	assert_int_equal(real.salt_iterations, a.salt_iterations);
	assert_memory_equal(real.salt, a.salt, SCRAM_SALT_BYTES);
}

static void keys_of_a_plain_secret_are_derived_once(void **state)
{
	struct secret *secret = secret_new("pencil", 6);

	(void)state;
	for (int round = 0; round < 2; round++) {
		struct exchange *e = begin(EXCHANGE_SCRAM, "app", true, secret);
		enum exchange_result result;
		struct client c;
		struct str out;

		client_init(&c, "pencil");
		str_init(&out, 1000);
		assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
		for (int step = 0; step < 2; step++) {
			assert_true(client_answer(&c, &out) > 0);
			str_clear(&out);
			result = exchange_take(e, c.answer.data, c.answer.len, &out);
		}
		assert_int_equal(result, round == 0 ? EXCHANGE_NEED_KEYS : EXCHANGE_PASSED);
		if (round == 0)
			assert_int_equal(carry_out(e, &out), EXCHANGE_PASSED);
		str_fini(&out);
		client_fini(&c);
		exchange_free(e);
	}
	secret_unref(secret);
}

static void login_keys_prove_the_password_to_a_server_with_that_verifier(void **state)
{
	struct secret *secret = secret_new(stored_scram, strlen(stored_scram));
	struct exchange *e = begin(EXCHANGE_SCRAM, "app", true, secret);
	const struct scram_keys *keys;
	struct scram_verifier v;
	struct client c;
	struct str codes;

	(void)state;
	client_init(&c, "pencil");
	str_init(&codes, 100);
	assert_int_equal(login(e, &c, &codes), EXCHANGE_PASSED);
	keys = exchange_keys(e);
	assert_true(scram_verifier_from_keys(ctx, keys, &v));
	assert_memory_equal(v.stored_key, secret_verifier(secret)->stored_key, SHA256_BYTES);
	assert_memory_equal(v.server_key, secret_verifier(secret)->server_key, SHA256_BYTES);
	assert_true(scram_salt_same(&keys->salt, &secret_verifier(secret)->salt));
	str_fini(&codes);
	client_fini(&c);
	exchange_free(e);
	secret_unref(secret);
}

/* ---- Single messages ---- */

struct single {
	struct secret *secret;
	struct exchange *e;
	struct str out;
};

static void single_begin(struct single *s, enum exchange_method method, const char *stored)
{
	s->secret = secret_new(stored, strlen(stored));
	s->e = begin(method, "app", true, s->secret);
	assert_non_null(s->e);
	str_init(&s->out, 1u << 20);
	assert_int_equal(exchange_start(s->e, &s->out), EXCHANGE_SEND);
	str_clear(&s->out);
}

static void single_end(struct single *s)
{
	str_fini(&s->out);
	exchange_free(s->e);
	secret_unref(s->secret);
}

/* The refusal that one first message gets. */
static const char *refusal_of(enum exchange_method method, const char *body, size_t len)
{
	struct single s;
	const char *text;

	single_begin(&s, method, "pencil");
	assert_int_equal(exchange_take(s.e, body, len, &s.out), EXCHANGE_REFUSED);
	assert_int_equal(s.out.len, 0);
	text = exchange_refusal_text(exchange_refusal(s.e));
	single_end(&s);
	return text;
}

static void certificates_and_accounts_are_judged_without_a_question(void **state)
{
	static const struct {
		enum exchange_method method;
		bool exists;
		const char *unproven, *text, *detail; /* text NULL: passes */
	} cases[] = {
	    {EXCHANGE_CERT, true, NULL, NULL, NULL},
	    {EXCHANGE_CERT, false, NULL, "certificate authentication failed", "no such user"},
	    {EXCHANGE_CERT, true, "another name", "certificate authentication failed", "another name"},
	    {EXCHANGE_PEER, true, NULL, NULL, NULL},
	    {EXCHANGE_PEER, false, NULL, "unix socket login rejected", "no such user"},
	    {EXCHANGE_PEER, false, "another name", "unix socket login rejected", "another name"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange_setup setup = {.method = cases[i].method,
		                               .user = "ann",
		                               .user_exists = cases[i].exists,
		                               .unproven = cases[i].unproven};
		struct exchange *e = exchange_new(ctx, &setup);
		struct str out;

		assert_non_null(e);
		str_init(&out, 1000);
		assert_int_equal(exchange_start(e, &out), cases[i].text == NULL ? EXCHANGE_PASSED : EXCHANGE_REFUSED);
		assert_int_equal(out.len, 0);
		if (cases[i].text != NULL) {
			assert_string_equal(exchange_refusal_text(exchange_refusal(e)), cases[i].text);
			assert_string_equal(exchange_refusal_detail(e), cases[i].detail);
		}
		exchange_free(e);
		str_fini(&out);
	}
}

static void malformed_passwords_are_refused(void **state)
{
	static const enum exchange_method methods[] = {EXCHANGE_PLAIN, EXCHANGE_MD5};
	char *huge = calloc(1, EXCHANGE_MAX_PASSWORD_BYTES + 2);

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', EXCHANGE_MAX_PASSWORD_BYTES + 1);
	for (int i = 0; i < 2; i++) {
		assert_string_equal(refusal_of(methods[i], "", 0), "failed to parse packet");
		assert_string_equal(refusal_of(methods[i], "pencil", 6), "failed to parse packet");
		assert_string_equal(refusal_of(methods[i], "pencil\0x", 8), "failed to parse packet");
		assert_string_equal(refusal_of(methods[i], "", 1), "empty password returned by client");
		assert_string_equal(refusal_of(methods[i], "md5", 4), WRONG);
		assert_string_equal(refusal_of(methods[i], huge, EXCHANGE_MAX_PASSWORD_BYTES + 2), "password too long");
		huge[EXCHANGE_MAX_PASSWORD_BYTES] = '\0';
		assert_string_equal(refusal_of(methods[i], huge, EXCHANGE_MAX_PASSWORD_BYTES + 1), WRONG);
		huge[EXCHANGE_MAX_PASSWORD_BYTES] = 'x';
	}
	free(huge);
}

static void longest_password_is_accepted(void **state)
{
	char *huge = calloc(1, EXCHANGE_MAX_PASSWORD_BYTES + 1);
	struct outcome pass = PASS("3 ");
	size_t len;

	(void)state;
	assert_non_null(huge);
	memset(huge, 'x', EXCHANGE_MAX_PASSWORD_BYTES);
	check_login(EXCHANGE_PLAIN, true, huge, huge, &pass);
	pass.codes = "10 11 12 ";
	check_login(EXCHANGE_SCRAM, true, huge, huge, &pass);
	len = strlen(huge);
	assert_int_equal(len, 65535);
	free(huge);
}

static void cleartext_password_can_be_used_at_the_server(void **state)
{
	struct single s;
	size_t len = 0;

	(void)state;
	single_begin(&s, EXCHANGE_PLAIN, "pencil");
	assert_null(exchange_password(s.e, &len));
	assert_int_equal(exchange_take(s.e, "pencil", 7, &s.out), EXCHANGE_PASSED);
	assert_string_equal(exchange_password(s.e, &len), "pencil");
	assert_int_equal(len, 6);
	single_end(&s);
	single_begin(&s, EXCHANGE_PLAIN, "pencil");
	assert_int_equal(exchange_take(s.e, "pencils", 8, &s.out), EXCHANGE_REFUSED);
	assert_null(exchange_password(s.e, &len));
	single_end(&s);
}

static void sasl_initial_response_is_read_strictly(void **state)
{
	static const char good[] = "SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=abc";
	static const char mechanism[] = "client selected an invalid SASL authentication mechanism";
	struct single s;

	(void)state;
	for (size_t len = 0; len < sizeof(good) - 1; len++) {
		char *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy, good, len);
		assert_string_equal(refusal_of(EXCHANGE_SCRAM, copy, len), SASL);
		free(copy);
	}
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, good, sizeof(good)), SASL);
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, "SCRAM-SHA-256\0\xff\xff\xff\xff", 18), SASL);
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, "SCRAM-SHA-256\0\x7f\xff\xff\xff", 18), SASL);
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, "SCRAM-SHA-256-PLUS\0\0\0\0\x0bn,,n=,r=abc", 34), mechanism);
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, "\0\0\0\0\0", 5), mechanism);
	/* a second start-up packet's bytes, or a password, in its place */
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, "\0\3\0\0user\0other\0\0", 16), mechanism);
	assert_string_equal(refusal_of(EXCHANGE_SCRAM, "pencil", 7), mechanism);
	single_begin(&s, EXCHANGE_SCRAM, "pencil");
	assert_int_equal(exchange_take(s.e, good, sizeof(good) - 1, &s.out), EXCHANGE_SEND);
	single_end(&s);
}

static void truncated_and_changed_finals_are_refused(void **state)
{
	struct client c;
	struct single s;

	(void)state;
	for (size_t cut = 0;; cut++) {
		size_t len;

		single_begin(&s, EXCHANGE_SCRAM, stored_scram);
		client_init(&c, "pencil");
		message_auth_sasl(&s.out, NULL, SCRAM_MECHANISM);
		assert_int_equal(client_answer(&c, &s.out), AUTH_SASL);
		str_clear(&s.out);
		assert_int_equal(exchange_take(s.e, c.answer.data, c.answer.len, &s.out), EXCHANGE_SEND);
		assert_int_equal(client_answer(&c, &s.out), AUTH_SASL_CONTINUE);
		str_clear(&s.out);
		len = c.answer.len;
		if (cut < len) {
			assert_int_equal(exchange_take(s.e, c.answer.data, cut, &s.out), EXCHANGE_REFUSED);
			assert_string_equal(exchange_refusal_text(exchange_refusal(s.e)), SASL);
			assert_int_equal(s.out.len, 0);
			/* and refused it stays, whatever comes */
			assert_int_equal(exchange_take(s.e, c.answer.data, len, &s.out), EXCHANGE_REFUSED);
		} else {
			assert_int_equal(exchange_take(s.e, c.answer.data, len, &s.out), EXCHANGE_PASSED);
		}
		single_end(&s);
		client_fini(&c);
		if (cut == len)
			break;
	}
}

static void messages_at_a_wrong_time_are_refused(void **state)
{
	struct secret *secret = secret_new("pencil", 6), *scram = secret_new(stored_scram, strlen(stored_scram));
	struct scram_order order = {.done = true};
	struct exchange *e;
	struct str out;

	(void)state;
	str_init(&out, 1000);
	e = begin(EXCHANGE_PLAIN, "app", true, secret); /* before the start */
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_REFUSED);
	exchange_free(e);

	e = begin(EXCHANGE_PLAIN, "app", true, secret); /* started twice */
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_start(e, &out), EXCHANGE_REFUSED);
	exchange_free(e);

	e = begin(EXCHANGE_PLAIN, "app", true, secret); /* again after the end */
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_PASSED);
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_REFUSED);
	exchange_free(e);

	e = begin(EXCHANGE_PLAIN, "app", true, scram); /* while keys are derived */
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_NEED_KEYS);
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_REFUSED);
	assert_int_equal(exchange_resume(e, &order, &out), EXCHANGE_REFUSED);
	exchange_free(e);

	e = begin(EXCHANGE_PLAIN, "app", true, secret); /* keys that nobody asked for */
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_resume(e, &order, &out), EXCHANGE_REFUSED);
	exchange_free(e);

	e = begin(EXCHANGE_PLAIN, "app", true, scram); /* an order that could not be carried out */
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_NEED_KEYS);
	order.done = false;
	assert_int_equal(exchange_resume(e, &order, &out), EXCHANGE_REFUSED);
	assert_string_equal(exchange_refusal_text(exchange_refusal(e)), "out of memory");
	exchange_free(e);

	exchange_free(NULL);
	str_fini(&out);
	secret_unref(secret);
	secret_unref(scram);
}

/* With the mock of a list where `scram_share` of the users have verifiers of 5 iterations and salts of 4 bytes. */
static void check_mock(enum exchange_method method, const char *user, uint32_t scram_share, const char *codes,
                       int iterations, uint32_t salt_len)
{
	struct exchange_setup setup = {.method = method,
	                               .user = user,
	                               .scram_iterations = ITERATIONS,
	                               .mock = {scram_share, 5, 4},
	                               .random = {9, 8, 7}};
	struct exchange *e = exchange_new(ctx, &setup);
	struct client c;
	struct str said;

	assert_non_null(e);
	client_init(&c, "pencil");
	str_init(&said, 100);
	assert_int_equal(login(e, &c, &said), EXCHANGE_REFUSED);
	assert_string_equal(str_text(&said), codes);
	assert_int_equal(c.salt_iterations, iterations);
	assert_int_equal(c.salt_len, salt_len);
	assert_string_equal(exchange_refusal_detail(e), "no such user");
	str_fini(&said);
	client_fini(&c);
	exchange_free(e);
}

static void users_that_do_not_exist_look_like_those_that_do(void **state)
{
	unsigned n_scram = 0;

	(void)state;
	/* nobody has a verifier, everybody has */
	check_mock(EXCHANGE_MD5, "nobody", 0, "5 ", 0, 0);
	check_mock(EXCHANGE_MD5, "nobody", UINT32_MAX, "10 11 ", 5, 4);
	check_mock(EXCHANGE_SCRAM, "nobody", 0, "10 11 ", ITERATIONS, SCRAM_SALT_BYTES);
	check_mock(EXCHANGE_SCRAM, "nobody", UINT32_MAX, "10 11 ", 5, 4);
	check_mock(EXCHANGE_PLAIN, "nobody", UINT32_MAX, "3 ", 0, 0);
	/* a quarter: a quarter of the names, and each the same each time */
	for (int i = 0; i < 400; i++) {
		struct exchange_setup setup = {
		    .method = EXCHANGE_MD5, .scram_iterations = ITERATIONS, .mock = {UINT32_MAX / 4, 5, 4}};
		enum exchange_method first = EXCHANGE_MD5;
		char user[20];

		snprintf(user, sizeof(user), "nobody %d", i);
		setup.user = user;
		for (int again = 0; again < 2; again++) {
			struct exchange *e = exchange_new(ctx, &setup);
			struct str out;

			str_init(&out, 100);
			assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
			if (again == 0)
				first = exchange_method(e);
			assert_int_equal(exchange_method(e), first);
			str_fini(&out);
			exchange_free(e);
		}
		n_scram += first == EXCHANGE_SCRAM;
	}
	assert_in_range(n_scram, 50, 150);
}

static void cleartext_password_of_nobody_costs_a_derivation_like_others(void **state)
{
	struct exchange_setup setup = {.method = EXCHANGE_PLAIN, .user = "nobody", .mock = {UINT32_MAX, 5, 4}};
	struct exchange *e = exchange_new(ctx, &setup);
	struct str out;

	(void)state;
	str_init(&out, 100);
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_NEED_KEYS);
	assert_int_equal(carry_out(e, &out), EXCHANGE_REFUSED);
	assert_string_equal(exchange_refusal_text(exchange_refusal(e)), "password authentication failed");
	exchange_free(e);
	str_fini(&out);
}

static struct exchange *begin_elsewhere(enum exchange_method method, struct ldap_options *ldap)
{
	struct exchange_setup setup = {.method = method, .user = "nobody here", .host = "10.0.0.5", .ldap = ldap};

	return exchange_new(ctx, &setup);
}

static void somebody_else_says_whether_a_password_is_right(void **state)
{
	static const struct {
		enum exchange_method method;
		enum ask_answer answer;
		const char *text; /* NULL: passed */
	} cases[] = {
	    {EXCHANGE_PAM, ASK_YES, NULL},
	    {EXCHANGE_PAM, ASK_NO, "PAM authentication failed"},
	    {EXCHANGE_PAM, ASK_NO_ANSWER, "PAM authentication failed"},
	    {EXCHANGE_LDAP, ASK_YES, NULL},
	    {EXCHANGE_LDAP, ASK_NO, "LDAP authentication failed"},
	};
	struct conf_error why;
	struct ldap_options *ldap = ldap_options_parse("ldapserver=a ldapprefix=b", NULL, 0, &why);
	struct str out;

	(void)state;
	str_init(&out, 1000);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct exchange *e = begin_elsewhere(cases[i].method, ldap);
		struct ask *a;
		size_t len = 0;

		str_clear(&out);
		assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
		assert_int_equal(out.data[8], AUTH_CLEARTEXT);
		assert_null(exchange_take_ask(e)); /* too early */
		assert_int_equal(exchange_take(e, "pencil", 7, &out), EXCHANGE_NEED_ANSWER);
		a = exchange_take_ask(e);
		assert_non_null(a);
		assert_string_equal(a->user, "nobody here");
		assert_string_equal(a->password, "pencil");
		assert_string_equal(a->host, "10.0.0.5");
		assert_int_equal(a->whom, cases[i].method == EXCHANGE_PAM ? ASK_PAM : ASK_LDAP);
		assert_ptr_equal(a->ldap, ldap);
		ask_answer(a, cases[i].answer, "because");
		assert_int_equal(exchange_answered(e, a), cases[i].text == NULL ? EXCHANGE_PASSED : EXCHANGE_REFUSED);
		if (cases[i].text == NULL) {
			assert_string_equal(exchange_password(e, &len), "pencil");
		} else {
			assert_string_equal(exchange_refusal_text(exchange_refusal(e)), cases[i].text);
			assert_string_equal(exchange_refusal_detail(e), "because");
			assert_null(exchange_password(e, &len));
		}
		assert_int_equal(exchange_answered(e, a), EXCHANGE_REFUSED); /* twice */
		ask_free(a);
		exchange_free(e);
	}
	str_fini(&out);
	shared_unref(&ldap->shared);
}

static void empty_passwords_are_refused_before_anybody_is_asked(void **state)
{
	struct exchange *e = begin_elsewhere(EXCHANGE_PAM, NULL);
	struct str out;

	(void)state;
	str_init(&out, 1000);
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	assert_int_equal(exchange_take(e, "", 1, &out), EXCHANGE_REFUSED);
	assert_string_equal(exchange_refusal_text(exchange_refusal(e)), "empty password returned by client");
	assert_null(exchange_take_ask(e));
	exchange_free(e);
	str_fini(&out);
}

static void what_was_there_before_stays_when_a_login_is_refused(void **state)
{
	struct secret *secret = secret_new("pencil", 6);
	struct exchange *e = begin(EXCHANGE_SCRAM, "app", true, secret);
	struct str out;

	(void)state;
	str_init(&out, 1000);
	assert_int_equal(exchange_start(e, &out), EXCHANGE_SEND);
	str_clear(&out);
	str_add_str(&out, "before");
	assert_int_equal(exchange_take(e, "SCRAM-SHA-256\0\0\0\0\x0bn,,n=,r=a,c", 29, &out), EXCHANGE_REFUSED);
	assert_string_equal(str_text(&out), "before");
	str_fini(&out);
	exchange_free(e);
	secret_unref(secret);
}

static void every_failing_allocation_refuses_and_leaks_nothing(void **state)
{
	static const struct {
		const char *stored;
		enum exchange_method method;
	} cases[] = {{"pencil", EXCHANGE_SCRAM},
	             {stored_scram, EXCHANGE_SCRAM},
	             {stored_scram, EXCHANGE_PLAIN},
	             {stored_md5, EXCHANGE_MD5},
	             {"pencil", EXCHANGE_PLAIN}};
	size_t before = mem_blocks;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		enum exchange_result result = EXCHANGE_REFUSED;

		for (size_t n = 1; result != EXCHANGE_PASSED; n++) {
			struct secret *secret = secret_new(cases[i].stored, strlen(cases[i].stored));
			struct exchange *e;
			struct client c;
			struct str codes;

			assert_true(n < 200);
			client_init(&c, "pencil");
			str_init(&codes, 100);
			mem_until_failure = n;
			e = begin(cases[i].method, "app", true, secret);
			if (e != NULL)
				result = login(e, &c, &codes);
			mem_until_failure = 0;
			assert_true(result == EXCHANGE_PASSED || result == EXCHANGE_REFUSED);
			str_fini(&codes);
			client_fini(&c);
			exchange_free(e);
			secret_unref(secret);
			assert_int_equal(mem_blocks, before);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stored_against_asked_is_as_the_matrix_says),
	    cmocka_unit_test(users_that_do_not_exist_get_the_same_messages_and_are_refused),
	    cmocka_unit_test(mock_salt_is_stable_per_user_and_looks_like_a_real_one),
	    cmocka_unit_test(keys_of_a_plain_secret_are_derived_once),
	    cmocka_unit_test(login_keys_prove_the_password_to_a_server_with_that_verifier),
	    cmocka_unit_test(certificates_and_accounts_are_judged_without_a_question),
	    cmocka_unit_test(malformed_passwords_are_refused),
	    cmocka_unit_test(longest_password_is_accepted),
	    cmocka_unit_test(cleartext_password_can_be_used_at_the_server),
	    cmocka_unit_test(sasl_initial_response_is_read_strictly),
	    cmocka_unit_test(truncated_and_changed_finals_are_refused),
	    cmocka_unit_test(messages_at_a_wrong_time_are_refused),
	    cmocka_unit_test(users_that_do_not_exist_look_like_those_that_do),
	    cmocka_unit_test(cleartext_password_of_nobody_costs_a_derivation_like_others),
	    cmocka_unit_test(somebody_else_says_whether_a_password_is_right),
	    cmocka_unit_test(empty_passwords_are_refused_before_anybody_is_asked),
	    cmocka_unit_test(what_was_there_before_stays_when_a_login_is_refused),
	    cmocka_unit_test(every_failing_allocation_refuses_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, make_secrets, free_context);
}
