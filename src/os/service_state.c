/* See service_state.h. Pure. */
#include "os/service_state.h"

#include <string.h>

static void enter(struct service_state *s, enum service_phase phase, uint64_t now_us)
{
	if (s->phase == phase)
		return;
	s->phase = phase;
	s->since_us = now_us;
	s->checkpoint = service_state_is_pending(s) ? 1 : 0;
}

void service_state_begin(struct service_state *s, uint64_t now_us)
{
	memset(s, 0, sizeof(*s));
	s->most_us = SERVICE_STOP_USUAL_US;
	enter(s, PHASE_STARTING, now_us);
}

bool service_state_is_pending(const struct service_state *s)
{
	switch (s->phase) {
	case PHASE_STARTING:
	case PHASE_STOPPING:
	case PHASE_RESUMING:
	case PHASE_PAUSING:
		return true;
	case PHASE_STOPPED:
	case PHASE_RUNNING:
	case PHASE_PAUSED:
		break;
	}
	return false;
}

/* Nothing leads back from there. */
static bool is_ending(const struct service_state *s)
{
	return s->phase == PHASE_STOPPING || s->phase == PHASE_STOPPED;
}

static bool has_line(const char *text, const char *line)
{
	size_t len = strlen(line);

	for (; text != NULL && *text != '\0'; text = strchr(text, '\n') == NULL ? NULL : strchr(text, '\n') + 1)
		if (strncmp(text, line, len) == 0 && (text[len] == '\0' || text[len] == '\n'))
			return true;
	return false;
}

void service_state_told(struct service_state *s, const char *text, uint64_t now_us)
{
	/* it is also the end of a reload, which may happen in a pause */
	if (s->phase == PHASE_STARTING && has_line(text, "READY=1"))
		enter(s, PHASE_RUNNING, now_us);
}

void service_state_pausing(struct service_state *s, uint64_t now_us)
{
	if (s->phase == PHASE_RUNNING || s->phase == PHASE_RESUMING)
		enter(s, PHASE_PAUSING, now_us);
}

void service_state_paused(struct service_state *s, bool paused, uint64_t now_us)
{
	if (!is_ending(s) && s->phase != PHASE_STARTING)
		enter(s, paused ? PHASE_PAUSED : PHASE_RUNNING, now_us);
}

void service_state_stopping(struct service_state *s, uint64_t most_us, uint64_t now_us)
{
	if (s->phase == PHASE_STOPPED)
		return;
	enter(s, PHASE_STOPPING, now_us);
	/* counted from when main begins, which the manager's order was a little before */
	s->since_us = now_us;
	s->most_us = most_us;
}

void service_state_end(struct service_state *s, uint32_t exit_code)
{
	enter(s, PHASE_STOPPED, s->since_us);
	s->exit_code = exit_code;
}

bool service_state_accepts(const struct service_state *s)
{
	return s->phase != PHASE_STARTING && !is_ending(s);
}

void service_state_order(struct service_state *s, enum service_order order, uint64_t now_us)
{
	switch (order) {
	case ORDER_STOP:
		if (is_ending(s))
			break;
		s->ordered = true;
		service_state_stopping(s, s->most_us, now_us);
		break;
	case ORDER_PAUSE:
		service_state_pausing(s, now_us);
		break;
	case ORDER_CONTINUE:
		if (s->phase == PHASE_PAUSED || s->phase == PHASE_PAUSING)
			enter(s, PHASE_RESUMING, now_us);
		break;
	case ORDER_RELOAD:
		break;
	}
}

bool service_state_tick(struct service_state *s, uint64_t now_us)
{
	uint64_t waited_us = now_us - s->since_us;

	if (!service_state_is_pending(s) || (s->phase == PHASE_STARTING && waited_us > SERVICE_START_MOST_US) ||
	    (s->phase == PHASE_STOPPING && s->ordered && waited_us > s->most_us + SERVICE_STOP_REST_US))
		return false;
	s->checkpoint++;
	return true;
}

bool service_state_is_late(const struct service_state *s, uint64_t now_us)
{
	return s->phase == PHASE_STOPPING && s->ordered && now_us - s->since_us >= s->most_us;
}
