/* User, machine and what the process uses. Main thread, except where process.h says otherwise. */
#include "os/process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <winsock2.h>

#include <windows.h>

#include <ntsecapi.h>
#include <psapi.h>

#include "base/mem.h"
#include "os/win32/adapters.h"
#include "os/win32/filetime.h"
#include "os/win32/wide.h"

/* ---- who and where ---- */

const char *os_machine_name(char *buf, size_t size)
{
	wchar_t name[256];
	DWORD n = sizeof(name) / sizeof(name[0]);
	char *text = GetComputerNameExW(ComputerNameDnsHostname, name, &n) ? utf8_of(name) : NULL;

	snprintf(buf, size, "%s", text == NULL ? "" : text);
	mem_free(text);
	return buf;
}

/* What GetTokenInformation says of the process's user: the identifier is behind the structure. */
union token_user {
	TOKEN_USER user;
	char room[sizeof(TOKEN_USER) + SECURITY_MAX_SID_SIZE];
};

static bool get_user(union token_user *u)
{
	HANDLE token;
	DWORD n;
	bool good;

	if (!OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token))
		return false;
	good = GetTokenInformation(token, TokenUser, u, sizeof(*u), &n);
	CloseHandle(token);
	return good;
}

/* The last part of the identifier: 500 is the built-in administrator, 18 the system. */
int64_t os_user_id(void)
{
	union token_user u;
	UCHAR n;

	if (!get_user(&u))
		return INT64_MAX; /* nobody's */
	n = *GetSidSubAuthorityCount(u.user.User.Sid);
	return n == 0 ? INT64_MAX : (int64_t)*GetSidSubAuthority(u.user.User.Sid, (DWORD)n - 1);
}

/* With the rights of an administrator, not only of one who may ask for them; the system has them, too. */
bool os_is_superuser(void)
{
	SID_IDENTIFIER_AUTHORITY authority = SECURITY_NT_AUTHORITY;
	PSID group;
	BOOL is = FALSE;

	if (!AllocateAndInitializeSid(&authority, 2, SECURITY_BUILTIN_DOMAIN_RID, DOMAIN_ALIAS_RID_ADMINS, 0, 0, 0, 0,
	                              0, 0, &group))
		return false;
	if (!CheckTokenMembership(NULL, group, &is))
		is = FALSE;
	FreeSid(group);
	return is;
}

/* As icacls takes it: "DOMAIN\name". Only of this process's user: no others are met. */
bool os_user_name(int64_t uid, char *buf, size_t size)
{
	wchar_t name[257], domain[257], both[sizeof(name) / sizeof(name[0]) + sizeof(domain) / sizeof(domain[0])];
	DWORD n_name = 257, n_domain = 257;
	union token_user u;
	SID_NAME_USE use;
	char *text;
	bool fits;

	if (uid != os_user_id() || !get_user(&u) ||
	    !LookupAccountSidW(NULL, u.user.User.Sid, name, &n_name, domain, &n_domain, &use))
		return false;
	_snwprintf(both, sizeof(both) / sizeof(both[0]), L"%ls%ls%ls", domain, domain[0] == L'\0' ? L"" : L"\\", name);
	text = utf8_of(both);
	fits = text != NULL && strlen(text) < size;
	if (fits)
		memcpy(buf, text, strlen(text) + 1);
	mem_free(text);
	return fits;
}

bool os_can_switch_user(void)
{
	return false;
}

bool os_switch_user(const char *user)
{
	(void)user;
	errno = ENOSYS;
	return false;
}

/* Its access list is its directory's. */
bool os_share_socket_file(const char *path, const char *group, int mode)
{
	(void)path;
	(void)mode;
	errno = ENOSYS;
	return group == NULL || group[0] == '\0';
}

/* Windows containers say so in the registry. */
bool os_is_in_container(const char *root)
{
	DWORD type, size = sizeof(type);

	(void)root;
	return RegGetValueW(HKEY_LOCAL_MACHINE, L"SYSTEM\\CurrentControlSet\\Control", L"ContainerType",
	                    RRF_RT_REG_DWORD, NULL, &type, &size) == ERROR_SUCCESS;
}

