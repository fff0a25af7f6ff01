/* Pidfiles, users, the background, threads and quotas. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/lock.h"
#include "os/posix/cgroup.h"
#include "os/process.h"
#include "os/thread.h"

static char dir[] = "/tmp/pgweir-process-XXXXXX";
static char path[256];

static int make_dir(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "%s/pid", mkdtemp(dir) == NULL ? "" : dir);
	return path[0] == '/' && path[1] == 'p' ? -1 : 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void put_file(const char *name, const char *text)
{
	FILE *f = fopen(name, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void pidfile_is_created_once_and_removed_by_its_process_only(void **state)
{
	char text[32] = "", expected[32];
	struct stat st;
	int fd;
	FILE *f;

	(void)state;
	assert_int_equal(pidfile_check(path), PIDFILE_FREE);
	fd = pidfile_create(path);
	assert_true(fd >= 0);
	assert_int_equal(pidfile_create(path), -1);
	assert_int_equal(errno, EEXIST);
	assert_int_equal(pidfile_check(path), PIDFILE_IN_USE);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(text, sizeof(text), f));
	fclose(f);
	snprintf(expected, sizeof(expected), "%ld\n", (long)getpid());
	assert_string_equal(text, expected);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777 & ~0644u, 0);
	pidfile_remove(path, fd);
	assert_int_equal(pidfile_check(path), PIDFILE_FREE);
	/* another one in its place stays */
	fd = pidfile_create(path);
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	put_file(path, "1\n");
	pidfile_remove(path, fd);
	assert_int_equal(pidfile_check(path), PIDFILE_IN_USE);
	assert_int_equal(unlink(path), 0);
}

static void pidfile_of_a_dead_process_is_removed(void **state)
{
	char text[32];
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(0);
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	snprintf(text, sizeof(text), "%ld\n", (long)pid);
	put_file(path, text);
	assert_int_equal(pidfile_check(path), PIDFILE_STALE);
	assert_int_equal(pidfile_check(path), PIDFILE_FREE);
	/* ours, though we have made none: another process had our number before us */
	snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	put_file(path, text);
	assert_int_equal(pidfile_check(path), PIDFILE_STALE);
	assert_int_equal(pidfile_check(path), PIDFILE_FREE);
}

static void pidfile_that_somebody_has_locked_is_in_use_whatever_it_says(void **state)
{
	int fd = pidfile_create(path);
	FILE *f;

	(void)state;
	assert_true(fd >= 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs("4194304\n", f); /* no process has this number */
	fclose(f);
	assert_int_equal(pidfile_check(path), PIDFILE_IN_USE);
	close(fd);
	assert_int_equal(pidfile_check(path), PIDFILE_STALE);
}

static void pidfile_without_sense_counts_as_in_use(void **state)
{
	static const char *const text[] = {
	    "", "\n", "abc", "12x\n", "-1\n", "0\n", "99999999999999999999\n", "4294967297\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		put_file(path, text[i]);
		assert_int_equal(pidfile_check(path), PIDFILE_IN_USE);
	}
	assert_int_equal(unlink(path), 0);
	assert_int_equal(pidfile_check(dir), PIDFILE_FAILED);
	assert_int_equal(pidfile_create("/nonexistent/pid"), -1);
	assert_int_equal(errno, ENOENT);
}

/* The exit status of a child that runs `story`. */
static int status_of(int (*story)(void))
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(story());
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int switch_to_nobody_for_good(void)
{
	struct passwd *nobody;

	errno = 0;
	if (os_switch_user("no such user at all") || errno != ENOENT)
		return 1;
	nobody = getpwnam(getuid() == 0 ? "nobody" : "root");
	if (nobody == NULL)
		return 2;
	if (getuid() != 0)
		return os_switch_user("root") ? 3 : 0;
	if (!os_switch_user("nobody") || !os_switch_user("nobody"))
		return 4;
	if (getuid() != nobody->pw_uid || geteuid() != nobody->pw_uid || getgid() != nobody->pw_gid)
		return 5;
	return seteuid(0) == 0 || os_switch_user("root") || os_is_superuser() ? 6 : 0;
}

static void switching_users_is_for_good(void **state)
{
	(void)state;
	assert_int_equal(status_of(switch_to_nobody_for_good), 0);
}

static void users_have_names(void **state)
{
	struct passwd *self = getpwuid(geteuid());
	char name[64], tiny[2];

	(void)state;
	assert_int_equal(os_user_id(), geteuid());
	assert_int_equal(os_is_superuser(), geteuid() == 0);
	if (self != NULL) {
		assert_true(os_user_name(geteuid(), name, sizeof(name)));
		assert_string_equal(name, self->pw_name);
		assert_false(os_user_name(geteuid(), tiny, strlen(self->pw_name) > 1 ? sizeof(tiny) : 1));
	}
	assert_false(os_user_name(-1, name, sizeof(name)));
	assert_false(os_user_name(3999999999, name, sizeof(name)));
}

static void socket_file_gets_its_group_and_mode(void **state)
{
	struct group *own = getgrgid(getegid());
	struct stat st;

	(void)state;
	put_file(path, "");
	assert_true(os_share_socket_file(path, "", 0712));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0712);
	assert_false(os_share_socket_file(path, "no such group at all", 0777));
	assert_int_equal(errno, ENOENT);
	if (own != NULL)
		assert_true(os_share_socket_file(path, own->gr_name, 0770));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, own != NULL ? 0770 : 0712);
	assert_int_equal(unlink(path), 0);
}

