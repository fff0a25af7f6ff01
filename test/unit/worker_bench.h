/*
 * One worker with everything around it, on one thread: main is a loop with an opener, clients and PostgreSQL are this
 * test's ends of sockets. Key derivations are done at once. What one side sends can be cut in two at any byte.
 */
#ifndef TEST_WORKER_BENCH_H
#define TEST_WORKER_BENCH_H

#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth/context.h"
#include "auth/md5.h"
#include "auth/scram.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "configured.h"
#include "net/jobs.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/stream.h"
#include "pair.h"
#include "pool/opener.h"
#include "wire/message.h"
#include "worker/cancel.h"
#include "worker/client.h"
#include "worker/console_guest.h"
#include "worker/params.h"
#include "worker/server.h"
#include "worker/worker.h"
#include <cmocka.h>

#define BENCH_STORY (4u << 20)
#define BENCH_SIDES 6
#define NO_CUT SIZE_MAX

/* The test's end of a connection. */
struct side {
	int fd; /* −1: none */
	bool is_server, ended;
	bool deaf;        /* does not read */
	size_t sent, cut; /* what is sent is cut in two at that byte */
	struct str got;
};

struct bench {
	struct log *log;
	struct config *conf;
	struct office *office;
	struct loop *loop; /* main's */
	struct mailbox *box;
	struct timer *stop, *worker_stop;
	struct opener *opener;
	struct letters out;
	struct worker *w;
	struct stream *mark; /* NULL: what was sent has come; see bench_hear */
	int mark_fd;
	struct console_guest *guest;
	unsigned n_cancels_lost; /* cancel requests that no worker knew */
	int listening;
	struct address at;      /* where PostgreSQL is */
	struct address second;  /* tried when `at` fails; len 0: there is none */
	struct failure failure; /* of the last permit that came back with one */
	struct side side[BENCH_SIDES];
	size_t client_cut, server_cut; /* for sides to come */
};

/* ---- helper threads: none ---- */

struct jobs {
	int none;
};

struct jobs *jobs_new(int n_threads)
{
	static struct jobs all;

	(void)n_threads;
	return &all;
}

void jobs_free(struct jobs *j)
{
	(void)j;
}

void jobs_run(struct jobs *j, struct job *job)
{
	(void)j;
	job->work(job);
	job->done = true;
	mailbox_post(job->reply_to, &job->letter);
}

bool jobs_abandon(struct jobs *j, struct job *job)
{
	(void)j;
	(void)job;
	return false;
}

/* ---- main ---- */

static inline uint64_t bench_now(const struct bench *b)
{
	return loop_now_us(b->loop);
}

/* Tests that make allocations fail say so for what the pooler does, not for the test itself. */
static inline void bench_spare(bool spare)
{
#ifdef FAILING_MEM_H
	mem_spared = spare;
#else
	(void)spare;
#endif
}

static inline void bench_note_failure(struct bench *b, const struct permit *permit)
{
	const struct failure *why =
	    permit->n_failed == 0 ? &permit->failure : &permit->failed[permit->n_failed - 1].failure;

	if (!failure_is_set(why))
		return;
	bench_spare(true);
	failure_copy(&b->failure, why);
	bench_spare(false);
}

static inline void bench_read(void *owner, struct letter *letter)
{
	struct bench *b = (struct bench *)owner;

	switch (letter->kind) {
	case LETTER_WANT:
		pool_want_read(container_of(letter, struct pool, want));
		opener_consider(b->opener, container_of(letter, struct pool, want), bench_now(b), &b->out);
		break;
	case LETTER_NEWS:
		bench_note_failure(b, container_of(letter, struct permit, letter));
		opener_news(b->opener, container_of(letter, struct permit, letter), bench_now(b), &b->out);
		break;
	case LETTER_VISIT:
		visit_arrived(container_of(letter, struct visit, letter));
		break;
	case LETTER_CONSOLE:
		b->guest = container_of(letter, struct console_guest, letter);
		break;
	case LETTER_CANCEL:
		b->n_cancels_lost++;
		cancel_end(b->office, cancel_of(letter));
		break;
	default:
		fail_msg("letter %u is not for main", letter->kind);
	}
}

static inline bool bench_turn(void *owner)
{
	struct bench *b = (struct bench *)owner;
	struct permit *permit;

	if (opener_next_us(b->opener) <= bench_now(b))
		opener_tick(b->opener, bench_now(b), &b->out);
	while ((permit = opener_take_unresolved(b->opener)) != NULL) {
		permit->target[0].host = "db";
		permit->target[0].address = b->at;
		permit->n_targets = 1;
		if (b->second.len > 0) {
			permit->target[1].host = "db";
			permit->target[1].address = b->second;
			permit->n_targets = 2;
		}
		opener_resolved(b->opener, permit, bench_now(b), &b->out);
	}
	office_post_all(b->office, &b->out);
	return false;
}

