/*
 * What tests on Linux can do on Windows only by a Windows program. Built with mingw-w64, runs under Wine.
 *
 *   control.exe run RESULT PROGRAM ARGUMENTS...
 *       runs it in a console of its own. Each line of standard input presses Ctrl-C there; the end of standard input
 *       kills it. The file RESULT has "begun", and in the end the program's exit status: ours is not always the one
 *       that Wine ends with.
 *
 *   control.exe serve
 *       carries out the requests of standard input until that ends: a line each, words parted by tabs; the answer's
 *       last line is "ok" or "error NUMBER". While it runs, so do services: Wine ends them with the last program of a
 *       user.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include <windows.h>

#define MAX_LINE 8192
#define STARTS 5 /* on a busy machine processes of Wine end before they begin, now and then: that is this error */
#define ENDED_UNBEGUN ERROR_INTERNAL_ERROR
#define MAX_WORDS 4

/* Not in mingw-w64's headers. */
#ifndef SERVICE_CONFIG_DELAYED_AUTO_START_INFO
#define SERVICE_CONFIG_DELAYED_AUTO_START_INFO 3
#endif

static void print(const wchar_t *name, const wchar_t *value)
{
	char text[2 * MAX_LINE];

	if (value == NULL)
		value = L"";
	if (WideCharToMultiByte(CP_UTF8, 0, value, -1, text, sizeof(text), NULL, NULL) > 0)
		printf("%ls=%s\n", name, text);
}

static void print_number(const wchar_t *name, DWORD number)
{
	printf("%ls=%lu\n", name, number);
}

/* ---- run ---- */

static BOOL WINAPI stay(DWORD event)
{
	(void)event;
	return TRUE;
}

/* Once in the program's console, what is pressed comes to both. */
static DWORD WINAPI press(void *arg)
{
	PROCESS_INFORMATION *program = (PROCESS_INFORMATION *)arg;
	char line[16];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (!GenerateConsoleCtrlEvent(CTRL_C_EVENT, 0))
			fprintf(stderr, "control: Ctrl-C cannot be pressed: error %lu\n", GetLastError());
	}
	(void)TerminateProcess(program->hProcess, 137);
	return 0;
}

/* What follows this word of a command line, as it is quoted there. */
static wchar_t *behind_word(wchar_t *at)
{
	bool quoted = false;

	for (; *at != L'\0' && (quoted || *at != L' '); at++) {
		if (*at == L'"')
			quoted = !quoted;
	}
	while (*at == L' ')
		at++;
	return at;
}

/* A program has to look for its console before it can be met there. */
static bool meet(HANDLE program, DWORD pid)
{
	(void)FreeConsole();
	while (!AttachConsole(pid)) {
		if (WaitForSingleObject(program, 10) == WAIT_OBJECT_0)
			return false;
	}
	return SetConsoleCtrlHandler(stay, TRUE);
}

static bool create(wchar_t *command, STARTUPINFOW *how, PROCESS_INFORMATION *program)
{
	for (int i = 0; i < STARTS; i++) {
		if (CreateProcessW(NULL, command, NULL, NULL, TRUE, CREATE_NO_WINDOW, NULL, NULL, how, program))
			return true;
		if (GetLastError() != ENDED_UNBEGUN)
			break;
	}
	return false;
}

static void write_result(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) < 0 || fclose(f) != 0)
		fprintf(stderr, "control: %s cannot be written\n", path);
}

static int run(const char *result)
{
	STARTUPINFOW how = {.cb = sizeof(how), .dwFlags = STARTF_USESTDHANDLES};
	PROCESS_INFORMATION program;
	DWORD status = 1;
	char text[16];

	write_result(result, "begun");
	how.hStdInput = INVALID_HANDLE_VALUE;
	how.hStdOutput = GetStdHandle(STD_OUTPUT_HANDLE);
	how.hStdError = GetStdHandle(STD_ERROR_HANDLE);
	if (!create(behind_word(behind_word(behind_word(GetCommandLineW()))), &how, &program)) {
		fprintf(stderr, "control: the program does not start: error %lu\n", GetLastError());
		return 1;
	}
	if (meet(program.hProcess, program.dwProcessId) && CreateThread(NULL, 0, press, &program, 0, NULL) == NULL)
		(void)TerminateProcess(program.hProcess, 1);
	(void)WaitForSingleObject(program.hProcess, INFINITE);
	(void)GetExitCodeProcess(program.hProcess, &status);
	snprintf(text, sizeof(text), "%lu", status);
	write_result(result, text);
	/* whatever the other thread waits for, and holds */
	(void)TerminateProcess(GetCurrentProcess(), status);
	return (int)status;
}

/* ---- services ---- */

/* Answers have the error of the last call, or 0. */
static DWORD outcome(BOOL done)
{
	return done ? 0 : GetLastError();
}

static DWORD print_state(SC_HANDLE service)
{
	SERVICE_STATUS_PROCESS s;
	DWORD size;

	if (!QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&s, sizeof(s), &size))
		return GetLastError();
	print_number(L"state", s.dwCurrentState);
	print_number(L"accepted", s.dwControlsAccepted);
	print_number(L"exit", s.dwWin32ExitCode);
	print_number(L"own_exit", s.dwServiceSpecificExitCode);
	print_number(L"checkpoint", s.dwCheckPoint);
	print_number(L"hint", s.dwWaitHint);
	print_number(L"pid", s.dwProcessId);
	return 0;
}

