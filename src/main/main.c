/* pgweir: from the command line to the end of the process. The only file that ends it. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "main/check.h"
#include "main/check_finding.h"
#include "main/environment.h"
#include "main/logging.h"
#include "main/options.h"
#include "main/outcome.h"
#include "main/ready.h"
#include "main/service.h"
#include "main/start.h"
#include "main/supervisor.h"
#include "net/loop.h"
#include "os/error.h"
#include "os/file.h"
#include "os/process.h"
#include "os/service_manager.h"
#include "os/signal.h"

#define MAX_TEXT 65536

static void print(FILE *to, struct str *text)
{
	fputs(str_text(text), to);
	str_fini(text);
}

/* Into the background: `*ready` is for os_daemon_ready. False, after saying why, if the start is over; the processes in
   between end here. */
static bool detach(const char *program, struct logging *logging, int *ready)
{
	char reason[128];

	switch (os_daemonize(ready)) {
	case DAEMON_GO_ON:
		logging->quiet = true;
		log_set_stderr(logging->log, false);
		return true;
	case DAEMON_LEAVE:
		_exit(EXIT_SUCCESS);
	case DAEMON_LOST:
		fprintf(stderr, "%s: the process in the background has ended; its log says why\n", program);
		return false;
	case DAEMON_FAILED:
		break;
	}
	log_write(logging->log, LEVEL_FATAL, "could not go into the background: %s",
	          os_error_text(errno, reason, sizeof(reason)));
	return false;
}

/* Listens and serves until the end; `ready` is -1 in the foreground. */
static enum outcome serve(struct supervisor *s, const struct config *c, struct log *log, int ready)
{
	int pidfile;
	bool good;

	if (!supervisor_listen(s) || !start_pidfile(&c->settings, &pidfile, log))
		return OUTCOME_LISTENING;
	start_say_up(log, loop_method(s->loop));
	if (ready >= 0)
		os_daemon_ready(ready);
	good = supervisor_run(s);
	if (pidfile >= 0)
		pidfile_remove(c->settings.pidfile, pidfile);
	return good ? OUTCOME_STOPPED : OUTCOME_RESOURCES;
}

/* `stuck`: threads still run and use things, so the process must end without touching them (os_end_at_once). */
static enum outcome start(const struct options *o, struct config *c, struct logging *logging, bool *stuck)
{
	struct log *log = logging->log;
	int ready = -1;
	struct supervisor *s;
	enum outcome outcome;

	if (!start_account(o, c, logging) || !start_may_detach(o, &c->settings, log))
		return OUTCOME_SETUP;
	if (!start_alone(&c->settings, log))
		return OUTCOME_NOT_ALONE;
	if (o->daemon && !detach(o->program, logging, &ready))
		return OUTCOME_RESOURCES;
	s = supervisor_new(logging, c);
	if (s == NULL)
		return OUTCOME_RESOURCES;
	s->environment = o->environment;
	outcome = serve(s, c, log, ready);
	signal_ignore_console();
	*stuck = !supervisor_free(s);
	return outcome;
}

static enum outcome run(const struct options *o, bool *stuck)
{
	struct log *log = log_new();
	struct logging logging;
	struct config *c;
	enum outcome outcome = OUTCOME_CONFIGURATION;

	if (log == NULL) {
		fprintf(stderr, "%s: out of memory\n", o->program);
		return OUTCOME_RESOURCES;
	}
	logging_init(&logging, log, o->verbose, o->quiet);
	if (o->command == COMMAND_SERVICE)
		service_enter(o, log);
	c = start_load(o, log);
	if (c != NULL)
		outcome = start(o, c, &logging, stuck);
	if (o->command == COMMAND_SERVICE && outcome == OUTCOME_STOPPED)
		service_say_stopped(log);
	if (*stuck)
		return outcome;
	config_unref(c);
	logging_fini(&logging);
	log_free(log);
	return outcome;
}

static int serve_here(const struct options *o)
{
	bool stuck = false;
	int status = run(o, &stuck) == OUTCOME_STOPPED ? EXIT_SUCCESS : EXIT_FAILURE;

	if (stuck)
		os_end_at_once(status);
	return status;
}

/* ---- as a service ---- */

struct hosted {
	struct options options;
	bool stuck;
};

static uint32_t serve_hosted(void *arg)
{
	struct hosted *h = (struct hosted *)arg;

	return (uint32_t)run(&h->options, &h->stuck);
}

static int serve_as_service(const struct options *o)
{
	struct hosted h = {*o, false};
	/* the manager starts it elsewhere, and it goes to where the file is */
	char *path = path_absolute(o->source);
	enum service_run how;

	if (path != NULL)
		h.options.source = path;
	h.options.quiet = true; /* nobody reads what a service writes there */
	how = service_run(serve_hosted, &h);
	if (how != SERVICE_RAN)
		return service_explain(&h.options, how);
	if (h.stuck)
		os_end_at_once(EXIT_SUCCESS);
	mem_free(path);
	return EXIT_SUCCESS;
}

static int check(const struct options *o)
{
	bool stuck = false;
	int status = check_run(o, &stuck);

	if (stuck)
		os_end_at_once(status);
	return status;
}

static int run_command(const struct options *o)
{
	switch (o->command) {
	case COMMAND_SERVE:
		break;
	case COMMAND_CHECK:
		return check(o);
	case COMMAND_READY:
		return (int)ready_run(o);
	case COMMAND_REGISTER:
	case COMMAND_UNREGISTER:
		return service_command(o);
	case COMMAND_SERVICE:
		return serve_as_service(o);
	}
	return serve_here(o);
}

/* Of a wrong command line. */
static int wrong_use(const struct options *o)
{
	switch (o->command) {
	case COMMAND_SERVE:
	case COMMAND_REGISTER:
	case COMMAND_UNREGISTER:
	case COMMAND_SERVICE:
		break;
	case COMMAND_CHECK:
		return CHECK_WRONG_USE;
	case COMMAND_READY:
		return READY_NO_ATTEMPT;
	}
	return EXIT_FAILURE;
}

/* The process's exit status. */
static int run_program(int argc, char *const *words)
{
	struct environment environment;
	struct options options;
	struct str text;

	str_init(&text, MAX_TEXT);
	switch (options_parse(&options, argc, words, &text)) {
	case OPTIONS_RUN:
		str_fini(&text);
		environment_of_process(&environment);
		options.environment = options.env ? &environment : NULL;
		if (options.print)
			return environment_print(&environment, options.program);
		return run_command(&options);
	case OPTIONS_HELP:
		options_help(&options, &text);
		print(stdout, &text);
		return EXIT_SUCCESS;
	case OPTIONS_VERSION:
		options_version(&text);
		print(stdout, &text);
		return EXIT_SUCCESS;
	case OPTIONS_WRONG:
		break;
	}
	print(stderr, &text);
	return wrong_use(&options);
}

int main(int argc, char **argv)
{
	char *const *words = os_begin(&argc, argv);

	return os_end(run_program(argc, words));
}
