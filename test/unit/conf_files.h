/* Files for configuration tests that exist only in memory. */
#ifndef TEST_CONF_FILES_H
#define TEST_CONF_FILES_H

#include <errno.h>
#include <string.h>

#include "conf/read.h"

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

#endif
