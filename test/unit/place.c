/* Files of tests, by way of what is tested elsewhere. */
#include "place.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "os/directory.h"
#include "os/file.h"
#include "place_system.h"

static void die(const char *what, const char *path)
{
	fprintf(stderr, "test: could not %s \"%s\"\n", what, path);
	abort();
}

void place_make(char place[PLACE_BYTES])
{
	for (unsigned i = 0;; i++) {
		snprintf(place, PLACE_BYTES, "%s/pgweir-t\xC3\xA9st-%ld-%u", place_of_places(), (long)getpid(), i);
		if (!directory_exists(place))
			break;
	}
	place_make_directory(place);
}

void place_make_directory(const char *path)
{
	if (!place_system_mkdir(path))
		die("make directory", path);
}

void place_remove(const char *place)
{
	char **names = NULL;

	if (directory_names(place, "*", &names) == 0)
		for (size_t i = 0; names[i] != NULL; i++) {
			char path[PLACE_BYTES + 600];

			if (snprintf(path, sizeof(path), "%s/%s", place, names[i]) < (int)sizeof(path))
				file_remove(path);
		}
	directory_names_free(names);
	if (directory_names(place, ".*", &names) == 0)
		for (size_t i = 0; names[i] != NULL; i++) {
			char path[PLACE_BYTES + 600];

			if (strcmp(names[i], ".") != 0 && strcmp(names[i], "..") != 0 &&
			    snprintf(path, sizeof(path), "%s/%s", place, names[i]) < (int)sizeof(path))
				file_remove(path);
		}
	directory_names_free(names);
	if (!place_system_rmdir(place))
		die("remove directory", place);
}

void place_put(const char *path, const char *text)
{
	int fd;

	file_remove(path);
	fd = file_open_append(path);
	if (fd < 0 || write(fd, text, (unsigned)strlen(text)) != (int)strlen(text) || close(fd) != 0)
		die("write", path);
}
