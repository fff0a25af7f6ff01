/*
 * The product in the simulated world: real workers, pools and opener, a small main
 * thread of our own, look-alikes of PostgreSQL behind it and random clients before
 * it. What must always hold is checked after every step. One thread.
 */
#include "sim_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/context.h"
#include "backend.h"
#include "base/clock.h"
#include "base/mem.h"
#include "client_script.h"
#include "net/mailbox.h"
#include "pool/opener.h"
#include "sim.h"
#include "wire/message.h"
#include "worker/cancel.h"
#include "worker/client.h"
#include "worker/params.h"
#include "worker/server.h"
#include "worker/worker.h"

#define CLIENTS_MAX 32
#define WORKERS_MAX 4
#define POOLS_MAX 16

/* Somebody behind a connection of the product: a session, or a cancel request on its way. */
struct server_peer {
	struct list node;
	struct conn *conn;
	struct sim_backend backend;
};

/* A client's cancel request on its way to the product. */
struct canceller {
	struct list node;
	struct conn *conn;
	struct str unsent;
};

struct sim {
	struct world world;
	struct config *config;
	struct log *log;
	struct office office;
	struct opener *opener;
	struct loop *main_loop;
	struct worker *worker[WORKERS_MAX];
	struct script script[CLIENTS_MAX];
	bool in_use[CLIENTS_MAX];
	struct list servers; /* server_peer */
	struct list cancellers;
	uint32_t n_clients_ever, next_pid;
	uint32_t n_clients_at_most;
	bool session, ending;
	bool refuses; /* state_guard = reject */
	struct sim_figures figures;
};

/* ---- main, in few words ---- */

static void post_all(struct sim *s, struct letters *out)
{
	office_post_all(&s->office, out);
}

static void resolve_all(struct sim *s, struct letters *out)
{
	struct permit *permit;

	while ((permit = opener_take_unresolved(s->opener)) != NULL) {
		permit->n_targets = 1 + dice_below(&s->world.dice, 3);
		for (uint32_t i = 0; i < permit->n_targets; i++) {
			struct target *t = &permit->target[i];

			t->host = permit->settings->database->host;
			MUST_HOLD(&s->world, address_from_text(&t->address, t->host, (uint16_t)(5432 + i)));
		}
		opener_resolved(s->opener, permit, s->world.now_us, out);
	}
}

static void main_read(void *owner, struct letter *letter)
{
	struct sim *s = (struct sim *)owner;
	struct letters out;

	letters_init(&out);
	switch (letter->kind) {
	case LETTER_WANT:
		pool_want_read(container_of(letter, struct pool, want));
		opener_consider(s->opener, container_of(letter, struct pool, want), s->world.now_us, &out);
		break;
	case LETTER_NEWS:
		opener_news(s->opener, container_of(letter, struct permit, letter), s->world.now_us, &out);
		break;
	case LETTER_CANCEL:
		cancel_end(&s->office, cancel_of(letter));
		break;
	default:
		world_broken(&s->world, "main got a letter of kind %u", letter->kind);
	}
	resolve_all(s, &out);
	post_all(s, &out);
}

static bool main_turn(void *owner)
{
	struct sim *s = (struct sim *)owner;
	struct letters out;

	letters_init(&out);
	if (opener_next_us(s->opener) <= s->world.now_us)
		opener_tick(s->opener, s->world.now_us, &out);
	resolve_all(s, &out);
	post_all(s, &out);
	return false;
}

static struct conn *connect_to_us(struct sim *s)
{
	struct conn *conn;
	struct stream *stream = conn_accept(&s->world, &conn);
	struct client *c = client_new(&s->office, stream);

	MUST_HOLD(&s->world, c != NULL);
	c->letter.to = (uint16_t)dice_below(&s->world.dice, s->office.n_workers);
	office_count_client(&s->office, c->letter.to);
	office_post(&s->office, &c->letter);
	return conn;
}

/* ---- configuration ---- */

static int read_text(void *context, const char *path, struct str *out)
{
	if (strcmp(path, "users.txt") == 0)
		str_add_str(out, "\"ann\" \"\"\n\"ben\" \"\"\n");
	else if (strcmp(path, "few.txt") == 0) /* the others are looked up */
		str_add_str(out, "\"ann\" \"\"\n");
	else if (strcmp(path, "sim.ini") == 0)
		str_add_str(out, (const char *)context);
	else
		return ENOENT;
	return 0;
}

