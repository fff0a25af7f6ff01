/*
 * Makes a pgbouncer.ini and a user list of environment variables, as the images do that people know:
 *
 *   images_choose ─> images_make ─┬─> make_image ─┬─> entry_begin, entry_pair…, entry_end   a line of [databases]
 *                                 │               └─> add_login                             a line of the list
 *                                 └─> add_settings                                          [pgbouncer]
 *
 * Each value is tried alone with the parsers that read files, so that its variable can be named. Any thread.
 */
#include "conf/images.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/entries.h"
#include "conf/entry.h"
#include "conf/userlist.h"
#include "conf/value.h"
#include "conf/variable_url.h"

#define MAX_TEXT (16 * 1024 * 1024) /* bytes of one file */
#define MAX_LINE (1024 * 1024)
#define MAX_FROM 2000  /* of a line; what a remark holds */
#define MAX_NAMES 1500 /* bytes of names in one remark */

/* Texts being made. */
struct work {
	struct variables *v;
	enum image image;
	const struct image_frame *frame;
	struct image_texts *out;

	/* the line of [databases] that is being made */
	const char *entry;
	struct str line, from;
	const struct variable *last_from;
	struct conf_texts entries; /* names of those before it */

	struct conf_login **logins; /* made so far; owned */
	unsigned n_logins;
	struct conf_texts mounted_users; /* names in the user list that is there */
	struct settings scratch;         /* where values of settings are tried */
};

/* ---- lines ---- */

static bool is_control(char c)
{
	return (unsigned char)c < ' ' || c == 0x7f;
}

/* No line of a file can hold line ends. */
static bool is_one_line(struct work *w, const struct variable *variable, const char *value)
{
	for (const char *c = value; *c != '\0'; c++) {
		if (!is_control(*c) || *c == '\t')
			continue;
		variable_fail(w->v, variable, "there is a %s in the value",
		              *c == '\n' || *c == '\r' ? "line break" : "control character");
		variables_hint(w->v, "Write the value on one line; a line break at its end often comes from \"echo\" "
		                     "without -n.");
		return false;
	}
	return true;
}

/* Adds a line that ends without a newline. False when out of memory. */
static bool add_line(struct made_text *to, const char *line, const char *from)
{
	str_add_str(&to->text, line);
	str_add_char(&to->text, '\n');
	return !to->text.failed && texts_add(&to->from, "%s", from);
}

static void add_quoted(struct str *out, char quote, const char *text)
{
	str_add_char(out, quote);
	for (; *text != '\0'; text++) {
		if (*text == quote)
			str_add_char(out, quote);
		str_add_char(out, *text);
	}
	str_add_char(out, quote);
}

static bool has_text(const struct conf_texts *texts, const char *text)
{
	for (unsigned i = 0; i < texts->n; i++)
		if (strcmp(texts->text[i], text) == 0)
			return true;
	return false;
}

/* ---- lines of [databases] ---- */

static bool wants_ini(const struct work *w)
{
	return w->frame->mounted_ini == NULL;
}

static void made_from(struct work *w, struct variable *variable)
{
	if (variable == NULL || variable == w->last_from)
		return;
	variable->used = true;
	w->last_from = variable;
	str_printf(&w->from, "%s%s", w->from.len == 0 ? "" : ", ", variable->said);
}

/* Tries a part of a line alone. False: it is wrong, which has been noted. */
static bool try_entry(struct work *w, const struct variable *variable, const char *name, const char *value)
{
	struct conf_error why;
	struct conf_database *d;

	memset(&why, 0, sizeof(why));
	d = conf_database_new(name, value, NULL, 0, &why);
	if (d == NULL && variable != NULL)
		variable_fail_as(w->v, variable, &why);
	else if (d == NULL)
		variables_fail(w->v, "%s", why.text);
	conf_database_free(d);
	return d != NULL;
}

/* `from` may be NULL: a default. `name` must stay until entry_end. */
static bool entry_begin(struct work *w, const char *name, struct variable *from)
{
	str_clear(&w->line);
	str_clear(&w->from);
	w->last_from = NULL;
	made_from(w, from);
	add_quoted(&w->line, '"', name);
	str_add_str(&w->line, " =");
	/* what is wrong with the name is said once, not with each key */
	w->entry = "*";
	if (from != NULL && (!is_one_line(w, from, name) || !try_entry(w, from, name, "")))
		return true;
	w->entry = name;
	if (has_text(&w->entries, name) &&
	    !texts_add(&w->v->notices,
	               "database \"%s\" is defined more than once in environment variables: the last one counts", name))
		return false;
	return texts_add(&w->entries, "%s", name);
}

static void entry_pair(struct work *w, const char *key, const char *value, struct variable *from)
{
	struct str pair;

	made_from(w, from);
	if (from != NULL && !is_one_line(w, from, value))
		return;
	str_init(&pair, MAX_LINE);
	str_printf(&pair, " %s=", key);
	add_quoted(&pair, '\'', value);
	if (pair.failed)
		w->line.failed = true;
	else if (from == NULL || try_entry(w, from, w->entry, str_text(&pair)))
		str_add(&w->line, pair.data, pair.len);
	conf_forget(&pair);
}

