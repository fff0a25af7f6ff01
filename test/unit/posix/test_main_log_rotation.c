/* Tests of src/main/log_rotation.c: real files, and the time that the test says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <utime.h>

#include "../log_file.h"
#include "../place.h"
#include "base/clock.h"
#include "main/log_rotation.h"
#include "os/directory.h"
#include "os/file.h"

#define NOON 1778241600 /* 2026-05-08 12:00:00 UTC */
#define MIDNIGHT (NOON + 43200)
#define AT(seconds) ((uint64_t)(seconds)*US_PER_S)

struct world {
	struct log *log;
	struct log_rotation rotation;
	struct settings settings;
	char directory[PLACE_BYTES], path[PLACE_BYTES + 300], name[PLACE_BYTES + 300];
};

static int set_up(void **state)
{
	static char zone[] = "TZ=UTC0";
	struct world *w = (struct world *)calloc(1, sizeof(*w));

	assert_non_null(w);
	assert_int_equal(putenv(zone), 0);
	tzset();
	w->log = log_new();
	assert_non_null(w->log);
	log_set_stderr(w->log, false);
	place_make(w->directory);
	w->settings.log_rotation_keep = 10;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	log_rotation_fini(&w->rotation);
	log_free(w->log);
	place_remove(w->directory);
	free(w);
	return 0;
}

static const char *path_of(struct world *w, const char *name)
{
	snprintf(w->path, sizeof(w->path), "%s/%s", w->directory, name);
	return w->path;
}

/* As logging.c does it. */
static void begin(struct world *w, const char *name, time_t now)
{
	snprintf(w->name, sizeof(w->name), "%s", path_of(w, name));
	w->settings.logfile = w->name;
	log_rotation_begin(&w->rotation, &w->settings, AT(now));
	assert_true(log_to_file(w->log, w->name));
}

static void look(struct world *w, time_t now)
{
	log_rotation_look(&w->rotation, w->log, AT(now));
}

/* What the directory has: "a b c". */
static void expect_files(struct world *w, const char *expected)
{
	char **names, all[2000] = "";

	assert_int_equal(directory_names(w->directory, "*", &names), 0);
	for (size_t i = 0; names[i] != NULL; i++)
		snprintf(all + strlen(all), sizeof(all) - strlen(all), "%s%s", i == 0 ? "" : " ", names[i]);
	directory_names_free(names);
	assert_string_equal(all, expected);
}

static void make_file(struct world *w, const char *name, const char *content)
{
	place_put(path_of(w, name), content);
}

/* The file has this text in it, and not that one. */
static void expect_text(struct world *w, const char *name, const char *text, const char *not_that)
{
	static char content[100000];
	FILE *f = file_open(path_of(w, name));

	assert_non_null(f);
	content[fread(content, 1, sizeof(content) - 1, f)] = '\0';
	fclose(f);
	if (strstr(content, text) == NULL || (not_that != NULL && strstr(content, not_that) != NULL))
		fail_msg("%s holds \"%s\"", name, content);
}

static void nothing_is_rotated_that_nobody_asked_for(void **state)
{
	struct world *w = (struct world *)*state;

	assert_false(log_rotation_is_on(&w->rotation));
	begin(w, "weir.log", NOON);
	assert_false(log_rotation_is_on(&w->rotation));
	log_write(w->log, LEVEL_LOG, "one");
	look(w, NOON + 365 * 86400);
	expect_files(w, "weir.log");
	w->settings.log_rotation_size_bytes = 1;
	w->settings.logfile = NULL;
	log_rotation_begin(&w->rotation, &w->settings, AT(NOON));
	assert_false(log_rotation_is_on(&w->rotation));
}

static void a_file_of_that_size_gets_the_time_into_its_name(void **state)
{
	struct world *w = (struct world *)*state;

	w->settings.log_rotation_size_bytes = 200;
	begin(w, "weir.log", NOON);
	assert_true(log_rotation_is_on(&w->rotation));
	log_write(w->log, LEVEL_LOG, "first");
	look(w, NOON + 1);
	expect_files(w, "weir.log");
	log_write(w->log, LEVEL_LOG, "second %0200d", 0);
	look(w, NOON + 2);
	expect_files(w, "weir-2026-05-08_120002.log weir.log");
	log_write(w->log, LEVEL_LOG, "third");
	expect_text(w, "weir-2026-05-08_120002.log", "first", "third");
	expect_text(w, "weir-2026-05-08_120002.log", "second", NULL);
	expect_text(w, "weir.log", "third", "second");
	look(w, NOON + 86400); /* it is small, and no age is set */
	expect_files(w, "weir-2026-05-08_120002.log weir.log");
}

