/* Our login at servers: what is stored against what is asked for, and servers that cheat. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/exchange.h"
#include "auth/md5.h"
#include "auth/prover.h"
#include "base/str.h"
#include "failing_mem.h"
#include "wire/message.h"

static const uint8_t our_random[SCRAM_NONCE_BYTES] = {3, 1, 4};
static struct auth_context *ctx;
static char stored_md5[MD5_SECRET_BYTES + 1];
static char stored_scram[300], other_scram[300], other_salt[300];
static struct scram_keys keys; /* of stored_scram */

static bool make_verifier(uint32_t iterations, uint8_t salt_byte, struct scram_keys *k, char text[300])
{
	struct scram_salt salt = {.iterations = iterations, .len = 4, .bytes = {1, 2, 3, salt_byte}};
	struct scram_verifier v;
	struct str out;

	if (!scram_derive(ctx, "pencil", 6, &salt, k) || !scram_verifier_from_keys(ctx, k, &v))
		return false;
	str_init(&out, 299);
	scram_verifier_write(&v, &out);
	memcpy(text, str_text(&out), out.len + 1);
	str_fini(&out);
	return true;
}

static int make_secrets(void **state)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {7};
	struct scram_keys ignored;

	(void)state;
	ctx = auth_context_new(mock_key);
	if (ctx == NULL || !md5_secret(ctx, "app", "pencil", 6, stored_md5) ||
	    !make_verifier(5, 4, &keys, stored_scram) || !make_verifier(6, 4, &ignored, other_scram) ||
	    !make_verifier(5, 5, &ignored, other_salt))
		return -1;
	return 0;
}

static int free_context(void **state)
{
	(void)state;
	auth_context_free(ctx);
	return mem_blocks == 0 ? 0 : -1;
}

static struct secret *secret_of(const char *text)
{
	return text == NULL ? NULL : secret_new(text, strlen(text));
}

static enum prover_result carry_out(struct prover *p, struct str *out, struct failure *why)
{
	struct scram_order *order = prover_take_order(p);
	enum prover_result result;

	if (order != NULL)
		scram_order_run(ctx, order);
	result = prover_resume(p, order, out, why);
	scram_order_free(order);
	return result;
}

/* The prover reads all messages in `in` (type R each) and its answers come into `out`. */
static enum prover_result feed(struct prover *p, const struct str *in, struct str *out, struct failure *why)
{
	enum prover_result result = PROVER_SEND;
	struct reader r;

	reader_init(&r, str_text(in), in->len);
	while (reader_left(&r) > 0 && result == PROVER_SEND) {
		struct bytes body;

		assert_int_equal(reader_u8(&r), 'R');
		body = reader_bytes(&r, reader_u32(&r) - 4);
		assert_false(r.failed);
		result = prover_take(p, body.data, body.len, out, why);
		if (result == PROVER_NEED_KEYS)
			result = carry_out(p, out, why);
	}
	return result;
}

/* A server that is our own exchange: returns how the prover's login ended. */
static enum prover_result login(struct prover *p, enum exchange_method asks, struct secret *at_server,
                                struct failure *why)
{
	struct exchange_setup setup = {
	    .method = asks, .user = "app", .user_exists = true, .secret = at_server, .scram_iterations = 5};
	struct exchange *e = exchange_new(ctx, &setup);
	enum exchange_result server;
	enum prover_result result = PROVER_FAILED;
	struct str to_us, to_server;

	str_init(&to_us, 1u << 20);
	str_init(&to_server, 1u << 20);
	server = e == NULL ? EXCHANGE_REFUSED : exchange_start(e, &to_us);
	while (server == EXCHANGE_SEND || server == EXCHANGE_PASSED) {
		if (server == EXCHANGE_PASSED)
			message_auth_ok(&to_us);
		if (to_us.failed)
			break;
		str_clear(&to_server);
		result = feed(p, &to_us, &to_server, why);
		if (result != PROVER_SEND)
			break;
		assert_true(to_server.len >= 5 && to_server.data[0] == 'p');
		str_clear(&to_us);
		server = exchange_take(e, to_server.data + 5, to_server.len - 5, &to_us);
		if (server == EXCHANGE_NEED_KEYS) {
			struct scram_order *order = exchange_take_order(e);

			if (order != NULL)
				scram_order_run(ctx, order);
			server = exchange_resume(e, order, &to_us);
			scram_order_free(order);
		}
	}
	if (server == EXCHANGE_REFUSED)
		result = PROVER_SEND; /* the server would send its error now */
	str_fini(&to_us);
	str_fini(&to_server);
	exchange_free(e);
	return result;
}

