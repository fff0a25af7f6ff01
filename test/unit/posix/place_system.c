/* Directories of tests, on Unix. */
#include "../place.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../place_system.h"

const char *place_of_places(void)
{
	return "/tmp";
}

bool place_system_mkdir(const char *path)
{
	return mkdir(path, 0700) == 0;
}

bool place_system_rmdir(const char *path)
{
	return rmdir(path) == 0;
}

void place_set_variable(const char *name, const char *value)
{
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, value, 1);
}
