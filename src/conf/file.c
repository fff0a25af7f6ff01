/* Reads the lines of configuration files and of what they include. Any thread. */
#include "conf/file.h"

#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "os/directory.h"
#include "os/error.h"
#include "os/file.h"

struct parser {
	conf_read *read;
	void *read_context;
	const struct conf_file_events *events;
	void *context;
	struct conf_error *why;
	bool in_section; /* goes on into included files and out of them */
	int depth;       /* of %include */
};

/* One line being read. */
struct line {
	const char *file;
	unsigned number;
	char *at;
};

static bool parse_file(struct parser *p, const char *path, char *content, size_t len);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static bool is_key_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
	       c == '-' || c == '*';
}

static char *skip_blanks(char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

static bool ends_line(const char *at)
{
	return *at == '\0' || *at == ';' || *at == '#';
}

static void trim_end(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && is_blank(text[len - 1]))
		text[--len] = '\0';
}

static bool fail_syntax(struct parser *p, const struct line *line, const char *what, const char *hint)
{
	(void)conf_fail(p->why, line->file, line->number, "syntax error%s: %s",
	                conf_place(line->file, line->number).text, what);
	if (hint != NULL)
		conf_hint(p->why, "%s", hint);
	return false;
}

/* "[name]" and nothing behind it but a comment. */
static bool parse_section(struct parser *p, const struct line *line)
{
	char *name = line->at + 1;
	char *end = strchr(name, ']');

	if (end == NULL)
		return fail_syntax(p, line, "\"]\" is missing after the name of a section", NULL);
	if (!ends_line(skip_blanks(end + 1)))
		return fail_syntax(p, line, "there is text after \"]\"", NULL);
	*end = '\0';
	p->in_section = true;
	return p->events->section(p->context, name, line->file, line->number, p->why);
}

/*
 * Takes a key off the line: letters as they are; 'in single quotes', where nothing is special; or "in double quotes",
 * where "" is a quote. NULL if a quote is not closed.
 */
static char *take_key(struct line *line)
{
	char *key = line->at;
	char *to;

	if (*key == '\'') {
		char *end = strchr(++key, '\'');

		if (end == NULL)
			return NULL;
		*end = '\0';
		line->at = end + 1;
		return key;
	}
	if (*key != '"') {
		while (is_key_char(*line->at))
			line->at++;
		return key;
	}
	to = ++key;
	for (char *from = key; *from != '\0'; from++) {
		if (*from == '"' && from[1] != '"') {
			*to = '\0';
			line->at = from + 1;
			return key;
		}
		if (*from == '"')
			from++;
		*to++ = *from;
	}
	return NULL;
}

static bool parse_value(struct parser *p, struct line *line)
{
	bool quoted = *line->at == '\'' || *line->at == '"';
	char *key = take_key(line);
	char *value;

	if (key == NULL)
		return fail_syntax(p, line, "a quote is not closed", NULL);
	if (line->at == key && !quoted)
		return fail_syntax(p, line,
		                   "a line must be \"key = value\", \"[section]\", \"%include file\" or a comment",
		                   *key == '=' ? "The key is missing."
		                               : "A name with other characters than A-Z a-z 0-9 _ . - * needs quotes.");
	value = skip_blanks(line->at);
	if (*value != '=')
		return fail_syntax(p, line, "\"=\" is missing after the key",
		                   "Each key needs its value on the same line.");
	*line->at = '\0'; /* the end of an unquoted key; the blank after a quoted one */
	value = skip_blanks(value + 1);
	trim_end(value);
	if (!p->in_section)
		return conf_fail(p->why, line->file, line->number, "load_init_file: value without section: %.100s%s",
		                 key, conf_place(line->file, line->number).text);
	return p->events->value(p->context, key, value, line->file, line->number, p->why);
}

static bool fail_include(struct parser *p, const struct line *line, const char *name, int error)
{
	char reason[128];

	return conf_fail(p->why, line->file, line->number, "could not load file \"%.1000s\"%s: %s", name,
	                 conf_place(line->file, line->number).text, os_error_text(error, reason, sizeof(reason)));
}

/* The file of that name: relative to the working directory, else beside the including file. 0 or an errno value. */
static int read_include(struct parser *p, const struct line *line, const char *name, struct str *content, char **path)
{
	str_init(content, CONF_MAX_FILE_BYTES);
	return conf_read_near(p->read, p->read_context, name, line->file, content, path);
}

/* Frees both. */
static bool parse_included(struct parser *p, char *path, struct str *content)
{
	bool good;

	p->depth++;
	good = parse_file(p, path, content->data, content->len);
	p->depth--;
	mem_free(path);
	conf_forget(content);
	return good;
}

/* Each of the names in that directory. */
static bool include_names(struct parser *p, const struct line *line, const char *directory, char *const *names)
{
	bool good = true;

	for (size_t i = 0; good && names[i] != NULL; i++) {
		struct str name, content;
		char *path = NULL;
		int error;

		str_init(&name, CONF_MAX_FILE_BYTES);
		str_add_str(&name, directory);
		str_add_str(&name, names[i]);
		error = name.failed ? ENOMEM : read_include(p, line, str_text(&name), &content, &path);
		if (error == 0)
			good = parse_included(p, path, &content);
		else
			good = fail_include(p, line, str_text(&name), error);
		if (error != 0 && !name.failed)
			conf_forget(&content);
		str_fini(&name);
	}
	return good;
}

