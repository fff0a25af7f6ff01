/* Waiting for servers to close. Thread: the worker on which the server was. */
#include "worker/farewell.h"

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "worker/server.h"

#define PATIENCE_US US_PER_S

/* Owned by its worker. */
struct farewell {
	struct worker *worker;
	struct stream *stream;
	struct permit *permit; /* NULL once it is back */
	struct timer *timer;
	struct list on_worker;
	struct grave grave;
};

static void bury(struct grave *g)
{
	struct farewell *f = container_of(g, struct farewell, grave);

	timer_free(f->timer);
	mem_free(f);
}

static void over(struct farewell *f)
{
	struct permit *permit = f->permit;

	if (permit == NULL)
		return;
	f->permit = NULL;
	list_remove(&f->on_worker);
	stream_close(f->stream);
	f->stream = NULL;
	server_return_permit(f->worker, permit);
	worker_bury(f->worker, &f->grave, bury);
}

static void timed_out(void *owner)
{
	over((struct farewell *)owner);
}

/* Whatever it still says is nobody's any more; its end is what we wait for. */
static void farewell_event(void *owner, enum stream_event event)
{
	struct farewell *f = (struct farewell *)owner;
	struct span bytes;
	enum read_result result;

	switch (event) {
	case STREAM_READABLE:
		result = stream_read(f->stream, LOOP_BUFFER_BYTES, &bytes, NULL);
		if (result == READ_END || result == READ_FAILED)
			over(f);
		break;
	case STREAM_BROKEN:
		over(f);
		break;
	case STREAM_CONNECTED:
	case STREAM_SECURED:
	case STREAM_DRAINED:
		break;
	}
}

static struct farewell *farewell_new(struct worker *w, struct stream *s)
{
	struct farewell *f = mem_new(struct farewell);

	if (f == NULL)
		return NULL;
	f->worker = w;
	list_init(&f->on_worker);
	list_init(&f->grave.node);
	stream_leave(s);
	f->timer = timer_new(w->loop, timed_out, f);
	if (f->timer != NULL && stream_join(s, w->loop, farewell_event, f))
		return f;
	timer_free(f->timer);
	mem_free(f);
	return NULL;
}

void farewell_begin(struct worker *w, struct stream *s, struct permit *permit)
{
	struct farewell *f = farewell_new(w, s);

	if (f == NULL) {
		stream_close(s);
		server_return_permit(w, permit);
		return;
	}
	f->stream = s;
	f->permit = permit;
	list_add_tail(&w->farewells, &f->on_worker);
	timer_set(f->timer, worker_now_us(w) + PATIENCE_US);
}

void farewell_close_all(struct worker *w)
{
	struct list *node;

	while ((node = list_first(&w->farewells)) != NULL)
		over(container_of(node, struct farewell, on_worker));
}