static void stored_against_asked_is_as_the_matrix_says(void **state)
{
	static const char sasl_text[] = " is stored, the server asks for SCRAM-SHA-256";
	static const struct {
		const char *stored;
		const struct scram_keys *keys;
		enum exchange_method asks;
		const char *at_server; /* what the server knows */
		enum prover_result result;
		enum failure_code code;
		const char *text;
	} cases[] = {
	    {"pencil", NULL, EXCHANGE_TRUST, "pencil", PROVER_DONE, FAILURE_NONE, NULL},
	    {"pencil", NULL, EXCHANGE_PLAIN, "pencil", PROVER_DONE, FAILURE_NONE, NULL},
	    {"pencil", NULL, EXCHANGE_MD5, stored_md5, PROVER_DONE, FAILURE_NONE, NULL},
	    {"pencil", NULL, EXCHANGE_SCRAM, stored_scram, PROVER_DONE, FAILURE_NONE, NULL},
	    {"pencil", &keys, EXCHANGE_SCRAM, stored_scram, PROVER_DONE, FAILURE_NONE, NULL},
	    {"pencil", &keys, EXCHANGE_SCRAM, other_scram, PROVER_DONE, FAILURE_NONE, NULL},
	    {"pencils", NULL, EXCHANGE_PLAIN, "pencil", PROVER_SEND, FAILURE_NONE, NULL},
	    {"pencils", NULL, EXCHANGE_MD5, "pencil", PROVER_SEND, FAILURE_NONE, NULL},
	    {"pencils", NULL, EXCHANGE_SCRAM, "pencil", PROVER_SEND, FAILURE_NONE, NULL},
	    {stored_md5, NULL, EXCHANGE_PLAIN, stored_md5, PROVER_SEND, FAILURE_NONE, NULL}, /* sends the md5 string */
	    {stored_md5, NULL, EXCHANGE_MD5, "pencil", PROVER_DONE, FAILURE_NONE, NULL},
	    {stored_md5, NULL, EXCHANGE_SCRAM, "pencil", PROVER_FAILED, FAILURE_AUTH_SECRET, "an MD5 hash"},
	    {stored_scram, NULL, EXCHANGE_MD5, "pencil", PROVER_FAILED, FAILURE_AUTH_SECRET,
	     "a SCRAM verifier is stored, the server asks for an MD5 password"},
	    {stored_scram, NULL, EXCHANGE_SCRAM, stored_scram, PROVER_FAILED, FAILURE_AUTH_NO_KEYS,
	     "a SCRAM verifier is stored, the server asks for SCRAM-SHA-256"},
	    {stored_scram, &keys, EXCHANGE_SCRAM, stored_scram, PROVER_DONE, FAILURE_NONE, NULL},
	    {stored_scram, &keys, EXCHANGE_SCRAM, other_scram, PROVER_FAILED, FAILURE_AUTH_OTHER_SALT,
	     "another iteration count (5) than the server's (6)"},
	    {stored_scram, &keys, EXCHANGE_SCRAM, other_salt, PROVER_FAILED, FAILURE_AUTH_OTHER_SALT,
	     "another salt than the server's"},
	    {NULL, NULL, EXCHANGE_TRUST, "", PROVER_DONE, FAILURE_NONE, NULL},
	    {NULL, NULL, EXCHANGE_PLAIN, "pencil", PROVER_FAILED, FAILURE_AUTH_NO_PASSWORD, "a password"},
	    {NULL, NULL, EXCHANGE_MD5, "pencil", PROVER_FAILED, FAILURE_AUTH_NO_PASSWORD, "an MD5 password"},
	    {"", NULL, EXCHANGE_SCRAM, "pencil", PROVER_FAILED, FAILURE_AUTH_NO_PASSWORD, "SCRAM-SHA-256"},
	    {NULL, &keys, EXCHANGE_SCRAM, stored_scram, PROVER_DONE, FAILURE_NONE, NULL},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct secret *ours = secret_of(cases[i].stored), *theirs = secret_of(cases[i].at_server);
		struct credentials with = {.user = "app", .secret = ours, .keys = cases[i].keys};
		struct prover *p = prover_new(ctx, &with, our_random);
		struct failure why;

		failure_init(&why);
		assert_non_null(p);
		assert_int_equal(login(p, cases[i].asks, theirs, &why), cases[i].result);
		assert_int_equal(why.code, cases[i].code);
		if (cases[i].result == PROVER_FAILED) {
			assert_int_equal(why.phase, PHASE_AUTH);
			assert_int_equal(why.domain, DOMAIN_POOLER);
			assert_non_null(strstr(why.text, cases[i].text));
			if (cases[i].asks == EXCHANGE_SCRAM && cases[i].code == FAILURE_AUTH_SECRET &&
			    cases[i].keys == NULL)
				assert_non_null(strstr(why.text, sasl_text));
		}
		assert_int_equal(prover_keys(p) != NULL,
		                 cases[i].result == PROVER_DONE && cases[i].asks == EXCHANGE_SCRAM);
		failure_fini(&why);
		prover_free(p);
		secret_unref(ours);
		secret_unref(theirs);
	}
}

