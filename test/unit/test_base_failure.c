/* base/failure: facts stay as they were noticed; reports are owned, copied and moved. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/failure.h"
#include "failing_mem.h"

static const char report[] = "SERROR\0C28P01\0Mno\0";

static void an_empty_failure_means_none(void **state)
{
	struct failure f;

	(void)state;
	failure_init(&f);
	assert_false(failure_is_set(&f));
	assert_int_equal(f.phase, PHASE_NONE);
	assert_string_equal(f.text, "");
	failure_fini(&f);
	failure_fini(&f);
}

static void facts_are_kept(void **state)
{
	struct failure f;

	(void)state;
	failure_init(&f);
	failure_set(&f, PHASE_CONNECT, DOMAIN_ERRNO, ECONNREFUSED, "100% sure");
	assert_true(failure_is_set(&f));
	assert_int_equal(f.phase, PHASE_CONNECT);
	assert_int_equal(f.domain, DOMAIN_ERRNO);
	assert_int_equal(f.code, ECONNREFUSED);
	assert_string_equal(f.text, "100% sure");
	failure_set(&f, PHASE_RESOLVE, DOMAIN_GAI, -2, NULL);
	assert_int_equal(f.domain, DOMAIN_GAI);
	assert_string_equal(f.text, "");
	failure_fini(&f);
	assert_false(failure_is_set(&f));
}

static void formatted_text_is_cut_at_the_end_of_its_room(void **state)
{
	struct failure f;

	(void)state;
	failure_init(&f);
	failure_setf(&f, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_METHOD, "%s %d", "method", 7);
	assert_string_equal(f.text, "method 7");
	failure_setf(&f, PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_METHOD, "%*s", 1000, "x");
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
	failure_fini(&f);
}

static void the_report_is_a_copy(void **state)
{
	struct failure f;
	char body[sizeof(report)];

	(void)state;
	memcpy(body, report, sizeof(report));
	failure_init(&f);
	failure_set_report(&f, PHASE_AUTH, body, sizeof(body));
	memset(body, 0, sizeof(body));
	assert_true(failure_is_set(&f));
	assert_int_equal(f.domain, DOMAIN_SERVER);
	assert_int_equal(f.report_len, sizeof(report));
	assert_memory_equal(f.report, report, sizeof(report));
	failure_fini(&f);
	assert_null(f.report);
	assert_int_equal(mem_blocks, 0);
}

static void without_memory_the_report_is_empty_and_the_rest_right(void **state)
{
	struct failure f, copy;

	(void)state;
	failure_init(&f);
	failure_init(&copy);
	mem_until_failure = 1;
	failure_set_report(&f, PHASE_AUTH, report, sizeof(report));
	mem_until_failure = 0;
	assert_int_equal(f.phase, PHASE_AUTH);
	assert_int_equal(f.domain, DOMAIN_SERVER);
	assert_null(f.report);
	assert_int_equal(f.report_len, 0);

	failure_set_report(&f, PHASE_SETTLE, report, sizeof(report));
	mem_until_failure = 1;
	failure_copy(&copy, &f);
	mem_until_failure = 0;
	assert_int_equal(copy.phase, PHASE_SETTLE);
	assert_null(copy.report);
	assert_int_equal(copy.report_len, 0);
	failure_fini(&f);
	failure_fini(&copy);
	assert_int_equal(mem_blocks, 0);
}

static void setting_again_frees_the_old_report(void **state)
{
	struct failure f;

	(void)state;
	failure_init(&f);
	failure_set_report(&f, PHASE_AUTH, report, sizeof(report));
	failure_set_report(&f, PHASE_AUTH, "again", 5);
	assert_int_equal(mem_blocks, 1);
	assert_int_equal(f.report_len, 5);
	failure_set(&f, PHASE_AUTH, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
	assert_int_equal(mem_blocks, 0);
	assert_null(f.report);
	failure_fini(&f);
}

static void copies_live_apart(void **state)
{
	struct failure from, to;

	(void)state;
	failure_init(&from);
	failure_init(&to);
	failure_set_report(&to, PHASE_AUTH, "old", 3);
	failure_set_report(&from, PHASE_SETTLE, report, sizeof(report));
	failure_copy(&to, &from);
	assert_ptr_not_equal(to.report, from.report);
	failure_fini(&from);
	assert_int_equal(to.phase, PHASE_SETTLE);
	assert_int_equal(to.report_len, sizeof(report));
	assert_memory_equal(to.report, report, sizeof(report));
	failure_fini(&to);
	assert_int_equal(mem_blocks, 0);
}

static void taking_empties_the_giver(void **state)
{
	struct failure from, to;
	char *body;

	(void)state;
	failure_init(&from);
	failure_init(&to);
	failure_set_report(&to, PHASE_AUTH, "old", 3);
	failure_set_report(&from, PHASE_SETTLE, report, sizeof(report));
	body = from.report;
	failure_take(&to, &from);
	assert_false(failure_is_set(&from));
	assert_null(from.report);
	assert_ptr_equal(to.report, body);
	assert_int_equal(mem_blocks, 1);
	failure_fini(&to);
	failure_fini(&from);
	assert_int_equal(mem_blocks, 0);
}

static void only_our_own_reasons_are_ours(void **state)
{
	struct failure f;

	(void)state;
	failure_init(&f);
	assert_false(failure_is_of_pooler(&f, FAILURE_NONE));
	failure_set(&f, PHASE_SETTLE, DOMAIN_POOLER, FAILURE_WRONG_ROLE, NULL);
	assert_true(failure_is_of_pooler(&f, FAILURE_WRONG_ROLE));
	assert_false(failure_is_of_pooler(&f, FAILURE_CLOSED));
	failure_set(&f, PHASE_SETTLE, DOMAIN_ERRNO, FAILURE_WRONG_ROLE, NULL);
	assert_false(failure_is_of_pooler(&f, FAILURE_WRONG_ROLE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(an_empty_failure_means_none),
	    cmocka_unit_test(facts_are_kept),
	    cmocka_unit_test(formatted_text_is_cut_at_the_end_of_its_room),
	    cmocka_unit_test(the_report_is_a_copy),
	    cmocka_unit_test(without_memory_the_report_is_empty_and_the_rest_right),
	    cmocka_unit_test(setting_again_frees_the_old_report),
	    cmocka_unit_test(copies_live_apart),
	    cmocka_unit_test(taking_empties_the_giver),
	    cmocka_unit_test(only_our_own_reasons_are_ours),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
