/* Tests of src/os/win32/file_rights.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <windows.h>
/* behind windows.h */
#include <sddl.h>

#include "os/file.h"
#include "os/file_rights.h"

#define NAME "test_os_file_rights.file"

/* What the file's list says of others, when it is this one. */
static void check(const wchar_t *list, bool reads, bool changes)
{
	PSECURITY_DESCRIPTOR whole = NULL;
	struct file_rights rights;

	assert_true(ConvertStringSecurityDescriptorToSecurityDescriptorW(list, SDDL_REVISION_1, &whole, NULL));
	assert_true(SetFileSecurityW(L"" NAME, DACL_SECURITY_INFORMATION | PROTECTED_DACL_SECURITY_INFORMATION, whole));
	LocalFree(whole);
	assert_true(file_rights_look(NAME, &rights));
	assert_int_equal(rights.others_read, reads);
	assert_int_equal(rights.others_change, changes);
	if (reads || changes)
		assert_memory_equal(rights.how, "it is open to ", 14);
}

static void others_are_those_who_are_everybody(void **state)
{
	struct file_rights rights;

	(void)state;
	(void)file_remove(NAME);
	assert_true(file_make(NAME));
	check(L"D:P(A;;FA;;;BA)(A;;FA;;;SY)", false, false);
	check(L"D:P(A;;FA;;;BA)(A;;FA;;;SY)(A;;FR;;;WD)", true, false);
	check(L"D:P(A;;FA;;;BA)(A;;FA;;;SY)(A;;FA;;;WD)", true, true);
	assert_true(file_remove(NAME));
	assert_false(file_rights_look(NAME, &rights));
}

static void commands_can_be_pasted(void **state)
{
	char buf[400];

	(void)state;
	/* Wine's only user is an administrator */
	assert_string_equal(
	    file_rights_close("C:\\my files\\userlist.txt", buf, sizeof(buf)),
	    "icacls \"C:\\my files\\userlist.txt\" /inheritance:r /remove *S-1-1-0 *S-1-5-11 "
	    "*S-1-5-32-545 *S-1-5-4 *S-1-5-32-546 *S-1-5-7 *S-1-5-2 /grant *S-1-5-32-544:F *S-1-5-18:F");
	assert_string_equal(file_rights_give("x.txt", "NT SERVICE\\weir", buf, sizeof(buf)),
	                    "icacls \"x.txt\" /grant \"NT SERVICE\\weir:R\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(others_are_those_who_are_everybody),
	    cmocka_unit_test(commands_can_be_pasted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
