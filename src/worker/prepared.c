/*
 * Named prepared statements across servers. Thread: the worker's.
 *
 *   relay_from_client ──> prepared_from_client: Parse, Bind, Describe, Close of a name ──> rewritten
 *   relay_from_server ──> prepared_settle: what was expected has come, or never will: undone, last first
 *
 * The client's map leads from names to statements, which the worker keeps once each. A server's set holds keys only, so
 * that a server may move to another worker. What is not known for certain about a server's copy (its Parse is under way
 * and an error may still drop it) is trusted by messages up to the same Sync only: they would be dropped, too.
 * Otherwise a Close of ours goes before the Parse: closing what does not exist is no error.
 */
#include "worker/prepared.h"

#include <openssl/sha.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "pool/settings.h"
#include "wire/deallocate.h"
#include "wire/message.h"
#include "worker/client.h"
#include "worker/guard.h"
#include "worker/params.h"
#include "worker/server.h"

#define KEY_BYTES 32u  /* hexadecimal digits of half a SHA-256 of text, types and session parameters */
#define HASH_BYTES 16u /* of a key are enough for a table */
#define NAME_MOST 63u  /* what PostgreSQL looks at */
#define SERVER_NAME_BYTES (10u + KEY_BYTES + 1)
#define FRONT_MOST 32768u
#define DEALLOCATE_MOST 256u /* bytes of a message that is looked at */
#define EVICT_MOST 3
#define ANSWERS_MOST (EVICT_MOST + 3u) /* that one message of a client's can make us expect */

/* Text and parameter types, as they stand in Parse behind the name. Immutable but for `refs`. */
struct statement {
	struct table_node node; /* worker->statements */
	char key[KEY_BYTES];
	uint32_t refs;
	bool harmless; /* it leaves nothing behind in its session (worker/guard.c) */
	size_t len;
	char body[];
};

/* A client's name for one. References: the client's map, and effects that are not settled. */
struct named {
	struct table_node node;
	uint32_t refs;
	bool in_map;
	struct statement *statement;
	char name[];
};

struct client_statements {
	struct table names;
	size_t bytes; /* of the statements in it */
	struct str collected;
};

enum copy_knowledge {
	COPY_SENT,    /* its Parse is under way */
	COPY_CERTAIN, /* its ParseComplete has come */
	COPY_DOUBTFUL /* it may or may not be there */
};

/* A statement on a server. */
struct copy {
	struct table_node node;
	struct list lru;
	char key[KEY_BYTES];
	enum copy_knowledge knowledge;
	uint32_t segment;    /* COPY_SENT: of its Parse */
	uint32_t parse;      /* COPY_SENT: which one that is; an evicted copy may be made again before it is answered */
	uint32_t generation; /* of the database's schema when it was prepared */
};

enum effect_kind {
	EFFECT_PARSE,    /* the server gets a copy, and the client a name if `named` is set */
	EFFECT_NAME,     /* the client gets a name */
	EFFECT_UNNAME,   /* the client loses one */
	EFFECT_EVICT,    /* the server loses `copy` */
	EFFECT_FORGET,   /* both: DEALLOCATE */
	EFFECT_USE,      /* none, but an error may tell that the copy is of no use */
	EFFECT_DUPLICATE /* none: it is sure to fail, unless a DEALLOCATE ALL that nobody saw yet went before it */
};

/* What a message has changed in advance. One for each answer that is marked, in the same order. */
struct effect {
	enum effect_kind kind;
	bool again; /* EFFECT_PARSE: whether there was a copy before is not known */
	uint32_t segment;
	uint32_t parse;              /* EFFECT_PARSE: which one */
	struct statement *statement; /* a reference, or NULL */
	struct named *named;         /* a reference, or NULL */
	struct copy *copy;           /* owned, or NULL */
};

struct server_statements {
	struct list lru; /* last used first */
	struct table by_key;
	struct effect *effect;
	uint32_t first, n, capacity;
	uint32_t n_parses; /* so far */
};

/* ---- statements ---- */

static bool statement_same(const struct table_node *node, const void *key)
{
	return memcmp(container_of_const(node, struct statement, node)->key, key, KEY_BYTES) == 0;
}

static struct statement *statement_ref(struct statement *st)
{
	st->refs++;
	return st;
}

static void statement_unref(struct worker *w, struct statement *st)
{
	if (st == NULL || --st->refs > 0)
		return;
	table_remove(&w->statements, &st->node);
	w->statement_bytes -= sizeof(*st) + st->len;
	mem_free(st);
}

/* What constants mean is decided by Parse: with the session's DateStyle, standard_conforming_strings, search_path, … */
static void add_parameters(struct str *out, const struct params *params)
{
	const char *name, *value;

	for (unsigned i = 0; params_at(params, i, &name, &value); i++) {
		if (strcmp(name, "application_name") == 0)
			continue;
		str_add(out, name, strlen(name) + 1);
		str_add(out, value, strlen(value) + 1);
	}
}

