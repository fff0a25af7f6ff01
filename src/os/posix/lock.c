/* Mutexes. Any thread. */
#include "os/lock.h"

void lock_init(struct lock *l)
{
	pthread_mutex_init(&l->mutex, NULL);
}

void lock_fini(struct lock *l)
{
	pthread_mutex_destroy(&l->mutex);
}
