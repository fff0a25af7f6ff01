/* Tests of src/admin/console.c: who is there, and what happens every stats_period. */
#include "console_bench.h"

#include <stdlib.h>

#include "admin/terminal.h"
#include "log_file.h"
#include "os/file.h"
#include "place.h"

#define CONF "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type=trust\n"

/* What the log got since it was opened. */
static const char *log_content(const char *path)
{
	static char text[4096];
	FILE *f = file_open(path);
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

static bool period_is_over(void *arg)
{
	return list_is_empty(&((struct bench *)arg)->console->views);
}

static void a_period_is_logged_if_log_stats_is_on(void **state)
{
	static const char *const confs[] = {CONF, CONF "log_stats = 0\n"};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		char place[PLACE_BYTES], path[PLACE_BYTES + 8];
		struct bench b;

		place_make(place);
		snprintf(path, sizeof(path), "%s/log", place);
		bench_begin(&b, confs[i], NULL);
		assert_true(log_to_file(b.log, path));
		console_stats_period(b.console);
		assert_true(run_until(b.loop, period_is_over, &b));
		assert_int_equal(strstr(log_content(path), " LOG stats: 0 xacts/s, 0 queries/s, ") != NULL, i == 0);
		bench_finish(&b);
		place_remove(place);
	}
}

static bool log_has_all(const char *log, const char *const *texts)
{
	for (; *texts != NULL; texts++) {
		if (strstr(log, *texts) == NULL)
			return false;
	}
	return true;
}

static void commands_errors_and_ends_are_logged(void **state)
{
	static const char *const expected[] = {
	    "LOG PAUSE 'app' command issued\n",
	    "LOG RELOAD command issued\n",
	    "LOG SHUTDOWN WAIT_FOR_CLIENTS command issued\n",
	    "LOG SET 'auth_user' command issued\n",
	    ": pgbouncer/admin@unix(0):6432 pooler error: invalid command 'x', use SHOW",
	    "closing because: client close request (age=0s)\n",
	    NULL};
	static const char *const commands[] = {"pause app", "reload", "shutdown wait_for_clients",
	                                       "set auth_user = hidden"};
	char place[PLACE_BYTES], path[PLACE_BYTES + 8];
	struct bench b;
	struct bench_client *c;

	(void)state;
	place_make(place);
	snprintf(path, sizeof(path), "%s/log", place);
	bench_begin(&b, CONF, NULL);
	assert_true(log_to_file(b.log, path));
	c = bench_connect(&b, CONSOLE_ADMIN);
	for (size_t i = 0; i < 4; i++) {
		bench_query(c, commands[i]);
		(void)bench_asked(&b);
		bench_reply_ok(&b);
		(void)bench_answer(c);
	}
	(void)bench_ask(c, "x");
	(void)bench_ask(c, "show version");
	bench_send(c, "X\0\0\0\4", 5);
	(void)bench_rest(c);
	assert_true(log_has_all(log_content(path), expected));
	assert_null(strstr(log_content(path), "hidden"));
	assert_null(strstr(log_content(path), "SHOW command"));
	bench_disconnect(c);
	bench_finish(&b);
	place_remove(place);
}

static void connections_are_counted(void **state)
{
	struct bench b;
	struct bench_client *one, *two;

	(void)state;
	bench_begin(&b, CONF, NULL);
	assert_int_equal(console_count(b.console), 0);
	one = bench_connect(&b, CONSOLE_ADMIN);
	two = bench_connect(&b, CONSOLE_STATS);
	assert_int_equal(console_count(b.console), 2);
	bench_send(one, "X\0\0\0\4", 5);
	(void)bench_rest(one);
	assert_int_equal(console_count(b.console), 1);
	bench_disconnect(one);
	bench_finish(&b);
	bench_disconnect(two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_period_is_logged_if_log_stats_is_on),
	    cmocka_unit_test(commands_errors_and_ends_are_logged),
	    cmocka_unit_test(connections_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
