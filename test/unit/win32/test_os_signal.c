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

static struct wakeup bell;

static int set_up(void **state)
{
	(void)state;
	return wakeup_init(&bell) ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	signal_listen_end();
	wakeup_fini(&bell);
	return 0;
}

static void assert_taken(enum signal expected, const char *expected_name)
{
	enum signal what;
	const char *name;

	assert_true(signal_take(&what, &name));
	assert_int_equal(what, expected);
	assert_string_equal(name, expected_name);
}

static void assert_none_left(void)
{
	enum signal what;
	const char *name;

	assert_false(signal_take(&what, &name));
}

static void what_came_before_is_kept(void **state)
{
	(void)state;
	signal_post(SIGNAL_STOP, "early");
	assert_true(signal_listen(&bell, STOP_AND_RELOAD));
	assert_true(socket_has_news(bell.read_fd));
	assert_taken(SIGNAL_STOP, "early");
	assert_none_left();
}

/* What is said last is what stays. */
static void two_of_a_kind_are_one_and_two_kinds_are_two(void **state)
{
	(void)state;
	assert_true(signal_listen(&bell, STOP_AND_RELOAD));
	signal_post(SIGNAL_STOP, "first");
	signal_post(SIGNAL_STOP, "second");
	signal_post(SIGNAL_RELOAD, "reload");
	assert_taken(SIGNAL_STOP, "second");
	assert_taken(SIGNAL_RELOAD, "reload");
	assert_none_left();
}

static void they_are_taken_in_the_order_in_which_they_came(void **state)
{
	const enum signal said[] = {SIGNAL_RESUME, SIGNAL_PAUSE, SIGNAL_RELOAD};

	(void)state;
	assert_true(signal_listen(&bell, (1u << N_SIGNALS) - 1));
	for (size_t i = 0; i < 3; i++)
		signal_post(said[i], "x");
	for (size_t i = 0; i < 3; i++)
		assert_taken(said[i], "x");
	assert_none_left();
}

static void what_nobody_listens_to_is_not_told(void **state)
{
	(void)state;
	assert_true(signal_listen(&bell, STOP_AND_RELOAD));
	signal_post(SIGNAL_PAUSE, "pause");
	assert_false(socket_has_news(bell.read_fd));
	assert_none_left();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_are_no_numbers),
	    TEST(what_came_before_is_kept),
	    TEST(two_of_a_kind_are_one_and_two_kinds_are_two),
	    TEST(they_are_taken_in_the_order_in_which_they_came),
	    TEST(what_nobody_listens_to_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
