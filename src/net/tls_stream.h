/* What tls_verify.c needs of a stream's TLS. */
#ifndef NET_TLS_STREAM_H
#define NET_TLS_STREAM_H

#include <openssl/ssl.h>

struct failure;

/* Where the reason goes if the peer's certificate is not accepted; NULL once the handshake is over. */
struct failure *tls_noted(const SSL *ssl);

#endif
