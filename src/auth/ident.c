/* Reads user name maps and looks names up in them. Any thread. */
#include "auth/ident.h"

#include <string.h>

#include "auth/pattern.h"
#include "auth/rule_lines.h"
#include "base/list.h"
#include "base/mem.h"
#include "base/str.h"

#define MOST_NAME_BYTES 65536 /* after \1 is replaced */

struct entry {
	struct list node; /* map->entries */
	char *system_user;
	struct pattern *system_pattern; /* NULL: the name itself */
	char *user;
	struct pattern *user_pattern;
	bool any_user;  /* "all" */
	bool has_group; /* "\1" in `user` is what system_pattern has captured */
};

struct ident_map {
	struct list node; /* ident->maps */
	char *name;
	struct list entries;
};

struct ident {
	struct list maps;
};

static void entry_free(struct entry *e)
{
	pattern_free(e->system_pattern);
	pattern_free(e->user_pattern);
	mem_free(e->system_user);
	mem_free(e->user);
	mem_free(e);
}

static void map_free(struct ident_map *map)
{
	struct list *node, *after;

	list_each_safe (node, after, &map->entries)
		entry_free(container_of(node, struct entry, node));
	mem_free(map->name);
	mem_free(map);
}

void ident_free(struct ident *i)
{
	struct list *node, *after;

	if (i == NULL)
		return;
	list_each_safe (node, after, &i->maps)
		map_free(container_of(node, struct ident_map, node));
	mem_free(i);
}

static struct ident_map *find(const struct ident *i, const char *name)
{
	for (struct list *node = i->maps.next; node != &i->maps; node = node->next) {
		struct ident_map *map = container_of(node, struct ident_map, node);

		if (strcmp(map->name, name) == 0)
			return map;
	}
	return NULL;
}

const struct ident_map *ident_find(const struct ident *i, const char *name)
{
	return i == NULL ? NULL : find(i, name);
}

/* ---- reading ---- */

/* NULL when out of memory. */
static struct ident_map *map_of(struct ident *i, const char *name)
{
	struct ident_map *map = find(i, name);

	if (map != NULL)
		return map;
	map = mem_new(struct ident_map);
	if (map == NULL)
		return NULL;
	list_init(&map->entries);
	map->name = mem_copy_str(name);
	if (map->name == NULL) {
		mem_free(map);
		return NULL;
	}
	list_add_tail(&i->maps, &map->node);
	return map;
}

/* "/re" */
static bool read_pattern(struct rule_line *l, const char *text, struct pattern **out)
{
	char why[PATTERN_WHY_BYTES];

	if (text[0] != '/')
		return true;
	*out = pattern_new(text + 1, why);
	return *out != NULL || rule_line_fail(l, "invalid regular expression \"%.100s\": %s", text + 1, why);
}

static bool read_names(struct rule_line *l, struct entry *e, const struct rule_word *system_user,
                       const struct rule_word *user)
{
	e->system_user = mem_copy_str(system_user->text);
	e->user = mem_copy_str(user->text);
	if (e->system_user == NULL || e->user == NULL)
		return rule_line_no_memory(l);
	if (!user->quoted && user->text[0] == '+') {
		(void)rule_line_fail(l, "groups are not supported: \"%.100s\"", user->text);
		return rule_line_hint(l, "Name the users, in a line each or by a regular expression.");
	}
	if (!read_pattern(l, e->system_user, &e->system_pattern) || !read_pattern(l, e->user, &e->user_pattern))
		return false;
	e->any_user = rule_word_is(user, "all");
	e->has_group = e->system_pattern != NULL && e->user_pattern == NULL && strstr(e->user, "\\1") != NULL;
	if (e->has_group && pattern_groups(e->system_pattern) == 0)
		return rule_line_fail(l, "\\1 needs parentheses in the regular expression \"%.100s\"",
		                      e->system_user + 1);
	return true;
}

