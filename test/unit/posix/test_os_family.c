/* Which kind of system this is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/family.h"

static const char *const folders[] = {"/proc", "/proc/sys", "/proc/sys/kernel"};
static const char file[] = "/proc/sys/kernel/osrelease";

/* A directory with the file in it; NULL as text: without. */
static void make_root(char root[64], const char *text)
{
	char name[128];
	FILE *f;

	snprintf(root, 64, "/tmp/pgweir-family-XXXXXX");
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; text != NULL && i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(name, sizeof(name), "%s%s", root, folders[i]);
		assert_int_equal(mkdir(name, 0700), 0);
	}
	if (text == NULL)
		return;
	snprintf(name, sizeof(name), "%s%s", root, file);
	f = fopen(name, "w");
	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void remove_root(const char *root)
{
	char name[128];

	snprintf(name, sizeof(name), "%s%s", root, file);
	(void)unlink(name);
	for (size_t i = sizeof(folders) / sizeof(folders[0]); i-- > 0;) {
		snprintf(name, sizeof(name), "%s%s", root, folders[i]);
		(void)rmdir(name);
	}
	assert_int_equal(rmdir(root), 0);
}

static void the_kernel_of_wsl_names_its_maker(void **state)
{
	static const struct {
		const char *release;
		bool below;
	} cases[] = {
	    {"5.15.153.1-microsoft-standard-WSL2\n", true},
	    {"4.4.0-19041-Microsoft\n", true},
	    {"6.1.0-18-amd64\n", false},
	    {"5.10.47-linuxkit\n", false},
	    {"", false},
	    {NULL, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char root[64];

		make_root(root, cases[i].release);
		assert_int_equal(os_is_below_windows(root), cases[i].below);
		remove_root(root);
	}
}

static void what_is_not_windows_has_nothing_registered(void **state)
{
	struct local_postgres found;

	(void)state;
	assert_false(os_is_windows());
	memset(&found, 1, sizeof(found));
	assert_false(os_find_postgres(5432, &found));
	assert_string_equal(found.base, "");
	assert_string_equal(found.service, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_kernel_of_wsl_names_its_maker),
	    cmocka_unit_test(what_is_not_windows_has_nothing_registered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
