/*
 * The settings of TLS for one side, drawn together: from [pgbouncer], and for servers from their line in [databases].
 * Values only; what they become is net/tls_context.h's. Any thread.
 */
#ifndef CONF_TLS_H
#define CONF_TLS_H

#include <stdbool.h>

#include "base/attr.h"
#include "conf/config.h"

/* Strings live in the settings and the entry; empty: not set. */
struct tls_settings {
	bool for_clients;     /* we are the side that is connected to */
	const char *prefix;   /* how the settings begin: "client_tls" or "server_tls" */
	const char *prefix13; /* "client_tls13", "server_tls13" */
	const char *database; /* whose own keys are among them, or NULL */
	enum tls_mode mode;
	bool direct; /* server_tls_negotiation = direct */
	const char *key_file, *cert_file, *ca_file;
	const char *protocols, *ciphers, *ciphers13, *groups, *dheparams;
};

void conf_client_tls(const struct settings *s, struct tls_settings *out);
/* `d` NULL: what [pgbouncer] alone says. */
void conf_server_tls(const struct settings *s, const struct conf_database *d, struct tls_settings *out);

/* Value of server_tls_ca_file that is no file's name: those whom the system trusts. A file of that name is "./system".
 */
#define CONF_TLS_SYSTEM "system"
/* Whether servers are verified by those whom the system trusts: that is named, or none is. */
bool conf_tls_trusts_system(const struct tls_settings *s);

/* Whether the entry has keys of TLS. */
bool conf_has_own_tls(const struct conf_database *d);

/* What servers of the entry (of this configuration) use; NULL: no TLS. Borrowed. */
struct shared *conf_server_context(const struct config *c, const struct conf_database *d);

/* Lets go of the contexts; for a configuration that nobody else has seen yet, and for its end. */
void conf_drop_tls(struct config *c);

#endif
