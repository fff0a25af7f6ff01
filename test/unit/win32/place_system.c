/* Directories of tests, on Windows. */
#include "../place.h"

#include <stdlib.h>

#include <windows.h>

#include "../place_system.h"
#include "base/mem.h"
#include "os/win32/wide.h"

const char *place_of_places(void)
{
	return "C:\\windows\\temp";
}

bool place_system_mkdir(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	bool good = wide != NULL && CreateDirectoryW(wide, NULL);

	mem_free(wide);
	return good;
}

bool place_system_rmdir(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	bool good = wide != NULL && RemoveDirectoryW(wide);

	mem_free(wide);
	return good;
}

void place_set_variable(const char *name, const char *value)
{
	_putenv_s(name, value == NULL ? "" : value);
}
