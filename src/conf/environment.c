/*
 * A configuration from environment variables:
 *
 *   variables_read ─> find_mounted ─> images_choose, images_make ─> config_load, which reads the texts ─> place_all
 *
 * Any thread.
 */
#include "conf/environment.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/entries.h"
#include "conf/images.h"
#include "conf/mask.h"
#include "conf/variables.h"
#include "os/error.h"

/* Where images look for a file that is mounted; ours first. */
static const char *const ini_paths[] = {ENVIRONMENT_INI, "/bitnami/pgbouncer/conf/pgbouncer.ini",
                                        "/opt/bitnami/pgbouncer/conf/pgbouncer.ini", NULL};
static const char *const users_paths[] = {ENVIRONMENT_USERS, "/bitnami/pgbouncer/conf/userlist.txt",
                                          "/opt/bitnami/pgbouncer/conf/userlist.txt", NULL};

/* One of the two files. */
struct place {
	char *path;         /* where it stands, or would */
	struct str content; /* of the mounted file */
	bool is_mounted;
	bool was_read; /* by the loader */
};

struct environment_made {
	const struct environment *e;
	struct variables variables;
	struct place ini, users;
	struct image_texts texts;
};

/* ---- mounted files ---- */

/* A directory in place of the file is what Docker makes when there is nothing to be mounted. */
static void fail_mounted(struct environment_made *m, const char *path, int error)
{
	char reason[128];

	variables_fail(&m->variables, "could not read file \"%.1000s\": %s", path,
	               os_error_text(error, reason, sizeof(reason)));
	if (error == EISDIR)
		variables_hint(&m->variables,
		               "Docker makes a directory where the file to be mounted is not on the host: look at its "
		               "path there.");
	else if (error == EACCES)
		variables_hint(&m->variables, "Let the account that the container runs as read it.");
}

/* Reads the first of these files that is there. False when out of memory. */
static bool find_mounted(struct environment_made *m, struct place *place, const char *const *paths)
{
	for (size_t i = 0; paths[i] != NULL && !place->is_mounted; i++) {
		int error = m->e->read(m->e->context, paths[i], &place->content);

		if (error == 0) {
			place->is_mounted = true;
			place->path = mem_copy_str(paths[i]);
			return place->path != NULL;
		}
		conf_forget(&place->content);
		if (error == ENOMEM)
			return false;
		if (error != ENOENT && error != ENOTDIR)
			fail_mounted(m, paths[i], error);
	}
	place->path = mem_copy_str(paths[0]);
	return place->path != NULL;
}

/* The user list that a variable names, as the loader looks for it. */
static bool find_named(struct environment_made *m, const char *name)
{
	int error = conf_read_near(m->e->read, m->e->context, name, m->ini.path, &m->users.content, &m->users.path);

	m->users.is_mounted = error == 0;
	if (error == 0)
		return true;
	conf_forget(&m->users.content);
	/* what else is wrong with it, the loader says */
	if (error != ENOMEM)
		m->users.path = mem_copy_str(name);
	return m->users.path != NULL;
}

/* The variable that names the user list, if it counts. */
static const struct variable *auth_file_variable(struct environment_made *m)
{
	for (unsigned i = 0; !m->ini.is_mounted && i < m->variables.n; i++)
		if (m->variables.all[i].use == USE_SETTING && m->variables.all[i].setting == SETTING_auth_file)
			return &m->variables.all[i];
	return NULL;
}

static bool find_users(struct environment_made *m, enum image image, bool *is_named)
{
	const struct variable *named = auth_file_variable(m);

	*is_named = named != NULL && image != IMAGE_EDOBURU;
	return named != NULL ? find_named(m, named->value) : find_mounted(m, &m->users, users_paths);
}

/* ---- making ---- */

/* True if the texts of the user list are to be read behind those of the file. */
static bool has_made_users(const struct environment_made *m)
{
	return m->texts.users.text.len > 0;
}

static bool make(struct environment_made *m)
{
	struct image_frame frame;
	enum image image;
	bool is_named;

	if (!variables_read(&m->variables, m->e) || !find_mounted(m, &m->ini, ini_paths))
		return false;
	image = images_choose(&m->variables, !m->ini.is_mounted);
	if (!find_users(m, image, &is_named))
		return false;
	memset(&frame, 0, sizeof(frame));
	frame.mounted_ini = m->ini.is_mounted ? m->ini.path : NULL;
	frame.users_path = m->users.path;
	/* edoburu/pgbouncer adds its user to the file; with the others a file that is named is all there is */
	frame.adds_users = image == IMAGE_EDOBURU;
	if (m->users.is_mounted)
		frame.mounted_users = str_text(&m->users.content);
	else if (is_named)
		frame.mounted_users = "";
	frame.can_write = m->e->can_write;
	return images_make(&m->variables, image, &frame, &m->texts);
}

struct environment_made *environment_make(const struct environment *e)
{
	struct environment_made *m = mem_new(struct environment_made);

