/* What the console can be told to do: the table made from commands.def, and running it. Main thread. */
#ifndef ADMIN_COMMANDS_H
#define ADMIN_COMMANDS_H

#include "admin/parse.h"
#include "admin/terminal.h"
#include "worker/console_guest.h"

enum argument_form {
	ARGUMENT_TOPIC,
	ARGUMENT_SETTING,
	ARGUMENT_NONE,
	ARGUMENT_RELOAD,       /* nothing, or DNS */
	ARGUMENT_ANY_DATABASE, /* none: all */
	ARGUMENT_DATABASE,
	ARGUMENT_CLIENT,
	ARGUMENT_SHUTDOWN
};

struct command {
	const char *name;
	enum argument_form form;
	enum console_rights rights;
	const char *tag;
	const char *refusal; /* of the console's own database, with %s for its name; NULL: does not apply */
	void (*run)(struct terminal *t, const struct parsed *p);
	const char *doc;
};

/* In the order of SHOW HELP; ends with name NULL. */
extern const struct command commands[];

/* How the argument is written in SHOW HELP. */
const char *argument_text(enum argument_form form);

/* Runs what was typed: the answer is sent now, or the terminal is busy until it can be. */
void command_run(struct terminal *t, const char *text);

#endif
