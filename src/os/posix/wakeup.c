/* Waking a loop: eventfd on Linux, a pipe elsewhere. `wakeup_ring` on any thread, the rest on the loop's. */
#include "os/wakeup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/eventfd.h>

bool wakeup_init(struct wakeup *w)
{
	w->read_fd = w->write_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return w->read_fd >= 0;
}

bool wakeup_needs_clearing(const struct wakeup *w)
{
	(void)w;
	return false;
}
#else
bool wakeup_init(struct wakeup *w)
{
	int fd[2];

	if (pipe(fd) != 0)
		return false;
	for (int i = 0; i < 2; i++) {
		(void)fcntl(fd[i], F_SETFL, O_NONBLOCK);
		(void)fcntl(fd[i], F_SETFD, FD_CLOEXEC);
	}
	w->read_fd = fd[0];
	w->write_fd = fd[1];
	return true;
}

bool wakeup_needs_clearing(const struct wakeup *w)
{
	(void)w;
	return true;
}
#endif

void wakeup_fini(struct wakeup *w)
{
	if (w->read_fd < 0)
		return;
	close(w->read_fd);
	if (w->write_fd != w->read_fd)
		close(w->write_fd);
	w->read_fd = w->write_fd = -1;
}

void wakeup_ring(struct wakeup *w)
{
	uint64_t one = 1;
	ssize_t n;

	/* a full pipe is readable: nothing is lost */
	do
		n = write(w->write_fd, &one, sizeof(one));
	while (n < 0 && errno == EINTR);
}

void wakeup_clear(struct wakeup *w)
{
	uint64_t bytes[64];
	ssize_t n;

	do
		n = read(w->read_fd, bytes, sizeof(bytes));
	while (n == (ssize_t)sizeof(bytes) || (n < 0 && errno == EINTR));
}
