/*
 * Cancelling a query. Thread: the worker where the request is at the moment.
 *
 *   cancel_request ──CANCEL──> next worker … until one has the key ──> connect to the server's own address
 *   ──> CancelRequest with the server's key ──> closed by the server ──> finished: the server may settle
 *   no worker has it ──> main (a key of the console's, of a peer's, or nobody's)
 *   whatever came of it: cancel_end ──CANCEL──> home, the worker where it began: who asked is let go
 */
#include "worker/cancel.h"

#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/stream.h"
#include "net/tls_context.h"
#include "pool/settings.h"
#include "wire/message.h"
#include "worker/cancel_key.h"

/* Owned by the thread where it is, except what is home's. */
struct cancel {
	struct letter letter;
	uint16_t home;        /* the worker where it began */
	struct client *asker; /* home's: who waits for its end; NULL: nobody (any more) */
	struct list at_home;  /* home's: worker->asked */
	bool over;            /* on its way home */
	uint16_t n_asked;     /* workers that did not have it */
	uint64_t since_us;
	uint16_t key_len;
	uint8_t key[CANCEL_KEY_MAX];

	/* on the worker of the key's client */
	struct worker *worker;
	struct server *server; /* NULL once it is gone */
	struct stream *stream;
	struct timer *timer;
	bool asked; /* SSLRequest is out */
	bool sent;
	struct list on_worker;
	struct grave grave;
};

struct cancel *cancel_of(struct letter *letter)
{
	return container_of(letter, struct cancel, letter);
}

uint8_t *cancel_key(struct cancel *c)
{
	return c->key;
}

size_t cancel_key_len(const struct cancel *c)
{
	return c->key_len;
}

uint64_t cancel_since_us(const struct cancel *c)
{
	return c->since_us;
}

/* ---- the end ---- */

static void came_home(struct cancel *c)
{
	list_remove(&c->at_home);
	if (c->asker != NULL)
		client_close(c->asker, "cancel request");
	mem_free(c);
}

void cancel_end(struct office *o, struct cancel *c)
{
	c->over = true;
	c->letter.kind = LETTER_CANCEL;
	c->letter.to = c->home;
	office_post(o, &c->letter);
}

void cancel_free(struct cancel *c)
{
	mem_free(c);
}

static void end_here(struct worker *w, struct cancel *c)
{
	if (c->home == w->number)
		came_home(c);
	else
		cancel_end(w->office, c);
}

void cancel_forget_asker(struct client *asker)
{
	struct list *node;

	list_each (node, &asker->worker->asked) {
		struct cancel *c = container_of(node, struct cancel, at_home);

		if (c->asker == asker)
			c->asker = NULL;
	}
}

static void bury(struct grave *g)
{
	struct cancel *c = container_of(g, struct cancel, grave);

	timer_free(c->timer);
	end_here(c->worker, c);
}

/* It does not refer to its server any more, which is answered. */
static struct server *part(struct cancel *c)
{
	struct server *s = c->server;

	list_remove(&c->on_worker);
	stream_close(c->stream);
	c->stream = NULL;
	timer_clear(c->timer);
	worker_bury(c->worker, &c->grave, bury);
	c->server = NULL;
	if (s != NULL)
		s->n_cancels--;
	return s;
}

/* The connection is closed: now the server cannot be hit any more. */
static void finished(struct cancel *c)
{
	struct server *s;

	if (list_is_empty(&c->on_worker))
		return;
	s = part(c);
	if (s == NULL || s->n_cancels > 0)
		return;
	if (s->errand == ERRAND_CANCEL)
		server_settle(s);
	else if (s->client != NULL)
		client_wake(s->client);
}

void cancel_forget_query(struct server *s)
{
	struct list *node, *after;

	if (s->n_cancels == 0)
		return;
	list_each_safe (node, after, &s->worker->cancels) {
		struct cancel *c = container_of(node, struct cancel, on_worker);

		if (c->server == s && !c->sent)
			(void)part(c);
	}
}

/* It waited too long, or the server may get to it later: then it must not have anybody else's query. */
static void timed_out(void *owner)
{
	struct cancel *c = (struct cancel *)owner;

	if (c->server != NULL && c->sent)
		c->server->may_be_hit = true;
	finished(c);
}

static void send_it(struct cancel *c)
{
	struct str *out = &c->worker->scratch;
	struct server *s = c->server;
	struct iovec v;
	enum write_result result;

	/* the query may have ended since, and another client's begun */
	if (s == NULL || !answers_run_client(&s->answers)) {
		finished(c);
		return;
	}
	str_clear(out);
	message_cancel_request(out, s->pid, s->key, s->key_len);
	if (out->failed) {
		finished(c);
		return;
	}
	v = (struct iovec){out->data, out->len};
	c->sent = true;
	result = stream_write(c->stream, &v, 1, NULL);
	if (result == WRITE_FAILED)
		finished(c);
}

/* ---- TLS: what the server's own connection has, this one has too ---- */

static struct shared *context_of(const struct server *s)
{
	return s->permit->settings->server_tls;
}

static void begin_tls(struct cancel *c)
{
	struct server *s = c->server;

	c->asked = false;
	if (s == NULL || !stream_start_tls(c->stream, context_of(s), s->permit->target[s->permit->reached].host, NULL))
		finished(c);
}

static void ask_for_tls(struct cancel *c)
{
	struct str *out = &c->worker->scratch;
	enum write_result result = WRITE_FAILED;

	c->asked = true;
	str_clear(out);
	message_ssl_request(out);
	if (!out->failed) {
		struct iovec v = {out->data, out->len};

		result = stream_write(c->stream, &v, 1, NULL);
	}
	if (result == WRITE_FAILED)
		finished(c);
}

