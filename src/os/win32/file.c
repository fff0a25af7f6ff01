/* Files and their paths. Any thread. */
#include "os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <string.h>

#include <windows.h>

#include "base/mem.h"
#include "os/win32/code.h"
#include "os/win32/wide.h"

/* Whoever has a file open keeps nobody from anything: that is how it is elsewhere. */
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

static bool is_separator(char c)
{
	return c == '\\' || c == '/';
}

static bool has_drive(const char *path)
{
	return ((path[0] >= 'a' && path[0] <= 'z') || (path[0] >= 'A' && path[0] <= 'Z')) && path[1] == ':';
}

bool path_is_absolute(const char *path)
{
	return is_separator(path[0]) || has_drive(path);
}

bool path_is_of_socket(const char *host)
{
	return path_is_absolute(host) || host[0] == '@';
}

size_t path_directory_len(const char *path)
{
	size_t len = strlen(path), least = has_drive(path) ? 2 : 0;

	while (len > least && !is_separator(path[len - 1]))
		len--;
	return len;
}

char *path_absolute(const char *path)
{
	wchar_t *wide = wide_of(path), *whole = NULL;
	char *result = NULL;
	DWORD n;

	if (wide == NULL)
		return NULL;
	n = GetFullPathNameW(wide, 0, NULL, NULL);
	if (n == 0) {
		errno = errno_of_code(GetLastError());
	} else if ((whole = (wchar_t *)mem_alloc(n * sizeof(wchar_t))) == NULL) {
		errno = ENOMEM;
	} else if (GetFullPathNameW(wide, n, whole, NULL) == 0) {
		errno = errno_of_code(GetLastError());
	} else {
		result = utf8_of(whole);
	}
	mem_free(whole);
	mem_free(wide);
	return result;
}

/* INVALID_HANDLE_VALUE with errno set. */
static HANDLE open_path(const char *path, DWORD access, DWORD how, DWORD flags)
{
	wchar_t *wide = wide_path_of(path);
	HANDLE h;
	DWORD found;

	if (wide == NULL)
		return INVALID_HANDLE_VALUE;
	h = CreateFileW(wide, access, SHARE_ALL, NULL, how, flags, NULL);
	if (h == INVALID_HANDLE_VALUE) {
		errno = errno_of_code(GetLastError());
		/* the system speaks of rights then */
		if (errno == EACCES && (found = GetFileAttributesW(wide)) != INVALID_FILE_ATTRIBUTES &&
		    (found & FILE_ATTRIBUTE_DIRECTORY) != 0)
			errno = EISDIR;
	}
	mem_free(wide);
	return h;
}

/* -1 with errno set. */
static int descriptor_of(HANDLE h, int flags)
{
	int fd;

	if (h == INVALID_HANDLE_VALUE)
		return -1;
	fd = _open_osfhandle((intptr_t)h, flags | _O_BINARY | _O_NOINHERIT);
	if (fd < 0) {
		CloseHandle(h);
		errno = EMFILE;
	}
	return fd;
}

FILE *file_open(const char *path)
{
	int fd = descriptor_of(open_path(path, GENERIC_READ, OPEN_EXISTING, FILE_FLAG_SEQUENTIAL_SCAN), _O_RDONLY);
	FILE *file = fd < 0 ? NULL : _fdopen(fd, "rb");

	if (fd >= 0 && file == NULL)
		_close(fd);
	return file;
}

int file_open_append(const char *path)
{
	return descriptor_of(
	    open_path(path, FILE_APPEND_DATA | FILE_READ_ATTRIBUTES | SYNCHRONIZE, OPEN_ALWAYS, FILE_ATTRIBUTE_NORMAL),
	    _O_WRONLY | _O_APPEND);
}

bool file_exists(const char *path)
{
	struct file_facts facts;

	return file_look(path, &facts);
}

/* Rights depend on lists, privileges and policies: only trying tells. */
static bool can_open(const char *path, DWORD access, DWORD flags)
{
	HANDLE h = open_path(path, access, OPEN_EXISTING, flags);

	if (h == INVALID_HANDLE_VALUE)
		return false;
	CloseHandle(h);
	return true;
}

bool file_is_readable(const char *path)
{
	return can_open(path, GENERIC_READ, 0);
}

bool file_is_writable(const char *path)
{
	return can_open(path, FILE_APPEND_DATA, 0);
}

bool directory_is_writable(const char *directory)
{
	/* "backup semantics" is how directories are opened */
	return can_open(directory[0] == '\0' ? "." : directory, FILE_ADD_FILE, FILE_FLAG_BACKUP_SEMANTICS);
}

bool file_rename(const char *from, const char *to)
{
	wchar_t *wide_from = wide_path_of(from), *wide_to = wide_from == NULL ? NULL : wide_path_of(to);
	bool good = false;

	if (wide_to != NULL) {
		good = MoveFileExW(wide_from, wide_to, MOVEFILE_REPLACE_EXISTING);
		if (!good)
			errno = errno_of_code(GetLastError());
	}
	mem_free(wide_from);
	mem_free(wide_to);
	return good;
}

bool file_remove(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	bool good;

	if (wide == NULL)
		return false;
	good = DeleteFileW(wide);
	if (!good)
		errno = errno_of_code(GetLastError());
	mem_free(wide);
	return good;
}
