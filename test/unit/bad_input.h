/*
 * Every kind of message with every kind of length, in every state of who says it: it comes to the same however it is
 * cut, whoever reads of it reads whole messages, and others are served as before.
 */
#ifndef TEST_BAD_INPUT_H
#define TEST_BAD_INPUT_H

#include "worker_scene.h"

#define WHOLE 8u    /* length of a message that is here, all of it */
#define SAID_MOST 9 /* bytes of a message that are said: the header, and what is enough of a body */

#define TRUST "auth_type=trust\npool_mode=transaction\n"
#define SESSION "auth_type=trust\npool_mode=session\n"
#define SCRAM "auth_type=scram-sha-256\n"

struct play {
	struct bench b;
	struct side *c, *s;
	struct side *who; /* says it */
};

struct scene {
	const char *name, *globals;
	void (*begin)(struct play *p);
};

/* ---- what is said in scenes ---- */

static inline void say(struct play *p, struct side *side, char type, const char *body, size_t len)
{
	struct str out;
	size_t at;

	str_init(&out, 65536);
	at = message_begin(&out, type);
	message_bytes(&out, body, len);
	message_end(&out, at);
	side_say(&p->b, side, &out);
	str_fini(&out);
}

static inline void say_bare(struct play *p, struct side *side, const char *types)
{
	for (; *types != '\0'; types++)
		say(p, side, *types, "", 0);
}

static inline void say_ready(struct play *p, char status)
{
	say(p, p->s, 'Z', &status, 1);
}

static inline void say_error(struct play *p)
{
	static const char fields[] = "SERROR\0VERROR\0C22012\0Mno\0";

	say(p, p->s, 'E', fields, sizeof(fields));
}

static inline void log_in_on(struct play *p, struct side *c, const char *user)
{
	p->c = c;
	say_startup(&p->b, p->c, user, "app");
}

static inline void log_in(struct play *p)
{
	log_in_on(p, bench_client(&p->b), "ann");
	p->who = p->s = bench_server(&p->b);
	assert_non_null(p->s);
}

static inline void logged_in(struct play *p)
{
	log_in(p);
	say_welcome(&p->b, p->s);
	p->who = p->c;
}

/* The server has the client's parameters: nothing of ours goes first. */
static inline void fits(struct play *p)
{
	logged_in(p);
	scene_query(&p->b, p->c, "select 1");
	scene_set_done(&p->b, p->s);
	scene_done(&p->b, p->s, "SELECT 1", 'I');
}

static inline void asks(struct play *p, const char *sql)
{
	fits(p);
	scene_query(&p->b, p->c, sql);
}

static inline void sends_a_batch(struct play *p)
{
	fits(p);
	say(p, p->c, 'P', "\0select 1\0\0\0", 12);
	say(p, p->c, 'B', "\0\0\0\0\0\0\0\0", 8);
	say(p, p->c, 'H', "", 0);
}

static inline void by_server(struct play *p)
{
	p->who = p->s;
}

/* ---- states of a client that are also states of its server ---- */

static inline void waits_for_our_set(struct play *p)
{
	logged_in(p);
	scene_query(&p->b, p->c, "select 1");
}

static inline void is_in_a_transaction(struct play *p)
{
	asks(p, "begin");
	scene_done(&p->b, p->s, "BEGIN", 'T');
}

static inline void copies_in(struct play *p)
{
	asks(p, "copy t from stdin");
	say(p, p->s, 'G', "\0\0\0", 3);
	say(p, p->c, 'd', "1\n", 2);
}

static inline void copies_out(struct play *p)
{
	asks(p, "copy t to stdout");
	say(p, p->s, 'H', "\0\0\0", 3);
	say(p, p->s, 'd', "1\n", 2);
}

static inline void has_failed_to_copy(struct play *p)
{
	sends_a_batch(p);
	say(p, p->c, 'E', "\0\0\0\0\0", 5);
	say_bare(p, p->c, "S");
	say_bare(p, p->s, "12");
	say(p, p->s, 'G', "\0\0\0", 3);
	say(p, p->c, 'd', "1\n", 2);
	say_error(p);
}

static inline void asks_to_cancel(struct play *p)
{
	struct str out;
	const char *key;
	size_t len;

	asks(p, "select 1");
	key = side_last(p->c, 'K', &len);
	assert_non_null(key);
	str_init(&out, 4096);
	message_cancel_request(&out, 0, "????", 4);
	memcpy(out.data + 8, key, 8);
	p->who = bench_client(&p->b);
	side_say(&p->b, p->who, &out);
	str_fini(&out);
}

/* ---- what must hold ---- */

/* Nothing but messages of servers, and whole errors if the pooler made them; behind them may be a part of one. */
static inline void check_read(const struct side *c, bool of_pooler, const char *where)
{
	const char *at = str_text(&c->got), *end = at + c->got.len;

	while (end - at >= 5) {
		struct report report;
		struct reader r;
		uint32_t len;

		if (strchr("RSKZNAE123nstTDCIVGHWdcv", *at) == NULL)
			fail_msg("%s: told a message of type %d", where, *at);
		reader_init(&r, at + 1, 4);
		len = reader_u32(&r);
		if (len < 4)
			fail_msg("%s: told a message of length %u", where, len);
		if ((size_t)(end - at) - 1 < len)
			break;
		if (*at == 'E' && of_pooler &&
		    (!report_parse(&report, at + 5, len - 4) || report.sqlstate.len != 5 || report.message.len == 0))
			fail_msg("%s: told an error without words", where);
		at += len + 1;
	}
}

/* ---- others ---- */

struct others {
	struct side *c, *s;
};

