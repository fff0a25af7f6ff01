/* Who is a console client, and letting go of one. Any thread. */
#include "worker/console_guest.h"

#include <string.h>

#include "base/mem.h"

bool console_is_database(const struct config *c, const char *name)
{
	bool is_template = false;

	if (strcmp(name, "pgbouncer") == 0)
		return true;
	if (strcmp(name, "pgweir") != 0)
		return false;
	return config_find_database(c, name, &is_template) == NULL || is_template;
}

void console_guest_free(struct console_guest *g)
{
	if (g == NULL)
		return;
	stream_close(g->stream);
	mem_free(g->user);
	mem_free(g->database);
	mem_free(g->application_name);
	mem_free(g);
}
