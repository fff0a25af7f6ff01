/*
 * Registering a service with Windows, and taking that back. The main thread of a process that does nothing else.
 *
 *   what                             where                                       taken back by -unregservice
 *   the service itself               the manager                                 yes
 *   rights to its files              their access lists, for the service's SID   yes: the paths are in …\Parameters
 *   sources of the Event Log         …\EventLog\Application\NAME                 yes: likewise
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "os/file.h"
#include "os/service_manager.h"
#include "os/service_text.h"
#include "os/win32/code.h"
#include "os/win32/service.h"
#include "os/win32/wide.h"

#define MOST_BYTES 65536u
#define DESCRIPTION L"pgweir, connection pooler for PostgreSQL"
#define SERVICES L"SYSTEM\\CurrentControlSet\\Services\\"
#define RIGHTS L"Rights"   /* of Parameters: the paths that the service was given rights to, */
#define SOURCES L"Sources" /* and the names of its events' sources */
#define STOP_LOOK_MS 200u
#define STOP_PATIENCE_MS 30000u

/* ---- one registration ---- */

/* Texts of a plan as Windows takes them, and what they are put into. Owned by one call. */
struct registration {
	const struct service_plan *plan;
	struct log *log;
	SC_HANDLE manager, service;
	wchar_t *name, *display, *command, *account, *password, *dependencies;
	PSID who;
	struct str rights, sources; /* for Parameters: UTF-16 in bytes, each text with its NUL */
};

static bool fail(struct log *log, const char *what, const char *name, DWORD code, const char *hint)
{
	log_write(log, LEVEL_FATAL, "could not %s service \"%s\": %s%s%s", what, name, win32_error_text(code).text,
	          hint[0] == '\0' ? "" : "\nHINT: ", hint);
	return false;
}

#define AS_ADMINISTRATOR "Do it in a window that was opened with \"Run as administrator\"."

/* NULL, after saying why. */
static SC_HANDLE open_manager(DWORD access, struct log *log)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, access);
	DWORD code = manager == NULL ? GetLastError() : NO_ERROR;

	if (manager == NULL)
		log_write(log, LEVEL_FATAL, "could not open the service manager: %s%s", win32_error_text(code).text,
		          code == ERROR_ACCESS_DENIED ? "\nHINT: " AS_ADMINISTRATOR : "");
	return manager;
}

/* A list of texts with NULs between as UTF-16; NULL: out of memory. */
static wchar_t *wide_list_of(const struct str *list)
{
	int n = list->failed ? 0 : MultiByteToWideChar(CP_UTF8, 0, list->data, (int)list->len, NULL, 0);
	wchar_t *wide = n <= 0 ? NULL : (wchar_t *)mem_alloc(((size_t)n + 1) * sizeof(wchar_t));

	if (wide != NULL)
		(void)MultiByteToWideChar(CP_UTF8, 0, list->data, (int)list->len, wide, n);
	return wide;
}

/* This program's own path; NULL: out of memory. */
static wchar_t *program_path(void)
{
	for (DWORD size = 260; size <= 32768; size *= 2) {
		wchar_t *path = (wchar_t *)mem_alloc(size * sizeof(wchar_t));
		DWORD n = path == NULL ? 0 : GetModuleFileNameW(NULL, path, size);

		if (n > 0 && n < size)
			return path;
		mem_free(path);
	}
	return NULL;
}

static wchar_t *command_line(const char *config)
{
	wchar_t *program = program_path(), *wide = NULL;
	char *utf8 = program == NULL ? NULL : utf8_of(program);
	struct str line;

	str_init(&line, MOST_BYTES);
	if (utf8 != NULL) {
		service_put_command_line(&line, utf8, config);
		wide = line.failed ? NULL : wide_of(str_text(&line));
	}
	str_fini(&line);
	mem_free(utf8);
	mem_free(program);
	return wide;
}