/* The grandchild says through the pipe who it is. */
static int report_fd;

static bool ready_at_last;

static int go_into_the_background(void)
{
	int ready = -1;
	char fact[64];

	switch (os_daemonize(&ready)) {
	case DAEMON_LEAVE:
		return 0;
	case DAEMON_LOST:
		return 98;
	case DAEMON_FAILED:
		return 99;
	case DAEMON_GO_ON:
		break;
	}
	if (ready_at_last)
		os_daemon_ready(ready);
	snprintf(fact, sizeof(fact), "%d %d %d", getsid(0) != getpid(), isatty(0) || isatty(1) || isatty(2),
	         fcntl(2, F_GETFL) != -1);
	return write(report_fd, fact, strlen(fact)) > 0 ? 0 : 1;
}

static void daemon_leads_no_session_and_has_no_terminal(void **state)
{
	char fact[64] = "";
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	report_fd = fd[1];
	ready_at_last = true;
	assert_int_equal(status_of(go_into_the_background), 0);
	close(fd[1]);
	/* the end of the pipe comes when the daemon is gone too */
	assert_true(read(fd[0], fact, sizeof(fact) - 1) > 0);
	assert_string_equal(fact, "1 0 1");
	assert_int_equal(read(fd[0], fact, sizeof(fact)), 0);
	close(fd[0]);
}

static void original_learns_that_the_daemon_was_never_ready(void **state)
{
	char fact[64] = "";
	int fd[2];

	(void)state;
	assert_int_equal(pipe(fd), 0);
	report_fd = fd[1];
	ready_at_last = false;
	assert_int_equal(status_of(go_into_the_background), 98);
	close(fd[1]);
	assert_true(read(fd[0], fact, sizeof(fact) - 1) > 0);
	close(fd[0]);
}

static void random_bytes_fill_long_buffers(void **state)
{
	unsigned char bytes[1000] = {0};
	int zeros = 0;

	(void)state;
	os_random(bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		zeros += bytes[i] == 0;
	assert_true(zeros < 100);
}

struct shared {
	struct lock lock;
	int n, signals_open;
};

static void *count_up(void *arg)
{
	struct shared *s = (struct shared *)arg;
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	for (int i = 0; i < 10000; i++) {
		lock_take(&s->lock);
		s->n++;
		lock_drop(&s->lock);
	}
	lock_take(&s->lock);
	s->signals_open += sigismember(&mask, SIGTERM) == 0;
	lock_drop(&s->lock);
	return NULL;
}

static void lock_excludes_and_threads_get_no_signals(void **state)
{
	struct shared s = {.n = 0};
	struct thread t[3];
	sigset_t mask;

	(void)state;
	lock_init(&s.lock);
	for (int i = 0; i < 3; i++)
		assert_true(thread_start(&t[i], "a name that is much too long", count_up, &s));
	for (int i = 0; i < 3; i++)
		thread_join(&t[i]);
	assert_int_equal(s.n, 30000);
	assert_int_equal(s.signals_open, 0);
	lock_fini(&s.lock);
	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	assert_int_equal(sigismember(&mask, SIGTERM), 0);
	assert_true(os_usable_processors() >= 1);
}

/* A control group file below the test's directory; directories are made as needed, `NULL` text removes all. */
static void put_below(const char *name, const char *text)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	for (char *slash = full + strlen(dir) + 1; (slash = strchr(slash, '/')) != NULL; slash++) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	put_file(full, text);
}

static int remove_tree(const char *name)
{
	char full[512];

	snprintf(full, sizeof(full), "%s/%s", dir, name);
	if (unlink(full) == 0)
		return 0;
	return rmdir(full);
}

