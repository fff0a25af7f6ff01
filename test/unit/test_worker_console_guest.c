/* Which names are the console's, and letting go of its clients. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "configured.h"
#include "pair.h"
#include "worker/console_guest.h"

static bool is_console(const char *databases, const char *name)
{
	char text[300];
	struct config *c;
	bool is;

	snprintf(text, sizeof(text), "[databases]\n%s\n[pgbouncer]\nauth_type=trust\n", databases);
	c = configured(text, NULL);
	is = console_is_database(c, name);
	config_unref(c);
	return is;
}

static void pgbouncer_is_always_the_console(void **state)
{
	(void)state;
	assert_true(is_console("", "pgbouncer"));
	assert_true(is_console("* = host=127.0.0.1", "pgbouncer"));
	assert_false(is_console("", "PgBouncer"));
	assert_false(is_console("", "pgbouncer2"));
	assert_false(is_console("", ""));
}

static void pgweir_is_the_console_unless_it_is_a_database(void **state)
{
	(void)state;
	assert_true(is_console("app = host=127.0.0.1", "pgweir"));
	assert_false(is_console("pgweir = host=127.0.0.1", "pgweir"));
	/* the template is no reason to lose the console */
	assert_true(is_console("* = host=127.0.0.1", "pgweir"));
}

static void freeing_a_guest_closes_its_connection(void **state)
{
	static const struct peer nobody;
	struct console_guest *g = mem_new(struct console_guest);
	int fd[2];
	char byte;

	(void)state;
	assert_non_null(g);
	assert_true(pair_make(fd));
	g->stream = stream_adopt(fd[0], &nobody);
	assert_non_null(g->stream);
	g->user = mem_copy_str("ann");
	g->database = mem_copy_str("pgbouncer");
	g->application_name = mem_copy_str("psql");
	console_guest_free(g);
	assert_int_equal(pair_receive(fd[1], &byte, 1), 0);
	socket_close(fd[1]);
}

static void a_half_made_guest_can_be_freed(void **state)
{
	(void)state;
	console_guest_free(NULL);
	console_guest_free(mem_new(struct console_guest));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pgbouncer_is_always_the_console),
	    cmocka_unit_test(pgweir_is_the_console_unless_it_is_a_database),
	    cmocka_unit_test(freeing_a_guest_closes_its_connection),
	    cmocka_unit_test(a_half_made_guest_can_be_freed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
