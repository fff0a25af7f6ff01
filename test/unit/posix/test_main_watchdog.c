/* The service manager hears from us when a visit has come back from all workers, and only then. No thread is started.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "conf/url.h"
#include "main/supervisor.h"
#include "net/loop.h"
#include "os/socket.h"

struct world {
	struct logging logging;
	struct log *log;
	struct config *config;
	struct supervisor *s;
	int manager;
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));
	struct conf_error why;
	struct address a;
	char where[64];

	assert_non_null(w);
	snprintf(where, sizeof(where), "@pgweir-test-watchdog-%ld", (long)getpid());
	w->manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_true(w->manager >= 0 && address_from_text(&a, where, 0));
	assert_int_equal(bind(w->manager, &a.u.any, a.len), 0);
	setenv("NOTIFY_SOCKET", where, 1);
	w->log = log_new();
	assert_non_null(w->log);
	logging_init(&w->logging, w->log, 0, true);
	w->config = config_from_url("postgres://app:secret@127.0.0.1:1/app", &why);
	assert_non_null(w->config);
	w->s = supervisor_new(&w->logging, w->config);
	assert_non_null(w->s);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	unsetenv("NOTIFY_SOCKET");
	unsetenv("WATCHDOG_USEC");
	assert_true(supervisor_free(w->s));
	config_unref(w->config);
	log_free(w->log);
	close(w->manager);
	free(w);
	return 0;
}

/* How often it was told since the last time. */
static int told(const struct world *w)
{
	char got[64];
	ssize_t n;
	int times = 0;

	while ((n = recv(w->manager, got, sizeof(got), MSG_DONTWAIT)) > 0) {
		assert_int_equal(n, strlen("WATCHDOG=1"));
		assert_memory_equal(got, "WATCHDOG=1", (size_t)n);
		times++;
	}
	return times;
}

static void who_is_not_watched_tells_nothing(void **state)
{
	struct world *w = (struct world *)*state;

	watchdog_start(w->s);
	assert_false(w->s->watchdog.visiting);
	assert_false(timer_is_set(w->s->watchdog.timer));
	assert_int_equal(told(w), 0);
}

static void a_visit_that_is_back_is_told_once(void **state)
{
	struct world *w = (struct world *)*state;

	setenv("WATCHDOG_USEC", "30000000", 1);
	watchdog_start(w->s);
	assert_int_equal(w->s->watchdog.period_us, 15 * US_PER_S);
	assert_true(w->s->watchdog.visiting && timer_is_set(w->s->watchdog.timer));
	assert_int_equal(told(w), 0);
	visit_arrived(&w->s->watchdog.visit);
	assert_false(w->s->watchdog.visiting);
	assert_int_equal(told(w), 1);
}

static void while_a_visit_is_out_there_is_neither_another_nor_a_word(void **state)
{
	struct world *w = (struct world *)*state;

	setenv("WATCHDOG_USEC", "30000000", 1);
	watchdog_start(w->s);
	/* a letter is posted once only: a second time would end in the mailbox's checks */
	watchdog_look(w->s);
	watchdog_look(w->s);
	assert_true(timer_is_set(w->s->watchdog.timer));
	assert_int_equal(told(w), 0);
}

static void the_end_is_not_watched(void **state)
{
	struct world *w = (struct world *)*state;

	setenv("WATCHDOG_USEC", "30000000", 1);
	w->s->shutdown.stage = STAGE_ENDING;
	watchdog_start(w->s);
	assert_false(w->s->watchdog.visiting || timer_is_set(w->s->watchdog.timer));
	w->s->shutdown.stage = STAGE_RUNNING;
}

#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STEP(who_is_not_watched_tells_nothing),
	    STEP(a_visit_that_is_back_is_told_once),
	    STEP(while_a_visit_is_out_there_is_neither_another_nor_a_word),
	    STEP(the_end_is_not_watched),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
