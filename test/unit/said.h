/* What a log says, kept for tests that look at it. Behind cmocka.h. */
#ifndef TEST_SAID_H
#define TEST_SAID_H

#include <stdio.h>
#include <string.h>

#include "base/log.h"

static char said[2000]; /* by the log, all records */

static inline void listen_to_the_log(const struct log_event *e, const char *text)
{
	size_t len = strlen(said);

	(void)e;
	snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

/* A log that says everything here and nothing elsewhere. */
static inline struct log *log_that_is_heard(void)
{
	struct log *log = log_new();

	assert_non_null(log);
	log_set_stderr(log, false);
	log_set_sink(log, listen_to_the_log);
	said[0] = '\0';
	return log;
}

static inline void assert_said(const char *what)
{
	if (strstr(said, what) == NULL)
		fail_msg("\"%s\" is not in \"%s\"", what, said);
}

#endif
