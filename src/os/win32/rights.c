/*
 * Access lists of files. A file is opened for reading, or for everything that may be done to a log; a directory for
 * working there, or so that files may be made, and those that are new may be used: what is there already stays as it
 * is. Lists are set with SetFileSecurity, which does not go down into directories.
 */
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"
#include "os/win32/code.h"
#include "os/win32/service.h"
#include "os/win32/wide.h"

#include <aclapi.h>
#include <ntsecapi.h>

#define TO_READ (FILE_GENERIC_READ | FILE_GENERIC_EXECUTE)
#define TO_WRITE (FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE)
#define TO_ENTER (FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_READ_ATTRIBUTES | SYNCHRONIZE)
#define TO_ADD (TO_ENTER | FILE_ADD_FILE)

/* ---- who ---- */

/* LocalFree; NULL: GetLastError. */
static PSID identity_of(const wchar_t *account)
{
	wchar_t domain[256];
	DWORD n_domain = sizeof(domain) / sizeof(domain[0]), n_sid = 0;
	SID_NAME_USE use;
	PSID sid;

	LookupAccountNameW(NULL, account, NULL, &n_sid, domain, &n_domain, &use);
	if (n_sid == 0)
		return NULL;
	sid = LocalAlloc(LPTR, n_sid);
	n_domain = sizeof(domain) / sizeof(domain[0]);
	if (sid != NULL && !LookupAccountNameW(NULL, account, sid, &n_sid, domain, &n_domain, &use)) {
		LocalFree(sid);
		return NULL;
	}
	return sid;
}

/* The names of accounts that the manager takes have a mark for those of this machine, which look-ups do not know. Alone
   a name may be that of the machine itself; on a domain's controller there are no accounts but the domain's. */
static PSID account_identity(const wchar_t *account)
{
	wchar_t whole[MAX_COMPUTERNAME_LENGTH + 300];
	DWORD n = MAX_COMPUTERNAME_LENGTH + 1;
	PSID sid = NULL;

	if (account[0] != L'.' || account[1] != L'\\')
		return identity_of(account);
	if (GetComputerNameW(whole, &n)) {
		_snwprintf(whole + n, sizeof(whole) / sizeof(whole[0]) - n - 1, L"%ls", account + 1);
		whole[sizeof(whole) / sizeof(whole[0]) - 1] = L'\0';
		sid = identity_of(whole);
	}
	return sid != NULL ? sid : identity_of(account + 2);
}

PSID rights_identity(const wchar_t *service, const wchar_t *account)
{
	wchar_t own[300];
	PSID sid;

	_snwprintf(own, sizeof(own) / sizeof(own[0]) - 1, L"NT SERVICE\\%ls", service);
	own[sizeof(own) / sizeof(own[0]) - 1] = L'\0';
	sid = identity_of(own);
	/* systems without identities of services have accounts all the same */
	if (sid == NULL && account != NULL)
		sid = account_identity(account);
	return sid;
}

DWORD rights_log_on(const wchar_t *account)
{
	static wchar_t name[] = L"SeServiceLogonRight";
	LSA_UNICODE_STRING right = {sizeof(name) - sizeof(wchar_t), sizeof(name), name};
	LSA_OBJECT_ATTRIBUTES none;
	LSA_HANDLE policy;
	PSID who = account_identity(account);
	NTSTATUS status;

	if (who == NULL)
		return GetLastError();
	memset(&none, 0, sizeof(none));
	status = LsaOpenPolicy(NULL, &none, POLICY_CREATE_ACCOUNT | POLICY_LOOKUP_NAMES, &policy);
	if (status == 0) {
		status = LsaAddAccountRights(policy, who, &right, 1);
		LsaClose(policy);
	}
	LocalFree(who);
	return LsaNtStatusToWinError(status);
}

/* ---- lists ---- */

static void entry(EXPLICIT_ACCESSW *e, PSID who, DWORD rights, DWORD inheritance)
{
	memset(e, 0, sizeof(*e));
	e->grfAccessPermissions = rights;
	e->grfAccessMode = rights == 0 ? REVOKE_ACCESS : GRANT_ACCESS;
	e->grfInheritance = inheritance;
	e->Trustee.TrusteeForm = TRUSTEE_IS_SID;
	e->Trustee.TrusteeType = TRUSTEE_IS_UNKNOWN;
	e->Trustee.ptstrName = (wchar_t *)who;
}

