/* Streams in TLS: every split of every byte, partial writes, what stays inside, hostile peers, missing memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "base/mem.h"
#include "net/stream.h"
#include <sys/stat.h>

#include "../tls_bench.h"
#include "../until.h"

void *__real_mem_alloc(size_t size);
void *__real_mem_resize(void *ptr, size_t size);
void *__wrap_mem_alloc(size_t size);
void *__wrap_mem_resize(void *ptr, size_t size);

static int left = -1; /* allocations until one fails; negative: none does */
static bool has_failed;

static bool must_fail(void)
{
	if (left < 0 || left-- > 0)
		return false;
	has_failed = true;
	return true;
}

void *__wrap_mem_alloc(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_resize(void *ptr, size_t size)
{
	return must_fail() ? NULL : __real_mem_resize(ptr, size);
}

static unsigned n_asked; /* sockets, for bytes */

/* Takes the library's place in this program. */
ssize_t recv(int fd, void *buf, size_t size, int flags)
{
	n_asked++;
	return recvfrom(fd, buf, size, flags, NULL, NULL);
}

static struct loop *loop;
static struct shared *for_clients, *for_servers;
static const struct peer nobody;

/* One end: what it was told and has read. */
struct end {
	struct stream *stream;
	int fd;        /* the other end of its socket, where a hand moves the bytes; -1: none */
	size_t expect; /* reads until it has so many bytes */
	size_t n_got;
	size_t max; /* of one read */
	char last;  /* of what was read */
	bool good;  /* every byte was the next of the pattern */
	bool secured, broken, ended, drained;
	bool idle; /* does not read */
	enum failure_phase phase;
	int code;
	enum failure_domain domain;
	char text[160];
};

/* Bytes that show if one is missing or twice there. */
static char pattern_at(size_t i)
{
	return (char)('a' + i % 23 + (i / 23) % 3);
}

static void take(struct end *e)
{
	struct failure why;
	struct span span;

	failure_init(&why);
	switch (stream_read(e->stream, e->max, &span, &why)) {
	case READ_GOT:
		for (size_t i = 0; i < span.len; i++)
			e->good = e->good && span.data[i] == pattern_at(e->n_got + i);
		e->n_got += span.len;
		break;
	case READ_END:
		e->ended = true;
		stream_pause(e->stream);
		break;
	case READ_FAILED:
		e->broken = true;
		e->phase = why.phase;
		stream_pause(e->stream);
		break;
	case READ_LATER:
		break;
	}
	failure_fini(&why);
}

static void on_event(void *owner, enum stream_event event)
{
	struct end *e = (struct end *)owner;

	switch (event) {
	case STREAM_SECURED:
		e->secured = true;
		break;
	case STREAM_BROKEN:
		e->broken = true;
		e->phase = stream_failure(e->stream)->phase;
		e->domain = stream_failure(e->stream)->domain;
		e->code = stream_failure(e->stream)->code;
		memcpy(e->text, stream_failure(e->stream)->text, sizeof(e->text));
		break;
	case STREAM_READABLE:
		if (!e->idle)
			take(e);
		break;
	case STREAM_DRAINED:
		e->drained = true;
		break;
	case STREAM_CONNECTED:
		break;
	}
}

static void small_buffers(int fd)
{
	int size = 4608;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

static void adopt(struct end *e, int fd)
{
	memset(e, 0, sizeof(*e));
	e->fd = -1;
	e->good = true;
	e->max = LOOP_BUFFER_BYTES;
	e->stream = stream_adopt(fd, &nobody);
	assert_non_null(e->stream);
	assert_true(stream_join(e->stream, loop, on_event, e));
}

/* Two ends of one connection. */
static void join_two(struct end *server, struct end *client)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	small_buffers(fd[0]);
	small_buffers(fd[1]);
	adopt(server, fd[0]);
	adopt(client, fd[1]);
}

/* Two ends with a hand between. */
static void join_apart(struct end *server, struct end *client)
{
	struct end *ends[] = {server, client};

	for (int i = 0; i < 2; i++) {
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		adopt(ends[i], fd[0]);
		ends[i]->fd = fd[1];
	}
}

static void leave(struct end *e)
{
	stream_close(e->stream);
	if (e->fd >= 0)
		close(e->fd);
}

static void start(struct end *server, struct end *client)
{
	assert_true(stream_start_tls(server->stream, for_clients, NULL, NULL));
	assert_true(stream_start_tls(client->stream, for_servers, "localhost", NULL));
}

static enum write_result put(struct stream *s, size_t from, size_t len, int pieces)
{
	char *bytes = (char *)malloc(len);
	struct iovec v[8];
	enum write_result result;

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern_at(from + i);
	for (int i = 0; i < pieces; i++) {
		v[i].iov_base = bytes + len / (size_t)pieces * (size_t)i;
		v[i].iov_len = len / (size_t)pieces;
	}
	v[pieces - 1].iov_len = len - len / (size_t)pieces * (size_t)(pieces - 1);
	result = stream_write(s, v, pieces, NULL);
	free(bytes);
	return result;
}

static bool is_settled(void *arg)
{
	struct end *const *ends = (struct end *const *)arg;

	return (ends[0]->secured || ends[0]->broken) && (ends[1]->secured || ends[1]->broken);
}

static bool has_all(void *arg)
{
	const struct end *e = (const struct end *)arg;

	return e->n_got >= e->expect || e->ended || e->broken;
}

static void shake(struct end *server, struct end *client)
{
	struct end *ends[] = {server, client};

	start(server, client);
	assert_true(run_until(loop, is_settled, ends));
	assert_true(server->secured && client->secured);
}

static int set_up(void **state)
{
	struct tls_settings s;

	(void)state;
	loop = loop_new();
	if (loop == NULL || !tls_make_folder())
		return -1;
	s = tls_for_clients();
	for_clients = tls_context(&s);
	s = tls_for_servers(TLS_MODE_VERIFY_FULL);
	for_servers = tls_context(&s);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	shared_unref(for_clients);
	shared_unref(for_servers);
	tls_remove_folder();
	loop_free(loop);
	return 0;
}

/* ---- splits ---- */

/* Moves what one end has sent to the other: first up to position `cut` of the whole direction, the rest a turn later.
 */
static size_t carry(struct end *from, struct end *to, size_t moved, size_t cut)
{
	char bytes[8192];
	size_t most = moved < cut && cut - moved < sizeof(bytes) ? cut - moved : sizeof(bytes);
	ssize_t n = read(from->fd, bytes, most);

	if (n <= 0)
		return moved;
	assert_int_equal(write(to->fd, bytes, (size_t)n), n);
	return moved + (size_t)n;
}

/* A handshake, bytes in both directions and the goodbye, with both directions cut at one place. Returns the longer
   direction's length. */
static size_t story_cut_at(size_t cut)
{
	struct end server, client;
	size_t up = 0, down = 0;

	join_apart(&server, &client);
	start(&server, &client);
	assert_int_equal(put(server.stream, 0, 40, 3), WRITE_PENDING);
	for (int turns = 0; turns < 60 && (server.n_got < 30 || client.n_got < 40); turns++) {
		run_turns(loop, 2);
		up = carry(&client, &server, up, cut);
		down = carry(&server, &client, down, cut);
		if (client.secured && client.expect == 0) {
			client.expect = 40;
			assert_int_equal(put(client.stream, 0, 30, 2), WRITE_DONE);
		}
	}
	assert_true(server.secured && client.secured && !server.broken && !client.broken);
	assert_int_equal(server.n_got, 30);
	assert_int_equal(client.n_got, 40);
	assert_true(server.good && client.good);
	leave(&client);
	leave(&server);
	return up > down ? up : down;
}

static void everything_arrives_at_every_split(void **state)
{
	size_t len = story_cut_at(0);

	(void)state;
	assert_true(len > 500);
	for (size_t cut = 1; cut <= len; cut++)
		(void)story_cut_at(cut);
}

/* ---- bytes ---- */

static void much_arrives_whole_in_both_directions(void **state)
{
	static const size_t lens[] = {1, 16384, 16385, 40000, 300000};
	struct end server, client;

	(void)state;
	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		for (int pieces = 1; pieces <= 8 && (size_t)pieces <= lens[i]; pieces += 7) {
			join_two(&server, &client);
			shake(&server, &client);
			server.expect = client.expect = 2 * lens[i];
			(void)!put(client.stream, 0, lens[i], pieces);
			(void)!put(server.stream, 0, lens[i], pieces);
			(void)!put(client.stream, lens[i], lens[i], pieces);
			(void)!put(server.stream, lens[i], lens[i], pieces);
			assert_true(run_until(loop, has_all, &server));
			assert_true(run_until(loop, has_all, &client));
			assert_true(server.good && client.good);
			assert_int_equal(server.n_got, 2 * lens[i]);
			assert_int_equal(client.n_got, 2 * lens[i]);
			leave(&client);
			leave(&server);
		}
	}
}

