/* Reads the lines of HBA and ident files, and of what they include. Any thread. */
#include "auth/rule_lines.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "os/directory.h"
#include "os/error.h"
#include "os/file.h"

#define SHOWN_BYTES 120 /* of a broken line */

struct rule_reader {
	const struct conf_source *source;
	const char *kind;
	rule_take *take;
	void *context;
	struct conf_error *why;
	unsigned n_files;
	int depth;
};

static bool read_file(struct rule_reader *r, const char *path, const char *content, size_t len);

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

static const char *skip_blanks(const char *at)
{
	while (is_blank(*at))
		at++;
	return at;
}

/* ---- what is wrong ---- */

bool rule_line_fail(struct rule_line *l, const char *fmt, ...)
{
	struct rule_reader *r = l->reader;
	const char *from = skip_blanks(l->text);
	size_t shown = l->at > from ? (size_t)(l->at - from) : 0;
	char what[400];
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	while (shown > 0 && is_blank(from[shown - 1]))
		shown--;
	if (shown == 0)
		return conf_fail(r->why, l->file, l->number, "broken %s file (%.1000s:%u): %s", r->kind, l->file,
		                 l->number, what);
	return conf_fail(r->why, l->file, l->number, "broken %s file (%.1000s:%u): %s, in \"%.*s%s\"", r->kind, l->file,
	                 l->number, what, (int)(shown < SHOWN_BYTES ? shown : SHOWN_BYTES), from,
	                 shown > SHOWN_BYTES ? "..." : "");
}

bool rule_line_hint(struct rule_line *l, const char *hint)
{
	conf_hint(l->reader->why, "%s", hint);
	return false;
}

bool rule_line_no_memory(struct rule_line *l)
{
	return conf_fail_memory(l->reader->why, l->file, l->number);
}

struct conf_error *rule_line_why(struct rule_line *l)
{
	return l->reader->why;
}

/* ---- fields ---- */

void rule_field_fini(struct rule_field *field)
{
	for (unsigned i = 0; i < field->n; i++)
		mem_free(field->words[i].text);
	mem_free(field->words);
	memset(field, 0, sizeof(*field));
}

bool rule_word_is(const struct rule_word *word, const char *keyword)
{
	return !word->quoted && strcmp(word->text, keyword) == 0;
}

/* Takes the text, also on failure; NULL is out of memory. */
static bool add_word(struct rule_line *l, struct rule_field *field, char *text, bool quoted)
{
	if (text != NULL && field->n == RULE_MAX_WORDS) {
		mem_free(text);
		return rule_line_fail(l, "there are more than %d names in a field", RULE_MAX_WORDS);
	}
	if (text != NULL && field->n == field->capacity) {
		unsigned capacity = field->capacity == 0 ? 4 : field->capacity * 2;
		struct rule_word *words =
		    (struct rule_word *)mem_resize(field->words, capacity * sizeof(field->words[0]));

		if (words == NULL) {
			mem_free(text);
			return rule_line_no_memory(l);
		}
		field->words = words;
		field->capacity = capacity;
	}
	if (text == NULL)
		return rule_line_no_memory(l);
	field->words[field->n++] = (struct rule_word){text, quoted};
	return true;
}

/* The end of the word at `at`: an unquoted blank or comma. NULL: a quote is not closed. */
static const char *end_of_word(const char *at)
{
	bool in_quotes = false;

	for (; *at != '\0' && (in_quotes || (!is_blank(*at) && *at != ',')); at++)
		if (*at == '"')
			in_quotes = !in_quotes;
	return in_quotes ? NULL : at;
}

/* A copy of a word whose quotes are closed, without them. */
static char *unquoted(const char *from, const char *end)
{
	char *copy = (char *)mem_alloc((size_t)(end - from) + 1), *to = copy;
	bool in_quotes = false;

	if (copy == NULL)
		return NULL;
	for (; from < end; from++) {
		if (*from != '"') {
			*to++ = *from;
		} else if (in_quotes && from + 1 < end && from[1] == '"') {
			*to++ = '"';
			from++;
		} else {
			in_quotes = !in_quotes;
		}
	}
	*to = '\0';
	return copy;
}

