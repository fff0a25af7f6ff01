/* The command line's verbs for services of Windows. Main thread. */
#ifndef MAIN_SERVICE_H
#define MAIN_SERVICE_H

#include "base/log.h"
#include "main/options.h"
#include "os/service_manager.h"

/* -regservice, -unregservice: the exit status. What is wrong goes to stderr. */
int service_command(const struct options *o);

/* -service, before anything is read: relative paths are relative to the configuration file. */
void service_enter(const struct options *o, struct log *log);

/* Goes there, too, if a service is registered with this file, so that paths mean what they mean to it. Then the file's
   whole path (mem_free); else NULL. */
char *service_enter_registered(const struct options *o, struct log *log);

/* -service, when the manager did not take this for one: says so on stderr, what is wrong with the configuration first.
   The exit status. */
int service_explain(const struct options *o, enum service_run why);

/* The manager's program has ended as it was told to. */
void service_say_stopped(struct log *log);

#endif
