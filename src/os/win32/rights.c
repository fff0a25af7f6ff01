/*
 * Access lists of files. A file is opened for reading, or for everything that may be done to a log; in a directory
 * files may be made, and those that are new may be used: what is there already stays as it is. Lists are set with
 * SetFileSecurity, which does not go down into directories.
 */
#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"
#include "os/win32/service.h"
#include "os/win32/wide.h"

#include <aclapi.h>

#define TO_READ (FILE_GENERIC_READ | FILE_GENERIC_EXECUTE)
#define TO_WRITE (FILE_GENERIC_READ | FILE_GENERIC_WRITE | DELETE)
#define TO_ADD (FILE_LIST_DIRECTORY | FILE_TRAVERSE | FILE_ADD_FILE | FILE_READ_ATTRIBUTES | SYNCHRONIZE)
#define MOST_CHANGES 2u

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

PSID rights_identity(const wchar_t *service, const wchar_t *account)
{
	wchar_t own[300];
	PSID sid;

	_snwprintf(own, sizeof(own) / sizeof(own[0]) - 1, L"NT SERVICE\\%ls", service);
	own[sizeof(own) / sizeof(own[0]) - 1] = L'\0';
	sid = identity_of(own);
	/* systems without identities of services have accounts all the same */
	if (sid == NULL && account != NULL)
		sid = identity_of(account[0] == L'.' && account[1] == L'\\' ? account + 2 : account);
	return sid;
}

/* ---- lists ---- */

static void entry(EXPLICIT_ACCESSW *e, PSID who, ACCESS_MODE mode, DWORD rights, DWORD inheritance)
{
	e->grfAccessPermissions = rights;
	e->grfAccessMode = mode;
	e->grfInheritance = inheritance;
	e->Trustee.pMultipleTrustee = NULL;
	e->Trustee.MultipleTrusteeOperation = NO_MULTIPLE_TRUSTEE;
	e->Trustee.TrusteeForm = TRUSTEE_IS_SID;
	e->Trustee.TrusteeType = TRUSTEE_IS_UNKNOWN;
	e->Trustee.ptstrName = (wchar_t *)who;
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
static DWORD change(wchar_t *path, EXPLICIT_ACCESSW *entries, ULONG n)
{
	PSECURITY_DESCRIPTOR old = NULL;
	PACL list = NULL, fresh = NULL;
	DWORD code =
	    GetNamedSecurityInfoW(path, SE_FILE_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL, &list, NULL, &old);

	if (code == ERROR_SUCCESS)
		code = SetEntriesInAclW(n, entries, list, &fresh);
	if (code == ERROR_SUCCESS && !set_list(path, fresh, old))
		code = GetLastError();
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

/* NULL: out of memory, after a warning. */
static wchar_t *absolute(const char *path, struct log *log)
{
	char *whole = path_absolute(path);
	wchar_t *wide = whole == NULL ? NULL : wide_path_of(whole);

	mem_free(whole);
	if (wide == NULL)
		warn(path, ERROR_NOT_ENOUGH_MEMORY, log);
	return wide;
}

static bool give(wchar_t *wide, const char *path, EXPLICIT_ACCESSW *entries, ULONG n, struct str *changed,
                 struct log *log)
{
	DWORD code = change(wide, entries, n);

	if (code == ERROR_SUCCESS) {
		str_add(changed, wide, (wcslen(wide) + 1) * sizeof(wchar_t));
		return true;
	}
	warn(path, code, log);
	return false;
}

static bool give_file(PSID who, const char *path, DWORD rights, struct str *changed, struct log *log)
{
	EXPLICIT_ACCESSW e;
	wchar_t *wide = absolute(path, log);
	bool good;

	if (wide == NULL)
		return false;
	entry(&e, who, GRANT_ACCESS, rights, NO_INHERITANCE);
	good = give(wide, path, &e, 1, changed, log);
	mem_free(wide);
	return good;
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

static bool give_directory(PSID who, const char *path, struct str *changed, struct log *log)
{
	EXPLICIT_ACCESSW e[MOST_CHANGES];
	char *whole = directory_of(path);
	wchar_t *wide = whole == NULL ? NULL : absolute(whole, log);
	bool good;

	entry(&e[0], who, GRANT_ACCESS, TO_ADD, NO_INHERITANCE);
	entry(&e[1], who, GRANT_ACCESS, TO_WRITE, OBJECT_INHERIT_ACE | INHERIT_ONLY_ACE);
	good = wide != NULL && give(wide, whole, e, MOST_CHANGES, changed, log);
	mem_free(wide);
	mem_free(whole);
	return good;
}

bool rights_give(PSID who, const struct service_file *file, struct str *changed, struct log *log)
{
	switch (file->use) {
	case SERVICE_READS:
		return give_file(who, file->path, TO_READ, changed, log);
	case SERVICE_WRITES:
		break;
	}
	if (!give_directory(who, file->path, changed, log))
		return false;
	return !file_exists(file->path) || give_file(who, file->path, TO_WRITE, changed, log);
}

void rights_take_back(PSID who, const wchar_t *paths)
{
	EXPLICIT_ACCESSW e;

	entry(&e, who, REVOKE_ACCESS, 0, NO_INHERITANCE);
	/* what is not there any more has nothing to take back */
	for (; *paths != L'\0'; paths += wcslen(paths) + 1)
		(void)change((wchar_t *)(uintptr_t)paths, &e, 1);
}
