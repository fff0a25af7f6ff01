/* The working directory, which Windows keeps as an absolute path. */
#include <errno.h>

#include <windows.h>

#include "base/mem.h"
#include "os/directory.h"
#include "os/win32/code.h"
#include "os/win32/wide.h"

bool directory_enter(const char *directory)
{
	/* no "\\\\?\\" here: it is refused */
	wchar_t *wide = wide_of(directory);
	bool good = wide != NULL && SetCurrentDirectoryW(wide);

	if (wide != NULL && !good)
		errno = errno_of_code(GetLastError());
	mem_free(wide);
	return good;
}
