/* net/tls_context.h of the simulator: there is none. */
#include "net/tls_context.h"

bool tls_context_make(const struct tls_settings *s, struct shared *was, struct shared **out, struct conf_error *why)
{
	(void)s;
	(void)was;
	(void)why;
	*out = NULL;
	return true;
}

enum tls_mode tls_context_mode(const struct shared *context)
{
	(void)context;
	return TLS_MODE_DISABLE;
}

bool tls_context_is_direct(const struct shared *context)
{
	(void)context;
	return false;
}
