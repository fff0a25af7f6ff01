/* A list of names that grows, for directory_names of every system. Any thread. */
#ifndef OS_NAMES_H
#define OS_NAMES_H

#include <stddef.h>

#include "base/attr.h"

struct names {
	char **all; /* NULL behind the last one; NULL while there is no room yet */
	size_t n, room;
};

/* Takes the name, in any case; NULL: there was no memory for it. 0, ENOMEM, or EOVERFLOW: there are DIRECTORY_NAMES_MAX
   already. */
int names_add(struct names *names, char *name) MUST_USE;

/* Gives them to `*out` (directory_names_free), in the order of their bytes, if `error` is 0; else frees them. Returns
   the error, or ENOMEM. */
int names_end(struct names *names, int error, char ***out) MUST_USE;

#endif