/* False: out of memory. */
static bool make_key(struct client *c, const char *body, size_t len, char key[KEY_BYTES])
{
	static const char digits[] = "0123456789abcdef";
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct str *all = &c->worker->scratch;

	SHA256((const unsigned char *)body, len, digest);
	str_clear(all);
	str_add(all, digest, sizeof(digest));
	add_parameters(all, c->params);
	if (all->failed)
		return false;
	SHA256((const unsigned char *)all->data, all->len, digest);
	for (uint32_t i = 0; i < KEY_BYTES; i += 2) {
		key[i] = digits[digest[i / 2] >> 4];
		key[i + 1] = digits[digest[i / 2] & 15];
	}
	return true;
}

/* The one with this text and these types, for sessions with the client's parameters; a reference. NULL: out of memory.
 */
static struct statement *statement_get(struct client *c, const char *body, size_t len)
{
	struct worker *w = c->worker;
	char key[KEY_BYTES];
	struct table_node *node;
	struct statement *st;
	uint32_t hash;

	if (!make_key(c, body, len, key))
		return NULL;
	hash = table_hash(&w->statements, key, HASH_BYTES);
	node = table_find(&w->statements, hash, statement_same, key);
	if (node != NULL)
		return statement_ref(container_of(node, struct statement, node));
	st = (struct statement *)mem_alloc(sizeof(*st) + len);
	if (st == NULL)
		return NULL;
	memcpy(st->key, key, KEY_BYTES);
	memcpy(st->body, body, len);
	st->len = len;
	st->refs = 1;
	st->harmless = false;
	table_add(&w->statements, &st->node, hash);
	w->statement_bytes += sizeof(*st) + len;
	return st;
}

/* ---- the client's names ---- */

static bool name_same(const struct table_node *node, const void *key)
{
	return strcmp(container_of_const(node, struct named, node)->name, (const char *)key) == 0;
}

static uint32_t name_hash(const struct client_statements *cs, const char *name)
{
	return table_hash(&cs->names, name, strlen(name));
}

static struct named *name_find(const struct client *c, const char *name)
{
	const struct client_statements *cs = c->statements;
	struct table_node *node = cs == NULL ? NULL : table_find(&cs->names, name_hash(cs, name), name_same, name);

	return node == NULL ? NULL : container_of(node, struct named, node);
}

static void named_unref(struct worker *w, struct named *n)
{
	if (n == NULL || --n->refs > 0)
		return;
	statement_unref(w, n->statement);
	mem_free(n);
}

/* The map takes a reference. */
static void name_add(struct client *c, struct named *n)
{
	struct client_statements *cs = c->statements;

	table_add(&cs->names, &n->node, name_hash(cs, n->name));
	cs->bytes += n->statement->len;
	n->in_map = true;
	n->refs++;
}

static void name_remove(struct client *c, struct named *n)
{
	if (!n->in_map)
		return;
	table_remove(&c->statements->names, &n->node);
	c->statements->bytes -= n->statement->len;
	n->in_map = false;
	named_unref(c->worker, n);
}

/* Takes over the reference to the statement; the result is the caller's. */
static struct named *named_new(struct statement *st, const char *name)
{
	size_t len = strlen(name);
	struct named *n = (struct named *)mem_alloc(sizeof(*n) + len + 1);

	if (n == NULL)
		return NULL;
	memcpy(n->name, name, len + 1);
	n->statement = st;
	n->refs = 1;
	return n;
}

static bool client_has_statements(struct client *c)
{
	if (c->statements != NULL)
		return true;
	c->statements = mem_new(struct client_statements);
	if (c->statements == NULL)
		return false;
	table_init(&c->statements->names, c->worker->statements.seed);
	str_init(&c->statements->collected, PREPARED_STATEMENT_MAX);
	return true;
}

/* All but those that a message under way is about. */
static void forget_names(struct client *c)
{
	struct client_statements *cs = c->statements;
	struct table_node *node, *after;

	for (node = cs == NULL ? NULL : table_next(&cs->names, NULL); node != NULL; node = after) {
		struct named *n = container_of(node, struct named, node);

		after = table_next(&cs->names, node);
		if (n->refs == 1)
			name_remove(c, n);
	}
}

/* ---- the server's copies ---- */

static bool copy_same(const struct table_node *node, const void *key)
{
	return memcmp(container_of_const(node, struct copy, node)->key, key, KEY_BYTES) == 0;
}

static struct copy *copy_find(const struct server_statements *ss, const char *key)
{
	struct table_node *node = table_find(&ss->by_key, table_hash(&ss->by_key, key, HASH_BYTES), copy_same, key);

