/*
 * Immutable things that several threads hold: the last one to let go frees it.
 * Embed as the first field. Immutable once published.
 */
#ifndef BASE_SHARED_H
#define BASE_SHARED_H

#include <stdatomic.h>
#include <stddef.h>

struct shared {
	atomic_uint refs;
	void (*free)(struct shared *s);
};

static inline void shared_init(struct shared *s, void (*free_it)(struct shared *s))
{
	atomic_init(&s->refs, 1);
	s->free = free_it;
}

/* Any thread that already has a reference. NULL is fine. */
static inline void shared_ref(struct shared *s)
{
	if (s != NULL)
		atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

static inline void shared_unref(struct shared *s)
{
	if (s != NULL && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
		s->free(s);
}

#endif
