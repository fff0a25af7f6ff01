/* SCRAM-SHA-256: the example of RFC 7677, both sides against each other, every field malformed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "auth/scram.h"
#include "base/base64.h"

/* RFC 7677, section 3 */
#define CLIENT_NONCE "rOprNGfwEbeRWgbNEkqO"
#define NONCE CLIENT_NONCE "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT "W22ZaJ0SNY7soEsUEjb6gQ=="
#define CLIENT_BARE "n=user,r=" CLIENT_NONCE
#define SERVER_FIRST "r=" NONCE ",s=" SALT ",i=4096"
#define CLIENT_FINAL "c=biws,r=" NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define SERVER_FINAL "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static const uint8_t client_random[SCRAM_NONCE_BYTES] = {1, 2, 3}, server_random[SCRAM_NONCE_BYTES] = {4, 5, 6};
static struct auth_context *ctx;
static struct scram_keys pencil; /* for SALT, 4096 */
static struct scram_verifier verifier;

static int derive_pencil(void **state)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {7};
	struct scram_salt salt = {.iterations = 4096};
	size_t len;

	(void)state;
	ctx = auth_context_new(mock_key);
	if (ctx == NULL || !base64_read(SALT, strlen(SALT), salt.bytes, sizeof(salt.bytes), &len))
		return -1;
	salt.len = (uint32_t)len;
	if (!scram_derive(ctx, "pencil", 6, &salt, &pencil) || !scram_verifier_from_keys(ctx, &pencil, &verifier))
		return -1;
	return 0;
}

static int free_context(void **state)
{
	(void)state;
	auth_context_free(ctx);
	return 0;
}

static void set(struct str *s, const char *text)
{
	str_clear(s);
	str_add_str(s, text);
}

/* A server in the middle of the example. */
static void rfc_server(struct scram_server *s)
{
	scram_server_init(s);
	set(&s->auth_message, CLIENT_BARE "," SERVER_FIRST);
	set(&s->nonce, NONCE);
	set(&s->binding, "n,,");
}

static void server_side_of_the_rfc_example(void **state)
{
	struct scram_server s;
	struct scram_keys keys;
	struct str out;

	(void)state;
	rfc_server(&s);
	str_init(&out, 1000);
	assert_int_equal(scram_server_read_final(&s, CLIENT_FINAL, strlen(CLIENT_FINAL)), SCRAM_GOOD);
	assert_int_equal(scram_server_check(&s, ctx, &verifier, &out, &keys), SCRAM_GOOD);
	assert_string_equal(str_text(&out), SERVER_FINAL);
	assert_memory_equal(keys.client_key, pencil.client_key, SHA256_BYTES);
	assert_memory_equal(keys.server_key, pencil.server_key, SHA256_BYTES);
	assert_true(scram_salt_same(&keys.salt, &pencil.salt));
	str_fini(&out);
	scram_server_fini(&s);
}

static void client_side_of_the_rfc_example(void **state)
{
	struct scram_client c;
	struct scram_salt salt;
	struct str out;

	(void)state;
	scram_client_init(&c);
	str_init(&out, 1000);
	set(&c.auth_message, CLIENT_BARE);
	set(&c.nonce, CLIENT_NONCE);
	assert_int_equal(scram_client_read_first(&c, SERVER_FIRST, strlen(SERVER_FIRST), &salt), SCRAM_GOOD);
	assert_true(scram_salt_same(&salt, &pencil.salt));
	assert_int_equal(scram_client_final(&c, ctx, &pencil, &out), SCRAM_GOOD);
	assert_string_equal(str_text(&out), CLIENT_FINAL);
	assert_int_equal(scram_client_check(&c, SERVER_FINAL, strlen(SERVER_FINAL)), SCRAM_GOOD);
	str_fini(&out);
	scram_client_fini(&c);
}