static inline void others_begin(struct others *o, struct play *p, const char *globals)
{
	bool by_scram = strstr(globals, "scram") != NULL;

	o->c = bench_client(&p->b);
	say_startup(&p->b, o->c, by_scram ? "ann" : "trusty", "app");
	if (by_scram)
		prove_scram(&p->b, o->c, "pencil");
	o->s = bench_server(&p->b);
	assert_non_null(o->s);
	say_welcome(&p->b, o->s);
	scene_query(&p->b, o->c, "begin");
	if (strstr(globals, "server_check_query") != NULL)
		scene_done(&p->b, o->s, "SELECT 1", 'I');
	scene_set_done(&p->b, o->s);
	scene_done(&p->b, o->s, "BEGIN", 'T');
}

static inline void others_are_served(struct others *o, struct play *p, const char *where)
{
	size_t len, before;
	const char *sql;

	scene_query(&p->b, o->c, "select 'unaffected'");
	sql = side_last(o->s, 'Q', &len);
	if (sql == NULL || strcmp(sql, "select 'unaffected'") != 0)
		fail_msg("%s: a query of others does not arrive", where);
	before = o->c->got.len;
	scene_done(&p->b, o->s, "SELECT 1", 'T');
	if (o->c->got.len == before || o->c->ended)
		fail_msg("%s: others are not answered", where);
}

/* ---- one case ---- */

struct message {
	char bytes[SAID_MOST];
	size_t n;
};

/* How many of the first bytes that were not PostgreSQL's are quoted depends on how many have come. */
static inline void add_neutral(struct str *story, const char *text)
{
	static const char before[] = "first bytes received: \"";
	const char *at = strstr(text, before);

	if (at != NULL) {
		str_add(story, text, (size_t)(at - text) + sizeof(before) - 1);
		text = strchr(at + sizeof(before), '"');
		assert_non_null(text);
	}
	str_add_str(story, text);
}

/* All that was said, but for the others' part, which comes first. */
static inline void tell(struct play *p, int first, struct str *story)
{
	struct str text;

	str_init(&text, BENCH_STORY);
	for (int i = first; i < BENCH_SIDES; i++) {
		struct side *side = &p->b.side[i];

		if (side->fd < 0 && !side->ended)
			continue;
		str_add_str(&text, side->is_server ? "server:\n" : "client:\n");
		story_of_side(&text, side);
	}
	add_neutral(story, str_text(&text));
	str_fini(&text);
}

/* `piece` bytes first, and `then` at a time. */
static inline void run(const struct scene *scene, const struct message *m, size_t piece, size_t then, bool among_others,
                       struct str *story, const char *where)
{
	struct play p;
	struct others others = {NULL, NULL};

	bench_init(&p.b, scene->globals);
	if (among_others)
		others_begin(&others, &p, scene->globals);
	scene->begin(&p);
	for (size_t at = 0; at < m->n; at += piece, piece = then) {
		piece = m->n - at < piece ? m->n - at : piece;
		side_write(&p.b, p.who, m->bytes + at, piece);
	}
	tell(&p, among_others ? 2 : 0, story);
	check_read(p.c, !p.who->is_server, where);
	if (among_others)
		others_are_served(&others, &p, where);
	bench_fini(&p.b);
}

static inline void make_message(struct message *m, uint8_t type, uint32_t len)
{
	memset(m, 0, sizeof(*m));
	m->bytes[0] = (char)type;
	for (int i = 0; i < 4; i++)
		m->bytes[1 + i] = (char)(len >> (24 - 8 * i));
	if (type == 'Z')
		m->bytes[5] = 'I';
	else if (type == 'D' || type == 'C')
		m->bytes[5] = 'S';
	m->n = len < 4 ? 5 : len < SAID_MOST - 1 ? len + 1 : SAID_MOST;
}

static inline void compare(const struct scene *scene, const struct message *m, size_t piece, size_t then,
                           const struct str *whole, const char *where)
{
	struct str story;

	str_init(&story, BENCH_STORY);
	run(scene, m, piece, then, false, &story, where);
	if (strcmp(str_text(&story), str_text(whole)) != 0)
		fail_msg("%s, %zu bytes, then %zu at a time:\n%s\nat once:\n%s", where, piece, then, str_text(&story),
		         str_text(whole));
	str_fini(&story);
}

static inline void check(const struct scene *scene, uint8_t type, uint32_t len)
{
	struct str whole;
	struct message m;
	char where[100];

	make_message(&m, type, len);
	snprintf(where, sizeof(where), "who %s, type 0x%02x, length %u", scene->name, type, len);
	str_init(&whole, BENCH_STORY);
	run(scene, &m, m.n, 1, true, &whole, where);
	/* it may be an error as servers of long ago said it, without a length: as much as has come is judged */
	if (type == 'E' && scene->begin == log_in) {
		str_fini(&whole);
		return;
	}
	compare(scene, &m, 1, 1, &whole, where);
	for (size_t cut = 2; len == WHOLE && cut < m.n; cut++)
		compare(scene, &m, cut, m.n, &whole, where);
	str_fini(&whole);
}

static inline void check_all(const struct scene *scene, size_t n_scenes, const char *types, size_t n_types)
{
	/* too short, empty, a byte, whole, not all of it, more than is kept, more than anybody sends, more than there
	 * can be */
	static const uint32_t lengths[] = {3, 4, 5, WHOLE, 100, 40000, (1u << 30) + 5, UINT32_MAX};

	for (size_t i = 0; i < n_scenes * n_types; i++)
		for (size_t k = 0; k < sizeof(lengths) / sizeof(lengths[0]); k++)
			check(&scene[i / n_types], (uint8_t)types[i % n_types], lengths[k]);
}

#endif