static inline void bench_stop(void *owner)
{
	loop_stop((struct loop *)owner);
}

/* One turn of a loop that does not sleep. */
static inline void bench_step(struct loop *l, struct timer *stop)
{
	timer_set(stop, 0);
	bench_spare(false);
	loop_run(l);
	bench_spare(true);
}

static inline void bench_mark_came(void *owner, enum stream_event event)
{
	struct bench *b = (struct bench *)owner;
	struct failure why;
	struct span span;

	(void)event;
	failure_init(&why);
	if (stream_read(b->mark, 1, &span, &why) == READ_GOT)
		loop_stop(b->w->loop);
	failure_fini(&why);
}

static inline void bench_watch_worker(struct bench *b)
{
	static const struct peer nobody;
	int fd[2];

	b->worker_stop = timer_new(b->w->loop, bench_stop, b->w->loop);
	assert_non_null(b->worker_stop);
	b->mark = NULL;
	if (pair_is_unix())
		return;
	assert_true(pair_make(fd));
	b->mark_fd = fd[1];
	b->mark = stream_adopt(fd[0], &nobody);
	assert_non_null(b->mark);
	assert_true(stream_join(b->mark, b->w->loop, bench_mark_came, b));
}

static inline void bench_leave_worker(struct bench *b)
{
	timer_free(b->worker_stop);
	if (b->mark == NULL)
		return;
	stream_close(b->mark);
	socket_close(b->mark_fd);
}

/* What was sent comes to the worker. Between sockets that are not Unix' it takes its time: there the worker turns until
 * a byte has come that was sent behind all others, and then another one: the first may overtake those of a socket that
 * is not watched before the worker turns. */
static inline void bench_hear(struct bench *b)
{
	if (b->mark == NULL)
		return;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pair_send(b->mark_fd, "!", 1), 1);
		bench_spare(false);
		loop_run(b->w->loop);
		bench_spare(true);
	}
}

/* ---- sides ---- */

static inline void side_read(struct side *s)
{
	char buf[16384];
	ssize_t n;

	if (s->deaf)
		return;
	while (s->fd >= 0 && !s->ended && (n = pair_receive(s->fd, buf, sizeof(buf))) != -1)
		if (n == 0)
			s->ended = true;
		else
			str_add(&s->got, buf, (size_t)n);
	if (s->fd >= 0 && !s->ended && errno != EAGAIN && errno != EINTR)
		s->ended = true;
}

/* Lets everything happen that can when nothing was sent. */
static inline void bench_rest(struct bench *b)
{
	for (int i = 0; i < 6; i++) {
		bench_step(b->w->loop, b->worker_stop);
		bench_step(b->loop, b->stop);
	}
	for (int i = 0; i < BENCH_SIDES; i++)
		side_read(&b->side[i]);
}

/* Lets everything happen that can. */
static inline void bench_settle(struct bench *b)
{
	bench_hear(b);
	bench_rest(b);
}

static inline void side_write(struct bench *b, struct side *s, const char *data, size_t len)
{
	while (len > 0 && s->fd >= 0) {
		ssize_t n = pair_send(s->fd, data, len);

		if (n < 0 && errno != EAGAIN && errno != EINTR)
			break; /* it has been closed */
		if (n < 0) {
			bench_settle(b);
			continue;
		}
		data += n;
		len -= (size_t)n;
	}
	bench_settle(b);
}

static inline void side_send(struct bench *b, struct side *s, const char *data, size_t len)
{
	size_t first = s->cut - s->sent;

	if (s->sent < s->cut && first < len) {
		side_write(b, s, data, first);
		side_write(b, s, data + first, len - first);
	} else {
		side_write(b, s, data, len);
	}
	s->sent += len;
}

/* Sends what was built, and empties it. */
static inline void side_say(struct bench *b, struct side *s, struct str *out)
{
	assert_false(out->failed);
	side_send(b, s, str_text(out), out->len);
	str_clear(out);
}

static inline void side_close(struct bench *b, struct side *s)
{
	if (s->fd >= 0)
		socket_close(s->fd);
	s->fd = -1;
	s->ended = true;
	bench_settle(b);
}

