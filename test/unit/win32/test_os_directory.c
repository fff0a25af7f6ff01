/* Tests of src/os/win32/directory.c: letters, and drives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>

#include <windows.h>

#include "../place.h"
#include "os/directory.h"
#include "os/file.h"

static void upper_and_lower_case_are_the_same_in_all_alphabets(void **state)
{
	(void)state;
	assert_true(directory_name_fits("*.INI", "a.ini"));
	assert_true(directory_name_fits("gr\xC3\x96\xC3\x9F*", "GR\xC3\xB6\xC3\x9F.ini"));
	assert_true(directory_name_fits("[\xC3\xA4-\xC3\xBC]", "\xC3\x96"));
	assert_true(directory_name_fits("[\xC3\x84-\xC3\x9C]", "\xC3\xB6"));
	assert_false(directory_name_fits("[!\xC3\x96]", "\xC3\xB6"));
	assert_false(directory_name_fits("\xC3\x96", "o"));
}

static void a_drive_alone_is_where_one_works_on_it(void **state)
{
	static const char name[] = "test_os_directory.file";
	char place[PLACE_BYTES], drive[3] = "?:", **names = NULL;
	wchar_t before[MAX_PATH];

	(void)state;
	place_make(place);
	drive[0] = place[0];
	assert_true(GetCurrentDirectoryW(MAX_PATH, before) > 0);
	assert_true(directory_enter(place));
	place_put(name, "");
	assert_int_equal(directory_names(drive, name, &names), 0);
	assert_non_null(names[0]);
	directory_names_free(names);
	assert_true(file_remove(name));
	assert_true(SetCurrentDirectoryW(before));
	place_remove(place);
}

static void a_whole_path_needs_no_second_separator(void **state)
{
	char place[PLACE_BYTES], whole[PLACE_BYTES + 8], file[PLACE_BYTES + 8], **names = NULL;

	(void)state;
	place_make(place);
	snprintf(file, sizeof(file), "%s\\a.log", place);
	place_put(file, "");
	for (char *c = place; *c != '\0'; c++)
		*c = *c == '/' ? '\\' : *c; /* behind the prefix there is no other separator */
	snprintf(whole, sizeof(whole), "\\\\?\\%s\\", place);
	assert_int_equal(directory_names(whole, "*.log", &names), 0);
	assert_non_null(names[0]);
	directory_names_free(names);
	assert_true(file_remove(file));
	place_remove(place);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(upper_and_lower_case_are_the_same_in_all_alphabets),
	    cmocka_unit_test(a_drive_alone_is_where_one_works_on_it),
	    cmocka_unit_test(a_whole_path_needs_no_second_separator),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