static void quotas_of_control_groups_are_found_and_rounded_up(void **state)
{
	static const struct {
		const char *proc, *file[2], *text[2];
		int processors;
	} test[] = {
	    {"0::/a/b\n", {"a/b/cpu.max"}, {"250000 100000\n"}, 3},
	    {"0::/a/b\n", {"a/b/cpu.max"}, {"max 100000\n"}, 0},
	    {"0::/a/b\n", {"a/b/cpu.max", "a/cpu.max"}, {"400000 100000\n", "50000 100000\n"}, 1},
	    {"0::/a/b\n", {"a/b/cpu.max", "a/cpu.max"}, {"200000 100000\n", "max 100000\n"}, 2},
	    {"0::/../not/visible\n", {"cpu.max"}, {"600000 100000\n"}, 6},
	    {"0::/\n", {"cpu.max"}, {"100000 50000\n"}, 2},
	    {"4:memory:/x\n3:cpu,cpuacct:/a\n",
	     {"cpu,cpuacct/a/cpu.cfs_quota_us", "cpu,cpuacct/a/cpu.cfs_period_us"},
	     {"150000\n", "100000\n"},
	     2},
	    {"3:cpu,cpuacct:/gone\n", {"cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"}, {"-1\n", "100000\n"}, 0},
	    {"3:cpuset:/a\n", {"cpuset/a/cpu.cfs_quota_us", "cpuset/a/cpu.cfs_period_us"}, {"1000\n", "1000\n"}, 0},
	    {"garbage\n1:cpu\n::\n", {"cpu.max"}, {"0 0\n"}, 0},
	};
	static const char *const all[] = {"a/b/cpu.max",
	                                  "a/cpu.max",
	                                  "cpu.max",
	                                  "a/b",
	                                  "a",
	                                  "cpu,cpuacct/a/cpu.cfs_quota_us",
	                                  "cpu,cpuacct/a/cpu.cfs_period_us",
	                                  "cpu,cpuacct/a",
	                                  "cpu,cpuacct",
	                                  "cpu/cpu.cfs_quota_us",
	                                  "cpu/cpu.cfs_period_us",
	                                  "cpu",
	                                  "cpuset/a/cpu.cfs_quota_us",
	                                  "cpuset/a/cpu.cfs_period_us",
	                                  "cpuset/a",
	                                  "cpuset",
	                                  "proc"};
	char proc[512];

	(void)state;
	snprintf(proc, sizeof(proc), "%s/proc", dir);
	assert_int_equal(cgroup_processors(proc, dir), 0);
	for (size_t i = 0; i < sizeof(test) / sizeof(test[0]); i++) {
		put_below("proc", test[i].proc);
		for (int k = 0; k < 2 && test[i].file[k] != NULL; k++)
			put_below(test[i].file[k], test[i].text[k]);
		assert_int_equal(cgroup_processors(proc, dir), test[i].processors);
		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			(void)remove_tree(all[k]);
	}
}

static void containers_are_known_by_their_marks_and_groups(void **state)
{
	static const struct {
		const char *file, *text;
		bool container;
	} test[] = {
	    {".dockerenv", "", true},
	    {"run/.containerenv", "", true},
	    {"var/run/secrets/kubernetes.io/serviceaccount/token", "", true},
	    {"proc/self/cgroup", "0::/\n", false},
	    {"proc/self/cgroup", "0::/user.slice/user-1000.slice/session-2.scope\n", false},
	    {"proc/self/cgroup", "0::/system.slice/docker.service\n", false},
	    {"proc/self/cgroup", "3:cpu:/docker/0123abc\n", true},
	    {"proc/self/cgroup", "0::/system.slice/docker-0123abc.scope\n", true},
	    {"proc/self/cgroup", "9:x:/\n0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-2.scope\n", true},
	    {"proc/self/cgroup", "0::/machine.slice/libpod-55.scope/container\n", true},
	    {"proc/self/cgroup", "0::/lxc.payload.web/init.scope\n", true},
	};
	static const char *const all[] = {".dockerenv",
	                                  "run/.containerenv",
	                                  "run",
	                                  "var/run/secrets/kubernetes.io/serviceaccount/token",
	                                  "var/run/secrets/kubernetes.io/serviceaccount",
	                                  "var/run/secrets/kubernetes.io",
	                                  "var/run/secrets",
	                                  "var/run",
	                                  "var",
	                                  "proc/self/cgroup",
	                                  "proc/self",
	                                  "proc"};

	(void)state;
	assert_false(os_is_in_container(dir));
	for (size_t i = 0; i < sizeof(test) / sizeof(test[0]); i++) {
		put_below(test[i].file, test[i].text);
		assert_int_equal(os_is_in_container(dir), test[i].container);
		for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
			(void)remove_tree(all[k]);
	}
}

