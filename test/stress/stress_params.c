/*
 * Threads make, share and drop the same few sets of session parameters: equal sets are one pointer at every moment,
 * and nobody ever reads a set that has been freed.
 */
#include <string.h>

#include "stress.h"
#include "worker/params.h"

#define THREADS 4
#define ROUNDS 40000
#define PLACES 8

static struct params_book *book;
static struct params *_Atomic shared[PLACES]; /* each holds a reference, for anybody to take */

static const char *const names[] = {"TimeZone", "DateStyle", "application_name"};
static const char *const values[] = {"a", "b", "c"};

/* The set that this number stands for, made from nothing, in an order that differs. */
static struct params *make(unsigned number, bool backwards)
{
	struct params *p = params_empty(book);

	for (unsigned k = 0; k < 3; k++) {
		unsigned i = backwards ? 2 - k : k;
		unsigned digit = i == 0 ? number % 4 : i == 1 ? number / 4 % 4 : number / 16 % 4;
		struct params *next;

		if (digit == 3)
			continue;
		next = params_with(p, names[i], values[digit]);
		must(next != NULL, "memory");
		p = next;
	}
	return p;
}

static void check(struct params *p)
{
	const char *name, *value;
	unsigned n = 0;

	while (params_at(p, n, &name, &value)) {
		EXPECT(params_value(p, name) == value);
		EXPECT(value[0] >= 'a' && value[0] <= 'c' && value[1] == '\0');
		n++;
	}
	EXPECT(n <= 3);
}

static void *run(void *arg)
{
	uint32_t seed = (uint32_t)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS; i++) {
		unsigned number = stress_random(&seed) % 64;
		struct params *p = make(number, false), *q = make(number, true), *old;

		EXPECT(p == q);
		check(p);
		params_unref(q);
		/* give ours away, take another's */
		old = atomic_exchange(&shared[stress_random(&seed) % PLACES], p);
		if (old == NULL)
			continue;
		check(old);
		q = params_ref(old);
		params_unref(old);
		check(q);
		params_unref(q);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread[THREADS];
	struct params *p, *q;

	book = params_book_new(5);
	must(book != NULL, "a book");
	for (uintptr_t i = 0; i < THREADS; i++) {
		union {
			uintptr_t number;
			void *arg;
		} seed = {.number = i + 1};

		thread[i] = start_thread(run, seed.arg);
	}
	for (unsigned i = 0; i < THREADS; i++)
		join_thread(thread[i]);
	for (unsigned i = 0; i < PLACES; i++)
		params_unref(atomic_load(&shared[i]));
	for (unsigned i = 0; i < 64; i++) {
		p = make(i, false);
		q = make(i, true);
		EXPECT(p == q);
		params_unref(p);
		params_unref(q);
	}
	params_book_free(book);
	return stress_result(THREADS * ROUNDS);
}
