/* What is wrong with the other side's certificate, and what a failed handshake means, in words. Any thread. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "net/tls_private.h"
#include "net/tls_stream.h"
#include "os/socket.h"

#define NAMES_SHOWN 3

/* ---- trust ---- */

static const char *time_words(const struct tm *tm, char *buf, size_t size)
{
	strftime(buf, size, "%Y-%m-%d %H:%M:%S UTC", tm);
	return buf;
}

static void note_time(struct failure *why, enum failure_tls what, const ASN1_TIME *limit)
{
	time_t now = time(NULL);
	char at[32] = "?", here[32];
	struct tm tm;

	if (ASN1_TIME_to_tm(limit, &tm) == 1)
		(void)time_words(&tm, at, sizeof(at));
	gmtime_r(&now, &tm);
	failure_setf(why, PHASE_TLS, DOMAIN_TLS, (int)what, "it %s %s, the clock here says %s",
	             what == FAILURE_TLS_EXPIRED ? "has expired on" : "is not valid before", at,
	             time_words(&tm, here, sizeof(here)));
}

/* A name of a certificate on one line, its letters made harmless. */
static void name_words(const X509_NAME *name, char *buf, size_t size)
{
	if (X509_NAME_oneline(name, buf, (int)size) == NULL)
		buf[0] = '\0';
	for (char *p = buf; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' || *p == '"')
			*p = '?';
}

static void note_reason(struct failure *why, X509_STORE_CTX *store)
{
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	int error = X509_STORE_CTX_get_error(store);
	char issuer[72];

	if (cert != NULL && error == X509_V_ERR_CERT_HAS_EXPIRED) {
		note_time(why, FAILURE_TLS_EXPIRED, X509_get0_notAfter(cert));
		return;
	}
	if (cert != NULL && error == X509_V_ERR_CERT_NOT_YET_VALID) {
		note_time(why, FAILURE_TLS_NOT_YET_VALID, X509_get0_notBefore(cert));
		return;
	}
	if (cert == NULL) {
		failure_set(why, PHASE_TLS, DOMAIN_TLS, FAILURE_TLS_NOT_TRUSTED, X509_verify_cert_error_string(error));
		return;
	}
	name_words(X509_get_issuer_name(cert), issuer, sizeof(issuer));
	failure_setf(why, PHASE_TLS, DOMAIN_TLS, FAILURE_TLS_NOT_TRUSTED, "%s, issuer \"%s\"",
	             X509_verify_cert_error_string(error), issuer);
}

int tls_verify_callback(int good, X509_STORE_CTX *store)
{
	const SSL *ssl = (const SSL *)X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct failure *noted = tls_noted(ssl);

	if (good == 0 && noted != NULL && !failure_is_set(noted))
		note_reason(noted, store);
	return good;
}

/* ---- names ---- */

/* A text of a certificate as a C string; false: too long, or with a NUL in it. */
static bool take_text(const ASN1_STRING *from, char *to, size_t size)
{
	unsigned char *utf8 = NULL;
	int len = from == NULL ? -1 : ASN1_STRING_to_UTF8(&utf8, from);
	bool good = len > 0 && (size_t)len < size && memchr(utf8, '\0', (size_t)len) == NULL;

	if (good) {
		memcpy(to, utf8, (size_t)len);
		to[len] = '\0';
	}
	OPENSSL_free(utf8);
	return good;
}

bool tls_common_name(const X509 *cert, char *name, size_t size)
{
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);

	if (at < 0)
		return false;
	return take_text(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)), name, size);
}

/* What was found while looking through a certificate's names. */
struct search {
	const char *host;
	unsigned char address[16];
	size_t address_len; /* 0: the host is a name */
	bool has_own_kind;  /* there is a name of the host's kind: then the common name does not count */
	bool found;
	int n;
	char shown[NAMES_SHOWN][48];
};

/* "*.example.com" stands for exactly one label. */
static bool fits(const char *pattern, const char *host)
{
	const char *dot;

	if (OPENSSL_strncasecmp(pattern, host, strlen(host) + 1) == 0)
		return true;
	if (strncmp(pattern, "*.", 2) != 0 || strchr(pattern + 2, '.') == NULL)
		return false;
	dot = strchr(host, '.');
	return dot != NULL && dot != host && OPENSSL_strncasecmp(pattern + 1, dot, strlen(dot) + 1) == 0;
}

static void note_name(struct search *s, const char *name)
{
	if (s->n < NAMES_SHOWN) {
		snprintf(s->shown[s->n], sizeof(s->shown[0]), "%s", name);
		for (char *p = s->shown[s->n]; *p != '\0'; p++)
			if ((unsigned char)*p < ' ' || (unsigned char)*p > '~' || *p == '"')
				*p = '?';
	}
	s->n++;
}

static void look_at_address(struct search *s, const ASN1_OCTET_STRING *address)
{
	const unsigned char *bytes = ASN1_STRING_get0_data(address);
	size_t len = (size_t)ASN1_STRING_length(address);
	char text[INET6_ADDRSTRLEN];

	if (len != 4 && len != 16)
		return;
	note_name(s, inet_ntop(len == 4 ? AF_INET : AF_INET6, bytes, text, INET6_ADDRSTRLEN));
	if (s->address_len == 0)
		return;
	s->has_own_kind = true;
	if (len == s->address_len && memcmp(bytes, s->address, len) == 0)
		s->found = true;
}

