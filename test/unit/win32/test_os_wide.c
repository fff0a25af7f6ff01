/* Tests of src/os/win32/wide.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/win32/wide.h"

static void texts_go_there_and_back(void **state)
{
	static const char *const texts[] = {"", "plain", "\xC3\xBC \xE2\x82\xAC \xF0\x9F\x98\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		wchar_t *wide = wide_of(texts[i]);
		char *back;

		assert_non_null(wide);
		back = utf8_of(wide);
		assert_string_equal(back, texts[i]);
		mem_free(back);
		mem_free(wide);
	}
}

static void what_is_no_utf8_is_refused(void **state)
{
	(void)state;
	errno = 0;
	assert_null(wide_of("\xFC"));
	assert_int_equal(errno, EILSEQ);
	assert_null(wide_path_of("C:\\\xFC"));
}

static void half_of_a_pair_becomes_a_replacement(void **state)
{
	static const wchar_t half[] = {0xD83D, 0};
	char *text = utf8_of(half);

	(void)state;
	assert_string_equal(text, "\xEF\xBF\xBD");
	mem_free(text);
}

static void check_path(const char *path, const wchar_t *begins, size_t least)
{
	wchar_t *wide = wide_path_of(path);

	assert_non_null(wide);
	assert_int_equal(wcsncmp(wide, begins, wcslen(begins)), 0);
	assert_true(wcslen(wide) >= least);
	mem_free(wide);
}

static void only_long_paths_get_the_prefix(void **state)
{
	char name[400], path[500];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	check_path("C:\\a/b", L"C:\\a/b", 6);
	check_path("a", L"a", 1);
	snprintf(path, sizeof(path), "C:/dir/../%s", name);
	check_path(path, L"\\\\?\\C:\\xxx", 400); /* nothing is made of .. and / behind it */
	snprintf(path, sizeof(path), "\\\\server\\share\\%s", name);
	check_path(path, L"\\\\?\\UNC\\server\\share\\xxx", 400);
	snprintf(path, sizeof(path), "\\\\?\\C:\\%s", name);
	check_path(path, L"\\\\?\\C:\\xxx", 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_go_there_and_back),
	    cmocka_unit_test(what_is_no_utf8_is_refused),
	    cmocka_unit_test(half_of_a_pair_becomes_a_replacement),
	    cmocka_unit_test(only_long_paths_get_the_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
