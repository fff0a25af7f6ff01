/* The words about what statements leave behind, and their counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "diag/session_state.h"

static void every_kind_has_its_words(void **state)
{
	(void)state;
	for (unsigned i = 0; i < N_STATES; i++) {
		const char *remedy = session_state_remedy((enum session_state)i);

		assert_true(strlen(session_state_what((enum session_state)i)) > 0);
		assert_true(remedy[0] >= 'A' && remedy[0] <= 'Z');
		assert_int_equal(remedy[strlen(remedy) - 1], '.');
	}
}

static void what_a_rollback_undoes(void **state)
{
	(void)state;
	assert_true(session_state_is_by_transaction(STATE_SET));
	assert_true(session_state_is_by_transaction(STATE_LISTEN));
	assert_false(session_state_is_by_transaction(STATE_LOCK));
	assert_false(session_state_is_by_transaction(STATE_PREPARE));
}

static void counts_are_added_up(void **state)
{
	struct guard_counts a = {.left = {1}, .warned = 2, .refused = 3, .pinned = 4}, b = a;

	(void)state;
	b.left[N_STATES - 1] = 7;
	guard_counts_add(&a, &b);
	assert_int_equal(a.left[0], 2);
	assert_int_equal(a.left[N_STATES - 1], 7);
	assert_int_equal(a.warned, 4);
	assert_int_equal(a.refused, 6);
	assert_int_equal(a.pinned, 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_kind_has_its_words),
	    cmocka_unit_test(what_a_rollback_undoes),
	    cmocka_unit_test(counts_are_added_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
