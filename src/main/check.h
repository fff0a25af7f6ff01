/* `pgweir check`: the doctor. Main thread, instead of serving. */
#ifndef MAIN_CHECK_H
#define MAIN_CHECK_H

#include <stdbool.h>

#include "base/attr.h"
#include "main/options.h"

/* Looks at everything, prints what it finds on stdout, and returns the exit status. `*stuck`: threads still run, the
   process must end by _exit. */
int check_run(const struct options *o, bool *stuck) MUST_USE;

#endif
