/*
 * Something that lasts, as the log tells it: one record when it starts, one a
 * minute, one when it ends. Main thread.
 */
#ifndef POOL_CONDITION_H
#define POOL_CONDITION_H

#include <stdbool.h>
#include <stdint.h>

#define INCIDENT_BYTES 9u

/* All zero: nothing is wrong. */
struct condition {
	uint64_t since_us;
	uint64_t logged_us; /* when it was last spoken of; 0: not yet */
	uint64_t n_told;    /* clients */
	char class[48];
	char database[64], user[64];   /* of the pool that it was first said for; long names are cut */
	char address[112];             /* of the server; "": none in particular */
	char incident[INCIDENT_BYTES]; /* its number, eight hexadecimal digits */
};

#endif