static void a_day_ends_at_midnight_of_local_time(void **state)
{
	static char zone[] = "TZ=CET-2";
	struct world *w = (struct world *)*state;

	assert_int_equal(putenv(zone), 0);
	tzset();
	w->settings.log_rotation_age_us = AT(86400);
	begin(w, "weir.log", NOON);
	log_write(w->log, LEVEL_LOG, "today");
	look(w, MIDNIGHT - 7200 - 1);
	expect_files(w, "weir.log");
	look(w, MIDNIGHT - 7200);
	expect_files(w, "weir-2026-05-09_000000.log weir.log");
	log_write(w->log, LEVEL_LOG, "tomorrow");
	look(w, MIDNIGHT + 3600);
	expect_text(w, "weir.log", "tomorrow", "today");
	look(w, MIDNIGHT - 7200 + 86400 + 5);
	expect_files(w, "weir-2026-05-09_000000.log weir-2026-05-10_000005.log weir.log");
}

static void what_was_written_before_a_stop_of_days_is_old(void **state)
{
	struct world *w = (struct world *)*state;
	struct utimbuf then = {NOON - 86400, NOON - 86400};

	make_file(w, "weir.log", "last week\n");
	assert_int_equal(utime(path_of(w, "weir.log"), &then), 0);
	w->settings.log_rotation_age_us = AT(86400);
	begin(w, "weir.log", NOON);
	log_write(w->log, LEVEL_LOG, "starting");
	look(w, NOON + 1);
	expect_files(w, "weir-2026-05-08_120001.log weir.log");
	/* the same day's is gone on with */
	then.actime = then.modtime = NOON - 3600;
	make_file(w, "weir.log", "this morning\n");
	assert_int_equal(utime(path_of(w, "weir.log"), &then), 0);
	begin(w, "weir.log", NOON + 2);
	look(w, NOON + 3);
	expect_files(w, "weir-2026-05-08_120001.log weir.log");
}

static void an_empty_file_is_not_worth_a_name(void **state)
{
	struct world *w = (struct world *)*state;

	w->settings.log_rotation_age_us = AT(3600);
	begin(w, "weir.log", NOON);
	look(w, NOON + 7200);
	expect_files(w, "weir.log");
	log_write(w->log, LEVEL_LOG, "first of its hour");
	look(w, NOON + 7201);
	expect_files(w, "weir.log");
	look(w, NOON + 10800);
	expect_files(w, "weir-2026-05-08_150000.log weir.log");
}

static void two_in_one_second_wait_for_the_next(void **state)
{
	struct world *w = (struct world *)*state;

	w->settings.log_rotation_size_bytes = 1;
	begin(w, "weir.log", NOON);
	log_write(w->log, LEVEL_LOG, "one");
	look(w, NOON);
	log_write(w->log, LEVEL_LOG, "two");
	look(w, NOON);
	expect_files(w, "weir-2026-05-08_120000.log weir.log");
	expect_text(w, "weir-2026-05-08_120000.log", "one", "two");
	look(w, NOON + 1);
	expect_files(w, "weir-2026-05-08_120000.log weir-2026-05-08_120001.log weir.log");
	expect_text(w, "weir-2026-05-08_120001.log", "two", "one");
}

static void only_the_newest_are_kept_and_nothing_else_is_touched(void **state)
{
	static const char *const strangers[] = {"weir-a-2020-01-01_000000.log",  "weir-2020-01-01_00000.log",
	                                        "weir-2020-01-01_000000.log.gz", "weir-2020-01-01_000000x.log",
	                                        "xweir-2020-01-01_000000.log",   "weir-2020-01-01 000000.log"};
	struct world *w = (struct world *)*state;

	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		make_file(w, strangers[i], "");
	make_file(w, "weir-2020-01-01_000000.log", "");
	make_file(w, "weir-2020-01-01_000001.log", "");
	w->settings.log_rotation_size_bytes = 1;
	w->settings.log_rotation_keep = 2;
	begin(w, "weir.log", NOON);
	log_write(w->log, LEVEL_LOG, "one");
	look(w, NOON);
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		assert_true(file_exists(path_of(w, strangers[i])));
	assert_false(file_exists(path_of(w, "weir-2020-01-01_000000.log")));
	assert_true(file_exists(path_of(w, "weir-2020-01-01_000001.log")));
	assert_true(file_exists(path_of(w, "weir-2026-05-08_120000.log")));
}

static void all_are_kept_if_there_is_no_number(void **state)
{
	struct world *w = (struct world *)*state;

	w->settings.log_rotation_size_bytes = 1;
	w->settings.log_rotation_keep = 0;
	begin(w, "x.log", NOON);
	for (int i = 0; i < 3; i++) {
		log_write(w->log, LEVEL_LOG, "one");
		look(w, NOON + i);
	}
	expect_files(w, "x-2026-05-08_120000.log x-2026-05-08_120001.log x-2026-05-08_120002.log x.log");
}

