/* Looking up event_ids.def. Pure. */
#include "diag/event_id.h"

#include <stddef.h>
#include <string.h>

struct event_row {
	const char *name;
	unsigned id;
};

static const struct event_row of_class[] = {
#define EVENT_OF_CLASS(id, class) {#class, id},
#include "diag/event_ids.def"
    {NULL, 0}};

static const struct event_row of_life[] = {
#define EVENT(id, name, doc) {#name, id},
#include "diag/event_ids.def"
    {NULL, 0}};

static unsigned id_of_level(enum log_level level)
{
	switch (level) {
#define EVENT_OF_LEVEL(id, level, doc)                                                                                 \
	case LEVEL_##level:                                                                                            \
		return id;
#include "diag/event_ids.def"
	case LEVEL_DEBUG:
	case LEVEL_NOISE:
		break;
	}
	return id_of_level(LEVEL_LOG);
}

static const struct event_row *find(const struct event_row *rows, const char *name)
{
	if (name == NULL)
		return NULL;
	for (; rows->name != NULL; rows++)
		if (strcmp(rows->name, name) == 0)
			return rows;
	return NULL;
}

unsigned event_id(const struct log_event *e)
{
	const struct event_row *row = find(of_class, e->class);

	if (row == NULL)
		row = find(of_life, e->event);
	return row == NULL ? id_of_level(e->level) : row->id;
}

bool event_is_of_life(const struct log_event *e)
{
	return find(of_life, e->event) != NULL;
}
