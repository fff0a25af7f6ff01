/*
 * Writes the manual's page about containers to standard output: its frame (doc/manual/container.md.in) from standard
 * input, with each line "@NAME@" replaced by what conf/environment.def says. "./dev manual" runs it.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct variable {
	const char *name, *image, *use, *target, *standard, *doc;
};

static const struct variable variables[] = {
#define VARIABLE(name, image, use, target, standard, doc) {#name, #image, #use, target, standard, doc},
#include "conf/environment.def"
};

struct image_setting {
	const char *image, *setting, *value;
};

static const struct image_setting settings[] = {
#define IMAGE_SETTING(image, setting, value) {#image, #setting, value},
#include "conf/environment.def"
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

/* What a cell of a table may hold: no bar. */
static void put_cell(const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '|')
			putchar('\\');
		putchar(*text);
	}
}

static void put_code(const char *text)
{
	if (text == NULL)
		return;
	putchar('`');
	put_cell(text[0] == '\0' ? " " : text);
	putchar('`');
}

/* What it becomes. */
static void put_meaning(const struct variable *v)
{
	if (is(v->use, "KEY") || is(v->use, "SETTING"))
		put_code(v->target);
	else if (is(v->use, "ENTRY"))
		fputs("name of the line", stdout);
	else if (is(v->use, "LOGIN") || is(v->use, "PASSWORD") || is(v->use, "USERLIST"))
		fputs("user list", stdout);
	else if (is(v->use, "UNUSED") || is(v->use, "SILENT"))
		fputs("nothing", stdout);
	else if (is(v->use, "URL") || is(v->use, "URLS"))
		fputs("line and user list", stdout);
	else if (is(v->use, "ENTRIES"))
		fputs("lines", stdout);
}

/* A reason stands behind a colon in the log; here it is a sentence. */
static void put_doc(const struct variable *v)
{
	char first[2] = {v->doc[0], '\0'};

	if (is(v->use, "UNUSED") && first[0] >= 'a' && first[0] <= 'z' && strncmp(v->doc, "pgweir", 6) != 0)
		first[0] = (char)(first[0] - 'a' + 'A');
	put_cell(first);
	put_cell(v->doc + 1);
	if (is(v->use, "UNUSED"))
		putchar('.');
}

static void put_variables(const char *image)
{
	puts("| variable | becomes | default | |\n| --- | --- | --- | --- |");
	for (size_t i = 0; i < COUNT(variables); i++) {
		const struct variable *v = &variables[i];

		if (!is(v->image, image))
			continue;
		fputs("| ", stdout);
		put_code(v->name);
		fputs(" | ", stdout);
		put_meaning(v);
		fputs(" | ", stdout);
		put_code(v->standard);
		fputs(" | ", stdout);
		put_doc(v);
		puts(" |");
	}
}

static const char *value_of(const char *image, const char *setting)
{
	for (size_t i = 0; i < COUNT(settings); i++)
		if ((is(settings[i].image, image) || is(settings[i].image, "ANY")) && is(settings[i].setting, setting))
			return settings[i].value;
	return NULL;
}

static void put_default(const char *image, const char *setting)
{
	const char *value = value_of(image, setting);

	fputs(" | ", stdout);
	if (value == NULL)
		return;
	if (value[0] == '\0')
		fputs("empty", stdout);
	else
		put_code(value[0] == '$' ? value + 1 : value);
}

static bool is_first(size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is(settings[i].setting, settings[at].setting))
			return false;
	return true;
}

static void put_defaults(void)
{
	static const char *const images[] = {"EDOBURU", "PROJECT", "BITNAMI"};

	puts("| setting | edoburu | pgbouncer | bitnami |\n| --- | --- | --- | --- |");
	for (size_t i = 0; i < COUNT(settings); i++) {
		if (!is_first(i))
			continue;
		fputs("| ", stdout);
		put_code(settings[i].setting);
		for (size_t k = 0; k < COUNT(images); k++)
			put_default(images[k], settings[i].setting);
		puts(" |");
	}
}

int main(void)
{
	char line[4096];

	while (fgets(line, sizeof(line), stdin) != NULL) {
		if (is(line, "@EDOBURU@\n"))
			put_variables("EDOBURU");
		else if (is(line, "@PROJECT@\n"))
			put_variables("PROJECT");
		else if (is(line, "@BITNAMI@\n"))
			put_variables("BITNAMI");
		else if (is(line, "@ANY@\n"))
			put_variables("ANY");
		else if (is(line, "@DEFAULTS@\n"))
			put_defaults();
		else
			fputs(line, stdout);
	}
	return 0;
}
