/* Mutual exclusion between threads. A lock is taken and dropped in the same function. */
#ifndef OS_LOCK_H
#define OS_LOCK_H

#include <pthread.h>

#include "base/attr.h"

struct LOCKABLE lock {
	pthread_mutex_t mutex;
};

void lock_init(struct lock *l);
void lock_fini(struct lock *l);

static inline void lock_take(struct lock *l) ACQUIRES(l) NO_LOCK_CHECK
{
	pthread_mutex_lock(&l->mutex);
}

static inline void lock_drop(struct lock *l) RELEASES(l) NO_LOCK_CHECK
{
	pthread_mutex_unlock(&l->mutex);
}

#endif
