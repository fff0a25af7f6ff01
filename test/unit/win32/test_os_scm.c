/* Services as the manager knows them after they were registered and removed. Needs an administrator. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/service_manager.h"
#include "os/win32/service.h"
#include "os/win32/wide.h"

#define CONFIG "C:\\pgweir test \xc3\xb6\\a b.ini"

static char name[64], said[4000];
static struct log *log_of_test;

static void hear(const struct log_event *e, const char *text)
{
	size_t len = strlen(said);

	snprintf(said + len, sizeof(said) - len, "%d %s\n", (int)e->level, text);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(name, sizeof(name), "pgweir test \xc3\xb6 %lu", GetCurrentProcessId());
	said[0] = '\0';
	log_of_test = log_new();
	assert_non_null(log_of_test);
	log_set_stderr(log_of_test, false);
	log_set_sink(log_of_test, hear);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (service_unregister(name, log_of_test))
		fail_msg("a test has left its service behind");
	log_free(log_of_test);
	return 0;
}

static struct service_plan plan(void)
{
	return (struct service_plan){.name = name,
	                             .config = CONFIG,
	                             .account = "LocalService",
	                             .begin = SERVICE_ON_DEMAND,
	                             .dependencies = "RPCSS, Tcpip",
	                             .stop_us = 30000000};
}

static bool has_source(void)
{
	wchar_t *wide = wide_of(name), path[400];
	HKEY key;
	bool good;

	assert_non_null(wide);
	_snwprintf(path, 400, L"%ls%ls", EVENT_SOURCES, wide);
	mem_free(wide);
	good = RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_QUERY_VALUE, &key) == ERROR_SUCCESS;
	if (good)
		RegCloseKey(key);
	return good;
}

static void a_service_is_registered_as_planned(void **state)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service;
	struct service_plan p = plan();
	union {
		QUERY_SERVICE_CONFIGW config;
		BYTE bytes[8192];
	} u;
	wchar_t *wide = wide_of(name);
	DWORD needed;
	char *command, *account;

	(void)state;
	assert_true(service_register(&p, log_of_test));
	assert_true(has_source());
	service = OpenServiceW(manager, wide, SERVICE_QUERY_CONFIG);
	assert_non_null(service);
	assert_true(QueryServiceConfigW(service, &u.config, sizeof(u), &needed));
	command = utf8_of(u.config.lpBinaryPathName);
	account = utf8_of(u.config.lpServiceStartName);
	assert_int_equal(command[0], '"');
	assert_string_equal(strstr(command, "\" -service ") + 2, "-service \"" CONFIG "\"");
	assert_string_equal(account, "NT AUTHORITY\\LocalService");
	assert_int_equal(u.config.dwStartType, SERVICE_DEMAND_START);
	assert_int_equal(u.config.dwServiceType, SERVICE_WIN32_OWN_PROCESS);
	mem_free(command);
	mem_free(account);
	mem_free(wide);
	CloseServiceHandle(service);
	CloseServiceHandle(manager);
	assert_true(service_unregister(name, log_of_test));
	assert_false(has_source());
}

static void a_shutdown_waits_for_a_stop_of_any_length(void **state)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT), service;
	struct service_plan p = plan();
	SERVICE_PRESHUTDOWN_INFO info = {0};
	wchar_t *wide = wide_of(name);
	DWORD needed;

	(void)state;
	p.stop_us = 60ull * 24 * 3600 * 1000000; /* more milliseconds than fit */
	assert_true(service_register(&p, log_of_test));
	service = OpenServiceW(manager, wide, SERVICE_QUERY_CONFIG);
	assert_non_null(service);
	assert_true(
	    QueryServiceConfig2W(service, SERVICE_CONFIG_PRESHUTDOWN_INFO, (BYTE *)&info, sizeof(info), &needed));
	assert_int_equal(info.dwPreshutdownTimeout, INT32_MAX);
	mem_free(wide);
	CloseServiceHandle(service);
	CloseServiceHandle(manager);
	assert_true(service_unregister(name, log_of_test));
}

static void a_path_that_windows_would_change_is_refused(void **state)
{
	struct service_plan p = plan();

	(void)state;
	p.config = "C:\\100%\\%PATH%\\a.ini";
	assert_false(service_register(&p, log_of_test));
	assert_non_null(strstr(said, "0 a service cannot have the file \"C:\\100%\\%PATH%\\a.ini\""));
	assert_false(has_source());
	/* a mere percent sign is none */
	p.config = "C:\\100%\\a.ini";
	assert_true(service_register(&p, log_of_test));
	assert_true(service_unregister(name, log_of_test));
}