static void look_at_name(struct search *s, const ASN1_STRING *text)
{
	char name[256];

	if (!take_text(text, name, sizeof(name)))
		return;
	note_name(s, name);
	if (s->address_len != 0)
		return;
	s->has_own_kind = true;
	if (fits(name, s->host))
		s->found = true;
}

static void look_at_alternatives(struct search *s, const X509 *cert)
{
	GENERAL_NAMES *names = (GENERAL_NAMES *)X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_DNS)
			look_at_name(s, name->d.dNSName);
		else if (name->type == GEN_IPADD)
			look_at_address(s, name->d.iPAddress);
	}
	GENERAL_NAMES_free(names);
}

static void look_at_common_name(struct search *s, const X509 *cert)
{
	char name[256];

	if (s->has_own_kind || !tls_common_name(cert, name, sizeof(name)))
		return;
	note_name(s, name);
	if (s->address_len != 0 ? strcmp(name, s->host) == 0 : fits(name, s->host))
		s->found = true;
}

static void search_init(struct search *s, const char *host)
{
	memset(s, 0, sizeof(*s));
	s->host = host;
	if (inet_pton(AF_INET, host, s->address) == 1)
		s->address_len = 4;
	else if (inet_pton(AF_INET6, host, s->address) == 1)
		s->address_len = 16;
}

static void tell_names(const struct search *s, struct failure *why)
{
	char more[32] = "";

	if (s->n == 0) {
		failure_set(why, PHASE_TLS, DOMAIN_TLS, FAILURE_TLS_OTHER_NAME, "it has no name");
		return;
	}
	if (s->n > NAMES_SHOWN)
		snprintf(more, sizeof(more), " and %d more", s->n - NAMES_SHOWN);
	failure_setf(why, PHASE_TLS, DOMAIN_TLS, FAILURE_TLS_OTHER_NAME, "\"%s\"%s%s%s%s%s%s%s", s->shown[0],
	             s->n > 1 ? ", \"" : "", s->shown[1], s->n > 1 ? "\"" : "", s->n > 2 ? ", \"" : "", s->shown[2],
	             s->n > 2 ? "\"" : "", more);
}

bool tls_verify_host(SSL *ssl, const char *host, struct failure *why)
{
	const X509 *cert = SSL_get0_peer_certificate(ssl);
	struct search s;

	search_init(&s, host);
	if (cert != NULL && host[0] != '\0') {
		look_at_alternatives(&s, cert);
		look_at_common_name(&s, cert);
	}
	if (!s.found)
		tell_names(&s, why);
	return s.found;
}

/* ---- what the library says ---- */

static enum failure_tls meaning_of(int reason)
{
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_NO_PROTOCOLS_AVAILABLE:
	case SSL_R_VERSION_TOO_LOW:
	case SSL_R_VERSION_TOO_HIGH:
	case SSL_R_NO_SHARED_CIPHER:
	case SSL_R_NO_CIPHERS_AVAILABLE:
	case SSL_R_NO_SUITABLE_KEY_SHARE:
	case SSL_R_NO_SHARED_GROUPS:
	case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
	case SSL_R_TLSV1_ALERT_INSUFFICIENT_SECURITY:
	case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
		return FAILURE_TLS_NOTHING_COMMON;
	case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
	case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
	case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
	case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
	case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
		return FAILURE_TLS_OURS_REFUSED;
	case SSL_R_WRONG_VERSION_NUMBER:
	case SSL_R_HTTP_REQUEST:
	case SSL_R_HTTPS_PROXY_REQUEST:
	case SSL_R_PACKET_LENGTH_TOO_LONG:
		return FAILURE_TLS_NOT_TLS;
	default: /* a number of the library */
		return FAILURE_TLS_OTHER;
	}
}

static const char *version_name(int version)
{
	static const char *const names[] = {"TLSv1.0", "TLSv1.1", "TLSv1.2", "TLSv1.3"};

	return version < TLS1_VERSION || version > TLS1_3_VERSION ? "any" : names[version - TLS1_VERSION];
}

void tls_explain(SSL *ssl, enum failure_phase phase, struct failure *why)
{
	unsigned long error = ERR_peek_error();
	const char *words = ERR_reason_error_string(error);
	int least = (int)SSL_get_min_proto_version(ssl), most = (int)SSL_get_max_proto_version(ssl);
	enum failure_tls what =
	    ERR_GET_LIB(error) == ERR_LIB_SSL ? meaning_of(ERR_GET_REASON(error)) : FAILURE_TLS_OTHER;

	ERR_clear_error();
	if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE)
		failure_set(why, phase, DOMAIN_POOLER, FAILURE_NO_MEMORY, NULL);
	else if (what == FAILURE_TLS_NOTHING_COMMON)
		failure_setf(why, phase, DOMAIN_TLS, (int)what, "%s, here %s to %s are allowed",
		             words == NULL ? "" : words, version_name(least), version_name(most));
	else
		failure_set(why, phase, DOMAIN_TLS, (int)what, words == NULL ? "unknown error" : words);
}
