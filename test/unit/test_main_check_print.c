/* Findings as text and as JSON. */
#include <stdio.h>

#include "check_bench.h"
#include "main/check_print.h"

/* Two things about the configuration, two about a database. */
static void fill(struct findings *f)
{
	struct finding *n;

	findings_init(f);
	(void)findings_add(f, SEVERITY_OK, "syntax", "a.ini can be read");
	n = findings_add(f, SEVERITY_WARNING, "settings", "this \"is\" odd");
	finding_remedy(n, "Change it.\nOr not.");
	findings_about(f, "database \"app\"", "app", "ann");
	n = findings_add(f, SEVERITY_ERROR, "connect", "refused\x01");
	n->time_us = 1234567;
	finding_cause(n, "Back\\slash \xc3\xa4 \xff\xe2\x82.");
	(void)findings_add(f, SEVERITY_NOTE, "pg_hba", "not allowed to look");
}

static void check_text(struct check_style style, const char *expected)
{
	struct findings f;
	const char *heading = NULL;
	struct str text;

	fill(&f);
	str_init(&text, 65536);
	(void)check_print_text(&f, NULL, &heading, &style, &text);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
	findings_fini(&f);
}

static void text_has_headings_marks_times_causes_and_remedies(void **state)
{
	(void)state;
	check_text((struct check_style){.utf8 = true}, "configuration\n"
	                                               "  \xe2\x9c\x93 syntax: a.ini can be read\n"
	                                               "  ! settings: this \"is\" odd\n"
	                                               "    HINT: Change it.\n"
	                                               "    Or not.\n"
	                                               "database \"app\"\n"
	                                               "  \xe2\x9c\x97 connect: refused? (1234.6 ms)\n"
	                                               "    DETAIL: Back\\slash \xc3\xa4 \xff\xe2\x82.\n"
	                                               "  - pg_hba: not allowed to look\n");
}

static void without_utf8_the_marks_are_words(void **state)
{
	(void)state;
	check_text((struct check_style){.utf8 = false}, "configuration\n"
	                                                "  ok   syntax: a.ini can be read\n"
	                                                "  warn settings: this \"is\" odd\n"
	                                                "       HINT: Change it.\n"
	                                                "       Or not.\n"
	                                                "database \"app\"\n"
	                                                "  FAIL connect: refused? (1234.6 ms)\n"
	                                                "       DETAIL: Back\\slash \xc3\xa4 \xff\xe2\x82.\n"
	                                                "  note pg_hba: not allowed to look\n");
}

static void brief_text_has_errors_only(void **state)
{
	(void)state;
	check_text((struct check_style){.utf8 = true, .brief = true},
	           "database \"app\"\n"
	           "  \xe2\x9c\x97 connect: refused? (1234.6 ms)\n"
	           "    DETAIL: Back\\slash \xc3\xa4 \xff\xe2\x82.\n");
}

static void printing_goes_on_where_it_ended(void **state)
{
	const struct check_style style = {.utf8 = true};
	const struct finding *last;
	const char *heading = NULL;
	struct findings f;
	struct str text;

	(void)state;
	fill(&f);
	str_init(&text, 65536);
	last = check_print_text(&f, NULL, &heading, &style, &text);
	str_clear(&text);
	last = check_print_text(&f, last, &heading, &style, &text);
	assert_int_equal(text.len, 0);
	(void)findings_add(&f, SEVERITY_OK, "more", "of it");
	(void)check_print_text(&f, last, &heading, &style, &text);
	assert_string_equal(str_text(&text), "  \xe2\x9c\x93 more: of it\n");
	str_fini(&text);
	findings_fini(&f);
}

