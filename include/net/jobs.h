/*
 * Work that blocks (name lookups, key derivation) on a few helper threads. A job
 * comes back as a letter to the mailbox it names.
 */
#ifndef NET_JOBS_H
#define NET_JOBS_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/letter.h"

struct mailbox;
struct jobs;

/* Embed in the work's own structure. Belongs to the helpers from jobs_run until its letter is read. */
struct job {
	struct letter letter;             /* posted to reply_to when done; kind set by the asker */
	struct mailbox *reply_to;         /* NULL: nobody is told, `discard` is called instead */
	void (*work)(struct job *job);    /* on a helper thread; touches nothing but the job */
	void (*discard)(struct job *job); /* frees an abandoned job, on a helper thread or in jobs_free */
	/* The helpers' own. */
	struct job *next;
	bool abandoned;
	bool posted;
	/* False when the letter is read: not even one helper thread could be started, `work` was never called. */
	bool done;
};

/* NULL: out of memory. Threads are started when needed, at most `n_threads`, and stay. */
struct jobs *jobs_new(int n_threads) MUST_USE;
/* Waits for running jobs; queued ones are discarded. */
void jobs_free(struct jobs *j);

/* Any thread. First come, first served. */
void jobs_run(struct jobs *j, struct job *job);

/* The asker lost interest (deadline): the job will be discarded instead of posted. Returns false if its letter is
   already under way: then the asker still reads and frees it. Asker's thread only. */
bool jobs_abandon(struct jobs *j, struct job *job) MUST_USE;

#endif
