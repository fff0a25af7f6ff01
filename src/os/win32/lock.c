/* Slim locks. Any thread. */
#include "os/lock.h"

#include <windows.h>

_Static_assert(sizeof(SRWLOCK) == sizeof(struct lock), "a slim lock is one pointer");
_Static_assert(sizeof(CONDITION_VARIABLE) == sizeof(struct lock_signal), "so is a condition variable");

static SRWLOCK *slim(struct lock *l)
{
	return (SRWLOCK *)&l->slim;
}

static CONDITION_VARIABLE *condition(struct lock_signal *s)
{
	return (CONDITION_VARIABLE *)&s->condition;
}

void lock_init(struct lock *l)
{
	InitializeSRWLock(slim(l));
}

void lock_fini(struct lock *l)
{
	(void)l;
}

void lock_take(struct lock *l) NO_LOCK_CHECK
{
	AcquireSRWLockExclusive(slim(l));
}

void lock_drop(struct lock *l) NO_LOCK_CHECK
{
	ReleaseSRWLockExclusive(slim(l));
}

void lock_signal_init(struct lock_signal *s)
{
	InitializeConditionVariable(condition(s));
}

void lock_signal_fini(struct lock_signal *s)
{
	(void)s;
}

void lock_wait(struct lock_signal *s, struct lock *l)
{
	SleepConditionVariableSRW(condition(s), slim(l), INFINITE, 0);
}

void lock_signal_one(struct lock_signal *s)
{
	WakeConditionVariable(condition(s));
}

void lock_signal_all(struct lock_signal *s)
{
	WakeAllConditionVariable(condition(s));
}
