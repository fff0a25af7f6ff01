/*
 * TLS as a transport of streams. Each belongs to the thread of its stream.
 *
 *	stream_start_tls → (again) → stream_shake → tls_shake … socket readable or writable … → STREAM_SECURED
 *	                   (again: who speaks first does so at once; else nothing can be done before bytes come)
 *	stream_read  → tls_read  → SSL_read  → bio_read  → socket_read, once
 *	stream_write → tls_write → SSL_write → bio_write → socket_write, once per record of at most 16 KB
 *
 * What SSL keeps inside after a read is announced by a task of our own (`again`), since no descriptor does. Between
 * two uses SSL owns no buffers (SSL_MODE_RELEASE_BUFFERS), and we have none.
 */
#include "net/tls_stream.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "net/stream_private.h"
#include "net/tls_context.h"
#include "net/tls_private.h"

#define RECORD_BYTES 16384u
#define READS_PER_STEP 8 /* of a handshake: its flights are short */

/* Exists until the handshake is over. */
struct handshake {
	struct failure noted; /* why the other side's certificate was not accepted */
	char *host;           /* that it must name; NULL: not asked for */
	bool needs_alpn;
	size_t early_from, early_len; /* bytes that were read before TLS began */
	char early[];
};

/* Owned by one thread: its stream's. */
struct tls {
	struct stream *stream;
	SSL *ssl;
	struct shared *context; /* a reference */
	struct handshake *handshake;
	struct loop_task again;         /* bytes are inside, or a step of the handshake */
	int io_error;                   /* the socket's, in the call under way */
	unsigned reads_left;            /* from the socket, in this call */
	size_t n_sent;                  /* bytes that the socket has taken in this call */
	bool ended;                     /* the socket's end has been read */
	bool more;                      /* the last read left decrypted or undecrypted bytes behind, or the end */
	bool read_failed, write_failed; /* that direction is over */
	uint16_t dh_bits;               /* of our own key in a DHE handshake, for tls_text */
};

static struct tls *tls_of(const struct stream *s)
{
	return (struct tls *)s->transport;
}

struct failure *tls_noted(const SSL *ssl)
{
	const struct tls *t = (const struct tls *)SSL_get_app_data(ssl);

	return t->handshake == NULL ? NULL : &t->handshake->noted;
}

/* ---- the BIO ---- */

static bool take_early(struct handshake *h, char *buf, size_t size, size_t *got)
{
	size_t left = h == NULL ? 0 : h->early_len - h->early_from;

	if (left == 0)
		return false;
	*got = size < left ? size : left;
	memcpy(buf, h->early + h->early_from, *got);
	h->early_from += *got;
	return true;
}

static int bio_read(BIO *bio, char *buf, size_t size, size_t *got)
{
	struct tls *t = (struct tls *)BIO_get_data(bio);
	ssize_t n;

	BIO_clear_retry_flags(bio);
	if (size == 0 || take_early(t->handshake, buf, size, got))
		return size > 0;
	if (t->reads_left == 0) {
		BIO_set_retry_read(bio);
		return 0;
	}
	n = socket_read(t->stream->fd, buf, size);
	/* fewer than asked for: there is no more now, and asking would only find that out */
	t->reads_left = n > 0 && (size_t)n == size ? t->reads_left - 1 : 0;
	if (n > 0) {
		*got = (size_t)n;
		return 1;
	}
	if (n < 0 && stream_means_later(errno))
		BIO_set_retry_read(bio);
	else if (n < 0)
		t->io_error = errno;
	else
		t->ended = true;
	return 0;
}

static int bio_write(BIO *bio, const char *buf, size_t len, size_t *put)
{
	struct tls *t = (struct tls *)BIO_get_data(bio);
	struct iovec v;
	ssize_t n;

	BIO_clear_retry_flags(bio);
	memcpy(&v.iov_base, &buf, sizeof(buf)); /* an iovec is not const, but nothing is written there */
	v.iov_len = len;
	n = socket_write(t->stream->fd, &v, 1);
	if (n >= 0) {
		*put = (size_t)n;
		t->n_sent += *put;
		return n > 0;
	}
	if (stream_means_later(errno))
		BIO_set_retry_write(bio);
	else
		t->io_error = errno;
	return 0;
}

static long bio_ctrl(BIO *bio, int what, long number, void *arg)
{
	const struct tls *t = (const struct tls *)BIO_get_data(bio);

	(void)number;
	(void)arg;
	if (what == BIO_CTRL_EOF)
		return t->ended;
	return what == BIO_CTRL_FLUSH || what == BIO_CTRL_PUSH || what == BIO_CTRL_POP;
}

