/* What `pgweir check` finds without asking any server. Nothing is changed or created. Main thread. */
#ifndef MAIN_CHECK_OFFLINE_H
#define MAIN_CHECK_OFFLINE_H

#include "conf/config.h"
#include "conf/environment.h"
#include "conf/read.h"
#include "main/check_finding.h"

/* check_syntax.c: a file that was refused for `first`: every line of it that is wrong, not only the first. */
void check_syntax(struct findings *f, const char *path, conf_read *read, void *context, const struct conf_error *first);

/* check_syntax.c: the same for environment variables: all errors that they have. */
void check_environment(struct findings *f, const struct environment_made *m);

/* check_settings.c: settings that contradict each other or cannot have the effect that they seem to have. Pure. */
void check_settings(struct findings *f, const struct config *c);

/* check_differences.c: what a configuration of PgBouncer asks for and gets otherwise here. Pure. */
void check_differences(struct findings *f, const struct config *c);

/* check_settings.c: users who are not in the user list are looked up, in some database at least. Pure. */
bool check_looks_up(const struct config *c);

/* check_secrets.c: what is stored against what auth_type needs. Pure. */
void check_secrets(struct findings *f, const struct config *c);

/* check_rules.c: HBA rules that never match, or that let nobody in. Pure. */
void check_rules(struct findings *f, const struct config *c);

/* check_files.c: files, directories and addresses, as the account that will serve. `account` is its name. */
void check_files(struct findings *f, const struct config *c, const char *account);

/* check_files.c: descriptors against max_client_conn and pool sizes; raises this process's soft limit. */
void check_descriptors(struct findings *f, const struct config *c);

/* check_asked.c: PAM's service file, and whether LDAP servers answer, which may take a while; not one of the table. */
void check_asked(struct findings *f, const struct config *c);

/* check_offline.c: all of the above, one row each, for a configuration that could be loaded. */
void check_offline(struct findings *f, const struct config *c, const char *account);

#endif
