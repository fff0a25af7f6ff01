/* Everything that the status page shows, in one answer. Main thread. */
#ifndef ADMIN_OVERVIEW_H
#define ADMIN_OVERVIEW_H

#include "admin/view.h"

/* What v->out has afterwards is no rows but one JSON object, as doc/manual/status-page.md describes it. */
extern const struct topic overview_topic;

#endif
