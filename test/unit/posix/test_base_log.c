/* base/log: the line format, levels, one record per line, targets, reopening, threads that do not mix. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../log_file.h"
#include "base/log.h"
#include "base/mem.h"

/* A log that writes to a file of its own in a directory of its own. */
struct fixture {
	struct log *log;
	char dir[64];
	char path[80];
};

static int open_log(void **state)
{
	struct fixture *f = mem_new(struct fixture);

	assert_non_null(f);
	snprintf(f->dir, sizeof(f->dir), "/tmp/pgweir-test-log.XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/log", f->dir);
	f->log = log_new();
	assert_non_null(f->log);
	log_set_stderr(f->log, false);
	assert_true(log_to_file(f->log, f->path));
	*state = f;
	return 0;
}

static int close_log(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_free(f->log);
	unlink(f->path);
	assert_int_equal(rmdir(f->dir), 0);
	mem_free(f);
	return 0;
}

/* The whole file; the caller frees it. */
static char *content(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = (char *)mem_alloc(1u << 20);

	assert_non_null(file);
	assert_non_null(text);
	(void)!fread(text, 1, (1u << 20) - 1, file);
	fclose(file);
	return text;
}

static void expect_content(const char *path, const char *pattern)
{
	char *text = content(path);
	regex_t regex;

	assert_int_equal(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
	if (regexec(&regex, text, 0, NULL, 0) != 0)
		fail_msg("\"%s\" does not look like \"%s\"", text, pattern);
	regfree(&regex);
	mem_free(text);
}

#define HEAD "[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} [A-Z+0-9-]+ \\[[0-9]+\\] "

static void a_record_has_time_zone_pid_level_and_text(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	char pattern[200];

	log_write(f->log, LEVEL_WARNING, "hello %s", "world");
	expect_content(f->path, "^" HEAD "WARNING hello world\n$");
	snprintf(pattern, sizeof(pattern), " \\[%ld\\] ", (long)getpid());
	expect_content(f->path, pattern);
}

static void records_beyond_the_level_are_dropped(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_write(f->log, LEVEL_DEBUG, "first");
	log_write(f->log, LEVEL_LOG, "second");
	expect_content(f->path, "^" HEAD "LOG second\n$");
	log_set_verbose(f->log, 1);
	log_write(f->log, LEVEL_DEBUG, "third");
	log_write(f->log, LEVEL_NOISE, "fourth");
	expect_content(f->path, "LOG second\n" HEAD "DEBUG third\n$");
}

static void wanted_levels_follow_verbosity(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	assert_true(log_wants(f->log, LEVEL_FATAL));
	assert_true(log_wants(f->log, LEVEL_LOG));
	assert_false(log_wants(f->log, LEVEL_DEBUG));
	log_set_verbose(f->log, 1);
	assert_true(log_wants(f->log, LEVEL_DEBUG));
	assert_false(log_wants(f->log, LEVEL_NOISE));
	log_set_verbose(f->log, 100);
	assert_true(log_wants(f->log, LEVEL_NOISE));
	log_set_verbose(f->log, -1);
	assert_true(log_wants(f->log, LEVEL_LOG));
	assert_false(log_wants(f->log, LEVEL_DEBUG));
}

static void text_cannot_forge_a_record(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_write(f->log, LEVEL_LOG, "a\nb\r\x1b[2J\tc");
	expect_content(f->path, "^" HEAD "LOG a\n\tb\\?\\?\\[2J\tc\n$");
}

static void an_endless_text_is_cut_to_one_record(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	static char big[100001];
	char *text;

	memset(big, '\n', 100000);
	log_write(f->log, LEVEL_LOG, "%s", big);
	memset(big, 'x', 100000);
	log_write(f->log, LEVEL_LOG, "%s", big);
	text = content(f->path);
	assert_in_range(strlen(text), 8000, 2 * 8192);
	assert_int_equal(text[strlen(text) - 1], '\n');
	mem_free(text);
}

static void setting_the_file_again_starts_a_new_one_after_rotation(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	char old[100];

	snprintf(old, sizeof(old), "%s.1", f->path);
	log_write(f->log, LEVEL_LOG, "before");
	assert_int_equal(rename(f->path, old), 0);
	log_write(f->log, LEVEL_LOG, "between");
	assert_true(log_to_file(f->log, f->path));
	log_write(f->log, LEVEL_LOG, "after");
	expect_content(old, "LOG before\n" HEAD "LOG between\n$");
	expect_content(f->path, "^" HEAD "LOG after\n$");
	assert_int_equal(unlink(old), 0);
}

static void an_existing_file_is_continued(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_write(f->log, LEVEL_LOG, "before");
	assert_true(log_take_file(f->log, -1));
	log_write(f->log, LEVEL_LOG, "nowhere");
	assert_true(log_to_file(f->log, f->path));
	log_write(f->log, LEVEL_LOG, "after");
	expect_content(f->path, "^" HEAD "LOG before\n" HEAD "LOG after\n$");
}

static void the_number_of_a_file_stays_when_it_is_exchanged(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	int number = log_file(f->log);

	assert_true(number >= 0);
	assert_true(log_to_file(f->log, f->path));
	assert_int_equal(log_file(f->log), number);
	assert_true(log_take_file(f->log, -1));
	assert_int_equal(log_file(f->log), -1);
}

static void set_zone(char *zone)
{
	assert_int_equal(putenv(zone), 0);
	tzset();
}

static void times_are_local_and_say_so(void **state)
{
	static char east[] = "TZ=IST-5:30", west[] = "TZ=BRT3", here[] = "TZ=UTC0";
	struct fixture *f = (struct fixture *)*state;

	set_zone(east);
	log_write(f->log, LEVEL_LOG, "one");
	log_set_format(f->log, LOG_FORMAT_JSON);
	log_write(f->log, LEVEL_LOG, "two");
	set_zone(west);
	log_write(f->log, LEVEL_LOG, "three");
	set_zone(here);
	log_write(f->log, LEVEL_LOG, "four");
	expect_content(f->path,
	               " IST \\[[0-9]+\\] LOG one\n.*\\+05:30\".*\"two\".*-03:00\".*\"three\".*\\+00:00\".*\"four\"");
}

static void stderr_is_written_only_when_asked(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	char path[100];
	int saved = dup(STDERR_FILENO);

	snprintf(path, sizeof(path), "%s.stderr", f->path);
	assert_true(saved >= 0);
	assert_non_null(freopen(path, "w", stderr));
	log_write(f->log, LEVEL_LOG, "one");
	log_set_stderr(f->log, true);
	log_write(f->log, LEVEL_LOG, "two");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	expect_content(path, "^" HEAD "LOG two\n$");
	expect_content(f->path, "LOG one\n" HEAD "LOG two\n$");
	assert_int_equal(unlink(path), 0);
}

static void note_text(const struct log_event *e, const char *text)
{
	enum log_level level = e->level;

	check_expected(level);
	check_expected(text);
}

static void a_sink_gets_text_without_head_and_no_debugging(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_set_verbose(f->log, 2);
	log_set_sink(f->log, note_text);
	expect_value(note_text, level, LEVEL_ERROR);
	expect_string(note_text, text, "broken");
	log_write(f->log, LEVEL_ERROR, "bro%s", "ken");
	log_write(f->log, LEVEL_DEBUG, "detail");
	log_set_sink(f->log, NULL);
	log_write(f->log, LEVEL_ERROR, "unseen");
}

static bool take_text(enum log_level level, const char *text)
{
	check_expected(level);
	check_expected(text);
	return mock_type(bool);
}

static void what_stderr_leads_to_may_take_the_text_itself(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	char path[100];
	int saved = dup(STDERR_FILENO);

	snprintf(path, sizeof(path), "%s.stderr", f->path);
	assert_true(saved >= 0);
	assert_non_null(freopen(path, "w", stderr));
	log_set_journal(f->log, take_text);
	log_write(f->log, LEVEL_LOG, "not for stderr");
	log_set_stderr(f->log, true);
	log_set_verbose(f->log, 1);
	expect_value(take_text, level, LEVEL_DEBUG);
	expect_string(take_text, text, "one\n\ttwo");
	will_return(take_text, true);
	log_write(f->log, LEVEL_DEBUG, "one\ntwo");
	/* what is not taken is written */
	expect_value(take_text, level, LEVEL_ERROR);
	expect_string(take_text, text, "three");
	will_return(take_text, false);
	log_write(f->log, LEVEL_ERROR, "three");
	/* and JSON is JSON everywhere */
	log_set_format(f->log, LOG_FORMAT_JSON);
	log_write(f->log, LEVEL_LOG, "four");
	assert_true(dup2(saved, STDERR_FILENO) >= 0);
	close(saved);
	expect_content(path, "^" HEAD "ERROR three\n\\{.*\"text\":\"four\"\\}\n$");
	assert_int_equal(unlink(path), 0);
}

/* ---- events ---- */

static const struct log_event full = {.level = LEVEL_WARNING,
                                      .event = "outage_begins",
                                      .class = "connection_refused",
                                      .database = "app",
                                      .user = "ann",
                                      .host = "db",
                                      .address = "10.0.0.5",
                                      .port = 5432,
                                      .client = 7,
                                      .server = 8,
                                      .incident = "0badcafe",
                                      .count = 3,
                                      .who = "C-0x1: app/ann@unix:1",
                                      .text = "down",
                                      .detail = "Since then.",
                                      .hint = "Paste:\nhost all"};

static void an_event_is_a_line_with_detail_and_hint_below_it(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	struct log_event bare = {.level = LEVEL_LOG, .event = "x", .database = "app", .text = "hello"};

	log_event(f->log, &full);
	log_event(f->log, &bare);
	expect_content(f->path, "^" HEAD "WARNING C-0x1: app/ann@unix:1 down\n"
	                        "\tDETAIL: Since then\\.\n\tHINT: Paste:\n\thost all\n" HEAD "LOG hello\n$");
}

static void a_connection_is_named_by_what_is_known_of_it(void **state)
{
	struct log_event e = {.database = "app", .user = "ann", .address = "10.0.0.5", .port = 6432};
	char who[LOG_WHO_BYTES];

	(void)state;
	log_name_connection(&e, 'C', (const void *)0xabc, who);
	assert_string_equal(who, "C-0xabc: app/ann@10.0.0.5:6432");
	e.address = "::1";
	log_name_connection(&e, 'S', (const void *)0xabc, who);
	assert_string_equal(who, "S-0xabc: app/ann@[::1]:6432");
}

#define TIME "\\{\"time\":\"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}[+-][0-9]{2}:[0-9]{2}\","

static void an_event_as_json_has_its_fields_and_no_others(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_set_format(f->log, LOG_FORMAT_JSON);
	log_event(f->log, &full);
	log_write(f->log, LEVEL_LOG, "plain %d", 1);
	expect_content(f->path, "^" TIME "\"level\":\"WARNING\",\"pid\":[0-9]+,\"event\":\"outage_begins\","
	                        "\"class\":\"connection_refused\",\"database\":\"app\",\"user\":\"ann\","
	                        "\"host\":\"db\",\"address\":\"10\\.0\\.0\\.5\",\"port\":5432,\"client\":7,"
	                        "\"server\":8,\"incident\":\"0badcafe\",\"count\":3,\"text\":\"down\","
	                        "\"detail\":\"Since then\\.\",\"hint\":\"Paste:\\\\nhost all\"\\}\n" TIME
	                        "\"level\":\"LOG\",\"pid\":[0-9]+,\"text\":\"plain 1\"\\}\n$");
}

static void the_format_changes_from_one_record_to_the_next(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_write(f->log, LEVEL_LOG, "one");
	log_set_format(f->log, LOG_FORMAT_JSON);
	log_write(f->log, LEVEL_LOG, "two");
	log_set_format(f->log, LOG_FORMAT_TEXT);
	log_write(f->log, LEVEL_LOG, "three");
	expect_content(f->path, "^" HEAD "LOG one\n\\{.*\"text\":\"two\"\\}\n" HEAD "LOG three\n$");
}

static void names_cannot_forge_a_record_or_a_field(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	struct log_event e = {.level = LEVEL_LOG, .who = "a\n\tHINT: b", .text = "c\nd"};

	log_event(f->log, &e);
	expect_content(f->path, "^" HEAD "LOG a \tHINT: b c d\n$");
	log_set_format(f->log, LOG_FORMAT_JSON);
	e = (struct log_event){.level = LEVEL_LOG, .database = "\"}\\\n{\r\t", .user = "\x1b\x80\xe9 \xe2\x80\xae\x7f"};
	log_event(f->log, &e);
	expect_content(f->path, "\"database\":\"\\\\\"\\}\\\\\\\\\\\\n\\{\\\\r\\\\t\","
	                        "\"user\":\"\\\\u001b\xef\xbf\xbd\xef\xbf\xbd \\\\u202e\\\\u007f\"\\}\n$");
}

static void what_is_too_long_is_cut_between_characters_and_marked(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	static char big[60001], part[20000];
	struct log_event e = {
	    .level = LEVEL_LOG, .text = big, .detail = big, .hint = big, .user = big, .event = "last"};
	char *text;

	for (size_t i = 0; i < 60000; i++)
		big[i] = "\xe2\x82\xac"[i % 3];
	log_set_format(f->log, LOG_FORMAT_JSON);
	log_event(f->log, &e);
	text = content(f->path);
	assert_in_range(strlen(text), LOG_TEXT_MAX + 2 * LOG_MORE_MAX, LOG_TEXT_MAX + 2 * LOG_MORE_MAX + 1000);
	assert_non_null(strstr(text, "\xe2\x82\xac...\",\"detail\":\""));
	assert_non_null(strstr(text, "\xe2\x82\xac...\"}\n"));
	mem_free(text);
	/* the dearest character in every place: all ends stay in place */
	memset(part, 1, sizeof(part) - 1);
	e = (struct log_event){.level = LEVEL_LOG,
	                       .event = part,
	                       .class = part,
	                       .database = part,
	                       .user = part,
	                       .host = part,
	                       .address = part,
	                       .port = 65535,
	                       .client = UINT64_MAX,
	                       .server = UINT64_MAX,
	                       .incident = part,
	                       .count = UINT64_MAX,
	                       .text = part,
	                       .detail = part,
	                       .hint = part};
	log_event(f->log, &e);
	text = content(f->path);
	assert_string_equal(text + strlen(text) - 11, "u0001...\"}\n");
	mem_free(text);
}

static void a_sink_gets_text_whatever_the_format(void **state)
{
	struct fixture *f = (struct fixture *)*state;

	log_set_format(f->log, LOG_FORMAT_JSON);
	log_set_sink(f->log, note_text);
	expect_value(note_text, level, LEVEL_WARNING);
	expect_string(note_text, text, "C-0x1: app/ann@unix:1 down\n\tDETAIL: Since then.\n\tHINT: Paste:\n\thost all");
	log_event(f->log, &full);
	log_set_sink(f->log, NULL);
}

#define THREADS 4
#define RECORDS 500

static void *write_many(void *arg)
{
	struct log *log = (struct log *)arg;

	for (int i = 0; i < RECORDS; i++)
		log_write(log, LEVEL_LOG, "begin %0100d end", i);
	return NULL;
}

static void records_of_several_threads_do_not_mix(void **state)
{
	struct fixture *f = (struct fixture *)*state;
	pthread_t thread[THREADS];
	regex_t regex;
	char *text, *line, *rest;
	int lines = 0;

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, write_many, f->log), 0);
	/* exchanging the file meanwhile must not lose a record */
	for (int i = 0; i < 50; i++)
		assert_true(log_to_file(f->log, f->path));
	for (int i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(regcomp(&regex, "^" HEAD "LOG begin [0-9]{100} end$", REG_EXTENDED | REG_NOSUB), 0);
	text = content(f->path);
	for (line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
		assert_int_equal(regexec(&regex, line, 0, NULL, 0), 0);
		lines++;
	}
	assert_int_equal(lines, THREADS * RECORDS);
	regfree(&regex);
	mem_free(text);
}

