/* Mutual exclusion between threads. A lock is taken and dropped in the same function. */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#ifndef _WIN32
#include <pthread.h>
#endif

#include "base/attr.h"

#ifdef _WIN32

/* An SRWLOCK, which is one pointer: half as dear as winpthreads' mutexes. */
struct LOCKABLE lock {
	void *slim;
};

/* For lock_wait. */
struct lock_signal {
	void *condition; /* a CONDITION_VARIABLE */
};

void lock_take(struct lock *l) ACQUIRES(l);
void lock_drop(struct lock *l) RELEASES(l);

#else

struct LOCKABLE lock {
	pthread_mutex_t mutex;
};

struct lock_signal {
	pthread_cond_t condition;
};

static inline void lock_take(struct lock *l) ACQUIRES(l) NO_LOCK_CHECK
{
	pthread_mutex_lock(&l->mutex);
}

static inline void lock_drop(struct lock *l) RELEASES(l) NO_LOCK_CHECK
{
	pthread_mutex_unlock(&l->mutex);
}

#endif

void lock_init(struct lock *l);
void lock_fini(struct lock *l);

/* Sleeping with a lock until another thread, holding it, says that something has changed. May return without reason. */
void lock_signal_init(struct lock_signal *s);
void lock_signal_fini(struct lock_signal *s);
void lock_wait(struct lock_signal *s, struct lock *l) REQUIRES(l);
void lock_signal_one(struct lock_signal *s);
void lock_signal_all(struct lock_signal *s);

#endif