static bool entry_end(struct work *w)
{
	return !w->line.failed && !w->from.failed && add_line(&w->out->ini, str_text(&w->line), str_text(&w->from));
}

/* What is set, else what the row says. */
static const char *value_of(struct work *w, const char *name, struct variable **from)
{
	*from = variables_find(w->v, name);
	return *from != NULL ? (*from)->value : variable_row_of(name)->standard;
}

/* The keys that an image has variables for; `host` and so on when the image's function did not say them itself. */
static void entry_rows(struct work *w, enum image image)
{
	const struct variable_row *row;
	struct variable *from;

	for (unsigned i = 0; (row = variable_row_at(i)) != NULL; i++) {
		const char *value;

		if (row->image != image || row->use != USE_KEY)
			continue;
		value = value_of(w, row->name, &from);
		if (value != NULL)
			entry_pair(w, row->target, value, from);
	}
}

/* Whole lines, "name = host=…": from a variable with one, or several. */
static bool raw_entry(struct work *w, struct variable *from, char *text)
{
	char *name = text + strspn(text, " \t"), *end, *value;
	char quote = *name == '"' || *name == '\'' ? *name : '\0';

	if (quote != '\0') {
		char *to = ++name;

		for (end = name; *end != '\0' && (*end != quote || (quote == '"' && end[1] == quote)); end++) {
			end += *end == quote ? 1 : 0;
			*to++ = *end;
		}
		value = *end == '\0' ? end : end + 1 + strspn(end + 1, " \t");
		*to = '\0';
	} else {
		value = name + strcspn(name, "=");
		for (end = value; end > name && (end[-1] == ' ' || end[-1] == '\t'); end--)
			;
	}
	if (*value != '=' || end == name) {
		variable_fail(w->v, from, "a line of [databases] is expected");
		variables_hint(w->v, "The form is: name=host=db port=5432 dbname=app");
		return true;
	}
	if (quote == '\0')
		*end = '\0';
	if (!is_one_line(w, from, name) || !is_one_line(w, from, value + 1) || !try_entry(w, from, name, value + 1))
		return true;
	if (!entry_begin(w, name, from))
		return false;
	str_add_char(&w->line, ' ');
	str_add_str(&w->line, value + 1 + strspn(value + 1, " \t"));
	return entry_end(w);
}

static bool raw_entry_copy(struct work *w, struct variable *from, const char *text, size_t len)
{
	char *copy = mem_copy(text, len);
	bool good;

	if (copy == NULL)
		return false;
	good = raw_entry(w, from, copy);
	mem_wipe(copy, len);
	mem_free(copy);
	return good;
}

/* PGBOUNCER_DSN_0 and so on, in the order of their numbers. */
static bool numbered_entries(struct work *w)
{
	for (long long last = -1;;) {
		struct variable *next = NULL;

		for (unsigned i = 0; i < w->v->n; i++) {
			struct variable *variable = &w->v->all[i];

			if (variable->is_numbered && (long long)variable->number > last &&
			    (next == NULL || variable->number < next->number))
				next = variable;
		}
		if (next == NULL)
			return true;
		last = next->number;
		if (next->value[0] != '\0' && !raw_entry_copy(w, next, next->value, strlen(next->value)))
			return false;
	}
}

/* True if a name and "=" follow: a new line begins, not a further host. */
static bool begins_entry(const char *at)
{
	at += strspn(at, " \t");
	if (*at == '"' || *at == '\'')
		return true;
	at += strcspn(at, " \t=,\n");
	at += strspn(at, " \t");
	return *at == '=';
}

/* DATABASES: lines with commas or line ends between. */
static bool listed_entries(struct work *w, struct variable *from)
{
	const char *at = from->value;

	while (*at != '\0') {
		const char *end = at + strspn(at, " \t\r\n,");
		size_t len;

		at = end;
		while (*end != '\0' && *end != '\n' && !(*end == ',' && begins_entry(end + 1)))
			end++;
		len = (size_t)(end - at);
		while (len > 0 && strchr(" \t\r,", at[len - 1]) != NULL)
			len--;
		if (len > 0 && !raw_entry_copy(w, from, at, len))
			return false;
		at = end;
	}
	return true;
}

/* ---- the user list ---- */

static struct conf_login *find_login(struct work *w, const char *name)
{
	for (unsigned i = 0; i < w->n_logins; i++)
		if (strcmp(w->logins[i]->name, name) == 0)
			return w->logins[i];
	return NULL;
}

static bool keep_login(struct work *w, const char *name, const char *password)
{
	struct conf_login **grown =
	    (struct conf_login **)mem_resize(w->logins, (w->n_logins + 1) * sizeof(struct conf_login *));

	if (grown == NULL)
		return false;
	w->logins = grown;
	grown[w->n_logins] = conf_login_new(name, password);
	if (grown[w->n_logins] == NULL)
		return false;
	w->n_logins++;
	return true;
}

