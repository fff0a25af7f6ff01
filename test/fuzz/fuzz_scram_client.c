/* A server's SCRAM messages, "|||" between them. fuzz runs: 200000 */
#include "auth/scram.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1};
	static const uint8_t nonce[SCRAM_NONCE_BYTES] = {0}; /* twenty-four A */
	static const struct scram_keys keys = {.client_key = {1}, .server_key = {2}};
	static struct auth_context *ctx;
	struct scram_client c;
	struct scram_salt salt;
	struct str out;
	size_t len;
	char *first = fuzz_part(&data, &size, &len, 0), *final;

	if (ctx == NULL)
		ctx = auth_context_new(mock_key);
	HOLDS(ctx != NULL);
	scram_client_init(&c);
	str_init(&out, 1 << 20);
	HOLDS(scram_client_first(&c, nonce, &out) == SCRAM_GOOD);
	if (scram_client_read_first(&c, first, len, &salt) == SCRAM_GOOD) {
		HOLDS(salt.iterations > 0 && salt.iterations <= SCRAM_MAX_ITERATIONS);
		HOLDS(salt.len <= SCRAM_MAX_SALT_BYTES);
		HOLDS(scram_client_final(&c, ctx, &keys, &out) != SCRAM_MALFORMED);
		final = fuzz_part(&data, &size, &len, 0);
		if (final != NULL)
			HOLDS(scram_client_check(&c, final, len) != SCRAM_GOOD || len > 40);
		free(final);
	}
	str_fini(&out);
	scram_client_fini(&c);
	free(first);
	return 0;
}
