/* Shows configuration files without what is secret in them. What is not understood is not shown. Any thread. */
#include "conf/mask.h"

#include <string.h>

#include "base/mem.h"
#include "conf/settings.h"

#define MASK "********"
#define HIDDEN "; a line that cannot be read is not shown\n"

enum section { SECTION_SETTINGS, SECTION_ENTRIES };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

/* A walk over one line. */
struct cursor {
	const char *at, *end;
};

static void skip_blanks(struct cursor *c)
{
	while (c->at < c->end && is_blank(*c->at))
		c->at++;
}

/* Behind a quoted text, `quote` being at the cursor; false if it is not closed. */
static bool skip_quoted(struct cursor *c, char quote)
{
	for (c->at++; c->at < c->end; c->at++) {
		if (*c->at != quote)
			continue;
		if (c->at + 1 == c->end || c->at[1] != quote) {
			c->at++;
			return true;
		}
		c->at++;
	}
	return false;
}

static bool is_word(const char *start, const char *end, const char *word)
{
	size_t len = (size_t)(end - start);

	return strlen(word) == len && strncmp(start, word, len) == 0;
}

/* "key=value key='value'" without the value of password. False: it is not of that form. */
static bool mask_pairs(struct cursor c, struct str *out)
{
	for (;;) {
		const char *start, *key_end, *value;

		start = c.at;
		skip_blanks(&c);
		str_add(out, start, (size_t)(c.at - start));
		if (c.at == c.end)
			return true;
		start = c.at;
		while (c.at < c.end && *c.at != '=' && !is_blank(*c.at))
			c.at++;
		key_end = c.at;
		skip_blanks(&c);
		if (c.at == c.end || *c.at != '=' || key_end == start)
			return false;
		c.at++;
		skip_blanks(&c);
		value = c.at;
		if (c.at < c.end && *c.at == '\'') {
			if (!skip_quoted(&c, '\'') || (c.at < c.end && !is_blank(*c.at)))
				return false;
		} else {
			while (c.at < c.end && !is_blank(*c.at))
				c.at++;
		}
		if (is_word(start, key_end, "password"))
			str_add_str(out, "password='" MASK "'");
		else {
			str_add(out, start, (size_t)(value - start));
			str_add(out, value, (size_t)(c.at - value));
		}
	}
}

static bool is_secret_setting(const char *start, const char *end)
{
	for (int id = 0; id < N_SETTINGS; id++)
		if (setting_is_secret((enum setting_id)id) && is_word(start, end, setting_name((enum setting_id)id)))
			return true;
	return false;
}

/* "key = value", the key perhaps in quotes. */
static bool mask_value(struct cursor c, enum section section, struct str *out)
{
	const char *start = c.at, *key = start, *key_end;

	if (*start == '"' || *start == '\'') {
		key++;
		if (!skip_quoted(&c, *start))
			return false;
		key_end = c.at - 1;
	} else {
		while (c.at < c.end && *c.at != '=' && !is_blank(*c.at))
			c.at++;
		key_end = c.at;
	}
	skip_blanks(&c);
	if (c.at == c.end || *c.at != '=')
		return false;
	c.at++;
	str_add(out, start, (size_t)(c.at - start));
	if (section == SECTION_ENTRIES)
		return mask_pairs(c, out);
	if (is_secret_setting(key, key_end))
		str_add_str(out, " " MASK);
	else
		str_add(out, c.at, (size_t)(c.end - c.at));
	return true;
}

/* A line that is neither empty nor a comment. */
static void mask_line(struct cursor c, enum section *section, struct str *out)
{
	struct str line;

	if (*c.at == '[') {
		*section = is_word(c.at, c.end, "[pgbouncer]") ? SECTION_SETTINGS : SECTION_ENTRIES;
		str_add(out, c.at, (size_t)(c.end - c.at));
		str_add_char(out, '\n');
		return;
	}
	if (*c.at == '%') {
		str_add(out, c.at, (size_t)(c.end - c.at));
		str_add_char(out, '\n');
		return;
	}
	str_init(&line, out->limit);
	if (mask_value(c, *section, &line) && !line.failed) {
		str_add(out, line.data, line.len);
		str_add_char(out, '\n');
	} else if (line.failed) {
		out->failed = true;
	} else {
		str_add_str(out, HIDDEN);
	}
	if (line.data != NULL)
		mem_wipe(line.data, line.capacity);
	str_fini(&line);
}

static bool is_comment(const struct cursor *c)
{
	return *c->at == ';' || *c->at == '#';
}

static void add_origin(mask_origin *from, void *context, unsigned line, struct str *out)
{
	const char *names = from == NULL ? "" : from(context, line);

	if (names[0] != '\0')
		str_printf(out, "; from %s\n", names);
}

void mask_ini(const char *text, size_t len, mask_origin *from, void *context, struct str *out)
{
	const char *end = text + len;
	enum section section = SECTION_ENTRIES;
	unsigned number = 0;

	while (text < end) {
		const char *newline = (const char *)memchr(text, '\n', (size_t)(end - text));
		struct cursor c = {text, newline == NULL ? end : newline};

		number++;
		text = c.end + 1;
		skip_blanks(&c);
		while (c.end > c.at && is_blank(c.end[-1]))
			c.end--;
		if (c.at == c.end) {
			str_add_char(out, '\n');
		} else if (!is_comment(&c)) {
			add_origin(from, context, number, out);
			mask_line(c, &section, out);
		}
	}
}

void mask_userlist(const char *text, size_t len, mask_origin *from, void *context, struct str *out)
{
	const char *end = text + len;
	unsigned number = 0;

	while (text < end) {
		const char *newline = (const char *)memchr(text, '\n', (size_t)(end - text)), *name;
		struct cursor c = {text, newline == NULL ? end : newline};

		number++;
		text = c.end + 1;
		skip_blanks(&c);
		if (c.at == c.end || is_comment(&c))
			continue;
		add_origin(from, context, number, out);
		name = c.at;
		if (*c.at != '"' || !skip_quoted(&c, '"')) {
			str_add_str(out, HIDDEN);
			continue;
		}
		str_add(out, name, (size_t)(c.at - name));
		str_add_str(out, " \"" MASK "\"\n");
	}
}
