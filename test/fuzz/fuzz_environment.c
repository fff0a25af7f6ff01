/*
 * Environment variables, with "|||" between them; "@path", a line end and content is a file. fuzz runs: 30000
 *
 * What is shown never has the password of a variable, which is S3CRET where that stands in no other variable or file.
 */
#include <errno.h>

#include "conf/environment.h"
#include "fuzz.h"

#define MOST 60

struct world {
	char *part[MOST + 1]; /* NULL behind the last variable */
	char *file[MOST];
	unsigned n, n_files;
};

static int read_file(void *context, const char *path, struct str *out)
{
	const struct world *w = (const struct world *)context;

	for (unsigned i = 0; i < w->n_files; i++) {
		size_t len = strcspn(w->file[i], "\n");

		if (len != strlen(path) || strncmp(w->file[i], path, len) != 0)
			continue;
		if (w->file[i][len] == '\n')
			str_add_str(out, w->file[i] + len + 1);
		return out->failed ? ENOMEM : 0;
	}
	return ENOENT;
}

static bool can_write(const char *directory)
{
	return directory[1] == 't';
}

/* Only the password of one variable says it. */
static bool has_secret(const struct world *w)
{
	static const char *const names[] = {"DB_PASSWORD=S3CRET", "DATABASES_PASSWORD=S3CRET",
	                                    "POSTGRESQL_PASSWORD=S3CRET", "HTTP_AUTH_PASSWORD=S3CRET"};
	unsigned n = 0, n_named = 0;

	for (unsigned i = 0; i < w->n_files; i++)
		n += strstr(w->file[i], "S3CRET") != NULL ? 2 : 0;
	for (unsigned i = 0; i < w->n; i++) {
		n += strstr(w->part[i], "S3CRET") != NULL;
		for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++)
			n_named += strncmp(w->part[i], names[k], strlen(names[k])) == 0;
	}
	return n == 1 && n_named == 1;
}

static void look_at(const struct world *w, struct environment_made *m)
{
	struct conf_error why;
	struct config *c;
	struct str text;

	memset(&why, 0, sizeof(why));
	c = environment_load(m, NULL, &why);
	HOLDS((c == NULL) == (why.text[0] != '\0'));
	HOLDS(c == NULL || environment_error(m, 0) == NULL);
	str_init(&text, 64 * 1024 * 1024);
	environment_show(m, &text);
	HOLDS(!text.failed);
	if (has_secret(w)) {
		HOLDS(strstr(str_text(&text), "S3CRET") == NULL);
		HOLDS(strstr(why.text, "S3CRET") == NULL);
		for (unsigned i = 0; c != NULL && i < c->notices.n; i++)
			HOLDS(strstr(c->notices.text[i], "S3CRET") == NULL);
	}
	str_clear(&text);
	if (c != NULL)
		environment_describe(m, c, &text);
	str_fini(&text);
	config_unref(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = {0};
	struct environment e = {w.part, read_file, &w, can_write, false};
	struct environment_made *m;
	size_t len;
	char *part;

	while (w.n < MOST && w.n_files < MOST && (part = fuzz_part(&data, &size, &len, 1)) != NULL) {
		if (part[0] == '@') {
			memmove(part, part + 1, strlen(part));
			w.file[w.n_files++] = part;
		} else {
			w.part[w.n++] = part;
		}
	}
	m = environment_make(&e);
	HOLDS(m != NULL);
	look_at(&w, m);
	environment_free(m);
	for (unsigned i = 0; i < w.n; i++)
		free(w.part[i]);
	for (unsigned i = 0; i < w.n_files; i++)
		free(w.file[i]);
	return 0;
}
