/* Where the log goes, as the settings and the command line say. Main thread. */
#ifndef MAIN_LOGGING_H
#define MAIN_LOGGING_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/log.h"
#include "conf/settings.h"
#include "main/log_rotation.h"

/* Owned by main(). */
struct logging {
	struct log *log;
	int verbose; /* of the command line; the settings may ask for more */
	bool quiet;  /* not to stderr */
	char *ident; /* of the open system log, NULL: it is closed */
	char *facility;
	struct log_rotation rotation;
};

void logging_init(struct logging *l, struct log *log, int verbose, bool quiet);
/* Closes the system log; the log itself is the caller's. */
void logging_fini(struct logging *l);

/* True if the log file of these settings can be opened (or there is none); else `why` says why not. Changes nothing. */
bool logging_check(const struct settings *s, char *why, size_t size) MUST_USE;

/* Opens the log file anew and applies the rest. False with `why` as above; the old file stays then. */
bool logging_apply(struct logging *l, const struct settings *s, char *why, size_t size) MUST_USE;

/* Whether somebody has to call logging_look every LOG_ROTATION_LOOK_US, which begins a new log file when it is time. */
bool logging_is_watched(const struct logging *l);
void logging_look(struct logging *l);

#endif
