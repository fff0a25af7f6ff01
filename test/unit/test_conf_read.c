/* Tests of src/conf/read.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf_files.h"
#include "os/file.h"
#include "place.h"

static void whole_files_are_read(void **state)
{
	char place[PLACE_BYTES], path[PLACE_BYTES + 8];
	struct str content;

	(void)state;
	place_make(place);
	snprintf(path, sizeof(path), "%s/file", place);
	str_init(&content, 25000);
	for (int i = 0; i < 5000; i++)
		str_printf(&content, "%04d\n", i);
	place_put(path, str_text(&content));
	str_fini(&content);
	str_init(&content, 25000);
	assert_int_equal(conf_read_file(NULL, path, &content), 0);
	assert_int_equal(content.len, 25000);
	assert_memory_equal(content.data + 24995, "4999\n", 5);
	conf_forget(&content);
	str_init(&content, 24999);
	assert_int_equal(conf_read_file(NULL, path, &content), EFBIG);
	conf_forget(&content);
	assert_true(file_remove(path));
	str_init(&content, 100);
	assert_int_equal(conf_read_file(NULL, path, &content), ENOENT);
	assert_int_equal(conf_read_file(NULL, place, &content), EISDIR);
	conf_forget(&content);
	place_remove(place);
}

static void paths_stand_beside_others(void **state)
{
	char *path = conf_path_beside("/etc/pgweir/a.ini", "userlist.txt");

	(void)state;
	assert_string_equal(path, "/etc/pgweir/userlist.txt");
	mem_free(path);
	path = conf_path_beside("etc/a.ini", "b/c");
	assert_string_equal(path, "etc/b/c");
	mem_free(path);
	assert_null(conf_path_beside("a.ini", "b"));
	assert_null(conf_path_beside("/etc/a.ini", "/b"));
}

static void the_working_directory_comes_first(void **state)
{
	struct fake_file files[] = {{"here", "1", 0},         {"etc/here", "2", 0},   {"etc/there", "3", 0},
	                            {"locked", NULL, EACCES}, {"etc/locked", "4", 0}, {NULL, NULL, 0}};
	struct str content;
	char *found = NULL;

	(void)state;
	str_init(&content, 100);
	assert_int_equal(conf_read_near(fake_read, files, "here", "etc/a.ini", &content, &found), 0);
	assert_string_equal(str_text(&content), "1");
	assert_string_equal(found, "here");
	mem_free(found);
	str_clear(&content);
	assert_int_equal(conf_read_near(fake_read, files, "there", "etc/a.ini", &content, &found), 0);
	assert_string_equal(str_text(&content), "3");
	assert_string_equal(found, "etc/there");
	mem_free(found);
	found = NULL;
	assert_int_equal(conf_read_near(fake_read, files, "locked", "etc/a.ini", &content, &found), EACCES);
	assert_int_equal(conf_read_near(fake_read, files, "none", "etc/a.ini", &content, &found), ENOENT);
	assert_null(found);
	str_fini(&content);
}

static void directories_are_listed(void **state)
{
	char folder[PLACE_BYTES], path[PLACE_BYTES + 8], **names = NULL;

	(void)state;
	place_make(folder);
	snprintf(path, sizeof(path), "%s/a.conf", folder);
	place_put(path, "");
	assert_int_equal(conf_list_directory(NULL, folder, "*.conf", &names), 0);
	assert_string_equal(names[0], "a.conf");
	assert_null(names[1]);
	directory_names_free(names);
	place_remove(folder);
	assert_int_equal(conf_list_directory(NULL, folder, "*.conf", &names), ENOENT);
}

static void text_begins_behind_the_mark_of_utf8_and_utf16_is_refused(void **state)
{
	static const struct {
		const char *content;
		size_t len, skip;
		bool good;
	} cases[] = {
	    {"", 0, 0, true},
	    {"\xEF\xBB", 2, 0, true},
	    {"\xEF\xBB\xBF", 3, 3, true},
	    {"[pgbouncer]", 11, 0, true},
	    {"\xFF", 1, 0, true},
	    {"\xFF\xFE", 2, 0, false},
	    {"\xFF\xFE[\0a\0", 6, 0, false},
	    {"\xFE\xFF\0[\0a", 6, 0, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct conf_error why;
		size_t skip = 9;

		assert_int_equal(conf_text_begin(cases[i].content, cases[i].len, "a.ini", &skip, &why), cases[i].good);
		if (cases[i].good) {
			assert_int_equal(skip, cases[i].skip);
			continue;
		}
		assert_string_equal(why.text, "could not load file \"a.ini\": its text is in UTF-16, not in UTF-8");
		assert_string_equal(why.file, "a.ini");
		assert_non_null(strstr(why.hint, "Save it as UTF-8"));
		assert_non_null(strstr(why.hint, "convert it.")); /* the hint fits */
	}
}

/* Umlauts, blanks, and more than 300 bytes: deep enough for what a file system takes as one name. */
static void long_paths_with_blanks_and_umlauts_are_read(void **state)
{
	char folder[PLACE_BYTES], part[200], path[1000], *beside;
	struct str content;
	char *found = NULL;

	(void)state;
	place_make(folder);
	memset(part, 'x', sizeof(part) - 1);
	part[sizeof(part) - 1] = '\0';
	snprintf(path, sizeof(path), "%s/Pr\xc3\xb6gramme und Dateien %s", folder, part);
	place_make_directory(path);
	snprintf(path + strlen(path), sizeof(path) - strlen(path), "/%s users.txt", part);
	assert_true(strlen(path) > 400);
	place_put(path, "here");
	str_init(&content, 100);
	beside = conf_path_beside(path, "weir.ini");
	assert_non_null(beside);
	assert_int_equal(conf_read_near(conf_read_file, NULL, strrchr(path, '/') + 1, beside, &content, &found), 0);
	assert_string_equal(str_text(&content), "here");
	assert_string_equal(found, path);
	conf_forget(&content);
	mem_free(found);
	mem_free(beside);
	*strrchr(path, '/') = '\0';
	place_remove(path);
	place_remove(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(whole_files_are_read),
	                                   cmocka_unit_test(paths_stand_beside_others),
	                                   cmocka_unit_test(the_working_directory_comes_first),
	                                   cmocka_unit_test(directories_are_listed),
	                                   cmocka_unit_test(text_begins_behind_the_mark_of_utf8_and_utf16_is_refused),
	                                   cmocka_unit_test(long_paths_with_blanks_and_umlauts_are_read)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
