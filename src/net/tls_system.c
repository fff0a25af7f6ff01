/*
 * Authorities whom the system trusts: its store, where it has one; elsewhere the files where the library looks, and
 * which SSL_CERT_FILE and SSL_CERT_DIR name otherwise. Main thread at start and reload, but nothing here depends on
 * that.
 */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "conf/read.h"
#include "net/tls_private.h"
#include "os/directory.h"
#include "os/roots.h"

#define HASH "[0-9a-f]"
#define HASHED_NAME HASH HASH HASH HASH HASH HASH HASH HASH ".[0-9]*" /* how c_rehash names links */
static const char *place(const char *variable, const char *standard)
{
	const char *value = getenv(variable);

	return value != NULL ? value : standard;
}

bool tls_system_read(struct str *pem, bool *in_directories)
{
	int error;

	*in_directories = false;
	switch (system_roots_read(pem)) {
	case SYSTEM_ROOTS_READ:
		return true;
	case SYSTEM_ROOTS_IN_FILES:
		break;
	case SYSTEM_ROOTS_FAILED:
		return false;
	}
	*in_directories = true;
	error = conf_read_file(NULL, place(X509_get_default_cert_file_env(), X509_get_default_cert_file()), pem);
	/* a system may have directories only */
	if (error == 0 || error == ENOENT || error == ENOTDIR)
		return true;
	errno = error;
	return false;
}

/* Whether any of the directories, with colons between, has a certificate. */
static bool has_hashed(const char *directories)
{
	bool found = false;

	while (!found && *directories != '\0') {
		size_t len = strcspn(directories, ":");
		char *directory = mem_copy(directories, len), **names = NULL;

		if (directory != NULL && len > 0 && directory_names(directory, HASHED_NAME, &names) == 0)
			found = names[0] != NULL;
		directory_names_free(names);
		mem_free(directory);
		directories += len + (directories[len] == '\0' ? 0 : 1);
	}
	return found;
}

/* How many were taken; -1: out of memory. */
static int take_all(X509_STORE *store, BIO *in)
{
	size_t left = BIO_ctrl_pending(in), before;
	int n = 0;

	while (left > 0) {
		X509 *cert = PEM_read_bio_X509_AUX(in, NULL, tls_no_passphrase, NULL);

		if (cert != NULL && X509_STORE_add_cert(store, cert) == 1)
			n++;
		X509_free(cert);
		before = left;
		left = BIO_ctrl_pending(in);
		if (left == before) /* not even a line was read */
			return -1;
	}
	ERR_clear_error();
	return n;
}

enum tls_system_trusted tls_system_trust(SSL_CTX *ssl, const struct str *pem, bool in_directories)
{
	BIO *in = BIO_new_mem_buf(str_text(pem), (int)pem->len);
	int n = in == NULL ? -1 : take_all(SSL_CTX_get_cert_store(ssl), in);

	BIO_free(in);
	if (n < 0 || (in_directories && SSL_CTX_set_default_verify_dir(ssl) != 1))
		return TLS_SYSTEM_NO_MEMORY;
	if (n > 0 ||
	    (in_directories && has_hashed(place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir()))))
		return TLS_SYSTEM_TRUSTED;
	return TLS_SYSTEM_EMPTY;
}
