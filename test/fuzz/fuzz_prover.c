/* A server's login: bodies of Authentication messages, "|||" between them. fuzz runs: 100000 */
#include "auth/prover.h"
#include "fuzz.h"

static enum prover_result go_on(const struct auth_context *ctx, struct prover *p, enum prover_result result,
                                struct str *out, struct failure *why)
{
	struct scram_order *order;

	while (result == PROVER_NEED_KEYS) {
		order = prover_take_order(p);
		HOLDS(order != NULL);
		/* what a million iterations are is not the question here */
		order->salt.iterations = 1;
		scram_order_run(ctx, order);
		result = prover_resume(p, order, out, why);
		scram_order_free(order);
	}
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1}, nonce[SCRAM_NONCE_BYTES] = {0};
	static struct auth_context *ctx;
	struct credentials with = {.user = "ann"};
	enum prover_result result = PROVER_SEND;
	struct prover *p;
	struct failure why;
	struct str out;

	if (ctx == NULL)
		ctx = auth_context_new(mock_key);
	with.secret = secret_new("pencil", 6);
	HOLDS(ctx != NULL && with.secret != NULL);
	p = prover_new(ctx, &with, nonce);
	HOLDS(p != NULL);
	str_init(&out, 1 << 20);
	failure_init(&why);
	while (result == PROVER_SEND) {
		size_t len;
		char *body = fuzz_part(&data, &size, &len, 0);

		if (body == NULL)
			break;
		result = go_on(ctx, p, prover_take(p, body, len, &out, &why), &out, &why);
		free(body);
	}
	HOLDS((result == PROVER_FAILED) == failure_is_set(&why));
	HOLDS(out.len == 0 || memmem(out.data, out.len, "pencil", 6) == NULL || out.data[0] == 'p');
	failure_fini(&why);
	str_fini(&out);
	prover_free(p);
	secret_unref(with.secret);
	return 0;
}
