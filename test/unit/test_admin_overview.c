/*
 * Tests of src/admin/overview.c, and of the forms that other shows have for it. Every allocation fails once: this
 * program brings its own base/mem.
 */
#include "failing_mem.h"

#include "console_bench.h"

#include "admin/history.h"
#include "admin/overview.h"
#include "admin/terminal.h"
#include "base/clock.h"
#include "diag/error_ring.h"
#include "pool/backend.h"
#include "view_story.h"

#define CONF                                                                                                           \
	"[databases]\napp = host=127.0.0.1 pool_size=7 reserve_pool=2\n* = host=10.0.0.9\n"                            \
	"[pgbouncer]\nauth_type=trust\nmax_client_conn=300\n"

static struct bench b;
static struct view_story story;

static int set_up(void **state)
{
	(void)state;
	bench_begin(&b, CONF, NULL);
	b.worker[0].errors = error_ring_new();
	assert_non_null(b.worker[0].errors);
	assert_true(console_keep_history(b.console, true));
	run_turns(b.loop, 20);
	str_init(&story.text, 8 << 20);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	str_fini(&story.text);
	bench_finish(&b);
	error_ring_free(b.worker[0].errors);
	assert_int_equal(mem_blocks, 0);
	return 0;
}

static struct entry enter(const char *database, const char *user)
{
	struct entry entry;

	assert_in_range(registry_enter(b.office->registry, b.conf, database, user, 0, &entry), ENTERED,
	                ENTERED_NEW_DATABASE);
	return entry;
}

static void has(const char *part)
{
	if (strstr(str_text(&story.text), part) == NULL)
		fail_msg("%s is not in %s", part, str_text(&story.text));
}

static void add_backend(const char *host, bool down)
{
	struct backend *backend;
	struct failure f;
	struct address a;

	memset(&a, 0, sizeof(a));
	assert_true(address_from_text(&a, "10.0.0.1", 5432));
	backend = backend_get(&b.control.opener->backends, host, &a, loop_now_us(b.loop));
	assert_non_null(backend);
	if (!down)
		return;
	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, NULL);
	backend_failed(backend, &f, 10, loop_now_us(b.loop), loop_now_us(b.loop));
	backend->failure_us = loop_now_us(b.loop);
	snprintf(backend->last_class, sizeof(backend->last_class), "connection_refused");
	snprintf(backend->last_text, sizeof(backend->last_text), "no");
	snprintf(backend->last_hint, sizeof(backend->last_hint), "put this:\nhost all");
}

static void all_parts_are_in_one_object(void **state)
{
	struct error_note n = {.at_us = 1, .class = "x", .count = 7, .text = "<b>", .hint = "a line:\nhost app"};
	struct client waiting;
	struct entry entry = enter("app", "ann");

	(void)state;
	error_ring_add(b.worker[0].errors, &n);
	add_backend("fine", false);
	add_backend("broken", true);
	bench_waiting_client(&b, &waiting, &entry, 9);
	waiting.state = CLIENT_GREETING;
	b.worker[1].n_clients = 5;
	b.paused = true;
	(void)view_tell(&b, &overview_topic, &story);
	has("{\"topic\":\"overview\",\"at\":");
	has("\"ready\":false,\"reasons\":[{\"code\":\"paused\",\"text\":\"paused\",");
	has("\"paused\":true,\"shutting_down\":false,\"clients\":5,\"logging_in\":0,\"waiting\":1,\"pools\":1,"
	    "\"servers_active\":0,\"servers_idle\":0,\"servers_opening\":0,\"max_client_conn\":300}");
	has("\"outages\":{\"total\":0,\"rows\":[]}");
	has("\"usage\":{\"total\":1,\"rows\":[{\"database\":\"app\",\"user\":\"ann\",\"pool_mode\":\"session\","
	    "\"pool_size\":7,\"reserve_pool_size\":2,\"cl_active\":0,\"cl_waiting\":1,\"sv_active\":0,\"sv_idle\":0,"
	    "\"sv_login\":0,\"maxwait_us\":");
	has("\"waits\":{\"total\":1,\"rows\":[{\"id\":9,");
	has("\"backends\":{\"total\":2,\"rows\":[{\"host\":\"broken\""); /* trouble comes first */
	has("\"hint\":\"put this:\\u000ahost all\"");
	has("\"databases\":{\"total\":2,");
	has("\"text\":\"\\u003cb\\u003e\",\"hint\":\"a line:\\u000ahost app\"}");
	has("\"history\":{\"every_s\":5,");
	assert_string_equal(str_text(&story.text) + story.text.len - 2, "}}");
	bench_waiting_client_leaves(&waiting);
}

