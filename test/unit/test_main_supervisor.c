/* The supervisor as a whole: made and freed with every allocation failing in turn. No thread is started here. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "conf/url.h"
#include "failing_mem.h"
#include "main/supervisor.h"

struct world {
	struct logging logging;
	struct log *log;
	struct config *config;
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));
	struct conf_error why;

	assert_non_null(w);
	w->log = log_new();
	assert_non_null(w->log);
	logging_init(&w->logging, w->log, 0, true);
	w->config = config_from_url("postgres://app:secret@127.0.0.1:1/app", &why);
	assert_non_null(w->config);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	config_unref(w->config);
	logging_fini(&w->logging);
	log_free(w->log);
	free(w);
	return mem_blocks == 0 ? 0 : -1;
}

static void it_is_made_and_freed_without_a_trace(void **state)
{
	struct world *w = (struct world *)*state;
	size_t before = mem_blocks;
	struct supervisor *s = supervisor_new(&w->logging, w->config);

	assert_non_null(s);
	assert_true(supervisor_free(s));
	assert_int_equal(mem_blocks, before);
}

static void without_memory_at_any_point_it_is_not_made_and_nothing_is_left(void **state)
{
	struct world *w = (struct world *)*state;
	size_t before = mem_blocks, n = 0;
	struct supervisor *s = NULL;

	while (s == NULL) {
		mem_until_failure = ++n;
		s = supervisor_new(&w->logging, w->config);
		mem_until_failure = 0;
		if (s == NULL)
			assert_int_equal(mem_blocks, before);
	}
	assert_true(n > 20);
	assert_true(supervisor_free(s));
	assert_int_equal(mem_blocks, before);
}

static void what_the_console_may_see_is_there(void **state)
{
	struct world *w = (struct world *)*state;
	struct supervisor *s = supervisor_new(&w->logging, w->config);

	assert_non_null(s);
	assert_ptr_equal(s->control.self, s);
	assert_ptr_equal(s->control.config(s), w->config);
	assert_string_equal(s->control.config_path(s), "");
	assert_false(s->control.is_paused(s));
	assert_false(s->control.is_shutting_down(s));
	assert_true(supervisor_free(s));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_is_made_and_freed_without_a_trace, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(without_memory_at_any_point_it_is_not_made_and_nothing_is_left, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(what_the_console_may_see_is_there, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