	return node == NULL ? NULL : container_of(node, struct copy, node);
}

static void copy_add(struct server_statements *ss, struct copy *copy)
{
	table_add(&ss->by_key, &copy->node, table_hash(&ss->by_key, copy->key, HASH_BYTES));
	list_add_head(&ss->lru, &copy->lru);
}

static void copy_take_out(struct server_statements *ss, struct copy *copy)
{
	table_remove(&ss->by_key, &copy->node);
	list_remove(&copy->lru);
}

static void copy_forget(struct server_statements *ss, struct copy *copy)
{
	copy_take_out(ss, copy);
	mem_free(copy);
}

static void copy_doubt(struct server_statements *ss, const char *key)
{
	struct copy *copy = copy_find(ss, key);

	if (copy != NULL)
		copy->knowledge = COPY_DOUBTFUL;
}

/* All but those whose Parse is under way: it comes behind what made the server forget. */
static void forget_copies(struct server_statements *ss)
{
	struct list *node, *after;

	list_each_safe (node, after, &ss->lru) {
		struct copy *copy = container_of(node, struct copy, lru);

		if (copy->knowledge != COPY_SENT)
			copy_forget(ss, copy);
	}
}

static bool server_has_statements(struct server *s)
{
	struct server_statements *ss;

	if (s->statements != NULL)
		return true;
	ss = mem_new(struct server_statements);
	if (ss == NULL)
		return false;
	list_init(&ss->lru);
	table_init(&ss->by_key, s->worker->statements.seed);
	s->statements = ss;
	return true;
}

static uint32_t generation_of(const struct client *c)
{
	return atomic_load(&c->entry.database->schema_generation);
}

static bool copy_is_usable(const struct client *c, const struct copy *copy)
{
	if (copy->generation != generation_of(c))
		return false;
	return copy->knowledge == COPY_CERTAIN ||
	       (copy->knowledge == COPY_SENT && copy->segment == c->server->answers.segment);
}

/* ---- effects ---- */

static bool reserve_effects(struct server_statements *ss, uint32_t n)
{
	uint32_t capacity = ss->capacity == 0 ? 16 : ss->capacity * 2;
	struct effect *grown;

	if (ss->first + ss->n + n <= ss->capacity)
		return true;
	if (ss->first > 0)
		memmove(ss->effect, ss->effect + ss->first, ss->n * sizeof(struct effect));
	ss->first = 0;
	if (ss->n + n <= ss->capacity)
		return true;
	grown = (struct effect *)mem_resize(ss->effect, capacity * sizeof(struct effect));
	if (grown == NULL)
		return false;
	ss->effect = grown;
	ss->capacity = capacity;
	return true;
}

/* Room has been reserved. References are taken; `copy` is taken over. */
static struct effect *add_effect(struct server *s, enum effect_kind kind, struct statement *st, struct named *n)
{
	struct server_statements *ss = s->statements;
	struct effect *e = &ss->effect[ss->first + ss->n++];

	*e = (struct effect){.kind = kind, .segment = s->answers.segment, .statement = st, .named = n};
	if (st != NULL)
		st->refs++;
	if (n != NULL)
		n->refs++;
	return e;
}

static void free_effect(struct worker *w, struct effect *e)
{
	statement_unref(w, e->statement);
	named_unref(w, e->named);
	mem_free(e->copy);
}

/* Its copy is, or may be, on the server. */
static void keep_doubtful(struct server_statements *ss, struct effect *e)
{
	if (copy_find(ss, e->copy->key) != NULL) {
		copy_doubt(ss, e->copy->key);
		return;
	}
	e->copy->knowledge = COPY_DOUBTFUL;
	copy_add(ss, e->copy);
	e->copy = NULL;
}

static void confirm_parse(struct server_statements *ss, const struct effect *e)
{
	struct copy *copy = copy_find(ss, e->statement->key);

	if (copy != NULL && copy->knowledge == COPY_SENT && copy->parse == e->parse)
		copy->knowledge = COPY_CERTAIN;
}

/* The name was free, and what has ours on the server is something else. */
static void confirm_duplicate(struct server *s, struct client *c, struct effect *e)
{
	keep_doubtful(s->statements, e);
	if (c != NULL && name_find(c, e->named->name) == NULL)
		name_add(c, e->named);
}

static void confirm(struct server *s, struct client *c, struct effect *e)
{
	if (e->kind == EFFECT_PARSE)
		confirm_parse(s->statements, e);
	else if (e->kind == EFFECT_DUPLICATE)
		confirm_duplicate(s, c, e);
}

static void undo_parse(struct server_statements *ss, const struct effect *e)
{
	struct copy *copy = copy_find(ss, e->statement->key);

	if (copy == NULL || copy->knowledge != COPY_SENT || copy->parse != e->parse)
		return;
	if (e->again)
		copy->knowledge = COPY_DOUBTFUL;
	else
		copy_forget(ss, copy);
}

