/*
 * A console on a table: real connections, loop, registry and configuration; main is played by a table of functions
 * that write down what is asked, workers by structures whose lists the test fills. All on one thread.
 */
#ifndef TEST_CONSOLE_BENCH_H
#define TEST_CONSOLE_BENCH_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "admin/console.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "configured.h"
#include "net/dns.h"
#include "net/jobs.h"
#include "net/mailbox.h"
#include "net/stream.h"
#include "os/socket.h"
#include "pair.h"
#include "pool/registry.h"
#include "until.h"
#include "wire/message.h"
#include "worker/client.h"
#include "worker/waiting.h"
#include "worker/worker.h"
#include <cmocka.h>

#define BENCH_WORKERS 2
#define BENCH_STORY (8u << 20)

/* Main, as far as the console sees it. */
struct bench {
	struct loop *loop;
	struct log *log;
	struct mailbox *box;
	struct jobs *jobs;
	struct dns *dns;
	struct office *office;
	struct config *conf;
	struct worker worker[BENCH_WORKERS];
	struct control control;
	struct console *console;
	bool paused, shutting_down;

	/* what was asked of main last: "pause app", and who waits for its end */
	char asked[600];
	control_done *done;
	void *asker;
	unsigned n_forgotten, n_canceled;

	/* visits wait while this is set */
	bool hold_visits;
	int n_visits; /* that have come back */
	struct letters held;
};

/* One connection's other end. */
struct bench_client {
	struct bench *b;
	int fd;
	struct str got;
	bool ended;
	char story[4 << 20];
};

static inline struct bench *bench_of(struct supervisor *s)
{
	return (struct bench *)(void *)s;
}

static inline void bench_note(struct supervisor *s, const char *what, const char *first, const char *second,
                              control_done *done, void *asker)
{
	struct bench *b = bench_of(s);

	snprintf(b->asked, sizeof(b->asked), "%s%s%s%s%s", what, first == NULL ? "" : " ", first == NULL ? "" : first,
	         second == NULL ? "" : " ", second == NULL ? "" : second);
	b->done = done;
	b->asker = asker;
}

