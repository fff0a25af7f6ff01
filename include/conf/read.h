/* How files come in: through a callback, so that tests need none. */
#ifndef CONF_READ_H
#define CONF_READ_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"
#include "conf/error.h"

#define CONF_MAX_FILE_BYTES (64 * 1024 * 1024)

/* Reads a whole file into `out` (initialised by the caller). 0, or an errno value: EFBIG beyond out's limit. */
typedef int conf_read(void *context, const char *path, struct str *out);

/* A conf_read that reads files; `context` is not used. */
int conf_read_file(void *context, const char *path, struct str *out);

/* The names in a directory that fit a pattern; as directory_names (os/directory.h). */
typedef int conf_list(void *context, const char *directory, const char *pattern, char ***names);

/* A conf_list that looks at directories; `context` is not used. */
int conf_list_directory(void *context, const char *directory, const char *pattern, char ***names);

/* Where files and directories come from. Nothing here is owned. */
struct conf_source {
	conf_read *read;
	conf_list *list;
	void *context;
};

/*
 * How the text in a file begins: `*skip` bytes of a mark that UTF-8 may have, and which Windows' programs like to
 * write. False with `why` for UTF-16, which they write, too, and which nothing here reads.
 */
bool conf_text_begin(const char *content, size_t len, const char *file, size_t *skip, struct conf_error *why) MUST_USE;

/* Overwrites and frees what a file held: passwords may be in it. */
void conf_forget(struct str *content);

/*
 * The path of `name` beside the file `beside`: its directory and `name`. NULL when `name` is absolute or `beside` has
 * no directory part (there is no second place then), or when out of memory. The caller frees it.
 */
char *conf_path_beside(const char *beside, const char *name) MUST_USE;

/*
 * Reads `name`, first as it is (relative to the working directory), then, if it is not there, beside the file
 * `beside`. 0 or an errno value; `*found` is the path that was read (the caller frees it), on failure unchanged.
 */
int conf_read_near(conf_read *read, void *context, const char *name, const char *beside, struct str *out,
                   char **found) MUST_USE;

#endif