/* The program is the test itself here. */
static void a_log_beside_the_program_is_a_warning(void **state)
{
	static char outside[] = "C:\\pgweir test log\\x.log";
	struct service_plan p = plan();
	wchar_t program[MAX_PATH];
	struct service_file file = {.use = SERVICE_WRITES};
	char *beside;

	(void)state;
	assert_true(GetModuleFileNameW(NULL, program, MAX_PATH) > 0);
	wcscpy(wcsrchr(program, L'\\') + 1, L"x.log");
	beside = utf8_of(program);
	file.path = beside;
	p.files = &file;
	p.n_files = 1;
	assert_true(service_register(&p, log_of_test));
	assert_non_null(strstr(said, "the service may make files beside its program"));
	assert_true(service_unregister(name, log_of_test));
	said[0] = '\0';
	file.path = outside;
	assert_true(service_register(&p, log_of_test));
	assert_null(strstr(said, "beside"));
	assert_null(strstr(said, "network")); /* C: is here */
	assert_true(service_unregister(name, log_of_test));
	RemoveDirectoryW(L"C:\\pgweir test log");
	mem_free(beside);
}

static void a_service_is_found_by_its_file(void **state)
{
	struct service_plan p = plan();
	char *found;

	(void)state;
	assert_null(service_find(CONFIG));
	assert_true(service_register(&p, log_of_test));
	found = service_find(CONFIG);
	assert_non_null(found);
	assert_string_equal(found, name);
	mem_free(found);
	assert_null(service_find("b.ini"));
	assert_true(service_unregister(name, log_of_test));
}

static void a_name_that_is_taken_is_refused_and_stays(void **state)
{
	struct service_plan p = plan();

	(void)state;
	assert_true(service_register(&p, log_of_test));
	said[0] = '\0';
	assert_false(service_register(&p, log_of_test));
	assert_non_null(strstr(said, "0 could not register service \"pgweir test"));
	assert_non_null(strstr(said, "HINT: Remove it first (-unregservice)"));
	assert_true(has_source());
	assert_true(service_unregister(name, log_of_test));
}

static void set_source(const wchar_t *file)
{
	wchar_t *wide = wide_of(name), path[400];
	HKEY key;

	assert_non_null(wide);
	_snwprintf(path, 400, L"%ls%ls", EVENT_SOURCES, wide);
	mem_free(wide);
	assert_int_equal(RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL), 0);
	assert_int_equal(RegSetValueExW(key, L"EventMessageFile", 0, REG_SZ, (const BYTE *)file,
	                                (DWORD)((wcslen(file) + 1) * sizeof(wchar_t))),
	                 0);
	RegCloseKey(key);
}

static void assert_source(const wchar_t *unlike)
{
	wchar_t *wide = wide_of(name), path[400], value[600];
	DWORD bytes = sizeof(value);

	assert_non_null(wide);
	_snwprintf(path, 400, L"%ls%ls", EVENT_SOURCES, wide);
	mem_free(wide);
	assert_int_equal(RegGetValueW(HKEY_LOCAL_MACHINE, path, L"EventMessageFile", RRF_RT_ANY, NULL, value, &bytes),
	                 0);
	assert_int_not_equal(wcscmp(value, unlike), 0);
}

static void the_source_of_a_service_is_its_own_whoever_had_it(void **state)
{
	struct service_plan p = plan();

	(void)state;
	set_source(L"C:\\pgbouncer\\pgbevent.dll");
	assert_true(service_register(&p, log_of_test));
	assert_source(L"C:\\pgbouncer\\pgbevent.dll");
	assert_true(service_unregister(name, log_of_test));
	assert_false(has_source());
}

static void what_is_not_there_cannot_be_removed(void **state)
{
	(void)state;
	assert_false(service_unregister(name, log_of_test));
	assert_non_null(strstr(said, "0 could not remove service \"pgweir test"));
	assert_non_null(strstr(said, "HINT: Its name is the setting service_name."));
	said[0] = '\0';
	assert_false(service_unregister("K\xf6ln", log_of_test)); /* not in UTF-8 */
	assert_string_equal(said, "0 out of memory, or a text that is no UTF-8\n");
}

static void a_mighty_account_is_a_warning(void **state)
{
	struct service_plan p = plan();

	(void)state;
	p.account = "LocalSystem";
	assert_true(service_register(&p, log_of_test));
	assert_non_null(strstr(said, "2 service \"pgweir test"));
	assert_non_null(strstr(said, "runs as LocalSystem, which may do everything"));
	assert_true(service_unregister(name, log_of_test));
}

static void a_name_that_no_service_can_have_is_refused(void **state)
{
	struct service_plan p = plan();

	(void)state;
	p.name = "a\\b";
	assert_false(service_register(&p, log_of_test));
	assert_non_null(strstr(said, "service_name"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_service_is_registered_as_planned, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_shutdown_waits_for_a_stop_of_any_length, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_path_that_windows_would_change_is_refused, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_log_beside_the_program_is_a_warning, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_service_is_found_by_its_file, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_name_that_is_taken_is_refused_and_stays, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(the_source_of_a_service_is_its_own_whoever_had_it, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(what_is_not_there_cannot_be_removed, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_mighty_account_is_a_warning, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_name_that_no_service_can_have_is_refused, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
