/*
 * Contexts of TLS from settings. Main thread at start and reload, but nothing here depends on that.
 *
 *   tls_context_make ─> files read once ─> digest of everything ─> the old one is the same: that one
 *                                                               └> protocols, ciphers, groups, certificate, key,
 * authorities
 */
#include "net/tls_context.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "conf/read.h"
#include "net/tls_private.h"
#include "os/error.h"

#define MAX_FILE_BYTES (4u << 20)

/* A context being made. */
struct making {
	const struct tls_settings *s;
	struct tls_context *context;
	struct str cert, key, ca; /* the files */
	bool in_directories;      /* the system's authorities: not all are in `ca` */
	struct conf_error *why;
};

/* ---- saying no ---- */

static const char *library_words(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *words = ERR_reason_error_string(error);

	if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE)
		return "there is nothing of the expected kind in it (PEM)";
	if (ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_BAD_PASSWORD_READ)
		return "it is protected by a passphrase, which is not supported";
	return words == NULL ? "not accepted" : words;
}

/* "invalid client_tls_key_file: /dir/file: reason". Returns false. */
static bool fail(const struct making *m, const char *prefix, const char *setting, const char *value, const char *reason)
{
	(void)conf_fail(m->why, NULL, 0, "invalid %s_%s: %.200s%s%s%s%.64s%s", prefix, setting, value,
	                reason[0] == '\0' ? "" : ": ", reason, m->s->database == NULL ? "" : " (database \"",
	                m->s->database == NULL ? "" : m->s->database, m->s->database == NULL ? "" : "\")");
	ERR_clear_error();
	return false;
}

/* ---- files ---- */

static bool read_file(const struct making *m, const char *setting, const char *path, struct str *out)
{
	char reason[128];
	int error;

	if (path[0] == '\0')
		return true;
	error = conf_read_file(NULL, path, out);
	if (error == 0)
		return true;
	return fail(m, m->s->prefix, setting, path, os_error_text(error, reason, sizeof(reason)));
}

/* Where there is no other word for them, the system's authorities are a file like others. */
static bool read_system(struct making *m)
{
	char reason[128];

	if (tls_system_read(&m->ca, &m->in_directories))
		return true;
	(void)fail(m, m->s->prefix, "ca_file", CONF_TLS_SYSTEM, os_error_text(errno, reason, sizeof(reason)));
	conf_hint(m->why,
	          "The certificates that the system trusts cannot be read. Name a file of authorities instead.");
	return false;
}

/* For clients the word means nothing: whom the system trusts may vouch for hosts, not for people. */
static bool read_authorities(struct making *m)
{
	if (conf_tls_trusts_system(m->s))
		return read_system(m);
	if (read_file(m, "ca_file", m->s->ca_file, &m->ca))
		return true;
	if (m->s->for_clients && strcmp(m->s->ca_file, CONF_TLS_SYSTEM) == 0)
		conf_hint(m->why, "Those whom the system trusts vouch for hosts, not for clients: name the file of the "
		                  "authority that signs the certificates of yours.");
	return false;
}

static bool read_files(struct making *m)
{
	return read_file(m, "cert_file", m->s->cert_file, &m->cert) &&
	       read_file(m, "key_file", m->s->key_file, &m->key) && read_authorities(m);
}

static bool add_text(EVP_MD_CTX *digest, const char *text)
{
	return EVP_DigestUpdate(digest, text, strlen(text) + 1) == 1;
}

static bool add_file(EVP_MD_CTX *digest, const struct str *file)
{
	return EVP_DigestUpdate(digest, &file->len, sizeof(file->len)) == 1 &&
	       EVP_DigestUpdate(digest, str_text(file), file->len) == 1;
}

static bool digest_all(const struct making *m, unsigned char *out)
{
	const struct tls_settings *s = m->s;
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	bool good;

	good = digest != NULL && EVP_DigestInit_ex(digest, EVP_sha256(), NULL) == 1 && add_text(digest, s->prefix) &&
	       add_text(digest, tls_mode_name(s->mode)) && add_text(digest, s->direct ? "direct" : "") &&
	       add_text(digest, s->ca_file) && add_text(digest, s->protocols) && add_text(digest, s->ciphers) &&
	       add_text(digest, s->ciphers13) && add_text(digest, s->groups) && add_text(digest, s->dheparams) &&
	       add_file(digest, &m->cert) && add_file(digest, &m->key) && add_file(digest, &m->ca) &&
	       EVP_DigestFinal_ex(digest, out, NULL) == 1;
	EVP_MD_CTX_free(digest);
	return good || conf_fail_memory(m->why, NULL, 0);
}