static bool take_word(struct rule_line *l, struct rule_field *field)
{
	const char *from = l->at, *end = end_of_word(from);

	if (end == NULL)
		return rule_line_fail(l, "a quote is not closed");
	if (end == from) {
		(void)rule_line_fail(l, "a name is missing beside a comma");
		return rule_line_hint(l, "Names are separated by single commas; one that is a comma needs quotes.");
	}
	if ((size_t)(end - from) > RULE_MAX_WORD_BYTES)
		return rule_line_fail(l, "a name has more than %d bytes", RULE_MAX_WORD_BYTES);
	l->at = end;
	return add_word(l, field, unquoted(from, end), *from == '"');
}

enum rule_result rule_line_field(struct rule_line *l, struct rule_field *out)
{
	l->at = skip_blanks(l->at);
	if (*l->at == '\0')
		return RULE_END;
	for (;;) {
		const char *next;

		if (!take_word(l, out))
			return RULE_FAILED;
		next = skip_blanks(l->at);
		if (*next != ',')
			return RULE_GOT;
		l->at = skip_blanks(next + 1);
	}
}

bool rule_line_word(struct rule_line *l, const char *what, struct rule_field *out)
{
	switch (rule_line_field(l, out)) {
	case RULE_GOT:
		break;
	case RULE_END:
		return rule_line_fail(l, "the %s is missing", what);
	case RULE_FAILED:
		return false;
	}
	return out->n == 1 || rule_line_fail(l, "there may be only one %s", what);
}

char *rule_line_rest(struct rule_line *l)
{
	const char *from = skip_blanks(l->at);
	size_t len = strlen(from);

	l->at = from + len;
	while (len > 0 && is_blank(from[len - 1]))
		len--;
	return mem_copy(from, len);
}

/* ---- files ---- */

/* The path of a file that the line names; NULL when out of memory. */
static char *path_of(const struct rule_line *l, const char *name)
{
	if (path_is_absolute(name) || path_directory_len(l->file) == 0)
		return mem_copy_str(name);
	return conf_path_beside(l->file, name);
}

/* One more file, one level deeper. */
static bool may_enter(struct rule_line *l)
{
	struct rule_reader *r = l->reader;

	if (r->depth == RULE_MAX_INCLUDES) {
		(void)rule_line_fail(l, "files include each other more than %d levels deep", RULE_MAX_INCLUDES);
		return rule_line_hint(l, "Perhaps a file includes itself.");
	}
	if (r->n_files == RULE_MAX_FILES)
		return rule_line_fail(l, "more than %d files are included", RULE_MAX_FILES);
	r->n_files++;
	return true;
}

/* Reads a file that the line names into `content`; false: said in `why`. `*missing`: it is not there, which is not
   said; NULL: that is an error, too. */
static bool read_named(struct rule_line *l, const char *path, struct str *content, bool *missing)
{
	struct rule_reader *r = l->reader;
	int error = r->source->read(r->source->context, path, content);
	char reason[128];

	if (error == ENOENT && missing != NULL) {
		*missing = true;
		return false;
	}
	if (error == ENOMEM)
		return rule_line_no_memory(l);
	return error == 0 || rule_line_fail(l, "could not open file \"%.1000s\": %s", path,
	                                    os_error_text(error, reason, sizeof(reason)));
}

static bool include_path(struct rule_line *l, const char *path, bool *missing)
{
	struct rule_reader *r = l->reader;
	struct str content;
	bool good;

	if (!may_enter(l))
		return false;
	str_init(&content, CONF_MAX_FILE_BYTES);
	good = read_named(l, path, &content, missing);
	if (good) {
		r->depth++;
		good = read_file(r, path, content.data, content.len);
		r->depth--;
	}
	conf_forget(&content);
	return good;
}

