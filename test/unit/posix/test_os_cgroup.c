/* Tests of src/os/posix/cgroup.c on files of its own; the usual layouts are in test_os_process.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "os/posix/cgroup.h"

static char dir[64], proc[80];

static int set_up(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/pgweir-cgroup-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(proc, sizeof(proc), "%s/proc", dir);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/* A file below the directory, and the directories above it. */
static void put(const char *name, const char *text)
{
	char full[256];
	FILE *f;

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	for (char *slash = full + strlen(dir) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	f = fopen(full, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int processors(void)
{
	return cgroup_processors(proc, dir);
}

static void without_groups_there_is_no_quota(void **state)
{
	(void)state;
	put("cpu.max", "100000 100000\n");
	assert_int_equal(processors(), 0); /* no such file */
	put("proc", "");
	assert_int_equal(processors(), 0);
	put("proc", "0::relative\n");
	assert_int_equal(processors(), 0);
	put("proc", "0::/\n");
	assert_int_equal(processors(), 1);
}

static void parts_of_a_processor_count_as_one(void **state)
{
	static const struct {
		const char *text;
		int processors;
	} cases[] = {{"1 100000\n", 1},      {"99999 100000\n", 1},  {"100000 100000\n", 1},
	             {"100001 100000\n", 2}, {"200000 100000\n", 2}, {"200001 100000", 3}};

	(void)state;
	put("proc", "0::/\n");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put("cpu.max", cases[i].text);
		assert_int_equal(processors(), cases[i].processors);
	}
}

static void quotas_without_sense_are_none(void **state)
{
	static const char *const text[] = {"",         "\n",          "max\n",        "abc def\n",
	                                   "100000\n", "100000 0\n",  "100000 max\n", "-100000 100000\n",
	                                   "0 1000\n", "1000 -100\n", "9000000 1\n",  "99999999999999999999 1\n"};

	(void)state;
	put("proc", "0::/\n");
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		put("cpu.max", text[i]);
		assert_int_equal(processors(), 0);
	}
}

static void the_smallest_of_all_ancestors_decides_wherever_it_is(void **state)
{
	static const char *const file[] = {"a/b/c/cpu.max", "a/b/cpu.max", "a/cpu.max", "cpu.max"};

	(void)state;
	put("proc", "0::/a/b/c\n");
	for (size_t least = 0; least < 4; least++) {
		for (size_t i = 0; i < 4; i++)
			put(file[i], i == least ? "200000 100000\n" : "700000 100000\n");
		assert_int_equal(processors(), 2);
	}
	/* a brother's does not count */
	put("a/d/cpu.max", "100000 100000\n");
	assert_int_equal(processors(), 2);
}

static void version_1_needs_both_of_its_files(void **state)
{
	(void)state;
	put("proc", "2:cpu:/a\n");
	put("cpu/a/cpu.cfs_quota_us", "300000\n");
	assert_int_equal(processors(), 0);
	put("cpu/a/cpu.cfs_period_us", "100000\n");
	assert_int_equal(processors(), 3);
	put("cpu/cpu.cfs_quota_us", "100000\n");
	put("cpu/cpu.cfs_period_us", "50000\n");
	assert_int_equal(processors(), 2);
}

static void cpu_is_found_among_other_controllers_and_nothing_like_it(void **state)
{
	(void)state;
	put("cpu/cpu.cfs_quota_us", "100000\n");
	put("cpu/cpu.cfs_period_us", "100000\n");
	put("proc", "2:cpuset,cpuacct,xcpu,cp:/\n");
	assert_int_equal(processors(), 0);
	put("proc", "2:cpuset,cpu:/\n");
	assert_int_equal(processors(), 1);
	put("proc", "2:cpu,cpuset:/\n");
	assert_int_equal(processors(), 1);
}

static void of_both_versions_the_smaller_quota_decides(void **state)
{
	(void)state;
	put("proc", "2:cpu:/a\n0::/a\n");
	put("cpu/a/cpu.cfs_quota_us", "300000\n");
	put("cpu/a/cpu.cfs_period_us", "100000\n");
	assert_int_equal(processors(), 3);
	/* mounted beside version 1 */
	put("unified/a/cpu.max", "500000 100000\n");
	assert_int_equal(processors(), 3);
	put("unified/a/cpu.max", "200000 100000\n");
	assert_int_equal(processors(), 2);
	put("cpu/a/cpu.cfs_quota_us", "100000\n");
	assert_int_equal(processors(), 1);
}

static void a_name_beyond_all_bounds_leaves_its_ancestors(void **state)
{
	char text[3000] = "0::/a/";

	(void)state;
	memset(text + strlen(text), 'x', sizeof(text) - 8);
	text[sizeof(text) - 2] = '\n';
	text[sizeof(text) - 1] = '\0';
	put("proc", text);
	put("a/cpu.max", "200000 100000\n");
	assert_int_equal(processors(), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(without_groups_there_is_no_quota, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(parts_of_a_processor_count_as_one, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(quotas_without_sense_are_none, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_smallest_of_all_ancestors_decides_wherever_it_is, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(version_1_needs_both_of_its_files, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(cpu_is_found_among_other_controllers_and_nothing_like_it, set_up,
	                                    tear_down),
	    cmocka_unit_test_setup_teardown(of_both_versions_the_smaller_quota_decides, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_name_beyond_all_bounds_leaves_its_ancestors, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