static bool is_left_alone(const wchar_t *text)
{
	DWORD n = ExpandEnvironmentStringsW(text, NULL, 0);
	wchar_t *expanded = n == 0 ? NULL : (wchar_t *)mem_alloc(n * sizeof(wchar_t));
	bool same = expanded != NULL && ExpandEnvironmentStringsW(text, expanded, n) > 0 && wcscmp(text, expanded) == 0;

	mem_free(expanded);
	return same;
}

/* The manager replaces %NAME% in commands when it starts them, and has no word for a mere %. Which ones belong together
   if there are several is for it to say: hence each of them. */
static bool means_itself(const wchar_t *command)
{
	const wchar_t *at = command;

	while ((at = wcschr(at, L'%')) != NULL && is_left_alone(at))
		at++;
	return at == NULL;
}

static void say_no_text(struct log *log)
{
	log_write(log, LEVEL_FATAL, "out of memory, or a text that is no UTF-8");
}

static bool prepare(struct registration *r)
{
	const struct service_plan *plan = r->plan;
	struct str text;

	if (!service_name_is_good(plan->name)) {
		log_write(
		    r->log, LEVEL_FATAL,
		    "no service can be called \"%s\"\nHINT: Set service_name to up to 256 letters without slashes.",
		    plan->name);
		return false;
	}
	str_init(&text, MOST_BYTES);
	r->name = wide_of(plan->name);
	r->command = command_line(plan->config);
	service_put_account(&text, plan->account, plan->name);
	r->account = text.failed ? NULL : wide_of(str_text(&text));
	str_clear(&text);
	service_put_list(&text, plan->dependencies);
	r->dependencies = wide_list_of(&text);
	str_fini(&text);
	r->password = plan->password == NULL ? NULL : wide_of(plan->password);
	if (r->name == NULL || r->command == NULL || r->account == NULL || r->dependencies == NULL ||
	    (plan->password != NULL && r->password == NULL)) {
		say_no_text(r->log);
		return false;
	}
	if (means_itself(r->command))
		return true;
	log_write(
	    r->log, LEVEL_FATAL,
	    "a service cannot have the file \"%s\"\nDETAIL: In the path of the file, or of the program, is the name "
	    "of a variable between percent signs, and Windows would put the variable's value in its place.\nHINT: "
	    "Give the directory another name.",
	    plan->config);
	return false;
}

static void fini(struct registration *r)
{
	if (r->password != NULL)
		SecureZeroMemory(r->password, wcslen(r->password) * sizeof(wchar_t));
	mem_free(r->name);
	mem_free(r->command);
	mem_free(r->account);
	mem_free(r->password);
	mem_free(r->dependencies);
	LocalFree(r->who);
	str_fini(&r->rights);
	str_fini(&r->sources);
	if (r->service != NULL)
		CloseServiceHandle(r->service);
	if (r->manager != NULL)
		CloseServiceHandle(r->manager);
}

/* ---- what a service has besides its command ---- */

static void configure(struct registration *r, DWORD what, void *value, const char *name)
{
	if (!ChangeServiceConfig2W(r->service, what, value))
		log_write(r->log, LEVEL_WARNING, "could not set %s of service \"%s\": %s", name, r->plan->name,
		          win32_error_text(GetLastError()).text);
}

/* What the manager does when the process has ended by itself: again and again, ever more patiently. */
static void configure_recovery(struct registration *r)
{
	SC_ACTION actions[] = {
	    {SC_ACTION_RESTART, 5 * 1000}, {SC_ACTION_RESTART, 30 * 1000}, {SC_ACTION_RESTART, 60 * 1000}};
	SERVICE_FAILURE_ACTIONSW failure = {
	    .dwResetPeriod = 24 * 60 * 60, .cActions = sizeof(actions) / sizeof(actions[0]), .lpsaActions = actions};
	/* also when it has said that it stops, with a number for what is wrong: the server's disk or the network may
	 * only have been slower than we were */
	SERVICE_FAILURE_ACTIONS_FLAG flag = {.fFailureActionsOnNonCrashFailures = TRUE};

	configure(r, SERVICE_CONFIG_FAILURE_ACTIONS, &failure, "the recovery");
	configure(r, SERVICE_CONFIG_FAILURE_ACTIONS_FLAG, &flag, "the recovery from failed starts");
}

