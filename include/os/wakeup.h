/*
 * A descriptor that another thread can make readable to wake a loop. Where the
 * system allows it (eventfd, edge-triggered) it is never read.
 */
#ifndef OS_WAKEUP_H
#define OS_WAKEUP_H

#include <stdbool.h>

#include "base/attr.h"

struct wakeup {
	int read_fd, write_fd; /* the same descriptor with eventfd */
};

/* False with errno set. */
bool wakeup_init(struct wakeup *w) MUST_USE;
void wakeup_fini(struct wakeup *w);

/* Any thread. */
void wakeup_ring(struct wakeup *w);

/* True if the loop must call wakeup_clear after each ring (no edge triggering here). */
bool wakeup_needs_clearing(const struct wakeup *w);
void wakeup_clear(struct wakeup *w);

#endif
