/* Tests of src/admin/exposition.c: both formats to the byte, and which of them is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "admin/exposition.h"

#define OPEN "application/openmetrics-text"

static struct str out;

static int begin(void **state)
{
	(void)state;
	str_init(&out, 1 << 20);
	return 0;
}

static int end(void **state)
{
	(void)state;
	str_fini(&out);
	return 0;
}

static void what_is_accepted_best_is_given(void **state)
{
	static const struct {
		const char *accept;
		enum exposition wanted;
	} cases[] = {
	    {NULL, EXPOSITION_TEXT},
	    {"", EXPOSITION_TEXT},
	    {"*/*", EXPOSITION_TEXT},
	    {"text/html", EXPOSITION_TEXT},
	    {"image/png,,;;q=,=", EXPOSITION_TEXT},
	    {OPEN, EXPOSITION_OPEN},
	    {"Application/OpenMetrics-Text", EXPOSITION_OPEN},
	    {OPEN "; version=1.0.0; charset=utf-8", EXPOSITION_OPEN},
	    {OPEN ";version=0.0.1", EXPOSITION_TEXT},
	    {OPEN ";version=1.0.01", EXPOSITION_TEXT},
	    {OPEN ";version=2", EXPOSITION_TEXT},
	    {OPEN ";q=0", EXPOSITION_TEXT},
	    {OPEN ";q=0.000", EXPOSITION_TEXT},
	    {OPEN ";q=0.001", EXPOSITION_OPEN},
	    {OPEN "x", EXPOSITION_TEXT},
	    {"text/plain," OPEN, EXPOSITION_OPEN},
	    {"text/plain;q=0.9," OPEN ";q=0.8", EXPOSITION_TEXT},
	    {"text/plain;q=0.5," OPEN " ; q=0.75", EXPOSITION_OPEN},
	    {"*/*;q=0.9," OPEN ";q=0.95", EXPOSITION_OPEN},
	    /* as Prometheus asks */
	    {OPEN ";version=1.0.0;escaping=allow-utf-8;q=0.6," OPEN ";version=0.0.1;q=0.5,"
	          "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
	     EXPOSITION_OPEN},
	    {"text/plain;version=0.0.4;q=0.5,*/*;q=0.1", EXPOSITION_TEXT},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (exposition_wanted(cases[i].accept) != cases[i].wanted)
			fail_msg("%s", cases[i].accept);
	}
	assert_string_equal(exposition_content_type(EXPOSITION_TEXT), "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(exposition_content_type(EXPOSITION_OPEN),
	                    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

static void a_family_is_headed_as_its_format_wants_it(void **state)
{
	(void)state;
	exposition_family(&out, EXPOSITION_TEXT, "x_seconds_total", "counter", "seconds", "One\\two\nthree.");
	exposition_family(&out, EXPOSITION_OPEN, "x_seconds_total", "counter", "seconds", "Help.");
	exposition_family(&out, EXPOSITION_OPEN, "y", "gauge", "", "Help.");
	exposition_end(&out, EXPOSITION_TEXT);
	exposition_end(&out, EXPOSITION_OPEN);
	assert_string_equal(str_text(&out),
	                    "# HELP x_seconds_total One\\\\two\\nthree.\n"
	                    "# TYPE x_seconds_total counter\n"
	                    "# HELP x_seconds Help.\n# TYPE x_seconds counter\n# UNIT x_seconds seconds\n"
	                    "# HELP y Help.\n# TYPE y gauge\n"
	                    "# EOF\n");
}

static void values_are_exact(void **state)
{
	(void)state;
	exposition_sample(&out, "a", "", 0, UINT64_MAX, 1);
	exposition_sample(&out, "b", "x=\"y\"", 5, 12000345, 1000000);
	exposition_sample(&out, "c", "", 0, 0, 1000000);
	assert_string_equal(str_text(&out), "a 18446744073709551615\nb{x=\"y\"} 12.000345\nc 0.000000\n");
}

static void a_histogram_counts_up_to_all(void **state)
{
	struct histogram h = {{0}, 0};

	(void)state;
	histogram_add_zeros(&h, 3);
	histogram_add(&h, 240);
	histogram_add(&h, 1000000);
	histogram_add(&h, 200000000);
	exposition_histogram(&out, "h_seconds", &h);
	assert_string_equal(str_text(&out), "h_seconds_bucket{le=\"0.0\"} 3\n"
	                                    "h_seconds_bucket{le=\"0.0001\"} 3\n"
	                                    "h_seconds_bucket{le=\"0.00025\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.0005\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.001\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.0025\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.005\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.01\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.025\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.05\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.1\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.25\"} 4\n"
	                                    "h_seconds_bucket{le=\"0.5\"} 4\n"
	                                    "h_seconds_bucket{le=\"1.0\"} 5\n"
	                                    "h_seconds_bucket{le=\"2.5\"} 5\n"
	                                    "h_seconds_bucket{le=\"5.0\"} 5\n"
	                                    "h_seconds_bucket{le=\"10.0\"} 5\n"
	                                    "h_seconds_bucket{le=\"30.0\"} 5\n"
	                                    "h_seconds_bucket{le=\"60.0\"} 5\n"
	                                    "h_seconds_bucket{le=\"120.0\"} 5\n"
	                                    "h_seconds_bucket{le=\"+Inf\"} 6\n"
	                                    "h_seconds_sum 201.000240\n"
	                                    "h_seconds_count 6\n");
}

static void label(const char *name, const char *value)
{
	exposition_label(&out, 0, name, value, strlen(value));
}

static void labels_are_quoted(void **state)
{
	(void)state;
	label("a", "");
	label("b", "\"\\\n'{}=,#\t");
	label("c", "\xc3\xa4 \xf0\x9f\x90\x98");
	assert_string_equal(str_text(&out), "a=\"\",b=\"\\\"\\\\\\n'{}=,#\t\",c=\"\xc3\xa4 \xf0\x9f\x90\x98\"");
}

static void what_is_no_utf8_is_named_so(void **state)
{
	(void)state;
	label("a", "ab\xff");
	label("b", "\xc3");
	label("c", "\xed\xa0\x80"); /* half a surrogate pair */
	assert_string_equal(str_text(&out), "a=\"<invalid>\",b=\"<invalid>\",c=\"<invalid>\"");
}

/* Between two characters, wherever that is. */
static void long_values_are_cut(void **state)
{
	char value[EXPOSITION_LABEL_BYTES + 10];

	(void)state;
	for (size_t odd = 0; odd < 2; odd++) {
		size_t len = odd;

		memset(value, 'x', sizeof(value));
		for (; len + 2 <= EXPOSITION_LABEL_BYTES + 4; len += 2)
			memcpy(value + len, "\xc3\xa4", 2);
		str_clear(&out);
		exposition_label(&out, 0, "n", value, len);
		assert_int_equal(out.len, strlen("n=\"\"") + EXPOSITION_LABEL_BYTES - odd);
		assert_memory_equal(out.data + out.len - 3, "\xc3\xa4\"", 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(what_is_accepted_best_is_given, begin, end),
	    cmocka_unit_test_setup_teardown(a_family_is_headed_as_its_format_wants_it, begin, end),
	    cmocka_unit_test_setup_teardown(values_are_exact, begin, end),
	    cmocka_unit_test_setup_teardown(a_histogram_counts_up_to_all, begin, end),
	    cmocka_unit_test_setup_teardown(labels_are_quoted, begin, end),
	    cmocka_unit_test_setup_teardown(what_is_no_utf8_is_named_so, begin, end),
	    cmocka_unit_test_setup_teardown(long_values_are_cut, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
