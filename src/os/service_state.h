/*
 * What a service manager that asks (Windows') is told of the state of this process. Pure; private to os/.
 *
 *   STARTING ─READY─> RUNNING ─control PAUSE─> PAUSING ─paused─> PAUSED ─control CONTINUE─> RESUMING ─> RUNNING
 *                        └─control STOP, or STOPPING from any of them─> STOPPING ─> STOPPED
 */
#ifndef OS_SERVICE_STATE_H
#define OS_SERVICE_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"

/* The numbers are Windows' own. */
enum service_phase {
	PHASE_STOPPED = 1,
	PHASE_STARTING = 2,
	PHASE_STOPPING = 3,
	PHASE_RUNNING = 4,
	PHASE_RESUMING = 5,
	PHASE_PAUSING = 6,
	PHASE_PAUSED = 7
};

enum service_order { ORDER_STOP, ORDER_PAUSE, ORDER_CONTINUE, ORDER_RELOAD };

struct service_state {
	enum service_phase phase;
	uint32_t checkpoint; /* while something is pending: it counts up */
	uint64_t since_us;   /* when it began */
	uint64_t most_us;    /* stopping: how long it may take before it is ended at once */
	bool ordered;        /* the manager waits for the stop; the console does not, and has no deadline */
	uint32_t exit_code;  /* stopped: 0, or the service's own number for what went wrong */
};

#define SERVICE_START_MOST_US (60ull * 1000000)
#define SERVICE_STOP_USUAL_US (30ull * 1000000)
#define SERVICE_STOP_REST_US (10ull * 1000000) /* for an end that waits for nobody */
#define SERVICE_HINT_MS 10000u                 /* by then there is another checkpoint, or it hangs */

void service_state_begin(struct service_state *s, uint64_t now_us);

/* What sd_notify(3) would be told: READY=1 counts here. */
void service_state_told(struct service_state *s, const char *text, uint64_t now_us);
void service_state_paused(struct service_state *s, bool paused, uint64_t now_us);
void service_state_pausing(struct service_state *s, uint64_t now_us);
/* It may take that long from now on, if the manager has ordered it. */
void service_state_stopping(struct service_state *s, uint64_t most_us, uint64_t now_us);
void service_state_end(struct service_state *s, uint32_t exit_code);

/* The manager orders something. False: not now. */
bool service_state_accepts(const struct service_state *s) MUST_USE;
void service_state_order(struct service_state *s, enum service_order order, uint64_t now_us);

/* Something is under way. */
bool service_state_is_pending(const struct service_state *s) MUST_USE;
/* A second has passed. True: there is another checkpoint to tell; not for ever while the manager waits for us, so that
   one who hangs is seen to. */
bool service_state_tick(struct service_state *s, uint64_t now_us) MUST_USE;
/* The time for a stop that the manager has ordered is over. */
bool service_state_is_late(const struct service_state *s, uint64_t now_us) MUST_USE;

#endif
