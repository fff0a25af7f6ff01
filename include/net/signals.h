/* Signals as events of a loop: the main thread's only, since all other threads block them. */
#ifndef NET_SIGNALS_H
#define NET_SIGNALS_H

#include "base/attr.h"

struct loop;
struct signal_watch;

/* From now on `got(owner, signo)` is called on the loop's thread, never inside the signal. NULL: out of memory or
 * descriptors. One loop of a process only. */
struct signal_watch *signal_watch_new(struct loop *l, int signo, void (*got)(void *owner, int signo),
                                      void *owner) MUST_USE;
/* The signal's effect is again what it was before. NULL is fine. */
void signal_watch_free(struct signal_watch *w);

#endif