/* Time for a stop, and some more. */
static DWORD shutdown_ms(uint64_t stop_us)
{
	uint64_t ms = stop_us / 1000 + 15 * 1000;

	return ms < INT32_MAX ? (DWORD)ms : INT32_MAX;
}

static void configure_all(struct registration *r)
{
	static wchar_t description[] = DESCRIPTION;
	SERVICE_DESCRIPTIONW text = {description};
	SERVICE_DELAYED_AUTO_START_INFO delayed = {TRUE};
	/* an identity of its own to which files can be opened, whichever account it has */
	SERVICE_SID_INFO sid = {SERVICE_SID_TYPE_UNRESTRICTED};
	SERVICE_PRESHUTDOWN_INFO shutdown = {shutdown_ms(r->plan->stop_us)};

	configure(r, SERVICE_CONFIG_DESCRIPTION, &text, "the description");
	if (r->plan->begin == SERVICE_DELAYED)
		configure(r, SERVICE_CONFIG_DELAYED_AUTO_START_INFO, &delayed, "the delayed start");
	configure_recovery(r);
	configure(r, SERVICE_CONFIG_SERVICE_SID_INFO, &sid, "the identity");
	configure(r, SERVICE_CONFIG_PRESHUTDOWN_INFO, &shutdown, "the time for a shutdown of the system");
}

/* ---- the Event Log ---- */

static void add_text(struct str *list, const wchar_t *text)
{
	str_add(list, text, (wcslen(text) + 1) * sizeof(wchar_t));
}

static LSTATUS set_source(HKEY key, const wchar_t *program)
{
	DWORD types = EVENTLOG_ERROR_TYPE | EVENTLOG_WARNING_TYPE | EVENTLOG_INFORMATION_TYPE;
	LSTATUS code = RegSetValueExW(key, L"EventMessageFile", 0, REG_EXPAND_SZ, (const BYTE *)program,
	                              (DWORD)((wcslen(program) + 1) * sizeof(wchar_t)));

	return code != ERROR_SUCCESS
	           ? code
	           : RegSetValueExW(key, L"TypesSupported", 0, REG_DWORD, (const BYTE *)&types, sizeof(types));
}

enum source {
	SOURCE_OWN,   /* the service's name: it is ours, whoever had it, such as the PgBouncer that was here before */
	SOURCE_SHARED /* another name: whoever has it keeps it */
};

/* The viewer finds the texts of events of this name in this program. */
static void add_source(struct registration *r, const char *name, enum source kind)
{
	wchar_t *program = program_path(), *wide = wide_of(name), path[512];
	DWORD made = REG_OPENED_EXISTING_KEY;
	LSTATUS code = ERROR_NOT_ENOUGH_MEMORY;
	HKEY key;

	if (program != NULL && wide != NULL) {
		_snwprintf(path, sizeof(path) / sizeof(path[0]) - 1, L"%ls%ls", EVENT_SOURCES, wide);
		path[sizeof(path) / sizeof(path[0]) - 1] = L'\0';
		code = RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, &made);
	}
	if (code == ERROR_SUCCESS && (kind == SOURCE_OWN || made == REG_CREATED_NEW_KEY)) {
		code = set_source(key, program);
		add_text(&r->sources, wide);
		RegCloseKey(key);
	} else if (code == ERROR_SUCCESS) {
		RegCloseKey(key);
	}
	if (code != ERROR_SUCCESS)
		log_write(r->log, LEVEL_WARNING, "could not register event source \"%s\": %s", name,
		          win32_error_text((DWORD)code).text);
	mem_free(program);
	mem_free(wide);
}

/* ---- what has to be taken back ---- */

static void parameters_path(const wchar_t *service, wchar_t *path, size_t size)
{
	_snwprintf(path, size - 1, L"%ls%ls\\Parameters", SERVICES, service);
	path[size - 1] = L'\0';
}

