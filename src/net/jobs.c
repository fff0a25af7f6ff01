/*
 * Helper threads for work that blocks. One queue, one lock; a job is either in
 * the queue, running, or posted back.
 */
#include "net/jobs.h"

#include <stddef.h>

#include "base/mem.h"
#include "net/mailbox.h"
#include "os/lock.h"
#include "os/thread.h"

struct jobs {
	struct lock_signal work_or_end;
	int n_max;
	/* guarded by: lock; so are the last fields of queued and running jobs */
	struct lock lock;
	struct job *first, **end;
	int n_queued;
	int n_idle;    /* helpers that wait */
	int n_started; /* the first ones of thread[] */
	bool ending;
	struct thread thread[];
};

struct jobs *jobs_new(int n_threads)
{
	size_t n = n_threads < 1 ? 1 : (size_t)n_threads;
	struct jobs *j = (struct jobs *)mem_alloc(sizeof(*j) + n * sizeof(j->thread[0]));

	if (j == NULL)
		return NULL;
	lock_init(&j->lock);
	lock_signal_init(&j->work_or_end);
	j->end = &j->first;
	j->n_max = (int)n;
	return j;
}

static void jobs_add_locked(struct jobs *j, struct job *job) REQUIRES(j->lock)
{
	job->next = NULL;
	*j->end = job;
	j->end = &job->next;
	j->n_queued++;
}

/* NULL when the queue is empty. */
static struct job *jobs_take_locked(struct jobs *j) REQUIRES(j->lock)
{
	struct job *job = j->first;

	if (job == NULL)
		return NULL;
	j->first = job->next;
	if (j->first == NULL)
		j->end = &j->first;
	j->n_queued--;
	return job;
}

/* True if the job's letter shall be posted, false if it shall be discarded. From now on jobs_abandon is too late. */
static bool job_closes_locked(struct jobs *j, struct job *job) REQUIRES(j->lock)
{
	(void)j;
	job->posted = !job->abandoned && job->reply_to != NULL;
	return job->posted;
}

static void job_end(struct job *job, bool post)
{
	if (post)
		mailbox_post(job->reply_to, &job->letter);
	else
		job->discard(job);
}

/* A helper's next job; NULL: go home. */
static struct job *jobs_wait(struct jobs *j)
{
	struct job *job = NULL;

	lock_take(&j->lock);
	while (!j->ending) {
		job = jobs_take_locked(j);
		if (job != NULL)
			break;
		j->n_idle++;
		lock_wait(&j->work_or_end, &j->lock);
		j->n_idle--;
	}
	lock_drop(&j->lock);
	return job;
}

static void jobs_do(struct jobs *j, struct job *job)
{
	bool wanted, post;

	lock_take(&j->lock);
	wanted = !job->abandoned;
	lock_drop(&j->lock);
	if (wanted)
		job->work(job);
	lock_take(&j->lock);
	job->done = wanted;
	post = job_closes_locked(j, job);
	lock_drop(&j->lock);
	job_end(job, post);
}

static void *jobs_help(void *arg)
{
	struct jobs *j = (struct jobs *)arg;
	struct job *job;

	while ((job = jobs_wait(j)) != NULL)
		jobs_do(j, job);
	return NULL;
}

/* At most n_max times in a process's life, so it may happen with the lock held. */
static void jobs_start_helper_locked(struct jobs *j) REQUIRES(j->lock)
{
	if (thread_start(&j->thread[j->n_started], "pgweir-helper", jobs_help, j))
		j->n_started++;
}

void jobs_run(struct jobs *j, struct job *job)
{
	bool alone, post = false;

	job->abandoned = job->done = job->posted = false;
	lock_take(&j->lock);
	jobs_add_locked(j, job);
	if (j->n_queued > j->n_idle && j->n_started < j->n_max)
		jobs_start_helper_locked(j);
	alone = j->n_started == 0;
	if (alone) {
		/* nobody else ever took one, so this is the only job there is */
		(void)jobs_take_locked(j);
		post = job_closes_locked(j, job);
	} else {
		lock_signal_one(&j->work_or_end);
	}
	lock_drop(&j->lock);
	if (alone)
		job_end(job, post);
}

bool jobs_abandon(struct jobs *j, struct job *job)
{
	bool in_time;

	lock_take(&j->lock);
	in_time = !job->posted;
	job->abandoned = in_time;
	lock_drop(&j->lock);
	return in_time;
}

/* Also counts the threads: nobody starts any more when `ending` is set. */
static int jobs_end(struct jobs *j)
{
	int n;

	lock_take(&j->lock);
	j->ending = true;
	n = j->n_started;
	lock_signal_all(&j->work_or_end);
	lock_drop(&j->lock);
	return n;
}

static struct job *jobs_take(struct jobs *j)
{
	struct job *job;

	lock_take(&j->lock);
	job = jobs_take_locked(j);
	lock_drop(&j->lock);
	return job;
}

void jobs_free(struct jobs *j)
{
	struct job *job;
	int n;

	if (j == NULL)
		return;
	n = jobs_end(j);
	for (int i = 0; i < n; i++)
		thread_join(&j->thread[i]);
	while ((job = jobs_take(j)) != NULL)
		job->discard(job);
	lock_signal_fini(&j->work_or_end);
	lock_fini(&j->lock);
	mem_free(j);
}
