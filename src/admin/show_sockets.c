/*
 * SHOW CLIENTS, SERVERS, SOCKETS, ACTIVE_SOCKETS. Each worker writes the rows of
 * its own connections when it is visited; main adds the console's.
 */
#include <stdio.h>
#include <string.h>

#include "admin/rows.h"
#include "admin/terminal.h"
#include "admin/view.h"
#include "base/clock.h"
#include "net/loop.h"
#include "net/stream.h"
#include "pool/settings.h"
#include "worker/client.h"
#include "worker/params.h"
#include "worker/prepared.h"
#include "worker/server.h"

#define CONNECTION_COLUMNS                                                                                             \
	COLUMN_TEXT("type"), COLUMN_TEXT("user"), COLUMN_TEXT("database"), COLUMN_TEXT("replication"),                 \
	    COLUMN_TEXT("state"), COLUMN_TEXT("addr"), COLUMN_INT("port"), COLUMN_TEXT("local_addr"),                  \
	    COLUMN_INT("local_port"), COLUMN_TEXT("connect_time"), COLUMN_TEXT("request_time"), COLUMN_INT("wait"),    \
	    COLUMN_INT("wait_us"), COLUMN_INT("close_needed"), COLUMN_TEXT("ptr"), COLUMN_TEXT("link"),                \
	    COLUMN_INT("remote_pid"), COLUMN_TEXT("tls"), COLUMN_TEXT("application_name"),                             \
	    COLUMN_INT("prepared_statements"), COLUMN_INT("id")

#define BUFFER_COLUMNS                                                                                                 \
	COLUMN_INT("recv_pos"), COLUMN_INT("pkt_pos"), COLUMN_INT("pkt_remain"), COLUMN_INT("send_pos"),               \
	    COLUMN_INT("send_remain"), COLUMN_INT("pkt_avail"), COLUMN_INT("send_avail")

const struct message_column clients_columns[] = {CONNECTION_COLUMNS, {NULL, 0, 0}};
const struct message_column servers_columns[] = {CONNECTION_COLUMNS, {NULL, 0, 0}};
const struct message_column sockets_columns[] = {CONNECTION_COLUMNS, BUFFER_COLUMNS, {NULL, 0, 0}};
const struct message_column active_sockets_columns[] = {CONNECTION_COLUMNS, BUFFER_COLUMNS, {NULL, 0, 0}};

/* One row, whatever it is about. */
struct socket_row {
	const char *type, *user, *database, *state;
	const struct pool *pool;     /* NULL: none yet */
	const struct stream *stream; /* NULL: it has none any more */
	struct address remote;       /* of servers: where we connected to */
	int remote_port;             /* shown for Unix sockets, which have none */
	int local_port;
	uint64_t connected_us, request_us, wait_us;
	bool close_needed;
	const void *self, *link;
	uint32_t remote_pid;
	const char *application_name;
	uint64_t id;
	int64_t prepared_statements;
	size_t message_left; /* bytes of the message that is passing */
	size_t unread;       /* received and held */
};

static void row_addresses(struct row *r, const struct socket_row *s)
{
	struct address remote = s->remote, local;

	if (remote.len == 0 && (s->stream == NULL || !stream_remote_address(s->stream, &remote)))
		memset(&remote, 0, sizeof(remote));
	if (s->stream == NULL || !stream_local_address(s->stream, &local))
		memset(&local, 0, sizeof(local));
	row_address(r, &remote, s->remote_port);
	row_address(r, &local, s->local_port);
}

static void row_buffers(struct row *r, const struct socket_row *s)
{
	row_int(r, 0);
	row_int(r, 0);
	row_int(r, (int64_t)s->message_left);
	row_int(r, 0);
	row_int(r, 0);
	row_int(r, (int64_t)s->unread);
	row_int(r, s->stream == NULL ? 0 : (int64_t)stream_pending_bytes(s->stream));
}

static bool has_buffers(const struct view *v)
{
	return v->topic->columns == sockets_columns || v->topic->columns == active_sockets_columns;
}