/* One record, read in small pieces: no descriptor announces what SSL keeps. */
static void what_is_inside_is_announced_again(void **state)
{
	struct end server, client;

	(void)state;
	for (int way = 0; way < 4; way++) {
		join_two(&server, &client);
		shake(&server, &client);
		server.max = 10;
		server.expect = 1000;
		assert_int_equal(put(client.stream, 0, 1000, 1), WRITE_DONE);
		if (way == 1) { /* paused with bytes inside */
			server.expect = 30;
			assert_true(run_until(loop, has_all, &server));
			stream_pause(server.stream);
			run_turns(loop, 5);
			assert_int_equal(server.n_got, 30);
			assert_true(stream_has_news(server.stream));
			assert_true(stream_peek(server.stream));
			server.expect = 1000;
			stream_resume(server.stream);
		} else if (way == 2) { /* to another loop and back */
			server.expect = 30;
			assert_true(run_until(loop, has_all, &server));
			stream_leave(server.stream);
			run_turns(loop, 5);
			server.expect = 1000;
			assert_true(stream_join(server.stream, loop, on_event, &server));
		} else if (way == 3) { /* an owner that does not read at once */
			server.idle = true;
			run_turns(loop, 5);
			server.idle = false;
		}
		assert_true(run_until(loop, has_all, &server));
		assert_int_equal(server.n_got, 1000);
		assert_true(server.good);
		assert_false(stream_has_news(server.stream));
		leave(&client);
		leave(&server);
	}
}