static bool include_names(struct rule_line *l, const char *directory, char **names)
{
	for (; *names != NULL; names++) {
		struct str path;
		bool good;

		str_init(&path, CONF_MAX_FILE_BYTES);
		str_printf(&path, "%s/%s", directory, *names);
		good = path.failed ? rule_line_no_memory(l) : include_path(l, path.data, NULL);
		str_fini(&path);
		if (!good)
			return false;
	}
	return true;
}

/* Which names: as PostgreSQL. */
static bool include_directory(struct rule_line *l, const char *path)
{
	const struct conf_source *source = l->reader->source;
	char **names = NULL;
	int error = source->list(source->context, path, "*.conf", &names);
	char reason[128];
	bool good;

	if (error == ENOMEM)
		return rule_line_no_memory(l);
	if (error != 0)
		return rule_line_fail(l, "could not open directory \"%.1000s\": %s", path,
		                      os_error_text(error, reason, sizeof(reason)));
	good = include_names(l, path, names);
	directory_names_free(names);
	return good;
}

/* A line of one of the three forms. */
static bool include(struct rule_line *l, const char *directive)
{
	struct rule_field name = {0}, more = {0};
	bool missing = false, good = rule_line_word(l, "name of a file", &name);
	char *path;

	if (good && rule_line_field(l, &more) != RULE_END)
		good = rule_line_fail(l, "there is text after the name of a file");
	path = good ? path_of(l, name.words[0].text) : NULL;
	if (good && path == NULL)
		good = rule_line_no_memory(l);
	if (good && strcmp(directive, "include_dir") == 0)
		good = include_directory(l, path);
	else if (good && strcmp(directive, "include_if_exists") == 0)
		good = include_path(l, path, &missing) || missing;
	else if (good)
		good = include_path(l, path, NULL);
	mem_free(path);
	rule_field_fini(&more);
	rule_field_fini(&name);
	return good;
}

/* ---- "@file" ---- */

static bool expand_into(struct rule_line *l, const struct rule_field *from, struct rule_field *to);

/* All words of a file's line. `l` is that line. */
static bool expand_line(struct rule_line *l, struct rule_field *to)
{
	enum rule_result result;

	do {
		struct rule_field field = {0};

		result = rule_line_field(l, &field);
		if (result == RULE_GOT && !expand_into(l, &field, to))
			result = RULE_FAILED;
		rule_field_fini(&field);
	} while (result == RULE_GOT);
	return result == RULE_END;
}

static bool take_names(void *context, struct rule_line *line)
{
	return expand_line(line, (struct rule_field *)context);
}

static bool expand_file(struct rule_line *l, const char *name, struct rule_field *to)
{
	struct rule_reader *r = l->reader, names = *r;
	char *path = path_of(l, name);
	bool good = path != NULL || rule_line_no_memory(l);

	names.take = take_names;
	names.context = to;
	if (good) {
		struct rule_line inner = *l;

		inner.reader = &names;
		good = include_path(&inner, path, NULL);
	}
	r->n_files = names.n_files;
	mem_free(path);
	return good;
}

static bool expand_into(struct rule_line *l, const struct rule_field *from, struct rule_field *to)
{
	for (unsigned i = 0; i < from->n; i++) {
		const struct rule_word *word = &from->words[i];
		bool is_file = !word->quoted && word->text[0] == '@' && word->text[1] != '\0';

		if (is_file ? !expand_file(l, word->text + 1, to)
		            : !add_word(l, to, mem_copy_str(word->text), word->quoted))
			return false;
	}
	return true;
}

bool rule_field_expand(struct rule_line *l, struct rule_field *field)
{
	struct rule_field expanded = {0};

	if (!expand_into(l, field, &expanded)) {
		rule_field_fini(&expanded);
		return false;
	}
	rule_field_fini(field);
	*field = expanded;
	return true;
}

/* ---- lines ---- */

/* Cuts the comment off. */
static void cut_comment(char *text)
{
	bool in_quotes = false;

	for (; *text != '\0'; text++) {
		if (*text == '"')
			in_quotes = !in_quotes;
		if (*text == '#' && !in_quotes)
			break;
	}
	*text = '\0';
}

