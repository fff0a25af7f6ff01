/* Names in directories. Any thread; blocks on the disk. */
#ifndef OS_DIRECTORY_H
#define OS_DIRECTORY_H

#include <stdbool.h>

#include "base/attr.h"

/*
 * The names in a directory that fit a pattern (shell wildcards: * ? [...]; a leading dot only where the pattern has
 * one), in the order of their bytes. `*names` is an array that ends with NULL (directory_names_free). 0 or an errno
 * value; at most DIRECTORY_NAMES_MAX names, else EOVERFLOW.
 */
int directory_names(const char *directory, const char *pattern, char ***names) MUST_USE;
/* Whether a name is one of those. On Windows upper and lower case are the same. */
bool directory_name_fits(const char *pattern, const char *name) MUST_USE;
void directory_names_free(char **names);

/* Whether there is a directory of that name; "" is the working directory. */
bool directory_exists(const char *directory) MUST_USE;

/* Whether what is at that path is on a file system where nobody can write; false if there is nothing. */
bool directory_is_read_only(const char *directory) MUST_USE;

/* It is the working directory from now on, of all threads. False with errno set. */
bool directory_enter(const char *directory) MUST_USE;

#define DIRECTORY_NAMES_MAX 10000u

#endif