/* Each question that only finds out that there is nothing costs as much as an answer. */
static void a_socket_is_asked_only_when_it_has_something(void **state)
{
	struct end server, client;

	(void)state;
	join_apart(&server, &client);
	assert_true(stream_start_tls(server.stream, for_clients, NULL, NULL));
	n_asked = 0;
	run_turns(loop, 5);
	assert_int_equal(n_asked, 0);

	/* the end of the handshake and the first record come in one piece */
	assert_true(stream_start_tls(client.stream, for_servers, "localhost", NULL));
	for (int turns = 0; turns < 20 && !client.secured; turns++) {
		run_turns(loop, 2);
		if (!client.secured)
			(void)carry(&client, &server, 0, 0);
		(void)carry(&server, &client, 0, 0);
	}
	assert_int_equal(put(client.stream, 0, 30, 1), WRITE_DONE);
	n_asked = 0;
	(void)carry(&client, &server, 0, 0);
	run_turns(loop, 5);
	assert_true(server.secured);
	assert_int_equal(server.n_got, 30);
	assert_int_equal(n_asked, 1);

	/* one record, read in pieces; then two at once */
	server.max = 10;
	assert_int_equal(put(client.stream, 30, 100, 1), WRITE_DONE);
	n_asked = 0;
	(void)carry(&client, &server, 0, 0);
	run_turns(loop, 20);
	assert_int_equal(server.n_got, 130);
	assert_int_equal(n_asked, 1);
	server.max = 1000;
	assert_int_equal(put(client.stream, 130, 50, 1), WRITE_DONE);
	assert_int_equal(put(client.stream, 180, 50, 1), WRITE_DONE);
	n_asked = 0;
	(void)carry(&client, &server, 0, 0);
	run_turns(loop, 5);
	assert_int_equal(server.n_got, 230);
	assert_int_equal(n_asked, 1);
	assert_true(server.good);
	leave(&client);
	leave(&server);
}

static void both_ends_say_what_they_speak(void **state)
{
	struct end server, client;
	uint8_t a[STREAM_BINDING_BYTES], b[STREAM_BINDING_BYTES];
	char name[64], text[STREAM_TLS_TEXT_BYTES], other[STREAM_TLS_TEXT_BYTES];

	(void)state;
	join_two(&server, &client);
	assert_string_equal(stream_tls_text(server.stream, text), "");
	assert_null(stream_tls_version(server.stream));
	assert_int_equal(stream_binding(server.stream, a), 0);
	assert_false(stream_peer_name(client.stream, name, sizeof(name)));
	shake(&server, &client);
	assert_memory_equal(stream_tls_text(server.stream, text), "TLSv1.3/TLS_", 12);
	assert_non_null(strstr(stream_tls_text(server.stream, text), "/ECDH="));
	assert_string_equal(stream_tls_version(server.stream), "TLSv1.3");
	assert_string_equal(stream_tls_text(server.stream, text), stream_tls_text(client.stream, other));
	assert_int_equal(stream_binding(server.stream, a), 32);
	assert_int_equal(stream_binding(client.stream, b), 32);
	assert_memory_equal(a, b, 32);
	assert_true(stream_peer_name(client.stream, name, sizeof(name)));
	assert_string_equal(name, "localhost");
	assert_false(stream_peer_name(client.stream, name, 9));
	assert_false(stream_peer_name(server.stream, name, sizeof(name)));
	leave(&client);
	leave(&server);
}

