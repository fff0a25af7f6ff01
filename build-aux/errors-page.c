/* Writes the manual's page "Errors and what to do" from diag/failures.def and event_ids.def to standard output. "./dev
 * manual" runs it.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Of the column `match` the page needs the phase, the `when`, the errno if it is one, PostgreSQL's code and words. */
#define ANY (-1)
#define SYSTEM(phase, code, when) #phase, #when, code, "", ""
#define POOLER(phase, code, text, when) #phase, #when, ANY, "", ""
#define NAMES(when) "RESOLVE", #when, ANY, "", ""
#define TLS(code) "TLS", "ALWAYS", ANY, "", ""
#define TLS_WHEN(code, when) "TLS", #when, ANY, "", ""
#define SERVER(phase, sqlstate, text, when) #phase, #when, ANY, sqlstate, text
#define OTHERWISE() "ANY", "ALWAYS", ANY, "", ""

struct row {
	const char *class, *phase, *when;
	int system_code; /* or ANY */
	const char *servers_code, *servers_words, *kind, *sqlstate, *message, *hint, *doc;
};

static const struct row rows[] = {
#define FAILURE(class, match, kind, sqlstate, message, detail, hint, doc)                                              \
	{#class, match, #kind, sqlstate, message, hint, doc},
#include "diag/failures.def"
};

#define N_ROWS (sizeof(rows) / sizeof(rows[0]))

static const struct {
	char letter;
	const char *example;
} placeholders[] = {
#define PLACEHOLDER(letter, writer, example) {letter, example},
#include "diag/placeholders.def"
};

static const struct {
	char letter;
	const char *elsewhere, *on_windows;
} idioms[] = {
#define IDIOM(letter, name, elsewhere, on_windows) {letter, elsewhere, on_windows},
#include "diag/idioms.def"
};

static bool is(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static const char *example_of(char letter)
{
	for (size_t i = 0; i < sizeof(placeholders) / sizeof(placeholders[0]); i++)
		if (placeholders[i].letter == letter)
			return placeholders[i].example;
	return "?";
}

/* PostgreSQL's words as the table knows them, with * for what differs. */
static void put_words(const struct row *row)
{
	fputs("… ", stdout);
	for (const char *c = row->servers_words; *c != '\0'; c++)
		fputs(*c == '*' ? " … " : (char[]){*c, '\0'}, stdout);
	fputs(" …", stdout);
}

static void put_example(char letter, const struct row *row);

static void put_expanded(const char *text, const struct row *row)
{
	for (; *text != '\0'; text++) {
		if (*text == '%' && text[1] != '\0')
			put_example(*++text, row);
		else if (*text == '\n')
			fputs("\n    ", stdout);
		else if (*text != '{' && *text != '}')
			putchar(*text);
	}
}

/* What it is called on either system. */
static bool put_idiom(char letter, const struct row *row)
{
	for (size_t i = 0; i < sizeof(idioms) / sizeof(idioms[0]); i++) {
		if (idioms[i].letter != letter)
			continue;
		if (strstr(row->when, "ON_WINDOWS") == NULL) {
			put_expanded(idioms[i].elsewhere, row);
			fputs("; on Windows: ", stdout);
		}
		put_expanded(idioms[i].on_windows, row);
		return true;
	}
	return false;
}

static void put_example(char letter, const struct row *row)
{
	if (put_idiom(letter, row))
		return;
	if (letter == 'e' && row->system_code != ANY)
		fputs(strerror(row->system_code), stdout);
	else if (letter == 'h' && is(row->when, "LOCAL_IN_CONTAINER"))
		fputs("localhost", stdout);
	else if (letter == 'h' && strncmp(row->when, "OUTSIDE_", 8) == 0)
		fputs("host.docker.internal", stdout);
	else if (letter == 'm' && row->servers_words[0] != '\0')
		put_words(row);
	else
		fputs(example_of(letter), stdout);
}

/* A text of the table with examples filled in, as if everything were known; indented, so that it is shown as it is. */
static void put_text(const char *text, const struct row *row)
{
	fputs("    ", stdout);
	put_expanded(text, row);
	putchar('\n');
}

static const char *condition_of(const char *when)
{
	static const char *const texts[][2] = {
	    {"WITHOUT_HOST", "Without host= in the [databases] line"},
	    {"ON_UNIX", "Over a Unix socket"},
	    {"ON_UNIX_IN_CONTAINER", "In a container, over a Unix socket"},
	    {"IN_CONTAINER", "In a container"},
	    {"LOCAL_IN_CONTAINER", "In a container, with localhost as host"},
	    {"ON_WINDOWS", "On Windows"},
	    {"LOCAL_ON_WINDOWS", "On Windows, with a server on the same machine"},
	    {"OUTSIDE_ON_WINDOWS", "In a container or WSL on Windows, with host.docker.internal as host"},
	    {"OUTSIDE_OF_CONTAINER", "With host.docker.internal as host"},
	    {"SYSTEM_CA", "With server_tls_ca_file = system"},
	    {"FORCED_USER", "With user= in the [databases] line"},
	    {"SCRAM_STORED", "With a SCRAM verifier stored"},
	    {"MD5_STORED", "With an MD5 hash stored"},
	    {"MD5_STORED_FORCED_USER", "With an MD5 hash stored, and user= in the [databases] line"},
	};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (is(texts[i][0], when))
			return texts[i][1];
	return NULL;
}

static const char *told_of(const struct row *row)
{
	if (is(row->kind, "NONE"))
		return "the client concerned, at once; nobody else.";
	if (is(row->kind, "REFUSED"))
		return "every client that waits, at once, and each newcomer until an attempt succeeds.";
	return "clients wait, and are told when it has lasted for server_down_wait (5 s).";
}

static const char *shared_by(const struct row *row)
{
	if (is(row->kind, "NONE"))
		return "";
	for (size_t i = 0; i < N_ROWS; i++)
		if (is(rows[i].class, row->class) && !is(rows[i].phase, row->phase))
			return ""; /* it depends on when it happens */
	if (is(row->phase, "RESOLVE"))
		return " All pools of the host share it.";
	if (is(row->phase, "CONNECT") || is(row->phase, "TLS"))
		return " All pools of the address share it.";
	if (is(row->phase, "ANY"))
		return ""; /* likewise */
	return " Other pools do not notice.";
}

/* Would an earlier row of the class show the same? */
static bool is_message_repeated(size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is(rows[i].class, rows[at].class) && is(rows[i].message, rows[at].message) &&
		    is(rows[i].servers_words, rows[at].servers_words) && rows[i].system_code == rows[at].system_code)
			return true;
	return false;
}

static bool is_hint_repeated(size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is(rows[i].class, rows[at].class) && is(rows[i].hint, rows[at].hint))
			return true;
	return false;
}

