/*
 * The errors of the last time, for SHOW ERRORS: a bounded ring of rows. What repeats counts up instead of adding a
 * row. Fixed memory; owned by one thread, as whoever it belongs to.
 */
#ifndef DIAG_ERROR_RING_H
#define DIAG_ERROR_RING_H

#include <stdint.h>

#include "base/attr.h"

#define ERROR_RING_ROWS 256u
#define ERROR_RING_LOOK_BACK 32u /* rows that are looked at for the same thing */

/* What is told; strings may be NULL and are copied: as one printable line each, only the hint keeps its lines; cut
   where a row's room ends. */
struct error_note {
	uint64_t at_us;       /* loop time */
	const char *incident; /* of an outage: 8 hex digits */
	const char *class;    /* constant */
	const char *database, *user, *address;
	uint64_t count; /* further clients whom it met */
	const char *text, *hint;
};

struct error_row {
	uint64_t first_us, last_us; /* loop time */
	uint64_t count;
	char incident[12];
	char class[48];
	char database[64], user[64];
	char address[112];
	char text[512];
	char hint[768];
};

/* How often something of a class was noted since the beginning. */
#define ERROR_RING_CLASSES 192u
struct error_class {
	char class[48];
	uint64_t
	    n_failures; /* notes with a text: each attempt of ours that failed, each client that was refused or lost */
	uint64_t n_clients; /* sum of the notes' counts: clients whom it met */
};

struct error_ring;

/* NULL: out of memory. */
struct error_ring *error_ring_new(void) MUST_USE;
void error_ring_free(struct error_ring *r);

/* A new row; or, if one of the last rows has the same incident, class, database, user and address, that row: its count
   goes up, and text, hint and time become the new ones. Never fails; no allocation. */
void error_ring_add(struct error_ring *r, const struct error_note *note);

/* Rows in use, and each of them by the order in which they were first added, newest first. `r` NULL has none. */
unsigned error_ring_count(const struct error_ring *r);
const struct error_row *error_ring_row(const struct error_ring *r, unsigned i);

/* Classes that have been noted, in the order of their first notes. `r` NULL has none. What comes when there is no room
   for one more class is not counted by class. */
unsigned error_ring_count_classes(const struct error_ring *r);
const struct error_class *error_ring_class(const struct error_ring *r, unsigned i);

#endif
