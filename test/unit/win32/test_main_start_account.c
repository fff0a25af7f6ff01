/* Tests of src/main/start.c: an account that stays what it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../said.h"
#include "main/start.h"
#include "os/process.h"

struct world {
	struct log *log;
	struct settings settings;
	struct options options;
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));

	assert_non_null(w);
	w->log = log_that_is_heard();
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	log_free(w->log);
	free(w);
	return 0;
}

static void the_setting_user_changes_nothing_and_that_is_said(void **state)
{
	struct world *w = (struct world *)*state;
	char user[] = "no such user in settings";

	w->settings.user = user;
	assert_true(start_user(&w->options, &w->settings, w->log));
	assert_non_null(strstr(said, "setting user has no effect on this platform"));
}

static void the_rights_of_an_administrator_are_remarked(void **state)
{
	struct world *w = (struct world *)*state;

	assert_true(start_user(&w->options, &w->settings, w->log));
	assert_int_equal(strstr(said, "has the rights of an administrator") != NULL, os_is_superuser());
}

#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STEP(the_setting_user_changes_nothing_and_that_is_said),
	    STEP(the_rights_of_an_administrator_are_remarked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
