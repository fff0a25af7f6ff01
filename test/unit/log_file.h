/* A log that writes to a file. */
#ifndef TEST_LOG_FILE_H
#define TEST_LOG_FILE_H

#include <stdbool.h>

#include "base/log.h"
#include "os/file.h"

static inline bool log_to_file(struct log *l, const char *path)
{
	int fd = file_open_append(path);

	return fd >= 0 && log_take_file(l, fd);
}

#endif
