/*
 * The log file's old age: it is given a name with the time in it, and a new one begins. Records that threads write
 * meanwhile go, whole, to one of the two. Main thread.
 */
#ifndef MAIN_LOG_ROTATION_H
#define MAIN_LOG_ROTATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/log.h"
#include "conf/settings.h"

/* How often somebody looks whether it is time. */
#define LOG_ROTATION_LOOK_US 1000000ull

/* Owned by one thread: main. All zero is one that is off. */
struct log_rotation {
	char *path; /* of the log file; NULL: off */
	uint64_t size_bytes, age_us;
	int keep;               /* so many old files; 0: all */
	int64_t period;         /* times log_rotation_age since 1970: the one that the file belongs to */
	uint64_t not_before_us; /* after a failure */
	bool failure_told;
};

void log_rotation_fini(struct log_rotation *r);

/* The log file of these settings is about to be opened. Without memory for its name it is not rotated, nor is what is
   no plain file. */
void log_rotation_begin(struct log_rotation *r, const struct settings *s, uint64_t wall_us);

bool log_rotation_is_on(const struct log_rotation *r);

/* Looks whether it is time, every LOG_ROTATION_LOOK_US, and does it. A failure is said once; the log goes on in the old
 * file, and it is tried again after a minute. */
void log_rotation_look(struct log_rotation *r, struct log *log, uint64_t wall_us);

#endif
