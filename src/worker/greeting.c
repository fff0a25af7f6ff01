/* Making and keeping the login reply. Thread: the worker's. */
#include "worker/greeting.h"

#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "wire/message.h"

void greeting_forget(struct worker *w)
{
	shared_unref(w->greeting_welcome);
	params_unref(w->greeting_own);
	params_unref(w->greeting_params);
	w->greeting_welcome = NULL;
	w->greeting_own = w->greeting_params = NULL;
	str_fini(&w->greeting);
}

static const char *mode_text(enum pool_mode mode)
{
	return mode == POOL_MODE_SESSION ? "session" : mode == POOL_MODE_TRANSACTION ? "transaction" : "statement";
}

static void write_greeting(struct worker *w, const struct welcome *welcome)
{
	struct str *out = &w->greeting;
	const char *at = welcome->names_values;
	char most[16];

	message_auth_ok(out);
	while (*at != '\0') {
		const char *value = at + strlen(at) + 1;
		const char *own = params_value(w->greeting_params, at);

		message_parameter_status(out, at, own == NULL ? value : own);
		at = value + strlen(value) + 1;
	}
	message_parameter_status(out, "pgbouncer.version", PGBOUNCER_VERSION);
	message_parameter_status(out, "pgbouncer.pool_mode", mode_text((enum pool_mode)w->greeting_mode));
	snprintf(most, sizeof(most), "%d", w->config->settings.max_prepared_statements);
	message_parameter_status(out, "pgbouncer.max_prepared_statements", most);
}

/* AuthenticationOk and all parameters for this welcome and these wishes; false: out of memory. */
bool greeting_prepare(struct worker *w, struct welcome *welcome, struct params *own, enum pool_mode mode)
{
	if (w->greeting_welcome == &welcome->shared && w->greeting_own == own && w->greeting_mode == (int)mode)
		return true;
	greeting_forget(w);
	w->greeting_params = params_fitted(welcome->params, own);
	if (w->greeting_params == NULL)
		return false;
	shared_ref(&welcome->shared);
	w->greeting_welcome = &welcome->shared;
	w->greeting_own = params_ref(own);
	w->greeting_mode = (int)mode;
	write_greeting(w, welcome);
	if (!w->greeting.failed)
		return true;
	greeting_forget(w);
	return false;
}