/* What the list can hold. */
static bool check_login(struct work *w, const struct variable *name_from, const char *name,
                        const struct variable *password_from, const char *password)
{
	if (name_from != NULL && !is_one_line(w, name_from, name))
		return false;
	if (name_from != NULL && strlen(name) > CONF_MAX_USER_NAME) {
		variable_fail(w->v, name_from, "the user name is too long: more than %d bytes", CONF_MAX_USER_NAME);
		return false;
	}
	if (strlen(password) > CONF_MAX_PASSWORD) {
		variable_fail(w->v, password_from, "the password is too long: more than %d bytes", CONF_MAX_PASSWORD);
		return false;
	}
	return is_one_line(w, password_from, password);
}

/* `name_from` is NULL when the name is the default. */
static bool add_login(struct work *w, struct variable *name_from, const char *name, struct variable *password_from,
                      const char *password)
{
	struct conf_login *other;
	struct str line, from;
	bool good;

	if (w->frame->mounted_users != NULL && (!w->frame->adds_users || has_text(&w->mounted_users, name)))
		return true;
	if (!check_login(w, name_from, name, password_from, password))
		return true;
	other = find_login(w, name);
	if (other != NULL) {
		if (strcmp(other->secret, password) != 0) {
			variable_fail(w->v, password_from, "user \"%.127s\" has two passwords", name);
			variables_hint(w->v, "One user has one password here, in all databases.");
		}
		return true;
	}
	if (name_from != NULL)
		name_from->used = true;
	password_from->used = true;
	str_init(&line, MAX_LINE);
	str_init(&from, MAX_FROM);
	add_quoted(&line, '"', name);
	str_add_char(&line, ' ');
	add_quoted(&line, '"', password);
	str_add_str(&from, password_from->said);
	if (name_from != NULL && name_from != password_from)
		str_printf(&from, ", %s", name_from->said);
	good = !line.failed && !from.failed && keep_login(w, name, password) &&
	       add_line(&w->out->users, str_text(&line), str_text(&from));
	conf_forget(&line);
	str_fini(&from);
	return good;
}

static bool ignore_user(void *context, const char *name, const char *secret, unsigned line, struct conf_error *why)
{
	(void)context, (void)name, (void)secret, (void)line, (void)why;
	return true;
}

/* One line of PGBOUNCER_USERLIST, `text` being a copy of it. */
static bool raw_login(struct work *w, struct variable *from, const char *text, size_t len)
{
	char *copy = mem_copy(text, len), *line = mem_copy(text, len);
	struct conf_error why;
	bool good = copy != NULL && line != NULL;

	memset(&why, 0, sizeof(why));
	if (good && !userlist_parse(copy, len, from->name, ignore_user, NULL, &why))
		variable_fail_as(w->v, from, &why);
	else if (good)
		good = add_line(&w->out->users, line, from->said);
	if (copy != NULL)
		mem_wipe(copy, len);
	if (line != NULL)
		mem_wipe(line, len);
	mem_free(copy);
	mem_free(line);
	return good;
}

static bool raw_logins(struct work *w)
{
	struct variable *from = variables_find(w->v, "PGBOUNCER_USERLIST");

	if (from == NULL || w->frame->mounted_users != NULL)
		return true;
	from->used = true;
	for (const char *at = from->value; *at != '\0';) {
		size_t len = strcspn(at, "\n");

		if (len > 0 && !raw_login(w, from, at, len))
			return false;
		at += len + (at[len] == '\n' ? 1 : 0);
	}
	return true;
}

struct names {
	struct conf_texts *texts;
	bool failed; /* out of memory */
};

static bool take_name(void *context, const char *name, const char *secret, unsigned line, struct conf_error *why)
{
	struct names *names = (struct names *)context;

	(void)secret, (void)line, (void)why;
	names->failed = !texts_add(names->texts, "%s", name);
	return !names->failed;
}

/* Who is in the list that is there. What is wrong with it, the loader says. */
static bool read_mounted_users(struct work *w)
{
	const char *content = w->frame->mounted_users;
	struct names names = {&w->mounted_users, false};
	struct conf_error why;
	char *copy;
	bool is_right;

	if (content == NULL)
		return true;
	copy = mem_copy_str(content);
	if (copy == NULL)
		return false;
	memset(&why, 0, sizeof(why));
	is_right = userlist_parse(copy, strlen(content), "", take_name, &names, &why);
	mem_wipe(copy, strlen(content));
	mem_free(copy);
	return is_right || !names.failed;
}

/* ---- edoburu/pgbouncer ---- */

/* A value, and what it was taken from; NULL: a default, or nothing. */
struct part {
	const char *value;
	struct variable *from;
};

/* One database of DATABASE_URL, DATABASE_URLS or DB_…. */
struct edoburu_entry {
	struct part host, port, name, user, password;
	char port_text[12];
};

