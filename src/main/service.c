/*
 * -regservice, -unregservice, -service. Main thread.
 *
 * The files that a service may use are those that its configuration names, and those that were read to load it: what is
 * included is known in no other way. It may look into the directories of the latter, too, and works in the first of
 * them.
 */
#include "main/service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "conf/config.h"
#include "conf/url.h"
#include "main/rules.h"
#include "main/service_plan.h"
#include "main/start.h"
#include "os/directory.h"
#include "os/error.h"
#include "os/file.h"
#include "os/service_manager.h"

#define DEPENDENCIES "RPCSS,Tcpip" /* the first one is PgBouncer's */

/* ---- the directory of the file ---- */

static bool enter_directory_of(const char *file)
{
	char *directory = path_absolute(file);
	bool good;

	if (directory == NULL)
		return false;
	directory[path_directory_len(directory)] = '\0';
	good = directory_enter(directory);
	mem_free(directory);
	return good;
}

void service_enter(const struct options *o, struct log *log)
{
	char reason[128];

	if (!enter_directory_of(o->source))
		log_write(
		    log, LEVEL_WARNING,
		    "could not make the directory of \"%s\" the working directory: %s\nHINT: Write paths in it from "
		    "their drive on.",
		    o->source, os_error_text(errno, reason, sizeof(reason)));
}

char *service_enter_registered(const struct options *o, struct log *log)
{
	char *path = o->source == NULL || conf_is_url(o->source) ? NULL : path_absolute(o->source);
	char *name = path == NULL ? NULL : service_find(path);

	if (name == NULL) {
		mem_free(path);
		return NULL;
	}
	mem_free(name);
	service_enter(o, log);
	return path;
}

/* ---- the configuration, and what was read for it ---- */

struct reading {
	struct service_files files;
	bool out_of_memory;
};

static int read_and_note(void *context, const char *path, struct str *out)
{
	struct reading *r = (struct reading *)context;
	int error = conf_read_file(NULL, path, out);

	if (error == 0 && !service_files_add_read(&r->files, path))
		r->out_of_memory = true;
	return error;
}

static int list_and_note(void *context, const char *directory, const char *pattern, char ***names)
{
	struct reading *r = (struct reading *)context;
	int error = conf_list_directory(NULL, directory, pattern, names);

	if (error == 0 && !service_files_add(&r->files, SERVICE_ENTERS, directory))
		r->out_of_memory = true;
	return error;
}

/* NULL, after saying why. */
static struct config *load(const char *path, struct reading *r, struct log *log)
{
	struct conf_source source = {read_and_note, list_and_note, r};
	struct conf_error why = {.line = 0};
	struct config *c = config_load(path, NULL, read_and_note, r, &why);

	if (c != NULL && rules_prepare(c, NULL, &source, &why)) {
		if (service_files_add_config(&r->files, c) && !r->out_of_memory)
			return c;
		(void)conf_fail_memory(&why, path, 0);
	}
	start_say_why(log, &why);
	config_unref(c);
	return NULL;
}

/* ---- registering ---- */

static bool register_it(const struct options *o, const char *path, struct log *log)
{
	struct reading reading = {.out_of_memory = false};
	struct config *c = load(path, &reading, log);
	bool good = false;

	if (c != NULL) {
		const struct settings *s = &c->settings;
		struct service_plan plan = {
		    .name = s->job_name,
		    .config = path,
		    .account = o->account,
		    .password = o->password,
		    .begin = o->begin,
		    .dependencies = o->depends == NULL ? DEPENDENCIES : o->depends,
		    .stop_us = service_stop_us(s),
		    .source = s->syslog ? s->syslog_ident : NULL,
		    .files = reading.files.all,
		    .n_files = reading.files.n,
		};

		good = service_register(&plan, log);
		if (good)
			printf("Service registered.\nTo start it: net start \"%s\"\n", s->job_name);
	}
	service_files_fini(&reading.files);
	config_unref(c);
	return good;
}

/* As the file says (mem_free). What is wrong with it need not keep anybody from removing a service: then as the service
   manager knows it. NULL, after saying why. */
static char *name_of(const char *path, struct log *log)
{
	struct conf_error why = {.line = 0};
	struct config *c = config_load(path, NULL, conf_read_file, NULL, &why);
	char *name = c == NULL ? service_find(path) : mem_copy_str(c->settings.job_name);

	if (c == NULL && name == NULL)
		start_say_why(log, &why);
	config_unref(c);
	return name;
}

static bool unregister_it(const char *path, struct log *log)
{
	char *name = name_of(path, log);
	bool good = name != NULL && service_unregister(name, log);

	if (name == NULL)
		log_write(
		    log, LEVEL_FATAL,
		    "cannot tell the name of the service, which is the setting service_name\nHINT: Mend the file, or "
		    "remove the service by its name: sc.exe delete NAME");
	if (good)
		printf("Service removed.\n");
	mem_free(name);
	return good;
}

static bool command(const struct options *o, struct log *log)
{
	char *path = path_absolute(o->source), reason[128];
	bool good = false;

	if (conf_is_url(o->source)) {
		log_write(log, LEVEL_FATAL, "a service needs a configuration file, and this is a URL");
	} else if (path == NULL || (!enter_directory_of(path) && o->command == COMMAND_REGISTER)) {
		log_write(log, LEVEL_FATAL, "could not enter the directory of \"%s\": %s", o->source,
		          os_error_text(errno, reason, sizeof(reason)));
	} else {
		good = o->command == COMMAND_REGISTER ? register_it(o, path, log) : unregister_it(path, log);
	}
	mem_free(path);
	return good;
}

int service_command(const struct options *o)
{
	struct log *log = log_new();
	bool good;

	if (log == NULL) {
		fprintf(stderr, "%s: out of memory\n", o->program);
		return EXIT_FAILURE;
	}
	good = command(o, log);
	log_free(log);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* ---- serving ---- */

int service_explain(const struct options *o, enum service_run why)
{
	struct log *log = log_new();
	char reason[128];

	switch (why) {
	case SERVICE_RAN:
		break;
	case SERVICE_NOT_WAITED:
		if (log != NULL)
			config_unref(start_load(o, log));
		fprintf(stderr,
		        "%s: -service is what Windows' service manager starts a service with\n"
		        "HINT: To serve in this window:  %s \"%s\"\n"
		        "To register a service:  %s -regservice \"%s\"\n",
		        o->program, o->program, o->source, o->program, o->source);
		break;
	case SERVICE_NO_MANAGER:
		fprintf(stderr, "%s: option --service is not supported on this platform\n", o->program);
		break;
	case SERVICE_RUN_FAILED:
		fprintf(stderr, "%s: could not reach the service manager: %s\n", o->program,
		        os_error_text(errno, reason, sizeof(reason)));
		break;
	}
	log_free(log);
	return EXIT_FAILURE;
}

void service_say_stopped(struct log *log)
{
	struct log_event e = {.level = LEVEL_LOG, .event = "stopped", .text = "service stopped"};

	log_event(log, &e);
}
