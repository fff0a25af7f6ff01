/*
 * The syntax of configuration files: sections, "key = value" lines, comments, %include of a file, or of all files of a
 * directory that fit a pattern. What the keys mean is the caller's business. Any thread.
 */
#ifndef CONF_FILE_H
#define CONF_FILE_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/error.h"
#include "conf/read.h"

/* Includes may nest this deep. */
#define CONF_MAX_INCLUDES 10

/* What the parser calls. Texts are valid during the call. They return false with `why` filled in to stop. */
struct conf_file_events {
	/* "[name]"; an unknown name is the caller's error. */
	bool (*section)(void *context, const char *name, const char *file, unsigned line, struct conf_error *why);
	/* "key = value" in the section named last; blanks around both and quotes around the key are gone. */
	bool (*value)(void *context, const char *key, const char *value, const char *file, unsigned line,
	              struct conf_error *why);
};

/* Reads `path` and what it includes, in order. False with `why` at the first error. */
bool conf_file_parse(const char *path, conf_read *read, void *read_context, const struct conf_file_events *events,
                     void *context, struct conf_error *why) MUST_USE;

#endif