/* The URL's part, else the variable's; both must not differ. */
static struct part either(struct work *w, const char *in_url, struct variable *url, const char *name)
{
	struct part part = {NULL, NULL};
	struct variable *variable = variables_find(w->v, name);

	part.value = value_of(w, name, &part.from);
	if (in_url == NULL)
		return part;
	if (variable != NULL && strcmp(variable->value, in_url) != 0) {
		variables_fail(w->v, "environment variables %s and %s contradict each other", url->said,
		               variable->said);
		variables_hint(w->v, "Keep one of them.");
	}
	if (variable != NULL)
		variable->used = true;
	part.value = in_url;
	part.from = url;
	return part;
}

static struct part only(const char *in_url, struct variable *url, const char *standard)
{
	struct part part = {in_url != NULL ? in_url : standard, in_url != NULL ? url : NULL};

	return part;
}

static bool write_edoburu(struct work *w, const struct edoburu_entry *entry, const struct variable_url *u,
                          struct variable *url)
{
	struct variable *encoding;
	const char *value = value_of(w, "CLIENT_ENCODING", &encoding);

	if (entry->password.value != NULL &&
	    !add_login(w, entry->user.from, entry->user.value, entry->password.from, entry->password.value))
		return false;
	if (!wants_ini(w))
		return true;
	if (!entry_begin(w, entry->name.value, entry->name.from))
		return false;
	entry_pair(w, "host", entry->host.value, entry->host.from);
	entry_pair(w, "port", entry->port.value, entry->port.from);
	entry_pair(w, "auth_user", entry->user.value, entry->user.from);
	for (unsigned i = 0; u != NULL && i < u->n_keys; i++)
		if (value == NULL || strcmp(u->keys[i].key, "client_encoding") != 0)
			entry_pair(w, u->keys[i].key, u->keys[i].value, url);
	if (value != NULL)
		entry_pair(w, "client_encoding", value, encoding);
	return entry_end(w);
}

static bool note_ignored(struct work *w, const struct variable_url *u, const struct variable *url)
{
	for (unsigned i = 0; i < u->ignored.n; i++)
		if (!texts_add(&w->v->notices, "environment variable %s: parameter \"%s\" of the URL has no effect",
		               url->said, u->ignored.text[i]))
			return false;
	return true;
}

/* A URL of a list, or the only one, whose parts DB_… may complete. */
static bool write_url(struct work *w, struct variable *url, const char *text, bool is_only)
{
	struct edoburu_entry entry;
	struct variable_url u;
	struct conf_error why;
	const char *port = NULL;
	bool good = true;

	memset(&why, 0, sizeof(why));
	memset(&entry, 0, sizeof(entry));
	url->used = true;
	if (!variable_url_parse(&u, text, &why)) {
		variable_fail_as(w->v, url, &why);
		variable_url_fini(&u);
		return true;
	}
	if (u.port != 0) {
		snprintf(entry.port_text, sizeof(entry.port_text), "%d", u.port);
		port = entry.port_text;
	}
	if (is_only) {
		entry.host = either(w, u.host, url, "DB_HOST");
		entry.port = either(w, port, url, "DB_PORT");
		entry.name = either(w, u.dbname, url, "DB_NAME");
		entry.user = either(w, u.user, url, "DB_USER");
		entry.password = either(w, u.password, url, "DB_PASSWORD");
	} else {
		entry.host = only(u.host, url, NULL);
		entry.port = only(port, url, variable_row_of("DB_PORT")->standard);
		entry.name = only(u.dbname, url, variable_row_of("DB_NAME")->standard);
		entry.user = only(u.user, url, variable_row_of("DB_USER")->standard);
		entry.password = only(u.password, url, NULL);
	}
	if (entry.host.value == NULL) {
		variable_fail(w->v, url, "the URL names no host");
		variables_hint(w->v, "The form is postgres://user:password@host:port/database.");
	} else {
		good = note_ignored(w, &u, url) && write_edoburu(w, &entry, &u, url);
	}
	variable_url_fini(&u);
	return good;
}

static bool write_urls(struct work *w, struct variable *urls)
{
	const char *rest = urls->value, *url;
	size_t len;

	urls->used = true;
	while ((url = variable_url_next(&rest, &len)) != NULL) {
		char *copy = mem_copy(url, len);
		bool good = copy != NULL && write_url(w, urls, copy, false);

		if (copy != NULL)
			mem_wipe(copy, len);
		mem_free(copy);
		if (!good)
			return false;
	}
	return true;
}

