/* Signals reach the loop's owner, outside of the signal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <signal.h>

#include "net/loop.h"
#include "net/signals.h"

struct watcher {
	struct loop *loop;
	int n, last;
};

static void got(void *owner, int signo)
{
	struct watcher *w = (struct watcher *)owner;

	w->n++;
	w->last = signo;
	loop_stop(w->loop);
}

static void a_signal_is_told_in_the_loop_each_time(void **state)
{
	struct watcher w = {loop_new(), 0, 0};
	struct signal_watch *one = signal_watch_new(w.loop, SIGUSR1, got, &w);
	struct signal_watch *two = signal_watch_new(w.loop, SIGUSR2, got, &w);

	(void)state;
	assert_non_null(one);
	assert_non_null(two);
	for (int i = 1; i <= 3; i++) {
		int signo = i == 2 ? SIGUSR2 : SIGUSR1;

		assert_int_equal(raise(signo), 0);
		assert_int_equal(w.n, i - 1);
		loop_run(w.loop);
		assert_int_equal(w.n, i);
		assert_int_equal(w.last, signo);
	}
	signal_watch_free(one);
	signal_watch_free(two);
	signal_watch_free(NULL);
	loop_free(w.loop);
}

static void what_a_signal_did_before_comes_back(void **state)
{
	struct watcher w = {loop_new(), 0, 0};
	struct signal_watch *watch;
	struct sigaction now;

	(void)state;
	assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	watch = signal_watch_new(w.loop, SIGUSR1, got, &w);
	assert_non_null(watch);
	signal_watch_free(watch);
	assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_IGN);
	loop_free(w.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_signal_is_told_in_the_loop_each_time),
	    cmocka_unit_test(what_a_signal_did_before_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