/* The entry goes to its map in any case of success; `e` is its own to free otherwise. */
static bool read_entry(struct ident *i, struct rule_line *l, const struct rule_field fields[3])
{
	struct entry *e = mem_new(struct entry);
	struct ident_map *map;

	if (e == NULL)
		return rule_line_no_memory(l);
	list_init(&e->node);
	if (!read_names(l, e, &fields[1].words[0], &fields[2].words[0])) {
		entry_free(e);
		return false;
	}
	map = map_of(i, fields[0].words[0].text);
	if (map == NULL) {
		entry_free(e);
		return rule_line_no_memory(l);
	}
	list_add_tail(&map->entries, &e->node);
	return true;
}

static bool take_line(void *context, struct rule_line *l)
{
	static const char *const names[] = {"name of the map", "system user", "database user"};
	struct rule_field fields[3] = {{0}}, more = {0};
	bool good = true;

	for (int i = 0; i < 3 && good; i++)
		good = rule_line_word(l, names[i], &fields[i]);
	if (good && rule_line_field(l, &more) != RULE_END)
		good = rule_line_fail(l, "there is text after the database user");
	if (good)
		good = read_entry((struct ident *)context, l, fields);
	for (int i = 0; i < 3; i++)
		rule_field_fini(&fields[i]);
	rule_field_fini(&more);
	return good;
}

struct ident *ident_load(const struct conf_source *source, const char *name, const char *beside, struct conf_error *why)
{
	struct ident *i = mem_new(struct ident);

	if (i == NULL) {
		(void)conf_fail_memory(why, name, 0);
		return NULL;
	}
	list_init(&i->maps);
	if (rule_lines_read(source, "ident", name, beside, take_line, i, why))
		return i;
	ident_free(i);
	return NULL;
}

/* ---- looking up ---- */

static enum ident_result same(const char *a, const char *b)
{
	return strcmp(a, b) == 0 ? IDENT_FITS : IDENT_DIFFERS;
}

static enum ident_result match(const struct pattern *p, const char *text, struct pattern_group *first)
{
	switch (pattern_match(p, text, first)) {
	case PATTERN_MATCHES:
		return IDENT_FITS;
	case PATTERN_DIFFERS:
		return IDENT_DIFFERS;
	case PATTERN_FAILED:
		break;
	}
	return IDENT_FAILED;
}

/* Whether `user` is e->user with \1 replaced. What comes in that way is a name whatever it looks like. */
static enum ident_result same_replaced(const struct entry *e, const char *system_user, const struct pattern_group *g,
                                       const char *user)
{
	const char *mark = strstr(e->user, "\\1");
	enum ident_result result;
	struct str text;

	str_init(&text, MOST_NAME_BYTES);
	str_add(&text, e->user, (size_t)(mark - e->user));
	str_add(&text, system_user + g->begin, g->end - g->begin);
	str_add_str(&text, mark + 2);
	result = text.failed ? IDENT_FAILED : same(str_text(&text), user);
	str_fini(&text);
	return result;
}

static enum ident_result check_entry(const struct entry *e, const char *system_user, const char *user)
{
	struct pattern_group group = {0, 0};
	enum ident_result result = e->system_pattern == NULL ? same(e->system_user, system_user)
	                                                     : match(e->system_pattern, system_user, &group);

	if (result != IDENT_FITS || e->any_user)
		return result;
	if (e->user_pattern != NULL)
		return match(e->user_pattern, user, NULL);
	return e->has_group ? same_replaced(e, system_user, &group, user) : same(e->user, user);
}

enum ident_result ident_check(const struct ident_map *map, const char *system_user, const char *user)
{
	enum ident_result best = IDENT_DIFFERS;

	if (map == NULL)
		return same(system_user, user);
	for (const struct list *node = map->entries.next; node != &map->entries; node = node->next) {
		enum ident_result result = check_entry(container_of_const(node, struct entry, node), system_user, user);

		if (result == IDENT_FITS)
			return result;
		if (result == IDENT_FAILED)
			best = result;
	}
	return best;
}
