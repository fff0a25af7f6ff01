/* Of a process that is no service: nobody is told, and the service manager does not wait for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "os/service.h"
#include "os/service_manager.h"

static uint32_t must_not_run(void *arg)
{
	(void)arg;
	fail_msg("it was started as a service");
	return 1;
}

static void a_program_that_somebody_has_typed_is_no_service(void **state)
{
	(void)state;
	assert_true(service_manager_exists());
	assert_int_equal(service_run(must_not_run, NULL), SERVICE_NOT_WAITED);
	assert_null(service_log_name());
}

static void without_a_manager_everything_counts_as_told(void **state)
{
	(void)state;
	assert_true(service_notify("READY=1"));
	assert_true(service_notify_reloading());
	service_notify_pausing();
	service_notify_paused(true);
	service_notify_paused(false);
	assert_true(service_notify_stopping(1));
}

static void what_systemd_has_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(service_count_sockets(), 0);
	assert_int_equal(service_take_sockets(), 0);
	assert_false(service_has_journal());
	assert_int_equal(service_watchdog_us(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_program_that_somebody_has_typed_is_no_service),
	    cmocka_unit_test(without_a_manager_everything_counts_as_told),
	    cmocka_unit_test(what_systemd_has_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
