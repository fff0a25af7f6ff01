/* The numbers in Windows' Event Log: each failure has one of its own, and each keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <string.h>

#include "diag/event_id.h"
#include "diag/explain.h"

static const struct {
	unsigned id;
	const char *name;
} all[] = {
#define EVENT(id, name, doc) {id, #name},
#define EVENT_OF_LEVEL(id, level, doc) {id, #level},
#define EVENT_OF_CLASS(id, class) {id, #class},
#include "diag/event_ids.def"
};

#define N_ALL (sizeof(all) / sizeof(all[0]))

static void every_class_of_failure_has_a_number(void **state)
{
	unsigned general = event_id(&(struct log_event){.level = LEVEL_WARNING});

	(void)state;
	for (const struct explain_row *row = explain_rows; row->class != NULL; row++) {
		struct log_event e = {.level = LEVEL_WARNING, .class = row->class};

		if (event_id(&e) == general)
			fail_msg("class %s has no row in event_ids.def", row->class);
	}
}

static bool is_class(const char *name)
{
	for (const struct explain_row *row = explain_rows; row->class != NULL; row++)
		if (strcmp(row->class, name) == 0)
			return true;
	return false;
}

static void every_number_of_a_class_is_of_one_that_exists(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++)
		if (all[i].id > 1000 && !is_class(all[i].name))
			fail_msg("event %u is of class %s, which does not exist", all[i].id, all[i].name);
}

static void no_number_is_given_twice_or_too_large_to_be_shown(void **state)
{
	(void)state;
	for (size_t i = 0; i < N_ALL; i++) {
		assert_in_range(all[i].id, 0, 0xffff);
		for (size_t k = 0; k < i; k++)
			if (all[i].id == all[k].id || strcmp(all[i].name, all[k].name) == 0)
				fail_msg("%s and %s both have event %u", all[k].name, all[i].name, all[i].id);
	}
}

/* Whoever filters by number has these in his rules. */
static void numbers_stay_what_they_were(void **state)
{
	(void)state;
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_LOG, .event = "started"}), 1);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_LOG, .event = "stopped"}), 2);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_LOG, .event = "reloaded"}), 3);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_ERROR, .event = "config_refused"}), 5);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_FATAL}), 11);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_NOISE}), 14);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_WARNING, .class = "session_ended"}), 1001);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_WARNING, .class = "connection_refused"}), 1028);
	assert_int_equal(event_id(&(struct log_event){.level = LEVEL_WARNING, .class = "other"}), 1087);
}

static void the_class_counts_more_than_the_name(void **state)
{
	struct log_event e = {.level = LEVEL_WARNING, .event = "client_told", .class = "paused"};

	(void)state;
	assert_int_not_equal(event_id(&e), 13);
	e.class = NULL;
	assert_int_equal(event_id(&e), 13);
	e.class = "of_another_version";
	assert_int_equal(event_id(&e), 13);
}

static void what_has_been_said_already_has_no_number(void **state)
{
	struct log_event e = {.level = LEVEL_FATAL, .event = "refused_again"};

	(void)state;
	assert_int_equal(event_id(&e), 0);
}

static void the_life_of_the_process_is_told_from_the_rest(void **state)
{
	(void)state;
	assert_true(event_is_of_life(&(struct log_event){.level = LEVEL_LOG, .event = "started"}));
	assert_false(event_is_of_life(&(struct log_event){.level = LEVEL_LOG, .event = "client_closed"}));
	assert_false(event_is_of_life(&(struct log_event){.level = LEVEL_LOG}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_class_of_failure_has_a_number),
	    cmocka_unit_test(every_number_of_a_class_is_of_one_that_exists),
	    cmocka_unit_test(no_number_is_given_twice_or_too_large_to_be_shown),
	    cmocka_unit_test(numbers_stay_what_they_were),
	    cmocka_unit_test(the_class_counts_more_than_the_name),
	    cmocka_unit_test(what_has_been_said_already_has_no_number),
	    cmocka_unit_test(the_life_of_the_process_is_told_from_the_rest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
