/*
 * An event loop: what one thread waits for. One turn = everything that became
 * ready, then the owner's turn function, then sleep. The loop also is where its
 * thread's time and random numbers come from, so that the simulator can rule both.
 */
#ifndef NET_LOOP_H
#define NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

/* 64 KiB, and room for the longest password (CONF_MAX_PASSWORD) with what is around it in its message. */
#define LOOP_BUFFER_BYTES (65536 + 64)

struct loop;
struct timer;

/* NULL when out of memory or descriptors. Everything below: the loop's own thread only. */
struct loop *loop_new(void) MUST_USE;
void loop_free(struct loop *l);

/* Called after the events of each turn; true means there is work left: poll, do not sleep. */
void loop_set_turn(struct loop *l, bool (*turn)(void *owner), void *owner);

/* Turns until loop_stop. */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* Steady microseconds, read once a turn (when the loop wakes up). */
uint64_t loop_now_us(const struct loop *l);

/* Cryptographically strong random bytes (in the simulator: from its seed). */
void loop_random(struct loop *l, void *bytes, size_t len);

/* The thread's one receive buffer, LOOP_BUFFER_BYTES long; empty whenever the loop sleeps. */
char *loop_buffer(struct loop *l);

/* What the loop waits with, e.g. "epoll". */
const char *loop_method(const struct loop *l);

/* A timer calls `fire(owner)` once per setting. NULL when out of memory. */
struct timer *timer_new(struct loop *l, void (*fire)(void *owner), void *owner) MUST_USE;
void timer_free(struct timer *t);
/* At that steady time or soon after; replaces an earlier setting. */
void timer_set(struct timer *t, uint64_t at_us);
void timer_clear(struct timer *t);
bool timer_is_set(const struct timer *t);

#endif
