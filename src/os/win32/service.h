/* What the files about services share. Private to os/win32. */
#ifndef OS_WIN32_SERVICE_H
#define OS_WIN32_SERVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <wchar.h>

#include <windows.h>

#include "base/attr.h"
#include "base/log.h"
#include "os/service_manager.h"

/* Where the Event Log looks for the sources of the application log: "…\NAME". */
#define EVENT_SOURCES L"SYSTEM\\CurrentControlSet\\Services\\EventLog\\Application\\"

/* ---- rights.c ---- */

/* The identity that files are opened to: the service's own, or else its account's (LocalFree). NULL: nobody knows them;
   GetLastError says why. */
PSID rights_identity(const wchar_t *service, const wchar_t *account) MUST_USE;
/* Gives an account the right to log on as a service. NO_ERROR, or what is wrong. */
DWORD rights_log_on(const wchar_t *account) MUST_USE;

/* What a list is to say of somebody. */
enum right {
	RIGHT_NONE,
	RIGHT_READ,
	RIGHT_WRITE, /* and rename, and remove */
	RIGHT_ENTER, /* of a directory: to work there, and to see its names */
	RIGHT_ADD    /* of a directory: to make files, and whatever is to be done with those */
};
/* The old list with that (LocalFree). NO_ERROR, or what is wrong. */
DWORD rights_list(PACL old, PSID who, enum right right, PACL *fresh) MUST_USE;
/* Makes the directory of a file that the service makes, if it is not there. */
void rights_make_directory(const struct service_file *file);
/* Lets it use the file; false after a warning. The paths that were changed are added to `changed`, each with its NUL,
   as UTF-16 in bytes. */
struct str;
bool rights_give(PSID who, const struct service_file *file, struct str *changed, struct log *log);
/* The paths, with another NUL behind the last: whatever was given there is taken back. */
void rights_take_back(PSID who, const wchar_t *paths);

#endif
