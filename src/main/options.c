/* Reading the command line, as getopt_long does but without its global state. Any thread. */
#include "main/options.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/version.h"
#include "net/libraries.h"
#include "os/file.h"
#include "os/process.h"

enum option_id {
	OPTION_DAEMON,
	OPTION_ENV,
	OPTION_PRINT,
	OPTION_QUIET,
	OPTION_USER,
	OPTION_VERBOSE,
	OPTION_VERSION,
	OPTION_HELP,
	OPTION_JSON,
	OPTION_QUICK,
	OPTION_DATABASE,
	OPTION_HOST,
	OPTION_PORT,
	OPTION_TIMEOUT,
	OPTION_ACCOUNT,
	OPTION_PASSWORD,
	OPTION_START,
	OPTION_DEPENDS
};

struct option_row {
	enum option_id id;
	char letter;
	const char *name;     /* NULL: behind the last row */
	const char *argument; /* NULL: it takes none */
	const char *help;     /* NULL: another row's speaks of it */
};

static const struct option_row serve_rows[] = {
#define SERVE_OPTION(id, letter, name, argument, help, doc) {OPTION_##id, letter, name, argument, help},
#include "main/options.def"
    {OPTION_HELP, 0, NULL, NULL, NULL}};

static const struct option_row check_rows[] = {
#define CHECK_OPTION(id, letter, name, argument, help, doc) {OPTION_##id, letter, name, argument, help},
#include "main/options.def"
    {OPTION_HELP, 0, NULL, NULL, NULL}};

static const struct option_row ready_rows[] = {
#define READY_OPTION(id, letter, name, argument, help, doc) {OPTION_##id, letter, name, argument, help},
#include "main/options.def"
    {OPTION_HELP, 0, NULL, NULL, NULL}};

static const struct option_row register_rows[] = {
#define REGISTER_OPTION(id, letter, name, argument, help, doc) {OPTION_##id, letter, name, argument, help},
#include "main/options.def"
    {OPTION_HELP, 0, NULL, NULL, NULL}};

static const struct option_row no_rows[] = {{OPTION_HELP, 0, NULL, NULL, NULL}};

static const struct option_row *rows_of(enum command command)
{
	switch (command) {
	case COMMAND_SERVE:
		break;
	case COMMAND_CHECK:
		return check_rows;
	case COMMAND_READY:
		return ready_rows;
	case COMMAND_REGISTER:
		return register_rows;
	case COMMAND_UNREGISTER:
	case COMMAND_SERVICE:
		return no_rows;
	}
	return serve_rows;
}

/* What stands behind the program's name. */
static const char *word_of(const struct options *o)
{
	switch (o->command) {
	case COMMAND_SERVE:
		break;
	case COMMAND_CHECK:
		return " check";
	case COMMAND_READY:
		return o->is_pg_isready ? "" : " ready";
	case COMMAND_REGISTER:
		return " -regservice";
	case COMMAND_UNREGISTER: /* the rest has no help of its own */
	case COMMAND_SERVICE:
		break;
	}
	return "";
}

/* A walk over the arguments. */
struct walk {
	struct options *o;
	int argc, at;
	char *const *argv;
	struct str *why;
	bool only_arguments; /* behind "--" */
	int n_sources;
};

static enum options_result wrong(struct walk *w, const char *fmt, ...) PRINTF(2, 3);

static enum options_result wrong(struct walk *w, const char *fmt, ...)
{
	va_list args;

	str_printf(w->why, "%s: ", w->o->program);
	va_start(args, fmt);
	str_vprintf(w->why, fmt, args);
	va_end(args);
	str_printf(w->why, "\nTry \"%s%s --help\" for more information.\n", w->o->program, word_of(w->o));
	return OPTIONS_WRONG;
}

static enum options_result apply_start(struct walk *w, const char *value)
{
	if (strcmp(value, "delayed-auto") == 0)
		w->o->begin = SERVICE_DELAYED;
	else if (strcmp(value, "auto") == 0)
		w->o->begin = SERVICE_AUTOMATIC;
	else if (strcmp(value, "demand") == 0)
		w->o->begin = SERVICE_ON_DEMAND;
	else
		return wrong(w, "--start is delayed-auto, auto or demand, not \"%s\"", value);
	return OPTIONS_RUN;
}

/* Whether the system can do what it asks for. */
static bool is_possible(const struct options *o, const struct option_row *row)
{
	if (row->id == OPTION_DAEMON)
		return os_can_daemonize();
	return row->id != OPTION_USER || o->command == COMMAND_READY || os_can_switch_user();
}

