/* The environment of this process as a configuration: --env. Main thread. */
#ifndef MAIN_ENVIRONMENT_H
#define MAIN_ENVIRONMENT_H

#include "base/attr.h"
#include "base/log.h"
#include "conf/config.h"
#include "conf/environment.h"

/* The process's own; it is never changed, so it may be read again at each reload. */
void environment_of_process(struct environment *e);

/* Loads it, and says in the log where it comes from. NULL, after saying everything that is wrong. */
struct config *environment_start(const struct environment *e, struct log *log) MUST_USE;

/* --print: both files on stdout, what is wrong or has no effect on stderr. Returns the exit status. */
int environment_print(const struct environment *e, const char *program) MUST_USE;

#endif
