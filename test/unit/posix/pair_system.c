/* Pairs of Unix sockets. */
#include "../pair.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

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

int pair_listen(struct address *a)
{
	static unsigned n;
	char name[64];

	/* another one each time: a test that failed has left its own open */
	snprintf(name, sizeof(name), "@pgweir-test-%d-%u", (int)getpid(), ++n);
	return address_from_text(a, name, 0) ? socket_listen(a, 100, 0, false) : -1;
}

void pair_end(int fd)
{
	(void)shutdown(fd, SHUT_WR);
}