static void freeing_no_log_is_fine(void **state)
{
	(void)state;
	log_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_log, close_log)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(a_record_has_time_zone_pid_level_and_text),
	    TEST(records_beyond_the_level_are_dropped),
	    TEST(wanted_levels_follow_verbosity),
	    TEST(text_cannot_forge_a_record),
	    TEST(an_endless_text_is_cut_to_one_record),
	    TEST(setting_the_file_again_starts_a_new_one_after_rotation),
	    TEST(an_existing_file_is_continued),
	    TEST(the_number_of_a_file_stays_when_it_is_exchanged),
	    TEST(times_are_local_and_say_so),
	    TEST(stderr_is_written_only_when_asked),
	    TEST(a_sink_gets_text_without_head_and_no_debugging),
	    TEST(what_stderr_leads_to_may_take_the_text_itself),
	    TEST(an_event_is_a_line_with_detail_and_hint_below_it),
	    cmocka_unit_test(a_connection_is_named_by_what_is_known_of_it),
	    TEST(an_event_as_json_has_its_fields_and_no_others),
	    TEST(the_format_changes_from_one_record_to_the_next),
	    TEST(names_cannot_forge_a_record_or_a_field),
	    TEST(what_is_too_long_is_cut_between_characters_and_marked),
	    TEST(a_sink_gets_text_whatever_the_format),
	    TEST(records_of_several_threads_do_not_mix),
	    cmocka_unit_test(freeing_no_log_is_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
