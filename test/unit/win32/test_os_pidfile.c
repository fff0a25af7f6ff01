/* Tests of src/os/win32/pidfile.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <windows.h>

#include "../place.h"
#include "os/file.h"
#include "os/process.h"

struct world {
	char place[PLACE_BYTES], path[PLACE_BYTES + 8];
};

static int set_up(void **state)
{
	struct world *w = (struct world *)calloc(1, sizeof(*w));

	assert_non_null(w);
	place_make(w->place);
	snprintf(w->path, sizeof(w->path), "%s/pid", w->place);
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = (struct world *)*state;

	place_remove(w->place);
	free(w);
	return 0;
}

static void its_maker_keeps_it_for_reading_only(void **state)
{
	struct world *w = (struct world *)*state;
	char text[32] = "", expected[32];
	int fd, again;
	FILE *f;

	assert_int_equal(pidfile_check(w->path), PIDFILE_FREE);
	fd = pidfile_create(w->path);
	assert_true(fd >= 0);
	assert_int_equal(pidfile_check(w->path), PIDFILE_IN_USE);
	again = pidfile_create(w->path);
	assert_int_equal(again, -1);
	assert_int_equal(errno, EEXIST);
	assert_false(file_remove(w->path));
	assert_false(file_is_writable(w->path));
	f = file_open(w->path);
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(expected, sizeof(expected), "%lu\n", (unsigned long)GetCurrentProcessId());
	assert_string_equal(text, expected);
	pidfile_remove(w->path, fd);
	assert_int_equal(pidfile_check(w->path), PIDFILE_FREE);
}

static void what_a_dead_process_left_is_removed(void **state)
{
	struct world *w = (struct world *)*state;
	char text[32];

	place_put(w->path, "2147483644\n");
	assert_int_equal(pidfile_check(w->path), PIDFILE_STALE);
	assert_false(file_exists(w->path));
	/* our own number, without our having made it */
	snprintf(text, sizeof(text), "%lu\r\n", (unsigned long)GetCurrentProcessId());
	place_put(w->path, text);
	assert_int_equal(pidfile_check(w->path), PIDFILE_STALE);
}

/* Starts this program again, which does nothing but wait. */
static HANDLE start_another(DWORD *pid)
{
	STARTUPINFOW how = {.cb = sizeof(how)};
	PROCESS_INFORMATION what;
	wchar_t program[MAX_PATH], line[] = L"test wait";

	assert_true(GetModuleFileNameW(NULL, program, MAX_PATH) > 0);
	assert_true(CreateProcessW(program, line, NULL, NULL, FALSE, CREATE_SUSPENDED, NULL, NULL, &how, &what));
	CloseHandle(what.hThread);
	*pid = what.dwProcessId;
	return what.hProcess;
}

static void set_time_of(const char *path, long long seconds_from_now)
{
	HANDLE h;
	FILETIME at;
	ULARGE_INTEGER t;

	GetSystemTimeAsFileTime(&at);
	t.u.LowPart = at.dwLowDateTime;
	t.u.HighPart = at.dwHighDateTime;
	t.QuadPart += (ULONGLONG)(seconds_from_now * 10000000);
	at.dwLowDateTime = t.u.LowPart;
	at.dwHighDateTime = t.u.HighPart;
	h = CreateFileA(path, FILE_WRITE_ATTRIBUTES, 7, NULL, OPEN_EXISTING, 0, NULL);
	assert_true(h != INVALID_HANDLE_VALUE);
	assert_true(SetFileTime(h, NULL, NULL, &at));
	CloseHandle(h);
}

static void a_living_process_counts_unless_it_began_after_the_file(void **state)
{
	/* a plain path: time is set by other means */
	static const char path[] = "test_os_pidfile.pid";
	HANDLE other;
	DWORD pid;
	char text[32];

	(void)state;
	other = start_another(&pid);
	snprintf(text, sizeof(text), "%lu\n", (unsigned long)pid);
	place_put(path, text);
	assert_int_equal(pidfile_check(path), PIDFILE_IN_USE);
	/* of the process that had this number before */
	set_time_of(path, -3600);
	assert_int_equal(pidfile_check(path), PIDFILE_STALE);
	place_put(path, text);
	TerminateProcess(other, 0);
	assert_int_equal(WaitForSingleObject(other, 10000), WAIT_OBJECT_0);
	assert_int_equal(pidfile_check(path), PIDFILE_STALE);
	CloseHandle(other);
}

static void what_says_nothing_sensible_is_in_use(void **state)
{
	static const char *const texts[] = {"", "x\n", "-1\n", "0\n", "99999999999\n", "12 13\n"};
	struct world *w = (struct world *)*state;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		place_put(w->path, texts[i]);
		assert_int_equal(pidfile_check(w->path), PIDFILE_IN_USE);
	}
	assert_int_equal(pidfile_check(w->place), PIDFILE_FAILED);
	assert_int_equal(pidfile_create("C:\\no such directory\\pid"), -1);
	assert_int_equal(errno, ENOENT);
}

#define STEP(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    STEP(its_maker_keeps_it_for_reading_only),
	    STEP(what_a_dead_process_left_is_removed),
	    cmocka_unit_test(a_living_process_counts_unless_it_began_after_the_file),
	    STEP(what_says_nothing_sensible_is_in_use),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
