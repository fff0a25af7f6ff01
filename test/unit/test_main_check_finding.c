/* Findings as data. This program brings its own base/mem. */
#include "check_bench.h"
#include "failing_mem.h"

static void each_finding_is_about_what_was_said_before_it(void **state)
{
	struct findings f;
	char subject[] = "database \"app\"";
	struct finding *n;

	(void)state;
	findings_init(&f);
	n = findings_add(&f, SEVERITY_OK, "syntax", "read");
	assert_string_equal(n->subject, "configuration");
	assert_null(n->database);
	findings_about(&f, subject, "app", "ann");
	n = findings_add(&f, SEVERITY_ERROR, "connect", "no %s, %d", "way", 3);
	memset(subject, 'x', sizeof(subject) - 1); /* it has its own copy */
	finding_cause(n, "Because of %s.", "that");
	finding_remedy(n, "Do this.");
	assert_string_equal(n->subject, "database \"app\"");
	assert_string_equal(n->database, "app");
	assert_string_equal(n->user, "ann");
	assert_string_equal(str_text(&n->what), "no way, 3");
	assert_string_equal(str_text(&n->cause), "Because of that.");
	assert_string_equal(str_text(&n->remedy), "Do this.");
	assert_true(n->time_us == FINDING_NO_TIME);
	findings_fini(&f);
	assert_int_equal(mem_blocks, 0);
}

static void the_worst_decides_the_status(void **state)
{
	struct findings f;

	(void)state;
	findings_init(&f);
	assert_int_equal(findings_status(&f), CHECK_FINE);
	(void)findings_add(&f, SEVERITY_OK, "a", "a");
	(void)findings_add(&f, SEVERITY_NOTE, "a", "a");
	assert_int_equal(findings_status(&f), CHECK_FINE);
	(void)findings_add(&f, SEVERITY_WARNING, "a", "a");
	assert_int_equal(findings_status(&f), CHECK_WARNINGS);
	(void)findings_add(&f, SEVERITY_ERROR, "a", "a");
	(void)findings_add(&f, SEVERITY_OK, "a", "a");
	assert_int_equal(findings_status(&f), CHECK_NOT_SERVING);
	findings_fini(&f);
}

/* Whatever is lost: the count is right, and what was not looked at cannot pass for fine. */
static void without_memory_nothing_passes_for_fine(void **state)
{
	(void)state;
	for (size_t n = 1; n <= 4; n++) {
		struct findings f;
		struct finding *found;

		findings_init(&f);
		findings_about(&f, "s", "d", "u");
		mem_until_failure = n;
		found = findings_add(&f, SEVERITY_OK, "step", "text");
		mem_until_failure = 0;
		assert_null(found);
		assert_true(f.failed);
		assert_int_equal(f.n[SEVERITY_OK], 1);
		assert_int_equal(findings_status(&f), CHECK_NOT_SERVING);
		finding_cause(found, "x");
		finding_remedy(found, "x");
		findings_fini(&f);
		assert_int_equal(mem_blocks, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_finding_is_about_what_was_said_before_it),
	    cmocka_unit_test(the_worst_decides_the_status),
	    cmocka_unit_test(without_memory_nothing_passes_for_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
