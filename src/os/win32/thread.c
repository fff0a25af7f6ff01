/* Starting threads and counting processors. Any thread. */
#include "os/thread.h"

#include <errno.h>

#include "os/win32/filetime.h"

/* There are no signals that could be blocked. The name shows in debuggers and in Process Explorer. */
bool thread_start(struct thread *t, const char *name, void *(*run)(void *arg), void *arg)
{
	int err = pthread_create(&t->id, NULL, run, arg);

	if (err != 0) {
		errno = err;
		return false;
	}
	pthread_setname_np(t->id, name);
	return true;
}

void thread_join(struct thread *t)
{
	pthread_join(t->id, NULL);
}

uint64_t os_thread_cpu_us(void)
{
	FILETIME created, ended, kernel, user;

	if (!GetThreadTimes(GetCurrentThread(), &created, &ended, &kernel, &user))
		return 0;
	return (filetime_100ns(kernel) + filetime_100ns(user)) / 10;
}

/* A share of all processors, in 1/10000; 10000: no limit. A container's limit is one of its job. */
static unsigned job_share(void)
{
	JOBOBJECT_CPU_RATE_CONTROL_INFORMATION info;

	if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &info, sizeof(info), NULL) ||
	    (info.ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL_ENABLE) == 0 ||
	    (info.ControlFlags & JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP) == 0 || info.CpuRate == 0)
		return 10000;
	return info.CpuRate;
}

/* The mask is of one group of up to 64. A process that nobody has bound to it may use all groups since Windows 11 and
   Server 2022; before, threads stay in the group where they begin. */
static int affinity_processors(void)
{
	DWORD_PTR mine = 0, all = 0;

	if (!GetProcessAffinityMask(GetCurrentProcess(), &mine, &all) || mine == 0)
		return (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
	if (mine == all && GetActiveProcessorGroupCount() > 1)
		return (int)GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
	return __builtin_popcountll(mine);
}

int os_usable_processors(void)
{
	DWORD all = GetActiveProcessorCount(ALL_PROCESSOR_GROUPS);
	unsigned quota = (all * job_share() + 9999) / 10000;
	int n = affinity_processors();

	if (quota > 0 && quota < (unsigned)n)
		n = (int)quota;
	return n < 1 ? 1 : n;
}