static inline struct side *bench_side(struct bench *b, int fd, bool is_server)
{
	for (int i = 0; i < BENCH_SIDES; i++) {
		struct side *s = &b->side[i];

		if (s->fd >= 0 || s->ended)
			continue;
		s->fd = fd;
		s->is_server = is_server;
		s->cut = is_server ? b->server_cut : b->client_cut;
		return s;
	}
	fail_msg("too many connections");
	return NULL;
}

/* A client connects from there. NULL: out of memory. */
static inline struct side *bench_client_from(struct bench *b, const struct peer *peer)
{
	struct stream *stream;
	struct client *c;
	int fd[2];

	assert_true(pair_make(fd));
	bench_spare(false);
	stream = stream_adopt(fd[0], peer);
	c = stream == NULL ? NULL : client_new(b->office, stream);
	bench_spare(true);
	if (c == NULL) {
		socket_close(fd[1]);
		return NULL;
	}
	c->letter.to = 0;
	office_count_client(b->office, 0);
	office_post(b->office, &c->letter);
	bench_settle(b);
	return bench_side(b, fd[1], false);
}

static inline struct side *bench_client(struct bench *b)
{
	static const struct peer peer = {.family = 4, .port = 5555, .bytes = {127, 0, 0, 1}};

	return bench_client_from(b, &peer);
}

/* The connection that the worker has made to PostgreSQL; NULL: none. */
static inline struct side *bench_server(struct bench *b)
{
	struct peer peer;
	struct side *s;
	int fd;

	bench_settle(b);
	fd = socket_accept(b->listening, &peer);
	if (fd < 0)
		return NULL;
	s = bench_side(b, fd, true);
	bench_settle(b);
	return s;
}

/* The body of the last whole message of this type that came; NULL: none has. */
static inline const char *side_last(const struct side *s, char type, size_t *len)
{
	const char *at = str_text(&s->got), *end = at + s->got.len, *found = NULL;
	struct reader r;

	*len = 0;
	if (s->is_server && s->got.len >= 8) {
		reader_init(&r, at, 4);
		at += reader_u32(&r);
	}
	while (end - at >= 5) {
		size_t total;

		reader_init(&r, at + 1, 4);
		total = reader_u32(&r) + 1u;
		if (total < 5 || (size_t)(end - at) < total)
			break;
		if (*at == type) {
			found = at + 5;
			*len = total - 5;
		}
		at += total;
	}
	return found;
}

/* ---- stories ---- */

static inline void story_bytes(struct str *story, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (isprint((unsigned char)data[i]))
			str_add_char(story, data[i]);
		else
			str_printf(story, "\\%02x", (unsigned char)data[i]);
}

/* Texts of ours hold times: numbers are left out. */
static inline void story_words(struct str *story, const char *body, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isdigit((unsigned char)body[i]))
			story_bytes(story, body + i, 1);
		else if (i == 0 || !isdigit((unsigned char)body[i - 1]))
			str_add_char(story, '#');
}

/* What random bytes went into is left out: keys, salts, nonces, proofs. */
static inline void story_message(struct str *story, const struct side *s, char type, const char *body, size_t len)
{
	str_printf(story, "%c ", type);
	if (!s->is_server && type == 'R' && len >= 4) {
		story_bytes(story, body, 4);
		if (body[3] == 10)
			story_bytes(story, body + 4, len - 4);
	} else if (!s->is_server && type == 'E') {
		story_words(story, body, len);
	} else if (type != 'K' && type != 'p') {
		story_bytes(story, body, len);
	}
	str_add_char(story, '\n');
}

static inline void story_of_side(struct str *story, const struct side *s)
{
	const char *at = str_text(&s->got), *end = at + s->got.len;
	struct reader r;

	if (s->is_server && s->got.len >= 8) {
		size_t len;

		reader_init(&r, at, 4);
		len = reader_u32(&r);
		len = len > s->got.len ? s->got.len : len;
		story_bytes(story, at, len);
		str_add_char(story, '\n');
		at += len;
	}
	while (end - at >= 5) {
		size_t total;

		reader_init(&r, at + 1, 4);
		total = reader_u32(&r) + 1u;
		if (total < 5 || (size_t)(end - at) < total)
			break;
		story_message(story, s, *at, at + 5, total - 5);
		at += total;
	}
	story_bytes(story, at, (size_t)(end - at));
	str_add_str(story, s->ended ? "end\n" : "open\n");
}

