/*
 * A client's login: the first byte says which method and user, then come bodies of 'p' messages, "|||" between them.
 * Nobody gets in without the secret. fuzz runs: 100000
 */
#include "auth/exchange.h"
#include "fuzz.h"

#define SECRET "q7#Lr!v2-no fuzzer finds this"

static enum exchange_result go_on(const struct auth_context *ctx, struct exchange *e, enum exchange_result result,
                                  struct str *out)
{
	struct scram_order *order;

	while (result == EXCHANGE_NEED_KEYS) {
		order = exchange_take_order(e);
		HOLDS(order != NULL);
		scram_order_run(ctx, order);
		result = exchange_resume(e, order, out);
		scram_order_free(order);
	}
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1};
	static const enum exchange_method methods[] = {EXCHANGE_PLAIN, EXCHANGE_MD5, EXCHANGE_SCRAM};
	static struct auth_context *ctx;
	struct exchange_setup setup = {.user = "ann", .scram_iterations = 1};
	struct exchange *e;
	enum exchange_result result;
	struct str out;

	if (size == 0)
		return 0;
	if (ctx == NULL)
		ctx = auth_context_new(mock_key);
	HOLDS(ctx != NULL);
	setup.method = methods[data[0] % 3];
	setup.user_exists = data[0] / 3 % 2 == 0;
	setup.secret = setup.user_exists ? secret_new(SECRET, strlen(SECRET)) : NULL;
	e = exchange_new(ctx, &setup);
	HOLDS(e != NULL);
	str_init(&out, 1 << 20);
	result = go_on(ctx, e, exchange_start(e, &out), &out);
	data++;
	size--;
	while (result == EXCHANGE_SEND) {
		size_t len;
		char *body = fuzz_part(&data, &size, &len, 0);

		if (body == NULL)
			break;
		result = go_on(ctx, e, exchange_take(e, body, len, &out), &out);
		free(body);
	}
	HOLDS(result != EXCHANGE_PASSED);
	if (result == EXCHANGE_REFUSED)
		HOLDS(exchange_refusal_text(exchange_refusal(e))[0] != '\0');
	str_fini(&out);
	exchange_free(e);
	secret_unref(setup.secret);
	return 0;
}