/* ---- host names ---- */

/* 10.0.0.1 is not in "10.0.0.10, 10.0.0.11". */
static bool is_listed(const char *list, const char *text)
{
	size_t len = strlen(text);

	for (const char *at = list; (at = strstr(at, text)) != NULL; at++)
		if ((at == list || at[-1] == ' ') && (at[len] == '\0' || at[len] == ','))
			return true;
	return false;
}

/* Those of one adapter, if they are not in the list. */
static void add_servers(const IP_ADAPTER_DNS_SERVER_ADDRESS *server, char *buf, size_t size)
{
	for (; server != NULL; server = server->Next) {
		char text[64];
		size_t used = strlen(buf);
		DWORD n = sizeof(text);

		if (WSAAddressToStringA(server->Address.lpSockaddr, (DWORD)server->Address.iSockaddrLength, NULL, text,
		                        &n) != 0 ||
		    is_listed(buf, text) || strncmp(text, "fec0:", 5) == 0) /* what adapters without any have */
			continue;
		if (used + strlen(text) + 3 > size)
			return;
		snprintf(buf + used, size - used, "%s%s", used == 0 ? "" : ", ", text);
	}
}

static void ask_adapters(char *buf, size_t size)
{
	IP_ADAPTER_ADDRESSES *list =
	    adapters_get(GAA_FLAG_SKIP_UNICAST | GAA_FLAG_SKIP_ANYCAST | GAA_FLAG_SKIP_MULTICAST);

	for (const IP_ADAPTER_ADDRESSES *a = list; a != NULL; a = a->Next)
		if (a->OperStatus == IfOperStatusUp)
			add_servers(a->FirstDnsServerAddress, buf, size);
	mem_free(list);
}

const char *os_name_servers(const char *path, char *buf, size_t size)
{
	(void)path; /* nobody here reads such files */
	buf[0] = '\0';
	ask_adapters(buf, size);
	return buf;
}

/* NetBIOS, LLMNR, rules by domain: more than any file tells. */
bool os_names_have_other_sources(const char *path)
{
	(void)path;
	return true;
}

/* ---- the background: that is what services are for ---- */

bool os_can_daemonize(void)
{
	return false;
}

enum daemon_role os_daemonize(int *ready)
{
	(void)ready;
	errno = ENOSYS;
	return DAEMON_FAILED;
}

void os_daemon_ready(int ready)
{
	(void)ready;
}

/* ---- what is used ---- */

void os_random(void *bytes, size_t len)
{
	char *at = (char *)bytes;

	while (len > 0) {
		ULONG n = len < 65536 ? (ULONG)len : 65536;

		/* it may only fail while the system starts */
		if (RtlGenRandom(at, n)) {
			at += n;
			len -= n;
		}
	}
}

void os_process_usage(struct process_usage *u)
{
	HANDLE self = GetCurrentProcess();
	FILETIME created, ended, kernel, user;
	PROCESS_MEMORY_COUNTERS memory;
	DWORD n_handles;

	memset(u, 0, sizeof(*u));
	if (GetProcessTimes(self, &created, &ended, &kernel, &user))
		u->cpu_us = (filetime_100ns(kernel) + filetime_100ns(user)) / 10;
	if (K32GetProcessMemoryInfo(self, &memory, sizeof(memory))) {
		u->resident_bytes = memory.WorkingSetSize;
		u->virtual_bytes = memory.PagefileUsage;
	}
	if (GetProcessHandleCount(self, &n_handles))
		u->n_descriptors = n_handles;
}

/* ExitProcess, which _exit calls, would wait for locks that threads hold as it ends them. */
void os_end_at_once(int status)
{
	(void)TerminateProcess(GetCurrentProcess(), (UINT)status);
	for (;;)
		Sleep(INFINITE); /* until it is so */
}
