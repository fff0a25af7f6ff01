/* Rights of files, by their lists of access. Any thread. */
#include "os/file_rights.h"

#include <stdio.h>
#include <string.h>

#include <windows.h>
/* behind windows.h */
#include <aclapi.h>
#include <sddl.h>

#include "base/mem.h"
#include "os/process.h"
#include "os/win32/wide.h"

#define READS (FILE_READ_DATA | GENERIC_READ | GENERIC_ALL)
#define CHANGES (FILE_WRITE_DATA | FILE_APPEND_DATA | DELETE | WRITE_DAC | WRITE_OWNER | GENERIC_WRITE | GENERIC_ALL)
#define ADMINISTRATORS "*S-1-5-32-544"
#define SYSTEM_ITSELF "*S-1-5-18"
#define CROWDS                                                                                                         \
	"*S-1-1-0 *S-1-5-11 *S-1-5-32-545 *S-1-5-4 *S-1-5-32-546 *S-1-5-7 *S-1-5-2" /* in the order of `crowds` */

/* Groups in which everybody is. */
static bool is_crowd(PSID who)
{
	static const WELL_KNOWN_SID_TYPE crowds[] = {WinWorldSid,       WinAuthenticatedUserSid, WinBuiltinUsersSid,
	                                             WinInteractiveSid, WinBuiltinGuestsSid,     WinAnonymousSid,
	                                             WinNetworkSid};

	for (size_t i = 0; i < sizeof(crowds) / sizeof(crowds[0]); i++)
		if (IsWellKnownSid(who, crowds[i]))
			return true;
	return false;
}

/* As Windows shows it here: "BUILTIN\\Users", "VORDEFINIERT\\Benutzer"; its number if there is no name for it
   (mem_free). NULL: out of memory. */
static char *name_of(PSID who)
{
	wchar_t name[256], domain[256], whole[520], *number;
	DWORD n_name = sizeof(name) / sizeof(name[0]), n_domain = sizeof(domain) / sizeof(domain[0]);
	SID_NAME_USE use;
	char *text;

	if (LookupAccountSidW(NULL, who, name, &n_name, domain, &n_domain, &use)) {
		_snwprintf(whole, sizeof(whole) / sizeof(whole[0]), domain[0] == L'\0' ? L"%ls%ls" : L"%ls\\%ls",
		           domain, name);
		return utf8_of(whole);
	}
	if (!ConvertSidToStringSidW(who, &number))
		return NULL;
	text = utf8_of(number);
	LocalFree(number);
	return text;
}

static void add_name(struct file_rights *out, PSID who)
{
	size_t used = strlen(out->how);
	char *text = name_of(who);

	/* a group may have several entries */
	if (text != NULL && strstr(out->how, text) == NULL)
		snprintf(out->how + used, sizeof(out->how) - used, "%s%s", used == 0 ? "it is open to " : ", ", text);
	mem_free(text);
}

static void look_at_entry(struct file_rights *out, const ACE_HEADER *header)
{
	const ACCESS_ALLOWED_ACE *ace = (const ACCESS_ALLOWED_ACE *)(const void *)header;
	PSID who = (PSID)(ULONG_PTR)&ace->SidStart;

	if (header->AceType != ACCESS_ALLOWED_ACE_TYPE || (header->AceFlags & INHERIT_ONLY_ACE) != 0 ||
	    !is_crowd(who) || (ace->Mask & (READS | CHANGES)) == 0)
		return;
	out->others_read = out->others_read || (ace->Mask & READS) != 0;
	out->others_change = out->others_change || (ace->Mask & CHANGES) != 0;
	add_name(out, who);
}

static void look_at_list(struct file_rights *out, PACL list)
{
	void *header;

	if (list == NULL) { /* no list at all lets everybody do everything */
		out->others_read = out->others_change = true;
		snprintf(out->how, sizeof(out->how), "it has no list of access");
		return;
	}
	for (DWORD i = 0; i < list->AceCount; i++)
		if (GetAce(list, i, &header))
			look_at_entry(out, (const ACE_HEADER *)header);
}

bool file_rights_look(const char *path, struct file_rights *out)
{
	wchar_t *wide = wide_path_of(path);
	PSECURITY_DESCRIPTOR whole = NULL;
	PACL list = NULL;
	bool good;

	if (wide == NULL)
		return false;
	good = GetNamedSecurityInfoW(wide, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL,
	                             &whole) == ERROR_SUCCESS;
	mem_free(wide);
	if (!good)
		return false;
	memset(out, 0, sizeof(*out));
	look_at_list(out, list);
	LocalFree(whole);
	return true;
}

/* What is inherited goes, and with it what crowds may; who has been named for this file, such as the service, stays. So
   that this process, too, goes on reading it whose account may have been one of many, that is named now. */
const char *file_rights_close(const char *path, char *buf, size_t size)
{
	char account[1024], ours[1040] = "";

	if (!os_is_superuser() && os_user_name(os_user_id(), account, sizeof(account)))
		snprintf(ours, sizeof(ours), " \"%s:R\"", account);
	snprintf(buf, size,
	         "icacls \"%s\" /inheritance:r /remove " CROWDS " /grant " ADMINISTRATORS ":F " SYSTEM_ITSELF ":F%s",
	         path, ours);
	return buf;
}

const char *file_rights_give(const char *path, const char *account, char *buf, size_t size)
{
	snprintf(buf, size, "icacls \"%s\" /grant \"%s:R\"", path, account);
	return buf;
}
