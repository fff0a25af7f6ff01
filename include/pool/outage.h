/*
 * An outage: a verdict that lasts. Immutable once published; each attempt that
 * fails publishes a new one with the same beginning.
 */
#ifndef POOL_OUTAGE_H
#define POOL_OUTAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/shared.h"
#include "diag/explain.h"
#include "pool/condition.h"

struct outage {
	struct shared shared;
	uint64_t since_us;    /* when the first attempt that failed began */
	uint64_t tell_at_us;  /* from then on whoever waits is told; UINT64_MAX: never */
	uint64_t next_try_us; /* 0: an attempt is under way */
	uint32_t attempts;
	bool lets_go;                  /* PostgreSQL is shutting down: its idle servers are closed so that it can */
	char incident[INCIDENT_BYTES]; /* its number, for the log and SHOW ERRORS */
	struct verdict verdict;        /* what is told, complete */
};

/* Owns the verdict afterwards; what the server has said (shutting down) decides about lets_go. NULL: out of memory, the
 * verdict stays the caller's. */
struct outage *outage_new(struct verdict *verdict, uint64_t since_us, uint64_t tell_at_us, uint32_t attempts) MUST_USE;

#endif