/* One value at a time: the order in which arguments are evaluated is not the same everywhere, and a seed's run must be.
 */
static struct config *some_config(struct sim *s)
{
	struct dice *d = &s->world.dice;
	struct str text;
	struct conf_error why;
	struct config *c;

	str_init(&text, 4000);
	str_printf(&text, "[databases]\na = host=10.0.0.1 pool_size=%u", 1 + dice_below(d, 20));
	str_printf(&text, " min_pool_size=%u\n", dice_below(d, 3));
	str_printf(&text, "b = host=10.0.0.2 user=owner pool_size=%u", 1 + dice_below(d, 4));
	str_printf(&text, " reserve_pool_size=%u\n", dice_below(d, 2));
	str_printf(&text, "[pgbouncer]\nauth_type=trust\npool_mode=%s\n", s->session ? "session" : "transaction");
	str_add_str(&text, dice_chance(d, 300) ? "auth_file=few.txt\nauth_user=asker\nauth_query=lookup\n"
	                                       : "auth_file=users.txt\n");
	str_add_str(&text, "query_wait_timeout=0\nquery_wait_notify=0\nclient_login_timeout=0\nmax_client_conn=1000\n"
	                   "log_connections=0\nlog_disconnections=0\nlog_pooler_errors=0\nserver_login_retry=2\n"
	                   "reserve_pool_timeout=1\n");
	str_printf(&text, "server_idle_timeout=%u\n", dice_chance(d, 300) ? 1u : 600u);
	str_printf(&text, "server_lifetime=%u\n", dice_chance(d, 300) ? dice_below(d, 3) : 3600u);
	str_printf(&text, "max_db_connections=%u\n", dice_chance(d, 700) ? 0 : 2 + dice_below(d, 8));
	str_printf(&text, "max_user_connections=%u\n", dice_chance(d, 700) ? 0 : 2 + dice_below(d, 8));
	str_printf(&text, "max_host_connections=%u\n", dice_chance(d, 700) ? 0 : 2 + dice_below(d, 8));
	str_printf(&text, "max_server_connections=%u\n", dice_chance(d, 700) ? 0 : 2 + dice_below(d, 12));
	str_printf(&text, "server_check_query=%s\n", dice_chance(d, 500) ? "echo 0" : "<empty>");
	str_printf(&text, "server_check_delay=%u\n", dice_chance(d, 500) ? 0u : 30u);
	str_printf(&text, "server_reset_query_always=%u\n", dice_chance(d, 200) ? 1u : 0u);
	str_printf(&text, "server_round_robin=%u\n", dice_below(d, 2));
	str_printf(&text, "server_connect_parallel=%u\n", 1 + dice_below(d, 4));
	str_printf(&text, "max_prepared_statements=%u\n", (s->session ? 0u : 1u) + dice_below(d, 6));
	str_printf(&text, "state_guard=%s\n", s->refuses ? "reject" : "off");
	str_printf(&text, "pkt_buf=%u\n", dice_chance(d, 500) ? 4096u : 256u);
	MUST_HOLD(&s->world, !text.failed);
	c = config_load("sim.ini", NULL, read_text, text.data, &why);
	if (c == NULL)
		world_broken(&s->world, "configuration refused: %s", text.data);
	world_trace(&s->world, "configuration:\n%s", text.data);
	str_fini(&text);
	return c;
}

/* ---- servers ---- */

static void server_called(void *arg, struct conn *c)
{
	struct sim *s = (struct sim *)arg;
	struct server_peer *p = mem_new(struct server_peer);

	MUST_HOLD(&s->world, p != NULL);
	p->conn = c;
	c->peer = p;
	s->next_pid++;
	backend_init(&p->backend, s->next_pid, (uint32_t)dice_u64(&s->world.dice));
	list_add_tail(&s->servers, &p->node);
}

static void server_peer_free(struct server_peer *p)
{
	list_remove(&p->node);
	if (p->conn != NULL)
		conn_leave(p->conn);
	backend_fini(&p->backend);
	mem_free(p);
}

static struct server_peer *peer_of(struct list *node)
{
	return container_of(node, struct server_peer, node);
}

static struct script *script_numbered(struct sim *s, uint32_t number)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->in_use[i] && s->script[i].number == number)
			return &s->script[i];
	return NULL;
}

