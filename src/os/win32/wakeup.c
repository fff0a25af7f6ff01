/* Waking a loop: two sockets that are connected with each other. `wakeup_ring` on any thread, the rest on the loop's.
 */
#include "os/wakeup.h"

#include <errno.h>
#include <string.h>

#include "os/socket.h"
#include "os/win32/code.h"

/* Strangers may connect in between, but not for ever. */
#define STRANGERS_MAX 100

static bool failed(void)
{
	errno = errno_of_code((unsigned long)WSAGetLastError());
	return false;
}

static SOCKET new_socket(void)
{
	return WSASocketW(AF_INET, SOCK_STREAM, IPPROTO_TCP, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);
}

static bool address_of(SOCKET s, int(WSAAPI *ask)(SOCKET, struct sockaddr *, int *), struct address *a)
{
	memset(a, 0, sizeof(*a));
	a->len = sizeof(a->u.v4);
	return ask(s, &a->u.any, &a->len) == 0;
}

/* Whether `mine` is what `theirs` is connected with. */
static bool belong_together(SOCKET mine, SOCKET theirs)
{
	struct address local, peer;

	return address_of(mine, getsockname, &local) && address_of(theirs, getpeername, &peer) &&
	       address_same(&local, &peer);
}

/* What we have connected ourselves, and nobody else's; INVALID_SOCKET with errno set. */
static SOCKET accept_ours(SOCKET listener, SOCKET ours)
{
	for (int i = 0; i < STRANGERS_MAX; i++) {
		SOCKET other = accept(listener, NULL, NULL);

		if (other == INVALID_SOCKET) {
			(void)failed();
			return other;
		}
		if (belong_together(ours, other) && belong_together(other, ours))
			return other;
		closesocket(other);
	}
	errno = EADDRINUSE;
	return INVALID_SOCKET;
}

static bool listen_alone(SOCKET listener, struct address *a)
{
	int on = 1;

	memset(a, 0, sizeof(*a));
	a->len = sizeof(a->u.v4);
	a->u.v4.sin_family = AF_INET;
	a->u.v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return setsockopt(listener, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, (const char *)&on, sizeof(on)) == 0 &&
	       bind(listener, &a->u.any, a->len) == 0 && listen(listener, 1) == 0 &&
	       address_of(listener, getsockname, a);
}

/* Connecting does not wait: both ends are here. False with errno set. */
static bool connect_both(SOCKET listener, SOCKET ours, SOCKET *other)
{
	struct address a;

	if (!listen_alone(listener, &a) || connect(ours, &a.u.any, a.len) != 0)
		return failed();
	*other = accept_ours(listener, ours);
	return *other != INVALID_SOCKET;
}

static void close_if(SOCKET s)
{
	int saved = errno;

	if (s != INVALID_SOCKET)
		closesocket(s);
	errno = saved;
}

static bool set_up(SOCKET s)
{
	u_long on = 1;

	if (ioctlsocket(s, (long)FIONBIO, &on) != 0 || !SetHandleInformation((HANDLE)s, HANDLE_FLAG_INHERIT, 0))
		return failed();
	socket_set_nodelay((int)s);
	return true;
}

bool wakeup_init(struct wakeup *w)
{
	SOCKET listener = new_socket(), ours = new_socket(), other = INVALID_SOCKET;
	bool good;

	good = listener != INVALID_SOCKET && ours != INVALID_SOCKET ? connect_both(listener, ours, &other) : failed();
	close_if(listener);
	if (!good || !set_up(ours) || !set_up(other)) {
		close_if(ours);
		close_if(other);
		w->read_fd = w->write_fd = -1;
		return false;
	}
	w->read_fd = (int)ours;
	w->write_fd = (int)other;
	return true;
}

bool wakeup_needs_clearing(const struct wakeup *w)
{
	(void)w;
	return true;
}

void wakeup_fini(struct wakeup *w)
{
	if (w->read_fd < 0)
		return;
	socket_close(w->read_fd);
	socket_close(w->write_fd);
	w->read_fd = w->write_fd = -1;
}

void wakeup_ring(struct wakeup *w)
{
	static const char one = 1;

	/* what is full is readable: nothing is lost */
	(void)send((SOCKET)(unsigned)w->write_fd, &one, 1, 0);
}

void wakeup_clear(struct wakeup *w)
{
	char bytes[512];

	while (socket_read(w->read_fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes))
		;
}
