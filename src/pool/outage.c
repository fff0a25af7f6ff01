/* Making and freeing outages. Main makes them; the last holder frees. */
#include "pool/outage.h"

#include <string.h>

#include "base/mem.h"

static void outage_free(struct shared *s)
{
	struct outage *o = container_of(s, struct outage, shared);

	verdict_fini(&o->verdict);
	mem_free(o);
}

/* A smart shutdown refuses logins and waits for the sessions that exist. In other languages it cannot be told apart. */
static bool is_shutting_down(const struct verdict *v)
{
	return strcmp(v->class, "not_yet_ready") == 0 && strstr(str_text(&v->message), "shutting down") != NULL;
}

struct outage *outage_new(struct verdict *verdict, uint64_t since_us, uint64_t tell_at_us, uint32_t attempts)
{
	struct outage *o = mem_new(struct outage);

	if (o == NULL)
		return NULL;
	shared_init(&o->shared, outage_free);
	o->since_us = since_us;
	o->tell_at_us = tell_at_us;
	o->attempts = attempts;
	o->lets_go = is_shutting_down(verdict);
	o->verdict = *verdict;
	verdict_init(verdict);
	return o;
}
