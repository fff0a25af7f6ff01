/*
 * Whether the host of a server is still there, while somebody waits for its
 * answer. Two watchmen: the system's keepalive, when everything that we have sent
 * has been acknowledged; when something has not been, keepalive sleeps and the
 * system tries for a quarter of an hour, so a coarse tick here looks. Not
 * tcp_user_timeout: it also ends healthy servers that do not read for a while.
 */
#ifndef WORKER_VIGIL_H
#define WORKER_VIGIL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/attr.h"
#include "conf/settings.h"
#include "os/socket.h"

struct worker;

#define VIGIL_PERIOD_US 5000000u
#define VIGIL_PATIENCE_US 20000000u /* without any acknowledgement, and without anything sent */

/* For connections to servers. Where the configuration leaves keepalive to the system, it is closer than the system's
   two hours: after 10 s, every 5 s, 3 times. Any thread. */
struct socket_options vigil_socket_options(const struct settings *g);

/* This errno value means that nobody has answered for long. */
bool vigil_means_silence(int error);

/* `unsent_us`: since when nothing has been sent. Pure. */
bool vigil_is_over(const struct socket_silence *silence, uint64_t unsent_us);

/* A server has been lent: the tick goes on for as long as there are any. Cheap, and called when keeps_vigil is false.
 */
void vigil_begin(struct worker *w);
/* The timer. */
void vigil_tick(void *worker);

#endif
