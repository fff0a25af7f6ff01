/* Clients that nobody knows cannot fill the log. */
#include "lookup_scene.h"
#include "worker_scene.h"

#include <unistd.h>

#include "log_file.h"
#include "worker/strangers.h"

struct scene {
	struct bench b;
	char path[40], text[20000];
};

static struct scene *begin(const char *globals)
{
	struct scene *t = (struct scene *)calloc(1, sizeof(*t));
	int fd;

	assert_non_null(t);
	bench_init(&t->b, globals);
	snprintf(t->path, sizeof(t->path), "/tmp/pgweir-strangers.XXXXXX");
	fd = mkstemp(t->path);
	assert_true(fd >= 0);
	close(fd);
	assert_true(log_to_file(t->b.log, t->path));
	return t;
}

static void end(struct scene *t)
{
	bench_fini(&t->b);
	assert_int_equal(unlink(t->path), 0);
	free(t);
}

static const char *logged(struct scene *t)
{
	FILE *f = fopen(t->path, "r");

	assert_non_null(f);
	t->text[fread(t->text, 1, sizeof(t->text) - 1, f)] = '\0';
	fclose(f);
	return t->text;
}

/* How many of `n` lines may be written. */
static unsigned written(struct scene *t, int n)
{
	struct log_event e = {.level = LEVEL_LOG, .address = "10.0.0.5", .text = "closing because: rude"};
	unsigned written = 0;

	for (int i = 0; i < n; i++)
		written += strangers_may_log(t->b.w, &e);
	return written;
}

static unsigned share(const struct scene *t)
{
	unsigned n = STRANGERS_LINES / t->b.w->office->n_workers;

	return n < 10 ? 10 : n;
}

static void few_lines_are_all_written(void **state)
{
	struct scene *t = begin("auth_type=trust");

	(void)state;
	assert_int_equal(written(t, (int)share(t)), share(t));
	assert_false(strangers_tick(t->b.w));
	t->b.w->strangers.since_us -= STRANGERS_WINDOW_US;
	assert_int_equal(written(t, (int)share(t)), share(t));
	assert_false(strangers_tick(t->b.w));
	assert_string_equal(logged(t), "");
	end(t);
}

static void the_rest_is_counted_and_said_when_the_window_is_over(void **state)
{
	struct scene *t = begin("auth_type=trust");

	(void)state;
	assert_int_equal(written(t, 1000), share(t));
	assert_true(strangers_tick(t->b.w));
	assert_string_equal(logged(t), "");
	/* nobody comes any more: the tick says it */
	t->b.w->strangers.since_us -= STRANGERS_WINDOW_US;
	assert_false(strangers_tick(t->b.w));
	logged(t);
	assert_non_null(strstr(t->text, " more lines about clients without a pool in 5 s; the last: 10.0.0.5: closing "
	                                "because: rude\n"));
	assert_int_equal(strtoul(strstr(t->text, "left out ") + 9, NULL, 10), 1000 - share(t));
	assert_false(strangers_tick(t->b.w));
	end(t);
}

static void the_next_window_says_it_first_and_the_end_says_everything(void **state)
{
	struct scene *t = begin("auth_type=trust");

	(void)state;
	(void)written(t, (int)share(t) + 1);
	t->b.w->strangers.since_us -= STRANGERS_WINDOW_US;
	assert_int_equal(written(t, (int)share(t) + 7), share(t));
	assert_non_null(strstr(logged(t), "left out 1 more line about clients"));
	assert_null(strstr(logged(t), "left out 7"));
	strangers_end(t->b.w);
	assert_non_null(strstr(logged(t), "left out 7 more lines about clients"));
	end(t);
}

/* Else an administrator's password, once stolen, could be used without a trace: behind a crowd. */
static void whoever_is_let_in_to_the_console_is_heard_in_any_crowd(void **state)
{
	struct scene *t = begin("auth_type=trust\nlog_connections=1");

	(void)state;
	(void)written(t, 1000);
	say_startup(&t->b, bench_client(&t->b), "ann", "pgbouncer");
	assert_non_null(t->b.guest);
	assert_non_null(strstr(logged(t), "login attempt: db=pgbouncer user=ann"));
	end(t);
}

static void lookups_are_made_for_strangers(void **state)
{
	struct scene *t = begin(ASKING "log_disconnections=1\n[databases]\n* = host=127.0.0.1");
	struct side *c = bench_client(&t->b);
	uint64_t before;

	(void)state;
	(void)written(t, 1000);
	before = t->b.w->strangers.n_left_out;
	/* he can think of many names: nothing is said of them */
	say_startup(&t->b, c, "zoe", "anything");
	assert_int_equal(only_client(&t->b)->state, CLIENT_LOOKUP);
	assert_int_equal(t->b.w->strangers.n_left_out, before);
	/* and leave at once */
	side_close(&t->b, c);
	assert_int_equal(t->b.w->strangers.n_left_out, before + 1);
	assert_string_equal(logged(t), "");
	end(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(few_lines_are_all_written),
	    cmocka_unit_test(the_rest_is_counted_and_said_when_the_window_is_over),
	    cmocka_unit_test(the_next_window_says_it_first_and_the_end_says_everything),
	    cmocka_unit_test(whoever_is_let_in_to_the_console_is_heard_in_any_crowd),
	    cmocka_unit_test(lookups_are_made_for_strangers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