static LSTATUS put_list(HKEY key, const wchar_t *name, struct str *list)
{
	str_add(list, L"", sizeof(wchar_t));
	return list->failed ? ERROR_NOT_ENOUGH_MEMORY
	                    : RegSetValueExW(key, name, 0, REG_MULTI_SZ, (const BYTE *)list->data, (DWORD)list->len);
}

static void remember(struct registration *r)
{
	wchar_t path[512];
	LSTATUS code;
	HKEY key;

	parameters_path(r->name, path, sizeof(path) / sizeof(path[0]));
	code = RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_SET_VALUE, NULL, &key, NULL);
	if (code == ERROR_SUCCESS) {
		code = put_list(key, RIGHTS, &r->rights);
		if (code == ERROR_SUCCESS)
			code = put_list(key, SOURCES, &r->sources);
		RegCloseKey(key);
	}
	if (code != ERROR_SUCCESS)
		log_write(r->log, LEVEL_WARNING, "could not note down what -unregservice has to take back: %s",
		          win32_error_text((DWORD)code).text);
}

/* The list, with two NULs behind it whatever the registry has (mem_free); NULL: there is none. */
static wchar_t *get_list(HKEY key, const wchar_t *name)
{
	DWORD bytes = 0, type = 0;
	wchar_t *list;

	if (RegQueryValueExW(key, name, NULL, &type, NULL, &bytes) != ERROR_SUCCESS || type != REG_MULTI_SZ)
		return NULL;
	list = (wchar_t *)mem_alloc(bytes + 2 * sizeof(wchar_t));
	if (list != NULL && RegQueryValueExW(key, name, NULL, NULL, (BYTE *)list, &bytes) != ERROR_SUCCESS) {
		mem_free(list);
		return NULL;
	}
	return list;
}

static void drop_sources(const wchar_t *names)
{
	for (; *names != L'\0'; names += wcslen(names) + 1) {
		wchar_t path[512];

		_snwprintf(path, sizeof(path) / sizeof(path[0]) - 1, L"%ls%ls", EVENT_SOURCES, names);
		path[sizeof(path) / sizeof(path[0]) - 1] = L'\0';
		RegDeleteKeyW(HKEY_LOCAL_MACHINE, path);
	}
}

static void take_back(const wchar_t *service, const wchar_t *account)
{
	wchar_t path[512], *rights, *sources;
	PSID who = rights_identity(service, account);
	HKEY key;

	parameters_path(service, path, sizeof(path) / sizeof(path[0]));
	if (RegOpenKeyExW(HKEY_LOCAL_MACHINE, path, 0, KEY_QUERY_VALUE, &key) == ERROR_SUCCESS) {
		rights = get_list(key, RIGHTS);
		sources = get_list(key, SOURCES);
		if (rights != NULL && who != NULL)
			rights_take_back(who, rights);
		if (sources != NULL)
			drop_sources(sources);
		mem_free(rights);
		mem_free(sources);
		RegCloseKey(key);
	}
	/* the manager takes its own keys away with the service, and not every one takes this one */
	RegDeleteKeyW(HKEY_LOCAL_MACHINE, path);
	LocalFree(who);
}

/* ---- registering ---- */

static DWORD start_type(enum service_begin begin)
{
	return begin == SERVICE_ON_DEMAND ? SERVICE_DEMAND_START : SERVICE_AUTO_START;
}

static bool create(struct registration *r)
{
	const char *hint = "";
	DWORD code;

	r->service = CreateServiceW(r->manager, r->name, r->name, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
	                            start_type(r->plan->begin), SERVICE_ERROR_NORMAL, r->command, NULL, NULL,
	                            r->dependencies, r->account, r->password);
	if (r->service != NULL)
		return true;
	code = GetLastError();
	if (code == ERROR_SERVICE_EXISTS || code == ERROR_DUPLICATE_SERVICE_NAME)
		hint = "Remove it first (-unregservice), or give this one another name with the setting service_name.";
	else if (code == ERROR_SERVICE_MARKED_FOR_DELETE)
		hint = "It is being removed: close services.msc and whatever else looks at it.";
	else if (code == ERROR_INVALID_SERVICE_ACCOUNT)
		hint = "Name an account with -U, such as LocalService.";
	else if (code == ERROR_ACCESS_DENIED)
		hint = AS_ADMINISTRATOR;
	return fail(r->log, "register", r->plan->name, code, hint);
}