static bool make_edoburu(struct work *w)
{
	struct variable *urls = variables_find(w->v, "DATABASE_URLS"), *url = variables_find(w->v, "DATABASE_URL");
	struct edoburu_entry entry;

	if (urls != NULL)
		return write_urls(w, urls);
	if (url != NULL) {
		const char *rest = url->value, *text;
		size_t len;

		/* it may have blanks around it */
		text = variable_url_next(&rest, &len);
		if (text != NULL && rest[strspn(rest, ", \t\r\n")] == '\0' && text[len] != '\0') {
			char *copy = mem_copy(text, len);
			bool good = copy != NULL && write_url(w, url, copy, true);

			if (copy != NULL)
				mem_wipe(copy, len);
			mem_free(copy);
			return good;
		}
		return write_url(w, url, text == NULL ? "" : text, true);
	}
	memset(&entry, 0, sizeof(entry));
	entry.host.value = value_of(w, "DB_HOST", &entry.host.from);
	entry.port.value = value_of(w, "DB_PORT", &entry.port.from);
	entry.name.value = value_of(w, "DB_NAME", &entry.name.from);
	entry.user.value = value_of(w, "DB_USER", &entry.user.from);
	entry.password.value = value_of(w, "DB_PASSWORD", &entry.password.from);
	return write_edoburu(w, &entry, NULL, NULL);
}

/* ---- pgbouncer/pgbouncer ---- */

/* Keys that have no row of their own: DATABASES_POOL_SIZE and so on. */
static void other_keys(struct work *w)
{
	for (unsigned i = 0; i < w->v->n; i++) {
		struct variable *variable = &w->v->all[i];

		if (variable->image == IMAGE_PROJECT && variable->use == USE_KEY &&
		    variable_row_of(variable->name) == NULL)
			entry_pair(w, variable->target, variable->value, variable);
	}
}

static bool make_project(struct work *w)
{
	struct variable *list = variables_find(w->v, "DATABASES"), *host = variables_find(w->v, "DATABASES_HOST");
	struct variable *user_from, *password_from, *name_from;
	const char *user = value_of(w, "DATABASES_USER", &user_from);
	const char *password = value_of(w, "DATABASES_PASSWORD", &password_from);
	const char *name = value_of(w, "DATABASES_CLIENT_SIDE_DBNAME", &name_from);

	if (password != NULL && host != NULL && !add_login(w, user_from, user, password_from, password))
		return false;
	if (!wants_ini(w))
		return true;
	if (list != NULL && !listed_entries(w, list))
		return false;
	if (host == NULL)
		return true;
	if (!entry_begin(w, name, name_from))
		return false;
	entry_rows(w, IMAGE_PROJECT);
	entry_rows(w, IMAGE_ANY);
	other_keys(w);
	return entry_end(w);
}

/* ---- bitnami/pgbouncer ---- */

static bool is_switched_on(struct work *w, const char *name)
{
	static const char *const no[] = {"no", "false", "0", NULL};
	struct variable *from;
	const char *value = value_of(w, name, &from);

	if (from == NULL)
		return variable_is_yes(value);
	from->used = true;
	if (!variable_is_yes(value) && value_word(value, no) < 0)
		variable_fail(w->v, from, "invalid value \"%.40s\": must be yes or no", value);
	return variable_is_yes(value);
}

/* The first variable that sets it; NULL: none does. */
static const struct variable *first_setter(const struct work *w, enum setting_id id)
{
	for (unsigned i = 0; i < w->v->n; i++)
		if (w->v->all[i].use == USE_SETTING && w->v->all[i].setting == id)
			return &w->v->all[i];
	return NULL;
}

/* Does nobody need a password in the user list with this auth_type? */
static bool needs_no_password(const struct work *w)
{
	static const char *const without[] = {"any", "trust", "cert", "hba", "pam", "ldap", NULL};
	const struct variable *variable = first_setter(w, SETTING_auth_type);

	if (variable == NULL)
		return w->image == IMAGE_PROJECT; /* any */
	return value_word(variable->value, without) >= 0;
}

static void miss_password(struct work *w)
{
	if (w->frame->mounted_users != NULL || variables_find(w->v, "PGBOUNCER_USERLIST") != NULL ||
	    needs_no_password(w))
		return;
	variables_fail(w->v, "environment variable POSTGRESQL_PASSWORD is not set");
	variables_hint(w->v, "Set it, or POSTGRESQL_PASSWORD_FILE, or mount %s.", ENVIRONMENT_USERS);
}

static void bitnami_pairs(struct work *w, const char *entry)
{
	struct variable *from, *entry_from;
	const char *value;

	value = value_of(w, "POSTGRESQL_HOST", &from);
	entry_pair(w, "host", value, from);
	value = value_of(w, "POSTGRESQL_PORT", &from);
	entry_pair(w, "port", value, from);
	value = value_of(w, "POSTGRESQL_USERNAME", &from);
	if (is_switched_on(w, "PGBOUNCER_SET_DATABASE_USER"))
		entry_pair(w, "user", value, from);
	value = value_of(w, "POSTGRESQL_PASSWORD", &from);
	if (is_switched_on(w, "PGBOUNCER_SET_DATABASE_PASSWORD") && value != NULL)
		entry_pair(w, "password", value, from);
	value = value_of(w, "POSTGRESQL_DATABASE", &from);
	(void)value_of(w, "PGBOUNCER_DATABASE", &entry_from);
	if (strcmp(entry, "*") != 0)
		entry_pair(w, "dbname", value != NULL ? value : entry, value != NULL ? from : entry_from);
	from = variables_find(w->v, "PGBOUNCER_AUTH_USER");
	if (from != NULL)
		entry_pair(w, "auth_user", from->value, from);
	from = variables_find(w->v, "PGBOUNCER_CONNECT_QUERY");
	if (from != NULL)
		entry_pair(w, "connect_query", from->value, from);
}