/* A cancel request has come to PostgreSQL: nobody but who asked for it may be hit. */
static void cancel_hits(struct sim *s, const struct sim_backend *request)
{
	struct list *node;

	list_each (node, &s->servers) {
		struct sim_backend *b = &peer_of(node)->backend;
		struct script *script;

		if (b->pid != request->cancel_pid || b->key != request->cancel_key)
			continue;
		if (!b->sleeping)
			return;
		script = script_numbered(s, SCRIPT_OF(b->sleeper));
		if (script != NULL && !script->cancel_asked)
			world_broken(&s->world, "client %u is cancelled, and never asked for it", script->number);
		s->figures.n_cancelled++;
		backend_wake(b, true);
		return;
	}
}

static void send_out(struct sim *s, struct server_peer *p)
{
	struct conn *c = p->conn;
	struct str *out = &p->backend.out;
	size_t room = c->to_product.len >= c->rough.room ? 0 : c->rough.room - c->to_product.len;
	size_t n = out->len < room ? out->len : room;

	if (n == 0)
		return;
	if (dice_chance(&s->world.dice, 300))
		n = 1 + dice_below(&s->world.dice, (uint32_t)n);
	conn_send(c, out->data, n);
	str_cut_front(out, n);
}

static void server_faults(struct sim *s, struct server_peer *p)
{
	struct dice *d = &s->world.dice;

	if (!s->world.faults || s->ending || !dice_chance(d, 3))
		return;
	world_trace(&s->world, "server %u dies", p->backend.pid);
	s->figures.n_died++;
	switch (dice_below(d, 4)) {
	case 0:
		conn_reset(p->conn);
		break;
	case 1:
		p->backend.phase = BACKEND_GONE;
		break;
	case 2: /* rubbish where a message should begin */
		if (p->backend.out.len == 0)
			conn_send(p->conn, "\1\2\3\4\5\6\7\10", 8);
		break;
	default:
		backend_die(&p->backend, "57P01", "terminating connection due to administrator command");
		break;
	}
}

static bool server_connects(struct sim *s, struct server_peer *p)
{
	struct dice *d = &s->world.dice;

	if (p->conn->connected)
		return true;
	if (!dice_chance(d, 300))
		return false;
	if (s->world.faults && !s->ending && dice_chance(d, 100)) {
		p->conn->refused = true;
		return false;
	}
	p->conn->connected = true;
	if (s->world.faults && !s->ending && dice_chance(d, 50))
		backend_die(&p->backend, dice_chance(d, 500) ? "53300" : "28000", "you shall not pass");
	return true;
}

/* True if the peer is over and freed. */
static bool server_step(struct sim *s, struct server_peer *p)
{
	struct conn *c = p->conn;
	struct sim_backend *b = &p->backend;

	if (!server_connects(s, p)) {
		if (!c->product_closed)
			return false;
		server_peer_free(p);
		return true;
	}
	if (c->to_peer.len > 0)
		world_trace(&s->world, "server %u gets %zu bytes", b->pid, c->to_peer.len);
	str_add(&b->in, c->to_peer.data, c->to_peer.len);
	str_clear(&c->to_peer);
	if (b->sleeping && dice_chance(&s->world.dice, s->ending ? 500 : 20))
		backend_wake(b, false);
	backend_run(b);
	if (b->is_cancel) {
		b->is_cancel = false;
		cancel_hits(s, b);
	}
	send_out(s, p);
	server_faults(s, p);
	if (b->phase == BACKEND_GONE && b->out.len == 0)
		conn_close(c);
	if (!c->product_closed && !c->reset)
		return false;
	server_peer_free(p);
	return true;
}

/* ---- clients ---- */

static void client_comes(struct sim *s, unsigned i)
{
	static const char *const users[] = {"ann", "ben"};
	struct dice *d = &s->world.dice;
	struct conn *conn = connect_to_us(s);
	const char *user;

	s->n_clients_ever = s->n_clients_ever % 4000 + 1;
	s->in_use[i] = true;
	user = users[dice_below(d, 2)];
	script_begin(&s->script[i], &s->world, s->n_clients_ever, conn, dice_chance(d, 700) ? "a" : "b", user);
	s->script[i].session = s->session;
	s->script[i].shadow.refuses = s->refuses;
	world_trace(&s->world, "client %u comes", s->n_clients_ever);
}