/* What every side saw, in the order in which they connected. */
static inline void bench_story(struct bench *b, struct str *story)
{
	for (int i = 0; i < BENCH_SIDES; i++) {
		if (b->side[i].fd < 0 && !b->side[i].ended)
			continue;
		str_printf(story, "%s %d:\n", b->side[i].is_server ? "server" : "client", i);
		story_of_side(story, &b->side[i]);
	}
}

/* ---- beginning and end ---- */

static inline struct config *bench_conf(const char *globals)
{
	char text[2000];

	snprintf(text, sizeof(text),
	         "[databases]\napp = host=127.0.0.1\n[pgbouncer]\nauth_file=users.txt\nadmin_users=ann\n"
	         "scram_iterations=2\nlog_connections=0\nlog_disconnections=0\nlog_pooler_errors=0\n%s\n",
	         globals);
	return configured(text, "\"ann\" \"pencil\"\n\"trusty\" \"\"\n");
}

static inline void bench_listen(struct bench *b)
{
	b->listening = pair_listen(&b->at);
	assert_true(b->listening >= 0);
}

static inline void bench_init(struct bench *b, const char *globals)
{
	static const uint8_t mock_key[MOCK_KEY_BYTES] = {1};

	memset(b, 0, sizeof(*b));
	b->client_cut = b->server_cut = NO_CUT;
	failure_init(&b->failure);
	for (int i = 0; i < BENCH_SIDES; i++) {
		b->side[i].fd = -1;
		str_init(&b->side[i].got, BENCH_STORY);
	}
	b->log = log_new();
	b->conf = bench_conf(globals);
	b->loop = loop_new();
	assert_non_null(b->loop);
	assert_non_null(b->log);
	log_set_stderr(b->log, false);
	loop_set_turn(b->loop, bench_turn, b);
	b->box = mailbox_new(b->loop, bench_read, b);
	b->stop = timer_new(b->loop, bench_stop, b->loop);
	letters_init(&b->out);
	b->office = mem_new(struct office);
	assert_non_null(b->office);
	b->office->log = b->log;
	b->office->main_box = b->box;
	b->office->n_workers = 1;
	b->office->registry = registry_new(1, 1);
	b->office->params = params_book_new(2);
	b->office->auth = auth_context_new(mock_key);
	b->office->jobs = jobs_new(1);
	b->opener = opener_new(b->office->registry, b->log, b->conf, 3);
	b->w = worker_new(b->office, 0, b->conf);
	assert_non_null(b->opener);
	assert_non_null(b->w);
	bench_watch_worker(b);
	bench_listen(b);
}

static inline void bench_forget_pool(void *arg, struct pool *p)
{
	opener_forget((struct opener *)arg, p);
}

static inline void bench_fini(struct bench *b)
{
	struct letters letters;

	for (int i = 0; i < BENCH_SIDES; i++)
		side_close(b, &b->side[i]);
	socket_close(b->listening);
	letters_init(&letters);
	registry_close(b->office->registry, &letters);
	office_post_all(b->office, &letters);
	bench_settle(b);
	console_guest_free(b->guest);
	bench_leave_worker(b);
	worker_free(b->w);
	bench_step(b->loop, b->stop); /* the last permits come back */
	registry_each_pool(b->office->registry, NULL, bench_forget_pool, b->opener);
	opener_free(b->opener);
	registry_free(b->office->registry);
	params_book_free(b->office->params);
	auth_context_free(b->office->auth);
	mem_free(b->office);
	failure_fini(&b->failure);
	mailbox_free(b->box);
	timer_free(b->stop);
	loop_free(b->loop);
	config_unref(b->conf);
	log_free(b->log);
	for (int i = 0; i < BENCH_SIDES; i++)
		str_fini(&b->side[i].got);
}

/* ---- PostgreSQL's and the client's part of a login ---- */

static inline void say_startup(struct bench *b, struct side *s, const char *user, const char *database)
{
	struct str out;
	size_t at;

	str_init(&out, 65536);
	at = message_startup_begin(&out, PROTOCOL_3_0);
	message_startup_param(&out, "user", user);
	message_startup_param(&out, "database", database);
	message_startup_param(&out, "application_name", "test");
	message_startup_end(&out, at);
	side_say(b, s, &out);
	str_fini(&out);
}

/* Everything behind the proof. */
static inline void say_welcome(struct bench *b, struct side *s)
{
	struct str out;

	str_init(&out, 65536);
	message_auth_ok(&out);
	message_parameter_status(&out, "application_name", "");
	message_parameter_status(&out, "client_encoding", "UTF8");
	message_parameter_status(&out, "DateStyle", "ISO, MDY");
	message_parameter_status(&out, "server_version", "15.5");
	message_parameter_status(&out, "TimeZone", "UTC");
	message_backend_key(&out, 77, "\1\2\3\4", 4);
	message_ready(&out, 'I');
	side_say(b, s, &out);
	str_fini(&out);
}

