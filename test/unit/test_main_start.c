/* Tests of src/main/start.c: each step alone, and what it says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "main/start.h"
#include "os/file.h"
#include "place.h"
#include "said.h"

struct world {
	struct log *log;
	struct settings settings;
	struct options options;
	char directory[PLACE_BYTES], file[PLACE_BYTES + 8];
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));

	assert_non_null(w);
	w->log = log_that_is_heard();
	place_make(w->directory);
	snprintf(w->file, sizeof(w->file), "%s/file", w->directory);
	w->settings.listen_port = 6432;
	w->settings.unix_socket_dir = w->directory;
	w->options.source = w->file;
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	log_free(w->log);
	place_remove(w->directory);
	free(w);
	return 0;
}

static void a_good_file_is_loaded_without_a_word(void **state)
{
	struct world *w = (struct world *)*state;
	struct config *c;

	place_put(w->file, "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_type = any\nlisten_port = 7000\n");
	c = start_load(&w->options, w->log);
	assert_non_null(c);
	assert_int_equal(c->settings.listen_port, 7000);
	assert_string_equal(said, "");
	config_unref(c);
}

static void a_file_that_cannot_be_loaded_is_named(void **state)
{
	struct world *w = (struct world *)*state;

	assert_null(start_load(&w->options, w->log));
	assert_said(w->file);
	assert_said("cannot load config file\n");
	said[0] = '\0';
	place_put(w->file, "[pgbouncer]\nlisten_port = many\n");
	assert_null(start_load(&w->options, w->log));
	assert_said("listen_port");
	assert_said("cannot load config file\n");
}

static void a_url_is_used_in_place_of_a_file(void **state)
{
	struct world *w = (struct world *)*state;
	struct config *c;

	w->options.source = "postgres://ann:hidden@127.0.0.1:5433/app";
	c = start_load(&w->options, w->log);
	assert_string_equal(said, "");
	assert_non_null(c);
	config_unref(c);
	w->options.source = "postgres://ann:hidden@127.0.0.1:notaport/app";
	assert_null(start_load(&w->options, w->log));
	assert_said("cannot use the URL\n");
	assert_null(strstr(said, "hidden"));
}

static void going_into_the_background_needs_a_pidfile(void **state)
{
	struct world *w = (struct world *)*state;
	char empty[] = "";

	assert_true(start_may_detach(&w->options, &w->settings, w->log));
	assert_string_equal(said, "");
	w->options.daemon = true;
	assert_false(start_may_detach(&w->options, &w->settings, w->log));
	assert_string_equal(said, "daemon needs pidfile configured\n");
	w->settings.pidfile = empty;
	assert_false(start_may_detach(&w->options, &w->settings, w->log));
	w->settings.pidfile = w->file;
	assert_true(start_may_detach(&w->options, &w->settings, w->log));
}

static void an_empty_directory_is_ours_alone(void **state)
{
	struct world *w = (struct world *)*state;
	char empty[] = "";

	w->settings.pidfile = w->file;
	assert_true(start_alone(&w->settings, w->log));
	w->settings.unix_socket_dir = NULL;
	w->settings.pidfile = NULL;
	assert_true(start_alone(&w->settings, w->log));
	w->settings.unix_socket_dir = w->settings.pidfile = empty;
	assert_true(start_alone(&w->settings, w->log));
	assert_string_equal(said, "");
}

static void the_pidfile_is_written_once_and_then_in_the_way(void **state)
{
	struct world *w = (struct world *)*state;
	char text[32] = "", expected[32];
	int fd, again;
	FILE *f;

	assert_true(start_pidfile(&w->settings, &fd, w->log)); /* none configured */
	assert_int_equal(fd, -1);
	w->settings.pidfile = w->file;
	assert_true(start_pidfile(&w->settings, &fd, w->log));
	assert_true(fd >= 0);
	assert_string_equal(said, "");
	f = file_open(w->file);
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
	assert_string_equal(text, expected);
	assert_false(start_alone(&w->settings, w->log));
	assert_said("exists, another instance running?");
	said[0] = '\0';
	assert_false(start_pidfile(&w->settings, &again, w->log));
	assert_int_equal(again, -1);
	assert_said("could not open pidfile");
	assert_said(w->file);
	close(fd);
}

static void a_dead_processs_pidfile_is_removed(void **state)
{
	struct world *w = (struct world *)*state;

	place_put(w->file, "2147483644\n"); /* no system goes so far */
	w->settings.pidfile = w->file;
	assert_true(start_alone(&w->settings, w->log));
	assert_string_equal(said, "stale pidfile, removing\n");
	assert_false(file_exists(w->file));
}

static void a_pidfile_that_cannot_be_read_ends_the_start(void **state)
{
	struct world *w = (struct world *)*state;

	w->settings.pidfile = w->directory;
	assert_false(start_alone(&w->settings, w->log));
	assert_said("could not read pidfile '");
}

static void the_line_of_a_start_names_version_and_libraries(void **state)
{
	struct world *w = (struct world *)*state;

	start_say_up(w->log, "a method");
	assert_int_equal(strncmp(said, "process up: PgBouncer ", 22), 0);
	assert_said(", libevent ");
#ifdef HAVE_CARES
	assert_said(" (a method), adns: c-ares ");
#else
	assert_said(" (a method), adns: libc");
#endif
	assert_said(", tls: OpenSSL ");
}

#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STEP(a_good_file_is_loaded_without_a_word),
	    STEP(a_file_that_cannot_be_loaded_is_named),
	    STEP(a_url_is_used_in_place_of_a_file),
	    STEP(going_into_the_background_needs_a_pidfile),
	    STEP(an_empty_directory_is_ours_alone),
	    STEP(the_pidfile_is_written_once_and_then_in_the_way),
	    STEP(a_dead_processs_pidfile_is_removed),
	    STEP(a_pidfile_that_cannot_be_read_ends_the_start),
	    STEP(the_line_of_a_start_names_version_and_libraries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
