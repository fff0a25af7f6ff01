/* What somebody outside wants (os/signal.h) as an event of a loop: the main thread's, since all other threads block
 * signals. */
#ifndef NET_SIGNALS_H
#define NET_SIGNALS_H

#include "base/attr.h"
#include "os/signal.h"

struct loop;
struct signal_watch;

/* From now on `got(owner, what, name)` is called on the loop's thread, never inside a signal, for each of the signals
 * in `set` (1u << SIGNAL_RELOAD | …); the name is that of the signal, or what else it was ("Ctrl-C"). NULL: out of
 * memory or descriptors. One of a process at a time. */
struct signal_watch *signal_watch_new(struct loop *l, unsigned set,
                                      void (*got)(void *owner, enum signal what, const char *name),
                                      void *owner) MUST_USE;
/* Signals do again what they did before. NULL is fine. */
void signal_watch_free(struct signal_watch *w);

#endif
