/* Pairs of TCP sockets. */
#include "../pair.h"

#include "os/socket.h"

#define PATIENCE_MS 10000

/* As little as Unix sockets keep, so that tests can fill them. */
static const struct socket_options small = {.buffer_bytes = 65536};

int pair_listen(struct address *a)
{
	int fd = address_from_text(a, "127.0.0.1", 0) ? socket_listen(a, 100, 0, false) : -1;

	if (fd < 0 || socket_local_address(fd, a))
		return fd;
	socket_close(fd);
	return -1;
}

bool pair_make(int fd[2])
{
	struct address a;
	struct peer peer;
	bool connected;
	int listener = pair_listen(&a);

	if (listener < 0)
		return false;
	fd[0] = socket_connect(&a, NULL, &connected);
	fd[1] = fd[0] >= 0 && socket_await(listener, SOCKET_READ, PATIENCE_MS) ? socket_accept(listener, &peer) : -1;
	socket_close(listener);
	return fd[1] >= 0 && socket_set_options(fd[0], &small) && socket_set_options(fd[1], &small) &&
	       socket_await(fd[0], SOCKET_WRITE, PATIENCE_MS) && socket_connect_result(fd[0]) == 0;
}

bool pair_is_unix(void)
{
	return false;
}

void pair_end(int fd)
{
	(void)shutdown((SOCKET)fd, SD_SEND);
}