/* ---- protocols, ciphers, groups ---- */

struct protocol {
	const char *name;
	unsigned bits; /* 1: 1.0, 2: 1.1, 4: 1.2, 8: 1.3 */
};

static const struct protocol protocols[] = {{"tlsv1.0", 1}, {"tlsv1.1", 2}, {"tlsv1.2", 4},
                                            {"tlsv1.3", 8}, {"tlsv1", 15},  {"all", 15},
                                            {"legacy", 15}, {"secure", 12}, {"default", 12}};

static bool same_word(const char *word, size_t len, const char *name)
{
	return strlen(name) == len && OPENSSL_strncasecmp(word, name, len) == 0;
}

static unsigned protocol_bits(const char *word, size_t len)
{
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (same_word(word, len, protocols[i].name))
			return protocols[i].bits;
	return 0;
}

/* Words with commas or colons between; "!" takes away. 0: not understood, or nothing is left. */
static unsigned parse_protocols(const char *text)
{
	unsigned result = 0;

	for (const char *p = text; *p != '\0';) {
		size_t len = strcspn(p, ",:"), trimmed;
		const char *next = p + len + (p[len] == '\0' ? 0 : 1);
		size_t blanks = strspn(p, " \t");
		unsigned bits;
		bool minus;

		blanks = blanks > len ? len : blanks;
		p += blanks;
		len -= blanks;
		minus = len > 0 && *p == '!';
		p += minus;
		trimmed = len - minus;
		while (trimmed > 0 && (p[trimmed - 1] == ' ' || p[trimmed - 1] == '\t'))
			trimmed--;
		bits = protocol_bits(p, trimmed);
		if (bits == 0)
			return 0;
		if (minus && result == 0)
			result = 15;
		result = minus ? result & ~bits : result | bits;
		p = next;
	}
	return result;
}

static bool set_protocols(const struct making *m)
{
	static const uint64_t off[] = {SSL_OP_NO_TLSv1, SSL_OP_NO_TLSv1_1, SSL_OP_NO_TLSv1_2, SSL_OP_NO_TLSv1_3};
	static const int version[] = {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION, TLS1_3_VERSION};
	unsigned bits = parse_protocols(m->s->protocols[0] == '\0' ? "secure" : m->s->protocols);
	SSL_CTX *ssl = m->context->ssl;
	int least = 0, most = 0;

	if (bits == 0)
		return fail(m, m->s->prefix, "protocols", m->s->protocols, "");
	for (int i = 0; i < 4; i++) {
		if ((bits & (1u << i)) == 0) {
			SSL_CTX_set_options(ssl, off[i]);
			continue;
		}
		least = least == 0 ? version[i] : least;
		most = version[i];
	}
	if (SSL_CTX_set_min_proto_version(ssl, least) == 1 && SSL_CTX_set_max_proto_version(ssl, most) == 1)
		return true;
	return fail(m, m->s->prefix, "protocols", m->s->protocols, library_words());
}

