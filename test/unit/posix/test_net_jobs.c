/* Jobs: done on helper threads, told by letter, abandoned in time or too late. */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/resource.h>

#include <cmocka.h>

#include "../until.h"
#include "net/jobs.h"
#include "net/mailbox.h"
#include "os/thread.h"

static struct loop *loop;
static struct mailbox *box;
static struct jobs *jobs;
static int read_letters, last_kind;

/* Work that squares a number, after it was let through the gate if there is one. */
struct square {
	struct job job;
	int in, out;
	sem_t *started, *gate;
	atomic_int *discarded;
};

static void square_work(struct job *job)
{
	struct square *s = container_of(job, struct square, job);

	if (s->started != NULL)
		sem_post(s->started);
	while (s->gate != NULL && sem_wait(s->gate) != 0)
		;
	s->out = s->in * s->in;
}

static void square_discard(struct job *job)
{
	atomic_fetch_add(container_of(job, struct square, job)->discarded, 1);
}

static void read_letter(void *owner, struct letter *letter)
{
	(void)owner;
	read_letters++;
	last_kind = letter->kind;
}

static bool letters_read(void *arg)
{
	return read_letters >= *(int *)arg;
}

static int set_up(void **state)
{
	(void)state;
	read_letters = 0;
	loop = loop_new();
	box = mailbox_new(loop, read_letter, NULL);
	jobs = jobs_new(2);
	return box == NULL || jobs == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	jobs_free(jobs);
	mailbox_free(box);
	loop_free(loop);
	return 0;
}

static struct square square_of(int in, atomic_int *discarded)
{
	struct square s = {.job = {.letter.kind = 9, .reply_to = box, .work = square_work, .discard = square_discard}};

	s.in = in;
	s.discarded = discarded;
	return s;
}

static void all_jobs_come_back_done(void **state)
{
	atomic_int discarded = 0;
	struct square s[50];
	int n = 50;

	(void)state;
	for (int i = 0; i < n; i++) {
		s[i] = square_of(i, &discarded);
		jobs_run(jobs, &s[i].job);
	}
	assert_true(run_until(loop, letters_read, &n));
	for (int i = 0; i < n; i++) {
		assert_true(s[i].job.done);
		assert_int_equal(s[i].out, i * i);
	}
	assert_int_equal(last_kind, 9);
	assert_int_equal(discarded, 0);
	/* too late: its letter has come */
	assert_false(jobs_abandon(jobs, &s[0].job));
}

static void abandoned_jobs_are_discarded_running_or_queued(void **state)
{
	atomic_int discarded = 0;
	struct square s[5];
	sem_t started, gate;

	(void)state;
	assert_int_equal(sem_init(&started, 0, 0), 0);
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	for (int i = 0; i < 5; i++) {
		s[i] = square_of(i, &discarded);
		s[i].started = &started;
		s[i].gate = &gate;
		jobs_run(jobs, &s[i].job);
	}
	/* both helpers are busy now, three jobs wait */
	assert_int_equal(sem_wait(&started), 0);
	assert_int_equal(sem_wait(&started), 0);
	for (int i = 0; i < 4; i++)
		assert_true(jobs_abandon(jobs, &s[i].job));
	for (int i = 0; i < 5; i++)
		sem_post(&gate);
	assert_true(run_until(loop, letters_read, &(int){1}));
	assert_true(s[4].job.done);
	assert_int_equal(s[4].out, 16);
	jobs_free(jobs);
	jobs = NULL;
	assert_int_equal(discarded, 4);
	assert_int_equal(read_letters, 1);
	/* of those that were still queued the work was never called */
	assert_int_equal(s[2].out, 0);
	assert_int_equal(s[3].out, 0);
	sem_destroy(&started);
	sem_destroy(&gate);
}

static void free_waits_for_running_jobs_and_discards_queued_ones(void **state)
{
	atomic_int discarded = 0;
	struct square s[4];
	sem_t started, gate;

	(void)state;
	assert_int_equal(sem_init(&started, 0, 0), 0);
	assert_int_equal(sem_init(&gate, 0, 0), 0);
	for (int i = 0; i < 4; i++) {
		s[i] = square_of(i, &discarded);
		s[i].started = &started;
		s[i].gate = &gate;
		s[i].job.reply_to = i < 2 ? NULL : box; /* those that run are discarded too, nobody is told */
		jobs_run(jobs, &s[i].job);
	}
	assert_int_equal(sem_wait(&started), 0);
	assert_int_equal(sem_wait(&started), 0);
	sem_post(&gate);
	sem_post(&gate);
	sem_post(&gate);
	sem_post(&gate);
	jobs_free(jobs);
	jobs = NULL;
	assert_int_equal(s[1].out, 1);
	/* a helper that got through the gate early may have taken a third or fourth job before the end */
	run_turns(loop, 2);
	assert_int_equal(discarded + read_letters, 4);
	sem_destroy(&started);
	sem_destroy(&gate);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(all_jobs_come_back_done),
	    TEST(abandoned_jobs_are_discarded_running_or_queued),
	    TEST(free_waits_for_running_jobs_and_discards_queued_ones),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
