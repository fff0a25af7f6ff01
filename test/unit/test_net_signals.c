/* Wishes from outside reach the loop's owner, outside of the signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "net/loop.h"
#include "net/signals.h"

struct watcher {
	struct loop *loop;
	int n;
	enum wish last;
	const char *name;
};

static void got(void *owner, enum wish what, const char *name)
{
	struct watcher *w = (struct watcher *)owner;

	w->n++;
	w->last = what;
	w->name = name;
	loop_stop(w->loop);
}

static void a_wish_is_told_in_the_loop_each_time(void **state)
{
	struct watcher w = {.loop = loop_new()};
	struct signal_watch *watch = signal_watch_new(w.loop, 1u << WISH_PAUSE | 1u << WISH_RESUME, got, &w);

	(void)state;
	assert_non_null(watch);
	for (int i = 1; i <= 3; i++) {
		enum wish what = i == 2 ? WISH_RESUME : WISH_PAUSE;

		wish_post(what, "somebody");
		assert_int_equal(w.n, i - 1);
		loop_run(w.loop);
		assert_int_equal(w.n, i);
		assert_int_equal(w.last, what);
		assert_string_equal(w.name, wish_signal(what) != 0 ? wish_signal_name(what) : "somebody");
	}
	signal_watch_free(watch);
	signal_watch_free(NULL);
	loop_free(w.loop);
}

static void another_watch_may_follow(void **state)
{
	struct watcher w = {.loop = loop_new()};

	(void)state;
	for (int i = 1; i <= 2; i++) {
		struct signal_watch *watch = signal_watch_new(w.loop, 1u << WISH_RELOAD, got, &w);

		assert_non_null(watch);
		wish_post(WISH_RELOAD, "somebody");
		loop_run(w.loop);
		assert_int_equal(w.n, i);
		signal_watch_free(watch);
	}
	loop_free(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_wish_is_told_in_the_loop_each_time),
	    cmocka_unit_test(another_watch_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