#define BENCH_DATABASE_ACTION(name)                                                                                    \
	static inline void bench_##name(struct supervisor *s, const char *database, control_done *done, void *asker)   \
	{                                                                                                              \
		bench_note(s, #name, database, NULL, done, asker);                                                     \
	}
BENCH_DATABASE_ACTION(pause)
BENCH_DATABASE_ACTION(resume)
BENCH_DATABASE_ACTION(disable)
BENCH_DATABASE_ACTION(enable)
BENCH_DATABASE_ACTION(reconnect)
BENCH_DATABASE_ACTION(kill)
BENCH_DATABASE_ACTION(wait_close)

/* Requests were passed on to peers of even id. */
static inline bool bench_peer_counts(struct supervisor *s, int id, struct peer_counts *counts)
{
	(void)s;
	*counts = (struct peer_counts){.waiting = 3, .connecting = 2, .active = 7};
	return id % 2 == 0;
}

static inline void bench_reload(struct supervisor *s, control_done *done, void *asker)
{
	bench_note(s, "reload", NULL, NULL, done, asker);
}

static inline void bench_set(struct supervisor *s, const char *name, const char *value, control_done *done, void *asker)
{
	bench_note(s, "set", name, value, done, asker);
}

static inline void bench_kill_client(struct supervisor *s, uint64_t id, control_done *done, void *asker)
{
	char text[24];

	snprintf(text, sizeof(text), "%llu", (unsigned long long)id);
	bench_note(s, "kill_client", text, NULL, done, asker);
}

static inline void bench_shutdown(struct supervisor *s, enum shutdown_mode mode, control_done *done, void *asker)
{
	static const char *const words[] = {"now", "servers", "clients"};

	bench_note(s, "shutdown", words[mode], NULL, done, asker);
}

static inline void bench_forget(struct supervisor *s, void *asker, bool canceled)
{
	struct bench *b = bench_of(s);

	assert_ptr_equal(asker, b->asker);
	b->asker = NULL;
	b->done = NULL;
	b->n_forgotten++;
	b->n_canceled += canceled;
}

static inline const struct config *bench_conf(struct supervisor *s)
{
	return bench_of(s)->conf;
}

static inline bool bench_is_paused(struct supervisor *s)
{
	return bench_of(s)->paused;
}

static inline bool bench_is_shutting_down(struct supervisor *s)
{
	return bench_of(s)->shutting_down;
}

/* The workers' and main's mailbox in one. */
static inline void bench_letter(void *owner, struct letter *letter)
{
	struct bench *b = (struct bench *)owner;
	struct visit *v = container_of(letter, struct visit, letter);

	if (letter->kind != LETTER_VISIT) {
		dns_read(b->dns, letter);
		return;
	}
	if (b->hold_visits) {
		letters_add(&b->held, letter);
		return;
	}
	if (letter->to == TO_MAIN) {
		b->n_visits++;
		visit_arrived(v);
		return;
	}
	v->run(v, &b->worker[letter->to]);
	letter->to = letter->to + 1 < BENCH_WORKERS ? (uint16_t)(letter->to + 1) : TO_MAIN;
	office_post(b->office, letter);
}

static inline void bench_release_visits(struct bench *b)
{
	b->hold_visits = false;
	office_post_all(b->office, &b->held);
}

static inline void bench_worker(struct bench *b, uint16_t number)
{
	struct worker *w = &b->worker[number];

	w->office = b->office;
	w->number = number;
	w->loop = b->loop;
	w->config = b->conf;
	list_init(&w->clients);
	list_init(&w->logins);
	list_init(&w->servers);
}

/* `text` is the configuration file, `users` the user list (may be NULL). */
static inline void bench_begin(struct bench *b, const char *text, const char *users)
{
	struct control *c = &b->control;
	struct dns_times times = {US_PER_S, US_PER_S, US_PER_S, 0};

	memset(b, 0, sizeof(*b));
	letters_init(&b->held);
	b->conf = configured(text, users);
	b->loop = loop_new();
	b->log = log_new();
	assert_true(b->loop != NULL && b->log != NULL);
	log_set_stderr(b->log, false);
	b->box = mailbox_new(b->loop, bench_letter, b);
	b->jobs = jobs_new(1);
	b->dns = dns_new(b->loop, b->jobs, b->box, LETTER_LOOKUP, &times, NULL);
	b->office = mem_new(struct office);
	assert_true(b->box != NULL && b->jobs != NULL && b->dns != NULL && b->office != NULL);
	b->office->log = b->log;
	b->office->registry = registry_new(BENCH_WORKERS, 1);
	b->office->main_box = b->box;
	b->office->n_workers = BENCH_WORKERS;
	for (uint16_t i = 0; i < BENCH_WORKERS; i++) {
		b->office->worker_box[i] = b->box;
		bench_worker(b, i);
	}
	*c = (struct control){.self = (struct supervisor *)(void *)b,
	                      .office = b->office,
	                      .opener = opener_new(b->office->registry, b->log, b->conf, 1),
	                      .dns = b->dns,
	                      .loop = b->loop,
	                      .config = bench_conf,
	                      .is_paused = bench_is_paused,
	                      .is_shutting_down = bench_is_shutting_down,
	                      .is_draining = bench_is_shutting_down,
	                      .peer_counts = bench_peer_counts,
	                      .reload = bench_reload,
	                      .set = bench_set,
	                      .pause = bench_pause,
	                      .resume = bench_resume,
	                      .disable = bench_disable,
	                      .enable = bench_enable,
	                      .reconnect = bench_reconnect,
	                      .kill = bench_kill,
	                      .kill_client = bench_kill_client,
	                      .wait_close = bench_wait_close,
	                      .shutdown = bench_shutdown,
	                      .forget = bench_forget};
	assert_non_null(c->opener);
	b->console = console_new(c);
	assert_non_null(b->console);
}

/* A client that waits in its pool's queue, on its seat's worker. */
static inline void bench_waiting_client(struct bench *b, struct client *c, const struct entry *entry, uint64_t id)
{
	struct outage *outage = NULL;
	struct place *place = NULL;
	struct letters out;

	memset(c, 0, sizeof(*c));
	c->entry = *entry;
	c->worker = &b->worker[entry->seat->worker];
	c->state = CLIENT_QUEUED;
	c->waiter.id = id;
	list_init(&c->on_worker);
	list_init(&c->waiter.node);
	list_add_tail(&c->worker->clients, &c->on_worker);
	letters_init(&out);
	assert_int_equal(pool_borrow(entry->seat, &c->waiter, loop_now_us(b->loop), &place, &outage, &out),
	                 BORROW_WAITS);
	pool_want_read(entry->seat->pool); /* nobody reads it here */
}

static inline void bench_waiting_client_leaves(struct client *c)
{
	list_remove(&c->on_worker);
	pool_leave(c->entry.seat, &c->waiter);
}

static inline void bench_finish(struct bench *b)
{
	for (uint16_t i = 0; i < BENCH_WORKERS; i++)
		waiting_forget(&b->worker[i]);
	console_free(b->console);
	dns_free(b->dns);
	jobs_free(b->jobs);
	opener_free(b->control.opener);
	registry_free(b->office->registry);
	mailbox_free(b->box);
	mem_free(b->office);
	loop_free(b->loop);
	log_free(b->log);
	config_unref(b->conf);
}

/* ---- connections ---- */

static inline struct bench_client *bench_connect_raw(struct bench *b, enum console_rights rights, const char *user,
                                                     uint64_t id)
{
	struct bench_client *c = (struct bench_client *)calloc(1, sizeof(*c));
	struct console_guest *g = mem_new(struct console_guest);
	static const struct peer nobody = {.family = 1};
	int fd[2];

	assert_non_null(c);
	assert_non_null(g);
	assert_true(pair_make(fd));
	c->b = b;
	c->fd = fd[1];
	str_init(&c->got, BENCH_STORY);
	g->stream = stream_adopt(fd[0], &nobody);
	g->user = mem_copy_str(user);
	g->database = mem_copy_str("pgbouncer");
	g->application_name = mem_copy_str("bench");
	g->rights = rights;
	g->id = id;
	g->connected_us = loop_now_us(b->loop);
	memcpy(g->key, "keyof", 5);
	g->key[7] = (uint8_t)id;
	assert_true(g->stream != NULL && g->user != NULL && g->database != NULL && g->application_name != NULL);
	console_welcome(b->console, g);
	return c;
}

static inline void bench_disconnect(struct bench_client *c)
{
	if (c->fd >= 0)
		socket_close(c->fd);
	str_fini(&c->got);
	free(c);
}

static inline void bench_send(struct bench_client *c, const void *bytes, size_t len)
{
	if (len > 0)
		assert_int_equal(pair_send(c->fd, bytes, len), (ssize_t)len);
}

static inline void bench_message(struct str *out, char type, const void *body, size_t len)
{
	size_t m = message_begin(out, type);

	message_bytes(out, body, len);
	message_end(out, m);
}

static inline void bench_query(struct bench_client *c, const char *sql)
{
	struct str out;

	str_init(&out, 1 << 20);
	bench_message(&out, 'Q', sql, strlen(sql) + 1);
	bench_send(c, out.data, out.len);
	str_fini(&out);
}

static inline void bench_take(struct bench_client *c)
{
	char buf[65536];
	ssize_t n;

	while ((n = pair_receive(c->fd, buf, sizeof(buf))) > 0)
		str_add(&c->got, buf, (size_t)n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		c->ended = true;
}

static inline uint32_t bench_length(const char *at)
{
	const unsigned char *u = (const unsigned char *)at;

	return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* Bytes up to the end of the first ReadyForQuery, 0: it is not there yet. */
static inline size_t bench_ready(const struct bench_client *c)
{
	size_t at = 0;

	while (at + 5 <= c->got.len) {
		size_t total = bench_length(c->got.data + at + 1) + 1;

		if (at + total > c->got.len)
			return 0;
		if (c->got.data[at] == 'Z')
			return at + total;
		at += total;
	}
	return 0;
}

static inline bool bench_has_answer(void *arg)
{
	struct bench_client *c = (struct bench_client *)arg;

	bench_take(c);
	return c->ended || bench_ready(c) > 0;
}

static inline bool bench_has_ended(void *arg)
{
	struct bench_client *c = (struct bench_client *)arg;

	bench_take(c);
	return c->ended;
}

/* ---- messages as text ---- */

static inline void bench_tell_fields(struct str *s, const char *at, const char *end)
{
	char severity[16] = "", code[8] = "", text[4096] = "", detail[4096] = "";

	while (at < end && *at != '\0') {
		char field = *at++;

		if (field == 'S')
			snprintf(severity, sizeof(severity), "%s", at);
		if (field == 'C')
			snprintf(code, sizeof(code), "%s", at);
		if (field == 'M')
			snprintf(text, sizeof(text), "%s", at);
		if (field == 'D')
			snprintf(detail, sizeof(detail), "%s", at);
		at += strlen(at) + 1;
	}
	str_printf(s, "(%s %s %s%s%s)", severity, code, text, detail[0] == '\0' ? "" : " | ", detail);
}

static inline void bench_tell_row(struct str *s, const char *at)
{
	unsigned n = (unsigned char)at[0] * 256u + (unsigned char)at[1];

	at += 2;
	str_add_char(s, '(');
	for (unsigned i = 0; i < n; i++) {
		uint32_t len = bench_length(at);

		str_add_str(s, i == 0 ? "" : ",");
		at += 4;
		if (len == UINT32_MAX) {
			str_add_str(s, "NULL");
			continue;
		}
		str_add(s, at, len);
		at += len;
	}
	str_add_char(s, ')');
}

/* Names with the first letter of their type: t text, i int4, q int8, n numeric. */
static inline void bench_tell_columns(struct str *s, const char *at)
{
	unsigned n = (unsigned char)at[0] * 256u + (unsigned char)at[1];

	at += 2;
	str_add_char(s, '(');
	for (unsigned i = 0; i < n; i++) {
		const char *name = at;
		uint32_t oid;

		at += strlen(at) + 1;
		oid = bench_length(at + 6);
		str_printf(s, "%s%s:%s", i == 0 ? "" : " ", name,
		           oid == 25     ? "t"
		           : oid == 23   ? "i"
		           : oid == 20   ? "q"
		           : oid == 1700 ? "n"
		                         : "?");
		at += 18;
	}
	str_add_char(s, ')');
}

static inline void bench_tell(struct str *s, const char *message)
{
	uint32_t len = bench_length(message + 1);
	const char *body = message + 5;

	str_printf(s, "%s%c", s->len == 0 ? "" : " ", message[0]);
	if (message[0] == 'E' || message[0] == 'N')
		bench_tell_fields(s, body, message + 1 + len);
	else if (message[0] == 'D')
		bench_tell_row(s, body);
	else if (message[0] == 'T')
		bench_tell_columns(s, body);
	else if (message[0] == 'S')
		str_printf(s, "(%s=%s)", body, body + strlen(body) + 1);
	else if (message[0] == 'C')
		str_printf(s, "(%s)", body);
}

/* Everything in the first `len` bytes received, as text; they are taken off. */
static inline const char *bench_story(struct bench_client *c, size_t len)
{
	struct str s;

	str_init(&s, sizeof(c->story) - 1);
	for (size_t at = 0; at + 5 <= len; at += bench_length(c->got.data + at + 1) + 1)
		bench_tell(&s, c->got.data + at);
	assert_false(s.failed);
	memcpy(c->story, str_text(&s), s.len + 1);
	str_fini(&s);
	str_cut_front(&c->got, len);
	return c->story;
}

/* Waits for the next ReadyForQuery or the end. */
static inline const char *bench_answer(struct bench_client *c)
{
	size_t len;

	assert_true(run_until(c->b->loop, bench_has_answer, c));
	len = bench_ready(c);
	return bench_story(c, len > 0 ? len : c->got.len);
}

/* Everything up to the end of the connection. */
static inline const char *bench_rest(struct bench_client *c)
{
	assert_true(run_until(c->b->loop, bench_has_ended, c));
	return bench_story(c, c->got.len);
}

static inline const char *bench_ask(struct bench_client *c, const char *sql)
{
	bench_query(c, sql);
	return bench_answer(c);
}

/* Nothing has come after everything that is ready has been done. */
static inline bool bench_is_silent(struct bench_client *c)
{
	run_turns(c->b->loop, 20);
	bench_take(c);
	return c->got.len == 0 && !c->ended;
}

static inline struct bench_client *bench_connect(struct bench *b, enum console_rights rights)
{
	struct bench_client *c = bench_connect_raw(b, rights, rights == CONSOLE_ADMIN ? "admin" : "stats", 7);

	(void)bench_answer(c);
	return c;
}

/* Main is asked: waits for it. */
static inline bool bench_was_asked(void *arg)
{
	return ((struct bench *)arg)->done != NULL;
}

static inline const char *bench_asked(struct bench *b)
{
	assert_true(run_until(b->loop, bench_was_asked, b));
	return b->asked;
}

static inline void bench_reply(struct bench *b, const struct control_reply *reply)
{
	control_done *done = b->done;
	void *asker = b->asker;

	assert_non_null(done);
	b->done = NULL;
	b->asker = NULL;
	done(asker, reply);
}

static inline void bench_reply_ok(struct bench *b)
{
	const struct control_reply reply = {.ok = true};

	bench_reply(b, &reply);
}

#endif