static void the_last_line_sums_up(void **state)
{
	static const struct {
		unsigned warnings, errors;
		const char *line;
	} cases[] = {{0, 0, "fine (1.5 s)\n"},
	             {1, 0, "would serve, with 1 warning (1.5 s)\n"},
	             {2, 0, "would serve, with 2 warnings (1.5 s)\n"},
	             {0, 1, "would not serve: 1 error (1.5 s)\n"},
	             {1, 3, "would not serve: 3 errors, 1 warning (1.5 s)\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct findings f;
		struct str text;

		findings_init(&f);
		f.n[SEVERITY_WARNING] = cases[i].warnings;
		f.n[SEVERITY_ERROR] = cases[i].errors;
		str_init(&text, 1000);
		check_print_sum(&f, 1500000, &text);
		assert_string_equal(str_text(&text), cases[i].line);
		str_fini(&text);
	}
}

static void json_is_one_object_whatever_the_bytes(void **state)
{
	struct findings f;
	struct str text;

	(void)state;
	fill(&f);
	str_init(&text, 65536);
	check_print_json(&f, CHECK_NOT_SERVING, "a.ini", 2000, &text);
	assert_string_equal(
	    str_text(&text),
	    "{\"status\": \"errors\", \"exit_status\": 1, \"source\": \"a.ini\", \"time_ms\": 2.000, \"findings\": [\n"
	    "  {\"step\": \"syntax\", \"severity\": \"ok\", \"subject\": \"configuration\", \"database\": null, "
	    "\"user\": "
	    "null, \"what\": \"a.ini can be read\", \"detail\": null, \"hint\": null, \"time_ms\": null},\n"
	    "  {\"step\": \"settings\", \"severity\": \"warning\", \"subject\": \"configuration\", \"database\": null, "
	    "\"user\": null, \"what\": \"this \\\"is\\\" odd\", \"detail\": null, \"hint\": \"Change it.\\u000aOr "
	    "not.\", "
	    "\"time_ms\": null},\n"
	    "  {\"step\": \"connect\", \"severity\": \"error\", \"subject\": \"database \\\"app\\\"\", \"database\": "
	    "\"app\", \"user\": \"ann\", \"what\": \"refused\\u0001\", \"detail\": \"Back\\\\slash \xc3\xa4 "
	    "\\ufffd\\ufffd\\ufffd.\", \"hint\": null, \"time_ms\": 1234.567},\n"
	    "  {\"step\": \"pg_hba\", \"severity\": \"note\", \"subject\": \"database \\\"app\\\"\", \"database\": "
	    "\"app\", "
	    "\"user\": \"ann\", \"what\": \"not allowed to look\", \"detail\": null, \"hint\": null, \"time_ms\": "
	    "null}]}\n");
	str_fini(&text);
	findings_fini(&f);
}

static void malformed_utf8_never_reaches_json(void **state)
{
	static const struct {
		const char *bytes, *json;
	} cases[] = {{"\xc0\xaf", "\\ufffd\\ufffd"},
	             {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},
	             {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
	             {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
	             {"\xf8", "\\ufffd"},
	             {"\x80", "\\ufffd"},
	             {"\xe2\x82", "\\ufffd\\ufffd"},
	             {"\xe2\x82\xac", "\xe2\x82\xac"},
	             {"\xf0\x9f\x90\x98", "\xf0\x9f\x90\x98"}};
	char expected[200];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct findings f;
		struct str text;

		findings_init(&f);
		(void)findings_add(&f, SEVERITY_OK, "s", "%s", cases[i].bytes);
		str_init(&text, 65536);
		check_print_json(&f, CHECK_FINE, NULL, 0, &text);
		snprintf(expected, sizeof(expected), "\"what\": \"%s\",", cases[i].json);
		assert_non_null(strstr(str_text(&text), expected));
		str_fini(&text);
		findings_fini(&f);
	}
}

static void the_first_variable_that_is_set_says_whether_it_is_utf8(void **state)
{
	(void)state;
	assert_true(check_locale_is_utf8(NULL, NULL, "en_GB.UTF-8"));
	assert_true(check_locale_is_utf8("", "", "C.utf8"));
	assert_true(check_locale_is_utf8(NULL, "de_DE.UTF-8", "C"));
	assert_false(check_locale_is_utf8("C", NULL, "en_GB.UTF-8"));
	assert_false(check_locale_is_utf8(NULL, NULL, NULL));
	assert_false(check_locale_is_utf8(NULL, "POSIX", "en_GB.UTF-8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(text_has_headings_marks_times_causes_and_remedies),
	    cmocka_unit_test(without_utf8_the_marks_are_words),
	    cmocka_unit_test(brief_text_has_errors_only),
	    cmocka_unit_test(printing_goes_on_where_it_ended),
	    cmocka_unit_test(the_last_line_sums_up),
	    cmocka_unit_test(json_is_one_object_whatever_the_bytes),
	    cmocka_unit_test(malformed_utf8_never_reaches_json),
	    cmocka_unit_test(the_first_variable_that_is_set_says_whether_it_is_utf8),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
