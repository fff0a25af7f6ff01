/* Configurations made of texts in memory. */
#ifndef TEST_CONFIGURED_H
#define TEST_CONFIGURED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "conf/config.h"
#include "conf_files.h"

/* pgweir.ini is `text`, users.txt is `users` (NULL: empty); both must be right. */
static inline struct config *configured(const char *text, const char *users)
{
	struct fake_file files[] = {
	    {"pgweir.ini", text, 0}, {"users.txt", users == NULL ? "" : users, 0}, {NULL, NULL, 0}};
	struct conf_error why;
	struct config *c = config_load("pgweir.ini", NULL, fake_read, files, &why);

	if (c == NULL)
		fail_msg("%s", why.text);
	return c;
}

#endif
