/* What Windows gives to a program at its beginning, as UTF-8, and its end. Main thread, without others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <windows.h>

#include <shellapi.h>

#include "base/mem.h"
#include "os/process.h"
#include "os/win32/wide.h"

/* A console belongs to whoever started us, too: it gets its code page back. 0: it has kept it. */
static UINT code_page_before;

static bool is_console(DWORD stream)
{
	DWORD mode;

	return GetConsoleMode(GetStdHandle(stream), &mode);
}

static void take_console(void)
{
	UINT before;

	if (!is_console(STD_OUTPUT_HANDLE) && !is_console(STD_ERROR_HANDLE))
		return;
	before = GetConsoleOutputCP();
	if (before != 0 && before != CP_UTF8 && SetConsoleOutputCP(CP_UTF8))
		code_page_before = before;
}

bool os_console_is_utf8(void)
{
	return is_console(STD_OUTPUT_HANDLE) && GetConsoleOutputCP() == CP_UTF8;
}

/* NULL: out of memory, or there are none. */
static char **utf8_words(wchar_t *const *wide, int n)
{
	char **words = (char **)mem_alloc(((size_t)n + 1) * sizeof(char *));

	for (int i = 0; words != NULL && i < n; i++) {
		words[i] = utf8_of(wide[i]);
		if (words[i] == NULL)
			return NULL; /* the process ends soon, with what the system made of it */
	}
	return words;
}

/* What is loaded from now on, by libraries of the system as well, is the system's: whoever may write where we are or
   where we work, as the service may where its log is, cannot put a file in its place. */
static void trust_system_only(void)
{
	(void)SetDefaultDllDirectories(LOAD_LIBRARY_SEARCH_SYSTEM32);
}

char *const *os_begin(int *argc, char **argv)
{
	int n = 0;
	wchar_t **wide = CommandLineToArgvW(GetCommandLineW(), &n);
	char **words = wide == NULL ? NULL : utf8_words(wide, n);

	trust_system_only();
	LocalFree(wide);
	_tzset();
	take_console();
	if (words == NULL)
		return argv;
	*argc = n;
	return words;
}

int os_end(int status)
{
	fflush(NULL);
	if (code_page_before != 0)
		SetConsoleOutputCP(code_page_before);
	os_end_at_once(status);
}

/* The system's block: "A=1", "B=2" and an empty text, each with its end. Names that begin with = are drives' working
   directories. */
static char **utf8_block(const wchar_t *block)
{
	size_t n = 0;
	char **list;

	for (const wchar_t *at = block; *at != L'\0'; at += wcslen(at) + 1)
		n++;
	list = (char **)mem_alloc((n + 1) * sizeof(char *));
	n = 0;
	for (const wchar_t *at = block; list != NULL && *at != L'\0'; at += wcslen(at) + 1)
		if (*at != L'=' && (list[n] = utf8_of(at)) != NULL)
			n++;
	return list;
}

char *const *os_environment(void)
{
	wchar_t *block = GetEnvironmentStringsW();
	char **list = block == NULL ? NULL : utf8_block(block);

	if (block != NULL)
		FreeEnvironmentStringsW(block);
	return list == NULL ? environ : list;
}
