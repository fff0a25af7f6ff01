/* Signals of the service manager and of the console. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "os/signal.h"
#include "os/socket.h"
#include "os/wakeup.h"

#define STOP_AND_RELOAD (1u << SIGNAL_STOP | 1u << SIGNAL_RELOAD)

static void there_are_no_numbers(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_SIGNALS; i++)
		assert_int_equal(signal_number((enum signal)i), 0);
}

static void what_came_before_is_kept(void **state)
{
	struct wakeup w;
	enum signal what;
	const char *name;

	(void)state;
	signal_post(SIGNAL_STOP, "early");
	assert_true(wakeup_init(&w));
	assert_true(signal_listen(&w, STOP_AND_RELOAD));
	assert_true(socket_has_news(w.read_fd));
	assert_true(signal_take(&what, &name));
	assert_int_equal(what, SIGNAL_STOP);
	assert_string_equal(name, "early");
	assert_false(signal_take(&what, &name));
	signal_listen_end();
	wakeup_fini(&w);
}

static void two_of_a_kind_are_one_and_two_kinds_are_two(void **state)
{
	struct wakeup w;
	enum signal what;
	const char *name;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(signal_listen(&w, STOP_AND_RELOAD));
	signal_post(SIGNAL_STOP, "first");
	signal_post(SIGNAL_STOP, "second");
	signal_post(SIGNAL_RELOAD, "reload");
	assert_true(signal_take(&what, &name));
	assert_int_equal(what, SIGNAL_STOP);
	assert_string_equal(name, "second");
	assert_true(signal_take(&what, &name));
	assert_int_equal(what, SIGNAL_RELOAD);
	assert_false(signal_take(&what, &name));
	signal_listen_end();
	wakeup_fini(&w);
}

/* What is said last is what stays. */
static void they_are_taken_in_the_order_in_which_they_came(void **state)
{
	const enum signal said[] = {SIGNAL_RESUME, SIGNAL_PAUSE, SIGNAL_RELOAD};
	struct wakeup w;
	enum signal what;
	const char *name;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(signal_listen(&w, (1u << N_SIGNALS) - 1));
	for (size_t i = 0; i < 3; i++)
		signal_post(said[i], "x");
	for (size_t i = 0; i < 3; i++) {
		assert_true(signal_take(&what, &name));
		assert_int_equal(what, said[i]);
	}
	assert_false(signal_take(&what, &name));
	signal_listen_end();
	wakeup_fini(&w);
}

static void what_nobody_listens_to_is_not_told(void **state)
{
	struct wakeup w;
	enum signal what;
	const char *name;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(signal_listen(&w, STOP_AND_RELOAD));
	signal_post(SIGNAL_PAUSE, "pause");
	assert_false(socket_has_news(w.read_fd));
	assert_false(signal_take(&what, &name));
	signal_listen_end();
	wakeup_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_are_no_numbers),
	    cmocka_unit_test(what_came_before_is_kept),
	    cmocka_unit_test(two_of_a_kind_are_one_and_two_kinds_are_two),
	    cmocka_unit_test(they_are_taken_in_the_order_in_which_they_came),
	    cmocka_unit_test(what_nobody_listens_to_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
