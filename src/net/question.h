/*
 * One question to the name servers, on the loop, without a thread: c-ares, where
 * it was built in. The loop's thread.
 */
#ifndef NET_QUESTION_H
#define NET_QUESTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "os/socket.h"

struct loop;
struct question;

#define QUESTION_ADDRESSES_MAX 64 /* more of one name are of no use to anybody */

enum question_kind {
	QUESTION_ADDRESSES, /* of a host: files and DNS, as nsswitch.conf orders them, with search domains */
	QUESTION_V4,        /* likewise, but IPv4 only */
	QUESTION_V6,        /* ditto */
	QUESTION_SERIAL     /* of the zone that this name is in */
};

enum question_outcome {
	QUESTION_ANSWERED,
	QUESTION_NO_NAME,    /* there is no such name */
	QUESTION_NO_ADDRESS, /* it has no address */
	QUESTION_SILENT,     /* nobody has answered */
	QUESTION_REFUSED     /* the name servers are in trouble, or answered what is no answer */
};

struct question_result {
	enum question_outcome outcome;
	int n;                   /* of addresses; 0 unless QUESTION_ANSWERED */
	struct address *address; /* port 0, in the order to try; take it by setting it to NULL */
	uint64_t ttl_us;         /* UINT64_MAX: from a file, which knows no TTL */
	uint32_t serial;
};

/* Called once, never inside question_new; the question is gone afterwards. */
typedef void question_done(void *asker, struct question_result *result);

/* Where to ask. Copied. */
struct question_servers {
	const char *file; /* like /etc/resolv.conf; "": that one. Read for each question, so changes count at once */
	uint16_t port;    /* of all name servers; 0: the usual one */
	int patience_ms;  /* what the first silent server costs; 0: the usual time */
};

/* True if this program can ask by itself; otherwise question_new always returns NULL. */
bool question_is_possible(void);
/* What asks, for people: "c-ares 1.18.1"; "" if nothing does. */
const char *question_backend(char *buf, size_t size);

/* NULL: out of memory or descriptors, or not possible. */
struct question *question_new(struct loop *l, const struct question_servers *servers, enum question_kind kind,
                              const char *name, question_done *done, void *asker) MUST_USE;
/* Takes it back; `done` is not called. NULL is fine. */
void question_free(struct question *q);

#endif
