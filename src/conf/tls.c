/* Which settings of TLS hold for clients, and for the servers of a database. Pure; any thread. */
#include "conf/tls.h"

#include <stddef.h>
#include <string.h>

static const char *text(const char *setting)
{
	return setting == NULL ? "" : setting;
}

/* The entry's own value counts, else the setting. */
static const char *either(const char *own, const char *setting)
{
	return own != NULL ? own : text(setting);
}

void conf_client_tls(const struct settings *s, struct tls_settings *out)
{
	*out = (struct tls_settings){.for_clients = true,
	                             .prefix = "client_tls",
	                             .prefix13 = "client_tls13",
	                             .mode = s->client_tls_sslmode,
	                             .key_file = text(s->client_tls_key_file),
	                             .cert_file = text(s->client_tls_cert_file),
	                             .ca_file = text(s->client_tls_ca_file),
	                             .protocols = text(s->client_tls_protocols),
	                             .ciphers = text(s->client_tls_ciphers),
	                             .ciphers13 = text(s->client_tls13_ciphers),
	                             .groups = text(s->client_tls_ecdhcurve),
	                             .dheparams = text(s->client_tls_dheparams)};
}

void conf_server_tls(const struct settings *s, const struct conf_database *d, struct tls_settings *out)
{
	static const struct conf_database nothing;
	enum tls_negotiation negotiation = s->server_tls_negotiation;

	if (d == NULL)
		d = &nothing;
	if (d->has_server_tls_negotiation)
		negotiation = d->server_tls_negotiation;
	*out = (struct tls_settings){
	    .prefix = "server_tls",
	    .prefix13 = "server_tls13",
	    .database = conf_has_own_tls(d) ? d->name : NULL,
	    .mode = d->has_server_tls_sslmode ? d->server_tls_sslmode : s->server_tls_sslmode,
	    .direct = negotiation == TLS_NEGOTIATION_DIRECT,
	    .key_file = either(d->server_tls_key_file, s->server_tls_key_file),
	    .cert_file = either(d->server_tls_cert_file, s->server_tls_cert_file),
	    .ca_file = either(d->server_tls_ca_file, s->server_tls_ca_file),
	    .protocols = either(d->server_tls_protocols, s->server_tls_protocols),
	    .ciphers = either(d->server_tls_ciphers, s->server_tls_ciphers),
	    .ciphers13 = either(d->server_tls13_ciphers, s->server_tls13_ciphers),
	    .groups = "auto",
	    .dheparams = "auto",
	};
}

bool conf_tls_trusts_system(const struct tls_settings *s)
{
	if (s->for_clients)
		return false;
	return strcmp(s->ca_file, CONF_TLS_SYSTEM) == 0 || (s->ca_file[0] == '\0' && s->mode >= TLS_MODE_VERIFY_CA);
}

bool conf_has_own_tls(const struct conf_database *d)
{
	return d->has_server_tls_sslmode || d->has_server_tls_negotiation || d->server_tls_ca_file != NULL ||
	       d->server_tls_cert_file != NULL || d->server_tls_key_file != NULL || d->server_tls_protocols != NULL ||
	       d->server_tls_ciphers != NULL || d->server_tls13_ciphers != NULL;
}

struct shared *conf_server_context(const struct config *c, const struct conf_database *d)
{
	if (!conf_has_own_tls(d))
		return c->tls.server;
	for (unsigned i = 0; i < c->tls.n_databases; i++)
		if (config_database(c, i) == d)
			return c->tls.of_database[i];
	return NULL;
}