static void print_list(const wchar_t *name, const wchar_t *list)
{
	for (; list != NULL && *list != L'\0'; list += wcslen(list) + 1)
		print(name, list);
}

static void print_description(SC_HANDLE service)
{
	_Alignas(8) BYTE space[MAX_LINE];
	DWORD size;

	if (QueryServiceConfig2W(service, SERVICE_CONFIG_DESCRIPTION, space, sizeof(space), &size))
		print(L"description", ((SERVICE_DESCRIPTIONW *)(void *)space)->lpDescription);
}

static DWORD print_config(SC_HANDLE service)
{
	_Alignas(8) BYTE space[MAX_LINE];
	QUERY_SERVICE_CONFIGW *config = (QUERY_SERVICE_CONFIGW *)(void *)space;
	DWORD size;

	if (!QueryServiceConfigW(service, config, sizeof(space), &size))
		return GetLastError();
	print(L"command", config->lpBinaryPathName);
	print(L"account", config->lpServiceStartName);
	print(L"display", config->lpDisplayName);
	print_number(L"start", config->dwStartType);
	print_number(L"type", config->dwServiceType);
	print_list(L"needs", config->lpDependencies);
	print_description(service);
	return 0;
}

static DWORD start(SC_HANDLE service)
{
	DWORD error = ENDED_UNBEGUN;

	for (int i = 0; i < STARTS && error == ENDED_UNBEGUN; i++)
		error = outcome(StartServiceW(service, 0, NULL));
	return error;
}

static DWORD control(SC_HANDLE service, DWORD code)
{
	SERVICE_STATUS s;

	return outcome(ControlService(service, code, &s));
}

/* request: state, config, start, control NUMBER */
static DWORD ask_service(const wchar_t *request, const wchar_t *name, const wchar_t *number)
{
	SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_CONNECT);
	SC_HANDLE service = manager != NULL ? OpenServiceW(manager, name, SERVICE_ALL_ACCESS) : NULL;
	DWORD error;

	if (service == NULL)
		error = GetLastError();
	else if (wcscmp(request, L"state") == 0)
		error = print_state(service);
	else if (wcscmp(request, L"config") == 0)
		error = print_config(service);
	else if (wcscmp(request, L"start") == 0)
		error = start(service);
	else
		error = control(service, number != NULL ? wcstoul(number, NULL, 10) : 0);
	if (service != NULL)
		CloseServiceHandle(service);
	if (manager != NULL)
		CloseServiceHandle(manager);
	return error;
}

/* ---- the registry ---- */

/* registry KEY VALUE: what HKEY_LOCAL_MACHINE has there, a text, a number, or a list of texts */
static DWORD print_registry(const wchar_t *key, const wchar_t *name)
{
	_Alignas(8) wchar_t value[MAX_LINE];
	DWORD type, size = sizeof(value), error;

	error = (DWORD)RegGetValueW(HKEY_LOCAL_MACHINE, key, name, RRF_RT_ANY | RRF_NOEXPAND, &type, value, &size);
	if (error != 0)
		return error;
	if (type == REG_DWORD)
		print_number(L"value", *(DWORD *)(void *)value);
	else if (type == REG_SZ || type == REG_EXPAND_SZ)
		print(L"value", value);
	else if (type == REG_MULTI_SZ)
		for (const wchar_t *text = value; *text != L'\0'; text += wcslen(text) + 1)
			print(L"value", text);
	return 0;
}

/* ---- requests ---- */

static DWORD answer(wchar_t *word[MAX_WORDS])
{
	if (word[1] == NULL)
		return ERROR_INVALID_PARAMETER;
	if (wcscmp(word[0], L"registry") == 0)
		return print_registry(word[1], word[2]);
	if (wcscmp(word[0], L"rename") == 0)
		return outcome(MoveFileExW(word[1], word[2], 0));
	return ask_service(word[0], word[1], word[2]);
}

static DWORD answer_line(const char *line)
{
	wchar_t text[MAX_LINE], *word[MAX_WORDS] = {NULL}, *rest = text;

	if (MultiByteToWideChar(CP_UTF8, 0, line, -1, text, MAX_LINE) == 0)
		return GetLastError();
	text[wcscspn(text, L"\r\n")] = L'\0';
	for (size_t i = 0; i < MAX_WORDS && rest != NULL; i++) {
		word[i] = rest;
		rest = wcschr(rest, L'\t');
		if (rest != NULL)
			*rest++ = L'\0';
	}
	return answer(word);
}

static int serve(void)
{
	char line[MAX_LINE];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		DWORD error = answer_line(line);

		if (error == 0)
			puts("ok");
		else
			printf("error %lu\n", error);
		fflush(stdout);
	}
	return 0;
}

int main(int n_arguments, char **arguments)
{
	if (n_arguments > 3 && strcmp(arguments[1], "run") == 0)
		return run(arguments[2]);
	if (n_arguments == 2 && strcmp(arguments[1], "serve") == 0)
		return serve();
	fputs("control: \"run RESULT PROGRAM ...\" or \"serve\"\n", stderr);
	return 2;
}
