/* User, pidfile, background and system log. Main thread, except where process.h says otherwise. */
#include "os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/random.h>
#endif

#include "base/mem.h"
#include "os/file.h"

/* Room for an entry of the user or group database; groups may be long. */
#define ENTRY_BYTES 65536

char *const *os_begin(int *argc, char **argv)
{
	(void)argc;
	/* for all threads, before there are any */
	signal(SIGPIPE, SIG_IGN);
	/* process 1 of a container inherits the orphans there: the kernel shall bury them, we have no children to wait
	 * for */
	if (getpid() == 1)
		signal(SIGCHLD, SIG_IGN);
	tzset();
	return argv;
}

int os_end(int status)
{
	return status;
}

char *const *os_environment(void)
{
	return environ;
}

/* The locale's variables say it. */
bool os_console_is_utf8(void)
{
	return false;
}

const char *os_machine_name(char *buf, size_t size)
{
	if (gethostname(buf, size) != 0)
		buf[0] = '\0';
	buf[size - 1] = '\0'; /* a name that was cut need not have one */
	return buf;
}

int64_t os_user_id(void)
{
	return (int64_t)geteuid();
}

bool os_is_superuser(void)
{
	return geteuid() == 0;
}

bool os_user_name(int64_t uid, char *buf, size_t size)
{
	struct passwd entry, *found = NULL;
	char room[4096];
	int n;

	if (uid < 0 || getpwuid_r((uid_t)uid, &entry, room, sizeof(room), &found) != 0 || found == NULL)
		return false;
	n = snprintf(buf, size, "%s", found->pw_name);
	return n >= 0 && (size_t)n < size;
}

/* Does a file have one of these texts in it? The list ends with NULL. */
static bool file_mentions(const char *root, const char *path, const char *const *text)
{
	char name[512], line[1024];
	bool found = false;
	FILE *f;

	snprintf(name, sizeof(name), "%s%s", root, path);
	f = fopen(name, "re");
	while (f != NULL && !found && fgets(line, sizeof(line), f) != NULL)
		for (size_t i = 0; text[i] != NULL && !found; i++)
			found = strstr(line, text[i]) != NULL;
	if (f != NULL)
		fclose(f);
	return found;
}

bool os_is_in_container(const char *root)
{
	static const char *const marks[] = {"/.dockerenv", "/run/.containerenv",
	                                    "/var/run/secrets/kubernetes.io/serviceaccount"};
	/* not "docker" alone: that is also the service that runs on the host */
	static const char *const groups[] = {"/docker/", "/docker-",       "kubepods", "/lxc/", "/lxc.payload",
	                                     "libpod-",  "cri-containerd", "crio-",    NULL};

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
		char name[512];

		snprintf(name, sizeof(name), "%s%s", root, marks[i]);
		if (access(name, F_OK) == 0)
			return true;
	}
	return file_mentions(root, "/proc/self/cgroup", groups);
}

const char *os_name_servers(const char *path, char *buf, size_t size)
{
	FILE *file = fopen(path == NULL ? "/etc/resolv.conf" : path, "re");
	char line[256], address[64];
	size_t used = 0;

	buf[0] = '\0';
	if (file == NULL)
		return buf;
	while (fgets(line, sizeof(line), file) != NULL) {
		if (sscanf(line, " nameserver %63s", address) != 1)
			continue;
		if (used + strlen(address) + 3 > size)
			break;
		used += (size_t)snprintf(buf + used, size - used, "%s%s", used == 0 ? "" : ", ", address);
	}
	fclose(file);
	return buf;
}

/* "files dns", and what is done after each: "[NOTFOUND=return]" */
static bool has_other_sources(char *words)
{
	bool inside = false; /* of brackets */

	for (char *word = words; *word != '\0';) {
		size_t len = strcspn(word, " \t\n");
		char after = word[len];

		word[len] = '\0';
		inside = inside || word[0] == '[';
		if (len > 0 && word[0] != '#' && !inside && strcmp(word, "files") != 0 && strcmp(word, "dns") != 0)
			return true;
		if (word[0] == '#' || after == '\0')
			return false;
		if (len > 0 && word[len - 1] == ']')
			inside = false;
		word += len + 1;
	}
	return false;
}

bool os_names_have_other_sources(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[512];
	bool found = false;

	if (file == NULL)
		return false;
	while (!found && fgets(line, sizeof(line), file) != NULL) {
		const char *start = line + strspn(line, " \t");

		if (strncmp(start, "hosts:", 6) == 0)
			found = has_other_sources(line + (start - line) + 6);
	}
	fclose(file);
	return found;
}

