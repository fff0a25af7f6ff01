/* What the files of TLS share: tls_context.c, tls_stream.c, tls_system.c, tls_verify.c. */
#ifndef NET_TLS_PRIVATE_H
#define NET_TLS_PRIVATE_H

#include <openssl/ssl.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/failure.h"
#include "base/list.h"
#include "base/shared.h"
#include "base/str.h"
#include "conf/settings.h"

#define TLS_ALPN "\x0apostgresql"
#define TLS_DIGEST_BYTES 32

/* Immutable once published. */
struct tls_context {
	struct shared shared;
	SSL_CTX *ssl;
	BIO_METHOD *bio; /* of the streams that use this context */
	bool for_clients;
	bool direct;
	enum tls_mode mode;
	unsigned char digest[TLS_DIGEST_BYTES]; /* of settings and files */
};

static inline const struct tls_context *tls_context_of(const struct shared *shared)
{
	return container_of_const(shared, struct tls_context, shared);
}

/* tls_context.c: for reading PEM; nobody is asked for a passphrase. */
int tls_no_passphrase(char *buf, int size, int rwflag, void *arg);

/* tls_stream.c: the BIO of our own. NULL: out of memory. */
BIO_METHOD *tls_bio_method_new(void);

/* ---- tls_system.c ---- */

/* Of the certificates that the system trusts, those that can be read now, as PEM. `*in_directories`: others are looked
   up one by one when they are asked for. False with errno set. */
bool tls_system_read(struct str *pem, bool *in_directories) MUST_USE;

enum tls_system_trusted {
	TLS_SYSTEM_TRUSTED,
	TLS_SYSTEM_EMPTY, /* there is nobody to trust */
	TLS_SYSTEM_NO_MEMORY
};
/* Trusts those. What is no certificate to the library is passed over: it is the system's, not ours to judge. */
enum tls_system_trusted tls_system_trust(SSL_CTX *ssl, const struct str *pem, bool in_directories) MUST_USE;

/* ---- tls_verify.c ---- */

/* Set on each SSL whose peer's certificate is verified; `noted` gets the reason if that fails. Needs SSL_set_app_data
   to lead to it. */
int tls_verify_callback(int good, X509_STORE_CTX *store);

/* Whether the server's certificate is for this host: as libpq does it. False with `why`. */
bool tls_verify_host(SSL *ssl, const char *host, struct failure *why);

/* The words for what the library has just failed with. */
void tls_explain(SSL *ssl, enum failure_phase phase, struct failure *why);

/* The common name of a certificate; false: none, empty, too long, or with a NUL in it. */
bool tls_common_name(const X509 *cert, char *name, size_t size);

#endif