static void client_goes(struct sim *s, unsigned i)
{
	struct script *script = &s->script[i];

	world_trace(&s->world, "client %u goes", script->number);
	s->figures.n_answers += script->n_answers;
	if (script->state != SCRIPT_ENDED && dice_chance(&s->world.dice, 300))
		conn_reset(script->conn);
	else if (script->unsent.len == 0 && dice_chance(&s->world.dice, 600))
		conn_send(script->conn, "X\0\0\0\4", 5);
	script_fini(script);
	s->in_use[i] = false;
}

static void ask_cancel(struct sim *s, struct script *script)
{
	struct canceller *c = mem_new(struct canceller);
	uint32_t pid;

	MUST_HOLD(&s->world, c != NULL);
	c->conn = connect_to_us(s);
	c->conn->peer = c;
	str_init(&c->unsent, 100);
	pid = (uint32_t)script->key[0] << 24 | (uint32_t)script->key[1] << 16 | (uint32_t)script->key[2] << 8 |
	      script->key[3];
	message_cancel_request(&c->unsent, pid, script->key + 4, 4);
	list_add_tail(&s->cancellers, &c->node);
	script->cancel_asked = script->cancel_sent = true;
}

static void canceller_step(struct sim *s, struct canceller *c)
{
	if (c->unsent.len > 0) {
		size_t n = 1 + dice_below(&s->world.dice, (uint32_t)c->unsent.len);

		conn_send(c->conn, c->unsent.data, n);
		str_cut_front(&c->unsent, n);
	}
	if (!c->conn->product_closed && !c->conn->reset && !(c->unsent.len == 0 && dice_chance(&s->world.dice, 20)))
		return;
	list_remove(&c->node);
	conn_leave(c->conn);
	str_fini(&c->unsent);
	mem_free(c);
}

static void client_step(struct sim *s, unsigned i)
{
	struct script *script = &s->script[i];

	if (!s->in_use[i]) {
		if (!s->ending && i < s->n_clients_at_most && dice_chance(&s->world.dice, 100))
			client_comes(s, i);
		return;
	}
	script_step(script);
	if (script->shadow.sleeping && script->unsent.len == 0 && !script->cancel_sent &&
	    dice_chance(&s->world.dice, 200))
		ask_cancel(s, script);
	if (script->state == SCRIPT_ENDED)
		client_goes(s, i);
	else if (s->ending) {
		script->quiet = true;
		if (script_is_done(script) && script->shadow.status == 'I')
			client_goes(s, i);
	} else if (dice_chance(&s->world.dice, 2))
		client_goes(s, i);
	else if (s->session && script->n_units > 10 && script_is_done(script))
		client_goes(s, i);
}

/* ---- what must always hold ---- */

struct walk {
	struct sim *s;
	struct pool *pool[POOLS_MAX];
	unsigned n;
};

static void collect(void *arg, struct pool *p)
{
	struct walk *w = (struct walk *)arg;

	if (w->n < POOLS_MAX)
		w->pool[w->n++] = p;
}

static void each_pool(struct sim *s, void (*each)(struct sim *s, struct pool *p))
{
	struct walk w = {.s = s};

	registry_each_pool(s->office.registry, NULL, collect, &w);
	for (unsigned i = 0; i < w.n; i++)
		each(s, w.pool[i]);
}

static void check_pool(struct sim *s, struct pool *p)
{
	struct opener_pool *op = p->opener;
	uint32_t n = 0;

	if (pool_check(p) != NULL)
		world_broken(&s->world, "pool %s/%s: %s", p->database, p->user, pool_check(p));
	for (uint16_t i = 0; i < s->office.n_workers; i++) {
		struct list *node;

		list_each (node, &s->worker[i]->servers)
			n += container_of(node, struct server, on_worker)->place.pool == p;
	}
	if (op == NULL)
		return;
	MUST_HOLD(&s->world, n <= op->n_permits);
	MUST_HOLD(&s->world, op->n_permits <= p->settings->size + p->settings->reserve_size);
	MUST_HOLD(&s->world, op->database->quota.n_permits <= p->settings->max_db_connections);
	MUST_HOLD(&s->world, op->account->quota.n_permits <= p->settings->max_user_connections);
	MUST_HOLD(&s->world, s->opener->process.n_permits <= p->settings->max_server_connections);
	for (uint32_t i = 0; i < op->n_known; i++)
		MUST_HOLD(&s->world, op->known[i]->at->quota.n_permits <= p->settings->max_host_connections);
}