static void name_servers_are_listed(void **state)
{
	char name[300], text[128];
	FILE *f;

	(void)state;
	snprintf(name, sizeof(name), "%s/resolv.conf", dir);
	assert_string_equal(os_name_servers(name, text, sizeof(text)), "");
	f = fopen(name, "w");
	assert_non_null(f);
	fputs("# nameserver 1.2.3.4\nsearch lan\nnameserver 10.0.0.2\n  nameserver\tfd00::1\nnameserver\n", f);
	fclose(f);
	assert_string_equal(os_name_servers(name, text, sizeof(text)), "10.0.0.2, fd00::1");
	assert_string_equal(os_name_servers(name, text, 12), "10.0.0.2");
	assert_int_equal(unlink(name), 0);
}

static void other_sources_of_names_than_files_and_dns_are_seen(void **state)
{
	static const struct {
		const char *text;
		bool others;
	} cases[] = {
	    {"", false},
	    {"hosts: files dns\n", false},
	    {"passwd: files sss\n hosts:\tdns [!UNAVAIL=return] files", false},
	    {"hosts: dns [ !UNAVAIL=return ] files\n", false},
	    {"hosts: files dns # mdns\n", false},
	    {"#hosts: mdns\nhosts:files\n", false},
	    {"hosts: files mdns4_minimal [NOTFOUND=return] dns\n", true},
	    {"hosts: files dns myhostname", true},
	    {"hosts: files [NOTFOUND=continue SUCCESS=return] sss\n", true},
	    {"hosts: dnsfiles\n", true},
	};
	char name[300];

	(void)state;
	snprintf(name, sizeof(name), "%s/nsswitch.conf", dir);
	assert_false(os_names_have_other_sources(name));
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FILE *f = fopen(name, "w");

		assert_non_null(f);
		fputs(cases[i].text, f);
		fclose(f);
		assert_int_equal(os_names_have_other_sources(name), cases[i].others);
	}
	assert_int_equal(unlink(name), 0);
}

static void usage_is_that_of_this_process(void **state)
{
	struct process_usage before, now;
	char *memory = (char *)malloc(64 << 20);
	int fd = open("/dev/null", O_RDONLY), second;

	(void)state;
	assert_true(memory != NULL && fd >= 0);
	os_process_usage(&before);
	memset(memory, 1, 64 << 20);
	second = dup(fd);
	assert_true(second >= 0);
	os_process_usage(&now);
	assert_int_equal(memory[(64 << 20) - 1], 1); /* else nothing need have been written */
	assert_true(before.cpu_us > 0 && now.cpu_us > before.cpu_us);
	assert_true(now.most_descriptors > 0);
#ifdef __linux__
	assert_true(now.resident_bytes >= before.resident_bytes + (60u << 20));
	assert_true(now.virtual_bytes >= now.resident_bytes);
	/* older systems do not tell */
	assert_true(before.n_descriptors == 0 || now.n_descriptors == before.n_descriptors + 1);
#endif
	free(memory);
	close(second);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(pidfile_is_created_once_and_removed_by_its_process_only),
	    cmocka_unit_test(pidfile_of_a_dead_process_is_removed),
	    cmocka_unit_test(pidfile_that_somebody_has_locked_is_in_use_whatever_it_says),
	    cmocka_unit_test(pidfile_without_sense_counts_as_in_use),
	    cmocka_unit_test(switching_users_is_for_good),
	    cmocka_unit_test(users_have_names),
	    cmocka_unit_test(socket_file_gets_its_group_and_mode),
	    cmocka_unit_test(daemon_leads_no_session_and_has_no_terminal),
	    cmocka_unit_test(original_learns_that_the_daemon_was_never_ready),
	    cmocka_unit_test(random_bytes_fill_long_buffers),
	    cmocka_unit_test(lock_excludes_and_threads_get_no_signals),
	    cmocka_unit_test(quotas_of_control_groups_are_found_and_rounded_up),
	    cmocka_unit_test(name_servers_are_listed),
	    cmocka_unit_test(other_sources_of_names_than_files_and_dns_are_seen),
	    cmocka_unit_test(containers_are_known_by_their_marks_and_groups),
	    cmocka_unit_test(usage_is_that_of_this_process),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