static inline void say_password(struct bench *b, struct side *s, const char *text, size_t len)
{
	struct str out;

	str_init(&out, 65536);
	message_password(&out, text, len);
	side_say(b, s, &out);
	str_fini(&out);
}

/* Answers AuthenticationMD5Password, if that was asked. */
static inline void prove_md5(struct bench *b, struct side *s, const char *user, const char *password)
{
	char hash[MD5_SECRET_BYTES + 1], answer[36] = "md5";
	size_t len;
	const char *body = side_last(s, 'R', &len);

	if (body == NULL || len != 8 || body[3] != AUTH_MD5)
		return;
	assert_true(md5_secret(b->office->auth, user, password, strlen(password), hash));
	assert_true(auth_md5_hex(b->office->auth, hash + 3, 32, body + 4, 4, answer + 3));
	say_password(b, s, answer, 35);
}

/* Goes through SCRAM as a client does, as far as the other side goes along. */
static inline void prove_scram(struct bench *b, struct side *s, const char *password)
{
	static const uint8_t nonce[SCRAM_NONCE_BYTES] = {5};
	struct scram_client sc;
	struct scram_salt salt;
	struct scram_keys keys;
	struct str text, out;
	size_t len;
	const char *body = side_last(s, 'R', &len);

	if (body == NULL || body[3] != AUTH_SASL)
		return;
	scram_client_init(&sc);
	str_init(&text, 4096);
	str_init(&out, 4096);
	if (scram_client_first(&sc, nonce, &text) != SCRAM_GOOD || text.failed)
		goto end;
	message_sasl_initial(&out, SCRAM_MECHANISM, str_text(&text), text.len);
	side_say(b, s, &out);
	body = side_last(s, 'R', &len);
	if (body == NULL || body[3] != AUTH_SASL_CONTINUE ||
	    scram_client_read_first(&sc, body + 4, len - 4, &salt) != SCRAM_GOOD ||
	    !scram_derive(b->office->auth, password, strlen(password), &salt, &keys))
		goto end;
	str_clear(&text);
	if (scram_client_final(&sc, b->office->auth, &keys, &text) != SCRAM_GOOD || text.failed)
		goto end;
	message_sasl_response(&out, str_text(&text), text.len);
	side_say(b, s, &out);
end:
	str_fini(&out);
	str_fini(&text);
	scram_client_fini(&sc);
}

/* Asks for SCRAM as PostgreSQL does; true if the proof is right. */
static inline bool ask_scram(struct bench *b, struct side *s, const char *password)
{
	static const uint8_t nonce[SCRAM_NONCE_BYTES] = {6};
	struct scram_salt salt = {.iterations = 3, .len = 4, .bytes = {1, 2, 3, 4}};
	struct scram_server ss;
	struct scram_keys keys;
	struct scram_verifier v;
	struct str text, out;
	struct reader r;
	size_t len;
	const char *body;
	bool right = false;

	scram_server_init(&ss);
	str_init(&text, 4096);
	str_init(&out, 4096);
	message_auth_sasl(&out, NULL, SCRAM_MECHANISM);
	side_say(b, s, &out);
	body = side_last(s, 'p', &len);
	if (body == NULL)
		goto end;
	reader_init(&r, body, len);
	(void)reader_cstring(&r);
	len = reader_u32(&r);
	if (r.failed || scram_server_first(&ss, r.at, len, NULL, NULL, 0, nonce, &salt, &text) != SCRAM_GOOD)
		goto end;
	message_auth_sasl_continue(&out, str_text(&text), text.len);
	side_say(b, s, &out);
	body = side_last(s, 'p', &len);
	if (body == NULL || scram_server_read_final(&ss, body, len) != SCRAM_GOOD ||
	    !scram_derive(b->office->auth, password, strlen(password), &salt, &keys) ||
	    !scram_verifier_from_keys(b->office->auth, &keys, &v))
		goto end;
	str_clear(&text);
	right = scram_server_check(&ss, b->office->auth, &v, &text, &keys) == SCRAM_GOOD && !text.failed;
	if (right) {
		message_auth_sasl_final(&out, str_text(&text), text.len);
		side_say(b, s, &out);
	}
end:
	str_fini(&out);
	str_fini(&text);
	scram_server_fini(&ss);
	return right;
}

#endif