static bool make_bitnami(struct work *w)
{
	struct variable *user_from, *password_from, *entry_from;
	const char *user = value_of(w, "POSTGRESQL_USERNAME", &user_from);
	const char *password = value_of(w, "POSTGRESQL_PASSWORD", &password_from);
	const char *entry = value_of(w, "PGBOUNCER_DATABASE", &entry_from);

	if (password != NULL && !add_login(w, user_from, user, password_from, password))
		return false;
	if (!raw_logins(w))
		return false;
	if (!wants_ini(w))
		return true;
	if (password == NULL)
		miss_password(w);
	(void)is_switched_on(w, "PGBOUNCER_FAIL_ON_INVALID_DSN_FILE");
	if (!entry_begin(w, entry, entry_from))
		return false;
	bitnami_pairs(w, entry);
	entry_rows(w, IMAGE_ANY);
	return entry_end(w) && numbered_entries(w);
}

/* ---- [pgbouncer] ---- */

/* The value without blanks and line ends around it, which files do not have either; false if it is not one line. */
static bool trim(struct work *w, const struct variable *variable, const char **value, size_t *len)
{
	const char *at = variable->value;
	size_t n;

	at += strspn(at, " \t\r\n\f\v");
	for (n = strlen(at); n > 0 && strchr(" \t\r\n\f\v", at[n - 1]) != NULL; n--)
		;
	if (setting_is_secret(variable->setting) && n != strlen(variable->value)) {
		variable_fail(w->v, variable,
		              "there is a blank or a line break at the beginning or at the end of the value");
		return false;
	}
	*value = at;
	*len = n;
	return true;
}

static bool set_from(struct work *w, struct variable *variable)
{
	struct conf_error why;
	const char *value;
	struct str line;
	char *copy;
	size_t len;
	bool good = true;

	if (!trim(w, variable, &value, &len))
		return true;
	copy = mem_copy(value, len);
	if (copy == NULL)
		return false;
	memset(&why, 0, sizeof(why));
	str_init(&line, MAX_LINE);
	if (is_one_line(w, variable, copy)) {
		str_printf(&line, "%s = %s", setting_name(variable->setting), copy);
		if (!setting_parse(&w->scratch, setting_name(variable->setting), copy, NULL, 0, &why))
			variable_fail_as(w->v, variable, &why);
		else
			good = !line.failed && add_line(&w->out->ini, str_text(&line), variable->said);
	}
	mem_wipe(copy, len);
	mem_free(copy);
	conf_forget(&line);
	return good;
}

/* Nobody can log in by that name, so to name it makes no difference but a remark of `pgweir check`. */
static bool is_nobody(struct work *w, const char *name)
{
	return !needs_no_password(w) && w->frame->mounted_users == NULL && find_login(w, name) == NULL &&
	       first_setter(w, SETTING_auth_user) == NULL;
}

/* What the image sets, or we; NULL: PgBouncer's default holds. */
static const char *standard_of(struct work *w, enum setting_id id)
{
	static const struct {
		enum image image;
		enum setting_id setting;
		const char *value;
	} standards[] = {
#define IMAGE_SETTING(image, setting, value) {IMAGE_##image, SETTING_##setting, value},
#include "conf/environment.def"
	};
	struct variable *from;

	if (id == SETTING_admin_users && is_nobody(w, "postgres") && w->image != IMAGE_BITNAMI)
		return NULL;
	for (size_t i = 0; i < sizeof(standards) / sizeof(standards[0]); i++) {
		const char *value = standards[i].value;

		if ((standards[i].image != w->image && standards[i].image != IMAGE_ANY) || standards[i].setting != id)
			continue;
		if (value[0] != '$')
			return value;
		value = value_of(w, value + 1, &from);
		/* a name with a comma would give the rights to other names, one with a line break begin another line */
		return strchr(value, ',') == NULL && (from == NULL || is_one_line(w, from, value)) ? value : NULL;
	}
	/* the containers' root may be read-only */
	if (id == SETTING_unix_socket_dir && setting_default(id)[0] != '\0' &&
	    !w->frame->can_write(setting_default(id)))
		return "";
	if (id == SETTING_auth_file && (w->frame->mounted_users != NULL || w->out->users.text.len > 0))
		return w->frame->users_path;
	return NULL;
}

