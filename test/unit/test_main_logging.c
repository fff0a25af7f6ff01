/* Where the log goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "main/logging.h"
#include "os/file.h"
#include "place.h"

struct world {
	struct log *log;
	struct logging logging;
	struct settings settings;
	char directory[PLACE_BYTES], one[PLACE_BYTES + 16], two[PLACE_BYTES + 16];
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));

	assert_non_null(w);
	w->log = log_new();
	assert_non_null(w->log);
	logging_init(&w->logging, w->log, 0, true);
	place_make(w->directory);
	snprintf(w->one, sizeof(w->one), "%s/one.log", w->directory);
	snprintf(w->two, sizeof(w->two), "%s/two.log", w->directory);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	logging_fini(&w->logging);
	log_free(w->log);
	place_remove(w->directory);
	free(w);
	return 0;
}

/* What the file holds, in `buf`. */
static const char *content(const char *path, char *buf, size_t size)
{
	FILE *f = file_open(path);
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, size - 1, f);
	buf[n] = '\0';
	fclose(f);
	return buf;
}

static void apply(struct world *w)
{
	char why[256];

	assert_true(logging_apply(&w->logging, &w->settings, why, sizeof(why)));
}

static void records_go_to_the_file_of_the_settings(void **state)
{
	struct world *w = (struct world *)*state;
	char buf[1024];

	w->settings.logfile = w->one;
	apply(w);
	log_write(w->log, LEVEL_LOG, "first");
	w->settings.logfile = w->two;
	apply(w);
	log_write(w->log, LEVEL_LOG, "second");
	assert_non_null(strstr(content(w->one, buf, sizeof(buf)), "first"));
	assert_null(strstr(buf, "second"));
	assert_non_null(strstr(content(w->two, buf, sizeof(buf)), "second"));
}

static void a_file_that_was_moved_away_is_opened_anew(void **state)
{
	struct world *w = (struct world *)*state;
	char buf[1024];

	w->settings.logfile = w->one;
	apply(w);
	assert_true(file_rename(w->one, w->two));
	apply(w);
	log_write(w->log, LEVEL_LOG, "after");
	assert_non_null(strstr(content(w->one, buf, sizeof(buf)), "after"));
}

static void a_file_that_cannot_be_opened_is_refused_and_changes_nothing(void **state)
{
	struct world *w = (struct world *)*state;
	char bad[PLACE_BYTES + 16], why[512], buf[1024];

	w->settings.logfile = w->one;
	apply(w);
	snprintf(bad, sizeof(bad), "%s/missing/x.log", w->directory);
	w->settings.logfile = bad;
	assert_false(logging_check(&w->settings, why, sizeof(why)));
	assert_non_null(strstr(why, "could not open log file \""));
	assert_non_null(strstr(why, bad));
	assert_non_null(strstr(why, "No such file or directory"));
	assert_false(logging_apply(&w->logging, &w->settings, why, sizeof(why)));
	log_write(w->log, LEVEL_LOG, "still here");
	assert_non_null(strstr(content(w->one, buf, sizeof(buf)), "still here"));
}

static void the_format_is_that_of_the_settings(void **state)
{
	struct world *w = (struct world *)*state;
	char buf[1024];

	w->settings.logfile = w->one;
	w->settings.log_format = LOG_FORMAT_JSON;
	apply(w);
	log_write(w->log, LEVEL_LOG, "first");
	w->settings.logfile = w->two;
	w->settings.log_format = LOG_FORMAT_TEXT;
	apply(w);
	log_write(w->log, LEVEL_LOG, "second");
	assert_non_null(strstr(content(w->one, buf, sizeof(buf)), "\"text\":\"first\"}\n"));
	assert_non_null(strstr(content(w->two, buf, sizeof(buf)), "] LOG second\n"));
}

static void the_command_line_and_the_settings_may_each_ask_for_more(void **state)
{
	struct world *w = (struct world *)*state;

	apply(w);
	assert_false(log_wants(w->log, LEVEL_DEBUG));
	w->settings.verbose = 1;
	apply(w);
	assert_true(log_wants(w->log, LEVEL_DEBUG));
	w->settings.verbose = 0;
	w->logging.verbose = 2;
	apply(w);
	assert_true(log_wants(w->log, LEVEL_NOISE));
}

static void the_system_log_is_opened_and_closed_as_the_settings_say(void **state)
{
	struct world *w = (struct world *)*state;
	char ident[] = "weir", other[] = "other", facility[] = "local0";

	w->settings.syslog = true;
	w->settings.syslog_ident = ident;
	w->settings.syslog_facility = facility;
	apply(w);
	assert_string_equal(w->logging.ident, "weir");
	w->settings.syslog_ident = other;
	apply(w);
	assert_string_equal(w->logging.ident, "other");
	w->settings.syslog = false;
	apply(w);
	assert_null(w->logging.ident);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(records_go_to_the_file_of_the_settings, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_file_that_was_moved_away_is_opened_anew, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_file_that_cannot_be_opened_is_refused_and_changes_nothing, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(the_format_is_that_of_the_settings, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_command_line_and_the_settings_may_each_ask_for_more, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_system_log_is_opened_and_closed_as_the_settings_say, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
