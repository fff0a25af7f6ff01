/*
 * Files and their paths. Paths are UTF-8 and as the system writes them: on Windows with drives, with either slash, and
 * of any length. Any thread; what looks at the disk blocks on it. Failures leave errno.
 */
#ifndef OS_FILE_H
#define OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attr.h"

/* Where Unix sockets are, unless something else is said; "": nowhere, because not all that have them have a place for
   them. */
#ifdef _WIN32
#define SOCKET_DIRECTORY ""
#else
#define SOCKET_DIRECTORY "/tmp"
#endif

/* ---- paths, as text ---- */

/* Whether it means the same file whatever the working directory is: "/etc/x"; on Windows "C:\x", "C:x" (which belongs
   beside no other file, either), "\\server\share\x" and "\x". */
bool path_is_absolute(const char *path) MUST_USE;

/* Whether a host's name is the directory of its Unix socket, or, with @, begins a name in the abstract namespace. */
bool path_is_of_socket(const char *host) MUST_USE;

/* Bytes of its directory part, with the separator behind it; 0: it is a mere name. */
size_t path_directory_len(const char *path) MUST_USE;

/* The same file, whatever becomes of the working directory (mem_free); it need not exist. NULL with errno set. */
char *path_absolute(const char *path) MUST_USE;

/* The file that a link leads to, or the same path if it is no link (mem_free). NULL with errno set. */
char *path_followed(const char *path) MUST_USE;

/* ---- files ---- */

/* For reading, as bytes; no child gets it. NULL: failed. */
FILE *file_open(const char *path) MUST_USE;

/* For writing at its end, made if it is not there (mode 0644); no child gets it, and on Windows, too, it may be renamed
   or removed meanwhile. A descriptor for write(2), or -1. */
int file_open_append(const char *path) MUST_USE;

/* A new, empty one (mode 0644). EEXIST: there is one; of several that try at the same time one succeeds. */
bool file_make(const char *path) MUST_USE;

/* Whether it is a file with bytes of its own: no directory, pipe or device. */
bool file_is_plain(const char *path) MUST_USE;

/* Whether the file of this path is now the one behind the descriptor, not another that has taken its name. */
bool file_is_at(const char *path, int fd) MUST_USE;

/* Whether this process may: now, and as far as the system tells without trying. */
bool file_exists(const char *path) MUST_USE;
bool file_is_readable(const char *path) MUST_USE;
bool file_is_writable(const char *path) MUST_USE;
/* Files can be made in this directory. */
bool directory_is_writable(const char *directory) MUST_USE;

/* What the directory says of a file. */
struct file_facts {
	uint64_t bytes;
	int64_t changed_s; /* last written to, seconds since 1970 */
};

bool file_look(const char *path, struct file_facts *facts) MUST_USE;

/* A file of the new name is replaced. Whoever has the old one open keeps it. */
bool file_rename(const char *from, const char *to) MUST_USE;
bool file_remove(const char *path);

#endif
