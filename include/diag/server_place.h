/*
 * What is known of the system that PostgreSQL runs on, and where its files lie there. Only of Windows more can be told
 * than `SHOW hba_file`: its installer always does the same. Pure, any thread.
 */
#ifndef DIAG_SERVER_PLACE_H
#define DIAG_SERVER_PLACE_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/message.h"

/* Unknown things are 0 or NULL. Texts are borrowed. */
struct server_place {
	bool on_windows;  /* there is evidence that it runs there */
	unsigned major;   /* 16 */
	const char *base; /* where it is installed: "C:\Program Files\PostgreSQL\16" */
	const char *data; /* its data directory */
	const char *hba_file;
	const char *service; /* its name as a service: "postgresql-x64-16" */
};

/* What version() of a server says of it. */
void server_place_read_version(struct server_place *p, const char *version);

/* What an error of a server shows: its words, and the source file that it names (field F). */
void server_place_read_error(struct server_place *p, struct bytes message, struct bytes source_file);

/*
 * Each appends, where it is known that the server runs on Windows, else nothing and false; hba_file, where that is
 * known. What is not known is taken as PostgreSQL's installer does it, with <version> for an unknown version.
 */
bool server_place_write_hba_file(const struct server_place *p, struct str *out);
bool server_place_write_reload(const struct server_place *p, struct str *out); /* for PowerShell */
bool server_place_write_service(const struct server_place *p, struct str *out);

#endif