/* Groups first, while we still may. */
static bool become(const struct passwd *user)
{
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)
		return false;
	/* there must be no way back */
	if (user->pw_uid != 0 && setuid(0) == 0) {
		errno = EPERM;
		return false;
	}
	return true;
}

bool os_can_switch_user(void)
{
	return true;
}

bool os_switch_user(const char *user)
{
	struct passwd entry, *found = NULL;
	char *room = (char *)mem_alloc(ENTRY_BYTES);
	bool ok = false;
	int err;

	if (room == NULL)
		return false;
	err = getpwnam_r(user, &entry, room, ENTRY_BYTES, &found);
	if (found == NULL)
		errno = err == 0 ? ENOENT : err;
	else
		/* already that user: nothing to change, and no right to */
		ok = (geteuid() == found->pw_uid && getuid() == found->pw_uid) || become(found);
	err = errno;
	mem_free(room);
	errno = err;
	return ok;
}

static bool find_group(const char *group, gid_t *gid)
{
	struct group entry, *found = NULL;
	char *room = (char *)mem_alloc(ENTRY_BYTES);
	int err;

	if (room == NULL)
		return false;
	err = getgrnam_r(group, &entry, room, ENTRY_BYTES, &found);
	if (found != NULL)
		*gid = found->gr_gid;
	mem_free(room);
	if (found == NULL)
		errno = err == 0 ? ENOENT : err;
	return found != NULL;
}

bool os_share_socket_file(const char *path, const char *group, int mode)
{
	gid_t gid = 0;

	if (group != NULL && group[0] != '\0') {
		if (!find_group(group, &gid) || chown(path, (uid_t)-1, gid) != 0)
			return false;
	}
	return chmod(path, (mode_t)mode) == 0;
}

/* The process id in a pidfile; 0: nothing sensible. False with errno set if it cannot be read. */
static bool pidfile_read(int fd, long *pid)
{
	char text[32], *end;
	long value;
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return false;
	text[n] = '\0';
	errno = 0;
	value = strtol(text, &end, 10);
	*pid = 0;
	if (errno == 0 && end != text && text[0] != '-' && (*end == '\0' || *end == '\n') &&
	    value == (long)(pid_t)value)
		*pid = value;
	return true;
}

/* With the file's lock: nobody else judges it meanwhile. */
static enum pidfile_state judge(const char *path, int fd)
{
	long pid;

	if (!file_is_at(path, fd)) /* somebody has just removed it, and may have made another one */
		return access(path, F_OK) == 0 ? PIDFILE_IN_USE : PIDFILE_FREE;
	if (!pidfile_read(fd, &pid))
		return PIDFILE_FAILED;
	if (pid <= 0)
		return PIDFILE_IN_USE;
	/* Ours without our having made it: in a container the process before had the same number. Otherwise any answer
	   but "no such process" means that it lives. */
	if (pid != (long)getpid() && (kill((pid_t)pid, 0) == 0 || errno != ESRCH))
		return PIDFILE_IN_USE;
	return unlink(path) == 0 || errno == ENOENT ? PIDFILE_STALE : PIDFILE_FAILED;
}