static void undo(struct server *s, struct client *c, struct effect *e)
{
	switch (e->kind) {
	case EFFECT_PARSE:
		undo_parse(s->statements, e);
		if (c != NULL && e->named != NULL)
			name_remove(c, e->named);
		break;
	case EFFECT_NAME:
		if (c != NULL)
			name_remove(c, e->named);
		break;
	case EFFECT_UNNAME:
		if (c != NULL && name_find(c, e->named->name) == NULL)
			name_add(c, e->named);
		break;
	case EFFECT_FORGET:
		if (c != NULL && name_find(c, e->named->name) == NULL)
			name_add(c, e->named);
		if (e->copy != NULL)
			keep_doubtful(s->statements, e);
		break;
	case EFFECT_EVICT:
		keep_doubtful(s->statements, e);
		break;
	case EFFECT_USE:
	case EFFECT_DUPLICATE:
		break;
	}
}

static void settle(struct server *s, struct client *c, uint32_t n, bool succeeded)
{
	struct server_statements *ss = s->statements;

	for (uint32_t i = n; i > 0; i--) {
		struct effect *e = &ss->effect[ss->first + i - 1];

		if (succeeded)
			confirm(s, c, e);
		else
			undo(s, c, e);
		free_effect(s->worker, e);
	}
	ss->first += n;
	ss->n -= n;
	if (ss->n == 0)
		ss->first = 0;
}

void prepared_settle(struct server *s, bool succeeded)
{
	uint32_t n = s->answers.effects_ended;

	s->answers.effects_ended = 0;
	settle(s, s->client, n, succeeded);
}

void prepared_undo_all(struct server *s, struct client *c)
{
	if (s->statements != NULL)
		settle(s, c, s->statements->n, false);
}

/* ---- writing to the server ---- */

static void server_name(const char *key, char name[SERVER_NAME_BYTES])
{
	memcpy(name, "PGBOUNCER_", 10);
	memcpy(name + 10, key, KEY_BYTES);
	name[SERVER_NAME_BYTES - 1] = '\0';
}

static void write_of_name(struct str *out, char type, const char *key)
{
	char name[SERVER_NAME_BYTES];
	size_t at = message_begin(out, type);

	server_name(key, name);
	message_u8(out, 'S');
	message_cstring(out, name);
	message_end(out, at);
}

static void write_parse(struct str *out, const char *key, const char *body, size_t len)
{
	char name[SERVER_NAME_BYTES];
	size_t at = message_begin(out, 'P');

	server_name(key, name);
	message_cstring(out, name);
	message_bytes(out, body, len);
	message_end(out, at);
}

/* The first piece of a Bind, with the name changed. */
static void write_bind(struct str *out, const struct frame *f, const char *key, struct bytes portal, struct bytes of,
                       struct bytes rest)
{
	uint32_t len = f->total - 1 - (uint32_t)of.len + SERVER_NAME_BYTES - 1;
	char *at = str_extend(out, FRAME_HEADER_BYTES + portal.len + 1 + SERVER_NAME_BYTES + rest.len);

	if (at == NULL)
		return;
	at[0] = 'B';
	for (int i = 0; i < 4; i++)
		at[1 + i] = (char)(len >> (24 - 8 * i));
	at += FRAME_HEADER_BYTES;
	memcpy(at, portal.data, portal.len + 1);
	at += portal.len + 1;
	server_name(key, at);
	memcpy(at + SERVER_NAME_BYTES, rest.data, rest.len);
}

/* Makes room for so many more. The bound may have been passed by what errors have undone. */
static void evict(struct client *c, uint32_t room, struct str *out)
{
	struct server *s = c->server;
	struct server_statements *ss = s->statements;
	int max = s->seat->settings->global->max_prepared_statements;
	uint32_t most = max < 1 ? 1 : (uint32_t)max;

	for (int i = 0; i < EVICT_MOST && ss->by_key.count + room > most; i++) {
		struct copy *copy = container_of(list_last(&ss->lru), struct copy, lru);

		write_of_name(out, 'C', copy->key);
		copy_take_out(ss, copy);
		answers_expect(&s->answers, ANSWER_CLOSE, ORIGIN_OURS, true);
		add_effect(s, EFFECT_EVICT, NULL, NULL)->copy = copy;
	}
}

/* An error in what was sent before the last Sync may have dropped a Close or a Parse of ours. */
static bool is_unsure(const struct server *s)
{
	const struct server_statements *ss = s->statements;

	return ss->n > 0 && ss->effect[ss->first].segment != s->answers.segment;
}

