/*
 * Two clients with named prepared statements over two servers, and a model of PostgreSQL. The bytes say what the
 * clients say, where it is cut, how much the servers answer, and when an idle server dies. What a client reads is what
 * it would read directly. fuzz runs: 12000
 */
#include "../unit/statement_model.h"
#include "../unit/worker_scene.h"
#include "fuzz.h"
#include "worker/prepared.h"

#define USERS 2
#define INPUT_MOST 400
#define RAW_MOST 30 /* messages of any bytes: each may be another name */

struct user {
	struct side *c;
	struct str said; /* all of it */
	size_t sent;     /* bytes of that */
};

struct world {
	struct bench b;
	struct model server[BENCH_SIDES]; /* of the sides that are servers */
	struct user user[USERS];
	const uint8_t *data;
	size_t size, at;
	unsigned n_raw;
};

static uint8_t next(struct world *w)
{
	return w->at < w->size ? w->data[w->at++] : 0;
}

/* ---- servers ---- */

static void accept_servers(struct world *w)
{
	struct side *s;
	struct reader r;

	while ((s = bench_server(&w->b)) != NULL) {
		struct model *m = &w->server[s - w->b.side];

		str_fini(&m->out);
		model_init(m);
		reader_init(&r, s->got.data, 4);
		m->read = reader_u32(&r);
		say_welcome(&w->b, s);
	}
}

/* At most so many bytes each; true: somebody had something to say. */
static bool serve(struct world *w, size_t most)
{
	bool any = false;

	accept_servers(w);
	for (int i = 0; i < BENCH_SIDES; i++) {
		struct side *s = &w->b.side[i];
		struct model *m = &w->server[i];
		size_t len;

		if (!s->is_server || s->fd < 0)
			continue;
		HOLDS(!s->ended);
		model_read(m, &s->got);
		len = m->out.len < most ? m->out.len : most;
		any |= len > 0;
		if (len > 0)
			side_write(&w->b, s, m->out.data, len);
		str_cut_front(&m->out, len);
	}
	return any;
}

static void serve_all(struct world *w)
{
	while (serve(w, SIZE_MAX))
		continue;
}

static bool is_idle(const struct server *s)
{
	return s->client == NULL && s->login == NULL && s->place.state == PLACE_IDLE && s->errand == ERRAND_NONE;
}

static void let_an_idle_server_die(struct world *w)
{
	struct list *node;
	unsigned before = w->b.w->n_servers;
	int idle = 0;

	list_each (node, &w->b.w->servers)
		idle += is_idle(container_of(node, struct server, on_worker));
	for (int i = 0; i < BENCH_SIDES && idle > 0; i++) {
		struct side *s = &w->b.side[i];

		/* with one lent, which of the two this is cannot be seen from here */
		if (!s->is_server || s->fd < 0 || idle < (int)before)
			continue;
		side_close(&w->b, s);
		s->ended = s->is_server = false;
		s->sent = 0;
		str_clear(&s->got);
		break;
	}
}

/* ---- clients ---- */

static void send_some(struct world *w, struct user *u, size_t len)
{
	if (len > 0)
		side_write(&w->b, u->c, u->said.data + u->sent, len);
	u->sent += len;
}

static void send_all(struct world *w, struct user *u)
{
	send_some(w, u, u->said.len - u->sent);
}

static void say_raw(struct world *w, struct user *u)
{
	static const char type[] = "PBDC";
	char body[256];
	uint8_t kind = next(w), len = next(w);
	size_t at;

	if (++w->n_raw > RAW_MOST)
		return;
	for (uint8_t i = 0; i < len; i++)
		body[i] = (char)next(w);
	at = message_begin(&u->said, type[kind % 4]);
	message_bytes(&u->said, body, len);
	message_end(&u->said, at);
}

/* Commands that are understood where nothing is under way (doc/open-ends.md). */
static void say_alone(struct world *w, struct user *u, const char *name, unsigned which)
{
	char sql[100];

	message_sync(&u->said);
	send_all(w, u);
	serve_all(w);
	if (*name == '\0')
		snprintf(sql, sizeof(sql), "%s", which % 2 == 0 ? "DEALLOCATE ALL" : "ALTER TABLE");
	else
		snprintf(sql, sizeof(sql), "DEALLOCATE %s", name);
	message_query(&u->said, sql);
	send_all(w, u);
	serve_all(w);
}

#define LONG "x23456789_123456789_123456789_123456789_123456789_123456789_123"

