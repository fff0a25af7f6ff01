/* Hostile text as one harmless line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/printable.h"

static void everything_harmful_is_replaced_and_the_rest_kept(void **state)
{
	static const struct {
		const char *text, *line;
	} cases[] = {
	    {"", ""},
	    {"plain ~", "plain ~"},
	    {"Größe 東京 🐘", "Größe 東京 🐘"},
	    {"two\nlines\r\n\tand a tab", "two lines   and a tab"},
	    {"\033[31mred\a\x7F", "?[31mred??"},
	    {"C1 \xC2\x9B"
	     "31m",
	     "C1 ?31m"},
	    {"latin1 \xE9t\xE9", "latin1 ?t?"},
	    {"overlong \xC0\xAF \xE0\x80\xAF \xF0\x80\x80\xAF", "overlong ?? ??? ????"},
	    {"surrogate \xED\xA0\x80 beyond \xF4\x90\x80\x80 \xF8", "surrogate ??? beyond ???? ?"},
	    {"direction \xE2\x80\xAEtxt \xE2\x81\xA6 line \xE2\x80\xA8sep", "direction ?txt ? line  sep"},
	    {"cut short \xE2\x82", "cut short ??"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct str out;

		str_init(&out, 1000);
		printable_add(&out, cases[i].text, strlen(cases[i].text));
		assert_string_equal(str_text(&out), cases[i].line);
		assert_int_equal(printable_is(cases[i].text), strcmp(cases[i].text, cases[i].line) == 0);
		assert_true(printable_is(str_text(&out)));
		str_fini(&out);
	}
}

static void zero_bytes_do_not_end_it(void **state)
{
	struct str out;

	(void)state;
	str_init(&out, 1000);
	printable_add(&out, "a\0b", 3);
	assert_string_equal(str_text(&out), "a?b");
	str_fini(&out);
}

static void long_text_is_cut_between_characters_and_says_so(void **state)
{
	static const char euro[] = "\xE2\x82\xAC", end[] = "… (cut)";
	size_t len = 1u << 20, kept = PRINTABLE_MAX_BYTES / 3 * 3;
	char *text = malloc(len);
	struct str out;

	(void)state;
	assert_non_null(text);
	for (size_t i = 0; i < len; i++)
		text[i] = euro[i % 3];
	str_init(&out, 1u << 20);
	printable_add(&out, text, len);
	assert_int_equal(out.len, kept + strlen(end));
	assert_memory_equal(out.data, text, kept);
	assert_string_equal(out.data + kept, end);
	memset(text, 'x', PRINTABLE_MAX_BYTES);
	str_clear(&out);
	printable_add(&out, text, PRINTABLE_MAX_BYTES);
	assert_int_equal(out.len, PRINTABLE_MAX_BYTES);
	str_fini(&out);
	free(text);
}

static void fixed_room_gets_what_fits_and_a_mark(void **state)
{
	static const struct {
		const char *text, *line;
		size_t size;
	} cases[] = {
	    {NULL, "", 4},
	    {"", "", 4},
	    {"abc", "abc", 4},
	    {"abcd", "...", 4},
	    {"abcdefgh", "abcd...", 8},
	    {"abcdefg", "abcdefg", 8},
	    {"\xE2\x82\xAC\xE2\x82\xAC\xE2\x82\xAC", "\xE2\x82\xAC...", 8},
	    {"a\nb\x1b\x80", "a b??", 8},
	};
	char out[8];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		printable_copy(out, cases[i].size, cases[i].text);
		assert_string_equal(out, cases[i].line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything_harmful_is_replaced_and_the_rest_kept),
	    cmocka_unit_test(zero_bytes_do_not_end_it),
	    cmocka_unit_test(fixed_room_gets_what_fits_and_a_mark),
	    cmocka_unit_test(long_text_is_cut_between_characters_and_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
