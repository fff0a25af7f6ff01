/* For tests of TLS: a certificate of its own making, contexts from it, and a pair of sockets with a hand between. */
#ifndef TEST_UNIT_TLS_BENCH_H
#define TEST_UNIT_TLS_BENCH_H

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/tls_context.h"

static char tls_folder[64];
static char tls_cert[128], tls_key[128];

/* A self-signed certificate for a common name of `len` bytes, and its key. */
static inline bool tls_make_named(const char *cert_path, const char *key_path, const char *common, int len)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_NAME *name = X509_get_subject_name(cert);
	FILE *f;

	ASN1_INTEGER_set(X509_get_serialNumber(cert), rand());
	X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
	X509_gmtime_adj(X509_getm_notAfter(cert), 36000);
	X509_set_pubkey(cert, key);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)common, len, -1, 0);
	X509_set_issuer_name(cert, name);
	X509_sign(cert, key, EVP_sha256());
	f = fopen(cert_path, "w");
	if (f == NULL || PEM_write_X509(f, cert) != 1 || fclose(f) != 0)
		return false;
	f = fopen(key_path, "w");
	if (f == NULL || PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) != 1 || fclose(f) != 0)
		return false;
	EVP_PKEY_free(key);
	X509_free(cert);
	return true;
}

static inline bool tls_make_files(const char *cert_path, const char *key_path)
{
	return tls_make_named(cert_path, key_path, "localhost", -1);
}

static inline bool tls_make_folder(void)
{
	snprintf(tls_folder, sizeof(tls_folder), "/tmp/pgweir-tls-XXXXXX");
	if (mkdtemp(tls_folder) == NULL)
		return false;
	snprintf(tls_cert, sizeof(tls_cert), "%s/cert", tls_folder);
	snprintf(tls_key, sizeof(tls_key), "%s/key", tls_folder);
	return tls_make_files(tls_cert, tls_key);
}

static inline void tls_remove_folder(void)
{
	unlink(tls_cert);
	unlink(tls_key);
	rmdir(tls_folder);
}

static inline struct tls_settings tls_for_clients(void)
{
	return (struct tls_settings){.for_clients = true,
	                             .prefix = "client_tls",
	                             .prefix13 = "client_tls13",
	                             .mode = TLS_MODE_PREFER,
	                             .key_file = tls_key,
	                             .cert_file = tls_cert,
	                             .ca_file = "",
	                             .protocols = "secure",
	                             .ciphers = "default",
	                             .ciphers13 = "",
	                             .groups = "auto",
	                             .dheparams = "auto"};
}

static inline struct tls_settings tls_for_servers(enum tls_mode mode)
{
	return (struct tls_settings){.prefix = "server_tls",
	                             .prefix13 = "server_tls13",
	                             .mode = mode,
	                             .key_file = "",
	                             .cert_file = "",
	                             .ca_file = tls_cert,
	                             .protocols = "secure",
	                             .ciphers = "default",
	                             .ciphers13 = "",
	                             .groups = "auto",
	                             .dheparams = "auto"};
}

static inline struct shared *tls_context(const struct tls_settings *s)
{
	struct shared *context = NULL;
	struct conf_error why;

	memset(&why, 0, sizeof(why));
	if (!tls_context_make(s, NULL, &context, &why))
		fail_msg("%s", why.text);
	return context;
}

#endif
