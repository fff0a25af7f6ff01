/* Which file it is, whatever it is called, and what is known of it. Any thread. */
#include <errno.h>
#include <io.h>
#include <stdint.h>

#include <windows.h>

#include "base/mem.h"
#include "os/file.h"
#include "os/win32/code.h"
#include "os/win32/filetime.h"
#include "os/win32/wide.h"

/* Between FILETIME's beginning, in 1601, and 1970. */
#define EPOCH_S 11644473600

/* For looking at it only, which nobody is kept from anything by. INVALID_HANDLE_VALUE with errno set. */
static HANDLE open_to_look(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	HANDLE h;

	if (wide == NULL)
		return INVALID_HANDLE_VALUE;
	h = CreateFileW(wide, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
	                OPEN_EXISTING, FILE_FLAG_BACKUP_SEMANTICS, NULL);
	if (h == INVALID_HANDLE_VALUE)
		errno = errno_of_code(GetLastError());
	mem_free(wide);
	return h;
}

/* Where it leads; NULL with errno set. */
static char *final_path(const char *path)
{
	HANDLE h = open_to_look(path);
	DWORD n = h == INVALID_HANDLE_VALUE ? 0 : GetFinalPathNameByHandleW(h, NULL, 0, FILE_NAME_NORMALIZED);
	wchar_t *wide = n == 0 ? NULL : (wchar_t *)mem_alloc(((size_t)n + 1) * sizeof(wchar_t));
	char *text = NULL;

	if (h == INVALID_HANDLE_VALUE)
		return NULL;
	if (wide != NULL && GetFinalPathNameByHandleW(h, wide, n + 1, FILE_NAME_NORMALIZED) > 0)
		text = utf8_of(wide);
	else
		errno = errno_of_code(GetLastError());
	CloseHandle(h);
	mem_free(wide);
	return text;
}

char *path_followed(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	DWORD what = wide == NULL ? INVALID_FILE_ATTRIBUTES : GetFileAttributesW(wide);

	mem_free(wide);
	if (what == INVALID_FILE_ATTRIBUTES || (what & FILE_ATTRIBUTE_REPARSE_POINT) == 0)
		return mem_copy_str(path);
	return final_path(path);
}

static void put_facts(struct file_facts *facts, DWORD high, DWORD low, FILETIME written)
{
	facts->bytes = (uint64_t)high << 32 | low;
	facts->changed_s = (int64_t)(filetime_100ns(written) / 10000000) - EPOCH_S;
}

static bool look_behind(const char *link, struct file_facts *facts)
{
	HANDLE h = open_to_look(link);
	BY_HANDLE_FILE_INFORMATION found;
	bool good;

	if (h == INVALID_HANDLE_VALUE)
		return false;
	good = GetFileInformationByHandle(h, &found);
	if (good)
		put_facts(facts, found.nFileSizeHigh, found.nFileSizeLow, found.ftLastWriteTime);
	else
		errno = errno_of_code(GetLastError());
	CloseHandle(h);
	return good;
}

bool file_look(const char *path, struct file_facts *facts)
{
	wchar_t *wide = wide_path_of(path);
	WIN32_FILE_ATTRIBUTE_DATA found;
	bool good;

	if (wide == NULL)
		return false;
	/* also of files that may not be opened; of a link it says what the link has */
	good = GetFileAttributesExW(wide, GetFileExInfoStandard, &found);
	if (!good)
		errno = errno_of_code(GetLastError());
	mem_free(wide);
	if (good && (found.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
		return look_behind(path, facts);
	if (good)
		put_facts(facts, found.nFileSizeHigh, found.nFileSizeLow, found.ftLastWriteTime);
	return good;
}

bool file_make(const char *path)
{
	wchar_t *wide = wide_path_of(path);
	HANDLE h;

	if (wide == NULL)
		return false;
	h = CreateFileW(wide, GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL, CREATE_NEW,
	                FILE_ATTRIBUTE_NORMAL, NULL);
	if (h == INVALID_HANDLE_VALUE)
		errno = errno_of_code(GetLastError());
	else
		CloseHandle(h);
	mem_free(wide);
	return h != INVALID_HANDLE_VALUE;
}

bool file_is_plain(const char *path)
{
	HANDLE h = open_to_look(path);
	BY_HANDLE_FILE_INFORMATION facts;
	bool plain;

	if (h == INVALID_HANDLE_VALUE)
		return false;
	plain = GetFileType(h) == FILE_TYPE_DISK && GetFileInformationByHandle(h, &facts) &&
	        (facts.dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0;
	CloseHandle(h);
	return plain;
}

/* 0: not known, as under Wine when the file has another name than it was opened by. */
static bool is_same_volume(DWORD a, DWORD b)
{
	return a == b || a == 0 || b == 0;
}

bool file_is_at(const char *path, int fd)
{
	HANDLE here = fd < 0 ? INVALID_HANDLE_VALUE : (HANDLE)_get_osfhandle(fd), there;
	BY_HANDLE_FILE_INFORMATION a, b;
	bool same;

	if (here == INVALID_HANDLE_VALUE || (there = open_to_look(path)) == INVALID_HANDLE_VALUE)
		return false;
	same = GetFileInformationByHandle(here, &a) && GetFileInformationByHandle(there, &b) &&
	       is_same_volume(a.dwVolumeSerialNumber, b.dwVolumeSerialNumber) && a.nFileIndexHigh == b.nFileIndexHigh &&
	       a.nFileIndexLow == b.nFileIndexLow;
	CloseHandle(there);
	return same;
}
