/* Two connected stream sockets that never wait, and what tests do with them. */
#ifndef TEST_PAIR_H
#define TEST_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Unix sockets, or, where there are none, TCP by the loopback address. False: there are none to be had. */
bool pair_make(int fd[2]);
bool pair_is_unix(void);

/* As send and recv, without SIGPIPE; -1 with errno set. */
ssize_t pair_send(int fd, const void *bytes, size_t len);
ssize_t pair_receive(int fd, void *bytes, size_t len);

#endif