	if (m == NULL)
		return NULL;
	m->e = e;
	str_init(&m->ini.content, CONF_MAX_FILE_BYTES);
	str_init(&m->users.content, CONF_MAX_FILE_BYTES);
	if (make(m))
		return m;
	environment_free(m);
	return NULL;
}

void environment_free(struct environment_made *m)
{
	if (m == NULL)
		return;
	variables_fini(&m->variables);
	image_texts_fini(&m->texts);
	conf_forget(&m->ini.content);
	conf_forget(&m->users.content);
	mem_free(m->ini.path);
	mem_free(m->users.path);
	mem_free(m);
}

const struct conf_error *environment_error(const struct environment_made *m, unsigned i)
{
	return i < m->variables.errors.n ? &m->variables.errors.at[i] : NULL;
}

/* ---- reading ---- */

static int give(struct str *out, const struct str *first, const struct str *second)
{
	str_add(out, str_text(first), first->len);
	if (second != NULL && first->len > 0 && first->data[first->len - 1] != '\n')
		str_add_char(out, '\n');
	if (second != NULL)
		str_add(out, str_text(second), second->len);
	return out->failed ? ENOMEM : 0;
}

int environment_read(void *context, const char *path, struct str *out)
{
	struct environment_made *m = (struct environment_made *)context;

	if (strcmp(path, m->ini.path) == 0) {
		m->ini.was_read = true;
		return give(out, m->ini.is_mounted ? &m->ini.content : &m->texts.ini.text, NULL);
	}
	if (strcmp(path, m->users.path) == 0 && (m->users.is_mounted || has_made_users(m))) {
		m->users.was_read = true;
		return give(out, &m->users.content, &m->texts.users.text);
	}
	return m->e->read(m->e->context, path, out);
}

const char *environment_path(const struct environment_made *m)
{
	return m->ini.path;
}

bool environment_has_path(const char *path)
{
	for (size_t i = 0; path != NULL && ini_paths[i] != NULL; i++)
		if (strcmp(path, ini_paths[i]) == 0)
			return true;
	return false;
}

/* ---- from lines to variables ---- */

/* The variables that line `line` was made from; "" if it was not made from any. */
static const char *origin_of(const struct made_text *text, unsigned line)
{
	return line >= 1 && line <= text->from.n ? text->from.text[line - 1] : "";
}

static unsigned count_lines(const struct str *content)
{
	unsigned n = 0;

	for (size_t i = 0; i < content->len; i++)
		n += content->data[i] == '\n' || i + 1 == content->len;
	return n;
}

static const char *origin_at(const struct environment_made *m, const char *path, unsigned line)
{
	if (path == NULL)
		return "";
	if (!m->ini.is_mounted && strcmp(path, m->ini.path) == 0)
		return origin_of(&m->texts.ini, line);
	if (strcmp(path, m->users.path) == 0 && line > count_lines(&m->users.content))
		return origin_of(&m->texts.users, line - count_lines(&m->users.content));
	return "";
}

/* Takes `part` out of `text`. */
static void cut(char *text, const char *part)
{
	char *at = strstr(text, part);

	if (at != NULL)
		memmove(at, at + strlen(part), strlen(at + strlen(part)) + 1);
}

void environment_place(const struct environment_made *m, struct conf_error *why)
{
	const char *names = origin_at(m, why->file, why->line);
	char text[sizeof(why->text)], place[sizeof(why->file) + 32];

	if (names[0] == '\0')
		return;
	cut(why->text, conf_place(why->file, why->line).text);
	snprintf(place, sizeof(place), " (%s:%u)", why->file, why->line);
	cut(why->text, place);
	snprintf(text, sizeof(text), "%s", why->text);
	snprintf(why->text, sizeof(why->text), "environment variable %.200s: %.500s", names, text);
	why->file[0] = '\0';
	why->line = 0;
}

/* Remarks of the loader name lines, too: here that of the variable comes in their place. */
static bool place_notices(const struct environment_made *m, struct config *c)
{
	const struct conf_texts *from = &m->texts.ini.from;

	for (unsigned i = 0; !m->ini.is_mounted && i < c->notices.n; i++) {
		for (unsigned line = 1; line <= from->n; line++) {
			struct conf_place place = conf_place(m->ini.path, line);
			char *fresh;
			struct str text;

			if (from->text[line - 1][0] == '\0' || strstr(c->notices.text[i], place.text) == NULL)
				continue;
			cut(c->notices.text[i], place.text);
			str_init(&text, 64 * 1024);
			str_printf(&text, "environment variable %s: %s", from->text[line - 1], c->notices.text[i]);
			fresh = str_take(&text);
			if (fresh == NULL)
				return false;
			mem_free(c->notices.text[i]);
			c->notices.text[i] = fresh;
			break;
		}
	}
	return true;
}

/* The variable's name in place of a path, for verdicts that say where something is configured. */
static bool place_database(const struct environment_made *m, struct conf_database *d)
{
	const char *names = origin_at(m, d->file, d->line);
	struct str text;
	char *place;

	if (names[0] == '\0')
		return true;
	str_init(&text, 64 * 1024);
	str_printf(&text, "environment variable %s", names);
	place = str_take(&text);
	if (place == NULL)
		return false;
	mem_free(d->file);
	d->file = place;
	d->line = 0;
	return true;
}

