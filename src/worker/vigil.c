/*
 * The watch over servers that somebody waits for. Thread: the worker's own.
 *
 *   link_begin ──> vigil_begin ──> every 5 s while any server is lent: vigil_tick ──> server_is_silent
 */
#include "worker/vigil.h"

#include <errno.h>

#include "net/loop.h"
#include "net/stream.h"
#include "worker/server.h"
#include "worker/worker.h"

#define KEEPIDLE_S 10
#define KEEPINTVL_S 5
#define KEEPCNT 3

struct socket_options vigil_socket_options(const struct settings *g)
{
	struct socket_options o = {.keepalive = g->tcp_keepalive,
	                           .keepidle_s = g->tcp_keepidle,
	                           .keepintvl_s = g->tcp_keepintvl,
	                           .keepcnt = g->tcp_keepcnt,
	                           .user_timeout_ms = g->tcp_user_timeout,
	                           .buffer_bytes = g->tcp_socket_buffer};

	if (o.keepidle_s != 0 || o.keepintvl_s != 0 || o.keepcnt != 0)
		return o; /* whoever has said one has thought about it */
	o.keepidle_s = KEEPIDLE_S;
	o.keepintvl_s = KEEPINTVL_S;
	o.keepcnt = KEEPCNT;
	return o;
}

bool vigil_means_silence(int error)
{
	return error == ETIMEDOUT;
}

bool vigil_is_over(const struct socket_silence *silence, uint64_t unsent_us)
{
	/* what was sent a moment ago may still be acknowledged, however long ago the last acknowledgement was */
	return silence->unacknowledged && silence->quiet_us >= VIGIL_PATIENCE_US && unsent_us >= VIGIL_PATIENCE_US;
}

static bool is_lent(const struct server *s)
{
	return s->state == SERVER_READY && (s->client != NULL || s->errand != ERRAND_NONE);
}

static uint64_t unsent_us(const struct server *s)
{
	uint64_t sent_us = s->request_us > s->errand_us ? s->request_us : s->errand_us;

	return worker_now_us(s->worker) - sent_us;
}

/* The system is asked only about those that nothing has been sent to for long. */
static void look_at(struct server *s)
{
	struct socket_silence silence;

	if (unsent_us(s) < VIGIL_PATIENCE_US || !stream_silence(s->stream, &silence))
		return;
	if (vigil_is_over(&silence, unsent_us(s)))
		server_is_silent(s, silence.quiet_us);
}

static void keep(struct worker *w)
{
	w->keeps_vigil = true;
	timer_set(w->vigil, worker_now_us(w) + VIGIL_PERIOD_US);
}

void vigil_begin(struct worker *w)
{
	if (!w->keeps_vigil)
		keep(w);
}

void vigil_tick(void *worker)
{
	struct worker *w = (struct worker *)worker;
	struct list *node, *after;
	bool lent = false;

	w->keeps_vigil = false;
	list_each_safe (node, after, &w->servers) {
		struct server *s = container_of(node, struct server, on_worker);

		if (!is_lent(s))
			continue;
		lent = true;
		look_at(s);
	}
	if (lent)
		keep(w);
}
