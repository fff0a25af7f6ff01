/* The table of checks that need no server. Main thread. */
#include "main/check_offline.h"

#include <string.h>

struct offline_row {
	void (*pure)(struct findings *f, const struct config *c);
	void (*of_account)(struct findings *f, const struct config *c, const char *account);
};

/* A further kind of file or setting (key pairs) gets its own check_*.c and a row here. */
static const struct offline_row rows[] = {
    {check_settings, NULL}, {check_differences, NULL}, {check_secrets, NULL},
    {check_rules, NULL},    {NULL, check_files},       {check_descriptors, NULL},
};

/* What the loader accepted and has a remark on. */
static void tell_notices(struct findings *f, const struct config *c)
{
	for (unsigned i = 0; i < c->notices.n; i++)
		/* the file's own check says more */
		if (strncmp(c->notices.text[i], "could not open auth_file", 24) != 0)
			(void)findings_add(f, SEVERITY_NOTE, "settings", "%s", c->notices.text[i]);
}

void check_offline(struct findings *f, const struct config *c, const char *account)
{
	tell_notices(f, c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (rows[i].pure != NULL)
			rows[i].pure(f, c);
		else
			rows[i].of_account(f, c, account);
	}
}
