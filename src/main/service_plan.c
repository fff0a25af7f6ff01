/* See service_plan.h. Any thread. */
#include "main/service_plan.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "os/file.h"

#define STOP_US (30 * US_PER_S) /* without drain_timeout */

uint64_t service_stop_us(const struct settings *s)
{
	return s->drain_delay_us + (s->drain_timeout_us > 0 ? s->drain_timeout_us : STOP_US);
}

/* ---- files ---- */

static bool has(const struct service_files *files, enum service_use use, const char *path)
{
	for (size_t i = 0; i < files->n; i++)
		if (files->all[i].use == use && strcmp(files->all[i].path, path) == 0)
			return true;
	return false;
}

bool service_files_add(struct service_files *files, enum service_use use, const char *path)
{
	struct service_file *more;
	char *copy;

	if (path == NULL || path[0] == '\0' || has(files, use, path))
		return true;
	more = (struct service_file *)mem_resize(files->all, (files->n + 1) * sizeof(*more));
	if (more == NULL)
		return false;
	files->all = more;
	copy = mem_copy_str(path);
	if (copy == NULL)
		return false;
	files->all[files->n].use = use;
	files->all[files->n].path = copy;
	files->n++;
	return true;
}

/* A mere name has the directory of the configuration, which has a whole path. */
bool service_files_add_read(struct service_files *files, const char *path)
{
	char *directory = mem_copy(path, path_directory_len(path));
	bool good = directory != NULL && service_files_add(files, SERVICE_ENTERS, directory) &&
	            service_files_add(files, SERVICE_READS, path);

	mem_free(directory);
	return good;
}

void service_files_fini(struct service_files *files)
{
	for (size_t i = 0; i < files->n; i++)
		mem_free(files->all[i].path);
	mem_free(files->all);
	memset(files, 0, sizeof(*files));
}

/* Certificates may also come from the system, which is no file. */
static bool add_certificates(struct service_files *files, const char *path)
{
	return path == NULL || strcmp(path, "system") == 0 || service_files_add(files, SERVICE_READS, path);
}

static bool add_databases(struct service_files *files, const struct config *c)
{
	const struct conf_database *d;

	for (unsigned i = 0; (d = config_database(c, i)) != NULL; i++)
		if (!add_certificates(files, d->server_tls_ca_file) ||
		    !service_files_add(files, SERVICE_READS, d->server_tls_cert_file) ||
		    !service_files_add(files, SERVICE_READS, d->server_tls_key_file))
			return false;
	return true;
}

bool service_files_add_config(struct service_files *files, const struct config *c)
{
	const struct settings *s = &c->settings;
	const char *const read[] = {
	    s->auth_file,
	    s->auth_hba_file,
	    s->auth_ident_file,
	    s->client_tls_key_file,
	    s->client_tls_cert_file,
	    s->server_tls_key_file,
	    s->server_tls_cert_file,
	};
	const char *const written[] = {s->logfile, s->pidfile};

	if (!service_files_add_read(files, s->conffile))
		return false;
	for (size_t i = 0; i < sizeof(read) / sizeof(read[0]); i++)
		if (!service_files_add(files, SERVICE_READS, read[i]))
			return false;
	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		if (!service_files_add(files, SERVICE_WRITES, written[i]))
			return false;
	return add_certificates(files, s->client_tls_ca_file) && add_certificates(files, s->server_tls_ca_file) &&
	       add_databases(files, c);
}
