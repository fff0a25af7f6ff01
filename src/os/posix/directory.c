/* Names in directories, by readdir and fnmatch. Any thread. */
#include "os/directory.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/mem.h"

struct found {
	char **names;
	size_t n, room;
};

void directory_names_free(char **names)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++)
		mem_free(names[i]);
	mem_free(names);
}

/* Room for one more name and the NULL behind it. */
static bool make_room(struct found *f)
{
	size_t room = f->room == 0 ? 16 : 2 * f->room;
	char **more;

	if (f->n + 1 < f->room)
		return true;
	more = (char **)mem_alloc(room * sizeof(char *));
	if (more == NULL)
		return false;
	if (f->names != NULL)
		memcpy(more, f->names, f->n * sizeof(char *));
	mem_free(f->names);
	f->names = more;
	f->room = room;
	f->names[f->n] = NULL;
	return true;
}

static int add_name(struct found *f, const char *name)
{
	if (f->n == DIRECTORY_NAMES_MAX)
		return EOVERFLOW;
	if (!make_room(f) || (f->names[f->n] = mem_copy_str(name)) == NULL)
		return ENOMEM;
	f->names[++f->n] = NULL;
	return 0;
}

bool directory_name_fits(const char *pattern, const char *name)
{
	return fnmatch(pattern, name, FNM_PERIOD) == 0;
}

static int collect(DIR *dir, const char *pattern, struct found *f)
{
	const struct dirent *entry;
	int error = 0;

	while (error == 0) {
		errno = 0;
		entry = readdir(dir); /* of a stream that only this function has */
		if (entry == NULL)
			return errno;
		if (directory_name_fits(pattern, entry->d_name))
			error = add_name(f, entry->d_name);
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

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int directory_names(const char *directory, const char *pattern, char ***names)
{
	struct found f = {NULL, 0, 0};
	DIR *dir = opendir(directory);
	int error;

	if (dir == NULL)
		return errno;
	error = make_room(&f) ? collect(dir, pattern, &f) : ENOMEM;
	closedir(dir);
	if (error != 0) {
		directory_names_free(f.names);
		return error;
	}
	qsort(f.names, f.n, sizeof(char *), compare);
	*names = f.names;
	return 0;
}