static bool set_standard(struct work *w, enum setting_id id)
{
	const char *value = standard_of(w, id);
	struct str line;
	bool good;

	if (value == NULL)
		return true;
	w->out->is_http_standard = w->out->is_http_standard || id == SETTING_http_listen;
	str_init(&line, MAX_LINE);
	str_printf(&line, "%s = %s", setting_name(id), value);
	good = !line.failed && add_line(&w->out->ini, str_text(&line), "");
	str_fini(&line);
	return good;
}

static bool is_same_value(const struct variable *a, const struct variable *b)
{
	return strcmp(a->value, b->value) == 0;
}

/* The variable that sets it; several must agree. */
static struct variable *setter_of(struct work *w, enum setting_id id)
{
	struct variable *first = NULL;

	for (unsigned i = 0; i < w->v->n; i++) {
		struct variable *variable = &w->v->all[i];

		if (variable->use != USE_SETTING || variable->setting != id || variable->used)
			continue;
		variable->used = true;
		if (first != NULL && !is_same_value(first, variable)) {
			variables_fail(w->v, "environment variables %s and %s contradict each other", first->said,
			               variable->said);
			variables_hint(w->v, "Both set %s. Keep one of them.", setting_name(id));
		}
		first = first == NULL ? variable : first;
	}
	return first;
}

/* One without the other would leave open what was meant to be closed. */
static void check_http_login(struct work *w)
{
	const struct variable *set[2] = {first_setter(w, SETTING_http_auth_user),
	                                 first_setter(w, SETTING_http_auth_password)};

	if ((set[0] == NULL) == (set[1] == NULL))
		return;
	variables_fail(w->v, "environment variable %s is set, but %s is not", set[set[0] == NULL]->said,
	               set[0] == NULL ? "HTTP_AUTH_USER" : "HTTP_AUTH_PASSWORD");
	variables_hint(w->v, "Set both, or neither.");
}

static bool add_settings(struct work *w)
{
	check_http_login(w);
	if (!add_line(&w->out->ini, "", "") || !add_line(&w->out->ini, "[pgbouncer]", ""))
		return false;
	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;
		struct variable *variable = setter_of(w, id);

		if (!(variable == NULL ? set_standard(w, id) : set_from(w, variable)))
			return false;
	}
	return true;
}

/* ---- which image ---- */

static bool is_sign(const struct variable *variable)
{
	return variable->use != USE_UNUSED && variable->use != USE_SILENT;
}

static const struct variable *sign_of(const struct variables *v, enum image image)
{
	for (unsigned i = 0; i < v->n; i++)
		if (v->all[i].image == image && is_sign(&v->all[i]))
			return &v->all[i];
	return NULL;
}

/* The variable that says where a server is. */
static const struct variable *claim_of(struct variables *v, enum image image)
{
	static const char *const names[N_IMAGES][3] = {
	    [IMAGE_EDOBURU] = {"DATABASE_URLS", "DATABASE_URL", "DB_HOST"},
	    [IMAGE_PROJECT] = {"DATABASES_HOST", "DATABASES", "DATABASES"},
	    [IMAGE_BITNAMI] = {"POSTGRESQL_HOST", "POSTGRESQL_HOST", "POSTGRESQL_HOST"},
	};

	for (size_t i = 0; i < 3; i++) {
		const struct variable *variable = variables_find(v, names[image][i]);

		if (variable != NULL)
			return variable;
	}
	for (unsigned i = 0; image == IMAGE_BITNAMI && i < v->n; i++)
		if (v->all[i].is_numbered)
			return &v->all[i];
	return NULL;
}

/* Both name one and the same server. */
static bool is_same_host(const struct variable *a, const struct variable *b)
{
	return a->use == USE_KEY && b->use == USE_KEY && strcmp(a->value, b->value) == 0;
}

static void fail_no_host(struct variables *v, const struct variable *sign, const char *host)
{
	variables_fail(v, "environment variable %s is not set, but %s is: no server is named", host, sign->said);
	variables_hint(v, "Set %s to the name or the address of PostgreSQL, for example %s=db.", host, host);
}

static void fail_nothing(struct variables *v)
{
	variables_fail(v, "there is nothing to serve: no environment variable names a server, and there is no file %s",
	               ENVIRONMENT_INI);
	variables_hint(v, "Set one, for example: DATABASE_URL=postgres://user:password@host:5432/database");
}

enum image images_choose(struct variables *v, bool needed)
{
	const struct variable *first = NULL;
	enum image chosen = IMAGE_ANY;

	for (int i = IMAGE_EDOBURU; i < N_IMAGES; i++) {
		const struct variable *claim = claim_of(v, (enum image)i);

		if (claim == NULL)
			continue;
		if (first == NULL) {
			first = claim;
			chosen = (enum image)i;
		} else if (needed && !is_same_host(first, claim)) {
			variables_fail(v,
			               "environment variables %s and %s contradict each other: they name servers by "
			               "the conventions of %s and of %s",
			               first->said, claim->said, image_name(chosen), image_name((enum image)i));
			variables_hint(v, "Keep the variables of one image.");
		}
	}
	if (first != NULL)
		return chosen;
	/* that image has a default */
	if (sign_of(v, IMAGE_BITNAMI) != NULL)
		return IMAGE_BITNAMI;
	if (sign_of(v, IMAGE_EDOBURU) != NULL) {
		if (needed)
			fail_no_host(v, sign_of(v, IMAGE_EDOBURU), "DB_HOST");
		return needed ? IMAGE_ANY : IMAGE_EDOBURU;
	}
	if (sign_of(v, IMAGE_PROJECT) != NULL && needed)
		fail_no_host(v, sign_of(v, IMAGE_PROJECT), "DATABASES_HOST");
	else if (needed)
		fail_nothing(v);
	return IMAGE_ANY;
}

