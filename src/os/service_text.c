/* See service_text.h. Pure. */
#include "os/service_text.h"

#include <string.h>
#include <strings.h>

#include "base/comma_list.h"

#define MOST_LETTERS 256
#define SYSTEMS_OWN "NT AUTHORITY\\"
#define VIRTUAL "NT SERVICE\\"

bool service_name_is_good(const char *name)
{
	size_t n = 0;

	for (const char *c = name; *c != '\0'; c++) {
		if (*c == '/' || *c == '\\' || (unsigned char)*c < ' ' || *c == 0x7f)
			return false;
		n += ((unsigned char)*c & 0xc0) != 0x80; /* the first byte of a letter */
	}
	return n > 0 && n <= MOST_LETTERS && name[0] != ' ' && name[strlen(name) - 1] != ' ';
}

/* As CommandLineToArgvW takes it apart: backslashes count only before a quote. */
static void put_quoted(struct str *out, const char *argument)
{
	size_t n_backslashes = 0;

	str_add_char(out, '"');
	for (const char *c = argument; *c != '\0'; c++) {
		if (*c == '"') {
			for (; n_backslashes > 0; n_backslashes--)
				str_add_char(out, '\\');
			str_add_char(out, '\\');
		}
		n_backslashes = *c == '\\' ? n_backslashes + 1 : 0;
		str_add_char(out, *c);
	}
	for (; n_backslashes > 0; n_backslashes--)
		str_add_char(out, '\\');
	str_add_char(out, '"');
}

void service_put_command_line(struct str *out, const char *program, const char *config)
{
	put_quoted(out, program);
	service_put_command_end(out, config);
}

void service_put_command_end(struct str *out, const char *config)
{
	str_add_str(out, " -service ");
	put_quoted(out, config);
}

static bool is_like(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}

static bool begins(const char *text, const char *with)
{
	return strncasecmp(text, with, strlen(with)) == 0;
}

void service_put_account(struct str *out, const char *given, const char *service)
{
	if (given == NULL || given[0] == '\0') {
		str_add_str(out, VIRTUAL);
		str_add_str(out, service);
		return;
	}
	if (is_like(given, "LocalService") || is_like(given, "NetworkService"))
		str_add_str(out, SYSTEMS_OWN);
	else if (strpbrk(given, "\\@") == NULL && !is_like(given, "LocalSystem"))
		str_add_str(out, ".\\");
	str_add_str(out, given);
}

bool service_account_has_password(const char *account)
{
	size_t len = strlen(account);

	/* the password of a group managed account, whose name ends with $, is the domain's business */
	return !is_like(account, "LocalSystem") && !begins(account, SYSTEMS_OWN) && !begins(account, VIRTUAL) &&
	       len > 0 && account[len - 1] != '$';
}

bool service_account_is_mighty(const char *account)
{
	return is_like(account, "LocalSystem") || is_like(account, ".\\LocalSystem") ||
	       is_like(account, SYSTEMS_OWN "SYSTEM");
}

void service_put_list(struct str *out, const char *names)
{
	const char *name;
	size_t len;

	while (comma_list_next(&names, &name, &len)) {
		str_add(out, name, len);
		str_add_char(out, '\0');
	}
	str_add_char(out, '\0');
}

void service_put_event(struct str *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n')
			str_add_char(out, '\r');
		str_add_char(out, *text);
		/* the viewer puts its own texts in place of %1; addresses of IPv6 have such scopes */
		if (*text == '%' && text[1] >= '0' && text[1] <= '9')
			str_add_char(out, ' ');
	}
}
