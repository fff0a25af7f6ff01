/* Pairs of Unix sockets. */
#include "../pair.h"

#include <fcntl.h>
#include <sys/socket.h>

bool pair_make(int fd[2])
{
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(fd[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(fd[i], F_SETFD, FD_CLOEXEC);
	}
	return true;
}

bool pair_is_unix(void)
{
	return true;
}
