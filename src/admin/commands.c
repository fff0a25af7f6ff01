/*
 * Commands of the console: which there are, who may use them, and how each is
 * asked of main. Main thread.
 */
#include "admin/commands.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/terminal.h"
#include "admin/view.h"
#include "base/mem.h"
#include "net/dns.h"
#include "wire/sqlstate.h"

/* All rows are there. */
static void shown(void *asker, struct view *v)
{
	struct terminal *t = (struct terminal *)asker;

	t->view = NULL;
	terminal_rows(t, v->topic->columns, v->n_columns, &v->out);
	terminal_done(t, SHOW_TAG, NULL);
	if (v->went_round)
		terminal_go_on(t);
}

static void run_show(struct terminal *t, const struct parsed *p);
static void run_set(struct terminal *t, const struct parsed *p);
static void run_reload(struct terminal *t, const struct parsed *p);
static void run_pause(struct terminal *t, const struct parsed *p);
static void run_resume(struct terminal *t, const struct parsed *p);
static void run_disable(struct terminal *t, const struct parsed *p);
static void run_enable(struct terminal *t, const struct parsed *p);
static void run_reconnect(struct terminal *t, const struct parsed *p);
static void run_kill(struct terminal *t, const struct parsed *p);
static void run_kill_client(struct terminal *t, const struct parsed *p);
static void run_shutdown(struct terminal *t, const struct parsed *p);
static void run_wait_close(struct terminal *t, const struct parsed *p);
static void run_deallocate(struct terminal *t, const struct parsed *p);

const struct command commands[] = {
#define COMMAND(name, form, rights, tag, refusal, run, doc) {#name, ARGUMENT_##form, rights, tag, refusal, run, doc},
#include "admin/commands.def"
    {NULL, ARGUMENT_NONE, CONSOLE_NONE, NULL, NULL, NULL, NULL},
};

/* ---- the words behind a command ---- */

static const struct {
	const char *name;
	enum shutdown_mode mode;
} shutdown_words[] = {
    {"", SHUTDOWN_NOW},
    {"WAIT_FOR_SERVERS", SHUTDOWN_WAIT_FOR_SERVERS},
    {"WAIT_FOR_CLIENTS", SHUTDOWN_WAIT_FOR_CLIENTS},
};
#define N_SHUTDOWN_WORDS (sizeof(shutdown_words) / sizeof(shutdown_words[0]))

const char *argument_text(enum argument_form form)
{
	switch (form) {
	case ARGUMENT_TOPIC:
		return " <what>";
	case ARGUMENT_SETTING:
		return " key = arg";
	case ARGUMENT_NONE:
		return "";
	case ARGUMENT_ANY_DATABASE:
		return " [<db>]";
	case ARGUMENT_DATABASE:
		return " <db>";
	case ARGUMENT_CLIENT:
		return " <client_id>";
	case ARGUMENT_STATEMENT:
		return " <name>|ALL";
	case ARGUMENT_RELOAD:
		return "\n\tRELOAD DNS";
	case ARGUMENT_SHUTDOWN:
		return "\n\tSHUTDOWN WAIT_FOR_SERVERS|WAIT_FOR_CLIENTS";
	}
	return "";
}

/* N_SHUTDOWN_WORDS: there is no such word. */
static size_t find_shutdown(const char *word)
{
	size_t i = 0;

	while (i < N_SHUTDOWN_WORDS && strcasecmp(shutdown_words[i].name, word) != 0)
		i++;
	return i;
}

/* Is this a command at all? What is missing or refused is said later. */
static bool form_fits(const struct command *c, const struct parsed *p)
{
	switch (c->form) {
	case ARGUMENT_TOPIC:
		return topic_find(p->argument) != NULL || constant_find(p->argument) != NULL;
	case ARGUMENT_SETTING:
		return p->has_value;
	case ARGUMENT_NONE:
		return !p->has_argument;
	case ARGUMENT_RELOAD:
		return !p->has_argument || strcasecmp(p->argument, "dns") == 0;
	case ARGUMENT_STATEMENT:
		return p->has_argument;
	case ARGUMENT_SHUTDOWN:
		return find_shutdown(p->argument) < N_SHUTDOWN_WORDS;
	case ARGUMENT_ANY_DATABASE:
	case ARGUMENT_DATABASE:
	case ARGUMENT_CLIENT:
		return true;
	}
	return false;
}

/* What everybody may do: drivers do it while they connect. */
static bool is_harmless(const struct command *c, const struct parsed *p)
{
	return c->form == ARGUMENT_SETTING && constant_find(p->argument) != NULL;
}

/* ---- running ---- */

