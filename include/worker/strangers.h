/*
 * How much the log says of clients that have no place in a pool of their own: connects without a word, bad packets,
 * lookups by auth_query, logins that fail. Who is let in to the console is no stranger: nobody can hide that in a
 * crowd. Anybody who reaches the port can cause them, as often as he likes, so they must not fill a disk. Up to
 * STRANGERS_LINES in STRANGERS_WINDOW_US of the whole process they have lines of their own; further ones are counted,
 * and said in one line. On the worker.
 */
#ifndef WORKER_STRANGERS_H
#define WORKER_STRANGERS_H

#include <stdbool.h>
#include <stdint.h>

struct log_event;
struct worker;

#define STRANGERS_WINDOW_US 5000000ull
#define STRANGERS_LINES 100u /* of all workers; each has its share, and at least 10 */
#define STRANGERS_TEXT 200   /* bytes of the last one that is shown */

/* Owned by one thread: a worker. All zeros at the beginning. */
struct strangers {
	uint64_t since_us; /* the window's beginning */
	unsigned n_lines;  /* in it */
	uint64_t n_left_out;
	char last[STRANGERS_TEXT]; /* of these: address and text */
};

/* True: the line may be written. False: it is counted. `e` has address and text. */
bool strangers_may_log(struct worker *w, const struct log_event *e);

/* Says what was left out when the window is over; true while there is something to say. */
bool strangers_tick(struct worker *w);
/* Says it now: the worker ends. */
void strangers_end(struct worker *w);

#endif