static bool place_login(const struct environment_made *m, struct conf_login *l)
{
	const char *names = origin_at(m, m->users.path, l->line);

	if (names[0] == '\0' || l->line == 0)
		return true;
	l->variable = mem_copy_str(names);
	return l->variable != NULL;
}

/* edoburu/pgbouncer makes DB_USER auth_user, whether anybody wants lookups or not; who says more about them does. */
static void mark_usual(const struct environment_made *m, struct config *c)
{
	const struct settings *s = &c->settings;
	const char *standard = setting_default(SETTING_auth_query);

	if (m->ini.is_mounted || m->texts.image != IMAGE_EDOBURU || s->auth_dbname != NULL ||
	    (s->auth_user != NULL && s->auth_user[0] != '\0') || s->auth_query == NULL ||
	    strcmp(s->auth_query, standard) != 0)
		return;
	for (unsigned i = 0; i < c->entries->databases.n; i++)
		((struct conf_database *)c->entries->databases.at[i])->is_auth_user_usual = true;
}

/* `c` is nobody else's yet. */
static bool place_all(const struct environment_made *m, struct config *c)
{
	const struct conf_entries *entries = c->entries;

	for (unsigned i = 0; i < entries->databases.n; i++)
		if (!place_database(m, (struct conf_database *)entries->databases.at[i]))
			return false;
	for (unsigned i = 0; m->users.was_read && i < entries->logins.n; i++)
		if (!place_login(m, (struct conf_login *)entries->logins.at[i]))
			return false;
	return place_notices(m, c);
}

/* ---- loading ---- */

static bool add_notices(struct environment_made *m, struct config *c)
{
	const struct conf_texts *notices = &m->variables.notices;

	for (unsigned i = 0; i < notices->n; i++)
		if (!texts_add(&c->notices, "%s", notices->text[i]))
			return false;
	if (!m->ini.is_mounted || m->users.was_read || !has_made_users(m))
		return true;
	return texts_add(&c->notices,
	                 "users of environment variables have no effect, because %.200s has another "
	                 "auth_file, or none",
	                 m->ini.path);
}

struct config *environment_load(struct environment_made *m, const struct config *running, struct conf_error *why)
{
	const struct variable_errors *errors = &m->variables.errors;
	struct config *c;

	if (errors->n > 0) {
		*why = errors->at[0];
		return NULL;
	}
	m->users.was_read = false;
	c = config_load(m->ini.path, running, environment_read, m, why);
	if (c == NULL) {
		environment_place(m, why);
		return NULL;
	}
	c->is_file_made = !m->ini.is_mounted;
	c->is_http_optional = m->texts.is_http_standard;
	c->is_user_list_made = m->users.was_read && !m->users.is_mounted;
	mark_usual(m, c);
	if (place_all(m, c) && add_notices(m, c))
		return c;
	(void)conf_fail_memory(why, NULL, 0);
	config_unref(c);
	return NULL;
}

struct config *config_from_environment(const struct environment *e, const struct config *running,
                                       struct conf_error *why)
{
	struct environment_made *m = environment_make(e);
	struct config *c = NULL;

	if (m == NULL)
		(void)conf_fail_memory(why, NULL, 0);
	else
		c = environment_load(m, running, why);
	environment_free(m);
	return c;
}

/* ---- showing ---- */

void environment_describe(const struct environment_made *m, const struct config *c, struct str *out)
{
	int port = c->settings.listen_port;

	if (m->ini.is_mounted)
		str_printf(out, "configuration from the file %s, port %d", m->ini.path, port);
	else
		str_printf(out, "configuration from environment variables, by the conventions of %s, port %d",
		           image_name(m->texts.image), port);
	if (m->users.was_read && m->users.is_mounted)
		str_printf(out, "; users from the file %s", m->users.path);
}

static const char *ini_origin(void *context, unsigned line)
{
	const struct environment_made *m = (const struct environment_made *)context;

	return origin_at(m, m->ini.path, line);
}

static const char *users_origin(void *context, unsigned line)
{
	const struct environment_made *m = (const struct environment_made *)context;

	return origin_of(&m->texts.users, line);
}

void environment_show(const struct environment_made *m, struct str *out)
{
	const struct str *ini = m->ini.is_mounted ? &m->ini.content : &m->texts.ini.text;

	str_printf(out, "; %s%s\n", m->ini.path, m->ini.is_mounted ? ", mounted" : "");
	mask_ini(str_text(ini), ini->len, ini_origin, (void *)(uintptr_t)m, out);
	if (!m->users.is_mounted && !has_made_users(m))
		return;
	str_printf(out, "\n; %s%s\n", m->users.path, m->users.is_mounted ? ", mounted" : "");
	mask_userlist(str_text(&m->users.content), m->users.content.len, NULL, NULL, out);
	mask_userlist(str_text(&m->texts.users.text), m->texts.users.text.len, users_origin, (void *)(uintptr_t)m, out);
}
