/* The certificates of authorities that the system trusts. Any thread; reads the disk. */
#ifndef OS_ROOTS_H
#define OS_ROOTS_H

#include "base/attr.h"
#include "base/str.h"

enum system_roots {
	SYSTEM_ROOTS_READ,     /* there is a store, and what is in it has been read */
	SYSTEM_ROOTS_IN_FILES, /* there is none: they are in files, and the TLS library knows where */
	SYSTEM_ROOTS_FAILED    /* errno says why */
};

/* Appends those that may vouch for servers to `pem`, as PEM. */
enum system_roots system_roots_read(struct str *pem) MUST_USE;

#endif
