/* How a process may end. */
#ifndef MAIN_OUTCOME_H
#define MAIN_OUTCOME_H

enum outcome {
#define OUTCOME(name, number, doc) OUTCOME_##name = number,
#include "main/outcome.def"
};

#endif
