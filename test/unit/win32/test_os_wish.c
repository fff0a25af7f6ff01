/* Wishes of the service manager and of the console. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "os/socket.h"
#include "os/wakeup.h"
#include "os/wish.h"

#define STOP_AND_RELOAD (1u << WISH_STOP | 1u << WISH_RELOAD)

static void there_are_no_signals(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_WISHES; i++)
		assert_int_equal(wish_signal((enum wish)i), 0);
}

static void what_came_before_is_kept(void **state)
{
	struct wakeup w;
	enum wish what;
	const char *name;

	(void)state;
	wish_post(WISH_STOP, "early");
	assert_true(wakeup_init(&w));
	assert_true(wish_listen(&w, STOP_AND_RELOAD));
	assert_true(socket_has_news(w.read_fd));
	assert_true(wish_take(&what, &name));
	assert_int_equal(what, WISH_STOP);
	assert_string_equal(name, "early");
	assert_false(wish_take(&what, &name));
	wish_ignore();
	wakeup_fini(&w);
}

static void two_of_a_kind_are_one_and_two_kinds_are_two(void **state)
{
	struct wakeup w;
	enum wish what;
	const char *name;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(wish_listen(&w, STOP_AND_RELOAD));
	wish_post(WISH_STOP, "first");
	wish_post(WISH_STOP, "second");
	wish_post(WISH_RELOAD, "reload");
	assert_true(wish_take(&what, &name));
	assert_int_equal(what, WISH_STOP);
	assert_string_equal(name, "second");
	assert_true(wish_take(&what, &name));
	assert_int_equal(what, WISH_RELOAD);
	assert_false(wish_take(&what, &name));
	wish_ignore();
	wakeup_fini(&w);
}

/* What is said last is what stays. */
static void they_are_taken_in_the_order_in_which_they_came(void **state)
{
	const enum wish said[] = {WISH_RESUME, WISH_PAUSE, WISH_RELOAD};
	struct wakeup w;
	enum wish what;
	const char *name;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(wish_listen(&w, (1u << N_WISHES) - 1));
	for (size_t i = 0; i < 3; i++)
		wish_post(said[i], "x");
	for (size_t i = 0; i < 3; i++) {
		assert_true(wish_take(&what, &name));
		assert_int_equal(what, said[i]);
	}
	assert_false(wish_take(&what, &name));
	wish_ignore();
	wakeup_fini(&w);
}

static void what_nobody_listens_to_is_not_told(void **state)
{
	struct wakeup w;
	enum wish what;
	const char *name;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(wish_listen(&w, STOP_AND_RELOAD));
	wish_post(WISH_PAUSE, "pause");
	assert_false(socket_has_news(w.read_fd));
	assert_false(wish_take(&what, &name));
	wish_ignore();
	wakeup_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(there_are_no_signals),
	    cmocka_unit_test(what_came_before_is_kept),
	    cmocka_unit_test(two_of_a_kind_are_one_and_two_kinds_are_two),
	    cmocka_unit_test(they_are_taken_in_the_order_in_which_they_came),
	    cmocka_unit_test(what_nobody_listens_to_is_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
