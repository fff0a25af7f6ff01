/* PostgreSQL as its installer registers it: in a registry of this test's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <windows.h>

#include "os/family.h"

#define TREE L"Software\\pgweir-test"

/* For this process, HKEY_LOCAL_MACHINE is a key of the user's. */
static int set_up(void **state)
{
	HKEY key;

	(void)state;
	if (RegCreateKeyExW(HKEY_CURRENT_USER, TREE, 0, NULL, 0, KEY_ALL_ACCESS, NULL, &key, NULL) != ERROR_SUCCESS)
		return -1;
	if (RegOverridePredefKey(HKEY_LOCAL_MACHINE, key) != ERROR_SUCCESS)
		return -1;
	return RegCloseKey(key) == ERROR_SUCCESS ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	if (RegOverridePredefKey(HKEY_LOCAL_MACHINE, NULL) != ERROR_SUCCESS)
		return -1;
	return RegDeleteTreeW(HKEY_CURRENT_USER, TREE) == ERROR_SUCCESS ? 0 : -1;
}

static void put_text(const wchar_t *key, const wchar_t *name, const wchar_t *value)
{
	DWORD bytes = (DWORD)((wcslen(value) + 1) * sizeof(value[0]));

	assert_int_equal(RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, name, REG_SZ, value, bytes), ERROR_SUCCESS);
}

static void put_port(const wchar_t *key, DWORD port)
{
	assert_int_equal(RegSetKeyValueW(HKEY_LOCAL_MACHINE, key, L"Port", REG_DWORD, &port, sizeof(port)),
	                 ERROR_SUCCESS);
}

static void the_server_of_a_port_is_found(void **state)
{
	struct local_postgres found;

	(void)state;
	assert_true(os_is_windows());
	assert_false(os_find_postgres(5432, &found));
	assert_string_equal(found.service, "");

	put_port(L"SOFTWARE\\PostgreSQL\\Services\\postgresql-x64-13", 5433);
	put_text(L"SOFTWARE\\PostgreSQL\\Services\\postgresql-x64-13", L"Data Directory", L"D:\\größe");
	put_port(L"SOFTWARE\\PostgreSQL\\Services\\postgresql-x64-16", 5432);
	put_text(L"SOFTWARE\\PostgreSQL\\Services\\postgresql-x64-16", L"Data Directory",
	         L"C:\\Program Files\\PostgreSQL\\16\\data");
	put_text(L"SOFTWARE\\PostgreSQL\\Installations\\postgresql-x64-16", L"Base Directory",
	         L"C:\\Program Files\\PostgreSQL\\16");
	put_text(L"SOFTWARE\\PostgreSQL\\Installations\\postgresql-x64-16", L"Version", L"16.4-1");
	put_port(L"SOFTWARE\\EnterpriseDB\\Services\\shop", 5444);

	assert_true(os_find_postgres(5432, &found));
	assert_int_equal(found.major, 16);
	assert_string_equal(found.base, "C:\\Program Files\\PostgreSQL\\16");
	assert_string_equal(found.data, "C:\\Program Files\\PostgreSQL\\16\\data");
	assert_string_equal(found.service, "postgresql-x64-16");

	assert_true(os_find_postgres(5433, &found));
	assert_int_equal(found.major, 13);
	assert_string_equal(found.base, "");
	assert_string_equal(found.data, "D:\\größe");

	assert_true(os_find_postgres(5444, &found));
	assert_int_equal(found.major, 0);
	assert_string_equal(found.service, "shop");

	assert_false(os_find_postgres(5434, &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(the_server_of_a_port_is_found, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
