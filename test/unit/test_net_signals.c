/* Signals reach the loop's owner, and not inside a handler. */
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
	enum signal last;
	const char *name;
};

static void got(void *owner, enum signal what, const char *name)
{
	struct watcher *w = (struct watcher *)owner;

	w->n++;
	w->last = what;
	w->name = name;
	loop_stop(w->loop);
}

static void a_signal_is_told_in_the_loop_each_time(void **state)
{
	struct watcher w = {.loop = loop_new()};
	struct signal_watch *watch = signal_watch_new(w.loop, 1u << SIGNAL_PAUSE | 1u << SIGNAL_RESUME, got, &w);

	(void)state;
	assert_non_null(watch);
	for (int i = 1; i <= 3; i++) {
		enum signal what = i == 2 ? SIGNAL_RESUME : SIGNAL_PAUSE;

		signal_post(what, "somebody");
		assert_int_equal(w.n, i - 1);
		loop_run(w.loop);
		assert_int_equal(w.n, i);
		assert_int_equal(w.last, what);
		assert_string_equal(w.name, signal_number(what) != 0 ? signal_name(what) : "somebody");
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
		struct signal_watch *watch = signal_watch_new(w.loop, 1u << SIGNAL_RELOAD, got, &w);

		assert_non_null(watch);
		signal_post(SIGNAL_RELOAD, "somebody");
		loop_run(w.loop);
		assert_int_equal(w.n, i);
		signal_watch_free(watch);
	}
	loop_free(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_signal_is_told_in_the_loop_each_time),
	    cmocka_unit_test(another_watch_may_follow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