static void step(struct world *w)
{
	static const char *const name[] = {"a", "b", "c", "d", "", LONG, LONG "more", "e"};
	static const char *const sql[] = {"1", "2", "3", "wrong", "fails", "4", "5", "6"};
	uint8_t what = next(w);
	struct user *u = &w->user[what >> 7];
	const char *of = name[(what >> 4) & 7];

	switch (what & 15) {
	case 0:
	case 1:
		say_parse(&u->said, of, sql[next(w) & 7]);
		break;
	case 2:
	case 3:
		say_bind(&u->said, of);
		break;
	case 4:
		say_of(&u->said, 'D', of);
		break;
	case 5:
		say_of(&u->said, 'C', of);
		break;
	case 6:
		say_execute(&u->said);
		break;
	case 7:
		message_sync(&u->said);
		break;
	case 8:
		message_query(&u->said, "BEGIN");
		break;
	case 9:
		message_query(&u->said, "ROLLBACK");
		break;
	case 10:
		say_alone(w, u, of, next(w));
		break;
	case 11:
		say_raw(w, u);
		break;
	case 12:
		send_some(w, u, next(w) % (u->said.len - u->sent + 1));
		break;
	case 13:
		send_all(w, u);
		break;
	case 14:
		(void)serve(w, next(w));
		break;
	default:
		let_an_idle_server_die(w);
		break;
	}
}

/* ---- what must hold ---- */

static unsigned named(const struct model *m)
{
	return (unsigned)(m->n - (model_find(m, "") >= 0));
}

static void check_user(const struct user *u, const struct client *c)
{
	struct model direct;
	struct str expected, got;

	model_init(&direct);
	str_init(&expected, BENCH_STORY);
	str_init(&got, BENCH_STORY);
	model_read(&direct, &u->said);
	tell(&expected, &direct.out);
	tell(&got, &u->c->got);
	if (strcmp(str_text(&got), str_text(&expected)) != 0)
		fprintf(stderr, "read:     %s\ndirectly: %s\n", str_text(&got), str_text(&expected));
	HOLDS(strcmp(str_text(&got), str_text(&expected)) == 0);
	HOLDS(c->state == CLIENT_IDLE);
	HOLDS(prepared_client_count(c) == named(&direct));
	str_fini(&direct.out);
	str_fini(&expected);
	str_fini(&got);
}

/* Everything that the servers have is known. */
static void check_servers(const struct world *w)
{
	unsigned have = 0, known = 0;
	struct list *node;

	for (int i = 0; i < BENCH_SIDES; i++)
		if (w->b.side[i].is_server && w->b.side[i].fd >= 0)
			have += named(&w->server[i]);
	list_each (node, &w->b.w->servers) {
		const struct server *s = container_of(node, struct server, on_worker);

		HOLDS(is_idle(s) && s->answers.n == 0);
		known += prepared_server_count(s);
	}
	HOLDS(have <= known);
}

static void begin(struct world *w, const uint8_t *data, size_t size)
{
	char settings[200];
	int i;

	w->data = data;
	w->size = size < INPUT_MOST ? size : INPUT_MOST;
	w->at = w->n_raw = 0;
	for (i = 0; i < BENCH_SIDES; i++)
		model_init(&w->server[i]);
	snprintf(settings, sizeof(settings),
	         "auth_type=trust\npool_mode=transaction\ndefault_pool_size=2\nmax_prepared_statements=%d",
	         1 + next(w) % 4);
	bench_init(&w->b, settings);
	for (i = 0; i < USERS; i++) {
		struct user *u = &w->user[i];

		u->c = bench_client(&w->b);
		u->sent = 0;
		str_init(&u->said, BENCH_STORY);
		say_startup(&w->b, u->c, "ann", "app");
		serve_all(w);
		str_clear(&u->c->got); /* the login */
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct world w;
	struct list *node;
	int i;

	begin(&w, data, size);
	while (w.at < w.size)
		step(&w);
	for (i = 0; i < USERS; i++) {
		message_sync(&w.user[i].said);
		message_query(&w.user[i].said, "ROLLBACK");
		send_all(&w, &w.user[i]);
		serve_all(&w);
	}
	i = 0;
	list_each (node, &w.b.w->clients)
		check_user(&w.user[i++], container_of(node, struct client, on_worker));
	HOLDS(i == USERS);
	check_servers(&w);
	bench_fini(&w.b);
	for (i = 0; i < USERS; i++)
		str_fini(&w.user[i].said);
	for (i = 0; i < BENCH_SIDES; i++)
		str_fini(&w.server[i].out);
	return 0;
}
