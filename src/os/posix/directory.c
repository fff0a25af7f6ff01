/* Names in directories, by readdir and fnmatch. Any thread. */
#include "os/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"
#include "os/names.h"

bool directory_name_fits(const char *pattern, const char *name)
{
	return fnmatch(pattern, name, FNM_PERIOD) == 0;
}

static int collect(DIR *dir, const char *pattern, struct names *names)
{
	const struct dirent *entry;
	int error = 0;

	while (error == 0) {
		errno = 0;
		entry = readdir(dir); /* of a stream that only this function has */
		if (entry == NULL)
			return errno;
		if (directory_name_fits(pattern, entry->d_name))
			error = names_add(names, mem_copy_str(entry->d_name));
	}
	return error;
}

bool directory_exists(const char *directory)
{
	struct stat st;

	return stat(directory[0] == '\0' ? "." : directory, &st) == 0 && S_ISDIR(st.st_mode);
}

bool directory_is_read_only(const char *directory)
{
	struct statvfs fs;

	return statvfs(directory, &fs) == 0 && (fs.f_flag & ST_RDONLY) != 0;
}

bool directory_enter(const char *directory)
{
	return chdir(directory) == 0;
}

int directory_names(const char *directory, const char *pattern, char ***names)
{
	struct names found = {NULL, 0, 0};
	DIR *dir = opendir(directory);
	int error;

	if (dir == NULL)
		return errno;
	error = collect(dir, pattern, &found);
	closedir(dir);
	return names_end(&found, error, names);
}
