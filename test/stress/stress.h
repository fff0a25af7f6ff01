/* What the stress programs share: threads, random numbers, the closing line. */
#ifndef TEST_STRESS_H
#define TEST_STRESS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* A condition that must hold, on any thread; the program goes on, so that more is learnt. */
#define EXPECT(condition) expect((condition), #condition, __FILE__, __LINE__)

static atomic_uint n_failed;

static inline bool expect(bool holds, const char *condition, const char *file, int line)
{
	/* the first few say it all */
	if (!holds && atomic_fetch_add(&n_failed, 1) < 10)
		fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, condition);
	return holds;
}

/* Without it nothing can be tested. */
static inline void must(bool condition, const char *what)
{
	if (condition)
		return;
	fprintf(stderr, "cannot go on: %s\n", what);
	exit(1);
}

/* Nothing has happened for far too long: somebody waits for ever. */
static inline void stuck(const char *what)
{
	fprintf(stderr, "stuck: %s\n", what);
	printf("0 passed, 1 failed\n");
	exit(1);
}

static inline uint32_t stress_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

static inline pthread_t start_thread(void *(*run)(void *arg), void *arg)
{
	pthread_t thread;

	must(pthread_create(&thread, NULL, run, arg) == 0, "a thread");
	return thread;
}

static inline void join_thread(pthread_t thread)
{
	must(pthread_join(thread, NULL) == 0, "the end of a thread");
}

/* The closing line and the program's result. */
static inline int stress_result(unsigned n)
{
	unsigned failed = atomic_load(&n_failed);

	printf("%u passed, %u failed\n", failed == 0 ? n : 0, failed);
	return failed == 0 ? 0 : 1;
}

#endif