static enum options_result apply(struct walk *w, const struct option_row *row, const char *value)
{
	if (!is_possible(w->o, row))
		return wrong(w,
		             "option --%s (-%c) is not supported on this platform\n"
		             "HINT: A service runs in the background, as an account of its own: %s -regservice "
		             "CONFIG_FILE",
		             row->name, row->letter, w->o->program);
	switch (row->id) {
	case OPTION_DAEMON:
		w->o->daemon = true;
		break;
	case OPTION_ENV:
		w->o->env = true;
		break;
	case OPTION_PRINT:
		w->o->print = true;
		break;
	case OPTION_QUIET:
		w->o->quiet = true;
		break;
	case OPTION_USER:
		w->o->user = value;
		break;
	case OPTION_VERBOSE:
		w->o->verbose++;
		break;
	case OPTION_VERSION:
		return OPTIONS_VERSION;
	case OPTION_HELP:
		return OPTIONS_HELP;
	case OPTION_JSON:
		w->o->json = true;
		break;
	case OPTION_QUICK:
		w->o->quick = true;
		break;
	case OPTION_DATABASE:
		w->o->database = value;
		break;
	case OPTION_HOST:
		w->o->host = value;
		break;
	case OPTION_PORT:
		w->o->port = value;
		break;
	case OPTION_TIMEOUT:
		w->o->timeout = value;
		break;
	case OPTION_ACCOUNT:
		w->o->account = value;
		break;
	case OPTION_PASSWORD:
		w->o->password = value;
		break;
	case OPTION_START:
		return apply_start(w, value);
	case OPTION_DEPENDS:
		w->o->depends = value;
		break;
	}
	return OPTIONS_RUN;
}

/* The value in the next argument; NULL if there is none. */
static const char *next_value(struct walk *w)
{
	return w->at < w->argc ? w->argv[w->at++] : NULL;
}

/* "-dv", "-unobody", "-u nobody" */
static enum options_result short_options(struct walk *w, const char *letters)
{
	enum options_result result = OPTIONS_RUN;

	for (; *letters != '\0' && result == OPTIONS_RUN; letters++) {
		const struct option_row *row = rows_of(w->o->command);

		while (row->name != NULL && row->letter != *letters)
			row++;
		if (row->name == NULL)
			return wrong(w, "invalid option -- '%c'", *letters);
		if (row->argument != NULL) {
			const char *value = letters[1] != '\0' ? letters + 1 : next_value(w);

			if (value == NULL)
				return wrong(w, "option requires an argument -- '%c'", *letters);
			return apply(w, row, value);
		}
		result = apply(w, row, NULL);
	}
	return result;
}

/* The one option that begins with these letters, or has exactly this name; NULL if none or several do. */
static const struct option_row *find_long(const struct option_row *rows, const char *name, size_t len, bool *several)
{
	const struct option_row *found = NULL;

	*several = false;
	for (const struct option_row *row = rows; row->name != NULL; row++) {
		if (strncmp(row->name, name, len) != 0)
			continue;
		if (row->name[len] == '\0')
			return row;
		*several = found != NULL;
		found = row;
	}
	return *several ? NULL : found;
}

static enum options_result ambiguous(struct walk *w, const char *text, size_t len)
{
	char names[256];
	size_t used = 0;

	for (const struct option_row *row = rows_of(w->o->command); row->name != NULL; row++)
		if (strncmp(row->name, text, len) == 0 && used + strlen(row->name) + sizeof(" '--'") < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, " '--%s'", row->name);
	return wrong(w, "option '--%s' is ambiguous; possibilities:%s", text, names);
}

/* "--user=nobody", "--user nobody", "--verb" */
static enum options_result long_option(struct walk *w, const char *text)
{
	size_t len = strcspn(text, "=");
	const char *value = text[len] == '=' ? text + len + 1 : NULL;
	bool several;
	const struct option_row *row = len == 0 ? NULL : find_long(rows_of(w->o->command), text, len, &several);

	if (row == NULL && len > 0 && several)
		return ambiguous(w, text, len);
	if (row == NULL)
		return wrong(w, "unrecognized option '--%s'", text);
	if (row->argument == NULL && value != NULL)
		return wrong(w, "option '--%s' doesn't allow an argument", row->name);
	if (row->argument != NULL && value == NULL)
		value = next_value(w);
	if (row->argument != NULL && value == NULL)
		return wrong(w, "option '--%s' requires an argument", row->name);
	return apply(w, row, value);
}

