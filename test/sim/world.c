/* The world: its clock, its chance, its connections. One thread. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "sim.h"

static struct world *the_world;

struct world *sim_world(void)
{
	return the_world;
}

void sim_set_world(struct world *w)
{
	the_world = w;
}

void world_init(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->dice.state = seed;
	w->now_us = 1000 * US_PER_S;
	list_init(&w->loops);
	list_init(&w->conns);
	w->end_of_jobs = &w->first_job;
	w->next_port = 10000;
}

static void conn_free(struct conn *c)
{
	list_remove(&c->node);
	str_fini(&c->to_product);
	str_fini(&c->to_peer);
	mem_free(c);
}

void world_fini(struct world *w)
{
	struct list *node;

	while ((node = list_first(&w->conns)) != NULL)
		conn_free(container_of(node, struct conn, node));
}

void world_trace(struct world *w, const char *fmt, ...)
{
	va_list args;

	if (!w->trace)
		return;
	va_start(args, fmt);
	printf("%7" PRIu64 " %11" PRIu64 " us  ", w->step, w->now_us);
	vprintf(fmt, args);
	printf("\n");
	fflush(stdout);
	va_end(args);
}

void world_broken(struct world *w, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fflush(stdout);
	fprintf(stderr, "sim: seed %" PRIu64 ", step %" PRIu64 ": ", w->seed, w->step);
	vfprintf(stderr, fmt, args);
	fprintf(stderr, "\n");
	va_end(args);
	abort();
}

/* ---- connections ---- */

void world_be_gentle(struct world *w)
{
	struct list *node;

	w->gentle = true;
	list_each (node, &w->conns) {
		struct roughness *r = &container_of(node, struct conn, node)->rough;

		r->read_most += 2000;
		r->write_most += 2000;
		r->room += 5000;
	}
}

void conn_send(struct conn *c, const char *bytes, size_t len)
{
	if (!c->product_closed && !c->reset)
		str_add(&c->to_product, bytes, len);
}

void conn_close(struct conn *c)
{
	c->peer_closed = true;
}

void conn_reset(struct conn *c)
{
	c->reset = c->peer_closed = true;
	str_clear(&c->to_product);
	str_clear(&c->to_peer);
}

void conn_leave(struct conn *c)
{
	c->peer_closed = c->peer_left = true;
	c->peer = NULL;
	if (c->product_closed)
		conn_free(c);
}
