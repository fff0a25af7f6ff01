/*
 * The pidfile. Its maker keeps it open, so that nobody else can write or remove it; with the process, however it ends,
 * that is over. Main thread, at start-up.
 */
#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <windows.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/process.h"
#include "os/win32/code.h"
#include "os/win32/filetime.h"
#include "os/win32/wide.h"

/* How much later than its file a process may seem to have begun: clocks of file systems are coarse (FAT: 2 s). */
#define COARSE_100NS (3 * 10000000ull)

/* The process id in a pidfile; 0: nothing sensible. False with errno set if it cannot be read. */
static bool read_id(HANDLE h, DWORD *pid)
{
	char text[32], *end;
	unsigned long long value;
	DWORD n;

	if (!ReadFile(h, text, sizeof(text) - 1, &n, NULL)) {
		errno = errno_of_code(GetLastError());
		return false;
	}
	text[n] = '\0';
	value = strtoull(text, &end, 10);
	*pid = 0;
	if (end != text && text[0] >= '0' && text[0] <= '9' && (*end == '\0' || *end == '\n' || *end == '\r') &&
	    value <= UINT32_MAX)
		*pid = (DWORD)value;
	return true;
}

/* When this Windows began: no process is older. */
static uint64_t system_began(void)
{
	FILETIME now;

	GetSystemTimeAsFileTime(&now);
	return filetime_100ns(now) - GetTickCount64() * 10000;
}

/* When a process began; of the system's own an account of a service is told nothing but that they are there. */
static uint64_t process_began(HANDLE process)
{
	FILETIME created, ended, kernel, user;

	if (process != NULL && GetProcessTimes(process, &created, &ended, &kernel, &user))
		return filetime_100ns(created);
	return system_began();
}

/*
 * Whether the one who wrote the file may still live. Windows gives numbers of dead processes to others soon, after a
 * restart of the machine to the first ones: those who began after the file was written have not written it.
 */
static bool may_live(DWORD pid, HANDLE file)
{
	HANDLE process = OpenProcess(PROCESS_QUERY_LIMITED_INFORMATION | SYNCHRONIZE, FALSE, pid);
	FILETIME written;
	bool lives;

	if (process == NULL && GetLastError() == ERROR_INVALID_PARAMETER) /* its word for "no such process" */
		return false;
	lives = !GetFileTime(file, NULL, NULL, &written) ||
	        process_began(process) <= filetime_100ns(written) + COARSE_100NS;
	if (process != NULL) {
		/* it may have ended, and somebody keeps its handle */
		lives = lives && WaitForSingleObject(process, 0) != WAIT_OBJECT_0;
		CloseHandle(process);
	}
	return lives;
}

static enum pidfile_state judge(HANDLE h)
{
	FILE_DISPOSITION_INFO gone = {TRUE};
	DWORD pid;

	if (!read_id(h, &pid))
		return PIDFILE_FAILED;
	if (pid == 0)
		return PIDFILE_IN_USE;
	if (pid != GetCurrentProcessId() && may_live(pid, h))
		return PIDFILE_IN_USE;
	/* removes just the file that was read, when it is closed */
	if (SetFileInformationByHandle(h, FileDispositionInfo, &gone, sizeof(gone)))
		return PIDFILE_STALE;
	errno = errno_of_code(GetLastError());
	return PIDFILE_FAILED;
}

enum pidfile_state pidfile_check(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	enum pidfile_state state;
	HANDLE h;

	if (wide == NULL)
		return PIDFILE_FAILED;
	/* alone: of several that start at the same time only one may take it for stale */
	h = CreateFileW(wide, GENERIC_READ | DELETE, 0, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
	if (h != INVALID_HANDLE_VALUE) {
		int saved;

		state = judge(h);
		saved = errno;
		CloseHandle(h);
		errno = saved;
	} else {
		errno = errno_of_code(GetLastError());
		state = errno == EBUSY ? PIDFILE_IN_USE : errno == ENOENT ? PIDFILE_FREE : PIDFILE_FAILED;
	}
	mem_free(wide);
	return state;
}

/* False with errno set and no file left behind. */
static bool write_new(const wchar_t *path)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%lu\n", (unsigned long)GetCurrentProcessId());
	HANDLE h = CreateFileW(path, GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, NULL);
	DWORD written = 0;
	bool good;

	if (h == INVALID_HANDLE_VALUE) {
		errno = errno_of_code(GetLastError());
		return false;
	}
	good = WriteFile(h, text, (DWORD)n, &written, NULL) && written == (DWORD)n;
	if (!good)
		errno = errno_of_code(GetLastError());
	CloseHandle(h);
	if (!good)
		DeleteFileW(path);
	return good;
}

int pidfile_create(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	HANDLE h;
	int fd = -1;

	if (wide == NULL)
		return -1;
	if (write_new(wide)) {
		/* kept open for reading only: else nobody could read it who does not expect a writer */
		h = CreateFileW(wide, GENERIC_READ, FILE_SHARE_READ, NULL, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, NULL);
		if (h == INVALID_HANDLE_VALUE)
			errno = errno_of_code(GetLastError());
		else
			fd = _open_osfhandle((intptr_t)h, _O_RDONLY | _O_BINARY | _O_NOINHERIT);
		if (fd < 0 && h != INVALID_HANDLE_VALUE)
			CloseHandle(h);
		if (fd < 0)
			DeleteFileW(wide);
	}
	mem_free(wide);
	return fd;
}

/* Nobody could have put another file in its place; and whoever does so now has it open, so that it stays. */
void pidfile_remove(const char *path, int fd)
{
	_close(fd);
	(void)file_remove(path);
}