/* ---- what has no effect ---- */

enum reason { REASON_NONE, REASON_IMAGE, REASON_INI, REASON_USERS, REASON_URLS };

static enum reason reason_of(const struct work *w, const struct variable *variable)
{
	if (variable->used || !is_sign(variable))
		return REASON_NONE;
	if (variable->image != IMAGE_ANY && variable->image != w->image && w->image != IMAGE_ANY)
		return REASON_IMAGE;
	if (!wants_ini(w))
		return REASON_INI;
	if (variable->use == USE_LOGIN || variable->use == USE_PASSWORD || variable->use == USE_USERLIST)
		return w->frame->mounted_users != NULL ? REASON_USERS : REASON_URLS;
	return REASON_URLS;
}

static bool note_unused_for(struct work *w, enum reason reason, const char *because)
{
	struct str names;
	bool good;

	str_init(&names, MAX_FROM);
	for (unsigned i = 0; i < w->v->n && names.len < MAX_NAMES; i++)
		if (reason_of(w, &w->v->all[i]) == reason)
			str_printf(&names, "%s%s", names.len == 0 ? "" : ", ", w->v->all[i].said);
	if (names.len >= MAX_NAMES)
		str_add_str(&names, " and others");
	good = !names.failed &&
	       (names.len == 0 || texts_add(&w->v->notices, "environment variables without effect, because %s: %s",
	                                    because, str_text(&names)));
	str_fini(&names);
	return good;
}

static bool note_unused(struct work *w)
{
	char because[160];

	for (unsigned i = 0; i < w->v->n; i++) {
		const struct variable *variable = &w->v->all[i];

		if (variable->use == USE_UNUSED && (variable->image == IMAGE_ANY || variable->image == w->image) &&
		    !texts_add(&w->v->notices, "environment variable %s has no effect: %s", variable->said,
		               variable->doc))
			return false;
	}
	snprintf(because, sizeof(because), "those of %s count", image_name(w->image));
	if (!note_unused_for(w, REASON_IMAGE, because))
		return false;
	snprintf(because, sizeof(because), "there is a file %.100s",
	         w->frame->mounted_ini == NULL ? "" : w->frame->mounted_ini);
	if (!note_unused_for(w, REASON_INI, because))
		return false;
	snprintf(because, sizeof(because), "there is a file %.100s", w->frame->users_path);
	return note_unused_for(w, REASON_USERS, because) && note_unused_for(w, REASON_URLS, "others count");
}

/* ---- all of it ---- */

static bool make_image(struct work *w)
{
	switch (w->image) {
	case IMAGE_EDOBURU:
		return make_edoburu(w);
	case IMAGE_PROJECT:
		return make_project(w);
	case IMAGE_BITNAMI:
		return make_bitnami(w);
	case IMAGE_ANY:
	case N_IMAGES:
		break;
	}
	return true;
}

static bool make(struct work *w)
{
	if (!settings_init(&w->scratch) || !read_mounted_users(w))
		return false;
	if (wants_ini(w) && !add_line(&w->out->ini, "[databases]", ""))
		return false;
	if (!make_image(w) || (wants_ini(w) && w->image != IMAGE_ANY && !add_settings(w)))
		return false;
	return note_unused(w);
}

bool images_make(struct variables *v, enum image image, const struct image_frame *frame, struct image_texts *out)
{
	struct work w;
	bool good;

	memset(out, 0, sizeof(*out));
	out->image = image;
	str_init(&out->ini.text, MAX_TEXT);
	str_init(&out->users.text, MAX_TEXT);
	memset(&w, 0, sizeof(w));
	w.v = v;
	w.image = image;
	w.frame = frame;
	w.out = out;
	str_init(&w.line, MAX_LINE);
	str_init(&w.from, MAX_FROM);
	good = make(&w);
	conf_forget(&w.line);
	str_fini(&w.from);
	texts_fini(&w.entries);
	texts_fini(&w.mounted_users);
	for (unsigned i = 0; i < w.n_logins; i++)
		conf_login_free(w.logins[i]);
	mem_free(w.logins);
	settings_fini(&w.scratch);
	return good;
}

void image_texts_fini(struct image_texts *t)
{
	conf_forget(&t->ini.text);
	conf_forget(&t->users.text);
	texts_fini(&t->ini.from);
	texts_fini(&t->users.from);
}
