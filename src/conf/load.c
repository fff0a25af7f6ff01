/* Builds a configuration from its file, what that includes, and the user list: all or nothing. Any thread. */
#include <errno.h>
#include <string.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/entries.h"
#include "conf/entry.h"
#include "conf/file.h"
#include "conf/userlist.h"
#include "os/error.h"

enum section { SECTION_PGBOUNCER, SECTION_DATABASES, SECTION_USERS, SECTION_PEERS };

/* A load under way. */
struct load {
	struct config *config;
	enum section section;
	bool has_main;         /* [pgbouncer] was there */
	const char *user_list; /* while it is read: its path */
};

/* [pgbouncer] may come again. PgBouncer then forgets all settings before it, which nobody means; here they stay. */
static bool enter_main(struct load *load, const char *file, unsigned line, struct conf_error *why)
{
	if (load->has_main &&
	    !texts_add(&load->config->notices,
	               "section [pgbouncer] comes again%s: settings before it stay, other than in PgBouncer",
	               conf_place(file, line).text))
		return conf_fail_memory(why, file, line);
	load->has_main = true;
	return true;
}

static bool on_section(void *context, const char *name, const char *file, unsigned line, struct conf_error *why)
{
	static const char *const names[] = {"pgbouncer", "databases", "users", "peers"};
	struct load *load = (struct load *)context;

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) == 0) {
			load->section = (enum section)i;
			return i != SECTION_PGBOUNCER || enter_main(load, file, line, why);
		}
	}
	(void)conf_fail(why, file, line, "invalid section \"%.100s\"%s", name, conf_place(file, line).text);
	conf_hint(why, "Sections are [pgbouncer], [databases], [users] and [peers], in small letters, without blanks.");
	return false;
}

static bool on_setting(struct load *load, const char *key, const char *value, const char *file, unsigned line,
                       struct conf_error *why)
{
	if (!setting_parse(&load->config->settings, key, value, file, line, why))
		return false;
	if (setting_is_dropped(key) &&
	    !texts_add(&load->config->notices, "parameter %s has no effect%s: the command it belonged to is gone", key,
	               conf_place(file, line).text))
		return conf_fail_memory(why, file, line);
	return true;
}

static bool on_value(void *context, const char *key, const char *value, const char *file, unsigned line,
                     struct conf_error *why)
{
	struct load *load = (struct load *)context;
	struct conf_entries *entries = load->config->entries;
	struct conf_database *database;
	struct conf_user *user;
	struct conf_peer *peer;

	switch (load->section) {
	case SECTION_PGBOUNCER:
		return on_setting(load, key, value, file, line, why);
	case SECTION_DATABASES:
		database = conf_database_new(key, value, file, line, why);
		if (database == NULL)
			return false;
		return entries_add_database(entries, database) || conf_fail_memory(why, file, line);
	case SECTION_USERS:
		user = conf_user_new(key, value, file, line, why);
		if (user == NULL)
			return false;
		return entries_add_user(entries, user) || conf_fail_memory(why, file, line);
	case SECTION_PEERS:
		peer = conf_peer_new(key, value, file, line, why);
		if (peer == NULL)
			return false;
		return entries_add_peer(entries, peer) || conf_fail_memory(why, file, line);
	}
	return true;
}

static bool on_login(void *context, const char *name, const char *secret, unsigned line, struct conf_error *why)
{
	struct load *load = (struct load *)context;
	struct conf_entries *entries = load->config->entries;
	struct conf_login *login;

	if (entries_find_login(entries, name) != NULL &&
	    !texts_add(&load->config->notices, "user \"%s\" is more than once in auth_file: line %u counts (%s)", name,
	               line, load->user_list))
		return conf_fail_memory(why, load->user_list, line);
	login = conf_login_new(name, secret);
	if (login != NULL)
		login->line = line;
	if (login == NULL || !entries_add_login(entries, login))
		return conf_fail_memory(why, load->user_list, line);
	return true;
}

/*
 * A user list that cannot be read is no reason not to start: [databases] may name all passwords. But a reload must not
 * throw away the users of the running configuration.
 */
static bool miss_user_list(struct load *load, const struct config *running, int error, struct conf_error *why)
{
	const char *path = load->config->settings.auth_file;
	char reason[128];

	if (error == ENOMEM)
		return conf_fail_memory(why, path, 0);
	if (running != NULL && running->entries->has_user_list) {
		(void)conf_fail(why, path, 0, "could not open auth_file %.1000s: %s", path,
		                os_error_text(error, reason, sizeof(reason)));
		conf_hint(why, "The users that are known stay as long as the configuration is not replaced.");
		return false;
	}
	return texts_add(&load->config->notices, "could not open auth_file %.1000s: %s", path,
	                 os_error_text(error, reason, sizeof(reason))) ||
	       conf_fail_memory(why, path, 0);
}

static bool load_user_list(struct load *load, const char *conf_path, const struct config *running, conf_read *read,
                           void *context, struct conf_error *why)
{
	const char *name = load->config->settings.auth_file;
	struct str content;
	char *path = NULL;
	int error;
	bool good;

	if (name == NULL || name[0] == '\0')
		return true;
	str_init(&content, CONF_MAX_FILE_BYTES);
	error = conf_read_near(read, context, name, conf_path, &content, &path);
	if (error == 0) {
		load->config->entries->has_user_list = true;
		load->user_list = path;
		good = userlist_parse(content.data, content.len, path, on_login, load, why);
		mem_free(path);
	} else {
		good = miss_user_list(load, running, error, why);
	}
	conf_forget(&content);
	return good;
}

static bool load_files(struct load *load, const char *path, const struct config *running, conf_read *read,
                       void *context, struct conf_error *why)
{
	static const struct conf_file_events events = {on_section, on_value};
	struct settings *settings = &load->config->settings;

	settings->conffile = mem_copy_str(path);
	if (settings->conffile == NULL)
		return conf_fail_memory(why, path, 0);
	if (!conf_file_parse(path, read, context, &events, load, why))
		return false;
	if (!load->has_main) {
		(void)conf_fail(why, path, 0, "load_init_file: main section missing from config file (%.1000s)", path);
		conf_hint(why, "Settings follow a line \"[pgbouncer]\".");
		return false;
	}
	return load_user_list(load, path, running, read, context, why) && config_settle(load->config, why);
}

struct config *config_load(const char *path, const struct config *running, conf_read *read, void *context,
                           struct conf_error *why)
{
	struct load load = {NULL, SECTION_PGBOUNCER, false, NULL};
	struct conf_entries *entries = entries_new();

	load.config = entries == NULL ? NULL : config_new(entries);
	if (load.config == NULL) {
		(void)conf_fail_memory(why, path, 0);
		return NULL;
	}
	if (!load_files(&load, path, running, read, context, why)) {
		config_unref(load.config);
		return NULL;
	}
	return load.config;
}
