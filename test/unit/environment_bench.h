/* For tests of environment variables: makes a configuration of them, with files that exist only in memory. */
#ifndef TEST_ENVIRONMENT_BENCH_H
#define TEST_ENVIRONMENT_BENCH_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "conf/environment.h"
#include "conf_files.h"

static inline bool bench_can_write(const char *directory)
{
	return strcmp(directory, "/tmp") == 0;
}

static inline bool bench_cannot_write(const char *directory)
{
	(void)directory;
	return false;
}

/* Variables, and files (NULL: none), both until the environment has been used. */
static inline struct environment bench_environment(const char *const *variables, struct fake_file *files)
{
	static struct fake_file none[] = {{NULL, NULL, 0}};
	struct environment e = {(char *const *)(uintptr_t)variables, fake_read, files == NULL ? none : files,
	                        bench_can_write, false};

	return e;
}

/* The text that stands at a path; "" if nothing does. */
static inline void bench_text(struct environment_made *m, const char *path, struct str *out)
{
	str_init(out, 32 * 1024 * 1024);
	if (environment_read(m, path, out) != 0)
		str_clear(out);
}

static inline void assert_text(struct environment_made *m, const char *path, const char *expected)
{
	struct str text;

	bench_text(m, path, &text);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
}

/* All errors, a line each, hints behind " / ". */
static inline void bench_errors(const struct environment_made *m, struct str *out)
{
	const struct conf_error *why;

	str_init(out, 1024 * 1024);
	for (unsigned i = 0; (why = environment_error(m, i)) != NULL; i++)
		str_printf(out, "%s%s%s\n", why->text, why->hint[0] == '\0' ? "" : " / ", why->hint);
}

static inline void assert_errors(const char *const *variables, struct fake_file *files, const char *expected)
{
	struct environment e = bench_environment(variables, files);
	struct environment_made *m = environment_make(&e);
	struct str text;

	assert_non_null(m);
	bench_errors(m, &text);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
	environment_free(m);
}

/* The configuration that they give; fails the test if there is none. */
static inline struct config *bench_load(const char *const *variables, struct fake_file *files)
{
	struct environment e = bench_environment(variables, files);
	struct conf_error why;
	struct config *c;

	memset(&why, 0, sizeof(why));
	c = config_from_environment(&e, NULL, &why);
	if (c == NULL)
		fail_msg("%s", why.text);
	return c;
}

static inline void assert_notices(const char *const *variables, struct fake_file *files, const char *expected)
{
	struct config *c = bench_load(variables, files);
	struct str text;

	str_init(&text, 1024 * 1024);
	for (unsigned i = 0; i < c->notices.n; i++)
		str_printf(&text, "%s\n", c->notices.text[i]);
	assert_string_equal(str_text(&text), expected);
	str_fini(&text);
	config_unref(c);
}

#define ENV(...) ((const char *const[]){__VA_ARGS__, NULL})

#endif
