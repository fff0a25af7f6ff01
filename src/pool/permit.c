/* News about a permit, from its worker to main: gathered under the pool's lock, how far it is without. */
#include "pool/permit.h"

#include "base/mem.h"

bool permit_report(struct permit *p, enum permit_news news)
{
	bool post;

	lock_take(&p->pool->lock);
	p->news = (uint8_t)(p->news | news);
	post = !p->posted;
	p->posted = true;
	lock_drop(&p->pool->lock);
	return post;
}

uint8_t permit_read(struct permit *p)
{
	uint8_t news;

	lock_take(&p->pool->lock);
	news = p->news;
	p->news = 0;
	p->posted = false;
	lock_drop(&p->pool->lock);
	return news;
}

void permit_reaches(struct permit *p, enum failure_phase phase)
{
	atomic_store_explicit(&p->phase, (unsigned)phase, memory_order_relaxed);
}

enum failure_phase permit_phase(const struct permit *p)
{
	unsigned phase = atomic_load_explicit(&p->phase, memory_order_relaxed);

	if (p->n_targets == 0)
		return PHASE_RESOLVE;
	/* under way to the worker */
	return phase == PHASE_NONE ? PHASE_CONNECT : (enum failure_phase)phase;
}

void permit_add_failure(struct permit *p, uint32_t target, struct failure *why, uint64_t phase_us)
{
	struct target_failure *f;

	if (p->failed == NULL)
		p->failed = (struct target_failure *)mem_alloc(p->n_targets * sizeof(*p->failed));
	for (uint32_t i = 0; i < p->n_failed; i++)
		if (p->failed[i].target == target) { /* it was tried twice: the newer reason */
			p->failed[i].phase_us = phase_us;
			failure_fini(&p->failed[i].failure);
			failure_take(&p->failed[i].failure, why);
			return;
		}
	if (p->failed == NULL || p->n_failed == p->n_targets) {
		failure_take(&p->failure, why);
		return;
	}
	f = &p->failed[p->n_failed++];
	f->target = target;
	f->phase_us = phase_us;
	failure_init(&f->failure);
	failure_take(&f->failure, why);
}
