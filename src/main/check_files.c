/*
 * What the configuration names on this machine: files, directories, addresses, descriptors. Looked at with the rights
 * of the account that will serve; nothing is created, changed or removed. Main thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/comma_list.h"
#include "base/mem.h"
#include "main/bind_hint.h"
#include "main/check_offline.h"
#include "main/listen_lookup.h"
#include "main/secret_files.h"
#include "main/supervisor.h"
#include "os/error.h"
#include "os/file.h"
#include "os/file_rights.h"
#include "os/socket.h"

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* ---- files that are read ---- */

/* A file that others may change, or read though it has secrets in it. */
static void look_at_rights(struct findings *f, const struct secret_file *file)
{
	struct file_rights rights;
	struct finding *n;
	char command[2048];
	bool reads;

	if (!file_rights_look(file->path, &rights))
		return;
	reads = rights.others_read && file->holds != NULL;
	if (!reads && !rights.others_change)
		return;
	n = findings_add(f, SEVERITY_WARNING, "files", "%s \"%s\" can be %s by others than its owner", file->setting,
	                 file->path,
	                 reads && rights.others_change ? "read and changed"
	                 : reads                       ? "read"
	                                               : "changed");
	if (file->holds != NULL)
		finding_cause(n, "It holds %s, and %s.", file->holds, rights.how);
	else
		finding_cause(n, "Whoever can log in is in it, and %s.", rights.how);
	finding_remedy(n, "%s", file_rights_close(file->path, command, sizeof(command)));
}

/* What the files are looked at for. */
struct reading {
	struct findings *f;
	const char *account;
};

static void look_at_secret_file(void *context, const struct secret_file *file)
{
	const struct reading *r = (const struct reading *)context;
	char reason[128], command[2048];
	struct finding *n;

	if (file_is_readable(file->path)) {
		look_at_rights(r->f, file);
		return;
	}
	n = findings_add(r->f, SEVERITY_WARNING, "files", "%s \"%s\" cannot be read by account \"%s\": %s",
	                 file->setting, file->path, r->account, os_error_text(errno, reason, sizeof(reason)));
	finding_cause(n, "It may have been read at the start, as another account, but RELOAD will fail.");
	finding_remedy(n, "Let account \"%s\" read it, and nobody else: %s", r->account,
	               file_rights_give(file->path, r->account, command, sizeof(command)));
}

static void look_for_auth_file(struct findings *f, const struct config *c)
{
	struct finding *n;
	char *path;

	if (is_empty(c->settings.auth_file) || c->is_user_list_made)
		return;
	path = secret_files_auth_file(c);
	if (path == NULL) {
		/* that nobody can log in then is another finding */
		n = findings_add(f, SEVERITY_WARNING, "files", "auth_file \"%s\" cannot be found",
		                 c->settings.auth_file);
		finding_remedy(
		    n, "It is looked for in the working directory, then beside the configuration file; write its "
		       "whole path.");
	}
	mem_free(path);
}

/* ---- files that are written ---- */

/* The directory of a path, "." if it names none. False if it does not fit. */
static bool directory_of(const char *path, char *directory, size_t size)
{
	size_t len = path_directory_len(path);

	if (len == 0) {
		path = ".";
		len = 1;
	}
	if (len >= size)
		return false;
	/* without the separator, unless it is a root ("/", "C:\\") */
	if (path_directory_len(path) > 1 && path[len - 2] != ':')
		len--;
	memcpy(directory, path, len);
	directory[len] = '\0';
	return true;
}

/* `must_write`: an existing file, too, must be one that we may write. */
static void look_at_written(struct findings *f, const char *setting, const char *path, bool must_write,
                            const char *account)
{
	char directory[1024], reason[128];
	bool exists;
	struct finding *n;

	if (is_empty(path) || !directory_of(path, directory, sizeof(directory)))
		return;
	exists = file_exists(path);
	if (exists && (!must_write || file_is_writable(path)))
		return;
	if (!exists && directory_is_writable(directory))
		return;
	n = findings_add(f, SEVERITY_ERROR, "files", "%s \"%s\" cannot be %s by account \"%s\": %s", setting, path,
	                 exists ? "written" : "created", account, os_error_text(errno, reason, sizeof(reason)));
	if (exists && f->on_windows)
		finding_remedy(n, "icacls \"%s\" /grant \"%s:(M)\"", path, account);
	else if (exists)
		finding_remedy(n, "chown %s %s", account, path);
	else
		finding_remedy(n, "Make the directory \"%s\" and let account \"%s\" write there.", directory, account);
}

/* A directory where nothing can be made; what the log file itself needs has been looked at. */
static void look_at_rotation(struct findings *f, const struct settings *s, const char *account)
{
	char directory[1024];
	struct finding *n;

	if (is_empty(s->logfile) || (s->log_rotation_size_bytes == 0 && s->log_rotation_age_us == 0))
		return;
	if (file_exists(s->logfile) && !file_is_plain(s->logfile)) {
		(void)findings_add(f, SEVERITY_WARNING, "files",
		                   "logfile \"%s\" is not rotated: it is a pipe or a device", s->logfile);
		return;
	}
	if (!directory_of(s->logfile, directory, sizeof(directory)) || directory_is_writable(directory) ||
	    !file_exists(s->logfile))
		return;
	n = findings_add(f, SEVERITY_WARNING, "files",
	                 "logfile \"%s\" cannot be rotated: account \"%s\" cannot make files in its directory",
	                 s->logfile, account);
	finding_remedy(n, "Give the log a directory of its own, which belongs to account \"%s\".", account);
}