/* Parse, behind what must go before it. */
static bool prepare(struct client *c, struct statement *st, struct named *n, enum answer_origin origin, struct str *out)
{
	struct server *s = c->server;
	struct copy *copy = copy_find(s->statements, st->key);
	bool again = copy != NULL || is_unsure(s);
	struct effect *e;

	if (copy == NULL) {
		copy = mem_new(struct copy);
		if (copy == NULL)
			return false;
		memcpy(copy->key, st->key, KEY_BYTES);
		evict(c, 1, out);
		copy_add(s->statements, copy);
	}
	if (again) {
		write_of_name(out, 'C', st->key);
		answers_expect(&s->answers, ANSWER_CLOSE, ORIGIN_OURS, false);
	}
	write_parse(out, st->key, st->body, st->len);
	answers_expect(&s->answers, ANSWER_PARSE, origin, true);
	e = add_effect(s, EFFECT_PARSE, st, n);
	e->again = again;
	e->parse = copy->parse = s->statements->n_parses++;
	copy->knowledge = COPY_SENT;
	copy->segment = s->answers.segment;
	copy->generation = generation_of(c);
	s->seat->counters.server_parse_count++;
	return true;
}

/* The copy on the server in hand, as the last one used; NULL: there is none that can be trusted. */
static struct copy *usable_copy(struct client *c, const struct statement *st)
{
	struct copy *copy = copy_find(c->server->statements, st->key);

	if (copy == NULL)
		return NULL;
	list_remove(&copy->lru);
	list_add_head(&c->server->statements->lru, &copy->lru);
	return copy_is_usable(c, copy) ? copy : NULL;
}

static bool ensure(struct client *c, struct statement *st, struct str *out)
{
	if (usable_copy(c, st) == NULL)
		return prepare(c, st, NULL, ORIGIN_OURS, out);
	evict(c, 0, out);
	return true;
}

/* ---- from the client ---- */

/* Cuts a name as PostgreSQL does. */
static void cut_name(struct bytes name, char cut[NAME_MOST + 1])
{
	size_t len = name.len > NAME_MOST ? NAME_MOST : name.len;

	memcpy(cut, name.data, len);
	cut[len] = '\0';
}

/* Room for all that one message may bring; false: out of memory. */
static bool reserve(struct client *c)
{
	return client_has_statements(c) && server_has_statements(c->server) &&
	       answers_reserve(&c->server->answers, ANSWERS_MOST) &&
	       reserve_effects(c->server->statements, ANSWERS_MOST);
}

static bool is_full(const struct server *s)
{
	return s->answers.n + ANSWERS_MOST > ANSWERS_MAX;
}

/* Whether the client has such a name depends on messages before its last Sync that are not answered yet. They will be.
 */
static bool must_wait(const struct client *c, const char *name)
{
	const struct server_statements *ss = c->server->statements;

	for (uint32_t i = 0; ss != NULL && i < ss->n; i++) {
		const struct effect *e = &ss->effect[ss->first + i];

		if (e->segment == c->server->answers.segment)
			return false;
		if (e->named != NULL && strcmp(e->named->name, name) == 0)
			return true;
	}
	return false;
}

static bool is_outside_failure(const struct answers *a)
{
	char status = answers_known_status(a);

	return status != 'E' && status != '?';
}

/* PostgreSQL itself says that the name is taken, unless the text is wrong: only so its transaction fails with it. In
   one that has failed it says either that or that the text is wrong, whether it knows the name or not. */
static enum prepared parse_duplicate(struct client *c, struct named *known, struct bytes body, struct str *out)
{
	char status = answers_known_status(&c->server->answers);
	struct statement *st;
	struct named *n;
	struct copy *copy;
	struct effect *e;

	/* if its transaction has failed, a Parse of ours would bring another error than the text may deserve */
	if (status == '?' && usable_copy(c, known->statement) == NULL)
		return PREPARED_FULL;
	st = statement_get(c, body.data, body.len);
	n = st == NULL ? NULL : named_new(st, known->name);
	copy = n == NULL ? NULL : mem_new(struct copy);
	if (copy == NULL || (status != 'E' && !ensure(c, known->statement, out))) {
		if (n == NULL)
			statement_unref(c->worker, st);
		named_unref(c->worker, n);
		mem_free(copy);
		return PREPARED_NO_MEMORY;
	}
	memcpy(copy->key, known->statement->key, KEY_BYTES);
	write_parse(out, known->statement->key, body.data, body.len);
	answers_expect(&c->server->answers, ANSWER_PARSE, ORIGIN_CLIENT, true);
	e = add_effect(c->server, EFFECT_DUPLICATE, NULL, n);
	e->copy = copy;
	named_unref(c->worker, n);
	return PREPARED_REWRITTEN;
}

static enum prepared parse_new(struct client *c, const char *name, struct bytes body, struct str *out)
{
	struct answers *a = &c->server->answers;
	struct statement *st = statement_get(c, body.data, body.len);
	struct named *n = st == NULL ? NULL : named_new(st, name);
	bool prepared = true;