static void verifier_survives_writing_and_reading(void **state)
{
	struct scram_verifier back;
	struct str out;

	(void)state;
	str_init(&out, 1000);
	scram_verifier_write(&verifier, &out);
	assert_string_equal(str_text(&out), "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
	                                    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
	                                    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=");
	assert_true(scram_verifier_parse(&back, out.data, out.len));
	assert_memory_equal(&back, &verifier, sizeof(back));
	for (size_t len = 0; len < out.len; len++)
		assert_false(scram_verifier_parse(&back, out.data, len));
	str_fini(&out);
}

/* Both sides; false if either refuses. `server_v` and `keys` are what each of them has. */
static bool talk(const struct scram_verifier *server_v, const struct scram_keys *keys, struct scram_keys *seen)
{
	struct scram_client c;
	struct scram_server s;
	struct scram_salt salt;
	struct str to_server, to_client;
	bool ok;

	scram_client_init(&c);
	scram_server_init(&s);
	str_init(&to_server, 1000);
	str_init(&to_client, 1000);
	ok = scram_client_first(&c, client_random, &to_server) == SCRAM_GOOD &&
	     scram_server_first(&s, to_server.data, to_server.len, NULL, NULL, 0, server_random, &server_v->salt,
	                        &to_client) == SCRAM_GOOD &&
	     scram_client_read_first(&c, to_client.data, to_client.len, &salt) == SCRAM_GOOD;
	assert_true(ok && scram_salt_same(&salt, &server_v->salt));
	str_clear(&to_server);
	str_clear(&to_client);
	ok = scram_client_final(&c, ctx, keys, &to_server) == SCRAM_GOOD &&
	     scram_server_read_final(&s, to_server.data, to_server.len) == SCRAM_GOOD &&
	     scram_server_check(&s, ctx, server_v, &to_client, seen) == SCRAM_GOOD &&
	     scram_client_check(&c, to_client.data, to_client.len) == SCRAM_GOOD;
	str_fini(&to_server);
	str_fini(&to_client);
	scram_client_fini(&c);
	scram_server_fini(&s);
	return ok;
}

static void both_sides_agree_and_the_keys_pass_through(void **state)
{
	struct scram_keys seen;

	(void)state;
	assert_true(talk(&verifier, &pencil, &seen));
	/* what the server learned logs in elsewhere */
	assert_true(talk(&verifier, &seen, &seen));
}

static void every_wrong_key_is_noticed(void **state)
{
	struct scram_verifier v = verifier;
	struct scram_keys keys = pencil, seen;

	(void)state;
	keys.client_key[31] ^= 1;
	assert_false(talk(&verifier, &keys, &seen));
	v.stored_key[0] ^= 1;
	assert_false(talk(&v, &pencil, &seen));
	v = verifier;
	v.server_key[0] ^= 1; /* the client must notice */
	assert_false(talk(&v, &pencil, &seen));
}

static enum scram_result first_result(const char *msg, size_t len, const char *binding)
{
	struct scram_server s;
	enum scram_result result;
	struct str out;

	scram_server_init(&s);
	str_init(&out, 100000);
	result = scram_server_first(&s, msg, len, binding, "bound", binding == NULL ? 0 : 5, server_random,
	                            &verifier.salt, &out);
	if (result == SCRAM_MALFORMED)
		assert_true(strlen(s.why) > 0 && out.len == 0);
	str_fini(&out);
	scram_server_fini(&s);
	return result;
}

static void client_first_is_read_strictly(void **state)
{
	static const struct {
		const char *msg;
		enum scram_result result;
	} cases[] = {
	    {"n,,n=,r=abc", SCRAM_GOOD},
	    {"y,,n=,r=abc", SCRAM_GOOD},
	    {"n,,n=user,r=abc", SCRAM_GOOD},
	    {"n,,n=*,r=a,x=ext", SCRAM_GOOD},
	    {"n,,n=,r=abc,m=must", SCRAM_MALFORMED},
	    {"n,,m=must,n=,r=abc", SCRAM_MALFORMED},
	    {"n,,n=,r=", SCRAM_MALFORMED},
	    {"n,,n=,r=a b", SCRAM_MALFORMED},
	    {"n,,n=,r=a\x7f", SCRAM_MALFORMED},
	    {"n,,n=,r=a\xc3\xa9", SCRAM_MALFORMED},
	    {"n,,n=,r=abc,", SCRAM_MALFORMED},
	    {"n,,n=,r=abc,x", SCRAM_MALFORMED},
	    {"n,,n=,r=abc,1=x", SCRAM_MALFORMED},
	    {"n,,n=", SCRAM_MALFORMED},
	    {"n,,r=abc", SCRAM_MALFORMED},
	    {"n,,r=abc,n=", SCRAM_MALFORMED},
	    {"n,,", SCRAM_MALFORMED},
	    {"n,a=other,n=,r=abc", SCRAM_MALFORMED},
	    {"p=tls-server-end-point,,n=,r=abc", SCRAM_MALFORMED},
	    {"p=,,n=,r=abc", SCRAM_MALFORMED},
	    {"x,,n=,r=abc", SCRAM_MALFORMED},
	    {"nn,,n=,r=abc", SCRAM_MALFORMED},
	    {",,n=,r=abc", SCRAM_MALFORMED},
	    {"n,n=,r=abc", SCRAM_MALFORMED},
	    {"n=,r=abc", SCRAM_MALFORMED},
	    {"", SCRAM_MALFORMED},
	    {",", SCRAM_MALFORMED},
	    {"n", SCRAM_MALFORMED},
	};
	char *huge = malloc(20000);

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(first_result(cases[i].msg, strlen(cases[i].msg), NULL), cases[i].result);
	assert_int_equal(first_result("n,,n=,r=a\0c", 11, NULL), SCRAM_MALFORMED);
	assert_non_null(huge);
	memset(huge, 'a', 20000);
	memcpy(huge, "n,,n=,r=", 8);
	assert_int_equal(first_result(huge, 16384, NULL), SCRAM_GOOD);
	assert_int_equal(first_result(huge, 16385, NULL), SCRAM_MALFORMED);
	free(huge);
}

static void channel_binding_must_be_the_one_that_was_chosen(void **state)
{
	static const char good[] = "p=tls-server-end-point,,n=,r=abc";

	(void)state;
	assert_int_equal(first_result(good, strlen(good), "tls-server-end-point"), SCRAM_GOOD);
	assert_int_equal(first_result(good, strlen(good), "tls-unique"), SCRAM_MALFORMED);
	assert_int_equal(first_result("n,,n=,r=abc", 11, "tls-server-end-point"), SCRAM_MALFORMED);
	assert_int_equal(first_result("y,,n=,r=abc", 11, "tls-server-end-point"), SCRAM_MALFORMED);
}

/* A login of a client that binds to `mine` at a server whose connection is `theirs`. */
static enum scram_result login_bound(const char *mine, const char *theirs, bool offered)
{
	struct scram_verifier v;
	struct scram_salt salt;
	struct scram_client c;
	struct scram_server s;
	struct scram_keys keys;
	struct str text;
	enum scram_result result;

	assert_true(scram_verifier_from_keys(ctx, &pencil, &v));
	scram_client_init(&c);
	scram_server_init(&s);
	s.offered_binding = offered;
	str_init(&text, 10000);
	scram_client_bind(&c, mine, strlen(mine));
	assert_int_equal(scram_client_first(&c, client_random, &text), SCRAM_GOOD);
	assert_memory_equal(text.data, mine[0] == '\0' ? "y,,n=," : "p=tls-server-end-point,,n=,",
	                    mine[0] == '\0' ? 6 : 27);
	result = scram_server_first(&s, text.data, text.len, theirs == NULL ? NULL : SCRAM_BINDING_NAME, theirs,
	                            theirs == NULL ? 0 : strlen(theirs), server_random, &v.salt, &text);
	if (result == SCRAM_GOOD) {
		/* the answer stands behind the question */
		const char *answer = strstr(text.data, "r=") + 2;

		answer = strstr(answer, "r=");
		assert_int_equal(scram_client_read_first(&c, answer, strlen(answer), &salt), SCRAM_GOOD);
		str_clear(&text);
		assert_int_equal(scram_client_final(&c, ctx, &pencil, &text), SCRAM_GOOD);
		result = scram_server_read_final(&s, text.data, text.len);
	}
	if (result == SCRAM_GOOD) {
		str_clear(&text);
		result = scram_server_check(&s, ctx, &v, &text, &keys);
	}
	if (result == SCRAM_GOOD)
		result = scram_client_check(&c, text.data, text.len);
	str_fini(&text);
	scram_client_fini(&c);
	scram_server_fini(&s);
	return result;
}

static void a_login_may_be_bound_to_its_connection(void **state)
{
	(void)state;
	assert_int_equal(login_bound("certificate", "certificate", true), SCRAM_GOOD);
	assert_int_equal(login_bound("certificate", "another one", true), SCRAM_MALFORMED);
	assert_int_equal(login_bound("certificate", NULL, true), SCRAM_MALFORMED);
	assert_int_equal(login_bound("", "certificate", true), SCRAM_MALFORMED);
	assert_int_equal(login_bound("", NULL, false), SCRAM_GOOD);
	/* it could have been bound and was told that it cannot: somebody has left that out of the list */
	assert_int_equal(login_bound("", NULL, true), SCRAM_MALFORMED);
}

static void bound_bytes_are_part_of_the_comparison(void **state)
{
	static const char first[] = "p=x,,n=,r=abc";
	struct scram_server s;
	struct str out, final;

	(void)state;
	for (int wrong = 0; wrong < 2; wrong++) {
		scram_server_init(&s);
		str_init(&out, 1000);
		str_init(&final, 1000);
		assert_int_equal(
		    scram_server_first(&s, first, strlen(first), "x", "bound", 5, server_random, &verifier.salt, &out),
		    SCRAM_GOOD);
		str_add_str(&final, "c=");
		base64_write(&final, wrong ? "p=x,,bounD" : "p=x,,bound", 10);
		str_printf(&final, ",r=%s,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", str_text(&s.nonce));
		assert_int_equal(scram_server_read_final(&s, final.data, final.len),
		                 wrong ? SCRAM_MALFORMED : SCRAM_GOOD);
		str_fini(&out);
		str_fini(&final);
		scram_server_fini(&s);
	}
}

static enum scram_result final_result(const char *msg, size_t len)
{
	struct scram_server s;
	enum scram_result result;
	struct scram_keys keys;
	struct str out;

	rfc_server(&s);
	str_init(&out, 1000);
	result = scram_server_read_final(&s, msg, len);
	if (result == SCRAM_GOOD)
		result = scram_server_check(&s, ctx, &verifier, &out, &keys);
	str_fini(&out);
	scram_server_fini(&s);
	return result;
}

#define PROOF "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="

static void client_final_is_read_strictly(void **state)
{
	static const struct {
		const char *msg;
		enum scram_result result;
	} cases[] = {
	    {CLIENT_FINAL, SCRAM_GOOD},
	    {"c=biws,r=" NONCE ",x=y,p=" PROOF, SCRAM_WRONG}, /* extensions are part of what is proven */
	    {"c=biws,r=" NONCE ",m=y,p=" PROOF, SCRAM_MALFORMED},
	    {"c=biws,p=" PROOF, SCRAM_MALFORMED}, /* no nonce */
	    {"c=biws,r=,p=" PROOF, SCRAM_MALFORMED},
	    {"c=biws,r=" CLIENT_NONCE ",p=" PROOF, SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE "x,p=" PROOF, SCRAM_MALFORMED},
	    {"c=eSws,r=" NONCE ",p=" PROOF, SCRAM_MALFORMED}, /* "y,," */
	    {"c=biw=,r=" NONCE ",p=" PROOF, SCRAM_MALFORMED},
	    {"c=,r=" NONCE ",p=" PROOF, SCRAM_MALFORMED},
	    {"r=" NONCE ",p=" PROOF, SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE, SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p=", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p=AAAA", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p=" PROOF "AAAA", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p=" PROOF ",x=y", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p=" PROOF ",", SCRAM_MALFORMED},
	    {"c=biws,r=" NONCE ",p=eHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=", SCRAM_WRONG},
	    {"", SCRAM_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(final_result(cases[i].msg, strlen(cases[i].msg)), cases[i].result);
	assert_int_equal(final_result(CLIENT_FINAL, strlen(CLIENT_FINAL) + 1), SCRAM_MALFORMED); /* a NUL at the end */
}

static void no_changed_or_missing_byte_lets_anybody_in(void **state)
{
	char changed[sizeof(CLIENT_FINAL)];

	(void)state;
	for (size_t len = 0; len < strlen(CLIENT_FINAL); len++) {
		char *copy = malloc(len + 1);

		assert_non_null(copy);
		memcpy(copy, CLIENT_FINAL, len);
		assert_int_not_equal(final_result(copy, len), SCRAM_GOOD);
		free(copy);
	}
	for (size_t i = 0; i < strlen(CLIENT_FINAL); i++) {
		memcpy(changed, CLIENT_FINAL, sizeof(changed));
		changed[i] = changed[i] == 'x' ? 'y' : 'x';
		assert_int_not_equal(final_result(changed, strlen(CLIENT_FINAL)), SCRAM_GOOD);
	}
}

static enum scram_result challenge_result(const char *msg, size_t len)
{
	struct scram_client c;
	struct scram_salt salt;
	enum scram_result result;

	scram_client_init(&c);
	set(&c.auth_message, CLIENT_BARE);
	set(&c.nonce, CLIENT_NONCE);
	result = scram_client_read_first(&c, msg, len, &salt);
	if (result == SCRAM_MALFORMED)
		assert_true(strlen(c.why) > 0);
	scram_client_fini(&c);
	return result;
}

static void server_first_is_read_strictly(void **state)
{
	static const struct {
		const char *msg;
		enum scram_result result;
	} cases[] = {
	    {SERVER_FIRST, SCRAM_GOOD},
	    {SERVER_FIRST ",x=y", SCRAM_GOOD},
	    {SERVER_FIRST ",m=y", SCRAM_MALFORMED},
	    {SERVER_FIRST ",", SCRAM_MALFORMED},
	    {"m=x," SERVER_FIRST, SCRAM_MALFORMED},
	    {"r=" CLIENT_NONCE ",s=" SALT ",i=4096", SCRAM_MALFORMED}, /* nothing of the server's own */
	    {"r=x" NONCE ",s=" SALT ",i=4096", SCRAM_MALFORMED},
	    {"r=,s=" SALT ",i=4096", SCRAM_MALFORMED},
	    {"r=" NONCE ",i=4096", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=,i=4096", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=W22,i=4096", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT, SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=0", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=-1", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=04096", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=4096x", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=1", SCRAM_GOOD},
	    {"r=" NONCE ",s=" SALT ",i=1000000", SCRAM_GOOD},
	    {"r=" NONCE ",s=" SALT ",i=1000001", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=4294967296", SCRAM_MALFORMED},
	    {"r=" NONCE ",s=" SALT ",i=99999999999999999999", SCRAM_MALFORMED},
	    {"e=other-error", SCRAM_MALFORMED},
	    {"", SCRAM_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(challenge_result(cases[i].msg, strlen(cases[i].msg)), cases[i].result);
}

static void salts_of_any_usual_length_are_taken(void **state)
{
	uint8_t bytes[SCRAM_MAX_SALT_BYTES + 1] = {0};
	struct str msg;

	(void)state;
	str_init(&msg, 1000);
	for (size_t len = 1; len <= sizeof(bytes); len++) {
		set(&msg, "r=" NONCE ",s=");
		base64_write(&msg, bytes, len);
		str_add_str(&msg, ",i=4096");
		assert_int_equal(challenge_result(msg.data, msg.len),
		                 len <= SCRAM_MAX_SALT_BYTES ? SCRAM_GOOD : SCRAM_MALFORMED);
	}
	str_fini(&msg);
}

static void server_final_is_read_strictly(void **state)
{
	static const struct {
		const char *msg;
		enum scram_result result;
	} cases[] = {
	    {SERVER_FINAL, SCRAM_GOOD},
	    {SERVER_FINAL ",x=y", SCRAM_GOOD},
	    {"v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", SCRAM_WRONG},
	    {"e=invalid-proof", SCRAM_WRONG},
	    {"v=", SCRAM_MALFORMED},
	    {"v=AAAA", SCRAM_MALFORMED},
	    {"x=y", SCRAM_MALFORMED},
	    {SERVER_FINAL ",", SCRAM_MALFORMED},
	    {"", SCRAM_MALFORMED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scram_client c;
		struct scram_salt salt;
		struct str out;

		scram_client_init(&c);
		str_init(&out, 1000);
		set(&c.auth_message, CLIENT_BARE);
		set(&c.nonce, CLIENT_NONCE);
		assert_int_equal(scram_client_read_first(&c, SERVER_FIRST, strlen(SERVER_FIRST), &salt), SCRAM_GOOD);
		assert_int_equal(scram_client_final(&c, ctx, &pencil, &out), SCRAM_GOOD);
		assert_int_equal(scram_client_check(&c, cases[i].msg, strlen(cases[i].msg)), cases[i].result);
		str_fini(&out);
		scram_client_fini(&c);
	}
}

static void order_gives_the_same_keys(void **state)
{
	struct scram_order *order = scram_order_new("pencil", 6, &pencil.salt);

	(void)state;
	assert_non_null(order);
	assert_false(order->done);
	scram_order_run(ctx, order);
	assert_true(order->done);
	assert_memory_equal(order->keys.client_key, pencil.client_key, SHA256_BYTES);
	scram_order_free(order);
	scram_order_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(server_side_of_the_rfc_example),
	    cmocka_unit_test(client_side_of_the_rfc_example),
	    cmocka_unit_test(verifier_survives_writing_and_reading),
	    cmocka_unit_test(both_sides_agree_and_the_keys_pass_through),
	    cmocka_unit_test(every_wrong_key_is_noticed),
	    cmocka_unit_test(client_first_is_read_strictly),
	    cmocka_unit_test(channel_binding_must_be_the_one_that_was_chosen),
	    cmocka_unit_test(a_login_may_be_bound_to_its_connection),
	    cmocka_unit_test(bound_bytes_are_part_of_the_comparison),
	    cmocka_unit_test(client_final_is_read_strictly),
	    cmocka_unit_test(no_changed_or_missing_byte_lets_anybody_in),
	    cmocka_unit_test(server_first_is_read_strictly),
	    cmocka_unit_test(salts_of_any_usual_length_are_taken),
	    cmocka_unit_test(server_final_is_read_strictly),
	    cmocka_unit_test(order_gives_the_same_keys),
	};

	return cmocka_run_group_tests(tests, derive_pencil, free_context);
}
