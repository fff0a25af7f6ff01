/* The command line. Pure: nothing is read or printed here. */
#ifndef MAIN_OPTIONS_H
#define MAIN_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"
#include "os/service_manager.h"

struct environment;

/* What the first argument asks for. */
enum command {
	COMMAND_SERVE,
	COMMAND_CHECK, /* "check" */
	COMMAND_READY, /* "ready", or the program's name is pg_isready */
	/* of services of Windows; each with one or two dashes, as PgBouncer's */
	COMMAND_REGISTER,   /* "-regservice" or "-install" */
	COMMAND_UNREGISTER, /* "-unregservice" or "-uninstall" */
	COMMAND_SERVICE     /* "-service": what the service manager types */
};

/* Texts point into the arguments. */
struct options {
	enum command command;
	const char *program; /* argv[0] */
	const char *source;  /* the configuration file, or a URL; NULL: --env */
	const char *user;    /* -u; NULL: the setting `user` */
	bool daemon;
	bool quiet;
	int verbose; /* how often -v was given */
	bool env;    /* the configuration comes from environment variables */
	bool print;  /* and is only shown */
	/* what they are, with `env`: not read here, but put here by whoever knows; borrowed */
	const struct environment *environment;

	/* of check */
	bool json, quick;
	const char *database; /* --database: what to put for the * of [databases]; NULL: nothing. Of ready: --dbname */

	/* of ready; NULL: not given. `user` and `quiet` as above, `source` may be NULL. */
	bool is_pg_isready;
	const char *host, *port, *timeout;

	/* of -regservice; NULL: not given */
	const char *account, *password, *depends;
	enum service_begin begin;
};

enum options_result {
	OPTIONS_RUN,
	OPTIONS_HELP,    /* print options_help on stdout, end with 0 */
	OPTIONS_VERSION, /* likewise options_version */
	OPTIONS_WRONG    /* print `why` on stderr, end with 1, or 3 if the command is check or ready */
};

/* Options may stand behind the argument and be shortened as long as they are clear, "--" ends them. */
enum options_result options_parse(struct options *o, int argc, char *const *argv, struct str *why) MUST_USE;

/* The whole text, of the command; fits a screen of 80 by 24. */
void options_help(const struct options *o, struct str *out);
/* First line is PgBouncer's, last line ours. */
void options_version(struct str *out);

#endif