static void connected(struct cancel *c)
{
	const struct server *s = c->server;

	if (s == NULL || !stream_is_secured(s->stream))
		send_it(c);
	else if (tls_context_is_direct(context_of(s)))
		begin_tls(c);
	else
		ask_for_tls(c);
}

/* Its session is encrypted, so the server has TLS: any other answer comes from somebody else. */
static void take_answer(struct cancel *c, struct span bytes)
{
	if (bytes.len == 1 && bytes.data[0] == 'S')
		begin_tls(c);
	else
		finished(c);
}

static void cancel_event(void *owner, enum stream_event event)
{
	struct cancel *c = (struct cancel *)owner;
	struct span bytes;
	enum read_result result;

	switch (event) {
	case STREAM_CONNECTED:
		connected(c);
		break;
	case STREAM_SECURED:
		send_it(c);
		break;
	case STREAM_READABLE:
		result = stream_read(c->stream, LOOP_BUFFER_BYTES, &bytes, NULL);
		if (result == READ_END || result == READ_FAILED)
			finished(c);
		else if (result == READ_GOT && c->asked)
			take_answer(c, bytes);
		break;
	case STREAM_DRAINED:
		break;
	case STREAM_BROKEN:
		finished(c);
		break;
	}
}

/* ---- whose key it is ---- */

static bool same_key(const struct table_node *node, const void *key)
{
	const struct cancel *c = (const struct cancel *)key;
	const struct client *client = container_of_const(node, struct client, by_key);

	return client->key_len == c->key_len && memcmp(client->key, c->key, c->key_len) == 0;
}

static struct client *find_client(struct worker *w, const struct cancel *c)
{
	struct table_node *node = table_find(&w->keys, table_hash(&w->keys, c->key, c->key_len), same_key, c);

	return node == NULL ? NULL : container_of(node, struct client, by_key);
}

/* A second request for a query that is being cancelled already adds nothing. */
static bool can_cancel(const struct client *client)
{
	const struct server *s = client->server;

	return s != NULL && s->errand == ERRAND_NONE && answers_run_client(&s->answers) && s->n_cancels == 0 &&
	       s->key_len > 0;
}

/* A request waits for nothing but its own connection, so both limits are about the same time. 0: no limit. */
static uint64_t patience_us(const struct worker *w)
{
	uint64_t wait_us = w->config->settings.cancel_wait_timeout_us;
	uint64_t connect_us = w->config->settings.server_connect_timeout_us;

	return wait_us == 0 || (connect_us > 0 && connect_us < wait_us) ? connect_us : wait_us;
}

static void watch(struct cancel *c)
{
	timer_clear(c->timer);
	if (patience_us(c->worker) > 0)
		timer_set(c->timer, c->since_us + patience_us(c->worker));
}

void cancel_settings_changed(struct worker *w)
{
	struct list *node;

	list_each (node, &w->cancels)
		watch(container_of(node, struct cancel, on_worker));
}

/* False: it could not even begin to connect. */
static bool start(struct worker *w, struct cancel *c, struct server *s)
{
	struct socket_options none = {0};

	c->worker = w;
	c->timer = timer_new(w->loop, timed_out, c);
	c->stream = c->timer == NULL ? NULL : stream_connect(w->loop, &s->address, &none, cancel_event, c, NULL);
	if (c->stream == NULL) {
		timer_free(c->timer);
		return false;
	}
	list_add_tail(&w->cancels, &c->on_worker);
	watch(c);
	c->server = s;
	s->n_cancels++;
	return true;
}

static void handle(struct worker *w, struct cancel *c)
{
	struct client *client = find_client(w, c);

	if (client != NULL) {
		if (client->state == CLIENT_QUEUED)
			client_cancel_queued(client);
		if (!can_cancel(client) || !start(w, c, client->server))
			end_here(w, c);
		return;
	}
	c->n_asked++;
	c->letter.kind = LETTER_CANCEL;
	c->letter.to = TO_MAIN;
	if (c->n_asked < w->office->n_workers)
		c->letter.to = (uint16_t)((w->number + 1) % w->office->n_workers);
	office_post(w->office, &c->letter);
}

bool cancel_request(struct worker *w, struct client *asker, const void *key, size_t len)
{
	struct cancel *c = len < CANCEL_KEY_BYTES || len > CANCEL_KEY_MAX ? NULL : mem_new(struct cancel);
	int own = w->config->settings.peer_id;

	if (c == NULL)
		return false;
	list_init(&c->on_worker);
	list_add_tail(&w->asked, &c->at_home);
	c->home = w->number;
	c->asker = asker;
	c->since_us = worker_now_us(w);
	c->key_len = (uint16_t)len;
	memcpy(c->key, key, len);
	if (own > 0 && cancel_key_peer(c->key) == own)
		cancel_key_restore(c->key);
	handle(w, c);
	return true;
}

void cancel_arrived(struct worker *w, struct letter *letter)
{
	struct cancel *c = cancel_of(letter);

	if (c->over)
		came_home(c);
	else
		handle(w, c);
}

void cancel_forget_server(struct server *s)
{
	struct list *node;

	if (s->n_cancels == 0)
		return;
	list_each (node, &s->worker->cancels) {
		struct cancel *c = container_of(node, struct cancel, on_worker);

		if (c->server == s)
			c->server = NULL;
	}
	s->n_cancels = 0;
}

void cancel_close_all(struct worker *w)
{
	struct list *node;

	while ((node = list_first(&w->cancels)) != NULL)
		finished(container_of(node, struct cancel, on_worker));
}
