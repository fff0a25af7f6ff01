/* "pgweir ready", and pg_isready: whether somebody accepts connections. Main thread, no other threads exist. */
#ifndef MAIN_READY_H
#define MAIN_READY_H

#include "base/attr.h"
#include "main/options.h"

/* Those of PostgreSQL's pg_isready. */
enum ready_status { READY_ACCEPTING, READY_REJECTING, READY_NO_RESPONSE, READY_NO_ATTEMPT };

/* Asks, and prints one line on stdout; what is wrong with the file on stderr. */
enum ready_status ready_run(const struct options *o) MUST_USE;

#endif
