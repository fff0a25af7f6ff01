/* Sending and receiving by way of os/. */
#include "pair.h"

#include <stdint.h>

#include "os/socket.h"

ssize_t pair_send(int fd, const void *bytes, size_t len)
{
	struct iovec v = {(void *)(uintptr_t)bytes, len};

	return socket_write(fd, &v, 1);
}

ssize_t pair_receive(int fd, void *bytes, size_t len)
{
	return socket_read(fd, bytes, len);
}
