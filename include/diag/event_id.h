/* The numbers that records of the log have where such a log has numbers: in Windows' Event Log. Any thread. */
#ifndef DIAG_EVENT_ID_H
#define DIAG_EVENT_ID_H

#include <stdbool.h>

#include "base/log.h"

/* By its class, else by its name, else by its level; 0: it does not belong there, another record has said all. */
unsigned event_id(const struct log_event *e);

/* It is about the life of the process: wanted even where only troubles are. */
bool event_is_of_life(const struct log_event *e);

#endif
