/*
 * Telling clients to leave. Thread: their worker's.
 *
 *   drain_tell (each client) ──┐                      ┌─(it has sent more)──> as ever, until link_consider
 *   link_consider ─────────────┴─> drain_soon ──> client_run ──(nothing came)──> drain_told ──> say
 */
#include "worker/drain.h"

#include "base/clock.h"
#include "net/stream.h"
#include "wire/framer.h"
#include "wire/message.h"
#include "wire/sqlstate.h"
#include "worker/link.h"

#define LOGIN_PATIENCE_US US_PER_S /* who comes just now may be one that cancels what a transaction here waits for */

static const char leaves[] = "pgweir is shutting down.";
static const char leaves_in_between[] =
    "pgweir is shutting down. Nothing was run that this connection has sent since the end of its last transaction.";

/* PostgreSQL's words and SQLSTATE, whatever error_sqlstate is: programs know them, and connect again. */
static void say(struct client *c, const char *detail)
{
	struct words words = {"FATAL", SQLSTATE_ADMIN_SHUTDOWN, "terminating connection due to administrator command",
	                      detail,
	                      "Connect again: another process behind the same address serves, or this one when it is "
	                      "back."};
	struct str *out = &c->worker->scratch;

	str_clear(out);
	message_error(out, &words);
	if (!out->failed) {
		struct iovec v = {out->data, out->len};

		(void)!stream_write(c->stream, &v, 1, NULL);
	}
	client_close(c, "server shutting down");
}

/* Outside of a transaction: nothing is owed, in either direction. */
static bool is_between(const struct client *c)
{
	switch (c->state) {
	case CLIENT_IDLE:
		return true;
	case CLIENT_LINKED:
		return link_bond(c->server) == LINK_SESSION && c->server->answers.status == 'I';
	case CLIENT_HELLO:
	case CLIENT_LOOKUP:
	case CLIENT_PROVING:
	case CLIENT_DERIVING:
	case CLIENT_ASKING:
	case CLIENT_MOVING:
	case CLIENT_GREETING:
	case CLIENT_CANCELING:
	case CLIENT_QUEUED:
	case CLIENT_CLOSING:
		break;
	}
	return false;
}

/* A stream of changes has no end to wait for; whoever reads it goes on where it was. */
static bool is_streaming(const struct client *c)
{
	return c->state == CLIENT_LINKED && c->server->answers.copy == COPY_BOTH &&
	       framer_at_boundary(&c->server->framer);
}

/* A message of which less than a header is there has not begun. */
static bool has_sent_more(const struct client *c)
{
	return stream_held_bytes(c->stream) >= FRAME_HEADER_BYTES;
}

void drain_soon(struct client *c)
{
	if (!is_between(c))
		return;
	/* what the loop has not announced yet is looked for, too */
	if (!has_sent_more(c))
		c->readable = true;
	client_run_soon(c);
}

bool drain_told(struct client *c)
{
	if (!is_between(c) || has_sent_more(c))
		return false;
	say(c, leaves_in_between);
	return true;
}

static void tell(struct client *c)
{
	switch (c->state) {
	case CLIENT_HELLO:
	case CLIENT_LOOKUP:
	case CLIENT_PROVING:
	case CLIENT_DERIVING:
	case CLIENT_ASKING:
	case CLIENT_GREETING:
		if (worker_now_us(c->worker) >= c->connected_us + LOGIN_PATIENCE_US)
			say(c, leaves);
		break;
	case CLIENT_QUEUED:
		say(c, leaves_in_between);
		break;
	case CLIENT_IDLE:
	case CLIENT_LINKED:
		if (is_streaming(c))
			say(c, leaves);
		else
			drain_soon(c);
		break;
	case CLIENT_MOVING:
	case CLIENT_CANCELING:
	case CLIENT_CLOSING:
		break;
	}
}

void drain_tell(struct worker *w)
{
	struct list *node, *after;

	w->leaving = true;
	list_each_safe (node, after, &w->clients)
		tell(container_of(node, struct client, on_worker));
}

void drain_count(const struct worker *w, struct drain_counts *counts)
{
	struct list *node;

	list_each (node, &w->clients) {
		const struct client *c = container_of(node, struct client, on_worker);

		counts->clients++;
		counts->running += c->state == CLIENT_LINKED && !is_between(c);
		counts->waiting += c->state == CLIENT_QUEUED;
	}
}
