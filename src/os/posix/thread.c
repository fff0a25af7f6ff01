/* Starting threads and counting processors. Any thread. */
#include "os/thread.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "os/posix/cgroup.h"

static void thread_name(struct thread *t, const char *name)
{
#ifdef __linux__
	char shortened[16];

	snprintf(shortened, sizeof(shortened), "%s", name);
	pthread_setname_np(t->id, shortened);
#else
	(void)t;
	(void)name;
#endif
}

bool thread_start(struct thread *t, const char *name, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	/* a new thread inherits the mask: signals are main's business */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&t->id, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err != 0) {
		errno = err;
		return false;
	}
	thread_name(t, name);
	return true;
}

void thread_join(struct thread *t)
{
	pthread_join(t->id, NULL);
}

uint64_t os_thread_cpu_us(void)
{
	struct timespec used;

	if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used) != 0)
		return 0;
	return (uint64_t)used.tv_sec * 1000000 + (uint64_t)used.tv_nsec / 1000;
}

static int affinity_processors(void)
{
#ifdef __linux__
	/* the kernel refuses sets smaller than its own: up to 64 K processors */
	for (size_t n = 1024; n <= 65536; n *= 4) {
		cpu_set_t *set = CPU_ALLOC(n);
		size_t size = CPU_ALLOC_SIZE(n);
		int count = 0;

		if (set == NULL)
			break;
		if (sched_getaffinity(0, size, set) == 0)
			count = CPU_COUNT_S(size, set);
		CPU_FREE(set);
		if (count > 0)
			return count;
		if (errno != EINVAL)
			break;
	}
#endif
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

int os_usable_processors(void)
{
	int n = affinity_processors();
	int quota = cgroup_processors("/proc/self/cgroup", "/sys/fs/cgroup");

	if (quota > 0 && quota < n)
		n = quota;
	return n < 1 ? 1 : n;
}
