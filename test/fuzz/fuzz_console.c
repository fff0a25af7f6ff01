/* What a client sends on the console, "|||" between what it sends at a time. fuzz runs: 5000 */
#include "../unit/console_bench.h"

#include "admin/terminal.h"
#include "fuzz.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"

/* Runs until nothing happens any more; main says yes to everything. */
static void settle(struct bench *b)
{
	for (int i = 0; i < 20; i++) {
		run_turns(b->loop, 3);
		if (b->done != NULL)
			bench_reply_ok(b);
	}
}

/* What has come is whole messages of the types that a console sends. */
static void check_answers(struct bench_client *c)
{
	size_t at = 0;

	bench_take(c);
	while (at < c->got.len) {
		HOLDS(strchr("12356CDEGIKNRSTVWZcdnst", c->got.data[at]) != NULL && c->got.data[at] != '\0');
		HOLDS(c->got.len - at >= 5);
		HOLDS(bench_length(c->got.data + at + 1) >= 4);
		at += bench_length(c->got.data + at + 1) + 1;
		HOLDS(at <= c->got.len);
	}
	str_clear(&c->got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bench b;
	struct bench_client *c;
	char *part;
	size_t len;

	bench_begin(&b, CONF, NULL);
	c = bench_connect(&b, CONSOLE_ADMIN);
	while (console_count(b.console) > 0 && (part = fuzz_part(&data, &size, &len, 0)) != NULL) {
		const struct extended *x = &terminal_of(list_first(&b.console->terminals))->extended;

		if (len < 65536)
			bench_send(c, part, len);
		free(part);
		settle(&b);
		check_answers(c);
		if (console_count(b.console) == 0)
			break;
		HOLDS(x->n_statements <= EXTENDED_STATEMENTS_MAX && x->n_portals <= EXTENDED_PORTALS_MAX);
		HOLDS(!x->skipping || x->in_request);
	}
	bench_disconnect(c);
	settle(&b);
	HOLDS(console_count(b.console) == 0);
	bench_finish(&b);
	return 0;
}