static bool take_line(struct rule_line *l)
{
	static const char *const directives[] = {"include", "include_if_exists", "include_dir"};

	l->at = skip_blanks(l->text);
	if (*l->at == '\0')
		return true;
	for (size_t i = 0; i < sizeof(directives) / sizeof(directives[0]); i++) {
		size_t len = strlen(directives[i]);

		if (strncmp(l->at, directives[i], len) != 0 || (l->at[len] != '\0' && !is_blank(l->at[len])))
			continue;
		l->at += len;
		return include(l, directives[i]);
	}
	return l->reader->take(l->reader->context, l);
}

/* A line with those that are joined to it. */
struct joined {
	struct str text;
	size_t len; /* as it should be: `text` may have failed */
	unsigned n; /* lines of the file */
};

/* Adds one line of the file; true if the next one belongs to it. */
static bool add_physical(struct joined *j, const char *from, const char *stop)
{
	bool more;

	if (stop > from && stop[-1] == '\r')
		stop--;
	more = stop > from && stop[-1] == '\\';
	if (more)
		stop--;
	str_add(&j->text, from, (size_t)(stop - from));
	j->len += (size_t)(stop - from);
	j->n++;
	return more;
}

/* *at moves behind what is joined. */
static void join(const char **at, const char *end, struct joined *j)
{
	bool more = true;

	while (more && *at < end) {
		const char *newline = (const char *)memchr(*at, '\n', (size_t)(end - *at));
		const char *stop = newline == NULL ? end : newline;

		more = add_physical(j, *at, stop);
		*at = newline == NULL ? end : newline + 1;
	}
}

static bool read_line(struct rule_reader *r, const char *path, unsigned number, struct joined *j)
{
	struct str *text = &j->text;
	struct rule_line l = {r, path, number, str_text(text), str_text(text)};

	l.text = l.at = text->failed ? "" : l.text;
	if (j->len > RULE_MAX_LINE_BYTES)
		return rule_line_fail(&l, "the line has more than %d bytes", RULE_MAX_LINE_BYTES);
	if (text->failed)
		return rule_line_no_memory(&l);
	if (memchr(str_text(text), '\0', text->len) != NULL)
		return rule_line_fail(&l, "there is a zero byte");
	if (text->len > 0)
		cut_comment(text->data);
	return take_line(&l);
}

static bool read_file(struct rule_reader *r, const char *path, const char *content, size_t len)
{
	const char *at = content, *end;
	unsigned number = 1;
	size_t skip;

	if (len == 0)
		return true;
	end = content + len;
	if (!conf_text_begin(content, len, path, &skip, r->why))
		return false;
	at += skip;
	while (at < end) {
		struct joined j = {.n = 0};
		bool good;

		str_init(&j.text, RULE_MAX_LINE_BYTES);
		join(&at, end, &j);
		good = read_line(r, path, number, &j);
		conf_forget(&j.text);
		if (!good)
			return false;
		number += j.n;
	}
	return true;
}

bool rule_lines_read(const struct conf_source *source, const char *kind, const char *name, const char *beside,
                     rule_take *take, void *context, struct conf_error *why)
{
	struct rule_reader r = {source, kind, take, context, why, 1, 0};
	struct str content;
	char *path = NULL, reason[128];
	int error;
	bool good;

	str_init(&content, CONF_MAX_FILE_BYTES);
	error = conf_read_near(source->read, source->context, name, beside == NULL ? "" : beside, &content, &path);
	if (error == ENOMEM)
		good = conf_fail_memory(why, name, 0);
	else if (error != 0)
		good = conf_fail(why, name, 0, "could not open %s config file %.1000s: %s", kind, name,
		                 os_error_text(error, reason, sizeof(reason)));
	else
		good = read_file(&r, path, content.data, content.len);
	mem_free(path);
	conf_forget(&content);
	return good;
}
