/* A list of names that grows, for directory_names of every system. Any thread. */
#include "os/names.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "os/directory.h"

void directory_names_free(char **names)
{
	for (size_t i = 0; names != NULL && names[i] != NULL; i++)
		mem_free(names[i]);
	mem_free(names);
}

/* Room for one more name and the NULL behind it. */
static bool make_room(struct names *names)
{
	size_t room = names->room == 0 ? 16 : 2 * names->room;
	char **more;

	if (names->n + 1 < names->room)
		return true;
	more = (char **)mem_resize(names->all, room * sizeof(char *));
	if (more == NULL)
		return false;
	names->all = more;
	names->room = room;
	names->all[names->n] = NULL;
	return true;
}

int names_add(struct names *names, char *name)
{
	if (name == NULL)
		return ENOMEM;
	if (names->n == DIRECTORY_NAMES_MAX || !make_room(names)) {
		mem_free(name);
		return names->n == DIRECTORY_NAMES_MAX ? EOVERFLOW : ENOMEM;
	}
	names->all[names->n++] = name;
	names->all[names->n] = NULL;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int names_end(struct names *names, int error, char ***out)
{
	if (error == 0 && !make_room(names))
		error = ENOMEM;
	if (error != 0) {
		directory_names_free(names->all);
		return error;
	}
	qsort(names->all, names->n, sizeof(char *), compare);
	*out = names->all;
	return 0;
}