/* ---- ends ---- */

static bool has_ended(void *arg)
{
	return ((struct end *)arg)->ended;
}

static void a_goodbye_and_an_end_without_one_are_ends(void **state)
{
	struct end server, client;
	int fd;

	(void)state;
	join_two(&server, &client);
	shake(&server, &client);
	assert_int_equal(put(client.stream, 0, 10, 1), WRITE_DONE);
	stream_close(client.stream);
	assert_true(run_until(loop, has_ended, &server));
	assert_int_equal(server.n_got, 10);
	leave(&server);

	join_apart(&server, &client);
	start(&server, &client);
	for (int i = 0; i < 20; i++) {
		run_turns(loop, 2);
		(void)carry(&client, &server, 0, 0);
		(void)carry(&server, &client, 0, 0);
	}
	assert_true(server.secured);
	fd = server.fd;
	server.fd = -1;
	close(fd);
	assert_true(run_until(loop, has_ended, &server));
	leave(&client);
	leave(&server);
}

/* Two ends with a hand between, and how much the server says when it closes. */
static ssize_t goodbye_bytes(bool client_has_ended)
{
	struct end server, client;
	char bytes[8192];
	ssize_t n;

	join_apart(&server, &client);
	start(&server, &client);
	for (int i = 0; i < 20; i++) {
		run_turns(loop, 2);
		(void)carry(&client, &server, 0, 0);
		(void)carry(&server, &client, 0, 0);
	}
	assert_true(server.secured && client.secured);
	if (client_has_ended)
		assert_int_equal(shutdown(server.fd, SHUT_WR), 0);
	stream_close(server.stream);
	n = read(server.fd, bytes, sizeof(bytes));
	close(server.fd);
	leave(&client);
	return n;
}

static void goodbye_is_said_to_those_who_are_still_there(void **state)
{
	(void)state;
	assert_true(goodbye_bytes(false) > 0);
#ifdef __linux__
	assert_int_equal(goodbye_bytes(true), 0);
#endif
}

/* ---- a peer that does what we do not ---- */

/* The library itself, on memory. */
struct peer_ssl {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	size_t sent; /* of the pattern */
};

