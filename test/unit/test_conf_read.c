/* Tests of src/conf/read.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "conf_files.h"

static void whole_files_are_read(void **state)
{
	char path[] = "/tmp/test_conf_read.XXXXXX";
	int descriptor = mkstemp(path);
	FILE *file = fdopen(descriptor, "w");
	struct str content;

	(void)state;
	assert_non_null(file);
	for (int i = 0; i < 5000; i++)
		fprintf(file, "%04d\n", i);
	assert_int_equal(fclose(file), 0);
	str_init(&content, 25000);
	assert_int_equal(conf_read_file(NULL, path, &content), 0);
	assert_int_equal(content.len, 25000);
	assert_memory_equal(content.data + 24995, "4999\n", 5);
	conf_forget(&content);
	str_init(&content, 24999);
	assert_int_equal(conf_read_file(NULL, path, &content), EFBIG);
	conf_forget(&content);
	assert_int_equal(unlink(path), 0);
	str_init(&content, 100);
	assert_int_equal(conf_read_file(NULL, path, &content), ENOENT);
	assert_int_equal(conf_read_file(NULL, "/tmp", &content), EISDIR);
	conf_forget(&content);
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
	char folder[] = "/tmp/pgweir-read-XXXXXX", path[64], **names = NULL;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/a.conf", folder);
	fclose(fopen(path, "w"));
	assert_int_equal(conf_list_directory(NULL, folder, "*.conf", &names), 0);
	assert_string_equal(names[0], "a.conf");
	assert_null(names[1]);
	directory_names_free(names);
	unlink(path);
	rmdir(folder);
	assert_int_equal(conf_list_directory(NULL, folder, "*.conf", &names), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_files_are_read), cmocka_unit_test(paths_stand_beside_others),
	    cmocka_unit_test(the_working_directory_comes_first), cmocka_unit_test(directories_are_listed)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
