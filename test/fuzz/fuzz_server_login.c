/* What a server says in our login, and when asked for its role: "|||" between what it sends at a time, closing behind
   it. fuzz runs: 20000 */
#include "../unit/worker_bench.h"
#include "fuzz.h"

static void check_failure(const struct failure *f)
{
	struct report r;

	HOLDS(f->phase >= PHASE_STARTUP && f->phase <= PHASE_SETTLE);
	HOLDS(memchr(f->text, '\0', sizeof(f->text)) != NULL);
	for (const char *at = f->text; *at != '\0'; at++)
		HOLDS(isprint((unsigned char)*at));
	if (f->domain == DOMAIN_SERVER) {
		HOLDS(f->report_len <= 16384 + REPORT_MEND_BYTES);
		HOLDS(report_parse(&r, f->report, f->report_len));
	}
}

static bool is_logged_in(const struct bench *b)
{
	return b->w->n_servers > 0 && container_of(list_first(&b->w->servers), struct server, on_worker)->login == NULL;
}

/* What comes behind the login is no part of it. */
static void log_in(const char *settings, const uint8_t *data, size_t size)
{
	struct bench b;
	struct side *s;
	char *part;
	bool logged_in;
	size_t len;

	bench_init(&b, settings);
	say_startup(&b, bench_client(&b), "ann", "app");
	s = bench_server(&b);
	HOLDS(s != NULL);
	while (!is_logged_in(&b) && (part = fuzz_part(&data, &size, &len, 0)) != NULL) {
		side_send(&b, s, part, len);
		free(part);
	}
	logged_in = is_logged_in(&b);
	side_close(&b, s);
	HOLDS(logged_in || failure_is_set(&b.failure));
	if (!logged_in)
		check_failure(&b.failure);
	bench_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	log_in("auth_type=trust", data, size);
	log_in("auth_type=trust\ntarget_session_attrs=read-write", data, size);
	return 0;
}
