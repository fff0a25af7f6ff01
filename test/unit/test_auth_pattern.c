/* Tests of src/auth/pattern.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "auth/pattern.h"

#ifdef HAVE_PCRE2
static struct pattern *compiled(const char *text)
{
	char why[PATTERN_WHY_BYTES];
	struct pattern *p = pattern_new(text, why);

	if (p == NULL)
		fail_msg("%s: %s", text, why);
	return p;
}

static void names_match_anywhere_unless_anchored(void **state)
{
	static const struct {
		const char *pattern, *text;
		enum pattern_result result;
	} cases[] = {
	    {"", "anything", PATTERN_MATCHES},
	    {"app", "my app 2", PATTERN_MATCHES},
	    {"^app$", "app2", PATTERN_DIFFERS},
	    {"^(app|web)_\\d+$", "web_12", PATTERN_MATCHES},
	    {"^(app|web)_\\d+$", "web_", PATTERN_DIFFERS},
	    {"^[[:alpha:]]+$", "abc", PATTERN_MATCHES},
	    {"^\\w+$", "a b", PATTERN_DIFFERS},
	    {"^a$", "A", PATTERN_DIFFERS},
	    {"^(.)\\1$", "aa", PATTERN_MATCHES},
	    {"^.$", "\xff", PATTERN_MATCHES}, /* bytes, whatever they are */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct pattern *p = compiled(cases[i].pattern);

		if (pattern_match(p, cases[i].text, NULL) != cases[i].result)
			fail_msg("%s on %s", cases[i].pattern, cases[i].text);
		pattern_free(p);
	}
}

static void the_first_group_is_told(void **state)
{
	struct pattern *p = compiled("^(?:x|(.*)@)(\\w+)$");
	struct pattern_group group = {7, 7};

	(void)state;
	assert_int_equal(pattern_groups(p), 2);
	assert_int_equal(pattern_match(p, "ann@example", &group), PATTERN_MATCHES);
	assert_int_equal(group.begin, 0);
	assert_int_equal(group.end, 3);
	assert_int_equal(pattern_match(p, "xyz", &group), PATTERN_MATCHES);
	assert_int_equal(group.begin, group.end);
	pattern_free(p);
	p = compiled("a");
	assert_int_equal(pattern_groups(p), 0);
	assert_int_equal(pattern_match(p, "a", &group), PATTERN_MATCHES);
	pattern_free(p);
}

static void malformed_ones_are_refused_with_the_place(void **state)
{
	static const struct {
		const char *pattern, *why;
	} cases[] = {{"a(b", "missing closing parenthesis at byte 4"},
	             {"[a", "missing terminating ] for character class at byte 3"},
	             {"*", "quantifier does not follow a repeatable item at byte 1"},
	             {"a\\C", "using \\C is disabled in this PCRE2 library"}};
	char why[PATTERN_WHY_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_null(pattern_new(cases[i].pattern, why));
		if (i < 3)
			assert_string_equal(why, cases[i].why);
		else
			assert_true(why[0] != '\0');
	}
	pattern_free(NULL);
}

static void work_is_bounded(void **state)
{
	struct pattern *p = compiled("^(a+)+$");
	char name[128];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[126] = 'b';
	name[127] = '\0';
	assert_int_equal(pattern_match(p, name, NULL), PATTERN_FAILED);
	name[126] = 'a';
	assert_int_equal(pattern_match(p, name, NULL), PATTERN_MATCHES);
	pattern_free(p);
}
#else
static void without_the_library_all_are_refused(void **state)
{
	char why[PATTERN_WHY_BYTES];

	(void)state;
	assert_null(pattern_new("a", why));
	assert_string_equal(why, "this build has no PCRE2, which regular expressions need");
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef HAVE_PCRE2
	    cmocka_unit_test(names_match_anywhere_unless_anchored),
	    cmocka_unit_test(the_first_group_is_told),
	    cmocka_unit_test(malformed_ones_are_refused_with_the_place),
	    cmocka_unit_test(work_is_bounded),
#else
	    cmocka_unit_test(without_the_library_all_are_refused),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
