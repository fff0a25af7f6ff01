/* Which files have secrets in them, and whether they are open to others. Main thread. */
#include "main/secret_files.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/read.h"
#include "os/file.h"
#include "os/file_rights.h"

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

static bool has_passwords(const struct config *c)
{
	const struct conf_database *d;

	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		if (d->password != NULL)
			return true;
	return !is_empty(c->settings.http_auth_password) || (c->ldap != NULL && !is_empty(c->ldap->bind_password));
}

static bool has_secrets(const struct config *c)
{
	const struct conf_login *l;

	for (unsigned i = 0; (l = config_login(c, i)) != NULL; i++)
		if (l->kind != SECRET_NONE)
			return true;
	return false;
}

char *secret_files_auth_file(const struct config *c)
{
	const char *name = c->settings.auth_file, *beside = c->settings.conffile;
	char *other;

	if (file_exists(name))
		return mem_copy_str(name);
	other = beside == NULL ? NULL : conf_path_beside(beside, name);
	if (other != NULL && file_exists(other))
		return other;
	mem_free(other);
	return NULL;
}

static void see(secret_file_seen *seen, void *context, const char *setting, const char *path, const char *holds)
{
	struct secret_file file = {setting, path, holds};

	if (!is_empty(path))
		seen(context, &file);
}

/* That one is not there is said where it is used. */
static void see_key(secret_file_seen *seen, void *context, const char *setting, const char *path)
{
	if (!is_empty(path) && file_exists(path))
		see(seen, context, setting, path, "a private key");
}

static bool is_same(const char *a, const char *b)
{
	return a != NULL && b != NULL && strcmp(a, b) == 0;
}

static void see_keys(const struct config *c, secret_file_seen *seen, void *context)
{
	const char *all = c->settings.server_tls_key_file, *last = NULL;
	const struct conf_database *d;

	see_key(seen, context, "client_tls_key_file", c->settings.client_tls_key_file);
	see_key(seen, context, "server_tls_key_file", all);
	/* entries that are alike stand beside each other */
	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++) {
		const char *own = d->server_tls_key_file;

		if (!is_same(own, all) && !is_same(own, last))
			see_key(seen, context, "server_tls_key_file", own);
		last = own != NULL ? own : last;
	}
}

void secret_files_each(const struct config *c, secret_file_seen *seen, void *context)
{
	const struct settings *s = &c->settings;
	char *path;

	if (!c->is_file_made && has_passwords(c))
		see(seen, context, "configuration file", s->conffile, "passwords");
	if (!c->is_user_list_made && !is_empty(s->auth_file) && (path = secret_files_auth_file(c)) != NULL) {
		see(seen, context, "auth_file", path, has_secrets(c) ? "passwords" : NULL);
		mem_free(path);
	}
	see_keys(c, seen, context);
}

static void warn(void *context, const struct secret_file *file)
{
	char text[1024], detail[300], hint[2048];
	struct log_event e = {
	    .level = LEVEL_WARNING, .event = "secrets_open", .text = text, .detail = detail, .hint = hint};
	struct file_rights rights;
	char *whole;

	if (file->holds == NULL || !file_rights_look(file->path, &rights) || !rights.others_read)
		return;
	snprintf(text, sizeof(text), "%s \"%s\" can be read by others than its owner", file->setting, file->path);
	snprintf(detail, sizeof(detail), "It holds %s, and %s.", file->holds, rights.how);
	/* whoever types it is not where we are */
	whole = path_absolute(file->path);
	(void)file_rights_close(whole == NULL ? file->path : whole, hint, sizeof(hint));
	mem_free(whole);
	log_event((struct log *)context, &e);
}

void secret_files_warn(const struct config *c, struct log *log)
{
	secret_files_each(c, warn, log);
}
