/* pgweir: from the command line to the end of the process. The only file that ends it. Main thread. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/str.h"
#include "main/check.h"
#include "main/check_finding.h"
#include "main/environment.h"
#include "main/logging.h"
#include "main/options.h"
#include "main/ready.h"
#include "main/start.h"
#include "main/supervisor.h"
#include "net/loop.h"
#include "os/error.h"
#include "os/process.h"

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

/* Listens and serves until the end; `ready` is -1 in the foreground. Returns the exit status. */
static int serve(struct supervisor *s, const struct config *c, struct log *log, int ready)
{
	int pidfile;
	bool good;

	if (!supervisor_listen(s) || !start_pidfile(&c->settings, &pidfile, log))
		return EXIT_FAILURE;
	start_say_up(log, loop_method(s->loop));
	if (ready >= 0)
		os_daemon_ready(ready);
	good = supervisor_run(s);
	if (pidfile >= 0)
		pidfile_remove(c->settings.pidfile, pidfile);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int start(const struct options *o, struct config *c, struct logging *logging)
{
	struct log *log = logging->log;
	int ready = -1;
	struct supervisor *s;
	int status;

	if (!start_account(o, c, logging) || !start_may_detach(o, &c->settings, log) || !start_alone(&c->settings, log))
		return EXIT_FAILURE;
	if (o->daemon && !detach(o->program, logging, &ready))
		return EXIT_FAILURE;
	s = supervisor_new(logging, c);
	if (s == NULL)
		return EXIT_FAILURE;
	s->environment = o->environment;
	status = serve(s, c, log, ready);
	if (!supervisor_free(s))
		_exit(status);
	return status;
}

static int run(const struct options *o)
{
	struct log *log = log_new();
	struct logging logging;
	struct config *c;
	int status = EXIT_FAILURE;

	if (log == NULL) {
		fprintf(stderr, "%s: out of memory\n", o->program);
		return EXIT_FAILURE;
	}
	logging_init(&logging, log, o->verbose, o->quiet);
	c = start_load(o, log);
	if (c != NULL)
		status = start(o, c, &logging);
	config_unref(c);
	logging_fini(&logging);
	log_free(log);
	return status;
}

static int check(const struct options *o)
{
	bool stuck = false;
	int status = check_run(o, &stuck);

	if (stuck)
		_exit(status);
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
	}
	return run(o);
}

/* Of a wrong command line. */
static int wrong_use(const struct options *o)
{
	switch (o->command) {
	case COMMAND_SERVE:
		break;
	case COMMAND_CHECK:
		return CHECK_WRONG_USE;
	case COMMAND_READY:
		return READY_NO_ATTEMPT;
	}
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct environment environment;
	struct options options;
	char *const *words = os_begin(&argc, argv);
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