/* "conf.d/" of "conf.d/x*" (mem_free), "" when there is no slash; NULL: out of memory. `*pattern` is what follows. */
static char *directory_of(const char *name, const char **pattern)
{
	size_t len = path_directory_len(name);

	*pattern = name + len;
	return mem_copy(name, len);
}

/* Names in a directory: "" is the working directory. Finding none is ENOENT, too. */
static int names_in(const char *directory, const char *pattern, char ***names)
{
	int error = directory_names(directory[0] == '\0' ? "." : directory, pattern, names);

	if (error == 0 && (*names)[0] == NULL) {
		directory_names_free(*names);
		*names = NULL;
		error = ENOENT;
	}
	return error;
}

/* The names that fit, as read_include seeks files; `*directory` becomes the one where they are. */
static int find_names(const struct line *line, char **directory, const char *pattern, char ***names)
{
	int error = names_in(*directory, pattern, names);
	char *beside;

	if (error != ENOENT || path_is_absolute(*directory) || path_directory_len(line->file) == 0)
		return error;
	beside = conf_path_beside(line->file, *directory);
	if (beside == NULL)
		return ENOMEM;
	mem_free(*directory);
	*directory = beside;
	return names_in(beside, pattern, names);
}

/* A pattern, since there is no file of that name. That nothing fits is nothing bad, as long as the directory is there.
 */
static bool include_pattern(struct parser *p, const struct line *line, const char *name)
{
	const char *pattern;
	char *directory = directory_of(name, &pattern), **names = NULL;
	int error = directory == NULL ? ENOMEM : find_names(line, &directory, pattern, &names);
	bool good;

	if (error == 0)
		good = include_names(p, line, directory, names);
	else
		good = (error == ENOENT && directory_exists(directory)) || fail_include(p, line, name, error);
	directory_names_free(names);
	mem_free(directory);
	return good;
}

/* "%include file" or "%include pattern". */
static bool parse_include(struct parser *p, const struct line *line)
{
	static const char word[] = "%include";
	char *name = line->at + sizeof(word) - 1;
	char *path = NULL;
	struct str content;
	int error;

	if (strncmp(line->at, word, sizeof(word) - 1) != 0 || !is_blank(*name))
		return fail_syntax(p, line, "\"%include\", a blank and the name of a file are expected", NULL);
	name = skip_blanks(name);
	trim_end(name);
	if (p->depth == CONF_MAX_INCLUDES) {
		(void)conf_fail(p->why, line->file, line->number, "include nesting level too deep%s",
		                conf_place(line->file, line->number).text);
		conf_hint(p->why, "Files may include each other %d levels deep. Perhaps a file includes itself.",
		          CONF_MAX_INCLUDES);
		return false;
	}
	error = read_include(p, line, name, &content, &path);
	if (error == 0)
		return parse_included(p, path, &content);
	conf_forget(&content);
	if (error == ENOENT && strpbrk(name, "*?[") != NULL)
		return include_pattern(p, line, name);
	return fail_include(p, line, name, error);
}

static bool parse_line(struct parser *p, struct line *line)
{
	line->at = skip_blanks(line->at);
	if (ends_line(line->at))
		return true;
	if (*line->at == '[')
		return parse_section(p, line);
	if (*line->at == '%')
		return parse_include(p, line);
	return parse_value(p, line);
}

/* Works in place; `content` has a NUL behind its end, or is NULL when empty. */
static bool parse_file(struct parser *p, const char *path, char *content, size_t len)
{
	struct line line = {path, 0, NULL};
	size_t skip;
	char *end;

	if (len == 0)
		return true;
	end = content + len;
	if (!conf_text_begin(content, len, path, &skip, p->why))
		return false;
	content += skip;
	while (content < end) {
		char *newline = (char *)memchr(content, '\n', (size_t)(end - content));
		char *stop = newline == NULL ? end : newline;

		*stop = '\0';
		line.number++;
		line.at = content;
		if (memchr(content, '\0', (size_t)(stop - content)) != NULL)
			return fail_syntax(p, &line, "there is a zero byte", "The file must be plain text.");
		if (!parse_line(p, &line))
			return false;
		content = stop + 1;
	}
	return true;
}

bool conf_file_parse(const char *path, conf_read *read, void *read_context, const struct conf_file_events *events,
                     void *context, struct conf_error *why)
{
	struct parser parser = {read, read_context, events, context, why, false, 0};
	struct str content;
	char reason[128];
	int error;
	bool good;

	str_init(&content, CONF_MAX_FILE_BYTES);
	error = read(read_context, path, &content);
	if (error != 0)
		good = conf_fail(why, path, 0, "could not load file \"%.1000s\": %s", path,
		                 os_error_text(error, reason, sizeof(reason)));
	else
		good = parse_file(&parser, path, content.data, content.len);
	conf_forget(&content);
	return good;
}
