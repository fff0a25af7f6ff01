/* What auth_query ran into of late, so that the log speaks once of what meets many. Owned by one thread: a worker. */
#ifndef WORKER_LOOKUP_TROUBLES_H
#define WORKER_LOOKUP_TROUBLES_H

#include "pool/condition.h"

#define LOOKUP_TROUBLES 8u

struct lookup_troubles {
	struct condition of[LOOKUP_TROUBLES];
};

#endif