static bool is_wanted(const struct view *v, const struct socket_row *s)
{
	if (v->topic->columns != active_sockets_columns)
		return true;
	return s->unread > 0 || (s->stream != NULL && stream_pending_bytes(s->stream) > 0);
}

static const char *replication_word(const struct pool *p)
{
	switch (p == NULL ? REPLICATION_NONE : pool_replication(p)) {
	case REPLICATION_LOGICAL:
		return "logical";
	case REPLICATION_PHYSICAL:
		return "physical";
	case REPLICATION_NONE:
		break;
	}
	return "none";
}

static void write_row(struct view *v, const struct socket_row *s)
{
	char tls[STREAM_TLS_TEXT_BYTES];
	struct row r;

	if (!is_wanted(v, s))
		return;
	row_begin(&r, &v->out, v->n_columns);
	row_text(&r, s->type);
	row_text(&r, s->user);
	row_text(&r, s->database);
	row_text(&r, replication_word(s->pool));
	row_text(&r, s->state);
	row_addresses(&r, s);
	row_time(&r, s->connected_us + v->wall_offset_us);
	row_time(&r, s->request_us + v->wall_offset_us);
	row_int(&r, (int64_t)(s->wait_us / US_PER_S));
	row_int(&r, (int64_t)(s->wait_us % US_PER_S));
	row_int(&r, s->close_needed);
	row_pointer(&r, s->self);
	row_pointer(&r, s->link);
	row_int(&r, s->remote_pid);
	row_text(&r, s->stream == NULL ? "" : stream_tls_text(s->stream, tls));
	row_text(&r, s->application_name == NULL ? "" : s->application_name);
	row_int(&r, s->prepared_statements);
	row_number(&r, s->id);
	if (has_buffers(v))
		row_buffers(&r, s);
	row_end(&r);
}

static uint64_t time_since(uint64_t now_us, uint64_t since_us)
{
	return since_us != 0 && now_us > since_us ? now_us - since_us : 0;
}

/* ---- clients ---- */

const char *client_word(const struct client *c)
{
	switch (c->state) {
	case CLIENT_HELLO:
	case CLIENT_PROVING:
	case CLIENT_DERIVING:
	case CLIENT_ASKING:
	case CLIENT_MOVING:
	case CLIENT_CANCELING:
	case CLIENT_CLOSING:
		return NULL;
	case CLIENT_LOOKUP:
		return c->waiter.queued ? "waiting" : NULL;
	case CLIENT_GREETING:
	case CLIENT_QUEUED:
		return "waiting";
	case CLIENT_IDLE:
		return "idle";
	case CLIENT_LINKED:
		return "active";
	}
	return NULL;
}

/* The same for SHOW SOCKETS. */
static const char *client_socket_word(const struct client *c)
{
	const char *word = client_word(c);

	if (c->state == CLIENT_CLOSING)
		return NULL;
	if (word == NULL)
		return "cl_login";
	return strcmp(word, "waiting") == 0 ? "cl_waiting" : "cl_active";
}

const char *client_shown_application(const struct client *c)
{
	return c == NULL || c->params == NULL ? NULL : params_value(c->params, "application_name");
}

static void write_client(struct view *v, struct worker *w, const struct client *c, const char *state)
{
	int32_t pid = c->stream == NULL ? 0 : peer_pid(stream_peer(c->stream));
	struct socket_row s = {
	    .type = "C",
	    .user = client_user(c),
	    .database = client_database(c),
	    .state = state,
	    .pool = c->entry.seat == NULL ? NULL : c->entry.seat->pool,
	    .stream = c->stream,
	    .remote_port = w->config->settings.listen_port,
	    .local_port = w->config->settings.listen_port,
	    .connected_us = c->connected_us,
	    .request_us = c->request_us,
	    .wait_us = time_since(worker_now_us(w), c->query_since_us),
	    .self = c,
	    .link = c->server,
	    .remote_pid = pid > 0 ? (uint32_t)pid : 0,
	    .application_name = client_shown_application(c),
	    .id = c->waiter.id,
	    .prepared_statements = prepared_client_count(c),
	    .message_left = c->framer.left,
	    .unread = c->stream == NULL ? 0 : stream_held_bytes(c->stream),
	};

	write_row(v, &s);
}

