/* Names in directories, by FindFirstFile. Any thread. */
#include "os/directory.h"

#include <errno.h>
#include <string.h>

#include <windows.h>

#include "base/mem.h"
#include "os/names.h"
#include "os/win32/code.h"
#include "os/win32/wide.h"

/* ---- patterns ---- */

/* LCMAP_UPPERCASE, LCMAP_LOWERCASE, of all alphabets: the C library knows only that of ASCII here. */
static wchar_t mapped(wchar_t c, DWORD how)
{
	wchar_t other = c;

	(void)LCMapStringEx(LOCALE_NAME_INVARIANT, how, &c, 1, &other, 1, NULL, NULL, 0);
	return other;
}

static bool same_letter(wchar_t a, wchar_t b)
{
	return a == b || mapped(a, LCMAP_LOWERCASE) == mapped(b, LCMAP_LOWERCASE);
}

/* "[a-c]" or "[!a-c]", at its bracket; `*behind` is what follows it. An open one fits nothing. */
static bool fits_set(const wchar_t *set, wchar_t c, const wchar_t **behind)
{
	const wchar_t *at = set + 1;
	bool negated = *at == L'!' || *at == L'^', found = false;
	wchar_t lower = mapped(c, LCMAP_LOWERCASE), upper = mapped(c, LCMAP_UPPERCASE);

	if (negated)
		at++;
	/* a bracket in the first place is one of the set */
	for (bool first = true; *at != L'\0' && (first || *at != L']'); first = false) {
		wchar_t from = *at++, to = from;

		if (at[0] == L'-' && at[1] != L']' && at[1] != L'\0') {
			to = at[1];
			at += 2;
		}
		found = found || (lower >= from && lower <= to) || (upper >= from && upper <= to);
	}
	if (*at == L'\0')
		return false;
	*behind = at + 1;
	return found != negated;
}

/* As fnmatch, but upper and lower case are the same, as everywhere in names here. */
static bool fits(const wchar_t *pattern, const wchar_t *name)
{
	const wchar_t *star = NULL, *retry = NULL; /* behind the last *, and where what it stands for ends so far */

	while (*name != L'\0') {
		const wchar_t *behind = pattern + 1;
		bool good = *pattern == L'?' ||
		            (*pattern == L'[' ? fits_set(pattern, *name, &behind) : same_letter(*pattern, *name));

		if (*pattern == L'*') {
			star = ++pattern;
			retry = name;
		} else if (*pattern != L'\0' && good) {
			pattern = behind;
			name++;
		} else if (star != NULL) {
			pattern = star;
			name = ++retry;
		} else {
			return false;
		}
	}
	while (*pattern == L'*')
		pattern++;
	return *pattern == L'\0';
}

/* A leading dot only where the pattern has one. */
static bool name_fits(const wchar_t *pattern, const wchar_t *name)
{
	return (name[0] != L'.' || pattern[0] == L'.') && fits(pattern, name);
}

bool directory_name_fits(const char *pattern, const char *name)
{
	wchar_t *wide_pattern = wide_of(pattern), *wide_name = wide_of(name);
	bool good = wide_pattern != NULL && wide_name != NULL && name_fits(wide_pattern, wide_name);

	mem_free(wide_pattern);
	mem_free(wide_name);
	return good;
}

/* ---- reading ---- */

static int collect(HANDLE search, WIN32_FIND_DATAW *entry, const wchar_t *pattern, struct names *names)
{
	int error = 0;
	DWORD code;

	do {
		if (name_fits(pattern, entry->cFileName))
			error = names_add(names, utf8_of(entry->cFileName));
	} while (error == 0 && FindNextFileW(search, entry));
	if (error != 0)
		return error;
	code = GetLastError();
	return code == ERROR_NO_MORE_FILES ? 0 : errno_of_code(code);
}

static DWORD attributes_of(const char *path)
{
	wchar_t *wide = wide_path_of(path[0] == '\0' ? "." : path);
	DWORD found = INVALID_FILE_ATTRIBUTES;

	if (wide != NULL)
		found = GetFileAttributesW(wide);
	mem_free(wide);
	return found;
}

bool directory_exists(const char *directory)
{
	DWORD found = attributes_of(directory);

	return found != INVALID_FILE_ATTRIBUTES && (found & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

bool directory_is_read_only(const char *directory)
{
	wchar_t *wide = wide_path_of(directory), volume[MAX_PATH + 1];
	DWORD flags = 0;
	bool known = wide != NULL && GetVolumePathNameW(wide, volume, MAX_PATH + 1) &&
	             GetVolumeInformationW(volume, NULL, 0, NULL, NULL, &flags, NULL, 0);

	mem_free(wide);
	return known && (flags & FILE_READ_ONLY_VOLUME) != 0;
}

/* Everything in it: "directory\*"; NULL with errno set. "C:" is where one works on that drive, and of two separators
   none is left out behind "\\?\". */
static wchar_t *everything_in(const char *directory)
{
	size_t len = strlen(directory);
	char *path = (char *)mem_alloc(len + 3);
	wchar_t *wide;

	if (path == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	memcpy(path, directory, len);
	if (len == 0 || strchr(":/\\", directory[len - 1]) == NULL)
		path[len++] = '\\';
	memcpy(path + len, "*", 2);
	wide = wide_path_of(path);
	mem_free(path);
	return wide;
}

static int names_of(const wchar_t *all, const wchar_t *pattern, struct names *names)
{
	WIN32_FIND_DATAW entry;
	HANDLE search = FindFirstFileW(all, &entry);
	int error;

	if (search == INVALID_HANDLE_VALUE)
		return errno_of_code(GetLastError());
	error = collect(search, &entry, pattern, names);
	FindClose(search);
	return error;
}

int directory_names(const char *directory, const char *pattern, char ***names)
{
	struct names found = {NULL, 0, 0};
	wchar_t *all = everything_in(directory), *wide_pattern = wide_of(pattern);
	int error = all == NULL || wide_pattern == NULL ? errno : names_of(all, wide_pattern, &found);

	mem_free(all);
	mem_free(wide_pattern);
	/* not all systems say it so */
	if (error == ENOENT && attributes_of(directory) != INVALID_FILE_ATTRIBUTES && !directory_exists(directory))
		error = ENOTDIR;
	return names_end(&found, error, names);
}

bool directory_enter(const char *directory)
{
	/* without the beginning of long paths, which is refused here */
	wchar_t *wide = wide_of(directory);
	bool good = wide != NULL && SetCurrentDirectoryW(wide);

	if (wide != NULL && !good)
		errno = errno_of_code(GetLastError());
	mem_free(wide);
	return good;
}
