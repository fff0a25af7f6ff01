/* Contexts of TLS for a configuration: for clients, for servers, and for databases with keys of their own. Main thread.
 */
#include "main/tls.h"

#include <string.h>

#include "base/mem.h"
#include "conf/tls.h"
#include "net/tls_context.h"

static bool prepare_clients(struct config *fresh, const struct config *running, struct conf_error *why)
{
	struct tls_settings set;

	conf_client_tls(&fresh->settings, &set);
	if (fresh->settings.auth_type == AUTH_TYPE_CERT && set.mode != TLS_MODE_VERIFY_FULL) {
		(void)conf_fail(why, NULL, 0, "auth_type=cert requires client_tls_sslmode=SSLMODE_VERIFY_FULL");
		conf_hint(why, "Set client_tls_sslmode = verify-full, or auth_type = hba with lines of method cert.");
		return false;
	}
	if (fresh->settings.auth_type == AUTH_TYPE_CERT && set.ca_file[0] == '\0')
		return conf_fail(why, NULL, 0, "auth_type=cert requires client_tls_ca_file");
	return tls_context_make(&set, running == NULL ? NULL : running->tls.client, &fresh->tls.client, why);
}

static bool prepare_servers(struct config *fresh, const struct config *running, struct conf_error *why)
{
	struct tls_settings set;

	conf_server_tls(&fresh->settings, NULL, &set);
	return tls_context_make(&set, running == NULL ? NULL : running->tls.server, &fresh->tls.server, why);
}

/* What the entry of the same name uses now; the template, too, keeps what has not changed. */
static struct shared *used_now(const struct config *running, const struct conf_database *d)
{
	const struct conf_database *was;

	for (unsigned i = 0; running != NULL && (was = config_database(running, i)) != NULL; i++)
		if (strcmp(was->name, d->name) == 0)
			return conf_server_context(running, was);
	return NULL;
}

static bool prepare_databases(struct config *fresh, const struct config *running, struct conf_error *why)
{
	struct conf_tls_contexts *tls = &fresh->tls;
	const struct conf_database *d;
	struct tls_settings set;
	unsigned n = 0;
	bool any = false;

	for (; (d = config_database(fresh, n)) != NULL; n++)
		any = any || conf_has_own_tls(d);
	if (!any)
		return true;
	tls->of_database = (struct shared **)mem_alloc(n * sizeof(tls->of_database[0]));
	if (tls->of_database == NULL)
		return conf_fail_memory(why, NULL, 0);
	tls->n_databases = n;
	for (unsigned i = 0; i < n; i++) {
		d = config_database(fresh, i);
		if (!conf_has_own_tls(d))
			continue;
		conf_server_tls(&fresh->settings, d, &set);
		if (!tls_context_make(&set, used_now(running, d), &tls->of_database[i], why))
			return false;
	}
	return true;
}

bool tls_prepare(struct config *fresh, const struct config *running, struct conf_error *why)
{
	conf_drop_tls(fresh);
	if (prepare_clients(fresh, running, why) && prepare_servers(fresh, running, why) &&
	    prepare_databases(fresh, running, why))
		return true;
	conf_drop_tls(fresh);
	return false;
}