static void names_of_all_forms_are_found_again(void **state)
{
	static const char *const cases[][2] = {{"weir", "weir-2026-05-08_12000%d"},
	                                       {".weir", ".weir-2026-05-08_12000%d"},
	                                       {".weir.log", ".weir-2026-05-08_12000%d.log"},
	                                       {"a.b.c", "a.b-2026-05-08_12000%d.c"},
	                                       {"[x]*? y.log", "[x]*? y-2026-05-08_12000%d.log"}};
	struct world *w = (struct world *)*state;

	w->settings.log_rotation_size_bytes = 1;
	w->settings.log_rotation_keep = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char old[100];

		begin(w, cases[i][0], NOON);
		for (int second = 0; second < 2; second++) {
			log_write(w->log, LEVEL_LOG, "one");
			look(w, NOON + second);
		}
		snprintf(old, sizeof(old), cases[i][1], 0);
		assert_false(file_exists(path_of(w, old)));
		snprintf(old, sizeof(old), cases[i][1], 1);
		assert_true(file_exists(path_of(w, old)));
	}
}

static void a_file_that_somebody_else_has_moved_is_left_to_him(void **state)
{
	struct world *w = (struct world *)*state;
	char from[PLACE_BYTES + 300];

	w->settings.log_rotation_size_bytes = 100;
	begin(w, "weir.log", NOON);
	log_write(w->log, LEVEL_LOG, "first %0100d", 0);
	snprintf(from, sizeof(from), "%s", path_of(w, "weir.log"));
	assert_true(file_rename(from, path_of(w, "theirs.log")));
	make_file(w, "weir.log", "of another process\n");
	look(w, NOON + 1);
	log_write(w->log, LEVEL_LOG, "second");
	expect_files(w, "theirs.log weir.log");
	expect_text(w, "theirs.log", "first", "second");
	expect_text(w, "weir.log", "second", "first");
	expect_text(w, "weir.log", "of another process", NULL);
}

static void a_failure_is_said_once_and_the_log_goes_on(void **state)
{
	struct world *w = (struct world *)*state;
	char name[251];

	memset(name, 'x', sizeof(name) - 1); /* with the time in it, too long for a name */
	name[sizeof(name) - 1] = '\0';
	w->settings.log_rotation_size_bytes = 1;
	begin(w, name, NOON);
	log_write(w->log, LEVEL_LOG, "one");
	look(w, NOON);
	look(w, NOON + 1);
	look(w, NOON + 60);
	look(w, NOON + 120);
	log_write(w->log, LEVEL_LOG, "two");
	expect_files(w, name);
	expect_text(w, name, "LOG one\n", NULL);
	expect_text(w, name, "LOG two\n", NULL);
	expect_text(w, name, "WARNING could not rename log file \"", NULL);
	expect_text(w, name, "File name too long\n\tHINT: The log goes on in the old file.", NULL);
	{
		static char content[100000];
		FILE *f = file_open(path_of(w, name));
		char *first;

		assert_non_null(f);
		content[fread(content, 1, sizeof(content) - 1, f)] = '\0';
		fclose(f);
		first = strstr(content, "could not rename");
		assert_non_null(first);
		assert_null(strstr(first + 1, "could not rename"));
	}
}

static void a_clock_that_is_set_back_prolongs_no_failure(void **state)
{
	struct world *w = (struct world *)*state;
	char old[PLACE_BYTES + 300];

	w->settings.log_rotation_size_bytes = 1;
	begin(w, "weir.log", NOON);
	w->rotation.not_before_us = AT(NOON + 365 * 86400 + 60); /* it failed when the clock was a year ahead */
	log_write(w->log, LEVEL_LOG, "one");
	look(w, NOON);
	snprintf(old, sizeof(old), "%s", path_of(w, "weir-2026-05-08_120000.log"));
	assert_int_equal(access(old, F_OK), 0);
}

static void what_has_the_name_and_cannot_be_opened_is_said_once(void **state)
{
	struct world *w = (struct world *)*state;
	char from[PLACE_BYTES + 300];

	w->settings.log_rotation_size_bytes = 10000;
	begin(w, "weir.log", NOON);
	snprintf(from, sizeof(from), "%s", path_of(w, "weir.log"));
	assert_int_equal(rename(from, path_of(w, "theirs.log")), 0);
	assert_int_equal(mkdir(from, 0700), 0);
	look(w, NOON + 1);
	look(w, NOON + 100);
	log_write(w->log, LEVEL_LOG, "goes on");
	assert_int_equal(rmdir(from), 0);
	expect_text(w, "theirs.log", "WARNING could not open log file \"", NULL);
	expect_text(w, "theirs.log", "LOG goes on", NULL);
	look(w, NOON + 200);
	log_write(w->log, LEVEL_LOG, "is there again");
	expect_text(w, "weir.log", "is there again", "goes on");
	/* the next time is another one */
	assert_int_equal(rename(from, path_of(w, "theirs too.log")), 0);
	assert_int_equal(mkdir(from, 0700), 0);
	look(w, NOON + 300);
	assert_int_equal(rmdir(from), 0);
	expect_text(w, "theirs too.log", "WARNING could not open log file \"", NULL);
}

