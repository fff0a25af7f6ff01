/* Access lists of files: what a service is given, and that it is taken back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"
#include "os/win32/service.h"
#include "os/win32/wide.h"

#include <sddl.h>

static char directory[512], file[600];
static struct str changed;
static struct log *quiet;
static PSID who;

static int set_up(void **state)
{
	wchar_t place[300], name[300];
	char *utf8;
	FILE *f;

	(void)state;
	assert_in_range(GetTempPathW(250, place), 1, 250);
	assert_int_not_equal(GetTempFileNameW(place, L"pgw", 0, name), 0);
	assert_true(DeleteFileW(name));
	assert_true(CreateDirectoryW(name, NULL));
	utf8 = utf8_of(name);
	assert_non_null(utf8);
	snprintf(directory, sizeof(directory), "%s", utf8);
	mem_free(utf8);
	snprintf(file, sizeof(file), "%s\\userlist.txt", directory);
	f = fopen(file, "w");
	assert_non_null(f);
	fclose(f);
	str_init(&changed, 65536);
	quiet = log_new();
	assert_non_null(quiet);
	log_set_stderr(quiet, false);
	/* no service has this name: then its account counts */
	who = rights_identity(L"pgweir test without a service", L"NT AUTHORITY\\LocalService");
	assert_non_null(who);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	LocalFree(who);
	log_free(quiet);
	str_fini(&changed);
	file_remove(file);
	return RemoveDirectoryA(directory) ? 0 : -1;
}

/* What a list has for the service. */
struct has {
	DWORD here, for_new_files;
};

static struct has rights_in(PACL list)
{
	struct has has = {0, 0};

	for (DWORD i = 0; i < list->AceCount; i++) {
		ACCESS_ALLOWED_ACE *ace;

		assert_true(GetAce(list, i, (void **)&ace));
		if (ace->Header.AceType != ACCESS_ALLOWED_ACE_TYPE || !EqualSid(&ace->SidStart, who))
			continue;
		if ((ace->Header.AceFlags & INHERIT_ONLY_ACE) == 0)
			has.here |= ace->Mask;
		if ((ace->Header.AceFlags & OBJECT_INHERIT_ACE) != 0)
			has.for_new_files |= ace->Mask;
	}
	return has;
}

/* A list like that of a directory of programs' data: administrators, and whoever else there is. */
static PSECURITY_DESCRIPTOR usual(PACL *list)
{
	PSECURITY_DESCRIPTOR d;
	BOOL present, is_default;

	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(
	    L"D:(A;;FA;;;BA)(A;ID;FA;;;SY)(A;OICIID;FR;;;BU)", SDDL_REVISION_1, &d, NULL));
	assert_true(GetSecurityDescriptorDacl(d, &present, list, &is_default));
	return d;
}

static void a_service_gets_what_it_is_to_have_and_loses_it(void **state)
{
	static const struct {
		enum right right;
		DWORD here, never, for_new_files;
	} rows[] = {
	    {RIGHT_READ, FILE_READ_DATA, FILE_WRITE_DATA | FILE_APPEND_DATA | DELETE | WRITE_DAC, 0},
	    {RIGHT_WRITE, FILE_READ_DATA | FILE_APPEND_DATA | DELETE, WRITE_DAC | WRITE_OWNER, 0},
	    {RIGHT_ENTER, FILE_TRAVERSE | FILE_LIST_DIRECTORY,
	     FILE_ADD_FILE | FILE_ADD_SUBDIRECTORY | FILE_DELETE_CHILD | DELETE | WRITE_DAC, 0},
	    {RIGHT_ADD, FILE_ADD_FILE | FILE_LIST_DIRECTORY,
	     FILE_ADD_SUBDIRECTORY | FILE_DELETE_CHILD | DELETE | WRITE_DAC,
	     FILE_READ_DATA | FILE_APPEND_DATA | DELETE},
	};
	PACL old, given, taken;
	PSECURITY_DESCRIPTOR d = usual(&old);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct has has;

		assert_int_equal(rights_list(old, who, rows[i].right, &given), NO_ERROR);
		has = rights_in(given);
		assert_int_equal(has.here & rows[i].here, rows[i].here);
		assert_int_equal(has.here & rows[i].never, 0);
		assert_int_equal(has.for_new_files & rows[i].for_new_files, rows[i].for_new_files);
		if (rows[i].for_new_files == 0)
			assert_int_equal(has.for_new_files, 0);
		assert_int_equal(rights_list(given, who, RIGHT_NONE, &taken), NO_ERROR);
		has = rights_in(taken);
		assert_int_equal(has.here | has.for_new_files, 0);
		/* others keep theirs */
		assert_int_equal(taken->AceCount, old->AceCount);
		LocalFree(given);
		LocalFree(taken);
	}
	LocalFree(d);
}

