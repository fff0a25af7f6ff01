/*
 * Writes a manual page to standard output: its frame (doc/pgweir.1.in, doc/pgweir.5.in) from standard input, with each
 * line "@NAME@" replaced by what a table of the program says. "./dev manual" runs it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conf/words.h"
#include "os/file.h"

#define WIDTH 78

/* ---- roff ---- */

static void put_char(char c, bool at_beginning)
{
	if (at_beginning && (c == '.' || c == '\''))
		fputs("\\&", stdout);
	if (c == '\\')
		fputs("\\e", stdout);
	else if (c == '-')
		fputs("\\-", stdout);
	else
		putchar(c);
}

/* Text, wrapped where it has blanks, and after each sentence. */
static void put_text(const char *text)
{
	size_t column = 0;

	while (*text != '\0') {
		size_t len = strcspn(text, " "), width = 0;

		for (size_t i = 0; i < len; i++)
			width += text[i] == '-' || text[i] == '\\' ? 2 : 1;
		if (column > 0 && column + 1 + width > WIDTH) {
			putchar('\n');
			column = 0;
		}
		if (column > 0) {
			putchar(' ');
			column++;
		}
		for (size_t i = 0; i < len; i++)
			put_char(text[i], column == 0 && i == 0);
		column += width;
		if (len > 0 && text[len - 1] == '.' && text[len] == ' ') {
			putchar('\n');
			column = 0;
		}
		text += len;
		while (*text == ' ')
			text++;
	}
	if (column > 0)
		putchar('\n');
}

static void put_bold(const char *text)
{
	fputs("\\fB", stdout);
	for (; *text != '\0'; text++)
		put_char(*text, false);
	fputs("\\fR", stdout);
}

/* ---- options ---- */

static void put_option(char letter, const char *name, const char *argument, const char *doc)
{
	char text[64];

	puts(".TP");
	snprintf(text, sizeof(text), "-%c", letter);
	put_bold(text);
	fputs(", ", stdout);
	snprintf(text, sizeof(text), "--%s%s", name, argument == NULL ? "" : "=");
	put_bold(text);
	if (argument != NULL)
		printf("\\fI%s\\fR", argument);
	putchar('\n');
	put_text(doc);
}

static void put_options(void)
{
#define SERVE_OPTION(id, letter, name, argument, help, doc) put_option(letter, name, argument, doc);
#include "main/options.def"
}

static void put_check_options(void)
{
#define CHECK_OPTION(id, letter, name, argument, help, doc) put_option(letter, name, argument, doc);
#include "main/options.def"
}

static void put_ready_options(void)
{
#define READY_OPTION(id, letter, name, argument, help, doc) put_option(letter, name, argument, doc);
#include "main/options.def"
}

static void put_register_options(void)
{
#define REGISTER_OPTION(id, letter, name, argument, help, doc) put_option(letter, name, argument, doc);
#include "main/options.def"
}

static void put_outcome(unsigned number, const char *doc)
{
	if (number != 0)
		printf(".TP\n.B %u\n%s\n", number, doc);
}

static void put_outcomes(void)
{
#define OUTCOME(name, number, doc) put_outcome(number, doc);
#include "main/outcome.def"
}

/* ---- the console ---- */

static const char *argument_of(const char *form)
{
	static const char *const forms[][2] = {
	    {"TOPIC", " topic"},
	    {"SETTING", " name = 'value'"},
	    {"RELOAD", " [DNS]"},
	    {"ANY_DATABASE", " [database]"},
	    {"DATABASE", " database"},
	    {"CLIENT", " id"},
	    {"SHUTDOWN", " [WAIT_FOR_SERVERS | WAIT_FOR_CLIENTS]"},
	};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (strcmp(forms[i][0], form) == 0)
			return forms[i][1];
	return "";
}

static void put_item(const char *name, const char *rest, const char *doc)
{
	puts(".TP");
	put_bold(name);
	for (; *rest != '\0'; rest++)
		put_char(*rest, false);
	putchar('\n');
	put_text(doc);
}

static void put_commands(void)
{
#define COMMAND(name, form, rights, tag, refusal, run, doc) put_item(#name, argument_of(#form), doc);
#include "admin/commands.def"
}

static void put_topics(void)
{
#define TOPIC(name, line, columns, collect, write, doc) put_item("SHOW " #name, "", doc);
#include "admin/commands.def"
}