static void peer_begin(struct peer_ssl *p, bool is_server, int version)
{
	memset(p, 0, sizeof(*p));
	p->context = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());
	assert_non_null(p->context);
	assert_int_equal(SSL_CTX_set_min_proto_version(p->context, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(p->context, version), 1);
	if (is_server) {
		assert_int_equal(SSL_CTX_use_certificate_file(p->context, tls_cert, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(p->context, tls_key, SSL_FILETYPE_PEM), 1);
	}
	p->ssl = SSL_new(p->context);
	p->in = BIO_new(BIO_s_mem());
	p->out = BIO_new(BIO_s_mem());
	SSL_set_bio(p->ssl, p->in, p->out);
	if (is_server)
		SSL_set_accept_state(p->ssl);
	else
		SSL_set_connect_state(p->ssl);
}

static void peer_end(struct peer_ssl *p)
{
	SSL_free(p->ssl);
	SSL_CTX_free(p->context);
}

/* What the other side has sent. */
static void peer_hears(struct peer_ssl *p, int fd)
{
	char bytes[8192];
	ssize_t n;

	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		assert_int_equal(BIO_write(p->in, bytes, (int)n), n);
	(void)SSL_read(p->ssl, bytes, sizeof(bytes));
}

/* Everything that it has to say, in pieces of at most `most` bytes; then nothing more comes. */
static void peer_says(struct peer_ssl *p, int fd, size_t most)
{
	char bytes[70000];
	int n;

	while ((n = BIO_read(p->out, bytes, (int)(most < sizeof(bytes) ? most : sizeof(bytes)))) > 0) {
		assert_int_equal(write(fd, bytes, (size_t)n), n);
		run_turns(loop, 3);
	}
	run_turns(loop, 8);
}

static void peer_puts(struct peer_ssl *p, size_t len)
{
	char bytes[20000];

	for (size_t i = 0; i < len; i++)
		bytes[i] = pattern_at(p->sent + i);
	assert_int_equal(SSL_write(p->ssl, bytes, (int)len), len);
	p->sent += len;
}

/* A record, or what the library says for itself. */
static void peer_does(struct peer_ssl *p, unsigned what)
{
	static const size_t lengths[] = {1, 5, 64, 1000, 16384, 16383};

	if (what % 8 < 6)
		peer_puts(p, lengths[what % 8]);
	else if (SSL_version(p->ssl) == TLS1_3_VERSION &&
	         SSL_key_update(p->ssl, what % 8 == 6 ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) == 1)
		assert_int_equal(SSL_do_handshake(p->ssl), 1);
}

/* Many records in one piece, new keys between them, any size of reads: whatever came is read, without more coming. */
static void nothing_stays_inside_whatever_the_peer_sends(void **state)
{
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static const size_t reads[] = {LOOP_BUFFER_BYTES, 1, 5, 64, 16384, 16385};
	static const size_t pieces[] = {70000, 1, 5, 21, 4096, 16384 + 22};
	unsigned chance = 1;

	(void)state;
	for (unsigned i = 0; i < 120; i++) {
		bool is_server = i % 2 == 1;
		struct peer_ssl p;
		struct end e;
		int fd[2];

		peer_begin(&p, is_server, versions[i / 2 % 2]);
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		adopt(&e, fd[0]);
		e.fd = fd[1];
		assert_true(stream_start_tls(e.stream, is_server ? for_servers : for_clients, "localhost", NULL));
		for (int turns = 0; turns < 20 && !(e.secured && SSL_is_init_finished(p.ssl)); turns++) {
			peer_hears(&p, fd[1]);
			(void)SSL_do_handshake(p.ssl);
			peer_says(&p, fd[1], SIZE_MAX);
		}
		assert_true(e.secured);
		for (int round = 0; round < 8; round++) {
			size_t least, piece;

			chance = chance * 1103515245 + 12345;
			e.max = reads[(chance >> 8) % 6];
			piece = pieces[(chance >> 16) % 6];
			least = piece < 64 || e.max < 64 ? 0 : 4;
			for (unsigned n = 1 + (chance >> 20) % 6; n > 0; n--) {
				unsigned what = (chance >> (n + 3)) % 8;

				peer_does(&p, least == 0 && (what == 4 || what == 5) ? 2 : what);
			}
			peer_says(&p, fd[1], piece);
			for (int turns = 0; turns < 2000 && e.n_got < p.sent; turns++)
				run_turns(loop, 50);
			peer_hears(&p, fd[1]);
			assert_false(e.broken);
			assert_true(e.good);
			assert_int_equal(e.n_got, p.sent);
		}
		/* a last word and the goodbye in one piece; the peer then waits for ours */
		e.max = LOOP_BUFFER_BYTES;
		peer_puts(&p, 10);
		(void)SSL_shutdown(p.ssl);
		peer_says(&p, fd[1], SIZE_MAX);
		assert_int_equal(e.n_got, p.sent);
		assert_true(e.ended);
		leave(&e);
		peer_end(&p);
	}
}

static void unencrypted_bytes_beside_the_request_are_refused(void **state)
{
	struct end server, client;
	struct failure why;
	char bytes[] = "x";
	struct iovec v = {bytes, 1};

	(void)state;
	failure_init(&why);
	join_two(&server, &client);
	assert_true(stream_hold(server.stream, "x", 1));
	assert_false(stream_start_tls(server.stream, for_clients, NULL, &why));
	assert_int_equal(why.phase, PHASE_TLS);
	assert_int_equal(why.code, FAILURE_PROTOCOL);
	while (stream_write(client.stream, &v, 1, NULL) == WRITE_DONE)
		;
	assert_false(stream_start_tls(client.stream, for_servers, "localhost", &why));
	failure_fini(&why);
	leave(&client);
	leave(&server);
}

static bool is_broken(void *arg)
{
	return ((struct end *)arg)->broken;
}

static void whatever_a_peer_says_instead_is_a_failure(void **state)
{
	char text[STREAM_TLS_TEXT_BYTES];
	static const char hello[] = {0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3};
	static const struct {
		const char *bytes;
		size_t len;
		bool close;
	} cases[] = {{"GET / HTTP/1.0\r\n\r\n", 18, false},
	             {"\0\0\0\x08\x04\xd2\x16\x2f", 8, false},
	             {"", 0, true},
	             {"\x16", 1, true},
	             {hello, sizeof(hello), false},
	             {hello, sizeof(hello) - 2, true},
	             {"\x15\3\3\0\2\2\x28", 7, false},
	             {"\x17\3\3\0\4abcd", 9, false}};
	struct end server;

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		struct shared *context = i % 2 == 0 ? for_clients : for_servers;
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		adopt(&server, fd[0]);
		server.fd = fd[1];
		assert_true(stream_start_tls(server.stream, context, "localhost", NULL));
		assert_int_equal(write(fd[1], cases[i / 2].bytes, cases[i / 2].len), cases[i / 2].len);
		if (cases[i / 2].close)
			assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
		assert_true(run_until(loop, is_broken, &server));
		assert_int_equal(server.phase, PHASE_TLS);
		assert_string_equal(stream_tls_text(server.stream, text), "");
		assert_int_equal(put(server.stream, 0, 1, 1), WRITE_FAILED);
		leave(&server);
	}
}

