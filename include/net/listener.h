/* A listening socket whose connections go to its owner. The thread of its loop. */
#ifndef NET_LISTENER_H
#define NET_LISTENER_H

#include <stdbool.h>

#include "base/attr.h"
#include "base/failure.h"
#include "os/socket.h"

struct loop;
struct stream;
struct listener;

/* `accepted(owner, stream)` gets each new stream, on no loop yet, and owns it.
   `full(owner, error)` is told once when accepting must pause (no descriptors or memory); it goes on by itself about
   every 100 ms until nobody is left waiting to be accepted, then `full(owner, 0)`. NULL with `why` filled in when it
   cannot listen. */
struct listener *listener_new(struct loop *l, const struct address *a, int backlog, int unix_mode, bool reuseport,
                              void (*accepted)(void *owner, struct stream *s), void (*full)(void *owner, int error),
                              void *owner, struct failure *why) MUST_USE;

/* The same with a socket that is listening already (socket activation): the descriptor is the listener's on success
   only; a Unix socket's file stays when it ends. */
struct listener *listener_adopt(struct loop *l, int fd, void (*accepted)(void *owner, struct stream *s),
                                void (*full)(void *owner, int error), void *owner, struct failure *why) MUST_USE;

/* Stops listening and removes a Unix socket's file. */
void listener_free(struct listener *l);

/* Options of the connections it will accept, for TCP (keep-alive, buffers). False with errno set if the system refuses
   one of them; the others apply. */
bool listener_set_options(struct listener *l, const struct socket_options *options);

/* New TCP clients are shown when they have said something (see os/socket.h); 0: at once. Any thread. */
bool listener_set_defer_accept(struct listener *l, int seconds) MUST_USE;

/* Takes all clients that have connected already. */
void listener_take_rest(struct listener *l);

/* A TCP port that others listen on too: clients that come from now on repeat their attempt and find the others. False
   with errno set where the system does not let us. */
bool listener_turn_away(struct listener *l) MUST_USE;

/* Any thread: a Unix socket's file goes, the listener stays. */
void listener_remove_file(const struct listener *l);

/* As it was asked for; port 0 is replaced by the real one. */
const struct address *listener_address(const struct listener *l);

#endif