static void check_worker(struct sim *s, struct worker *w)
{
	struct list *node;

	list_each (node, &w->clients) {
		struct client *c = container_of(node, struct client, on_worker);

		MUST_HOLD(&s->world, c->worker == w && c->state != CLIENT_CLOSING);
		MUST_HOLD(&s->world, c->server != NULL || c->state != CLIENT_LINKED);
		if (c->server == NULL)
			continue;
		/* what runs auth_query serves nobody, and nothing else runs it */
		MUST_HOLD(&s->world, c->state == (c->server->place.pool->lookups ? CLIENT_LOOKUP : CLIENT_LINKED));
		MUST_HOLD(&s->world, c->server->client == c && c->server->worker == w);
		MUST_HOLD(&s->world, c->server->place.seat == c->entry.seat && c->entry.seat->worker == w->number);
		MUST_HOLD(&s->world, c->server->place.state == PLACE_LENT);
	}
	list_each (node, &w->servers) {
		struct server *server = container_of(node, struct server, on_worker);

		MUST_HOLD(&s->world, server->worker == w && server->state != SERVER_CLOSING);
		MUST_HOLD(&s->world, server->place.state != PLACE_IDLE ||
		                         (server->client == NULL && answers_at_rest(&server->answers)));
	}
	MUST_HOLD(&s->world, list_is_empty(&w->graves));
}

static void check(struct sim *s)
{
	each_pool(s, check_pool);
	for (uint16_t i = 0; i < s->office.n_workers; i++)
		check_worker(s, s->worker[i]);
}

/* ---- steps ---- */

static struct list *nth(struct list *head, uint32_t n)
{
	struct list *node = list_first(head);

	for (; node != NULL && n > 0; n--)
		node = node->next == head ? head->next : node->next;
	return node;
}

static void operator_step(struct sim *s)
{
	struct letters out;
	struct walk w = {.s = s};

	letters_init(&out);
	registry_each_pool(s->office.registry, NULL, collect, &w);
	switch (dice_below(&s->world.dice, 4)) {
	case 0:
		world_trace(&s->world, "PAUSE");
		registry_set_paused(s->office.registry, NULL, true, &out);
		break;
	case 1:
	case 2:
		world_trace(&s->world, "RESUME");
		registry_set_paused(s->office.registry, NULL, false, &out);
		break;
	default:
		world_trace(&s->world, "RECONNECT");
		for (unsigned i = 0; i < w.n; i++) {
			opener_forget_outage(s->opener, w.pool[i]);
			pool_reconnect(w.pool[i], &out);
		}
		break;
	}
	post_all(s, &out);
}

/* Nobody can do anything but wait: on to the next moment when somebody can. */
static void pass_time(struct sim *s)
{
	struct dice *d = &s->world.dice;

	s->world.now_us += dice_chance(d, 5) ? dice_below(d, 300000) : dice_below(d, 1000);
}

static void step(struct sim *s)
{
	struct dice *d = &s->world.dice;
	uint32_t what = dice_below(d, 1000);
	struct list *node;

	s->world.step++;
	if (what < 430) {
		struct loop *l = s->worker[dice_below(d, s->office.n_workers)]->loop;

		if (sim_loop_is_ready(l))
			sim_loop_turn(l);
	} else if (what < 500) {
		sim_loop_turn(s->main_loop);
	} else if (what < 700) {
		node = nth(&s->servers, dice_below(d, 6));
		if (node != NULL) {
			/* behind the others, so that everybody's turn comes */
			list_remove(node);
			list_add_tail(&s->servers, node);
			(void)server_step(s, peer_of(node));
		}
	} else if (what < 930) {
		client_step(s, dice_below(d, CLIENTS_MAX));
	} else if (what < 940) {
		node = list_first(&s->cancellers);
		if (node != NULL)
			canceller_step(s, container_of(node, struct canceller, node));
	} else if (what < 960) {
		(void)sim_run_job(&s->world);
	} else if (what < 999 || s->ending) {
		pass_time(s);
	} else {
		operator_step(s);
	}
	check(s);
}

static bool everybody_has_gone(struct sim *s)
{
	for (unsigned i = 0; i < CLIENTS_MAX; i++)
		if (s->in_use[i])
			return false;
	return list_is_empty(&s->cancellers);
}

