/* Stages of a shutdown, up to where workers have to run: that is for test_drain.py. No thread is started. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdlib.h>

#include "base/clock.h"
#include "conf/url.h"
#include "main/supervisor.h"
#include "net/loop.h"

struct world {
	struct logging logging;
	struct log *log;
	struct config *config;
	struct supervisor *s;
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
	w->s = supervisor_new(&w->logging, w->config);
	assert_non_null(w->s);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	timer_clear(w->s->shutdown.look); /* it was not brought to its end */
	assert_true(supervisor_free(w->s));
	config_unref(w->config);
	log_free(w->log);
	free(w);
	return 0;
}

static bool stop_here(void *owner)
{
	loop_stop(((struct supervisor *)owner)->loop);
	return true;
}

/* Main looks, one turn. */
static void turn_once(struct supervisor *s)
{
	timer_set(s->shutdown.look, 0);
	loop_set_turn(s->loop, stop_here, s);
	loop_run(s->loop);
}

static void check_stage(struct supervisor *s, enum shutdown_stage stage, bool draining, bool shutting_down)
{
	assert_int_equal(s->shutdown.stage, stage);
	assert_int_equal(s->control.is_draining(s), draining);
	assert_int_equal(s->control.is_shutting_down(s), shutting_down);
}

static void without_a_delay_it_waits_for_clients_at_once(void **state)
{
	struct supervisor *s = ((struct world *)*state)->s;

	check_stage(s, STAGE_RUNNING, false, false);
	shutdown_begin(s, SHUTDOWN_WAIT_FOR_CLIENTS);
	check_stage(s, STAGE_WAITING_FOR_CLIENTS, true, true);
	assert_true(s->listening.visiting);
}

static void during_the_delay_only_readiness_is_another(void **state)
{
	struct world *w = (struct world *)*state;

	w->config->settings.drain_delay_us = 1000 * US_PER_S;
	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_CLIENTS);
	check_stage(w->s, STAGE_DELAYING, true, false);
	turn_once(w->s);
	check_stage(w->s, STAGE_DELAYING, true, false);
	assert_false(w->s->listening.visiting || registry_turns_local_away(w->s->office->registry));
}

static void the_delay_ends_when_it_is_over_or_a_reload_makes_it_shorter(void **state)
{
	struct world *w = (struct world *)*state;

	w->config->settings.drain_delay_us = 1000 * US_PER_S;
	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_CLIENTS);
	turn_once(w->s);
	check_stage(w->s, STAGE_DELAYING, true, false);
	w->config->settings.drain_delay_us = 0;
	turn_once(w->s);
	check_stage(w->s, STAGE_WAITING_FOR_CLIENTS, true, true);
	assert_true(w->s->listening.visiting);
}

static void who_asks_again_does_not_wait_for_the_end_of_the_delay(void **state)
{
	struct world *w = (struct world *)*state;

	w->config->settings.drain_delay_us = 1000 * US_PER_S;
	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_CLIENTS);
	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_CLIENTS);
	check_stage(w->s, STAGE_WAITING_FOR_CLIENTS, true, true);
}

static void the_timeout_is_counted_from_the_end_of_listening(void **state)
{
	struct world *w = (struct world *)*state;

	w->config->settings.drain_timeout_us = 1000 * US_PER_S;
	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_CLIENTS);
	turn_once(w->s);
	assert_int_equal(w->s->shutdown.closed_us, 0);
	atomic_store(&w->s->listening.tcp_closed, true);
	turn_once(w->s);
	assert_true(w->s->shutdown.closed_us > 0);
	assert_false(w->s->shutdown.leaving || w->s->shutdown.visiting);
	w->s->shutdown.closed_us -= 1000 * US_PER_S;
	turn_once(w->s);
	assert_true(w->s->shutdown.leaving && w->s->shutdown.visiting);
}

static void without_a_timeout_nobody_is_told_to_leave(void **state)
{
	struct world *w = (struct world *)*state;

	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_CLIENTS);
	atomic_store(&w->s->listening.tcp_closed, true);
	turn_once(w->s);
	w->s->shutdown.closed_us -= 1000000 * US_PER_S;
	turn_once(w->s);
	assert_false(w->s->shutdown.leaving || w->s->shutdown.visiting);
}

static void the_end_that_waits_for_servers_is_delayed_likewise(void **state)
{
	struct world *w = (struct world *)*state;

	w->config->settings.drain_delay_us = 1000 * US_PER_S;
	shutdown_begin(w->s, SHUTDOWN_WAIT_FOR_SERVERS);
	check_stage(w->s, STAGE_DELAYING, true, false);
	w->s->shutdown.since_us -= 1000 * US_PER_S;
	turn_once(w->s);
	check_stage(w->s, STAGE_WAITING_FOR_SERVERS, true, true);
}

static void an_end_at_once_knows_no_delay(void **state)
{
	struct world *w = (struct world *)*state;

	w->config->settings.drain_delay_us = 1000 * US_PER_S;
	shutdown_begin(w->s, SHUTDOWN_NOW);
	check_stage(w->s, STAGE_ENDING, true, true);
}

#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STEP(without_a_delay_it_waits_for_clients_at_once),
	    STEP(during_the_delay_only_readiness_is_another),
	    STEP(the_delay_ends_when_it_is_over_or_a_reload_makes_it_shorter),
	    STEP(who_asks_again_does_not_wait_for_the_end_of_the_delay),
	    STEP(the_timeout_is_counted_from_the_end_of_listening),
	    STEP(without_a_timeout_nobody_is_told_to_leave),
	    STEP(the_end_that_waits_for_servers_is_delayed_likewise),
	    STEP(an_end_at_once_knows_no_delay),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