/* ---- certificates ---- */

static void try_with(struct tls_settings *s, const char *host, struct end *client)
{
	struct shared *context = tls_context(s);
	struct end server;
	struct end *ends[] = {&server, client};

	join_two(&server, client);
	assert_true(stream_start_tls(server.stream, for_clients, NULL, NULL));
	assert_true(stream_start_tls(client->stream, context, host, NULL));
	assert_true(run_until(loop, is_settled, ends));
	leave(client);
	leave(&server);
	shared_unref(context);
}

static void certificates_are_compared_with_host_and_authorities(void **state)
{
	struct tls_settings s = tls_for_servers(TLS_MODE_VERIFY_FULL);
	char other_cert[140], other_key[140];
	struct end client;

	(void)state;
	try_with(&s, "LOCALHOST", &client);
	assert_true(client.secured);
	try_with(&s, "127.0.0.1", &client);
	assert_true(client.broken);
	assert_int_equal(client.domain, DOMAIN_TLS);
	assert_int_equal(client.code, FAILURE_TLS_OTHER_NAME);
	assert_string_equal(client.text, "\"localhost\"");
	try_with(&s, NULL, &client);
	assert_int_equal(client.code, FAILURE_TLS_OTHER_NAME);
	s.mode = TLS_MODE_VERIFY_CA;
	try_with(&s, "127.0.0.1", &client);
	assert_true(client.secured);
	snprintf(other_cert, sizeof(other_cert), "%s2", tls_cert);
	snprintf(other_key, sizeof(other_key), "%s2", tls_key);
	assert_true(tls_make_files(other_cert, other_key));
	s.ca_file = other_cert;
	try_with(&s, "localhost", &client);
	assert_true(client.broken);
	assert_int_equal(client.code, FAILURE_TLS_NOT_TRUSTED);
	assert_non_null(strstr(client.text, "issuer \"/CN=localhost\""));
	s.mode = TLS_MODE_REQUIRE;
	try_with(&s, "localhost", &client);
	assert_true(client.secured);
	unlink(other_cert);
	unlink(other_key);
}

/* The library's names for the system's places lead elsewhere. */
static void with_places(const char *file, const char *directories)
{
	assert_int_equal(setenv("SSL_CERT_FILE", file, 1), 0);
	assert_int_equal(setenv("SSL_CERT_DIR", directories, 1), 0);
}

static void servers_are_verified_by_those_whom_the_system_trusts(void **state)
{
	struct tls_settings s = tls_for_servers(TLS_MODE_VERIFY_FULL);
	char directory[140], link[170];
	FILE *f = fopen(tls_cert, "r");
	X509 *cert = PEM_read_X509(f, NULL, NULL, NULL);
	struct end client;

	(void)state;
	fclose(f);
	s.ca_file = "system";
	with_places(tls_cert, "/nonexistent");
	try_with(&s, "localhost", &client);
	assert_true(client.secured);
	try_with(&s, "127.0.0.1", &client);
	assert_int_equal(client.code, FAILURE_TLS_OTHER_NAME);
	/* in a directory it is found by its hash */
	snprintf(directory, sizeof(directory), "%s.d", tls_cert);
	snprintf(link, sizeof(link), "%s/%08lx.0", directory, X509_subject_name_hash(cert));
	assert_int_equal(mkdir(directory, 0700), 0);
	assert_int_equal(symlink(tls_cert, link), 0);
	with_places("/nonexistent", directory);
	try_with(&s, "localhost", &client);
	assert_true(client.secured);
	/* there is somebody, but not this one */
	assert_int_equal(unlink(link), 0);
	snprintf(link, sizeof(link), "%s/00000000.0", directory);
	assert_int_equal(symlink(tls_cert, link), 0);
	try_with(&s, "localhost", &client);
	assert_int_equal(client.code, FAILURE_TLS_NOT_TRUSTED);
	assert_int_equal(unlink(link), 0);
	/* the same when nobody is named; then it is no matter if there is nobody */
	s.ca_file = "";
	try_with(&s, "localhost", &client);
	assert_int_equal(client.code, FAILURE_TLS_NOT_TRUSTED);
	with_places(tls_cert, directory);
	try_with(&s, "localhost", &client);
	assert_true(client.secured);
	assert_int_equal(rmdir(directory), 0);
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
	assert_int_equal(unsetenv("SSL_CERT_DIR"), 0);
	X509_free(cert);
}

