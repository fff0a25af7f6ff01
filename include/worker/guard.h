/*
 * state_guard: what clients leave behind in sessions that they share. Thread: the worker of client and server.
 *
 *   client's bytes ──> guard_look: texts of Query and Parse ──> suspects          (nothing of this with the guard off)
 *   server's bytes ──> guard_note_tag: a tag confirms them  ──> guard_ready: the transaction is over, it is left
 *
 * With `reject` a byte that no query can have takes the place of the text's first one: so PostgreSQL itself refuses
 * the message, its transaction fails with it, and nothing of it is run. The client reads our words instead of
 * PostgreSQL's.
 */
#ifndef WORKER_GUARD_H
#define WORKER_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/framer.h"

struct bytes;
struct client;
struct guard; /* of a client; NULL: none of its messages was ever looked at */
struct server;

/* Whether its messages are looked at. False with no memory, too: then what follows is not looked at. */
bool guard_begins(struct client *c);
/* A frame of its, before anything else looks at it. */
void guard_look(struct client *c, struct frame *f);
/* The frame is on its way to the server, or will be looked at again. */
void guard_passed(struct client *c, const struct frame *f);
void guard_again(struct client *c);
/* Nothing since guard_begins has been sent, all of it will come again. */
void guard_undo(struct client *c);
/* A named statement with this text is about to be bound. False: it leaves nothing behind on any server. */
bool guard_bound(struct client *c, const char *text);

/* A command is complete; those of our own leave nothing. Something follows from SET, RESET and DISCARD ALL even with
   the guard off. False: out of memory. */
bool guard_note_tag(struct server *s, struct bytes tag) MUST_USE;
/* An error of the client's. */
void guard_note_error(struct client *c);
/* A ReadyForQuery that is the client's. True: `out` is a notice that goes before it. */
bool guard_ready(struct client *c, char status, struct str *out) MUST_USE;
/* What a client reads in place of PostgreSQL's error about a message with this mark. */
void guard_write_refusal(struct client *c, unsigned mark, struct str *out);

void guard_free(struct client *c);

#endif
