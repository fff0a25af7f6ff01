/* Who may do what with a file: modes, or lists of access on Windows. Any thread; looks at the disk. */
#ifndef OS_FILE_RIGHTS_H
#define OS_FILE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"

/* What people may do whom nobody has named. */
struct file_rights {
	bool others_read, others_change;
	char how[200]; /* why: "its mode is 0644"; empty: there is nothing to say */
};

/* False: there is nothing to be known of it. */
bool file_rights_look(const char *path, struct file_rights *out) MUST_USE;

/* Commands to be pasted, which end that, and which let an account read it. Cut to fit. Return `buf`. */
const char *file_rights_close(const char *path, char *buf, size_t size);
const char *file_rights_give(const char *path, const char *account, char *buf, size_t size);

#endif
