/*
 * The simulator's program: runs of two kinds, each from its own seed and in a
 * process of its own, so that one that fails does not end the others.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fairness.h"
#include "pool_steps.h"
#include "sim_run.h"

#define STEPS_OF_ALL 100000u

struct request {
	uint64_t seed, steps;
	bool only_pools, only_product, only_fairness, one;
	struct sim_options options;
};

/* What a run tells, in memory that parent and child share. */
struct told {
	struct sim_figures figures;
	uint64_t steps;
};

static _Noreturn void usage(void)
{
	fprintf(stderr,
	        "usage: sim [--seed N] [--steps N] [--only pools|product|fairness] [--workers N] [--trace]\n"
	        "  without --seed: that many steps in all, over many seeds (default %u)\n"
	        "  with --seed:    one run of each kind with that many steps\n",
	        STEPS_OF_ALL);
	exit(2);
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = text == NULL ? 0 : strtoull(text, &end, 10);

	if (text == NULL || *text == '\0' || *end != '\0')
		usage();
	return n;
}

static void read_arguments(int argc, char **argv, struct request *r)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--trace") == 0) {
			r->options.trace = true;
			continue;
		}
		if (strcmp(argv[i], "--seed") == 0) {
			r->seed = number(value);
			r->one = true;
		} else if (strcmp(argv[i], "--steps") == 0) {
			r->steps = number(value);
		} else if (strcmp(argv[i], "--workers") == 0) {
			r->options.workers = (uint32_t)number(value);
			if (r->options.workers > 4)
				usage();
		} else if (strcmp(argv[i], "--only") == 0 && value != NULL) {
			r->only_pools = strcmp(value, "pools") == 0;
			r->only_product = strcmp(value, "product") == 0;
			r->only_fairness = strcmp(value, "fairness") == 0;
			if (!r->only_pools && !r->only_product && !r->only_fairness)
				usage();
		} else {
			usage();
		}
		i++;
	}
}

/* One run in a child; true if it has passed. */
static bool run(const struct request *r, bool pools, uint64_t seed, uint64_t steps, struct told *told)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child == 0) {
		if (pools)
			(void)pool_steps(seed, steps, r->options.trace);
		else
			sim_run(&r->options, seed, steps, &told->figures);
		exit(0);
	}
	if (child > 0 && waitpid(child, &status, 0) == child && status == 0) {
		told->steps += steps;
		return true;
	}
	printf("seed %" PRIu64 " fails; to see it: sim --seed %" PRIu64 " --steps %" PRIu64 " --only %s%s --trace\n",
	       seed, seed, steps, pools ? "pools" : "product", r->options.workers > 0 ? " --workers …" : "");
	return false;
}

int main(int argc, char **argv)
{
	struct request r = {.seed = 1, .steps = STEPS_OF_ALL};
	struct told *told = mmap(NULL, sizeof(*told), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t per_run, n_runs, passed = 0, failed = 0;

	if (told == MAP_FAILED)
		return 1;
	read_arguments(argc, argv, &r);
	if (!r.one && !r.only_pools && !r.only_product && !fairness_run())
		failed++;
	if (r.only_fairness)
		return failed == 0 ? 0 : 1;
	/* many short runs see more beginnings and ends, long ones see more wear */
	per_run = r.one ? r.steps : r.steps < 400000 ? 5000 : r.steps / 80;
	n_runs = r.one ? (r.only_pools || r.only_product ? 1 : 2) : (r.steps + per_run - 1) / per_run;
	for (uint64_t i = 0; i < n_runs; i++) {
		bool pools = r.only_pools || (!r.only_product && i % 2 == 0);
		uint64_t seed = r.one ? r.seed : r.seed + i;

		if (run(&r, pools, seed, per_run, told))
			passed++;
		else
			failed++;
	}
	printf("simulated: %" PRIu64 " steps, %" PRIu64 " answers compared, %" PRIu64 " servers opened, %" PRIu64
	       " travelled, %" PRIu64 " died, %" PRIu64 " queries cancelled\n",
	       told->steps, told->figures.n_answers, told->figures.n_servers, told->figures.n_travels,
	       told->figures.n_died, told->figures.n_cancelled);
	printf("sim: %" PRIu64 " passed, %" PRIu64 " failed\n", passed, failed);
	return failed == 0 ? 0 : 1;
}
