/* Many pools of very different load compete for few connections, in virtual time. */
#ifndef SIM_FAIRNESS_H
#define SIM_FAIRNESS_H

#include <stdbool.h>

/* Runs all scenes and prints who waited how long; false if somebody waited longer than is promised. */
bool fairness_run(void);

#endif
