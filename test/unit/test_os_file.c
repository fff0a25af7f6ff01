/* Tests of src/os/posix/file.c. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/file.h"
#include <cmocka.h>

static void directory_part_ends_with_its_separator(void **state)
{
	(void)state;
	assert_int_equal(path_directory_len("name"), 0);
	assert_int_equal(path_directory_len(""), 0);
	assert_int_equal(path_directory_len("/name"), 1);
	assert_int_equal(path_directory_len("a/b/name"), 4);
	assert_int_equal(path_directory_len("a/b/"), 4);
}

static void absolute_paths_are_told_from_relative_ones(void **state)
{
	char *path;

	(void)state;
	assert_true(path_is_absolute("/etc/x"));
	assert_false(path_is_absolute("etc/x"));
	assert_false(path_is_absolute(""));
	path = path_absolute("name");
	assert_non_null(path);
	assert_true(path_is_absolute(path));
	assert_string_equal(path + path_directory_len(path), "name");
	mem_free(path);
}

/* Writes a line at its end. */
static void add_line(int fd, const char *line)
{
	assert_int_equal(write(fd, line, (unsigned)strlen(line)), strlen(line));
}

static void check_content(const char *path, const char *expected)
{
	char text[64];
	FILE *f = file_open(path);
	size_t n;

	assert_non_null(f);
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	assert_string_equal(text, expected);
}

static void log_may_be_renamed_while_it_is_open(void **state)
{
	static const char name[] = "test_os_file.\xC3\xBC log", old[] = "test_os_file.old log";
	struct file_facts facts;
	int fd, again;

	(void)state;
	(void)file_remove(name);
	(void)file_remove(old);
	fd = file_open_append(name);
	assert_true(fd >= 0);
	add_line(fd, "one\n");
	assert_true(file_rename(name, old));
	assert_false(file_exists(name));
	add_line(fd, "two\n");
	check_content(old, "one\ntwo\n");
	/* both write at the end, wherever the other one has put it */
	again = file_open_append(old);
	assert_true(again >= 0);
	add_line(again, "three\n");
	add_line(fd, "four\n");
	check_content(old, "one\ntwo\nthree\nfour\n");
	assert_true(file_look(old, &facts));
	assert_int_equal(facts.bytes, strlen("one\ntwo\nthree\nfour\n"));
	assert_true(facts.changed_s > 1700000000);
	assert_true(file_is_readable(old));
	assert_true(file_is_writable(old));
	assert_true(file_remove(old));
	close(again);
	close(fd);
	assert_false(file_exists(old));
}

static void of_those_who_make_a_file_one_succeeds(void **state)
{
	static const char name[] = "test_os_file.new";
	struct file_facts facts;

	(void)state;
	(void)file_remove(name);
	assert_true(file_make(name));
	errno = 0;
	assert_false(file_make(name));
	assert_int_equal(errno, EEXIST);
	assert_true(file_look(name, &facts));
	assert_int_equal(facts.bytes, 0);
	assert_true(file_remove(name));
	errno = 0;
	assert_false(file_make("no such directory/file"));
	assert_int_equal(errno, ENOENT);
}

static void file_is_known_by_what_it_is_and_not_by_its_name(void **state)
{
	static const char name[] = "test_os_file.name", old[] = "test_os_file.old name";
	int fd;

	(void)state;
	(void)file_remove(name);
	(void)file_remove(old);
	fd = file_open_append(name);
	assert_true(fd >= 0);
	assert_true(file_is_at(name, fd));
	assert_true(file_rename(name, old));
	assert_false(file_is_at(name, fd));
	assert_true(file_is_at(old, fd));
	assert_true(file_make(name));
	assert_false(file_is_at(name, fd));
	assert_false(file_is_at(name, -1));
	assert_true(file_is_plain(name));
	assert_false(file_is_plain("."));
	assert_false(file_is_plain("no such file"));
	close(fd);
	assert_true(file_remove(name));
	assert_true(file_remove(old));
}

static void what_is_not_there_is_said(void **state)
{
	struct file_facts facts;

	(void)state;
	errno = 0;
	assert_null(file_open("no such directory/file"));
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_int_equal(file_open_append("no such directory/file"), -1);
	assert_int_equal(errno, ENOENT);
	errno = 0;
	assert_false(file_look("no such file", &facts));
	assert_int_equal(errno, ENOENT);
	assert_false(file_rename("no such file", "nor this"));
	assert_false(file_remove("no such file"));
	assert_false(file_is_readable("no such file"));
	assert_false(file_is_writable("no such file"));
	assert_true(directory_is_writable("."));
	assert_false(directory_is_writable("no such directory"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(directory_part_ends_with_its_separator),
	    cmocka_unit_test(absolute_paths_are_told_from_relative_ones),
	    cmocka_unit_test(log_may_be_renamed_while_it_is_open),
	    cmocka_unit_test(of_those_who_make_a_file_one_succeeds),
	    cmocka_unit_test(file_is_known_by_what_it_is_and_not_by_its_name),
	    cmocka_unit_test(what_is_not_there_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
