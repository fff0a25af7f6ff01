/* Tests of src/os/win32/file.c: paths as Windows has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "../place.h"
#include "base/mem.h"
#include "os/directory.h"
#include "os/file.h"

static void drives_shares_and_both_slashes_are_known(void **state)
{
	static const char *const absolute[] = {"C:\\x", "c:/x", "C:x",         "\\\\server\\share\\x",
	                                       "\\x",   "/x",   "\\\\?\\C:\\x"};
	static const struct {
		const char *path;
		size_t len;
	} cases[] = {{"C:\\a\\b", 5}, {"C:/a/b", 5}, {"C:b", 2}, {"a\\b/c", 4}, {"b", 0}, {"C:\\", 3}};

	(void)state;
	for (size_t i = 0; i < sizeof(absolute) / sizeof(absolute[0]); i++)
		assert_true(path_is_absolute(absolute[i]));
	assert_false(path_is_absolute("x\\C:"));
	assert_false(path_is_absolute(""));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(path_directory_len(cases[i].path), cases[i].len);
	assert_true(path_is_of_socket("C:\\sockets"));
	assert_false(path_is_of_socket("db.example"));
}

static void long_names_are_made_read_renamed_and_removed(void **state)
{
	char place[PLACE_BYTES], deep[PLACE_BYTES + 150], name[PLACE_BYTES + 300], other[PLACE_BYTES + 310],
	    text[8] = "";
	struct file_facts facts;
	FILE *f;
	int fd;

	(void)state;
	place_make(place);
	snprintf(deep, sizeof(deep), "%s\\%0120d", place, 1);
	place_make_directory(deep);
	assert_true(directory_exists(deep));
	assert_true(directory_is_writable(deep));
	snprintf(name, sizeof(name), "%s\\%0120d \xC3\xBC.log", deep, 2);
	snprintf(other, sizeof(other), "%s.1", name);
	assert_true(strlen(name) > 260);
	fd = file_open_append(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "a\n", 2), 2);
	assert_true(file_rename(name, other)); /* while it is open */
	assert_true(file_look(other, &facts));
	assert_int_equal(facts.bytes, 2); /* no carriage return */
	f = file_open(other);
	assert_non_null(f);
	assert_int_equal(fread(text, 1, sizeof(text), f), 2);
	fclose(f);
	assert_string_equal(text, "a\n");
	assert_true(file_remove(other)); /* likewise */
	close(fd);
	place_remove(deep);
	place_remove(place);
}

static void names_that_cannot_be_are_not_there(void **state)
{
	(void)state;
	errno = 0;
	assert_null(file_open("a*b?"));
	assert_int_equal(errno, ENOENT);
	assert_false(file_exists("\xFF"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(drives_shares_and_both_slashes_are_known),
	    cmocka_unit_test(long_names_are_made_read_renamed_and_removed),
	    cmocka_unit_test(names_that_cannot_be_are_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
