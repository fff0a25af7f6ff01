/* UTF-8 and UTF-16, and paths of any length. Any thread. */
#include "os/win32/wide.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include <windows.h>

#include "base/mem.h"
#include "os/win32/code.h"

/* From here on Windows wants the prefix; directories, in which a name of eight and three must fit, a little earlier. */
#define LONG_PATH (MAX_PATH - 13)

wchar_t *wide_of(const char *text)
{
	int n = MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, NULL, 0);
	wchar_t *wide;

	if (n <= 0) {
		errno = errno_of_code(GetLastError());
		return NULL;
	}
	wide = (wchar_t *)mem_alloc((size_t)n * sizeof(wchar_t));
	if (wide == NULL)
		errno = ENOMEM;
	else
		MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, wide, n);
	return wide;
}

char *utf8_of(const wchar_t *text)
{
	int n = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
	char *utf8;

	if (n <= 0) {
		errno = errno_of_code(GetLastError());
		return NULL;
	}
	utf8 = (char *)mem_alloc((size_t)n);
	if (utf8 == NULL)
		errno = ENOMEM;
	else
		WideCharToMultiByte(CP_UTF8, 0, text, -1, utf8, n, NULL, NULL);
	return utf8;
}

static bool is_separator(wchar_t c)
{
	return c == L'\\' || c == L'/';
}

/* Behind "\\?\" nothing is made of "..", "/" and relative paths: hence the whole path first. */
static wchar_t *prefixed(const wchar_t *path)
{
	DWORD n = GetFullPathNameW(path, 0, NULL, NULL);
	bool share;
	wchar_t *whole, *at;

	if (n == 0) {
		errno = errno_of_code(GetLastError());
		return NULL;
	}
	whole = (wchar_t *)mem_alloc((n + 8) * sizeof(wchar_t));
	if (whole == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	at = whole + 8; /* room for "\\?\UNC" before the second of the two backslashes of a share's path */
	if (GetFullPathNameW(path, n, at, NULL) == 0) {
		errno = errno_of_code(GetLastError());
		mem_free(whole);
		return NULL;
	}
	share = is_separator(at[0]) && is_separator(at[1]);
	if (share && (at[2] == L'?' || at[2] == L'.') && is_separator(at[3])) { /* it has one */
		memmove(whole, at, (wcslen(at) + 1) * sizeof(wchar_t));
	} else if (share) {
		memcpy(whole, L"\\\\?\\UNC", 7 * sizeof(wchar_t));
		memmove(whole + 7, at + 1, wcslen(at) * sizeof(wchar_t));
	} else {
		memcpy(whole, L"\\\\?\\", 4 * sizeof(wchar_t));
		memmove(whole + 4, at, (wcslen(at) + 1) * sizeof(wchar_t));
	}
	return whole;
}

wchar_t *wide_path_of(const char *path)
{
	wchar_t *wide = wide_of(path), *whole;

	/* a short name may be a long path where the working directory is deep */
	if (wide == NULL || GetFullPathNameW(wide, 0, NULL, NULL) < LONG_PATH)
		return wide;
	whole = prefixed(wide);
	mem_free(wide);
	return whole;
}
