/* Two connected stream sockets that never wait, and what tests do with them. */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "os/socket.h"

/* Unix sockets, or, where there are none, TCP by the loopback address. False: there are none to be had. */
bool pair_make(int fd[2]);
bool pair_is_unix(void);

/* A listening socket that no other test has, a Unix one where there are any, and its address. −1: there is none to be
 * had. */
int pair_listen(struct address *a);

/* As send and recv, without SIGPIPE; -1 with errno set. */
ssize_t pair_send(int fd, const void *bytes, size_t len);
ssize_t pair_receive(int fd, void *bytes, size_t len);

/* Nothing more is sent; receiving goes on. */
void pair_end(int fd);

#endif
