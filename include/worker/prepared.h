/*
 * Named prepared statements across servers, for transaction and statement pooling. A name is the client's own; what it
 * stands for has, on every server, the name PGBOUNCER_ and a hash of its text and parameter types, and is prepared
 * there when it is needed. Thread: the worker of both.
 */
#ifndef WORKER_PREPARED_H
#define WORKER_PREPARED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/framer.h"

struct client;
struct client_statements;
struct server;
struct server_statements;

#define PREPARED_STATEMENT_MAX (64u << 20) /* bytes of one named statement */
#define PREPARED_CLIENT_MAX (256u << 20)   /* bytes of all that one client has */
#define PREPARED_OUT_MAX (1u << 20)        /* what is rewritten at one go, but for the last message of it */

enum prepared {
	PREPARED_PASSES,    /* nothing to do with names: it goes as it is */
	PREPARED_MORE,      /* the bytes at hand are not enough: keep them */
	PREPARED_REWRITTEN, /* what goes instead is in `out`, and its answers are expected; the rest of it flows */
	PREPARED_COLLECTED, /* it is kept until all of it has come */
	PREPARED_FULL,      /* not before some answers have come */
	PREPARED_TOO_LARGE, /* beyond PREPARED_STATEMENT_MAX or PREPARED_CLIENT_MAX */
	PREPARED_NO_MEMORY
};

/* Names of this client follow it. */
bool prepared_follows(const struct client *c);
/* A frame of 'P', 'B', 'D', 'C' or 'Q', or any while it collects, of a client whose names follow it. */
enum prepared prepared_from_client(struct client *c, const struct frame *f, struct str *out) MUST_USE;
/* What was collected has gone to the server, or, if it has not, is `len` bytes long again. */
size_t prepared_collected_bytes(const struct client *c);
void prepared_collected_sent(struct client *c);
void prepared_uncollect(struct client *c, size_t len);

/* Before answers_server_sent judges an ErrorResponse. True: it names a statement of ours where the client's own name is
   taken; the client is told so in other words. */
bool prepared_error(struct server *s, const char *body, size_t len);
/* After answers have ended, successfully or not. */
void prepared_settle(struct server *s, bool succeeded);
/* A command of this tag is complete. */
void prepared_note_tag(struct server *s, const char *tag);
/* A ReadyForQuery outside of transactions has come after DDL. */
void prepared_note_end(struct server *s);
/* Nothing that was expected of this server will ever come, and its client tries again with another one. */
void prepared_undo_all(struct server *s, struct client *c);

uint32_t prepared_client_count(const struct client *c);
uint32_t prepared_server_count(const struct server *s);
void prepared_client_free(struct client *c);
void prepared_server_free(struct server *s);

#endif