static void say_invalid(struct terminal *t, const char *text)
{
	struct str s;

	str_init(&s, TERMINAL_COMMAND_MAX + 64);
	str_printf(&s, "invalid command '%s', use SHOW HELP;", text);
	terminal_error(t, SQLSTATE_SYNTAX, str_text(&s));
	str_fini(&s);
}

static const struct command *command_find(const struct parsed *p)
{
	for (const struct command *c = commands; c->name != NULL; c++) {
		if (strcasecmp(c->name, p->name) == 0)
			return form_fits(c, p) ? c : NULL;
	}
	return NULL;
}

static void command_log(struct terminal *t, const struct command *c, const struct parsed *p)
{
	struct log *log = t->console->control->office->log;

	if (c->rights < CONSOLE_ADMIN)
		return;
	if (c->form == ARGUMENT_SHUTDOWN && p->has_argument)
		log_write(log, LEVEL_LOG, "%s %s command issued", c->name,
		          shutdown_words[find_shutdown(p->argument)].name);
	else if (p->has_argument)
		log_write(log, LEVEL_LOG, "%s '%s' command issued", c->name, p->argument);
	else
		log_write(log, LEVEL_LOG, "%s command issued", c->name);
}

void command_run(struct terminal *t, const struct request *request)
{
	const struct command *c = request->command;
	const struct parsed *p = &request->parsed;

	if (is_harmless(c, p)) {
		static const char *const ignored[] = {"SET ignored", NULL};

		terminal_done(t, c->tag, ignored);
		return;
	}
	if (t->guest->rights < c->rights) {
		terminal_error(t, SQLSTATE_NO_PRIVILEGE, "admin access needed");
		return;
	}
	command_log(t, c, p);
	t->command = c;
	c->run(t, p);
}

bool command_read(struct terminal *t, const char *text, struct request *request)
{
	request->command = NULL;
	switch (command_parse(text, &request->parsed)) {
	case PARSE_NOTHING:
		return true;
	case PARSE_TOO_LONG:
		terminal_error(t, SQLSTATE_SYNTAX, "bad arguments");
		return false;
	case PARSE_NO_COMMAND:
		break;
	case PARSE_GOT:
		request->command = command_find(&request->parsed);
		break;
	}
	if (request->command == NULL)
		say_invalid(t, text);
	return request->command != NULL;
}

void request_describe(const struct request *request, struct request_columns *out)
{
	const struct topic *topic;

	memset(out, 0, sizeof(*out));
	if (request->command == NULL || request->command->form != ARGUMENT_TOPIC)
		return;
	topic = topic_find(request->parsed.argument);
	if (topic == NULL) {
		out->one = (struct message_column){constant_find(request->parsed.argument)->name, TYPE_OID_TEXT, -1};
		out->columns = &out->one;
		out->n = 1;
		return;
	}
	out->columns = topic->columns;
	while (topic->columns[out->n].name != NULL)
		out->n++;
}

/* ---- asking main ---- */

/* The outcome of an action. */
static void action_done(void *asker, const struct control_reply *reply)
{
	struct terminal *t = (struct terminal *)asker;
	const struct command *c = t->command;
	char *tag = t->tag;

	t->acting = false;
	t->tag = NULL;
	if (!reply->ok)
		terminal_refuse(t, reply);
	else if (tag == NULL && c->form == ARGUMENT_SHUTDOWN)
		terminal_close(t, "shutdown");
	else
		terminal_done(t, tag == NULL ? c->tag : tag, reply->notices);
	mem_free(tag);
	terminal_go_on(t);
}

/* Action on a database, or on all. */
typedef void database_action(struct supervisor *s, const char *database, control_done *done, void *asker);

static void refuse_console(struct terminal *t, const char *database)
{
	const char *form = t->command->refusal, *at = strstr(form, "%s");
	struct str text;

	str_init(&text, 256);
	str_add(&text, form, (size_t)(at - form));
	str_add_str(&text, database);
	str_add_str(&text, at + 2);
	terminal_error(t, SQLSTATE_NOT_SUPPORTED, str_text(&text));
	str_fini(&text);
}

static void act_on_database(struct terminal *t, const struct parsed *p, database_action *action)
{
	const struct control *control = t->console->control;

	if (!p->has_argument && t->command->form == ARGUMENT_DATABASE) {
		terminal_error(t, SQLSTATE_SYNTAX, "a database is required");
		return;
	}
	if (p->has_argument && console_is_database(control->config(control->self), p->argument)) {
		refuse_console(t, p->argument);
		return;
	}
	t->acting = true;
	action(control->self, p->has_argument ? p->argument : NULL, action_done, t);
}

static void run_pause(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->pause);
}

static void run_resume(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->resume);
}

static void run_disable(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->disable);
}

static void run_enable(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->enable);
}

static void run_reconnect(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->reconnect);
}

static void run_kill(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->kill);
}

static void run_wait_close(struct terminal *t, const struct parsed *p)
{
	act_on_database(t, p, t->console->control->wait_close);
}