static void look_at_socket_directory(struct findings *f, const struct settings *s, const char *account)
{
	const char *directory = s->unix_socket_dir;
	char path[256], reason[128];
	struct address a;
	struct finding *n;

	if (is_empty(directory))
		return;
	if (!path_is_of_socket(directory)) {
		n = findings_add(f, SEVERITY_ERROR, "files", "unix_socket_dir \"%.100s\" is no absolute path",
		                 directory);
		finding_remedy(n, "Write the whole path, from the root, or a name that begins with @ for the abstract "
		                  "namespace.");
		return;
	}
	snprintf(path, sizeof(path), "%.200s/.s.PGSQL.%d", directory, s->listen_port);
	if (strlen(directory) > 200 || !address_from_text(&a, path, 0)) {
		n = findings_add(f, SEVERITY_ERROR, "files", "unix_socket_dir is too long: \"%.100s\"", directory);
		finding_remedy(n, "Choose a directory with a shorter path.");
		return;
	}
	if (directory[0] == '@' || directory_is_writable(directory))
		return;
	n = findings_add(f, SEVERITY_ERROR, "files",
	                 "no Unix socket can be made in unix_socket_dir \"%s\" by account \"%s\": %s", directory,
	                 account, os_error_text(errno, reason, sizeof(reason)));
	finding_remedy(
	    n, "Make the directory and let account \"%s\" write there, or leave unix_socket_dir empty for none.",
	    account);
}

/* ---- addresses ---- */

static void tell_bind(struct findings *f, const struct settings *s, const char *name, int error)
{
	/* another one of the list may do */
	enum severity severity = strchr(s->listen_addr, ',') == NULL ? SEVERITY_ERROR : SEVERITY_WARNING;
	int port = s->listen_port;
	char reason[128];
	struct finding *n;
	struct str hint;

	if (error == EADDRINUSE) {
		n = findings_add(f, SEVERITY_NOTE, "addresses", "port %d of \"%s\" is in use", port, name);
		finding_cause(n,
		              "That is as it should be while pgweir, or the pooler that it will replace, is running.");
		return;
	}
	n = findings_add(f, severity, "addresses", "cannot listen on \"%s\", port %d: %s", name, port,
	                 os_error_text(error, reason, sizeof(reason)));
	str_init(&hint, 1000);
	if (bind_hint(error, false, f->on_windows, &hint))
		finding_remedy(n, "%s", str_text(&hint));
	str_fini(&hint);
}

static void look_at_address(struct findings *f, const struct settings *s, const char *name)
{
	struct addrinfo *found = NULL;
	int error = listen_lookup(name, s->listen_port, &found), best = -1;

	if (error != 0) {
		struct finding *n =
		    findings_add(f, SEVERITY_ERROR, "addresses", "listen_addr \"%s\" cannot be found: %s", name,
		                 os_lookup_error_text(error));

		finding_remedy(n, "listen_addr holds addresses of this machine, separated by commas, or * for all.");
		return;
	}
	/* one that works is enough: a machine without IPv6 has "*", too */
	for (const struct addrinfo *a = found; a != NULL && best != 0; a = a->ai_next) {
		struct address address;
		int result = address_from_sockaddr(&address, a->ai_addr, a->ai_addrlen) ? socket_try_address(&address)
		                                                                        : EAFNOSUPPORT;

		best = best == -1 || result == 0 || result == EADDRINUSE ? result : best;
	}
	freeaddrinfo(found);
	if (best > 0)
		tell_bind(f, s, name, best);
}

static void look_at_addresses(struct findings *f, const struct settings *s)
{
	const char *list = s->listen_addr;
	char name[256];

	while (comma_list_copy_next(&list, name, sizeof(name)))
		look_at_address(f, s, name);
}

void check_files(struct findings *f, const struct config *c, const char *account)
{
	const struct settings *s = &c->settings;
	struct reading reading = {f, account};

	secret_files_each(c, look_at_secret_file, &reading);
	look_for_auth_file(f, c);
	look_at_written(f, "logfile", s->logfile, true, account);
	look_at_rotation(f, s, account);
	look_at_written(f, "pidfile", s->pidfile, false, account);
	look_at_socket_directory(f, s, account);
	look_at_addresses(f, s);
}

/* ---- descriptors ---- */

void check_descriptors(struct findings *f, const struct config *c)
{
	long want = listen_expected_descriptors(c, supervisor_count_workers(&c->settings)), hard = 0;
	long soft = os_raise_descriptor_limit(want, &hard);
	struct finding *n;

	if (soft < 0 || soft >= want)
		return;
	n = findings_add(f, SEVERITY_WARNING, "descriptors",
	                 "at most %ld files may be open, but max_client_conn and the pool sizes need %ld", soft, want);
	finding_cause(n, "max_client_conn is %d. The limit is that of this process; a service may have another.",
	              c->settings.max_client_conn);
	finding_remedy(n, "Raise the limit (ulimit -n, LimitNOFILE=), or lower max_client_conn or the pool sizes.");
}
