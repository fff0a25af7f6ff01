/* Tests of src/os/win32/process.c and begin.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <windows.h>

#include "../place.h"
#include "os/process.h"

static void the_user_has_a_name_and_others_have_none(void **state)
{
	char name[300] = "", tiny[2];

	(void)state;
	assert_true(os_user_id() >= 0);
	assert_true(os_user_name(os_user_id(), name, sizeof(name)));
	assert_true(name[0] != '\0');
	assert_false(os_user_name(os_user_id(), tiny, sizeof(tiny)));
	/* what a peer has about whom nothing is known */
	assert_false(os_user_name(-1, name, sizeof(name)));
	assert_true(os_user_id() != -1);
}

static void accounts_and_background_are_not_ours_to_choose(void **state)
{
	int ready = 7;

	(void)state;
	assert_false(os_can_switch_user());
	assert_false(os_can_daemonize());
	errno = 0;
	assert_false(os_switch_user("nobody"));
	assert_int_equal(errno, ENOSYS);
	errno = 0;
	assert_int_equal(os_daemonize(&ready), DAEMON_FAILED);
	assert_int_equal(errno, ENOSYS);
	assert_true(os_share_socket_file("C:\\x", "", 0777));
	assert_false(os_share_socket_file("C:\\x", "users", 0777));
}

static void the_machine_has_a_name_that_is_cut_to_fit(void **state)
{
	char name[256], tiny[3];

	(void)state;
	os_machine_name(name, sizeof(name));
	assert_true(name[0] != '\0');
	assert_string_equal(os_machine_name(tiny, sizeof(tiny)), tiny);
	assert_int_equal(strncmp(tiny, name, 2), 0);
}

static void usage_grows_with_use(void **state)
{
	struct process_usage before, now;
	HANDLE more;

	(void)state;
	os_process_usage(&before);
	more = CreateEventW(NULL, TRUE, FALSE, NULL);
	assert_non_null(more);
	do
		os_process_usage(&now);
	while (now.cpu_us <= before.cpu_us);
	assert_true(before.resident_bytes > 0 && before.virtual_bytes > 0);
	/* Wine does not count them */
	assert_true(before.n_descriptors == 0 || now.n_descriptors == before.n_descriptors + 1);
	assert_int_equal(now.most_descriptors, 0);
	CloseHandle(more);
}

static void random_bytes_differ(void **state)
{
	uint8_t a[100000], b[100000];

	(void)state;
	memset(a, 0, sizeof(a));
	os_random(a, sizeof(a));
	os_random(b, sizeof(b));
	assert_memory_not_equal(a, b, sizeof(a));
	assert_memory_not_equal(a + 99900, b + 99900, 100);
}

static void name_servers_fit(void **state)
{
	char text[256], tiny[2];

	(void)state;
	assert_ptr_equal(os_name_servers(NULL, text, sizeof(text)), text);
	assert_true(strlen(text) < sizeof(text));
	assert_string_equal(os_name_servers(NULL, tiny, sizeof(tiny)), "");
	assert_true(os_names_have_other_sources("/etc/nsswitch.conf"));
}

static bool environment_has(const char *line)
{
	for (char *const *at = os_environment(); *at != NULL; at++)
		if (strcmp(*at, line) == 0)
			return true;
	return false;
}

static void words_and_variables_are_utf8(void **state)
{
	char program[] = "?", *argv[] = {program, NULL};
	char *const *words;
	int n = 1;

	(void)state;
	SetEnvironmentVariableW(L"PGWEIR_TEST", L"f\u00FCnf \u20AC");
	assert_true(environment_has("PGWEIR_TEST=f\xC3\xBCnf \xE2\x82\xAC"));
	assert_false(environment_has(""));
	words = os_begin(&n, argv);
	assert_int_equal(n, 1);
	assert_non_null(strstr(words[0], "test_os_process"));
	assert_null(words[1]);
}

/* A library that lies where the process works, as a copy of one of the system's. */
static void libraries_come_from_the_system_only(void **state)
{
	wchar_t library[MAX_PATH + 16], copy[MAX_PATH + 16];
	char program[] = "?", *argv[] = {program, NULL};
	HMODULE system;
	UINT len;
	int n = 1;

	(void)state;
	len = GetSystemDirectoryW(library, MAX_PATH);
	assert_true(len > 0 && len < MAX_PATH);
	wcscat(library, L"\\version.dll");
	_snwprintf(copy, sizeof(copy) / sizeof(copy[0]), L"pgweir-%lu.dll", (unsigned long)GetCurrentProcessId());
	assert_true(CopyFileW(library, copy, TRUE));
	(void)os_begin(&n, argv);
	assert_null(LoadLibraryW(copy));
	assert_true(DeleteFileW(copy));
	system = LoadLibraryW(L"version.dll");
	assert_non_null(system);
	FreeLibrary(system);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_user_has_a_name_and_others_have_none),
	    cmocka_unit_test(accounts_and_background_are_not_ours_to_choose),
	    cmocka_unit_test(the_machine_has_a_name_that_is_cut_to_fit),
	    cmocka_unit_test(usage_grows_with_use),
	    cmocka_unit_test(random_bytes_differ),
	    cmocka_unit_test(name_servers_fit),
	    cmocka_unit_test(words_and_variables_are_utf8),
	    cmocka_unit_test(libraries_come_from_the_system_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