static bool is_first(size_t at)
{
	for (size_t i = 0; i < at; i++)
		if (is(rows[i].class, rows[at].class))
			return false;
	return true;
}

/* When the hint of a row is for; NULL: always. */
static const char *condition_of_hint(size_t at)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (is(rows[i].class, rows[at].class) && is(rows[i].hint, rows[at].hint) && is(rows[i].when, "ALWAYS"))
			return NULL;
	return condition_of(rows[at].when);
}

static bool has_several_hints(const char *class)
{
	unsigned n = 0;

	for (size_t i = 0; i < N_ROWS; i++)
		n += is(rows[i].class, class) && rows[i].hint[0] != '\0' && !is_hint_repeated(i);
	return n > 1;
}

static void put_condition(size_t at, bool first)
{
	const char *condition = condition_of_hint(at);

	putchar('\n');
	if (condition != NULL) {
		fputs(condition, stdout);
	} else if (has_several_hints(rows[at].class) && rows[at].servers_words[0] != '\0') {
		fputs("If it says \"", stdout);
		put_words(&rows[at]);
		putchar('"');
	} else if (has_several_hints(rows[at].class) && rows[at].servers_code[0] != '\0') {
		printf("With SQLSTATE %s", rows[at].servers_code);
	} else {
		fputs(first ? "What to do" : "Otherwise", stdout);
	}
	fputs(":\n\n", stdout);
}

static void put_hints(const char *class)
{
	bool first = true;

	for (size_t i = 0; i < N_ROWS; i++) {
		if (!is(rows[i].class, class) || rows[i].hint[0] == '\0' || is_hint_repeated(i))
			continue;
		put_condition(i, first);
		put_text(rows[i].hint, &rows[i]);
		first = false;
	}
}

static void put_class(size_t first)
{
	const struct row *row = &rows[first];

	printf("\n## %s\n\n", row->class);
	for (size_t i = first; i < N_ROWS; i++)
		if (is(rows[i].class, row->class) && !is_message_repeated(i))
			put_text(rows[i].message, &rows[i]);
	printf("\n%s\n\n", row->doc);
	printf("SQLSTATE %s. Told: %s%s\n", row->sqlstate[0] == '\0' ? "of the server" : row->sqlstate, told_of(row),
	       shared_by(row));
	put_hints(row->class);
}

static void put_event(unsigned id, const char *doc)
{
	if (id != 0)
		printf("| %u | %s |\n", id, doc);
}

/* Level 1, because it is no failure. */
static void put_events(void)
{
	puts("\n# In the Event Log of Windows\n"
	     "\n"
	     "Each class has an event id of its own there, which it keeps. As a service, pgweir writes warnings, "
	     "errors and "
	     "its own\n"
	     "start and end to it, with `syslog = 1` everything that the log has.\n"
	     "\n"
	     "| event id | what |\n"
	     "|---:|---|");
#define EVENT(id, name, doc) put_event(id, doc);
#define EVENT_OF_LEVEL(id, level, doc) put_event(id, doc);
#define EVENT_OF_CLASS(id, class) put_event(id, "[" #class "](#" #class ")");
#include "diag/event_ids.def"
}

int main(void)
{
	puts("<!-- Made from include/diag/failures.def by \"./dev manual\". Do not edit: change the table, and make it "
	     "anew. -->\n"
	     "\n"
	     "# Errors and what to do\n"
	     "\n"
	     "Search this page for a piece of the message, or for the class that the log and `SHOW ERRORS` give. Every "
	     "error\n"
	     "has the facts in its DETAIL (database, user, host, address, port, since when, next attempt) and one "
	     "remedy in\n"
	     "its HINT, with your own names filled in: what is shown below are examples. Nothing has to be restarted "
	     "after a\n"
	     "repair. pgweir tries again by itself, at most two seconds later; only after a wrong password attempts "
	     "become\n"
	     "as rare as `server_login_retry`, and `RECONNECT` or `RELOAD` on the console has it try at once.\n"
	     "\n"
	     "SQLSTATEs are those of `error_sqlstate = precise`. Otherwise pgweir's own errors have 08P01, as with "
	     "PgBouncer.\n"
	     "What PostgreSQL itself said keeps PostgreSQL's code in either case.");
	for (size_t i = 0; i < N_ROWS; i++)
		if (is_first(i))
			put_class(i);
	put_events();
	return 0;
}
