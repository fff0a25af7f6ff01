/* The HBA rules that a configuration needs, before it is published. Main thread. */
#ifndef MAIN_RULES_H
#define MAIN_RULES_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/config.h"

/*
 * With auth_type = hba reads and checks auth_hba_file and auth_ident_file. With `running`, after SET, they are only
 * read if that changes which files they are: what somebody is editing comes into force by RELOAD. False with `why`: the
 * configuration must not be used.
 */
bool rules_prepare(struct config *fresh, const struct config *running, const struct conf_source *source,
                   struct conf_error *why) MUST_USE;

/* The real files. */
extern const struct conf_source rules_source;

#endif
