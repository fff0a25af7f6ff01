/* What a service needs, as its configuration says. Values only. */
#ifndef MAIN_SERVICE_PLAN_H
#define MAIN_SERVICE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "conf/config.h"
#include "os/service_manager.h"

/* The files that it uses, each once. */
struct service_files {
	struct service_file *all;
	size_t n;
};

/* One more, unless it is there or there is no path; false: out of memory. */
bool service_files_add(struct service_files *files, enum service_use use, const char *path) MUST_USE;
/* One that is read to load the configuration, and where it is: to be in a directory, and to know what is there, wants
   rights of its own on Windows. */
bool service_files_add_read(struct service_files *files, const char *path) MUST_USE;
/* Those that the configuration names, and its directory. */
bool service_files_add_config(struct service_files *files, const struct config *c) MUST_USE;
void service_files_fini(struct service_files *files);

/* How long a stop may take that waits for servers, before it ends at once. */
uint64_t service_stop_us(const struct settings *s);

#endif
