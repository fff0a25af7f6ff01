/* A client's SCRAM messages, "|||" between them, and stored verifiers. fuzz runs: 200000 */
#include "auth/scram.h"
#include "fuzz.h"

static void exchange(const struct auth_context *ctx, const struct scram_verifier *v, const uint8_t *data, size_t size)
{
	static const uint8_t nonce[SCRAM_NONCE_BYTES] = {1};
	size_t len;
	char *first = fuzz_part(&data, &size, &len, 0), *final;
	struct scram_server s;
	struct scram_keys keys;
	struct str out;

	scram_server_init(&s);
	str_init(&out, 1 << 20);
	if (scram_server_first(&s, first, len, NULL, NULL, 0, nonce, &v->salt, &out) == SCRAM_GOOD) {
		final = fuzz_part(&data, &size, &len, 0);
		if (final != NULL && scram_server_read_final(&s, final, len) == SCRAM_GOOD)
			(void)!scram_server_check(&s, ctx, v, &out, &keys);
		free(final);
	}
	str_fini(&out);
	scram_server_fini(&s);
	free(first);
}

static void verifier(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, 0);
	struct scram_verifier v, again;
	struct str out;

	if (scram_verifier_parse(&v, text, size)) {
		str_init(&out, 1 << 20);
		scram_verifier_write(&v, &out);
		HOLDS(!out.failed && scram_verifier_parse(&again, str_text(&out), out.len));
		HOLDS(scram_salt_same(&v.salt, &again.salt));
		str_fini(&out);
	}
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1};
	static struct auth_context *ctx;
	static const struct scram_verifier v = {.salt = {.iterations = 2, .len = 2, .bytes = {1, 2}}};

	if (ctx == NULL)
		ctx = auth_context_new(mock_key);
	HOLDS(ctx != NULL);
	exchange(ctx, &v, data, size);
	verifier(data, size);
	return 0;
}
