/* Random steps of pools and the opener alone, against a model. */
#ifndef SIM_POOL_STEPS_H
#define SIM_POOL_STEPS_H

#include <stdbool.h>
#include <stdint.h>

/* Ends the program with a text when something is wrong; returns the number of steps made. */
uint64_t pool_steps(uint64_t seed, uint64_t steps, bool trace);

#endif