enum pidfile_state pidfile_check(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum pidfile_state state;
	int saved;

	if (fd < 0)
		return errno == ENOENT ? PIDFILE_FREE : PIDFILE_FAILED;
	/* a file system without locks has only the process id to go by */
	if (flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
		state = PIDFILE_IN_USE;
	else
		state = judge(path, fd);
	saved = errno;
	close(fd);
	errno = saved;
	return state;
}

int pidfile_create(const char *path)
{
	char text[32];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	int saved;

	if (fd < 0)
		return -1;
	(void)flock(fd, LOCK_EX | LOCK_NB);
	errno = EIO; /* a short write sets none */
	if (write(fd, text, (size_t)n) == n)
		return fd;
	saved = errno;
	unlink(path);
	close(fd);
	errno = saved;
	return -1;
}

void pidfile_remove(const char *path, int fd)
{
	if (file_is_at(path, fd))
		unlink(path);
	close(fd);
}

bool os_can_daemonize(void)
{
	return true;
}

/* The standard streams lead nowhere from now on. */
static bool drop_standard_streams(void)
{
	int fd = open("/dev/null", O_RDWR);
	bool ok;

	if (fd < 0)
		return false;
	ok = dup2(fd, STDIN_FILENO) >= 0 && dup2(fd, STDOUT_FILENO) >= 0 && dup2(fd, STDERR_FILENO) >= 0;
	if (fd > STDERR_FILENO)
		close(fd);
	return ok;
}

/* What the one in the background, or the one in between, tells the original; the end of the pipe instead means that it
   has ended. */
static void tell_original(int ready, int error)
{
	ssize_t n = write(ready, &error, sizeof(error));

	(void)n; /* an original that has been ended needs no news */
	close(ready);
}

void os_daemon_ready(int ready)
{
	tell_original(ready, 0);
}

/* In the first child, which becomes two. */
static enum daemon_role leave_session(int ready)
{
	pid_t pid = -1;

	/* a process that does not lead its session can get no terminal: hence the second fork */
	if (setsid() >= 0)
		pid = fork();
	if (pid == 0 && drop_standard_streams())
		return DAEMON_GO_ON;
	if (pid <= 0)
		tell_original(ready, errno);
	return DAEMON_LEAVE;
}

/* In the original. */
static enum daemon_role await_news(int from, pid_t child)
{
	int error = 0;
	ssize_t n;

	do
		n = read(from, &error, sizeof(error));
	while (n < 0 && errno == EINTR);
	close(from);
	/* the one in between has long ended */
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (n != (ssize_t)sizeof(error))
		return DAEMON_LOST;
	errno = error;
	return error == 0 ? DAEMON_LEAVE : DAEMON_FAILED;
}

enum daemon_role os_daemonize(int *ready)
{
	int news[2];
	pid_t pid;

	/* checked beforehand: afterwards nobody could be told */
	if (access("/dev/null", R_OK | W_OK) != 0 || pipe(news) != 0)
		return DAEMON_FAILED;
	fflush(NULL);
	pid = fork();
	if (pid != 0)
		close(news[1]);
	if (pid > 0)
		return await_news(news[0], pid);
	if (pid < 0) {
		int saved = errno;

		close(news[0]);
		errno = saved;
		return DAEMON_FAILED;
	}
	close(news[0]);
	*ready = news[1];
	return leave_session(news[1]);
}

static int facility_from_text(const char *text)
{
	static const struct {
		const char *name;
		int facility;
	} known[] = {
	    {"auth", LOG_AUTH},     {"authpriv", LOG_AUTHPRIV}, {"daemon", LOG_DAEMON}, {"user", LOG_USER},
	    {"local0", LOG_LOCAL0}, {"local1", LOG_LOCAL1},     {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
	    {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5},     {"local6", LOG_LOCAL6}, {"local7", LOG_LOCAL7},
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strcmp(text, known[i].name) == 0)
			return known[i].facility;
	}
	return LOG_DAEMON;
}

void os_syslog_open(const char *ident, const char *facility, os_event_id *id_of)
{
	(void)id_of; /* syslog has no numbers */
	openlog(ident, LOG_PID, facility_from_text(facility));
}

void os_syslog_close(void)
{
	closelog();
	/* or the library would go on using the last name */
	openlog(NULL, 0, LOG_DAEMON);
	closelog();
}

void os_syslog_sink(const struct log_event *e, const char *text)
{
	static const int priority[] = {LOG_CRIT, LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG, LOG_DEBUG};

	syslog(priority[e->level], "%s", text);
}

#ifdef __linux__
void os_random(void *bytes, size_t len)
{
	char *at = (char *)bytes;

	while (len > 0) {
		ssize_t n = getrandom(at, len < 256 ? len : 256, 0);

		/* only signals can interrupt this */
		if (n > 0) {
			at += n;
			len -= (size_t)n;
		}
	}
}
#else
void os_random(void *bytes, size_t len)
{
	arc4random_buf(bytes, len);
}
#endif

/* ---- what is used ---- */

static void read_memory(struct process_usage *u)
{
	long page = sysconf(_SC_PAGESIZE);
	unsigned long long size, resident;
	FILE *f = fopen("/proc/self/statm", "re");

	if (f == NULL)
		return;
	if (page > 0 && fscanf(f, "%llu %llu", &size, &resident) == 2) {
		u->virtual_bytes = size * (unsigned long)page;
		u->resident_bytes = resident * (unsigned long)page;
	}
	fclose(f);
}

void os_process_usage(struct process_usage *u)
{
	struct timespec used;
	struct rlimit limit;
	struct stat st;

	memset(u, 0, sizeof(*u));
	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
		u->cpu_us = (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
	read_memory(u);
	/* since Linux 6.2 the directory's size is the number of descriptors; counting them would take too long */
	if (stat("/proc/self/fd", &st) == 0 && st.st_size > 0)
		u->n_descriptors = (uint64_t)st.st_size;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
		u->most_descriptors = limit.rlim_cur;
}

void os_end_at_once(int status)
{
	_exit(status);
}