static void write_clients(struct view *v, struct worker *w, const char *word_of(const struct client *c))
{
	struct list *node;

	list_each (node, &w->clients) {
		const struct client *c = container_of(node, struct client, on_worker);
		const char *word = word_of(c);

		if (word != NULL)
			write_client(v, w, c, word);
	}
}

/* ---- servers ---- */

static bool is_outdated(const struct server *s)
{
	struct pool *p = s->place.pool;
	bool outdated;

	lock_take(&p->lock);
	outdated = s->place.epoch != p->epoch;
	lock_drop(&p->lock);
	return outdated;
}

static void write_server(struct view *v, struct worker *w, const struct server *s, const char *state)
{
	struct socket_row row = {
	    .type = "S",
	    .user = s->place.pool->user,
	    .database = s->place.pool->database,
	    .state = state,
	    .pool = s->place.pool,
	    .stream = s->stream,
	    .remote = s->address,
	    .remote_port = s->permit == NULL ? 0 : s->permit->settings->database->port,
	    .local_port = w->config->settings.listen_port,
	    .connected_us = s->connected_us,
	    .request_us = s->request_us,
	    .close_needed = is_outdated(s),
	    .self = s,
	    .link = s->client,
	    .remote_pid = s->pid,
	    .application_name = client_shown_application(s->client),
	    .id = s->id,
	    .prepared_statements = prepared_server_count(s),
	    .message_left = s->framer.left,
	    .unread = s->stream == NULL ? 0 : stream_held_bytes(s->stream),
	};

	write_row(v, &row);
}

static void write_servers(struct view *v, struct worker *w)
{
	struct list *node;

	list_each (node, &w->servers) {
		const struct server *s = container_of(node, struct server, on_worker);
		const char *word = server_state_word(s);
		char state[32];

		if (s->state == SERVER_CLOSING)
			continue;
		if (has_buffers(v))
			snprintf(state, sizeof(state), "sv_%s", strcmp(word, "new") == 0 ? "login" : word);
		else
			snprintf(state, sizeof(state), "%s", word);
		write_server(v, w, s, state);
	}
}

/* ---- the console ---- */

static void write_terminals(struct view *v, const char *state)
{
	const struct control *control = v->console->control;
	const struct config *conf = control->config(control->self);
	struct list *node;

	list_each (node, &v->console->terminals) {
		const struct terminal *t = terminal_of(node);
		int32_t pid = peer_pid(stream_peer(t->stream));
		struct socket_row s = {
		    .type = "C",
		    .user = t->guest->user,
		    .database = CONSOLE_DATABASE,
		    .state = state,
		    .stream = t->stream,
		    .remote_port = conf->settings.listen_port,
		    .local_port = conf->settings.listen_port,
		    .connected_us = t->guest->connected_us,
		    .request_us = t->request_us,
		    .wait_us = t->command == NULL ? 0 : time_since(loop_now_us(control->loop), t->request_us),
		    .self = t,
		    .remote_pid = pid > 0 ? (uint32_t)pid : 0,
		    .application_name = t->guest->application_name,
		    .id = t->guest->id,
		    .message_left = t->framer.left,
		    .unread = t->rest.len,
		};

		write_row(v, &s);
	}
}

/* ---- the topics ---- */

void collect_clients(struct view *v, struct worker *w)
{
	write_clients(v, w, client_word);
}

void show_clients(struct view *v)
{
	write_terminals(v, "idle");
}

void collect_servers(struct view *v, struct worker *w)
{
	write_servers(v, w);
}

void collect_sockets(struct view *v, struct worker *w)
{
	write_clients(v, w, client_socket_word);
	write_servers(v, w);
}

void show_sockets(struct view *v)
{
	write_terminals(v, "cl_active");
}