/* It may lie where only its owner may read, such as among downloads. */
static void give_program(struct registration *r)
{
	wchar_t *wide = program_path();
	struct service_file program = {SERVICE_READS, wide == NULL ? NULL : utf8_of(wide)};

	if (program.path != NULL)
		rights_give(r->who, &program, &r->rights, r->log);
	mem_free(program.path);
	mem_free(wide);
}

/* Letters of drives that somebody has connected are his session's. */
static void say_drive(struct registration *r)
{
	const char *config = r->plan->config;
	wchar_t root[] = {(wchar_t)(unsigned char)config[0], L':', L'\\', L'\0'};

	if (config[0] != '\0' && config[1] == ':' && GetDriveTypeW(root) == DRIVE_REMOTE)
		log_write(r->log, LEVEL_WARNING,
		          "\"%s\" is on a drive of the network, which services do not have\nHINT: Put the file on this "
		          "machine, or register it by the path of its share, which begins with two backslashes.",
		          config);
}

/* Whether the file is in the directory of this program. */
static bool is_beside_us(const char *file)
{
	wchar_t *program = program_path();
	char *ours = program == NULL ? NULL : utf8_of(program), *theirs = path_absolute(file);
	size_t len = ours == NULL ? 0 : path_directory_len(ours);
	bool beside =
	    ours != NULL && theirs != NULL && path_directory_len(theirs) == len && _strnicmp(ours, theirs, len) == 0;

	mem_free(program);
	mem_free(ours);
	mem_free(theirs);
	return beside;
}

/* Libraries are looked for beside a program first, also by the one that an administrator starts. */
static void say_what_is_beside_us(struct registration *r)
{
	for (size_t i = 0; i < r->plan->n_files; i++)
		if (r->plan->files[i].use == SERVICE_WRITES && is_beside_us(r->plan->files[i].path))
			log_write(
			    r->log, LEVEL_WARNING,
			    "the service may make files beside its program, because \"%s\" is there\nHINT: Give it a "
			    "directory of its own, such as log/, so that whoever takes over the service cannot put "
			    "a library there; then register anew.",
			    r->plan->files[i].path);
}

static void give_rights(struct registration *r)
{
	for (size_t i = 0; i < r->plan->n_files; i++)
		rights_make_directory(&r->plan->files[i]);
	r->who = rights_identity(r->name, r->account);
	if (r->who == NULL) {
		log_write(r->log, LEVEL_WARNING,
		          "could not give service \"%s\" access to its files: its account is not known: %s",
		          r->plan->name, win32_error_text(GetLastError()).text);
		return;
	}
	give_program(r);
	for (size_t i = 0; i < r->plan->n_files; i++)
		rights_give(r->who, &r->plan->files[i], &r->rights, r->log);
}

/* Somebody's account needs that to be a service's. It stays when the service goes: others may use it by then. */
static void let_log_on(struct registration *r, const char *account)
{
	DWORD code = rights_log_on(r->account);

	if (code != ERROR_SUCCESS)
		log_write(
		    r->log, LEVEL_WARNING,
		    "could not give account \"%s\" the right to log on as a service: %s\nHINT: Give it in secpol.msc, "
		    "Local Policies, User Rights Assignment, \"Log on as a service\".",
		    account, win32_error_text(code).text);
}

