/* The files of a configuration that have secrets in them. Main thread. */
#ifndef MAIN_SECRET_FILES_H
#define MAIN_SECRET_FILES_H

#include "base/attr.h"
#include "base/log.h"
#include "conf/config.h"

/* What the files are for, and what is in them. */
struct secret_file {
	const char *setting; /* that names it: "auth_file" */
	const char *path;
	const char *holds; /* "passwords", "a private key"; NULL: nothing that is secret */
};

typedef void secret_file_seen(void *context, const struct secret_file *file);

/* Each file once. */
void secret_files_each(const struct config *c, secret_file_seen *seen, void *context);

/* The place where the loader looks for auth_file; NULL: it is nowhere, or there is no memory. The caller frees it. */
char *secret_files_auth_file(const struct config *c) MUST_USE;

/* Says of those that are open to people whom nobody has named. */
void secret_files_warn(const struct config *c, struct log *log);

#endif
