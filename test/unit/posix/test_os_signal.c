/* Signals as Unix has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <signal.h>

#include "net/loop.h"
#include "net/signals.h"

static void each_has_its_number_and_its_name(void **state)
{
	static const struct {
		enum signal what;
		int signo;
		const char *name;
	} cases[N_SIGNALS] = {
	    {SIGNAL_RELOAD, SIGHUP, "SIGHUP"}, {SIGNAL_STOP, SIGTERM, "SIGTERM"},  {SIGNAL_INTERRUPT, SIGINT, "SIGINT"},
	    {SIGNAL_QUIT, SIGQUIT, "SIGQUIT"}, {SIGNAL_PAUSE, SIGUSR1, "SIGUSR1"}, {SIGNAL_RESUME, SIGUSR2, "SIGUSR2"},
	};

	(void)state;
	for (unsigned i = 0; i < N_SIGNALS; i++) {
		assert_int_equal(signal_number(cases[i].what), cases[i].signo);
		assert_string_equal(signal_name(cases[i].what), cases[i].name);
	}
}

static void what_is_posted_is_the_signal(void **state)
{
	sigset_t usr1;
	siginfo_t info;

	(void)state;
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	assert_int_equal(sigprocmask(SIG_BLOCK, &usr1, NULL), 0);
	signal_post(SIGNAL_PAUSE, "");
	assert_int_equal(sigwaitinfo(&usr1, &info), SIGUSR1);
	assert_int_equal(sigprocmask(SIG_UNBLOCK, &usr1, NULL), 0);
}

static void nothing_else_can_be_listened_to(void **state)
{
	enum signal what;
	const char *name;

	(void)state;
	assert_false(signal_listen(NULL, 1u << SIGNAL_STOP));
	assert_int_equal(errno, ENOTSUP);
	assert_false(signal_take(&what, &name));
	signal_listen_end();
}

static void got(void *owner, enum signal what, const char *name)
{
	(void)owner;
	(void)what;
	(void)name;
}

static void what_a_signal_did_before_comes_back(void **state)
{
	struct loop *loop = loop_new();
	struct signal_watch *watch;
	struct sigaction now;

	(void)state;
	assert_true(signal(SIGUSR1, SIG_IGN) != SIG_ERR);
	watch = signal_watch_new(loop, 1u << SIGNAL_PAUSE, got, NULL);
	assert_non_null(watch);
	signal_watch_free(watch);
	assert_int_equal(sigaction(SIGUSR1, NULL, &now), 0);
	assert_true(now.sa_handler == SIG_IGN);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_has_its_number_and_its_name),
	    cmocka_unit_test(what_is_posted_is_the_signal),
	    cmocka_unit_test(nothing_else_can_be_listened_to),
	    cmocka_unit_test(what_a_signal_did_before_comes_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