static void cleartext_sends_what_is_stored_as_it_is(void **state)
{
	const char *const stored[] = {"pencil", stored_md5, stored_scram};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct secret *ours = secret_of(stored[i]);
		struct credentials with = {.user = "app", .secret = ours};
		struct prover *p = prover_new(ctx, &with, our_random);
		struct failure why;
		struct str out;

		failure_init(&why);
		str_init(&out, 1000);
		assert_int_equal(prover_take(p, "\0\0\0\3", 4, &out, &why), PROVER_SEND);
		assert_int_equal(out.len, 5 + strlen(stored[i]) + 1);
		assert_string_equal(out.data + 5, stored[i]);
		assert_int_equal(prover_take(p, "\0\0\0\0", 4, &out, &why), PROVER_DONE);
		str_fini(&out);
		prover_free(p);
		secret_unref(ours);
	}
}

static void keys_of_one_login_save_the_next_the_derivation(void **state)
{
	struct secret *ours = secret_of("pencil"), *theirs = secret_of(stored_scram);
	struct credentials with = {.user = "app", .secret = ours};
	struct prover *first = prover_new(ctx, &with, our_random), *second;
	struct failure why;

	(void)state;
	failure_init(&why);
	assert_int_equal(login(first, EXCHANGE_SCRAM, theirs, &why), PROVER_DONE);
	with.secret = NULL; /* the keys alone do */
	with.keys = prover_keys(first);
	second = prover_new(ctx, &with, our_random);
	prover_free(first);
	assert_int_equal(login(second, EXCHANGE_SCRAM, theirs, &why), PROVER_DONE);
	prover_free(second);
	secret_unref(ours);
	secret_unref(theirs);
}

/* ---- Servers that do something else ---- */

struct step {
	const char *body;
	size_t len;
};

/* Feeds bodies one after the other to a prover with a plain password; the last one must fail. */
static void check_failure(const struct step *steps, size_t n, enum failure_code code, const char *text)
{
	struct secret *ours = secret_of("pencil");
	struct credentials with = {.user = "app", .secret = ours};
	struct prover *p = prover_new(ctx, &with, our_random);
	struct failure why;
	struct str out;

	failure_init(&why);
	str_init(&out, 1000);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(prover_take(p, steps[i].body, steps[i].len, &out, &why),
		                 i + 1 == n ? PROVER_FAILED : PROVER_SEND);
	assert_int_equal(why.code, code);
	assert_string_equal(why.text, text);
	/* and failed it stays */
	assert_int_equal(prover_take(p, "\0\0\0\0", 4, &out, &why), PROVER_FAILED);
	failure_fini(&why);
	str_fini(&out);
	prover_free(p);
	secret_unref(ours);
}

#define STEP(literal)                                                                                                  \
	{                                                                                                              \
		literal, sizeof(literal) - 1                                                                           \
	}
#define MECHANISMS STEP("\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0")