DWORD rights_list(PACL old, PSID who, enum right right, PACL *fresh)
{
	EXPLICIT_ACCESSW e[2];
	ULONG n = 1;

	switch (right) {
	case RIGHT_NONE:
		entry(&e[0], who, 0, NO_INHERITANCE);
		break;
	case RIGHT_READ:
		entry(&e[0], who, TO_READ, NO_INHERITANCE);
		break;
	case RIGHT_WRITE:
		entry(&e[0], who, TO_WRITE, NO_INHERITANCE);
		break;
	case RIGHT_ENTER:
		entry(&e[0], who, TO_ENTER, NO_INHERITANCE);
		break;
	case RIGHT_ADD:
		entry(&e[0], who, TO_ADD, NO_INHERITANCE);
		entry(&e[1], who, TO_WRITE, OBJECT_INHERIT_ACE | INHERIT_ONLY_ACE);
		n = 2;
		break;
	}
	return SetEntriesInAclW(n, e, old, fresh);
}

/* The new list, with what the old one inherited still inherited. */
static bool set_list(const wchar_t *path, PACL list, PSECURITY_DESCRIPTOR old)
{
	const SECURITY_DESCRIPTOR_CONTROL kept = SE_DACL_PROTECTED | SE_DACL_AUTO_INHERITED;
	SECURITY_DESCRIPTOR_CONTROL control = 0, set;
	SECURITY_DESCRIPTOR fresh;
	DWORD revision;

	if (!GetSecurityDescriptorControl(old, &control, &revision) ||
	    !InitializeSecurityDescriptor(&fresh, SECURITY_DESCRIPTOR_REVISION) ||
	    !SetSecurityDescriptorDacl(&fresh, TRUE, list, FALSE))
		return false;
	set = control & kept;
	/* asking for it keeps the mark that entries are inherited */
	if ((control & SE_DACL_AUTO_INHERITED) != 0)
		set |= SE_DACL_AUTO_INHERIT_REQ;
	(void)SetSecurityDescriptorControl(&fresh, kept | SE_DACL_AUTO_INHERIT_REQ, set);
	return SetFileSecurityW(path, DACL_SECURITY_INFORMATION, &fresh);
}

/* NO_ERROR, or what is wrong. */
static DWORD change(wchar_t *path, PSID who, enum right right)
{
	PSECURITY_DESCRIPTOR old = NULL;
	PACL list = NULL, fresh = NULL;
	DWORD code =
	    GetNamedSecurityInfoW(path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL, &old);

	/* where everybody may do everything a list of one would shut out all others */
	if (code == ERROR_SUCCESS && list != NULL) {
		code = rights_list(list, who, right, &fresh);
		if (code == ERROR_SUCCESS && !set_list(path, fresh, old))
			code = GetLastError();
	}
	LocalFree(fresh);
	LocalFree(old);
	return code;
}

/* ---- giving ---- */

static void warn(const char *path, DWORD code, struct log *log)
{
	log_write(log, LEVEL_WARNING, "could not give the service access to \"%s\": %s", path,
	          win32_error_text(code).text);
}

/* The directory of a file, absolute (mem_free); NULL: out of memory. */
static char *directory_of(const char *path)
{
	char *whole = path_absolute(path);

	if (whole != NULL)
		whole[path_directory_len(whole)] = '\0';
	return whole;
}

void rights_make_directory(const struct service_file *file)
{
	char *directory = file->use == SERVICE_WRITES ? directory_of(file->path) : NULL;
	wchar_t *wide = directory == NULL ? NULL : wide_path_of(directory);

	/* whoever opens the file says what is wrong */
	if (wide != NULL)
		(void)CreateDirectoryW(wide, NULL);
	mem_free(wide);
	mem_free(directory);
}

static bool give(const char *path, PSID who, enum right right, struct str *changed, struct log *log)
{
	char *whole = path_absolute(path);
	wchar_t *wide = whole == NULL ? NULL : wide_path_of(whole);
	DWORD code = wide == NULL ? ERROR_NOT_ENOUGH_MEMORY : change(wide, who, right);

	if (code == ERROR_SUCCESS)
		str_add(changed, wide, (wcslen(wide) + 1) * sizeof(wchar_t));
	else
		warn(path, code, log);
	mem_free(wide);
	mem_free(whole);
	return code == ERROR_SUCCESS;
}

bool rights_give(PSID who, const struct service_file *file, struct str *changed, struct log *log)
{
	char *directory;
	bool good;

	switch (file->use) {
	case SERVICE_READS:
		return give(file->path, who, RIGHT_READ, changed, log);
	case SERVICE_ENTERS:
		return give(file->path, who, RIGHT_ENTER, changed, log);
	case SERVICE_WRITES:
		break;
	}
	directory = directory_of(file->path);
	good = directory != NULL && give(directory, who, RIGHT_ADD, changed, log);
	mem_free(directory);
	return good && (!file_exists(file->path) || give(file->path, who, RIGHT_WRITE, changed, log));
}

void rights_take_back(PSID who, const wchar_t *paths)
{
	/* what is not there any more has nothing to take back */
	for (; *paths != L'\0'; paths += wcslen(paths) + 1)
		(void)change((wchar_t *)(uintptr_t)paths, who, RIGHT_NONE);
}