static void a_link_stays_and_its_file_gets_the_other_name(void **state)
{
	struct world *w = (struct world *)*state;
	struct stat st;

	make_file(w, "real.log", "");
	assert_int_equal(symlink("real.log", path_of(w, "weir.log")), 0);
	w->settings.log_rotation_size_bytes = 1;
	w->settings.log_rotation_keep = 1;
	begin(w, "weir.log", NOON);
	for (int i = 0; i < 3; i++) {
		log_write(w->log, LEVEL_LOG, "number %d", i);
		look(w, NOON + i);
	}
	log_write(w->log, LEVEL_LOG, "number 3");
	expect_files(w, "real-2026-05-08_120002.log real.log weir.log");
	expect_text(w, "real-2026-05-08_120002.log", "number 2", "number 1");
	expect_text(w, "real.log", "number 3", "number 2");
	assert_int_equal(lstat(path_of(w, "weir.log"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
}

static void what_is_no_plain_file_keeps_its_name(void **state)
{
	struct world *w = (struct world *)*state;
	static char null[] = "/dev/null";

	w->settings.log_rotation_size_bytes = 1;
	w->settings.logfile = null;
	log_rotation_begin(&w->rotation, &w->settings, AT(NOON));
	assert_false(log_rotation_is_on(&w->rotation));
}

#define THREADS 4
#define FILES 20

struct writers {
	struct log *log;
	atomic_bool enough;
	atomic_int written;
};

static void *write_many(void *arg)
{
	struct writers *all = (struct writers *)arg;

	while (!atomic_load(&all->enough))
		log_write(all->log, LEVEL_LOG, "begin %060d end", atomic_fetch_add(&all->written, 1));
	return NULL;
}

static int count_files(const struct world *w)
{
	char **names;
	int n = 0;

	assert_int_equal(directory_names(w->directory, "*", &names), 0);
	while (names[n] != NULL)
		n++;
	directory_names_free(names);
	return n;
}

/* Counts whole records; any other line is a failure. */
static int count_records(const char *path)
{
	char line[300];
	FILE *f = file_open(path);
	int n = 0;

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		const char *text = strstr(line, "] LOG begin ");

		assert_int_equal(line[0], '2');
		assert_non_null(text);
		assert_int_equal(strlen(text), 12 + 60 + 5);
		assert_string_equal(text + 12 + 60, " end\n");
		n++;
	}
	fclose(f);
	return n;
}

static void no_record_is_lost_or_torn_while_threads_write(void **state)
{
	struct world *w = (struct world *)*state;
	struct writers all = {.log = w->log};
	pthread_t thread[THREADS];
	char **names;
	int n = 0;

	w->settings.log_rotation_size_bytes = 1;
	w->settings.log_rotation_keep = 0;
	begin(w, "weir.log", NOON);
	atomic_init(&all.enough, false);
	atomic_init(&all.written, 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, &all), 0);
	for (time_t second = NOON; count_files(w) < FILES; second++)
		look(w, second);
	atomic_store(&all.enough, true);
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(directory_names(w->directory, "*", &names), 0);
	for (int i = 0; names[i] != NULL; i++)
		n += count_records(path_of(w, names[i]));
	directory_names_free(names);
	assert_int_equal(n, atomic_load(&all.written));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(nothing_is_rotated_that_nobody_asked_for),
	    TEST(a_file_of_that_size_gets_the_time_into_its_name),
	    TEST(a_day_ends_at_midnight_of_local_time),
	    TEST(what_was_written_before_a_stop_of_days_is_old),
	    TEST(an_empty_file_is_not_worth_a_name),
	    TEST(two_in_one_second_wait_for_the_next),
	    TEST(only_the_newest_are_kept_and_nothing_else_is_touched),
	    TEST(all_are_kept_if_there_is_no_number),
	    TEST(names_of_all_forms_are_found_again),
	    TEST(a_file_that_somebody_else_has_moved_is_left_to_him),
	    TEST(a_failure_is_said_once_and_the_log_goes_on),
	    TEST(a_clock_that_is_set_back_prolongs_no_failure),
	    TEST(what_has_the_name_and_cannot_be_opened_is_said_once),
	    TEST(a_link_stays_and_its_file_gets_the_other_name),
	    TEST(what_is_no_plain_file_keeps_its_name),
	    TEST(no_record_is_lost_or_torn_while_threads_write),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
