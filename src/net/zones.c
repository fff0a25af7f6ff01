/* Zones: one entry for all names that share what is behind their first dot. The loop's thread. */
#include "net/zones.h"

#include <string.h>
#include <strings.h>

#include "base/list.h"
#include "base/mem.h"
#include "net/loop.h"
#include "net/question.h"

struct zone {
	struct list node; /* zones->all */
	struct zones *zones;
	char *name;
	int n_names;
	bool known; /* the serial is */
	uint32_t serial;
	struct question *question; /* under way */
};

/* Owned by one thread: the loop's. */
struct zones {
	struct loop *loop;
	const struct question_servers *servers;
	struct list all;
	struct timer *timer;
	uint64_t period_us;
	zone_changed *changed;
	void *owner;
};

/* An answer without a serial changes nothing: it may be trouble, or lies. */
static void serial_came(void *asker, struct question_result *result)
{
	struct zone *zone = (struct zone *)asker;
	uint32_t before = zone->serial;

	zone->question = NULL;
	if (result->outcome != QUESTION_ANSWERED)
		return;
	zone->serial = result->serial;
	if (zone->known && before != zone->serial)
		zone->zones->changed(zone->zones->owner, zone, before, zone->serial);
	zone->known = true;
}

static void zone_ask(struct zone *zone)
{
	struct zones *z = zone->zones;

	if (zone->question == NULL)
		zone->question = question_new(z->loop, z->servers, QUESTION_SERIAL, zone->name, serial_came, zone);
}

static void zones_ask(void *owner)
{
	struct zones *z = (struct zones *)owner;
	struct list *node;

	list_each (node, &z->all)
		zone_ask(container_of(node, struct zone, node));
	if (!list_is_empty(&z->all))
		timer_set(z->timer, loop_now_us(z->loop) + z->period_us);
}

struct zones *zones_new(struct loop *l, const struct question_servers *servers, zone_changed *changed, void *owner)
{
	struct zones *z = mem_new(struct zones);

	if (z == NULL)
		return NULL;
	list_init(&z->all);
	z->loop = l;
	z->servers = servers;
	z->changed = changed;
	z->owner = owner;
	z->timer = timer_new(l, zones_ask, z);
	if (z->timer == NULL) {
		mem_free(z);
		return NULL;
	}
	return z;
}

void zones_free(struct zones *z)
{
	if (z == NULL)
		return;
	timer_free(z->timer);
	mem_free(z);
}

/* The first serial is asked for at once, so that the next one can be compared with it. */
void zones_set_period(struct zones *z, uint64_t period_us)
{
	if (z->period_us == period_us)
		return;
	z->period_us = period_us;
	if (period_us == 0)
		timer_clear(z->timer);
	else
		zones_ask(z);
}

static struct zone *zones_find(struct zones *z, const char *name)
{
	struct list *node;

	list_each (node, &z->all) {
		struct zone *zone = container_of(node, struct zone, node);

		if (strcasecmp(zone->name, name) == 0)
			return zone;
	}
	return NULL;
}

static struct zone *zone_new(struct zones *z, const char *name)
{
	struct zone *zone = mem_new(struct zone);

	if (zone == NULL)
		return NULL;
	zone->name = mem_copy_str(name);
	if (zone->name == NULL) {
		mem_free(zone);
		return NULL;
	}
	zone->zones = z;
	list_add_tail(&z->all, &zone->node);
	if (z->period_us > 0) {
		zone_ask(zone);
		if (!timer_is_set(z->timer))
			timer_set(z->timer, loop_now_us(z->loop) + z->period_us);
	}
	return zone;
}

struct zone *zones_join(struct zones *z, const char *host)
{
	const char *dot = strchr(host, '.');
	struct zone *zone;

	if (!question_is_possible() || dot == NULL || dot[1] == '\0')
		return NULL;
	zone = zones_find(z, dot + 1);
	if (zone == NULL)
		zone = zone_new(z, dot + 1);
	if (zone != NULL)
		zone->n_names++;
	return zone;
}

void zones_leave(struct zone *zone)
{
	if (zone == NULL || --zone->n_names > 0)
		return;
	question_free(zone->question);
	list_remove(&zone->node);
	mem_free(zone->name);
	mem_free(zone);
}

const char *zone_name(const struct zone *zone)
{
	return zone->name;
}

int zones_count(const struct zones *z)
{
	return (int)list_count(&z->all);
}

void zones_each(const struct zones *z, void (*row)(void *arg, const char *name, uint32_t serial, int n_names),
                void *arg)
{
	struct list *node;

	list_each (node, &z->all) {
		const struct zone *zone = container_of(node, struct zone, node);

		row(arg, zone->name, zone->serial, zone->n_names);
	}
}