	if (n == NULL) {
		statement_unref(c->worker, st);
		return PREPARED_NO_MEMORY;
	}
	name_add(c, n);
	c->entry.seat->counters.client_parse_count++;
	/* in a failed transaction PostgreSQL refuses it, in others we know that it would not */
	if (usable_copy(c, st) == NULL || !is_outside_failure(a)) {
		prepared = prepare(c, st, n, ORIGIN_CLIENT, out);
	} else {
		evict(c, 0, out);
		answers_expect(a, ANSWER_PARSE, ORIGIN_LOCAL, true);
		(void)add_effect(c->server, EFFECT_NAME, NULL, n);
	}
	if (!prepared)
		name_remove(c, n);
	named_unref(c->worker, n);
	return prepared ? PREPARED_REWRITTEN : PREPARED_NO_MEMORY;
}

/* A whole Parse. One that makes no sense is PostgreSQL's to refuse. */
static enum prepared take_parse(struct client *c, const char *data, size_t len, struct str *out)
{
	char name[NAME_MOST + 1];
	struct reader r;
	struct bytes rest;
	struct named *known;

	reader_init(&r, data + FRAME_HEADER_BYTES, len - FRAME_HEADER_BYTES);
	cut_name(reader_cstring(&r), name);
	rest = reader_rest(&r);
	reader_init(&r, rest.data, rest.len);
	(void)reader_cstring(&r);
	(void)reader_bytes(&r, 4 * (size_t)(uint16_t)reader_i16(&r));
	if (!reader_is_done(&r))
		return PREPARED_PASSES;
	if (must_wait(c, name))
		return PREPARED_FULL;
	if (!reserve(c))
		return PREPARED_NO_MEMORY;
	if (rest.len > PREPARED_CLIENT_MAX - c->statements->bytes)
		return PREPARED_TOO_LARGE;
	known = name_find(c, name);
	return known != NULL ? parse_duplicate(c, known, rest, out) : parse_new(c, name, rest, out);
}

/* What the server does not look at, or takes for an error in the middle of a COPY. */
static bool is_ignored(const struct server *s)
{
	return s->answers.skip || s->answers.copy == COPY_IN;
}

static enum prepared collect(struct client *c, const struct frame *f, struct str *out)
{
	struct client_statements *cs = c->statements;
	struct str *all = &cs->collected;
	enum prepared result;

	str_add(all, f->data, f->len);
	if (all->failed)
		return PREPARED_NO_MEMORY;
	if (!f->ends)
		return PREPARED_COLLECTED;
	if (is_full(c->server))
		result = PREPARED_FULL;
	else
		result = is_ignored(c->server) ? PREPARED_PASSES : take_parse(c, all->data, all->len, out);
	c->collects = result == PREPARED_FULL;
	if (c->collects)
		all->len -= f->len;
	if (result != PREPARED_PASSES)
		return result;
	str_add(out, all->data, all->len);
	return answers_client_sends(&c->server->answers, 'P') ? PREPARED_REWRITTEN : PREPARED_NO_MEMORY;
}

static enum prepared from_parse(struct client *c, const struct frame *f, struct str *out)
{
	if (f->len == FRAME_HEADER_BYTES)
		return f->ends ? PREPARED_PASSES : PREPARED_MORE;
	if (f->data[FRAME_HEADER_BYTES] == '\0')
		return PREPARED_PASSES;
	if (f->ends)
		return take_parse(c, f->data, f->len, out);
	if (f->total <= FRONT_MOST)
		return PREPARED_MORE;
	if (f->total > PREPARED_STATEMENT_MAX)
		return PREPARED_TOO_LARGE;
	if (!client_has_statements(c))
		return PREPARED_NO_MEMORY;
	c->collects = true;
	return collect(c, f, out);
}

/* The frame is shorter than what has to be seen of it. */
static enum prepared front_is_short(const struct frame *f)
{
	return f->ends || f->len > FRONT_MOST ? PREPARED_PASSES : PREPARED_MORE;
}

static enum prepared from_bind(struct client *c, const struct frame *f, struct str *out)
{
	char cut[NAME_MOST + 1];
	struct bytes portal, of;
	struct reader r;
	struct named *n;

	reader_init(&r, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES);
	portal = reader_cstring(&r);
	of = reader_cstring(&r);
	if (r.failed)
		return front_is_short(f);
	if (of.len == 0)
		return PREPARED_PASSES;
	cut_name(of, cut);
	if (must_wait(c, cut))
		return PREPARED_FULL;
	c->entry.seat->counters.bind_count++;
	n = name_find(c, cut);
	if (n == NULL || f->total > (1u << 30))
		return PREPARED_PASSES; /* PostgreSQL says that there is no such statement, or it was made by PREPARE */
	if (!reserve(c) || !ensure(c, n->statement, out))
		return PREPARED_NO_MEMORY;
	write_bind(out, f, n->statement->key, portal, of, reader_rest(&r));
	if (c->guard != NULL && !n->statement->harmless)
		n->statement->harmless = !guard_bound(c, n->statement->body);
	answers_expect(&c->server->answers, ANSWER_BIND, ORIGIN_CLIENT, true);
	(void)add_effect(c->server, EFFECT_USE, n->statement, NULL);
	return PREPARED_REWRITTEN;
}

