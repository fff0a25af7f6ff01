/* One run of the product in the simulated world. */
#ifndef SIM_SIM_RUN_H
#define SIM_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct sim_options {
	bool trace;
	uint32_t workers; /* 0: by the seed */
};

/* What has happened, summed up: a simulator in which nothing happens finds nothing. */
struct sim_figures {
	uint64_t n_answers, n_travels, n_cancelled, n_died, n_servers;
};

/* Ends the program with a text when something is wrong. */
void sim_run(const struct sim_options *o, uint64_t seed, uint64_t steps, struct sim_figures *figures);

#endif