static void methods_we_do_not_know_are_named(void **state)
{
	static const struct {
		struct step step;
		const char *text;
	} cases[] = {
	    {STEP("\0\0\0\2"), "Kerberos V5"},
	    {STEP("\0\0\0\4sa"), "crypt"},
	    {STEP("\0\0\0\6"), "SCM credentials"},
	    {STEP("\0\0\0\7"), "GSSAPI"},
	    {STEP("\0\0\0\x08xyz"), "GSSAPI"},
	    {STEP("\0\0\0\x09"), "SSPI"},
	    {STEP("\0\0\0\x0d"), "number 13"},
	    {STEP("\xff\xff\xff\xff"), "number 4294967295"},
	    {STEP("\0\0\0\x0aOAUTHBEARER\0\0"), "SASL OAUTHBEARER"},
	    {STEP("\0\0\0\x0aSCRAM-SHA-256-PLUS\0X\ny\0\0"), "SASL SCRAM-SHA-256-PLUS, X?y"},
	    {STEP("\0\0\0\x0a\0"), "SASL"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_failure(&cases[i].step, 1, FAILURE_AUTH_METHOD, cases[i].text);
}

static void malformed_requests_are_refused(void **state)
{
	static const struct {
		struct step step;
		const char *text;
	} cases[] = {
	    {STEP(""), "malformed Authentication message"},
	    {STEP("\0\0\0"), "malformed Authentication message"},
	    {STEP("\0\0\0\0x"), "malformed AuthenticationOk"},
	    {STEP("\0\0\0\3x"), "malformed request for a password"},
	    {STEP("\0\0\0\5sal"), "malformed request for an MD5 password"},
	    {STEP("\0\0\0\5salts"), "malformed request for an MD5 password"},
	    {STEP("\0\0\0\x0a"), "malformed list of SASL mechanisms"},
	    {STEP("\0\0\0\x0aSCRAM-SHA-256\0"), "malformed list of SASL mechanisms"},
	    {STEP("\0\0\0\x0aSCRAM-SHA-256"), "malformed list of SASL mechanisms"},
	    {STEP("\0\0\0\x0aSCRAM-SHA-256\0\0x"), "malformed list of SASL mechanisms"},
	    {STEP("\0\0\0\x0br=x"), "SASL message before the list of mechanisms"},
	    {STEP("\0\0\0\x0cv=x"), "SASL message before the list of mechanisms"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_failure(&cases[i].step, 1, FAILURE_PROTOCOL, cases[i].text);
}

static void servers_that_change_their_mind_are_refused(void **state)
{
	static const struct step ok_too_early[] = {MECHANISMS, STEP("\0\0\0\0")};
	static const struct step password_after_sasl[] = {MECHANISMS, STEP("\0\0\0\3")};
	static const struct step sasl_twice[] = {MECHANISMS, MECHANISMS};
	static const struct step final_too_early[] = {MECHANISMS, STEP("\0\0\0\x0cv=x")};
	static const struct step password_twice[] = {STEP("\0\0\0\3"), STEP("\0\0\0\3")};
	static const struct step password_after_md5[] = {STEP("\0\0\0\5salt"), STEP("\0\0\0\3")};
	static const struct step foreign_nonce[] = {MECHANISMS, STEP("\0\0\0\x0br=x,s=AAAA,i=4096")};

	(void)state;
	check_failure(ok_too_early, 2, FAILURE_AUTH_SERVER, "AuthenticationOk before the end of SCRAM");
	check_failure(password_after_sasl, 2, FAILURE_PROTOCOL, "Authentication message at a wrong time");
	check_failure(sasl_twice, 2, FAILURE_PROTOCOL, "Authentication message at a wrong time");
	check_failure(final_too_early, 2, FAILURE_PROTOCOL, "Authentication message at a wrong time");
	check_failure(password_twice, 2, FAILURE_PROTOCOL, "Authentication message at a wrong time");
	check_failure(password_after_md5, 2, FAILURE_PROTOCOL, "Authentication message at a wrong time");
	check_failure(foreign_nonce, 2, FAILURE_PROTOCOL, "server's SCRAM nonce does not continue ours");
}

/* A server that knows only the StoredKey: it can check us but not prove itself, or skips that part. */
static void server_that_cannot_prove_itself_is_refused(void **state)
{
	static const char challenge_tail[] = "abc,s=AQIDBA==,i=5";
	static const char *const finals[] = {"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "e=other-error", NULL};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct secret *ours = secret_of("pencil");
		struct credentials with = {.user = "app", .secret = ours};
		struct prover *p = prover_new(ctx, &with, our_random);
		struct failure why;
		struct str out, body;
		const char *nonce;

		failure_init(&why);
		str_init(&out, 1000);
		str_init(&body, 1000);
		assert_int_equal(prover_take(p, "\0\0\0\x0aSCRAM-SHA-256\0\0", 19, &out, &why), PROVER_SEND);
		nonce = out.data + out.len - 24;
		message_u32(&body, AUTH_SASL_CONTINUE);
		str_add_str(&body, "r=");
		str_add(&body, nonce, 24);
		str_add_str(&body, challenge_tail);
		assert_int_equal(prover_take(p, body.data, body.len, &out, &why), PROVER_NEED_KEYS);
		/* nothing may come while keys are derived, and then they are not wanted any more */
		assert_int_equal(carry_out(p, &out, &why), PROVER_SEND);
		str_clear(&body);
		message_u32(&body, finals[i] == NULL ? AUTH_OK : AUTH_SASL_FINAL);
		str_add_str(&body, finals[i] == NULL ? "" : finals[i]);
		assert_int_equal(prover_take(p, body.data, body.len, &out, &why), PROVER_FAILED);
		assert_int_equal(why.code, FAILURE_AUTH_SERVER);
		assert_null(prover_keys(p));
		failure_fini(&why);
		str_fini(&out);
		str_fini(&body);
		prover_free(p);
		secret_unref(ours);
	}
}

static void too_many_iterations_are_refused_before_any_work(void **state)
{
	struct secret *ours = secret_of("pencil");
	struct credentials with = {.user = "app", .secret = ours};
	struct prover *p = prover_new(ctx, &with, our_random);
	struct failure why;
	struct str out, body;

	(void)state;
	failure_init(&why);
	str_init(&out, 1000);
	str_init(&body, 1000);
	assert_int_equal(prover_take(p, "\0\0\0\x0aSCRAM-SHA-256\0\0", 19, &out, &why), PROVER_SEND);
	message_u32(&body, AUTH_SASL_CONTINUE);
	str_add_str(&body, "r=");
	str_add(&body, out.data + out.len - 24, 24);
	str_add_str(&body, "abc,s=AQIDBA==,i=1000001");
	assert_int_equal(prover_take(p, body.data, body.len, &out, &why), PROVER_FAILED);
	assert_string_equal(why.text, "server asks for more than 1000000 SCRAM iterations");
	failure_fini(&why);
	str_fini(&out);
	str_fini(&body);
	prover_free(p);
	prover_free(NULL);
	secret_unref(ours);
}

static void keys_that_nobody_asked_for_are_refused(void **state)
{
	struct credentials with = {.user = "app"};
	struct prover *p = prover_new(ctx, &with, our_random);
	struct scram_order order = {.done = true};
	struct failure why;
	struct str out;

	(void)state;
	failure_init(&why);
	str_init(&out, 1000);
	assert_int_equal(prover_resume(p, &order, &out, &why), PROVER_FAILED);
	str_fini(&out);
	prover_free(p);
}

static void every_failing_allocation_ends_the_login_and_leaks_nothing(void **state)
{
	static const struct {
		const char *stored, *at_server;
		enum exchange_method asks;
	} cases[] = {{"pencil", stored_scram, EXCHANGE_SCRAM}, {"pencil", stored_md5, EXCHANGE_MD5}};
	size_t before = mem_blocks;

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		enum prover_result result = PROVER_FAILED;

		for (size_t n = 1; result != PROVER_DONE; n++) {
			struct secret *ours = secret_of(cases[i].stored), *theirs = secret_of(cases[i].at_server);
			struct credentials with = {.user = "app", .secret = ours};
			struct failure why;
			struct prover *p;

			assert_true(n < 200);
			failure_init(&why);
			mem_until_failure = n;
			p = prover_new(ctx, &with, our_random);
			if (p != NULL)
				result = login(p, cases[i].asks, theirs, &why);
			mem_until_failure = 0;
			failure_fini(&why);
			prover_free(p);
			secret_unref(ours);
			secret_unref(theirs);
			assert_int_equal(mem_blocks, before);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stored_against_asked_is_as_the_matrix_says),
	    cmocka_unit_test(cleartext_sends_what_is_stored_as_it_is),
	    cmocka_unit_test(keys_of_one_login_save_the_next_the_derivation),
	    cmocka_unit_test(methods_we_do_not_know_are_named),
	    cmocka_unit_test(malformed_requests_are_refused),
	    cmocka_unit_test(servers_that_change_their_mind_are_refused),
	    cmocka_unit_test(server_that_cannot_prove_itself_is_refused),
	    cmocka_unit_test(too_many_iterations_are_refused_before_any_work),
	    cmocka_unit_test(keys_that_nobody_asked_for_are_refused),
	    cmocka_unit_test(every_failing_allocation_ends_the_login_and_leaks_nothing),
	};

	return cmocka_run_group_tests(tests, make_secrets, free_context);
}