static void say_account(struct registration *r)
{
	char *account = utf8_of(r->account);

	if (account == NULL)
		return;
	if (service_account_is_mighty(account))
		log_write(
		    r->log, LEVEL_WARNING,
		    "service \"%s\" runs as LocalSystem, which may do everything on this machine\nHINT: Without -U "
		    "it has an account of its own, which may use its files only.",
		    r->plan->name);
	else if (service_account_has_password(account))
		let_log_on(r, account);
	mem_free(account);
}

bool service_register(const struct service_plan *plan, struct log *log)
{
	struct registration r = {.plan = plan, .log = log};
	bool good;

	str_init(&r.rights, MOST_BYTES);
	str_init(&r.sources, MOST_BYTES);
	r.manager = open_manager(SC_MANAGER_CREATE_SERVICE, log);
	good = r.manager != NULL && prepare(&r) && create(&r);
	if (good) {
		configure_all(&r);
		add_source(&r, plan->name, SOURCE_OWN);
		if (plan->source != NULL)
			add_source(&r, plan->source, SOURCE_SHARED);
		give_rights(&r);
		remember(&r);
		say_account(&r);
		say_what_is_beside_us(&r);
		say_drive(&r);
	}
	fini(&r);
	return good;
}

/* ---- finding ---- */

#define LIST_BYTES (256u * 1024) /* the most that the manager gives at a time */

union service_config {
	QUERY_SERVICE_CONFIGW config;
	BYTE bytes[8192]; /* the most it can be */
};

static bool ends_with(const wchar_t *text, const wchar_t *end)
{
	size_t len = wcslen(text), end_len = wcslen(end);

	return len >= end_len && _wcsicmp(text + len - end_len, end) == 0;
}

static bool is_command_of(SC_HANDLE manager, const wchar_t *name, const wchar_t *end)
{
	SC_HANDLE service = OpenServiceW(manager, name, SERVICE_QUERY_CONFIG);
	union service_config u;
	DWORD needed;
	bool good = service != NULL && QueryServiceConfigW(service, &u.config, sizeof(u), &needed) &&
	            u.config.lpBinaryPathName != NULL && ends_with(u.config.lpBinaryPathName, end);

	if (service != NULL)
		CloseServiceHandle(service);
	return good;
}

/* Among all of them; `list` has LIST_BYTES. */
static char *find_among(SC_HANDLE manager, ENUM_SERVICE_STATUS_PROCESSW *list, const wchar_t *end)
{
	DWORD needed, n, next = 0;
	bool more;

	do {
		if (EnumServicesStatusExW(manager, SC_ENUM_PROCESS_INFO, SERVICE_WIN32_OWN_PROCESS, SERVICE_STATE_ALL,
		                          (BYTE *)list, LIST_BYTES, &needed, &n, &next, NULL))
			more = false;
		else if (GetLastError() == ERROR_MORE_DATA && n > 0)
			more = true;
		else
			return NULL;
		for (DWORD i = 0; i < n; i++)
			if (is_command_of(manager, list[i].lpServiceName, end))
				return utf8_of(list[i].lpServiceName);
	} while (more);
	return NULL;
}

char *service_find(const char *config)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT | SC_MANAGER_ENUMERATE_SERVICE);
	ENUM_SERVICE_STATUS_PROCESSW *list = (ENUM_SERVICE_STATUS_PROCESSW *)mem_alloc(LIST_BYTES);
	wchar_t *end = NULL;
	char *name = NULL;
	struct str text;

	str_init(&text, MOST_BYTES);
	service_put_command_end(&text, config);
	if (!text.failed)
		end = wide_of(str_text(&text));
	if (manager != NULL && list != NULL && end != NULL)
		name = find_among(manager, list, end);
	str_fini(&text);
	mem_free(end);
	mem_free(list);
	if (manager != NULL)
		CloseServiceHandle(manager);
	return name;
}

/* ---- unregistering ---- */

