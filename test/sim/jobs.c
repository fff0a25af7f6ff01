/* net/jobs.h of the simulator: the world runs a job at some later step. One thread. */
#include "net/jobs.h"

#include "base/mem.h"
#include "net/mailbox.h"
#include "sim.h"

struct jobs {
	struct world *world;
};

struct jobs *jobs_new(int n_threads)
{
	struct jobs *j = mem_new(struct jobs);

	(void)n_threads;
	if (j != NULL)
		j->world = sim_world();
	return j;
}

static struct job *take_job(struct world *w, uint32_t nth)
{
	struct job **at = &w->first_job;
	struct job *job;

	while (nth-- > 0 && *at != NULL && (*at)->next != NULL)
		at = &(*at)->next;
	job = *at;
	if (job == NULL)
		return NULL;
	*at = job->next;
	if (*at == NULL)
		w->end_of_jobs = at;
	return job;
}

void jobs_free(struct jobs *j)
{
	struct job *job;

	if (j == NULL)
		return;
	while ((job = take_job(j->world, 0)) != NULL)
		job->discard(job);
	mem_free(j);
}

void jobs_run(struct jobs *j, struct job *job)
{
	job->abandoned = job->posted = job->done = false;
	job->next = NULL;
	*j->world->end_of_jobs = job;
	j->world->end_of_jobs = &job->next;
}

bool jobs_abandon(struct jobs *j, struct job *job)
{
	(void)j;
	job->abandoned = !job->posted;
	return job->abandoned;
}

bool sim_run_job(struct world *w)
{
	struct job *job = take_job(w, dice_below(&w->dice, 4));

	if (job == NULL)
		return false;
	if (!job->abandoned)
		job->work(job);
	job->done = !job->abandoned;
	job->posted = job->done && job->reply_to != NULL;
	if (job->posted)
		mailbox_post(job->reply_to, &job->letter);
	else
		job->discard(job);
	return true;
}
