/* What Windows can say of itself, and of the PostgreSQL that is installed on it. Any thread. */
#include "os/family.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <windows.h>

bool os_is_windows(void)
{
	return true;
}

bool os_is_below_windows(const char *root)
{
	(void)root;
	return false;
}

/* ---- what the installer of PostgreSQL writes into the registry ---- */

#define NAME_CHARS 256

/* Whose installers write these keys, below HKEY_LOCAL_MACHINE\SOFTWARE. */
static const wchar_t *const makers[] = {L"PostgreSQL", L"EnterpriseDB"};

/* "" when it does not fit. */
static void copy_narrow(const wchar_t *from, char *to, size_t size)
{
	if (WideCharToMultiByte(CP_UTF8, 0, from, -1, to, (int)size, NULL, NULL) == 0)
		to[0] = '\0';
}

/* "" when there is no such value. */
static void read_text(HKEY key, const wchar_t *subkey, const wchar_t *value, char *to, size_t size)
{
	wchar_t text[NAME_CHARS];
	DWORD bytes = sizeof(text);

	to[0] = '\0';
	if (RegGetValueW(key, subkey, value, RRF_RT_REG_SZ, NULL, text, &bytes) == ERROR_SUCCESS)
		copy_narrow(text, to, size);
}

static bool has_port(HKEY services, const wchar_t *name, int port)
{
	DWORD number = 0, bytes = sizeof(number);

	return RegGetValueW(services, name, L"Port", RRF_RT_REG_DWORD, NULL, &number, &bytes) == ERROR_SUCCESS &&
	       number == (DWORD)port;
}

/* "postgresql-x64-16" has it at its end, a version at its beginning. */
static unsigned major_of(const char *version, const char *service)
{
	const char *at = strrchr(service, '-');
	unsigned long major = strtoul(version, NULL, 10);

	if (major == 0 && at != NULL)
		major = strtoul(at + 1, NULL, 10);
	return major < 1000 ? (unsigned)major : 0;
}

/* Of the key that has the service's name among the installations; what is missing there stays "". */
static void read_installation(const wchar_t *maker, const wchar_t *name, struct local_postgres *found)
{
	wchar_t path[2 * NAME_CHARS];
	char version[64];
	HKEY key;

	swprintf(path, sizeof(path) / sizeof(path[0]), L"SOFTWARE\\%ls\\Installations\\%ls", maker, name);
	version[0] = '\0';
	if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &key) == ERROR_SUCCESS) {
		read_text(key, NULL, L"Base Directory", found->base, sizeof(found->base));
		read_text(key, NULL, L"Version", version, sizeof(version));
		RegCloseKey(key);
	}
	found->major = major_of(version, found->service);
}

static bool find_at(const wchar_t *maker, HKEY services, int port, struct local_postgres *found)
{
	wchar_t name[NAME_CHARS];
	DWORD len = NAME_CHARS;

	for (DWORD i = 0; RegEnumKeyExW(services, i, name, &len, NULL, NULL, NULL, NULL) == ERROR_SUCCESS; i++) {
		len = NAME_CHARS;
		if (!has_port(services, name, port))
			continue;
		copy_narrow(name, found->service, sizeof(found->service));
		read_text(services, name, L"Data Directory", found->data, sizeof(found->data));
		read_installation(maker, name, found);
		return true;
	}
	return false;
}

bool os_find_postgres(int port, struct local_postgres *found)
{
	bool is_there = false;

	memset(found, 0, sizeof(*found));
	for (size_t i = 0; i < sizeof(makers) / sizeof(makers[0]) && !is_there; i++) {
		wchar_t path[NAME_CHARS];
		HKEY services;

		swprintf(path, sizeof(path) / sizeof(path[0]), L"SOFTWARE\\%ls\\Services", makers[i]);
		if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_READ, &services) != ERROR_SUCCESS)
			continue;
		is_there = find_at(makers[i], services, port, found);
		RegCloseKey(services);
	}
	return is_there;
}