/* Of 'D' and 'C': the name, if it is one of ours. */
static enum prepared find_of(struct client *c, const struct frame *f, struct named **found)
{
	char cut[NAME_MOST + 1];
	struct bytes name;
	struct reader r;

	if (f->len > FRAME_HEADER_BYTES && f->data[FRAME_HEADER_BYTES] != 'S')
		return PREPARED_PASSES;
	if (!f->ends)
		return front_is_short(f);
	reader_init(&r, f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES);
	(void)reader_u8(&r);
	name = reader_cstring(&r);
	if (!reader_is_done(&r) || name.len == 0)
		return PREPARED_PASSES;
	cut_name(name, cut);
	if (must_wait(c, cut))
		return PREPARED_FULL;
	*found = name_find(c, cut);
	return *found == NULL ? PREPARED_PASSES : PREPARED_REWRITTEN;
}

static enum prepared from_describe(struct client *c, const struct frame *f, struct str *out)
{
	struct named *n = NULL;
	enum prepared result = find_of(c, f, &n);

	if (result != PREPARED_REWRITTEN)
		return result;
	if (!reserve(c) || !ensure(c, n->statement, out))
		return PREPARED_NO_MEMORY;
	write_of_name(out, 'D', n->statement->key);
	answers_expect(&c->server->answers, ANSWER_DESCRIBE, ORIGIN_CLIENT, true);
	(void)add_effect(c->server, EFFECT_USE, n->statement, NULL);
	return PREPARED_REWRITTEN;
}

/* The client forgets; the server keeps it for others. */
static enum prepared from_close(struct client *c, const struct frame *f)
{
	struct named *n = NULL;
	enum prepared result = find_of(c, f, &n);

	if (result != PREPARED_REWRITTEN)
		return result;
	if (!reserve(c))
		return PREPARED_NO_MEMORY;
	answers_expect(&c->server->answers, ANSWER_CLOSE, ORIGIN_LOCAL, true);
	(void)add_effect(c->server, EFFECT_UNNAME, NULL, n);
	name_remove(c, n);
	return PREPARED_REWRITTEN;
}

static void write_query_of(struct str *out, const char *before, const char *key, const char *after)
{
	char name[SERVER_NAME_BYTES];
	size_t at = message_begin(out, 'Q');

	server_name(key, name);
	message_bytes(out, before, strlen(before));
	message_bytes(out, "\"", 1);
	message_bytes(out, name, SERVER_NAME_BYTES - 1);
	message_bytes(out, "\"", 1);
	message_cstring(out, after);
	message_end(out, at);
}

/* So that the server has something of this name to deallocate. */
static void make_victim(struct client *c, const char *key, struct str *out)
{
	struct answers *a = &c->server->answers;

	write_of_name(out, 'C', key);
	answers_expect(a, ANSWER_CLOSE, ORIGIN_OURS, false);
	write_query_of(out, "PREPARE ", key, " AS SELECT");
	answers_expect(a, ANSWER_QUERY, ORIGIN_OURS, false);
}

/* DEALLOCATE of a name, as drivers say it that have no Close: the server does it with its own name. In a failed
   transaction, or where that is not known, PostgreSQL is asked as it is. */
static enum prepared from_query(struct client *c, const struct frame *f, struct str *out)
{
	char name[DEALLOCATE_NAME_MOST + 1];
	struct copy *copy;
	struct named *n;
	struct effect *e;

	if (!f->ends)
		return f->total <= DEALLOCATE_MOST ? PREPARED_MORE : PREPARED_PASSES;
	if (f->len == FRAME_HEADER_BYTES ||
	    !deallocate_name(f->data + FRAME_HEADER_BYTES, f->len - FRAME_HEADER_BYTES - 1, name))
		return PREPARED_PASSES;
	n = name_find(c, name);
	if (n == NULL || c->server->answers.n > 0 || !is_outside_failure(&c->server->answers))
		return PREPARED_PASSES;
	if (!reserve(c))
		return PREPARED_NO_MEMORY;
	copy = copy_find(c->server->statements, n->statement->key);
	if (copy == NULL || copy->knowledge != COPY_CERTAIN)
		make_victim(c, n->statement->key, out);
	write_query_of(out, "DEALLOCATE ", n->statement->key, "");
	answers_expect(&c->server->answers, ANSWER_QUERY, ORIGIN_CLIENT, true);
	e = add_effect(c->server, EFFECT_FORGET, NULL, n);
	e->copy = copy;
	if (copy != NULL)
		copy_take_out(c->server->statements, copy);
	name_remove(c, n);
	return PREPARED_REWRITTEN;
}