/* A client that shows the certificate of these files (none if empty) to a server that does not demand one; the name
   that the server then knows, "" for none, NULL: it broke off. */
static const char *name_of_client(const char *cert, const char *key, char name[64])
{
	struct tls_settings asks = tls_for_clients(), shows = tls_for_servers(TLS_MODE_REQUIRE);
	struct shared *asking, *showing;
	struct end server, client;
	struct end *ends[] = {&server, &client};
	bool secured;

	asks.ca_file = cert[0] == '\0' ? tls_cert : cert;
	shows.cert_file = cert;
	shows.key_file = key;
	asking = tls_context(&asks);
	showing = tls_context(&shows);
	join_two(&server, &client);
	assert_true(stream_start_tls(server.stream, asking, NULL, NULL));
	assert_true(stream_start_tls(client.stream, showing, "localhost", NULL));
	assert_true(run_until(loop, is_settled, ends));
	secured = server.secured;
	if (!secured || !stream_peer_name(server.stream, name, 64))
		name[0] = '\0';
	leave(&client);
	leave(&server);
	shared_unref(asking);
	shared_unref(showing);
	return secured ? name : NULL;
}

static void clients_may_show_a_certificate_where_there_are_authorities(void **state)
{
	char cert[140], key[140], name[64];

	(void)state;
	assert_string_equal(name_of_client("", "", name), "");
	snprintf(cert, sizeof(cert), "%s2", tls_cert);
	snprintf(key, sizeof(key), "%s2", tls_key);
	assert_true(tls_make_named(cert, key, "ann", -1));
	assert_string_equal(name_of_client(cert, key, name), "ann");
	assert_true(tls_make_named(cert, key, "ann\0bob", 7));
	assert_string_equal(name_of_client(cert, key, name), "");
	unlink(cert);
	unlink(key);
}

static void a_certificate_of_a_stranger_is_refused_even_where_none_is_demanded(void **state)
{
	struct tls_settings asks = tls_for_clients(), shows = tls_for_servers(TLS_MODE_REQUIRE);
	struct shared *asking, *showing;
	struct end server, client;
	char cert[140], key[140];
	struct failure why;
	struct span span;

	(void)state;
	snprintf(cert, sizeof(cert), "%s2", tls_cert);
	snprintf(key, sizeof(key), "%s2", tls_key);
	assert_true(tls_make_files(cert, key));
	asks.ca_file = tls_cert;
	shows.cert_file = cert;
	shows.key_file = key;
	asking = tls_context(&asks);
	showing = tls_context(&shows);
	join_two(&server, &client);
	client.idle = true;
	assert_true(stream_start_tls(server.stream, asking, NULL, NULL));
	assert_true(stream_start_tls(client.stream, showing, "localhost", NULL));
	assert_true(run_until(loop, is_broken, &server));
	assert_int_equal(server.code, FAILURE_TLS_NOT_TRUSTED);
	leave(&server);
	/* since TLS 1.3 the client learns it later, perhaps behind a write that fails */
	assert_true(client.secured);
	assert_int_equal(put(client.stream, 0, 5, 1), WRITE_FAILED);
	failure_init(&why);
	assert_int_equal(stream_read(client.stream, client.max, &span, &why), READ_FAILED);
	assert_int_equal(why.domain, DOMAIN_TLS);
	assert_non_null(strstr(why.text, "unknown ca"));
	failure_fini(&why);
	leave(&client);
	shared_unref(asking);
	shared_unref(showing);
	unlink(cert);
	unlink(key);
}

/* ---- beginning at once ---- */