static bool is_standard(const char *text)
{
	static const char *const words[] = {"", "default", "secure", "fast", "normal"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (same_word(text, strlen(text), words[i]))
			return true;
	return false;
}

/* The library's own list without what the groups rule out; NULL: out of memory. */
static char *cipher_list(const struct tls_settings *s)
{
	const char *list = s->ciphers;
	struct str out;

	if (is_standard(list))
		list = OSSL_default_cipher_list();
	else if (same_word(list, strlen(list), "all"))
		list = "ALL:!aNULL:!eNULL";
	str_init(&out, MAX_FILE_BYTES);
	str_add_str(&out, list);
	if (same_word(s->groups, strlen(s->groups), "none"))
		str_add_str(&out, ":!kECDHE");
	return str_take(&out);
}

static bool set_ciphers(const struct making *m)
{
	SSL_CTX *ssl = m->context->ssl;
	char *list = cipher_list(m->s);
	bool good = list != NULL && SSL_CTX_set_cipher_list(ssl, list) == 1;

	mem_free(list);
	if (!good)
		return fail(m, m->s->prefix, "ciphers", m->s->ciphers, library_words());
	if (m->s->ciphers13[0] == '\0' || SSL_CTX_set_ciphersuites(ssl, m->s->ciphers13) == 1)
		return true;
	return fail(m, m->s->prefix13, "ciphers", m->s->ciphers13, library_words());
}

static bool is_standard_groups(const char *groups)
{
	return groups[0] == '\0' || same_word(groups, strlen(groups), "auto") ||
	       same_word(groups, strlen(groups), "none");
}

/* What SSL_CTX_set1_groups_list does, which casts const away where we cannot hide it. */
static bool set_group_list(SSL_CTX *ssl, const char *groups)
{
	char *copy = mem_copy_str(groups);
	bool good = copy != NULL && SSL_CTX_ctrl(ssl, SSL_CTRL_SET_GROUPS_LIST, 0, copy) == 1;

	mem_free(copy);
	return good;
}

static bool set_groups(const struct making *m)
{
	const char *groups = m->s->groups, *dhe = m->s->dheparams;
	SSL_CTX *ssl = m->context->ssl;

	if (!is_standard_groups(groups) && !set_group_list(ssl, groups))
		return fail(m, m->s->prefix, "ecdhecurve", groups, library_words());
	if (dhe[0] == '\0' || same_word(dhe, strlen(dhe), "auto"))
		SSL_CTX_set_dh_auto(ssl, 1);
	else if (same_word(dhe, strlen(dhe), "legacy"))
		SSL_CTX_set_dh_auto(ssl, 2); /* 1024 bits, where the security level allows it */
	else if (!same_word(dhe, strlen(dhe), "none"))
		return fail(m, m->s->prefix, "dheparams", dhe, "must be none, auto or legacy");
	return true;
}

/* ---- certificates ---- */

int tls_no_passphrase(char *buf, int size, int rwflag, void *arg)
{
	(void)buf;
	(void)size;
	(void)rwflag;
	(void)arg;
	return -1;
}

static BIO *bio_of(const struct str *file)
{
	return BIO_new_mem_buf(str_text(file), (int)file->len);
}

/* Only the end of the file has been met. */
static bool met_end(void)
{
	unsigned long error = ERR_peek_last_error();
	bool end = ERR_GET_LIB(error) == ERR_LIB_PEM && ERR_GET_REASON(error) == PEM_R_NO_START_LINE;

	if (end)
		ERR_clear_error();
	return end;
}

/* Our certificate, and behind it those of its issuers. */
static bool take_chain(SSL_CTX *ssl, BIO *in)
{
	X509 *cert = PEM_read_bio_X509_AUX(in, NULL, tls_no_passphrase, NULL);
	bool good = cert != NULL && SSL_CTX_use_certificate(ssl, cert) == 1;

	X509_free(cert);
	while (good && (cert = PEM_read_bio_X509(in, NULL, tls_no_passphrase, NULL)) != NULL) {
		if (SSL_CTX_add0_chain_cert(ssl, cert) == 1)
			continue;
		X509_free(cert);
		good = false;
	}
	return good && met_end();
}

static bool set_cert(const struct making *m)
{
	BIO *in = bio_of(&m->cert);
	bool good = in != NULL && take_chain(m->context->ssl, in);

	BIO_free(in);
	return good || fail(m, m->s->prefix, "cert_file", m->s->cert_file, library_words());
}

static bool set_key(const struct making *m)
{
	BIO *in = bio_of(&m->key);
	EVP_PKEY *key = in == NULL ? NULL : PEM_read_bio_PrivateKey(in, NULL, tls_no_passphrase, NULL);
	bool good = key != NULL && SSL_CTX_use_PrivateKey(m->context->ssl, key) == 1 &&
	            SSL_CTX_check_private_key(m->context->ssl) == 1;

	EVP_PKEY_free(key);
	BIO_free(in);
	return good || fail(m, m->s->prefix, "key_file", m->s->key_file, library_words());
}

/* Whom we trust; clients are told the names of those who may have signed their certificates. */
static bool take_authorities(const struct making *m, BIO *in)
{
	SSL_CTX *ssl = m->context->ssl;
	X509_STORE *store = SSL_CTX_get_cert_store(ssl);
	int n = 0;
	X509 *cert;

	for (; (cert = PEM_read_bio_X509_AUX(in, NULL, tls_no_passphrase, NULL)) != NULL; n++) {
		bool good = X509_STORE_add_cert(store, cert) == 1 &&
		            (!m->s->for_clients || SSL_CTX_add_client_CA(ssl, cert) == 1);

		X509_free(cert);
		if (!good)
			return false;
	}
	return n > 0 && met_end();
}

static bool set_authorities(const struct making *m)
{
	BIO *in = bio_of(&m->ca);
	bool good = in != NULL && take_authorities(m, in);

	BIO_free(in);
	return good || fail(m, m->s->prefix, "ca_file", m->s->ca_file, library_words());
}

/* Without anybody to trust no server can be verified. That is said to those who have asked for the system's; who has
   named nobody learns it from the first connection, as with PgBouncer. */
static bool trust_system(const struct making *m)
{
	switch (tls_system_trust(m->context->ssl, &m->ca, m->in_directories)) {
	case TLS_SYSTEM_TRUSTED:
		return true;
	case TLS_SYSTEM_NO_MEMORY:
		return conf_fail_memory(m->why, NULL, 0);
	case TLS_SYSTEM_EMPTY:
		break;
	}
	if (m->s->ca_file[0] == '\0')
		return true;
	(void)fail(m, m->s->prefix, "ca_file", CONF_TLS_SYSTEM, "this system has no certificates of authorities");
	conf_hint(m->why, "On Debian and Alpine they are the package ca-certificates. Or name a file of authorities.");
	return false;
}

/* Without a file of authorities a client is not asked for its certificate. */
static bool set_verification(const struct making *m)
{
	SSL_CTX *ssl = m->context->ssl;
	int verify = SSL_VERIFY_NONE;

	if (conf_tls_trusts_system(m->s) ? !trust_system(m) : m->s->ca_file[0] != '\0' && !set_authorities(m))
		return false;
	/* below verify-ca clients may show one, for HBA lines with method cert; what they show must be right */
	if (m->s->for_clients && m->s->ca_file[0] != '\0')
		verify = SSL_VERIFY_PEER;
	if (m->s->mode >= TLS_MODE_VERIFY_CA)
		verify = SSL_VERIFY_PEER | (m->s->for_clients ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0);
	SSL_CTX_set_verify(ssl, verify, verify == SSL_VERIFY_NONE ? NULL : tls_verify_callback);
	return true;
}

/* ---- the whole ---- */

/* The first protocol that both know; a client that knows others only is refused. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *in,
                       unsigned len, void *arg)
{
	unsigned char *chosen;

	(void)ssl;
	(void)arg;
	if (SSL_select_next_proto(&chosen, out_len, (const unsigned char *)TLS_ALPN, sizeof(TLS_ALPN) - 1, in, len) !=
	    OPENSSL_NPN_NEGOTIATED)
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	*out = chosen;
	return SSL_TLSEXT_ERR_OK;
}

static bool set_basics(const struct making *m)
{
	static const unsigned char session[] = "pgweir";
	SSL_CTX *ssl = m->context->ssl;

	SSL_CTX_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
	                          SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_clear_mode(ssl, SSL_MODE_AUTO_RETRY);
	SSL_CTX_set_options(ssl, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
	SSL_CTX_set_read_ahead(ssl, 1);
	/* nobody comes back with a session: clients of a pooler stay, and tickets cost half a handshake */
	SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
	if (!m->s->for_clients)
		return SSL_CTX_set_alpn_protos(ssl, (const unsigned char *)TLS_ALPN, sizeof(TLS_ALPN) - 1) == 0;
	SSL_CTX_set_options(ssl, SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_alpn_select_cb(ssl, choose_alpn, NULL);
	return SSL_CTX_set_num_tickets(ssl, 0) == 1 &&
	       SSL_CTX_set_session_id_context(ssl, session, sizeof(session) - 1) == 1;
}

static void context_free(struct shared *shared)
{
	struct tls_context *c = container_of(shared, struct tls_context, shared);

	SSL_CTX_free(c->ssl);
	BIO_meth_free(c->bio);
	mem_free(c);
}

/* False: out of memory; what there is belongs to m->context. */
static bool new_context(struct making *m)
{
	struct tls_context *c = m->context = mem_new(struct tls_context);

	if (c == NULL)
		return false;
	shared_init(&c->shared, context_free);
	c->mode = m->s->mode;
	c->direct = m->s->direct;
	c->for_clients = m->s->for_clients;
	c->bio = tls_bio_method_new();
	c->ssl = SSL_CTX_new(m->s->for_clients ? TLS_server_method() : TLS_client_method());
	return c->bio != NULL && c->ssl != NULL && set_basics(m);
}

static bool check_together(const struct making *m)
{
	const struct tls_settings *s = m->s;
	bool has_key = s->key_file[0] != '\0', has_cert = s->cert_file[0] != '\0';

	if (s->for_clients && (!has_key || !has_cert))
		return conf_fail(m->why, NULL, 0,
		                 "To allow TLS connections from clients, client_tls_key_file and "
		                 "client_tls_cert_file must be set.");
	if (s->for_clients && s->mode >= TLS_MODE_VERIFY_CA && s->ca_file[0] == '\0')
		return conf_fail(m->why, NULL, 0, "client_tls_sslmode = %s requires client_tls_ca_file",
		                 tls_mode_name(s->mode));
	if (!s->for_clients && strcmp(s->ca_file, CONF_TLS_SYSTEM) == 0 && s->mode != TLS_MODE_VERIFY_FULL) {
		(void)fail(m, s->prefix, "ca_file", CONF_TLS_SYSTEM, "it needs server_tls_sslmode = verify-full");
		conf_hint(m->why,
		          "Anybody can get a certificate from those whom the system trusts, for a name of his own: "
		          "only with verify-full is the name compared. A file of that name is ./system.");
		return false;
	}
	if (has_key != has_cert)
		return conf_fail(m->why, NULL, 0, "%s_key_file and %s_cert_file must be set together", s->prefix,
		                 s->prefix);
	if (s->direct && s->mode < TLS_MODE_REQUIRE)
		return conf_fail(m->why, NULL, 0,
		                 "server_tls_negotiation = direct needs server_tls_sslmode require, verify-ca or "
		                 "verify-full");
	return true;
}

static bool fill(const struct making *m)
{
	if (!set_protocols(m) || !set_ciphers(m) || !set_groups(m))
		return false;
	if (m->s->cert_file[0] != '\0' && (!set_cert(m) || !set_key(m)))
		return false;
	return set_verification(m);
}

static bool make(struct making *m, struct shared *was, struct shared **out)
{
	unsigned char digest[TLS_DIGEST_BYTES];

	if (!check_together(m) || !read_files(m) || !digest_all(m, digest))
		return false;
	if (was != NULL && memcmp(tls_context_of(was)->digest, digest, sizeof(digest)) == 0) {
		shared_ref(was);
		*out = was;
		return true;
	}
	if (!new_context(m))
		return conf_fail_memory(m->why, NULL, 0);
	memcpy(m->context->digest, digest, sizeof(digest));
	if (!fill(m))
		return false;
	*out = &m->context->shared;
	m->context = NULL;
	return true;
}

bool tls_context_make(const struct tls_settings *s, struct shared *was, struct shared **out, struct conf_error *why)
{
	struct making m = {.s = s, .why = why};
	bool good;

	if (s->mode == TLS_MODE_DISABLE) {
		*out = NULL;
		return true;
	}
	str_init(&m.cert, MAX_FILE_BYTES);
	str_init(&m.key, MAX_FILE_BYTES);
	str_init(&m.ca, MAX_FILE_BYTES);
	ERR_clear_error();
	good = make(&m, was, out);
	if (m.context != NULL)
		shared_unref(&m.context->shared);
	conf_forget(&m.key);
	str_fini(&m.cert);
	str_fini(&m.ca);
	ERR_clear_error();
	return good;
}

enum tls_mode tls_context_mode(const struct shared *context)
{
	return context == NULL ? TLS_MODE_DISABLE : tls_context_of(context)->mode;
}

bool tls_context_is_direct(const struct shared *context)
{
	return tls_context_of(context)->direct;
}
