/* Files for configuration tests that exist only in memory. */
#ifndef TEST_CONF_FILES_H
#define TEST_CONF_FILES_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "base/mem.h"
#include "conf/read.h"
#include "os/directory.h"

/* An array of these ends with a NULL path; `error` is an errno value instead of content. */
struct fake_file {
	const char *path;
	const char *content;
	int error;
};

/* A conf_read whose context is an array of struct fake_file. */
static inline int fake_read(void *context, const char *path, struct str *out)
{
	const struct fake_file *file = (const struct fake_file *)context;

	for (; file->path != NULL; file++) {
		if (strcmp(file->path, path) != 0)
			continue;
		if (file->error != 0)
			return file->error;
		str_add_str(out, file->content);
		return out->failed ? ENOMEM : 0;
	}
	return ENOENT;
}

/* A conf_list of the same context, whose files are in the order of their names. */
static inline int fake_list(void *context, const char *directory, const char *pattern, char ***names)
{
	const struct fake_file *file = (const struct fake_file *)context;
	size_t len = strlen(directory), n = 0;
	char **found = (char **)mem_alloc(20 * sizeof(char *));
	bool exists = false;

	for (; found != NULL && file->path != NULL; file++) {
		if (strncmp(file->path, directory, len) != 0 || file->path[len] != '/')
			continue;
		exists = true;
		if (strchr(file->path + len + 1, '/') != NULL || !directory_name_fits(pattern, file->path + len + 1))
			continue;
		found[n] = mem_copy_str(file->path + len + 1);
		if (found[n++] == NULL)
			break;
	}
	if (exists && file->path == NULL) {
		*names = found;
		return 0;
	}
	directory_names_free(found);
	return exists || found == NULL ? ENOMEM : ENOENT;
}

#endif
