/* Evidence of Windows, and where the installer of PostgreSQL puts things there. Pure, any thread. */
#include "diag/server_place.h"

#include <string.h>

#include "base/printable.h"

#define PROGRAM_FILES "C:\\Program Files\\PostgreSQL\\"

/* ---- evidence ---- */

static const char *find(struct bytes text, const char *part)
{
	size_t len = strlen(part);

	for (size_t i = 0; i + len <= text.len; i++)
		if (memcmp(text.data + i, part, len) == 0)
			return text.data + i;
	return NULL;
}

/* The number behind a part of a text; 0: none is there. */
static unsigned number_behind(struct bytes text, const char *part)
{
	const char *at = find(text, part), *end;
	unsigned n = 0;

	if (at == NULL)
		return 0;
	end = text.data + text.len;
	for (at += strlen(part); at < end && *at >= '0' && *at <= '9' && n < 100; at++)
		n = n * 10 + (unsigned)(*at - '0');
	return n;
}

void server_place_read_version(struct server_place *p, const char *version)
{
	/* "PostgreSQL 16.4, compiled by Visual C++ build 1940, 64-bit", "PostgreSQL 17.2 on x86_64-windows, compiled by
	   msvc-19.42.34435, 64-bit", "… on x86_64-w64-mingw32, compiled by …" */
	static const char *const marks[] = {"compiled by Visual C++", "compiled by msvc", "-windows,", "-mingw32,"};
	struct bytes text = {version, strlen(version)};
	unsigned major = number_behind(text, "PostgreSQL ");

	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		p->on_windows = p->on_windows || find(text, marks[i]) != NULL;
	p->major = major != 0 ? major : p->major;
}

/* Where a path begins that has a drive, as in: could not open file "C:/Program Files/…". Only in errors that are about
   the server's own files: in others clients choose the names. */
static bool names_drive(struct bytes message)
{
	static const char own[] = "could not ";
	const char *at = find(message, "\"");

	return at != NULL && message.len >= sizeof(own) && memcmp(message.data, own, sizeof(own) - 1) == 0 &&
	       message.data + message.len - at > 3 &&
	       ((at[1] >= 'A' && at[1] <= 'Z') || (at[1] >= 'a' && at[1] <= 'z')) && at[2] == ':' &&
	       (at[3] == '/' || at[3] == '\\');
}

void server_place_read_error(struct server_place *p, struct bytes message, struct bytes source_file)
{
	unsigned major = 0;

	if (names_drive(message)) {
		p->on_windows = true;
		major = number_behind(message, "/PostgreSQL/");
	}
	/* up to version 13, e.g. "d:\pginstaller_13.auto\postgres.windows-x64\src\backend\libpq\auth.c" */
	if (find(source_file, "\\") != NULL) {
		p->on_windows = true;
		major = major != 0 ? major : number_behind(source_file, "\\pginstaller_");
	}
	p->major = p->major != 0 ? p->major : major;
}

/* ---- where things are ---- */

static void write_version(const struct server_place *p, struct str *out)
{
	if (p->major != 0)
		str_printf(out, "%u", p->major);
	else
		str_add_str(out, "<version>");
}

/* As Windows writes paths; the server says them with slashes. */
static void write_path(const struct server_place *p, const char *path, struct str *out)
{
	struct str text;

	str_init(&text, 1024);
	printable_add(&text, path, strlen(path));
	for (size_t i = 0; i < text.len; i++)
		str_add_char(out, text.data[i] == '/' && p->on_windows ? '\\' : text.data[i]);
	str_fini(&text);
}

static void write_base(const struct server_place *p, struct str *out)
{
	if (p->base != NULL && p->base[0] != '\0') {
		write_path(p, p->base, out);
		return;
	}
	str_add_str(out, PROGRAM_FILES);
	write_version(p, out);
}

static void write_data(const struct server_place *p, struct str *out)
{
	if (p->data != NULL && p->data[0] != '\0') {
		write_path(p, p->data, out);
		return;
	}
	write_base(p, out);
	str_add_str(out, "\\data");
}

bool server_place_write_hba_file(const struct server_place *p, struct str *out)
{
	if (p->hba_file != NULL) {
		write_path(p, p->hba_file, out);
		return true;
	}
	if (!p->on_windows)
		return false;
	write_data(p, out);
	str_add_str(out, "\\pg_hba.conf");
	return true;
}

bool server_place_write_reload(const struct server_place *p, struct str *out)
{
	if (!p->on_windows)
		return false;
	str_add_str(out, "& \"");
	write_base(p, out);
	str_add_str(out, "\\bin\\pg_ctl.exe\" reload -D \"");
	write_data(p, out);
	str_add_char(out, '"');
	return true;
}

bool server_place_write_service(const struct server_place *p, struct str *out)
{
	if (!p->on_windows)
		return false;
	if (p->service != NULL && p->service[0] != '\0') {
		printable_add(out, p->service, strlen(p->service));
		return true;
	}
	str_add_str(out, "postgresql-x64-");
	write_version(p, out);
	return true;
}