static void assert_changed(size_t n, const char *const *paths)
{
	const wchar_t *at = (const wchar_t *)(const void *)changed.data;

	for (size_t i = 0; i < n; i++) {
		wchar_t *wide = wide_path_of(paths[i]);

		assert_non_null(wide);
		assert_int_equal(_wcsicmp(at, wide), 0);
		at += wcslen(at) + 1;
		mem_free(wide);
	}
	assert_int_equal((size_t)((const char *)at - changed.data), changed.len);
}

static void what_is_changed_is_noted_down(void **state)
{
	char path[700], place[700];
	struct service_file read = {SERVICE_READS, file}, written = {SERVICE_WRITES, path},
	                    entered = {SERVICE_ENTERS, directory};

	(void)state;
	snprintf(path, sizeof(path), "%s\\pgweir.log", directory);
	snprintf(place, sizeof(place), "%s\\", directory);
	assert_true(rights_give(who, &read, &changed, quiet));
	assert_true(rights_give(who, &written, &changed, quiet));
	assert_true(rights_give(who, &entered, &changed, quiet));
	assert_changed(3, (const char *const[]){file, place, directory});
	str_add(&changed, L"", sizeof(wchar_t));
	rights_take_back(who, (const wchar_t *)(const void *)changed.data);
}

static void the_directory_of_a_log_is_made(void **state)
{
	char path[700], inside[650];
	struct service_file f = {SERVICE_WRITES, path};

	(void)state;
	snprintf(inside, sizeof(inside), "%s\\log", directory);
	snprintf(path, sizeof(path), "%s\\pgweir.log", inside);
	rights_make_directory(&f);
	assert_true(directory_is_writable(inside));
	rights_make_directory(&f); /* a second time is fine */
	assert_true(RemoveDirectoryA(inside));
}

static void a_file_that_is_not_there_is_a_warning(void **state)
{
	char path[700];
	struct service_file f = {SERVICE_READS, path};

	(void)state;
	snprintf(path, sizeof(path), "%s\\none.pem", directory);
	assert_false(rights_give(who, &f, &changed, quiet));
	assert_int_equal(changed.len, 0);
}

static void nobody_knows_who_does_not_exist(void **state)
{
	(void)state;
	assert_null(rights_identity(L"pgweir test without a service", L"no such account of anybody"));
	assert_null(rights_identity(L"pgweir test without a service", NULL));
}

static void accounts_of_this_machine_are_known(void **state)
{
	wchar_t name[300] = L".\\";
	DWORD n = 290;
	PSID marked, plain;

	(void)state;
	assert_true(GetUserNameW(name + 2, &n));
	marked = rights_identity(L"pgweir test without a service", name);
	plain = rights_identity(L"pgweir test without a service", name + 2);
	assert_non_null(marked);
	assert_non_null(plain);
	assert_true(EqualSid(marked, plain));
	LocalFree(marked);
	LocalFree(plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_service_gets_what_it_is_to_have_and_loses_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_changed_is_noted_down, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_directory_of_a_log_is_made, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_file_that_is_not_there_is_a_warning, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(nobody_knows_who_does_not_exist, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(accounts_of_this_machine_are_known, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