BIO_METHOD *tls_bio_method_new(void)
{
	BIO_METHOD *m = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");

	if (m == NULL)
		return NULL;
	if (BIO_meth_set_read_ex(m, bio_read) == 1 && BIO_meth_set_write_ex(m, bio_write) == 1 &&
	    BIO_meth_set_ctrl(m, bio_ctrl) == 1)
		return m;
	BIO_meth_free(m);
	return NULL;
}

/* ---- failures ---- */

/* The library's verdicts count errors that were there before a call. Looking is cheaper than clearing what is clear.
   Who could not write may still read why. */
static void forget_errors(struct tls *t)
{
	t->io_error = 0;
	if (ERR_peek_error() != 0)
		ERR_clear_error();
}

/* Why the last call failed, which was not for waiting. */
static void tell_failure(struct tls *t, enum failure_phase phase, struct failure *why)
{
	if (t->handshake != NULL && failure_is_set(&t->handshake->noted))
		failure_copy(why, &t->handshake->noted);
	else if (t->ended)
		failure_set(why, phase, DOMAIN_POOLER, FAILURE_CLOSED, NULL);
	else if (t->io_error != 0)
		failure_set(why, phase, DOMAIN_ERRNO, t->io_error, NULL);
	else
		tls_explain(t->ssl, phase, why);
	ERR_clear_error();
}

/* ---- handshake ---- */

static void handshake_free(struct handshake *h)
{
	if (h == NULL)
		return;
	failure_fini(&h->noted);
	mem_free(h->host);
	mem_free(h);
}

static bool has_alpn(const SSL *ssl)
{
	const unsigned char *name;
	unsigned len;

	SSL_get0_alpn_selected(ssl, &name, &len);
	return len == sizeof(TLS_ALPN) - 2 && memcmp(name, &TLS_ALPN[1], len) == 0;
}

/* What must hold once all keys are exchanged. */
static bool check_peer(struct tls *t, struct failure *why)
{
	if (t->handshake->needs_alpn && !has_alpn(t->ssl)) {
		failure_set(why, PHASE_TLS, DOMAIN_TLS, FAILURE_TLS_OTHER,
		            "a direct TLS connection without the protocol \"postgresql\" (ALPN)");
		return false;
	}
	if (t->handshake->host != NULL && !tls_verify_host(t->ssl, t->handshake->host, why))
		return false;
	return true;
}

static enum shake_result finish(struct tls *t, struct failure *why)
{
	if (!check_peer(t, why))
		return SHAKE_FAILED;
	if (t->handshake->early_from < t->handshake->early_len) {
		failure_set(why, PHASE_TLS, DOMAIN_POOLER, FAILURE_PROTOCOL, "bytes behind the first of a handshake");
		return SHAKE_FAILED;
	}
	t->more = SSL_has_pending(t->ssl) == 1;
	handshake_free(t->handshake);
	t->handshake = NULL;
	return SHAKE_DONE;
}

/* The library forgets that key when it has been used, so this looks while the client's part is waited for. */
static void note_dh_bits(struct tls *t)
{
	EVP_PKEY *key = NULL;

	if (!SSL_is_server(t->ssl) || SSL_version(t->ssl) >= TLS1_3_VERSION)
		return;
	if (SSL_get_tmp_key(t->ssl, &key) == 1 && EVP_PKEY_is_a(key, "DH"))
		t->dh_bits = (uint16_t)EVP_PKEY_get_bits(key);
	EVP_PKEY_free(key);
}

static enum shake_result tls_shake(struct stream *s, struct failure *why)
{
	struct tls *t = tls_of(s);
	int result;

	if (!loop_may_shake_hands(s->loop)) {
		loop_again(s->loop, &t->again);
		return SHAKE_WAITS;
	}
	loop_task_cancel(&t->again);
	forget_errors(t);
	t->reads_left = READS_PER_STEP;
	result = SSL_do_handshake(t->ssl);
	s->read_needs_write = false;
	if (result == 1)
		return finish(t, why);
	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		note_dh_bits(t);
		return SHAKE_WAITS;
	case SSL_ERROR_WANT_WRITE:
		s->read_needs_write = true;
		return SHAKE_WAITS;
	default: /* a number of the library: it has failed */
		t->read_failed = t->write_failed = true;
		tell_failure(t, PHASE_TLS, why);
		return SHAKE_FAILED;
	}
}

/* ---- reading ---- */

