/*
 * Which kind of system this is. It decides nothing but the words in which people are told what to do: commands and
 * places that they know. Any thread; may read a file or the registry, so not for the data path.
 */
#ifndef OS_FAMILY_H
#define OS_FAMILY_H

#include <stdbool.h>

#include "base/attr.h"

/* This process runs on Windows. */
bool os_is_windows(void) MUST_USE;

/* This process runs on a Linux that Windows runs: WSL 2, and with it Docker Desktop's containers. As far as can be told
   from the files below `root`, which is "" but in tests. */
bool os_is_below_windows(const char *root) MUST_USE;

/* A PostgreSQL as its installer has registered it with Windows. */
struct local_postgres {
	unsigned major;    /* 0: not known */
	char base[260];    /* "C:\Program Files\PostgreSQL\16" */
	char data[260];    /* "C:\Program Files\PostgreSQL\16\data" */
	char service[128]; /* "postgresql-x64-16" */
};

/* The one on this machine that has this port. False: there is none that is registered, or this is not Windows. */
bool os_find_postgres(int port, struct local_postgres *found) MUST_USE;

#endif