bool prepared_follows(const struct client *c)
{
	const struct pool_settings *set = c->entry.seat->settings;

	return c->statements != NULL || (set->mode != POOL_MODE_SESSION && set->global->max_prepared_statements > 0);
}

enum prepared prepared_from_client(struct client *c, const struct frame *f, struct str *out)
{
	if (c->collects)
		return collect(c, f, out);
	if (!f->starts || is_ignored(c->server))
		return PREPARED_PASSES;
	if (is_full(c->server))
		return PREPARED_FULL;
	switch (f->type) {
	case 'P':
		return from_parse(c, f, out);
	case 'B':
		return from_bind(c, f, out);
	case 'D':
		return from_describe(c, f, out);
	case 'C':
		return from_close(c, f);
	case 'Q':
		return from_query(c, f, out);
	default:
		return PREPARED_PASSES;
	}
}

size_t prepared_collected_bytes(const struct client *c)
{
	return c->statements == NULL ? 0 : c->statements->collected.len;
}

void prepared_collected_sent(struct client *c)
{
	if (c->statements != NULL && !c->collects && c->statements->collected.data != NULL)
		str_fini(&c->statements->collected);
}

void prepared_uncollect(struct client *c, size_t len)
{
	if (c->statements == NULL)
		return;
	c->statements->collected.len = len;
	c->collects = len > 0;
}

/* ---- from the server ---- */

bool prepared_error(struct server *s, const char *body, size_t len)
{
	struct server_statements *ss = s->statements;
	struct effect *e;
	struct report r;

	if (!answers_head_is_marked(&s->answers) || !report_parse(&r, body, len))
		return false;
	e = &ss->effect[ss->first];
	if (e->kind == EFFECT_DUPLICATE)
		return bytes_are(r.sqlstate, SQLSTATE_DUPLICATE_STATEMENT);
	/* "cached plan must not change result type" and "prepared statement … does not exist" */
	if (e->kind == EFFECT_USE &&
	    (bytes_are(r.sqlstate, SQLSTATE_NOT_SUPPORTED) || bytes_are(r.sqlstate, SQLSTATE_NO_STATEMENT)))
		copy_doubt(ss, e->statement->key);
	/* somebody has prepared it under our name */
	if (e->kind == EFFECT_PARSE && bytes_are(r.sqlstate, SQLSTATE_DUPLICATE_STATEMENT))
		e->again = true;
	return false;
}

void prepared_note_tag(struct server *s, const char *tag)
{
	if (strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "DEALLOCATE ALL") == 0) {
		if (s->statements != NULL)
			forget_copies(s->statements);
		if (s->client != NULL && s->errand == ERRAND_NONE)
			forget_names(s->client);
		return;
	}
	if (strncmp(tag, "CREATE ", 7) != 0 && strncmp(tag, "ALTER ", 6) != 0 && strncmp(tag, "DROP ", 5) != 0)
		return;
	if (s->client == NULL || s->errand != ERRAND_NONE)
		return;
	atomic_fetch_add(&s->client->entry.database->schema_generation, 1);
	s->ddl = true;
}

void prepared_note_end(struct server *s)
{
	s->ddl = false;
	if (s->client != NULL)
		atomic_fetch_add(&s->client->entry.database->schema_generation, 1);
}

/* ---- counts and ends ---- */

uint32_t prepared_client_count(const struct client *c)
{
	return c->statements == NULL ? 0 : c->statements->names.count;
}

uint32_t prepared_server_count(const struct server *s)
{
	return s->statements == NULL ? 0 : s->statements->by_key.count;
}

void prepared_client_free(struct client *c)
{
	struct client_statements *cs = c->statements;
	struct table_node *node;

	if (cs == NULL)
		return;
	while ((node = table_next(&cs->names, NULL)) != NULL)
		name_remove(c, container_of(node, struct named, node));
	table_fini(&cs->names);
	str_fini(&cs->collected);
	mem_free(cs);
	c->statements = NULL;
}

void prepared_server_free(struct server *s)
{
	struct server_statements *ss = s->statements;
	struct list *node, *after;

	if (ss == NULL)
		return;
	for (uint32_t i = 0; i < ss->n; i++)
		free_effect(s->worker, &ss->effect[ss->first + i]);
	list_each_safe (node, after, &ss->lru)
		copy_forget(ss, container_of(node, struct copy, lru));
	table_fini(&ss->by_key);
	mem_free(ss->effect);
	mem_free(ss);
	s->statements = NULL;
}