static enum options_result argument(struct walk *w, const char *text)
{
	if (!w->only_arguments && strcmp(text, "--") == 0) {
		w->only_arguments = true;
		return OPTIONS_RUN;
	}
	if (!w->only_arguments && strncmp(text, "--", 2) == 0)
		return long_option(w, text + 2);
	if (!w->only_arguments && text[0] == '-' && text[1] != '\0')
		return short_options(w, text + 1);
	w->o->source = text;
	w->n_sources++;
	return OPTIONS_RUN;
}

/* What the first argument asks for. */
static enum command command_of(const char *word)
{
	static const struct {
		const char *word;
		enum command command;
	} dashed[] = {
	    {"regservice", COMMAND_REGISTER},  {"install", COMMAND_REGISTER}, {"unregservice", COMMAND_UNREGISTER},
	    {"uninstall", COMMAND_UNREGISTER}, {"service", COMMAND_SERVICE},
	};
	size_t n_dashes = strspn(word, "-");

	if (strcmp(word, "check") == 0)
		return COMMAND_CHECK;
	if (strcmp(word, "ready") == 0)
		return COMMAND_READY;
	for (size_t i = 0; i < sizeof(dashed) / sizeof(dashed[0]); i++)
		if ((n_dashes == 1 || n_dashes == 2) && strcmp(word + n_dashes, dashed[i].word) == 0)
			return dashed[i].command;
	return COMMAND_SERVE;
}

/* The program's own name counts, too: it may be installed as PostgreSQL's pg_isready. */
static void take_command(struct walk *w)
{
	const char *name = w->o->program + path_directory_len(w->o->program);

	if (strcmp(name, "pg_isready") == 0 || strcasecmp(name, "pg_isready.exe") == 0) {
		w->o->command = COMMAND_READY;
		w->o->is_pg_isready = true;
		return;
	}
	if (w->argc < 2)
		return;
	w->o->command = command_of(w->argv[1]);
	if (w->o->command != COMMAND_SERVE)
		w->at++;
}

enum options_result options_parse(struct options *o, int argc, char *const *argv, struct str *why)
{
	struct walk w = {o, argc, 1, argv, why, false, 0};
	enum options_result result = OPTIONS_RUN;

	memset(o, 0, sizeof(*o));
	o->program = argc > 0 ? argv[0] : "pgweir";
	take_command(&w);
	while (w.at < argc && result == OPTIONS_RUN)
		result = argument(&w, argv[w.at++]);
	if (result != OPTIONS_RUN)
		return result;
	if (o->env && o->is_pg_isready)
		return wrong(&w, "--env belongs to \"pgweir ready\"");
	if (o->print && !o->env)
		return wrong(&w, "--print belongs to --env");
	if (o->env && w.n_sources > 0)
		return wrong(&w, "--env takes no configuration file");
	if (o->command == COMMAND_READY && w.n_sources > (o->is_pg_isready ? 0 : 1))
		return wrong(&w, "too many command-line arguments (the last is \"%s\")", o->source);
	if (o->command != COMMAND_READY && !o->env && w.n_sources != 1)
		return wrong(&w, "no configuration file specified");
	return result;
}

/* PostgreSQL's pg_isready has no configuration. */
static bool is_for_help(const struct options *o, const struct option_row *row)
{
	return row->help != NULL && !(o->is_pg_isready && row->id == OPTION_ENV);
}

static void help_options(const struct options *o, struct str *out)
{
	str_add_str(out, "Options:\n");
	for (const struct option_row *row = rows_of(o->command); row->name != NULL; row++) {
		const char *equals = row->argument == NULL ? "" : "=";
		const char *name = row->argument == NULL ? "" : row->argument;
		int pad = 14 - (int)(strlen(row->name) + strlen(equals) + strlen(name));

		if (!is_for_help(o, row) || !is_possible(o, row))
			continue;
		str_printf(out, "  -%c, --%s%s%s%*s %s\n", row->letter, row->name, equals, name, pad < 0 ? 0 : pad, "",
		           row->help);
	}
}

static void help_check(const struct options *o, struct str *out)
{
	str_printf(out,
	           "pgweir check looks for everything that would keep pgweir from serving, and says\n"
	           "what to do about it. It changes nothing, here or on any server.\n"
	           "\n"
	           "Usage:\n"
	           "  %s check [OPTION]... CONFIG_FILE | --env | URL\n"
	           "\n",
	           o->program);
	help_options(o, out);
	str_add_str(out, "\n"
	                 "First the file: its syntax, settings, files, secrets. Then each database is\n"
	                 "logged in to as each user that the file knows, by the code that serves clients.\n"
	                 "Then servers are asked for limits, roles and pg_hba.conf, as far as they tell.\n"
	                 "\n"
	                 "Exit status: 0 fine, 1 it would not serve, 2 it would serve with warnings,\n"
	                 "3 wrong use. With --quick warnings do not count.\n");
}