static enum read_result read_stopped(struct stream *s, int result, struct failure *why)
{
	struct tls *t = tls_of(s);

	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return READ_LATER;
	case SSL_ERROR_WANT_WRITE:
		s->read_needs_write = true;
		if (stream_changed(s))
			return READ_LATER;
		failure_set(why, PHASE_SESSION, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		return READ_FAILED;
	case SSL_ERROR_ZERO_RETURN:
		return READ_END;
	default: /* a number of the library: it has failed */
		break;
	}
	t->read_failed = true;
	/* most who close do not say goodbye first; messages have lengths, so nothing is believed that was cut off. (The
	   library may have tried to complain about it, and failed.) */
	if (t->ended) {
		ERR_clear_error();
		return READ_END;
	}
	tell_failure(t, PHASE_SESSION, why);
	return READ_FAILED;
}

/* A goodbye came behind what has been read: nothing else need come from the socket to tell of it. */
static bool said_goodbye(const struct tls *t)
{
	return (SSL_get_shutdown(t->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
}

/* As many records as are there after one read of the socket, or without one, if some are inside. */
static enum read_result tls_read(struct stream *s, char *buf, size_t size, size_t *got, struct failure *why)
{
	struct tls *t = tls_of(s);
	size_t total = 0, n = 0;
	int result = 0;

	if (t->read_failed)
		return READ_END;
	loop_task_cancel(&t->again);
	forget_errors(t);
	t->reads_left = t->more ? 0 : 1;
	do {
		result = SSL_read_ex(t->ssl, buf + total, size - total, &n);
		if (result == 1)
			total += n;
	} while (result == 1 && total < size && SSL_has_pending(t->ssl) == 1);
	t->more = result == 1 ? total == size && SSL_has_pending(t->ssl) == 1 : total > 0 && said_goodbye(t);
	if (t->more)
		loop_again(s->loop, &t->again);
	if (total == 0)
		return read_stopped(s, result, why);
	*got = total;
	return READ_GOT;
}

/* ---- writing ---- */

/* Where in the spans the next record begins. */
struct cursor {
	const struct iovec *v;
	int n;
	size_t at; /* within v[0] */
};

static void cursor_move(struct cursor *c, size_t len)
{
	c->at += len;
	while (c->n > 0 && c->at >= c->v->iov_len) {
		c->at -= c->v->iov_len;
		c->v++;
		c->n--;
	}
}

/* The bytes of the next record: straight from their span if that is enough, else gathered in `room`. */
static const char *next_record(const struct cursor *c, char *room, size_t *len)
{
	size_t first = c->v->iov_len - c->at;
	struct cursor look = *c;

	if (first >= RECORD_BYTES || c->n == 1) {
		*len = first < RECORD_BYTES ? first : RECORD_BYTES;
		return (const char *)c->v->iov_base + c->at;
	}
	*len = 0;
	while (look.n > 0 && *len < RECORD_BYTES) {
		size_t part = look.v->iov_len - look.at;

		if (part > RECORD_BYTES - *len)
			part = RECORD_BYTES - *len;
		memcpy(room + *len, (const char *)look.v->iov_base + look.at, part);
		*len += part;
		cursor_move(&look, part);
	}
	return room;
}

static enum write_result write_stopped(struct stream *s, int result, struct failure *why)
{
	struct tls *t = tls_of(s);

	switch (SSL_get_error(t->ssl, result)) {
	case SSL_ERROR_WANT_WRITE:
		return WRITE_PENDING;
	case SSL_ERROR_WANT_READ:
		s->write_needs_read = true;
		return WRITE_PENDING;
	default: /* a number of the library: it has failed */
		break;
	}
	t->write_failed = true;
	tell_failure(t, PHASE_SESSION, why);
	if (t->n_sent == 0)
		return WRITE_FAILED;
	/* as with plain streams: what went out counts, and the next attempt meets the failure */
	if (why != NULL)
		failure_fini(why);
	return WRITE_PENDING;
}

/* A record that the socket took in part counts as not written: it is offered again, with the same bytes first. */
static enum write_result tls_write(struct stream *s, const struct iovec *v, int n, size_t *done, struct failure *why)
{
	struct tls *t = tls_of(s);
	struct cursor c = {v, n, 0};
	char room[RECORD_BYTES];
	size_t put = 0, len;
	int result = 1;

	*done = 0;
	if (t->write_failed) {
		failure_set(why, PHASE_SESSION, DOMAIN_ERRNO, EPIPE, NULL);
		return WRITE_FAILED;
	}
	forget_errors(t);
	t->reads_left = 1;
	t->n_sent = 0;
	cursor_move(&c, 0);
	while (c.n > 0) {
		const char *bytes = next_record(&c, room, &len);

		result = SSL_write_ex(t->ssl, bytes, len, &put);
		if (result != 1)
			return write_stopped(s, result, why);
		*done += put;
		cursor_move(&c, put);
	}
	return WRITE_DONE;
}

/* ---- the rest ---- */

static void tls_free(struct tls *t)
{
	if (t == NULL)
		return;
	loop_task_cancel(&t->again);
	SSL_free(t->ssl);
	handshake_free(t->handshake);
	shared_unref(t->context);
	mem_free(t);
}

/* In the middle of a record that is not out yet it would be nonsense; most who have left first do not read it. */
static bool wants_goodbye(const struct stream *s)
{
	const struct tls *t = tls_of(s);

	return t->handshake == NULL && !t->read_failed && !t->write_failed && stream_pending_bytes(s) == 0 &&
	       !socket_has_ended(s->fd);
}

static void tls_close(struct stream *s)
{
	struct tls *t = tls_of(s);

	forget_errors(t);
	if (wants_goodbye(s))
		(void)SSL_shutdown(t->ssl);
	forget_errors(t);
	tls_free(t);
	s->transport = NULL;
}

/* "TLSv1.3/TLS_AES_256_GCM_SHA384/ECDH=X25519": made when it is asked for, for most are never asked. */
static void tls_text(const struct stream *s, char *buf)
{
	const struct tls *t = tls_of(s);
	int nid = (int)SSL_get_negotiated_group(t->ssl), bits = t->dh_bits;
	const char *group = nid == NID_undef || (nid & TLSEXT_nid_unknown) != 0 ? NULL : OBJ_nid2sn(nid);
	const char *version = SSL_get_version(t->ssl), *cipher = SSL_get_cipher_name(t->ssl);
	EVP_PKEY *key = NULL;

	if (group == NULL && SSL_get_peer_tmp_key(t->ssl, &key) == 1 && EVP_PKEY_is_a(key, "DH"))
		bits = EVP_PKEY_get_bits(key);
	if (bits > 0)
		snprintf(buf, STREAM_TLS_TEXT_BYTES, "%s/%s/DH=%d", version, cipher, bits);
	else
		snprintf(buf, STREAM_TLS_TEXT_BYTES, "%s/%s%s%s", version, cipher,
		         group == NULL ? "" : "/ECDH=", group == NULL ? "" : group);
	EVP_PKEY_free(key);
}

static const char *tls_version(const struct stream *s)
{
	return SSL_get_version(tls_of(s)->ssl);
}

static bool tls_peer_name(const struct stream *s, char *name, size_t size)
{
	const SSL *ssl = tls_of(s)->ssl;
	const X509 *cert = SSL_get0_peer_certificate(ssl);

	/* a certificate that nobody has looked at says nothing */
	return cert != NULL && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE && SSL_get_verify_result(ssl) == X509_V_OK &&
	       tls_common_name(cert, name, size);
}

/* RFC 5929: the hash of the certificate's signature; MD5 and SHA-1 are replaced by SHA-256. NULL: it has none. */
static const EVP_MD *binding_digest(const X509 *cert)
{
	int nid = NID_undef;

	if (X509_get_signature_info((X509 *)(uintptr_t)cert, &nid, NULL, NULL, NULL) != 1 || nid == NID_undef)
		return NULL;
	if (nid == NID_md5 || nid == NID_sha1)
		return EVP_sha256();
	return EVP_get_digestbynid(nid);
}

static size_t tls_binding(const struct stream *s, uint8_t *bytes)
{
	const SSL *ssl = tls_of(s)->ssl;
	const X509 *cert = SSL_is_server(ssl) ? SSL_get_certificate(ssl) : SSL_get0_peer_certificate(ssl);
	const EVP_MD *digest = cert == NULL ? NULL : binding_digest(cert);
	unsigned len = 0;

	if (digest == NULL || EVP_MD_get_size(digest) > STREAM_BINDING_BYTES ||
	    X509_digest(cert, digest, bytes, &len) != 1)
		len = 0;
	ERR_clear_error();
	return len;
}

static bool tls_has_more(const struct stream *s)
{
	return tls_of(s)->more;
}

static void tls_attend(struct stream *s)
{
	struct tls *t = tls_of(s);

	loop_task_cancel(&t->again);
	if (s->loop != NULL && ((t->more && stream_wants_read(s)) || s->securing))
		loop_again(s->loop, &t->again);
}

static const struct stream_ops tls_ops = {.read = tls_read,
                                          .write = tls_write,
                                          .close = tls_close,
                                          .text = tls_text,
                                          .version = tls_version,
                                          .peer_name = tls_peer_name,
                                          .binding = tls_binding,
                                          .has_more = tls_has_more,
                                          .shake = tls_shake,
                                          .attend = tls_attend};

/* Announces what is inside, and will do so again until it has been read. */
static void again(struct loop_task *task)
{
	struct tls *t = container_of(task, struct tls, again);
	struct stream *s = t->stream;

	if (s->securing) {
		stream_shake(s);
	} else if (t->more && stream_wants_read(s)) {
		loop_again(s->loop, &t->again);
		stream_tell(s, STREAM_READABLE);
	}
}

/* ---- beginning ---- */

static struct handshake *handshake_new(const struct tls_context *c, const char *host, const char *first, size_t len)
{
	struct handshake *h = (struct handshake *)mem_alloc(sizeof(*h) + len);

	if (h == NULL)
		return NULL;
	failure_init(&h->noted);
	h->needs_alpn = len > 0 || c->direct;
	h->early_len = len;
	if (len > 0)
		memcpy(h->early, first, len);
	if (c->mode == TLS_MODE_VERIFY_FULL && !c->for_clients)
		h->host = mem_copy_str(host == NULL ? "" : host);
	if (h->host != NULL || c->mode != TLS_MODE_VERIFY_FULL || c->for_clients)
		return h;
	handshake_free(h);
	return NULL;
}

/* What SSL_set_tlsext_host_name does, which casts const away where we cannot hide it. */
static bool set_host_name(SSL *ssl, const char *host)
{
	char *copy = mem_copy_str(host);
	bool good = copy != NULL && SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, copy) == 1;

	mem_free(copy);
	return good;
}

/* SSL for the context, on our BIO; false: out of memory. */
static bool attach(struct tls *t, const struct tls_context *c, const char *host)
{
	BIO *bio = BIO_new(c->bio);

	t->ssl = bio == NULL ? NULL : SSL_new(c->ssl);
	if (t->ssl == NULL) {
		BIO_free(bio);
		return false;
	}
	BIO_set_data(bio, t);
	BIO_set_init(bio, 1);
	SSL_set_bio(t->ssl, bio, bio);
	if (SSL_set_app_data(t->ssl, t) != 1)
		return false;
	if (c->for_clients)
		SSL_set_accept_state(t->ssl);
	else
		SSL_set_connect_state(t->ssl);
	/* a server with several names must know which one is meant; addresses are not names (RFC 6066) */
	if (!c->for_clients && host != NULL && host[0] != '\0' && strpbrk(host, ":/@") == NULL &&
	    host[strspn(host, "0123456789.")] != '\0')
		return set_host_name(t->ssl, host);
	return true;
}

static struct tls *tls_new(struct stream *s, struct shared *context, const char *host, const char *first, size_t len)
{
	const struct tls_context *c = tls_context_of(context);
	struct tls *t = mem_new(struct tls);

	if (t == NULL)
		return NULL;
	t->stream = s;
	loop_task_init(&t->again, again);
	shared_ref(context);
	t->context = context;
	t->handshake = handshake_new(c, host, first, len);
	if (t->handshake != NULL && attach(t, c, host))
		return t;
	ERR_clear_error();
	tls_free(t);
	return NULL;
}

static bool begin(struct stream *s, struct shared *context, const char *host, const char *first, size_t len,
                  struct failure *why)
{
	struct tls *t;

	if (stream_held_bytes(s) > 0 || stream_pending_bytes(s) > 0) {
		failure_set(why, PHASE_TLS, DOMAIN_POOLER, FAILURE_PROTOCOL,
		            "unencrypted bytes beside a request for TLS");
		return false;
	}
	t = tls_new(s, context, host, first, len);
	if (t == NULL) {
		failure_set(why, PHASE_TLS, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
		return false;
	}
	s->transport = t;
	s->ops = &tls_ops;
	s->securing = true;
	if (!tls_context_of(context)->for_clients || len > 0)
		loop_again(s->loop, &t->again);
	(void)stream_changed(s);
	return true;
}

bool stream_start_tls(struct stream *s, struct shared *context, const char *host, struct failure *why)
{
	return begin(s, context, host, NULL, 0, why);
}

bool stream_start_direct_tls(struct stream *s, struct shared *context, const char *first, size_t len,
                             struct failure *why)
{
	return begin(s, context, NULL, first, len, why);
}
