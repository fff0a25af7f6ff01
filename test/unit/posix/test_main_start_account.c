/* Tests of src/main/start.c: accounts, and Unix sockets that are in the way. */
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

#include "../place.h"
#include "../said.h"
#include "main/start.h"
#include "os/socket.h"

struct world {
	struct log *log;
	struct settings settings;
	struct options options;
	char directory[PLACE_BYTES], socket[PLACE_BYTES + 16], lock[PLACE_BYTES + 32];
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));

	assert_non_null(w);
	w->log = log_that_is_heard();
	place_make(w->directory);
	snprintf(w->socket, sizeof(w->socket), "%s/.s.PGSQL.6432", w->directory);
	snprintf(w->lock, sizeof(w->lock), "%s.lock", w->socket);
	w->settings.listen_port = 6432;
	w->settings.unix_socket_dir = w->directory;
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

static void a_user_who_does_not_exist_is_named(void **state)
{
	struct world *w = (struct world *)*state;
	char setting[] = "no such user in settings";

	w->settings.user = setting;
	assert_false(start_user(&w->options, &w->settings, w->log));
	assert_string_equal(said, "could not find user 'no such user in settings' to switch to\n");
	said[0] = '\0';
	/* -u goes before it */
	w->options.user = "no such user at all";
	assert_false(start_user(&w->options, &w->settings, w->log));
	assert_string_equal(said, "could not find user 'no such user at all' to switch to\n");
}

static void root_does_not_serve_and_everybody_else_may(void **state)
{
	struct world *w = (struct world *)*state;

	assert_int_equal(start_user(&w->options, &w->settings, w->log), geteuid() != 0);
	if (geteuid() == 0)
		assert_said("should not run as root");
	else
		assert_string_equal(said, "");
}

static void a_socket_counts_as_long_as_somebody_listens(void **state)
{
	struct world *w = (struct world *)*state;
	struct address a;
	int fd;

	assert_true(address_from_text(&a, w->socket, 0));
	fd = socket_listen(&a, 5, 0777, false);
	assert_true(fd >= 0);
	assert_false(start_alone(&w->settings, w->log));
	assert_string_equal(said, "unix socket is in use, cannot continue\n");
	said[0] = '\0';
	w->settings.listen_port = 6433; /* not that one */
	assert_true(start_alone(&w->settings, w->log));
	w->settings.listen_port = 6432;
	socket_close(fd);
	assert_int_equal(access(w->socket, F_OK), 0); /* left behind */
	assert_true(start_alone(&w->settings, w->log));
	assert_string_equal(said, "");
}

static void a_servers_lock_file_counts_as_in_use(void **state)
{
	struct world *w = (struct world *)*state;

	place_put(w->lock, "");
	assert_false(start_alone(&w->settings, w->log));
	assert_string_equal(said, "unix port 6432 is in use\n");
}

#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STEP(a_user_who_does_not_exist_is_named),
	    STEP(root_does_not_serve_and_everybody_else_may),
	    STEP(a_socket_counts_as_long_as_somebody_listens),
	    STEP(a_servers_lock_file_counts_as_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
