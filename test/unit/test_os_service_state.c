/* What a service manager that asks is told, step by step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "base/clock.h"
#include "os/service_state.h"

static struct service_state s;

static int set_up(void **state)
{
	(void)state;
	service_state_begin(&s, US_PER_S);
	return 0;
}

static int set_up_running(void **state)
{
	set_up(state);
	service_state_told(&s, "READY=1", 2 * US_PER_S);
	return 0;
}

static void it_runs_only_once_it_listens(void **state)
{
	(void)state;
	assert_int_equal(s.phase, PHASE_STARTING);
	assert_int_equal(s.checkpoint, 1);
	assert_false(service_state_accepts(&s));
	service_state_told(&s, "STATUS=READY=1", 2 * US_PER_S);
	assert_int_equal(s.phase, PHASE_STARTING);
	service_state_told(&s, "STATUS=listening\nREADY=1", 2 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RUNNING);
	assert_int_equal(s.checkpoint, 0);
	assert_true(service_state_accepts(&s));
}

static void a_start_that_takes_long_counts_up_but_not_for_ever(void **state)
{
	uint64_t us = US_PER_S;

	(void)state;
	for (uint32_t n = 2; us <= SERVICE_START_MOST_US; n++) {
		us += US_PER_S;
		assert_true(service_state_tick(&s, us));
		assert_int_equal(s.checkpoint, n);
	}
	assert_false(service_state_tick(&s, us + US_PER_S));
}

static void a_start_that_fails_leaves_its_number(void **state)
{
	(void)state;
	service_state_end(&s, 7);
	assert_int_equal(s.phase, PHASE_STOPPED);
	assert_int_equal(s.exit_code, 7);
	assert_false(service_state_is_pending(&s));
	assert_int_equal(s.checkpoint, 0);
}

static void nothing_counts_up_while_it_runs(void **state)
{
	(void)state;
	assert_false(service_state_is_pending(&s));
	assert_false(service_state_tick(&s, 3 * US_PER_S));
}

static void a_pause_is_pending_until_everything_is_paused(void **state)
{
	(void)state;
	service_state_order(&s, ORDER_PAUSE, 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_PAUSING);
	assert_true(service_state_tick(&s, 4 * US_PER_S));
	service_state_pausing(&s, 4 * US_PER_S);
	assert_int_equal(s.checkpoint, 2);
	service_state_paused(&s, true, 5 * US_PER_S);
	assert_int_equal(s.phase, PHASE_PAUSED);
	service_state_order(&s, ORDER_PAUSE, 6 * US_PER_S);
	assert_int_equal(s.phase, PHASE_PAUSED);
	service_state_order(&s, ORDER_CONTINUE, 7 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RESUMING);
	service_state_paused(&s, false, 8 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RUNNING);
}

static void pauses_of_the_console_are_told_too(void **state)
{
	(void)state;
	service_state_pausing(&s, 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_PAUSING);
	service_state_paused(&s, true, 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_PAUSED);
	service_state_paused(&s, false, 4 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RUNNING);
}

static void who_continues_before_all_is_paused_ends_the_pause(void **state)
{
	(void)state;
	service_state_order(&s, ORDER_PAUSE, 3 * US_PER_S);
	service_state_order(&s, ORDER_CONTINUE, 3 * US_PER_S);
	/* main has come to the pause only now, and then to its end */
	service_state_pausing(&s, 4 * US_PER_S);
	service_state_paused(&s, false, 4 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RUNNING);
}

static void to_continue_what_runs_changes_nothing(void **state)
{
	(void)state;
	service_state_order(&s, ORDER_CONTINUE, 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RUNNING);
}

static void a_reload_changes_no_state_and_none_in_a_pause(void **state)
{
	(void)state;
	service_state_order(&s, ORDER_RELOAD, 3 * US_PER_S);
	service_state_told(&s, "RELOADING=1", 3 * US_PER_S);
	service_state_told(&s, "READY=1", 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_RUNNING);
	service_state_paused(&s, true, 4 * US_PER_S);
	service_state_told(&s, "READY=1", 5 * US_PER_S);
	assert_int_equal(s.phase, PHASE_PAUSED);
}

static void a_stop_has_a_deadline_that_main_may_move(void **state)
{
	(void)state;
	service_state_order(&s, ORDER_STOP, 10 * US_PER_S);
	assert_int_equal(s.phase, PHASE_STOPPING);
	assert_false(service_state_accepts(&s));
	assert_false(service_state_is_late(&s, 10 * US_PER_S + SERVICE_STOP_USUAL_US - 1));
	assert_true(service_state_is_late(&s, 10 * US_PER_S + SERVICE_STOP_USUAL_US));
	service_state_stopping(&s, 100 * US_PER_S, 11 * US_PER_S);
	assert_false(service_state_is_late(&s, 110 * US_PER_S));
	assert_true(service_state_is_late(&s, 111 * US_PER_S));
	assert_true(service_state_tick(&s, 111 * US_PER_S));
	assert_false(service_state_tick(&s, 112 * US_PER_S + SERVICE_STOP_REST_US));
}

static void whoever_stops_does_not_pause_or_run_again(void **state)
{
	(void)state;
	service_state_order(&s, ORDER_STOP, 3 * US_PER_S);
	service_state_order(&s, ORDER_PAUSE, 3 * US_PER_S);
	service_state_order(&s, ORDER_CONTINUE, 3 * US_PER_S);
	service_state_told(&s, "READY=1", 3 * US_PER_S);
	service_state_pausing(&s, 3 * US_PER_S);
	service_state_paused(&s, true, 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_STOPPING);
	service_state_end(&s, 0);
	service_state_stopping(&s, US_PER_S, 4 * US_PER_S);
	assert_int_equal(s.phase, PHASE_STOPPED);
}

static void an_end_that_the_console_ordered_is_told_and_has_no_deadline(void **state)
{
	(void)state;
	service_state_stopping(&s, 30 * US_PER_S, 3 * US_PER_S);
	assert_int_equal(s.phase, PHASE_STOPPING);
	assert_int_equal(s.checkpoint, 1);
	assert_false(service_state_is_late(&s, 3600 * US_PER_S));
	assert_true(service_state_tick(&s, 3600 * US_PER_S));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(it_runs_only_once_it_listens, set_up),
	    cmocka_unit_test_setup(a_start_that_takes_long_counts_up_but_not_for_ever, set_up),
	    cmocka_unit_test_setup(a_start_that_fails_leaves_its_number, set_up),
	    cmocka_unit_test_setup(nothing_counts_up_while_it_runs, set_up_running),
	    cmocka_unit_test_setup(a_pause_is_pending_until_everything_is_paused, set_up_running),
	    cmocka_unit_test_setup(pauses_of_the_console_are_told_too, set_up_running),
	    cmocka_unit_test_setup(who_continues_before_all_is_paused_ends_the_pause, set_up_running),
	    cmocka_unit_test_setup(to_continue_what_runs_changes_nothing, set_up_running),
	    cmocka_unit_test_setup(a_reload_changes_no_state_and_none_in_a_pause, set_up_running),
	    cmocka_unit_test_setup(a_stop_has_a_deadline_that_main_may_move, set_up_running),
	    cmocka_unit_test_setup(whoever_stops_does_not_pause_or_run_again, set_up_running),
	    cmocka_unit_test_setup(an_end_that_the_console_ordered_is_told_and_has_no_deadline, set_up_running),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