static void show_who_waits(struct sim *s)
{
	struct list *node;

	for (unsigned i = 0; i < CLIENTS_MAX; i++) {
		struct script *c = &s->script[i];

		if (!s->in_use[i])
			continue;
		fprintf(stderr,
		        "client %u: state %d, unsent %zu, on its way %zu, owed %zu bytes, sleeping %d, status %c\n",
		        c->number, c->state, c->unsent.len, c->conn->to_product.len, c->shadow.out.len,
		        c->shadow.sleeping, c->shadow.status);
		if (c->shadow.out.len > 0)
			fprintf(stderr, "   next is '%c'\n", c->shadow.out.data[0]);
	}
	list_each (node, &s->servers) {
		struct server_peer *p = peer_of(node);

		fprintf(stderr,
		        "server %u: phase %d, in %zu, out %zu, to product %zu, to peer %zu, sleeping %d, copying %d, "
		        "room %u, read most %u\n",
		        p->backend.pid, p->backend.phase, p->backend.in.len, p->backend.out.len,
		        p->conn->to_product.len, p->conn->to_peer.len, p->backend.sleeping, p->backend.copying,
		        p->conn->rough.room, p->conn->rough.read_most);
	}
	for (uint16_t i = 0; i < s->office.n_workers; i++) {
		list_each (node, &s->worker[i]->clients) {
			struct client *c = container_of(node, struct client, on_worker);

			fprintf(
			    stderr, "worker %u: client %" PRIu64 " %s, held %zu, pending %zu, paused %d, runnable %d\n",
			    i, c->waiter.id, client_state_text(c->state), stream_held_bytes(c->stream),
			    stream_pending_bytes(c->stream), stream_is_paused(c->stream), !list_is_empty(&c->runnable));
		}
		list_each (node, &s->worker[i]->servers) {
			struct server *v = container_of(node, struct server, on_worker);

			fprintf(
			    stderr,
			    "worker %u: server %" PRIu64
			    " state %d place %d errand %d answers %u (head %d) skip %d copy %d "
			    "fencing %d wants %d held %zu pending %zu paused %d cancels %u client %d\n",
			    i, v->id, v->state, v->place.state, v->errand, v->answers.n,
			    v->answers.n > 0
			        ? (v->answers.ring == NULL ? v->answers.first : v->answers.ring)[v->answers.head].kind
			        : -1,
			    v->answers.skip, v->answers.copy, v->answers.fencing, v->answers.wants_fence,
			    stream_held_bytes(v->stream), stream_pending_bytes(v->stream), stream_is_paused(v->stream),
			    v->n_cancels, v->client != NULL);
		}
	}
}

static void show_pool(struct sim *s, struct pool *p)
{
	(void)s;
	fprintf(stderr, "pool %s.%s state %d may_ask %d outage %d trying %d\n", p->database, p->user, p->state,
	        p->may_ask, p->outage != NULL, p->trying);
	for (uint16_t k = 0; k < p->n_seats; k++)
		fprintf(stderr, "  seat %u: waiting %u newcomers %u idle %u lent %u moving %u opening %u\n", k,
		        p->seat[k].n_waiting, p->seat[k].n_newcomers, p->seat[k].n_idle, p->seat[k].n_lent,
		        p->seat[k].n_moving, p->seat[k].n_opening);
}

/* No new work: whoever is owed something gets it, and goes home. */
static void everybody_finishes(struct sim *s)
{
	struct letters out;

	s->ending = true;
	world_be_gentle(&s->world);
	letters_init(&out);
	registry_set_paused(s->office.registry, NULL, false, &out);
	post_all(s, &out);
	for (uint32_t i = 0; i < 400000 && !everybody_has_gone(s); i++)
		step(s);
	if (everybody_has_gone(s))
		return;
	show_who_waits(s);
	each_pool(s, show_pool);
	world_broken(&s->world, "somebody waits for ever");
}

