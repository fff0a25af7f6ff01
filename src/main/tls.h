/* The contexts of TLS that a configuration needs, before it is published. Main thread. */
#ifndef MAIN_TLS_H
#define MAIN_TLS_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/config.h"

/* Makes them all, reading and checking every file; those of `running` (may be NULL) stay where nothing has changed.
   False with `why`: the configuration must not be used. */
bool tls_prepare(struct config *fresh, const struct config *running, struct conf_error *why) MUST_USE;

#endif
