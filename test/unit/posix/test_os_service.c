/* systemd's variables and datagrams. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/service.h"
#include "os/socket.h"

static void passed_to(long pid, const char *n)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld", pid);
	setenv("LISTEN_PID", text, 1);
	setenv("LISTEN_FDS", n, 1);
	setenv("LISTEN_FDNAMES", "a:b", 1);
}

static void sockets_are_ours_when_the_process_id_is(void **state)
{
	static const struct {
		const char *n;
		unsigned count;
	} cases[] = {{"2", 2},   {"1", 1},  {"0", 0}, {"-1", 0},
	             {"two", 0}, {"2x", 0}, {"", 0},  {"99999999999999999999", 0}};

	(void)state;
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	assert_int_equal(service_count_sockets(), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		passed_to((long)getpid(), cases[i].n);
		assert_int_equal(service_count_sockets(), cases[i].count);
	}
	passed_to((long)getppid(), "2");
	assert_int_equal(service_count_sockets(), 0);
}

static void sockets_are_taken_once_and_not_passed_on(void **state)
{
	(void)state;
	passed_to((long)getpid(), "2");
	assert_int_equal(service_take_sockets(), 2);
	assert_int_equal(service_take_sockets(), 0);
	assert_null(getenv("LISTEN_PID"));
	assert_null(getenv("LISTEN_FDS"));
	assert_null(getenv("LISTEN_FDNAMES"));
	/* somebody else's go, too */
	passed_to((long)getppid(), "2");
	assert_int_equal(service_take_sockets(), 0);
	assert_null(getenv("LISTEN_FDS"));
}

/* A service manager's socket at this address, "@name" or "/path"; -1 is never returned. */
static int manager(const char *where)
{
	struct address a;
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_true(address_from_text(&a, where, 0));
	assert_int_equal(bind(fd, &a.u.any, a.len), 0);
	setenv("NOTIFY_SOCKET", where, 1);
	return fd;
}

static void heard(int fd, const char *text)
{
	char got[200];
	ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	got[n] = '\0';
	assert_int_equal(strncmp(got, text, strlen(text)), 0);
}

static void manager_is_told_at_either_kind_of_address(void **state)
{
	char where[2][64];

	(void)state;
	snprintf(where[0], sizeof(where[0]), "@pgweir-test-notify-%ld", (long)getpid());
	snprintf(where[1], sizeof(where[1]), "/tmp/pgweir-test-notify-%ld", (long)getpid());
	for (int i = 0; i < 2; i++) {
		int fd = manager(where[i]);

		assert_true(service_notify("READY=1"));
		heard(fd, "READY=1");
		assert_true(service_notify_reloading());
		heard(fd, "RELOADING=1\nMONOTONIC_USEC=");
		/* how long it may take is for the unit to say, and pauses are no state of systemd */
		service_notify_pausing();
		service_notify_paused(true);
		service_notify_paused(false);
		assert_true(service_notify_stopping(1000000));
		heard(fd, "STOPPING=1");
		close(fd);
		/* it has gone */
		assert_false(service_notify("READY=1"));
		assert_int_equal(errno, ECONNREFUSED);
		if (i == 1)
			unlink(where[i]);
	}
}

static void nobody_to_tell_is_fine_a_strange_address_is_not(void **state)
{
	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_true(service_notify("READY=1"));
	setenv("NOTIFY_SOCKET", "", 1);
	assert_true(service_notify("READY=1"));
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_false(service_notify("READY=1"));
	assert_int_equal(errno, EAFNOSUPPORT);
	unsetenv("NOTIFY_SOCKET");
}

static void watching_is_for_the_process_that_is_named(void **state)
{
	static const struct {
		const char *us, *pid;
		uint64_t period_us;
	} cases[] = {{NULL, NULL, 0},
	             {"30000000", NULL, 30000000},
	             {"30000000", "ours", 30000000},
	             {"30000000", "1", 0},
	             {"30000000", "", 0},
	             {"0", NULL, 0},
	             {"-5", NULL, 0},
	             {"soon", NULL, 0},
	             {"99999999999999999999", NULL, 0}};
	char ours[32];

	(void)state;
	snprintf(ours, sizeof(ours), "%ld", (long)getpid());
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *pid = cases[i].pid;

		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		if (cases[i].us != NULL)
			setenv("WATCHDOG_USEC", cases[i].us, 1);
		if (pid != NULL)
			setenv("WATCHDOG_PID", strcmp(pid, "ours") == 0 ? ours : pid, 1);
		assert_int_equal(service_watchdog_us(), cases[i].period_us);
	}
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
}

static void journal_is_known_by_the_file_behind_stderr(void **state)
{
	struct stat st;
	char text[64];

	(void)state;
	unsetenv("JOURNAL_STREAM");
	assert_false(service_has_journal());
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", text, 1);
	assert_true(service_has_journal());
	snprintf(text, sizeof(text), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", text, 1);
	assert_false(service_has_journal());
	setenv("JOURNAL_STREAM", "journal", 1);
	assert_false(service_has_journal());
	unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(sockets_are_ours_when_the_process_id_is),
	    cmocka_unit_test(sockets_are_taken_once_and_not_passed_on),
	    cmocka_unit_test(manager_is_told_at_either_kind_of_address),
	    cmocka_unit_test(nobody_to_tell_is_fine_a_strange_address_is_not),
	    cmocka_unit_test(watching_is_for_the_process_that_is_named),
	    cmocka_unit_test(journal_is_known_by_the_file_behind_stderr),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
