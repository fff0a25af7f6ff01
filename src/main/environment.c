/* --env: reads the environment of the process, and says in the log or on the terminal what came of it. Main thread. */
#include "main/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "os/file.h"
#include "os/process.h"

#define MAX_OUTPUT ((size_t)64 * 1024 * 1024)

void environment_of_process(struct environment *e)
{
	memset(e, 0, sizeof(*e));
	e->variables = os_environment();
	e->read = conf_read_file;
	e->can_write = directory_is_writable;
	e->is_superuser = os_is_superuser();
}

/* ---- at a start ---- */

static void log_error(struct log *log, const struct conf_error *why)
{
	log_write(log, LEVEL_ERROR, "%s%s%s", why->text, why->hint[0] == '\0' ? "" : "\nHINT: ", why->hint);
}

static void log_source(struct log *log, const struct environment_made *m, const struct config *c)
{
	struct str text;

	str_init(&text, 1024);
	environment_describe(m, c, &text);
	log_write(log, LEVEL_LOG, "%s", str_text(&text));
	str_fini(&text);
}

struct config *environment_start(const struct environment *e, struct log *log)
{
	struct environment_made *m = environment_make(e);
	struct conf_error why;
	struct config *c;

	if (m == NULL) {
		log_write(log, LEVEL_ERROR, "out of memory");
		return NULL;
	}
	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	if (c != NULL)
		log_source(log, m, c);
	else if (environment_error(m, 0) == NULL)
		log_error(log, &why);
	for (unsigned i = 0; environment_error(m, i) != NULL; i++)
		log_error(log, environment_error(m, i));
	environment_free(m);
	return c;
}

/* ---- --print ---- */

static void print_error(const char *program, const struct conf_error *why)
{
	fprintf(stderr, "%s: %s\n", program, why->text);
	if (why->hint[0] != '\0')
		fprintf(stderr, "HINT: %s\n", why->hint);
}

/* False: it could not be used. */
static bool print_remarks(struct environment_made *m, const char *program)
{
	struct conf_error why;
	struct config *c;

	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	if (c == NULL)
		print_error(program, &why);
	for (unsigned i = 0; c != NULL && i < c->notices.n; i++)
		fprintf(stderr, "%s: warning: %s\n", program, c->notices.text[i]);
	config_unref(c);
	return c != NULL;
}

static bool print_files(struct environment_made *m, const char *program)
{
	struct str text;
	bool good;

	str_init(&text, MAX_OUTPUT);
	environment_show(m, &text);
	good = !text.failed && fwrite(str_text(&text), 1, text.len, stdout) == text.len && fflush(stdout) == 0;
	str_fini(&text);
	if (!good)
		fprintf(stderr, "%s: could not print the configuration\n", program);
	return good;
}

int environment_print(const struct environment *e, const char *program)
{
	struct environment_made *m = environment_make(e);
	bool good;

	if (m == NULL) {
		fprintf(stderr, "%s: out of memory\n", program);
		return EXIT_FAILURE;
	}
	good = environment_error(m, 0) == NULL;
	for (unsigned i = 0; environment_error(m, i) != NULL; i++)
		print_error(program, environment_error(m, i));
	/* a file that the loader refuses is shown all the same: so one sees what it is */
	if (good) {
		good = print_files(m, program);
		good = print_remarks(m, program) && good;
	}
	environment_free(m);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
