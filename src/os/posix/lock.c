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

void lock_signal_init(struct lock_signal *s)
{
	pthread_cond_init(&s->condition, NULL);
}

void lock_signal_fini(struct lock_signal *s)
{
	pthread_cond_destroy(&s->condition);
}

void lock_wait(struct lock_signal *s, struct lock *l)
{
	pthread_cond_wait(&s->condition, &l->mutex);
}

void lock_signal_one(struct lock_signal *s)
{
	pthread_cond_signal(&s->condition);
}

void lock_signal_all(struct lock_signal *s)
{
	pthread_cond_broadcast(&s->condition);
}