static void a_client_may_begin_at_once_with_bytes_that_were_read_already(void **state)
{
	struct tls_settings s = tls_for_servers(TLS_MODE_REQUIRE);
	struct shared *direct;
	struct end server, client;
	char hello[2048];
	ssize_t n;

	(void)state;
	s.direct = true;
	direct = tls_context(&s);
	join_apart(&server, &client);
	assert_true(stream_start_tls(client.stream, direct, "localhost", NULL));
	run_turns(loop, 3);
	n = read(client.fd, hello, sizeof(hello));
	assert_true(n > 100);
	assert_true(stream_start_direct_tls(server.stream, for_clients, hello, (size_t)n, NULL));
	for (int i = 0; i < 20; i++) {
		run_turns(loop, 2);
		(void)carry(&client, &server, 0, 0);
		(void)carry(&server, &client, 0, 0);
	}
	assert_true(server.secured && client.secured);
	leave(&client);
	leave(&server);
	shared_unref(direct);
}

/* ---- turns ---- */

static int n_secured;

static void count_secured(void *owner, enum stream_event event)
{
	(void)owner;
	n_secured += event == STREAM_SECURED;
}

#define CROWD 60

static bool all_secured(void *arg)
{
	(void)arg;
	return n_secured == 2 * CROWD;
}

static void a_crowd_shakes_hands_a_few_at_a_time(void **state)
{
	struct stream *s[2 * CROWD];

	(void)state;
	n_secured = 0;
	for (int i = 0; i < CROWD; i++) {
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		for (int k = 0; k < 2; k++) {
			s[2 * i + k] = stream_adopt(fd[k], &nobody);
			assert_true(stream_join(s[2 * i + k], loop, count_secured, NULL));
			assert_true(
			    stream_start_tls(s[2 * i + k], k == 0 ? for_clients : for_servers, "localhost", NULL));
		}
	}
	run_turns(loop, 10); /* 80 steps: at least 180 are needed */
	assert_true(n_secured < 2 * CROWD);
	assert_true(run_until(loop, all_secured, NULL));
	for (int i = 0; i < 2 * CROWD; i++)
		stream_close(s[i]);
}

/* ---- memory ---- */

static void missing_memory_is_a_failure_and_loses_nothing(void **state)
{
	(void)state;
	for (int n = 0;; n++) {
		struct end server, client;
		struct end *ends[] = {&server, &client};

		join_two(&server, &client);
		has_failed = false;
		left = n;
		if (!stream_start_tls(server.stream, for_clients, NULL, NULL))
			server.broken = true;
		if (!stream_start_tls(client.stream, for_servers, "localhost", NULL))
			client.broken = true;
		if (!server.broken && !client.broken) {
			run_turns(loop, 30);
			(void)!put(client.stream, 0, 30000, 2);
			run_turns(loop, 30);
		}
		left = -1;
		if (!has_failed) {
			assert_true(n > 4);
			assert_true(run_until(loop, is_settled, ends));
			leave(&client);
			leave(&server);
			return;
		}
		assert_true(server.good);
		leave(&client);
		leave(&server);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(everything_arrives_at_every_split),
	    cmocka_unit_test(much_arrives_whole_in_both_directions),
	    cmocka_unit_test(what_is_inside_is_announced_again),
	    cmocka_unit_test(a_socket_is_asked_only_when_it_has_something),
	    cmocka_unit_test(both_ends_say_what_they_speak),
	    cmocka_unit_test(a_goodbye_and_an_end_without_one_are_ends),
	    cmocka_unit_test(goodbye_is_said_to_those_who_are_still_there),
	    cmocka_unit_test(nothing_stays_inside_whatever_the_peer_sends),
	    cmocka_unit_test(unencrypted_bytes_beside_the_request_are_refused),
	    cmocka_unit_test(whatever_a_peer_says_instead_is_a_failure),
	    cmocka_unit_test(clients_may_show_a_certificate_where_there_are_authorities),
	    cmocka_unit_test(a_certificate_of_a_stranger_is_refused_even_where_none_is_demanded),
	    cmocka_unit_test(certificates_are_compared_with_host_and_authorities),
	    cmocka_unit_test(servers_are_verified_by_those_whom_the_system_trusts),
	    cmocka_unit_test(a_client_may_begin_at_once_with_bytes_that_were_read_already),
	    cmocka_unit_test(a_crowd_shakes_hands_a_few_at_a_time),
	    cmocka_unit_test(missing_memory_is_a_failure_and_loses_nothing),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