/* Who it runs as (mem_free); NULL: not known. */
static wchar_t *account_of(SC_HANDLE service)
{
	union service_config u;
	DWORD needed;
	const wchar_t *name;
	wchar_t *copy;

	if (!QueryServiceConfigW(service, &u.config, sizeof(u), &needed) || u.config.lpServiceStartName == NULL)
		return NULL;
	name = u.config.lpServiceStartName;
	copy = (wchar_t *)mem_alloc((wcslen(name) + 1) * sizeof(wchar_t));
	if (copy != NULL)
		wcscpy(copy, name);
	return copy;
}

/* NO_ERROR: it has been told. One that starts or stops takes no orders, which is no error either. */
static DWORD order_stop(SC_HANDLE service)
{
	SERVICE_STATUS status;
	DWORD code = ControlService(service, SERVICE_CONTROL_STOP, &status) ? NO_ERROR : GetLastError();

	return code == ERROR_SERVICE_CANNOT_ACCEPT_CTRL ? NO_ERROR : code;
}

/* Tells it to, also once it takes orders; until it has stopped, as long as there is progress. NO_ERROR, or why not. */
static DWORD stop_it(SC_HANDLE service)
{
	SERVICE_STATUS_PROCESS status = {0};
	DWORD needed, checkpoint = 0, code;
	ULONGLONG progress_ms = GetTickCount64();

	while ((code = order_stop(service)) == NO_ERROR &&
	       QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof(status), &needed)) {
		if (status.dwCheckPoint != checkpoint) {
			checkpoint = status.dwCheckPoint;
			progress_ms = GetTickCount64();
		}
		if (GetTickCount64() - progress_ms > STOP_PATIENCE_MS)
			return ERROR_SERVICE_REQUEST_TIMEOUT;
		if (status.dwCurrentState != SERVICE_STOPPED)
			Sleep(STOP_LOOK_MS);
	}
	return code == ERROR_SERVICE_NOT_ACTIVE ? NO_ERROR : code;
}

/* What keeps it, such as a service that needs it and runs, does not keep anybody from removing it. */
static void stop(SC_HANDLE service, const char *name, struct log *log)
{
	DWORD code = stop_it(service);

	if (code != NO_ERROR)
		log_write(log, LEVEL_WARNING, "service \"%s\" still runs, and is removed once it has stopped: %s", name,
		          win32_error_text(code).text);
}

static bool delete_it(SC_HANDLE service, const wchar_t *wide, const char *name, struct log *log)
{
	wchar_t *account = account_of(service);
	bool good;
	DWORD code;

	stop(service, name, log);
	take_back(wide, account);
	mem_free(account);
	good = DeleteService(service);
	code = good ? NO_ERROR : GetLastError();
	if (code == ERROR_SERVICE_MARKED_FOR_DELETE) {
		log_write(log, LEVEL_WARNING,
		          "service \"%s\" is being removed already; it goes when nothing looks at it any more", name);
		return true;
	}
	return good || fail(log, "remove", name, code, code == ERROR_ACCESS_DENIED ? AS_ADMINISTRATOR : "");
}

static bool unregister(SC_HANDLE manager, const wchar_t *wide, const char *name, struct log *log)
{
	SC_HANDLE service = OpenServiceW(manager, wide, SERVICE_ALL_ACCESS);
	DWORD code = service == NULL ? GetLastError() : NO_ERROR;
	bool good;

	if (code == ERROR_SERVICE_DOES_NOT_EXIST)
		return fail(log, "remove", name, code,
		            "Its name is the setting service_name. \"sc.exe query state= all\" lists the services that "
		            "there are.");
	if (service == NULL)
		return fail(log, "open", name, code, AS_ADMINISTRATOR);
	good = delete_it(service, wide, name, log);
	CloseServiceHandle(service);
	return good;
}

bool service_unregister(const char *name, struct log *log)
{
	SC_HANDLE manager = open_manager(SC_MANAGER_CONNECT, log);
	wchar_t *wide = wide_of(name);
	bool good = false;

	if (wide == NULL)
		say_no_text(log);
	else if (manager != NULL)
		good = unregister(manager, wide, name, log);
	if (manager != NULL)
		CloseServiceHandle(manager);
	mem_free(wide);
	return good;
}