static void help_ready(const struct options *o, struct str *out)
{
	str_printf(out,
	           "%s%s asks whether connections are accepted, without logging in.\n"
	           "\n"
	           "Usage:\n"
	           "  %s%s [OPTION]...%s\n"
	           "\n",
	           o->is_pg_isready ? "pg_isready" : "pgweir", word_of(o), o->program, word_of(o),
	           o->is_pg_isready ? "" : " [CONFIG_FILE | --env | URL]");
	help_options(o, out);
	str_printf(out,
	           "\n"
	           "%s"
	           "Exit status: 0 accepting connections, 1 rejecting them, 2 no response,\n"
	           "3 no attempt was made (wrong use, or no usable configuration).\n",
	           o->is_pg_isready ? ""
	                            : "With a file it asks where the file says that pgweir listens; the options count\n"
	                              "more. Else PGHOST, PGPORT and the like are used, and localhost:6432 at last.\n"
	                              "A program of this name that is called as pg_isready behaves as that one does.\n"
	                              "\n");
}

static void help_register(const struct options *o, struct str *out)
{
	str_printf(out,
	           "pgweir -regservice registers a service of Windows that serves by this file.\n"
	           "Its name is the setting service_name. The verb comes first.\n"
	           "\n"
	           "Usage:\n"
	           "  %s -regservice CONFIG_FILE [OPTION]...   also -install\n"
	           "  %s -unregservice CONFIG_FILE             also -uninstall\n"
	           "\n",
	           o->program, o->program);
	help_options(o, out);
	str_add_str(out, "\n"
	                 "Then:  net start NAME      (or Start-Service, services.msc)\n"
	                 "       sc.exe control NAME paramchange   reads the file again\n"
	                 "Exit status: 0 done, 1 not.\n");
}

void options_help(const struct options *o, struct str *out)
{
	if (o->command == COMMAND_CHECK) {
		help_check(o, out);
		return;
	}
	if (o->command == COMMAND_READY) {
		help_ready(o, out);
		return;
	}
	if (o->command == COMMAND_REGISTER) {
		help_register(o, out);
		return;
	}
	str_printf(out,
	           "pgweir pools connections to PostgreSQL. It is compatible with PgBouncer.\n"
	           "\n"
	           "Usage:\n"
	           "  %s [OPTION]... CONFIG_FILE   a pgbouncer.ini\n"
	           "  %s [OPTION]... --env         DATABASE_URL and its kin\n"
	           "  %s [OPTION]... postgres://USER:PASSWORD@HOST:PORT/DATABASE\n"
	           "  %s check CONFIG_FILE | --env | URL   what would keep it from serving\n"
	           "  %s ready [CONFIG_FILE]       whether one accepts connections\n"
	           "\n"
	           "With a URL it listens on 127.0.0.1:6432, and its user and password log in.\n"
	           "\n",
	           o->program, o->program, o->program, o->program, o->program);
	help_options(o, out);
	str_add_str(out, "\n"
	                 "Console:  psql -h 127.0.0.1 -p 6432 -U USER pgbouncer -c 'SHOW HELP'\n");
	if (service_manager_exists())
		str_printf(out,
		           "Service:  %s -regservice CONFIG_FILE; -regservice --help says more\n"
		           "Ctrl-C exits when all servers are free, Ctrl-Break now\n",
		           o->program);
	else
		str_add_str(out, "Signals:  HUP reload, USR1 pause, USR2 resume, TERM exit when all clients\n"
		                 "          have left, INT when all servers are free, QUIT exit now\n");
}

/* os/service.h, which needs no library for it */
#ifdef __linux__
#define SYSTEMD "systemd: yes\n"
#else
#define SYSTEMD ""
#endif

void options_version(struct str *out)
{
	char dns[64];

	str_printf(out, "PgBouncer %s\nlibevent %s\nadns: %s\ntls: %s\n%s(pgweir %s)\n", PGBOUNCER_VERSION,
	           libraries_event_version(), libraries_dns_backend(dns, sizeof(dns)), libraries_tls_version(), SYSTEMD,
	           PACKAGE_VERSION);
}
