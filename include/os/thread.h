/* Threads and processors. */
#ifndef OS_THREAD_H
#define OS_THREAD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

struct thread {
	pthread_t id;
};

/* Starts `run(arg)` with all signals blocked; the name (up to 15 bytes) shows in ps and top. False with errno set. */
bool thread_start(struct thread *t, const char *name, void *(*run)(void *arg), void *arg) MUST_USE;

/* Waits for its end. */
void thread_join(struct thread *t);

/* Processor time that the calling thread has used so far, microseconds; 0: not known. */
uint64_t os_thread_cpu_us(void);

/* Processors this process may use: affinity mask and cgroup quota (v1 and v2, rounded up), at least 1. */
int os_usable_processors(void);

#endif
