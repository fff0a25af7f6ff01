/*
 * Streams of messages of both sides, as bytes: the server's have the highest bit set.
 * Whatever they say, the accounting stays within its bounds. fuzz runs: 400000
 */
#include "fuzz.h"
#include "worker/answers.h"

static void client_sends(struct answers *a, uint8_t type)
{
	bool full = answers_is_full(a);

	if (a->fencing || a->wants_fence)
		return;
	if (type == '!' && answers_at_rest(a)) {
		HOLDS(answers_we_send(a, 'Q'));
		HOLDS(answers_run_ours(a) && !answers_run_client(a));
		return;
	}
	if (strchr("QPBDECFScfdH", type) == NULL || type == '\0' || answers_client_skips(a, type))
		return;
	HOLDS(answers_client_sends(a, type) || full);
}

/* False: the server is closed. */
static bool server_sends(struct answers *a, uint8_t type)
{
	static const char status[] = "ITE";
	bool runs_ours = answers_run_ours(a), runs_client = answers_run_client(a);
	enum answer_verdict verdict = answers_server_sent(a, type, status[a->n % 3]);
	char released;

	HOLDS(!runs_ours || !runs_client);
	if (verdict == ANSWER_SWALLOW)
		HOLDS(runs_ours);
	if (type == 'Z' && verdict != ANSWER_IMPOSSIBLE)
		HOLDS(runs_ours || runs_client);
	if (answers_released_ready(a, &released))
		HOLDS(released == 'I' || released == 'T' || released == 'E');
	if (verdict == ANSWER_IMPOSSIBLE)
		return false;
	if (answers_needs_fence(a))
		HOLDS(answers_fence_sent(a) || answers_is_full(a));
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct answers a;

	answers_init(&a);
	a.status = 'I';
	for (size_t i = 0; i < size; i++) {
		if (data[i] < 128)
			client_sends(&a, data[i]);
		else if (!server_sends(&a, (uint8_t)(data[i] - 128)))
			break;
		HOLDS(a.n <= ANSWERS_MAX);
		if (answers_at_rest(&a))
			HOLDS(a.n == 0 && !a.fencing && !a.wants_fence);
	}
	answers_fini(&a);
	return 0;
}
