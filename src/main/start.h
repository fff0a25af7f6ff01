/* What a start does to the process before it serves: user, checks, background, pidfile. Main thread. */
#ifndef MAIN_START_H
#define MAIN_START_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/log.h"
#include "conf/config.h"
#include "main/logging.h"
#include "main/options.h"

/* The file, the URL or the environment. NULL, after saying why in the log. */
struct config *start_load(const struct options *o, struct log *log) MUST_USE;

/* What is wrong with a configuration. */
void start_say_why(struct log *log, const struct conf_error *why);

/* Each returns false after saying why in the log. In the order of the start: */

/* TLS, account and log file. Keys are read before another account is taken on, which may not be allowed to; the log
   file is opened after that, because root must not open what others may have put in its place. Everything that fails is
   said in the log file, too, but for the change of account itself. */
bool start_account(const struct options *o, struct config *c, struct logging *logging) MUST_USE;
/* Its part: -u, else the setting; and never root. */
bool start_user(const struct options *o, const struct settings *s, struct log *log) MUST_USE;
/* Nobody else has our Unix socket or our pidfile. */
bool start_alone(const struct settings *s, struct log *log) MUST_USE;
/* -d needs a pidfile, so that somebody can find the process again. */
bool start_may_detach(const struct options *o, const struct settings *s, struct log *log) MUST_USE;

/* Writes it, if one is configured: *fd is for pidfile_remove, -1 without one. */
bool start_pidfile(const struct settings *s, int *fd, struct log *log) MUST_USE;

/* To the log, and to systemd. */
void start_say_up(struct log *log, const char *loop_method);

#endif
