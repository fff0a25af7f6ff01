/* Files and their paths. Any thread. */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/mem.h"

/* Far above what systems take. */
#define MAX_PATH_BYTES 65536

bool path_is_absolute(const char *path)
{
	return path[0] == '/';
}

bool path_is_of_socket(const char *host)
{
	return path_is_absolute(host) || host[0] == '@';
}

size_t path_directory_len(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash == NULL ? 0 : (size_t)(slash - path) + 1;
}

/* A directory and what is in it. */
static char *join(const char *directory, const char *name)
{
	size_t len = strlen(directory), rest = strlen(name);
	bool slash = len == 0 || directory[len - 1] != '/';
	char *path = (char *)mem_alloc(len + (slash ? 1 : 0) + rest + 1);

	if (path == NULL)
		return NULL;
	memcpy(path, directory, len);
	if (slash)
		path[len++] = '/';
	memcpy(path + len, name, rest + 1);
	return path;
}

char *path_absolute(const char *path)
{
	char *directory, *whole = NULL;

	if (path_is_absolute(path)) {
		whole = mem_copy_str(path);
	} else if ((directory = (char *)mem_alloc(MAX_PATH_BYTES)) != NULL) {
		if (getcwd(directory, MAX_PATH_BYTES) == NULL) {
			mem_free(directory);
			return NULL;
		}
		whole = join(directory, path);
		mem_free(directory);
	}
	if (whole == NULL)
		errno = ENOMEM;
	return whole;
}

char *path_followed(const char *path)
{
	struct stat st;
	char real[PATH_MAX];

	if (lstat(path, &st) != 0 || !S_ISLNK(st.st_mode))
		return mem_copy_str(path);
	return realpath(path, real) == NULL ? NULL : mem_copy_str(real);
}

FILE *file_open(const char *path)
{
	return fopen(path, "rbe");
}

int file_open_append(const char *path)
{
	return open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

bool file_make(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

	return fd >= 0 && close(fd) == 0;
}

bool file_is_plain(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

bool file_is_at(const char *path, int fd)
{
	struct stat there, here;

	return stat(path, &there) == 0 && fstat(fd, &here) == 0 && there.st_dev == here.st_dev &&
	       there.st_ino == here.st_ino;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

bool file_is_readable(const char *path)
{
	return access(path, R_OK) == 0;
}

bool file_is_writable(const char *path)
{
	return access(path, W_OK) == 0;
}

bool directory_is_writable(const char *directory)
{
	return access(directory, W_OK | X_OK) == 0;
}

bool file_look(const char *path, struct file_facts *facts)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return false;
	facts->bytes = (uint64_t)st.st_size;
	facts->changed_s = (int64_t)st.st_mtime;
	return true;
}

bool file_rename(const char *from, const char *to)
{
	return rename(from, to) == 0;
}

bool file_remove(const char *path)
{
	return unlink(path) == 0;
}