static void lists_are_bounded_and_the_busiest_come_first(void **state)
{
	struct client waiting;
	struct entry entry = {0};
	const char *at;
	unsigned n = 0;
	char name[20];

	(void)state;
	for (int i = 0; i < 70; i++) {
		snprintf(name, sizeof(name), "d%02d", i);
		entry = enter(name, "ann");
	}
	bench_waiting_client(&b, &waiting, &entry, 9);
	at = view_tell(&b, &overview_topic, &story);
	has("\"usage\":{\"total\":70,\"rows\":[{\"database\":\"d69\","); /* where somebody waits */
	for (at = strstr(at, "\"usage\""); at != NULL && at < strstr(str_text(&story.text), "\"waits\"");
	     at = strstr(at + 1, "{\"database\""))
		n++;
	assert_int_equal(n, 51);
	bench_waiting_client_leaves(&waiting);
}

static void those_who_wait_longest_are_kept(void **state)
{
	static struct client waiting[3 * WAITS_LONGEST];
	struct entry entry = enter("app", "ann");
	const unsigned n = sizeof(waiting) / sizeof(waiting[0]);
	char text[40];

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		bench_waiting_client(&b, &waiting[i], &entry, i + 1);
		/* in no order: 7 and n have no common divisor */
		waiting[i].waiter.since_us = loop_now_us(b.loop) - (uint64_t)(i * 7 % n + 1) * US_PER_S;
	}
	(void)view_tell(&b, &overview_topic, &story);
	snprintf(text, sizeof(text), "\"waiting\":%u,", n);
	has(text);
	has("\"waits\":{\"total\":50,\"rows\":[{\"id\":");
	for (unsigned i = 0; i < n; i++) {
		bool is_long = i * 7 % n >= n - WAITS_LONGEST;

		snprintf(text, sizeof(text), "{\"id\":%u,", i + 1);
		assert_int_equal(strstr(str_text(&story.text), text) != NULL, is_long);
	}
	for (unsigned i = 0; i < n; i++)
		bench_waiting_client_leaves(&waiting[i]);
}

/* False: it did not need so many. */
static bool survives(size_t nth)
{
	struct view *under_way = NULL;
	struct client waiting;
	struct entry entry = enter("app", "ann");
	bool failed;

	bench_waiting_client(&b, &waiting, &entry, 9);
	story.done = false;
	mem_until_failure = nth;
	mem_fails_once = true;
	if (view_start(b.console, &overview_topic, view_told, &story, &under_way))
		run_turns(b.loop, 20);
	failed = mem_until_failure == 0;
	mem_until_failure = 0;
	/* a sentence may be missing, but what is told is whole */
	if (story.done && !story.failed)
		assert_string_equal(str_text(&story.text) + story.text.len - 2, "}}");
	else
		assert_true(failed);
	bench_waiting_client_leaves(&waiting);
	registry_leave(b.office->registry, &entry, loop_now_us(b.loop));
	return failed;
}

static void every_allocation_may_fail(void **state)
{
	struct view *under_way;

	(void)state;
	add_backend("broken", true);
	for (size_t nth = 1; survives(nth); nth++)
		str_clear(&story.text);
	/* a sample that cannot be taken is left out, its time is the next one's */
	for (size_t nth = 1;; nth++) {
		unsigned before = history_count(b.console->history);

		mem_until_failure = nth;
		mem_fails_once = true;
		(void)!view_start(b.console, &history_topic, NULL, NULL, &under_way);
		run_turns(b.loop, 20);
		assert_int_equal(history_count(b.console->history), before + (mem_until_failure != 0));
		if (mem_until_failure != 0)
			break;
	}
	mem_until_failure = 0;
	/* neither are samples kept without memory */
	assert_true(console_keep_history(b.console, false));
	for (size_t nth = 1; nth <= 2; nth++) {
		mem_until_failure = nth;
		assert_false(console_keep_history(b.console, true));
		assert_null(b.console->history);
	}
	mem_until_failure = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(all_parts_are_in_one_object, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(lists_are_bounded_and_the_busiest_come_first, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(those_who_wait_longest_are_kept, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(every_allocation_may_fail, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