static void run_reload(struct terminal *t, const struct parsed *p)
{
	const struct control *control = t->console->control;

	if (p->has_argument) {
		/* whoever asks for a server meanwhile has the known addresses or the new ones */
		dns_refresh_all(control->dns);
		terminal_done(t, "RELOAD", NULL);
		return;
	}
	t->acting = true;
	control->reload(control->self, action_done, t);
}

static void run_shutdown(struct terminal *t, const struct parsed *p)
{
	const struct control *control = t->console->control;

	if (p->has_argument) {
		t->tag = mem_copy_str(t->command->tag);
		if (t->tag == NULL) {
			terminal_error(t, SQLSTATE_NO_MEMORY, "no mem");
			return;
		}
	}
	t->acting = true;
	control->shutdown(control->self, shutdown_words[find_shutdown(p->argument)].mode, action_done, t);
}

/* ---- the others ---- */

static void run_set(struct terminal *t, const struct parsed *p)
{
	const struct control *control = t->console->control;
	struct str tag;

	str_init(&tag, 512);
	str_printf(&tag, "%s %s=%s", t->command->tag, p->argument, p->value);
	t->tag = str_take(&tag);
	if (t->tag == NULL) {
		str_fini(&tag);
		terminal_error(t, SQLSTATE_NO_MEMORY, "no mem");
		return;
	}
	t->acting = true;
	control->set(control->self, p->argument, p->value, action_done, t);
}

/* The console's own connections are here, all others are the workers'. */
static struct terminal *find_terminal(struct console *c, uint64_t id)
{
	struct list *node;

	list_each (node, &c->terminals) {
		if (terminal_of(node)->guest->id == id)
			return terminal_of(node);
	}
	return NULL;
}

static bool parse_id(const char *text, uint64_t *id)
{
	size_t n = strlen(text);

	if (n == 0 || n > 20 || strspn(text, "0123456789") != n)
		return false;
	*id = strtoull(text, NULL, 10);
	return true;
}

static void kill_terminal(struct terminal *t, struct terminal *victim)
{
	bool itself = victim == t;

	terminal_fail(victim, SQLSTATE_ADMIN_SHUTDOWN, "admin forced disconnect");
	if (itself)
		return;
	terminal_free(victim);
	terminal_done(t, t->command->tag, NULL);
}

static void run_kill_client(struct terminal *t, const struct parsed *p)
{
	const struct control *control = t->console->control;
	struct terminal *victim;
	uint64_t id;

	if (!parse_id(p->argument, &id)) {
		terminal_error(t, SQLSTATE_SYNTAX, "invalid client pointer supplied");
		return;
	}
	victim = find_terminal(t->console, id);
	if (victim != NULL) {
		kill_terminal(t, victim);
		return;
	}
	t->acting = true;
	control->kill_client(control->self, id, action_done, t);
}

static void run_deallocate(struct terminal *t, const struct parsed *p)
{
	bool all = strcasecmp(p->argument, "all") == 0;
	struct control_reply no = {.sqlstate = SQLSTATE_NO_STATEMENT};
	struct str text;

	if (extended_deallocate(&t->extended, all ? NULL : p->argument)) {
		terminal_done(t, all ? "DEALLOCATE ALL" : t->command->tag, NULL);
		return;
	}
	str_init(&text, 256);
	str_printf(&text, "prepared statement \"%s\" does not exist", p->argument);
	no.error = str_text(&text);
	terminal_refuse(t, &no);
	str_fini(&text);
}

static void show_constant(struct terminal *t, const struct constant *c)
{
	const struct message_column column = {c->name, TYPE_OID_TEXT, -1};
	struct str rows;

	str_init(&rows, 1024);
	message_data_row(&rows, &c->value, 1);
	terminal_rows(t, &column, 1, &rows);
	terminal_done(t, SHOW_TAG, NULL);
}

static void show_help(struct terminal *t)
{
	struct words words = {"NOTICE", SQLSTATE_SUCCESSFUL, "Console usage", NULL, NULL};
	struct str detail, out;

	str_init(&detail, 16384);
	str_init(&out, 32768);
	help_write(&detail);
	words.detail = str_text(&detail);
	message_notice(&out, &words);
	terminal_send(t, &out);
	terminal_done(t, SHOW_TAG, NULL);
	str_fini(&detail);
}

static void run_show(struct terminal *t, const struct parsed *p)
{
	const struct topic *topic = topic_find(p->argument);

	if (topic == NULL)
		show_constant(t, constant_find(p->argument));
	else if (topic->columns == no_columns)
		show_help(t);
	else if (!view_start(t->console, topic, shown, t, &t->view))
		terminal_error(t, SQLSTATE_NO_MEMORY, "no mem");
}
