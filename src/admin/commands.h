/* What the console can be told to do: the table made from commands.def, and running it. Main thread. */
#ifndef ADMIN_COMMANDS_H
#define ADMIN_COMMANDS_H

#include "admin/parse.h"
#include "wire/message.h"
#include "worker/console_guest.h"

struct terminal;

enum argument_form {
	ARGUMENT_TOPIC,
	ARGUMENT_SETTING,
	ARGUMENT_NONE,
	ARGUMENT_RELOAD,       /* nothing, or DNS */
	ARGUMENT_ANY_DATABASE, /* none: all */
	ARGUMENT_DATABASE,
	ARGUMENT_CLIENT,
	ARGUMENT_STATEMENT, /* the name of one, or ALL */
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

/* What was typed. */
struct request {
	const struct command *command; /* NULL: there was nothing in it */
	struct parsed parsed;
};

/* Understands what was typed. False: it is no command, which has been said. */
bool command_read(struct terminal *t, const char *text, struct request *request) MUST_USE;

/* The columns of the rows that it answers; none: n is 0. Must not be moved in memory. */
struct request_columns {
	const struct message_column *columns;
	unsigned n;
	struct message_column one; /* for `columns` to point at */
};
void request_describe(const struct request *request, struct request_columns *out);

/* Runs it (its command is not NULL): the answer is sent now, or the terminal is busy until it can be. */
void command_run(struct terminal *t, const struct request *request);

#endif