/* Every server is closed and every permit is back. */
static void everything_closes(struct sim *s)
{
	struct letters out;
	bool quiet = false;

	letters_init(&out);
	s->opener->draining = true;
	registry_close(s->office.registry, &out);
	post_all(s, &out);
	for (uint32_t i = 0; i < 20000 && !quiet; i++) {
		struct list *node, *after;

		for (uint16_t k = 0; k < s->office.n_workers; k++)
			sim_loop_turn(s->worker[k]->loop);
		sim_loop_turn(s->main_loop);
		list_each_safe (node, after, &s->servers)
			(void)server_step(s, peer_of(node));
		while (sim_run_job(&s->world))
			;
		s->world.now_us += 10 * US_PER_MS;
		check(s);
		quiet = registry_count_permits(s->office.registry, NULL) == 0 && list_is_empty(&s->servers) && i > 2000;
	}
	MUST_HOLD(&s->world, quiet);
	for (uint16_t k = 0; k < s->office.n_workers; k++)
		MUST_HOLD(&s->world, s->worker[k]->n_clients == 0 && s->worker[k]->n_servers == 0);
	MUST_HOLD(&s->world, atomic_load(&s->office.registry->n_clients) == 0);
}

/* ---- begin and end ---- */

static void sim_begin(struct sim *s, const struct sim_options *o, uint64_t seed)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1};
	struct dice *d = &s->world.dice;

	memset(s, 0, sizeof(*s));
	world_init(&s->world, seed);
	sim_set_world(&s->world);
	s->world.trace = o->trace;
	s->world.connecting = server_called;
	s->world.connecting_arg = s;
	list_init(&s->servers);
	list_init(&s->cancellers);
	s->session = dice_chance(d, 200);
	s->refuses = !s->session && seed % 4 == 0; /* not by the dice: other seeds' runs stay what they are */
	s->world.faults = dice_chance(d, 400);
	s->n_clients_at_most = 1 + dice_below(d, CLIENTS_MAX);
	s->next_pid = 100;
	s->config = some_config(s);
	s->log = log_new();
	MUST_HOLD(&s->world, s->log != NULL);
	log_set_stderr(s->log, o->trace);
	s->office.log = s->log;
	s->office.n_workers = (uint16_t)(o->workers > 0 ? o->workers : 1 + dice_below(d, WORKERS_MAX));
	s->office.registry = registry_new(s->office.n_workers, (uint32_t)seed);
	s->office.auth = auth_context_new(mock_key);
	s->office.jobs = jobs_new(2);
	s->office.params = params_book_new((uint32_t)seed);
	MUST_HOLD(&s->world, s->office.registry != NULL && s->office.auth != NULL && s->office.jobs != NULL &&
	                         s->office.params != NULL);
	s->opener = opener_new(s->office.registry, s->log, s->config, seed);
	s->main_loop = loop_new();
	MUST_HOLD(&s->world, s->opener != NULL && s->main_loop != NULL);
	s->office.main_box = mailbox_new(s->main_loop, main_read, s);
	loop_set_turn(s->main_loop, main_turn, s);
	for (uint16_t i = 0; i < s->office.n_workers; i++) {
		s->worker[i] = worker_new(&s->office, i, s->config);
		MUST_HOLD(&s->world, s->worker[i] != NULL);
	}
	world_trace(&s->world, "%u workers, %s pooling, faults %d, up to %u clients", s->office.n_workers,
	            s->session ? "session" : "transaction", s->world.faults, s->n_clients_at_most);
}

static void forget(struct sim *s, struct pool *p)
{
	opener_forget(s->opener, p);
}

static void sim_end(struct sim *s)
{
	for (uint16_t i = 0; i < s->office.n_workers; i++) {
		s->figures.n_travels += s->worker[i]->n_hand_overs;
		worker_free(s->worker[i]);
	}
	mailbox_free(s->office.main_box);
	loop_free(s->main_loop);
	jobs_free(s->office.jobs);
	each_pool(s, forget);
	opener_free(s->opener);
	registry_free(s->office.registry);
	params_book_free(s->office.params);
	auth_context_free(s->office.auth);
	config_unref(s->config);
	log_free(s->log);
	world_fini(&s->world);
}

void sim_run(const struct sim_options *o, uint64_t seed, uint64_t steps, struct sim_figures *figures)
{
	struct sim *s = mem_new(struct sim);

	if (s == NULL)
		abort();
	sim_begin(s, o, seed);
	while (s->world.step < steps)
		step(s);
	everybody_finishes(s);
	everything_closes(s);
	sim_end(s);
	figures->n_answers += s->figures.n_answers;
	figures->n_travels += s->figures.n_travels;
	figures->n_cancelled += s->figures.n_cancelled;
	figures->n_died += s->figures.n_died;
	figures->n_servers += s->next_pid - 100;
	mem_free(s);
}