static void put_routes(void)
{
#define ROUTE(path, access, handler, doc)                                                                              \
	put_item(path, strcmp(#access, "PROTECTED") == 0 ? " (protected)" : "", doc ".");
#include "admin/routes.def"
}

/* ---- settings ---- */

static const char *const *words_of(const char *kind)
{
	static const struct {
		const char *kind;
		const char *words[10]; /* NULL behind the last one */
	} all[] = {{"AUTH_TYPE", {AUTH_TYPE_WORDS}},
	           {"POOL_MODE", {POOL_MODE_WORDS}},
	           {"MODE", {POOL_MODE_WORDS}},
	           {"TLS_MODE", {TLS_MODE_WORDS}},
	           {"TLS_NEGOTIATION", {TLS_NEGOTIATION_WORDS}},
	           {"PROTOCOL_VERSION", {PROTOCOL_VERSION_WORDS}},
	           {"ERROR_SQLSTATE", {ERROR_SQLSTATE_WORDS}},
	           {"LOG_FORMAT", {LOG_FORMAT_WORDS}},
	           {"STATE_GUARD", {STATE_GUARD_WORDS}},
	           {"GUARD", {STATE_GUARD_WORDS}},
	           {"SESSION_ATTRS", {SESSION_ATTRS_WORDS}},
	           {"BALANCE", {LOAD_BALANCE_WORDS}}};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (strcmp(all[i].kind, kind) == 0)
			return all[i].words;
	return NULL;
}

/* What a value is: "seconds", "one of a, b, c". */
static void describe(char *out, size_t size, const char *kind)
{
	static const char *const texts[][2] = {
	    {"STRING", "text"},
	    {"INT", "a whole number"},
	    {"OCTAL", "an octal number"},
	    {"UINT", "a whole number"},
	    {"BOOL", "0 or 1"},
	    {"SECONDS", "seconds, such as 15 or 0.5"},
	    {"TEXT", "text"},
	    {"COUNT", "a whole number"},
	    {"TIMEOUT", "whole seconds"},
	    {"KILOBYTES", "a size, such as 10MB"},
	    {"MINUTES", "a time, such as 12h"},
	    {"PORT", "a port"},
	    {"SECRET", "text"},
	};
	const char *const *words = words_of(kind);
	size_t len;

	out[0] = '\0';
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (strcmp(texts[i][0], kind) == 0)
			snprintf(out, size, "%s", texts[i][1]);
	for (size_t i = 0; words != NULL && words[i] != NULL; i++) {
		len = strlen(out);
		snprintf(out + len, size - len, "%s%s", i == 0 ? "one of " : ", ", words[i]);
	}
	if (out[0] == '\0') {
		fprintf(stderr, "man-pages: what is a value of the kind %s?\n", kind);
		exit(EXIT_FAILURE);
	}
}

static const char *default_of(const char *standard)
{
	if (standard == NULL)
		return "none";
	return standard[0] == '\0' ? "empty" : standard;
}

struct setting {
	const char *name, *kind, *standard, *when, *needs, *harmless, *doc, *note;
};

static void put_setting(const struct setting *s)
{
	char value[256], text[1024];

	describe(value, sizeof(value), s->kind);
	printf(".TP\n");
	put_bold(s->name);
	putchar('\n');
	put_text(s->doc);
	if (s->note[0] != '\0')
		put_text(s->note);
	if (s->needs != NULL) {
		snprintf(text, sizeof(text), "Not all values are there yet: %s is missing%s%s.", s->needs,
		         s->harmless == NULL || s->harmless[0] == '\0' ? "" : "; these are: ",
		         s->harmless == NULL ? "" : s->harmless);
		put_text(text);
	}
	snprintf(text, sizeof(text), "Value: %s. Default: %s.%s", value, default_of(s->standard),
	         strcmp(s->when, "RESTART") == 0 ? " A change needs a restart." : "");
	put_text(text);
}

static void put_settings(bool ours)
{
	bool here = !ours;

#define SETTINGS_OF_PGWEIR here = ours;
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note)                                      \
	if (here)                                                                                                      \
		put_setting(&(struct setting){#name, #kind, standard, #when, needs, harmless, doc, note});
#include "conf/settings.def"
}

static void put_pgbouncers_settings(void)
{
	put_settings(false);
}

static void put_own_settings(void)
{
	put_settings(true);
}

static void put_dropped_settings(void)
{
#define SETTING(name, kind, standard, min, max, when, needs, harmless, doc, note)
#define SETTING_DROPPED(name, note) put_item(#name, "", "Accepted without effect: " note ".");
#include "conf/settings.def"
}

/* ---- keys of entries ---- */

static void put_key(const char *name, const char *kind, const char *doc)
{
	char value[256], text[512];

	describe(value, sizeof(value), kind);
	snprintf(text, sizeof(text), "Value: %s.", value);
	put_item(name, "", doc);
	put_text(text);
}

static void put_database_keys(void)
{
#define DATABASE_KEY(name, kind, member, mark, limit, doc) put_key(#name, #kind, doc);
#include "conf/entry_keys.def"
}

static void put_user_keys(void)
{
#define USER_KEY(name, kind, member, mark, limit, doc) put_key(#name, #kind, doc);
#include "conf/entry_keys.def"
}

static void put_peer_keys(void)
{
#define PEER_KEY(name, kind, member, mark, limit, doc) put_key(#name, #kind, doc);
#include "conf/entry_keys.def"
}

/* ---- the frame ---- */

static const struct {
	const char *line;
	void (*put)(void);
} parts[] = {
    {"@OPTIONS@", put_options},
    {"@CHECK_OPTIONS@", put_check_options},
    {"@READY_OPTIONS@", put_ready_options},
    {"@REGISTER_OPTIONS@", put_register_options},
    {"@OUTCOMES@", put_outcomes},
    {"@COMMANDS@", put_commands},
    {"@TOPICS@", put_topics},
    {"@ROUTES@", put_routes},
    {"@SETTINGS@", put_pgbouncers_settings},
    {"@OWN_SETTINGS@", put_own_settings},
    {"@DROPPED_SETTINGS@", put_dropped_settings},
    {"@DATABASE_KEYS@", put_database_keys},
    {"@USER_KEYS@", put_user_keys},
    {"@PEER_KEYS@", put_peer_keys},
};

static bool put_line(char *line)
{
	size_t len = strcspn(line, "\n");

	if (line[0] != '@') {
		fputs(line, stdout);
		return true;
	}
	line[len] = '\0';
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (strcmp(parts[i].line, line) == 0) {
			parts[i].put();
			return true;
		}
	fprintf(stderr, "man-pages: there is no part \"%s\"\n", line);
	return false;
}

int main(void)
{
	char line[1024];

	puts(".\\\" Made by \"./dev manual\" from the frame beside it (.in) and the program's tables. Do not edit.");
	while (fgets(line, sizeof(line), stdin) != NULL)
		if (!put_line(line))
			return 1;
	return 0;
}
