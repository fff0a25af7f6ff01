/*
 * Every wrong line of a file that was refused. The loader stops at the first; here the same parsers look at each line
 * by itself, and what they make is thrown away. Main thread.
 */
#include <stdio.h>
#include <string.h>

#include "conf/entry.h"
#include "conf/file.h"
#include "main/check_offline.h"

#define MOST_LINES 50 /* beyond that nobody reads on */

enum section { SECTION_PGBOUNCER, SECTION_DATABASES, SECTION_USERS, SECTION_PEERS, SECTION_OTHER };

static const char *const section_names[] = {"pgbouncer", "databases", "users", "peers"};

/* A walk over the file. */
struct walk {
	struct findings *findings;
	const struct conf_error *first;
	struct settings settings;
	enum section section;
	unsigned n;
	bool told_first;
};

static void tell(struct walk *w, const struct conf_error *why)
{
	struct finding *n;

	if (strcmp(why->text, w->first->text) == 0) {
		if (w->told_first)
			return;
		w->told_first = true;
	}
	if (w->n++ >= MOST_LINES)
		return;
	n = findings_add(w->findings, SEVERITY_ERROR, "syntax", "%s", why->text);
	if (why->hint[0] != '\0')
		finding_remedy(n, "%s", why->hint);
}

static bool on_section(void *context, const char *name, const char *file, unsigned line, struct conf_error *why)
{
	struct walk *w = (struct walk *)context;

	for (unsigned i = 0; i < SECTION_OTHER; i++) {
		if (strcmp(name, section_names[i]) == 0) {
			w->section = (enum section)i;
			return true;
		}
	}
	w->section = SECTION_OTHER;
	(void)conf_fail(why, file, line, "invalid section \"%.100s\"%s", name, conf_place(file, line).text);
	conf_hint(why, "Sections are [pgbouncer], [databases], [users] and [peers], in small letters, without blanks.");
	tell(w, why);
	return true;
}

/* True if the line is right by itself. */
static bool is_right(struct walk *w, const char *key, const char *value, const char *file, unsigned line,
                     struct conf_error *why)
{
	struct conf_database *d;
	struct conf_user *u;
	struct conf_peer *p;

	switch (w->section) {
	case SECTION_PGBOUNCER:
		return setting_parse(&w->settings, key, value, file, line, why);
	case SECTION_DATABASES:
		d = conf_database_new(key, value, file, line, why);
		conf_database_free(d);
		return d != NULL;
	case SECTION_USERS:
		u = conf_user_new(key, value, file, line, why);
		conf_user_free(u);
		return u != NULL;
	case SECTION_PEERS:
		p = conf_peer_new(key, value, file, line, why);
		conf_peer_free(p);
		return p != NULL;
	case SECTION_OTHER:
		break;
	}
	return true;
}

static bool on_value(void *context, const char *key, const char *value, const char *file, unsigned line,
                     struct conf_error *why)
{
	struct walk *w = (struct walk *)context;

	if (!is_right(w, key, value, file, line, why))
		tell(w, why);
	return true;
}

void check_syntax(struct findings *f, const char *path, conf_read *read, void *context, const struct conf_error *first)
{
	static const struct conf_file_events events = {on_section, on_value};
	struct walk w = {.findings = f, .first = first, .section = SECTION_PGBOUNCER};
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	if (settings_init(&w.settings) && !conf_file_parse(path, read, context, &events, &w, &why))
		tell(&w, &why);
	settings_fini(&w.settings);
	/* the loader also judges what no line has by itself: a missing section, the user list */
	if (!w.told_first)
		tell(&w, first);
	if (w.n > MOST_LINES)
		(void)findings_add(f, SEVERITY_ERROR, "syntax", "%u further lines are wrong", w.n - MOST_LINES);
}

void check_environment(struct findings *f, const struct environment_made *m)
{
	const struct conf_error *why;

	for (unsigned i = 0; (why = environment_error(m, i)) != NULL; i++) {
		struct finding *n = findings_add(f, SEVERITY_ERROR, "syntax", "%s", why->text);

		if (why->hint[0] != '\0')
			finding_remedy(n, "%s", why->hint);
	}
}
