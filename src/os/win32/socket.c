/* Sockets: every difference between systems ends here. Any thread. */
#include "os/socket.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include <mstcpip.h>
#include <windows.h>

#include "base/mem.h"
#include "os/win32/code.h"
#include "os/win32/ports.h"
#include "os/win32/wide.h"

/* Of Windows 10, which older headers lack. */
#ifndef TCP_KEEPIDLE
#define TCP_KEEPIDLE 3
#define TCP_KEEPCNT 16
#define TCP_KEEPINTVL 17
#endif
#ifndef TCP_MAXRT
#define TCP_MAXRT 5
#endif
#ifndef SIO_TCP_INITIAL_RTO
#define SIO_TCP_INITIAL_RTO _WSAIOW(IOC_VENDOR, 17)
#define TCP_INITIAL_RTO_UNSPECIFIED_RTT ((USHORT)-1)
#define TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS ((UCHAR)-2)
struct tcp_initial_rto {
	USHORT Rtt;
	UCHAR MaxSynRetransmissions;
};
#else
#define tcp_initial_rto _TCP_INITIAL_RTO_PARAMETERS
#endif

/* What Windows does where nothing is said (seconds). */
#define SYSTEM_KEEPIDLE_S 7200
#define SYSTEM_KEEPINTVL_S 1

/* More go in the next call. */
#define SPANS_MAX 64

/* Longer backlogs must be asked for in a way of their own. */
#define PLAIN_BACKLOG_MAX 200
#define BACKLOG_MAX 65535

/* Winsock has to be started before anything of it is used, by libraries, too; whoever waits for the end of a process
   that never is over needs no WSACleanup. A failure shows in the first socket that is wanted. */
__attribute__((constructor)) static void start_winsock(void)
{
	WSADATA data;

	(void)WSAStartup(MAKEWORD(2, 2), &data);
}

/* Descriptors are ints everywhere: handles of sockets, as all handles, have no more than 32 bits that matter. */
static SOCKET handle_of(int fd)
{
	return (SOCKET)(unsigned)fd;
}

static bool fail(int error)
{
	errno = error;
	return false;
}

/* False with errno set, of what Winsock has just said. */
static bool failed(void)
{
	int code = WSAGetLastError();

	/* by far the most frequent one */
	return fail(code == WSAEWOULDBLOCK ? EAGAIN : errno_of_code((unsigned long)code));
}

static bool set_option(int fd, int level, int name, int value)
{
	return setsockopt(handle_of(fd), level, name, (const char *)&value, sizeof(value)) == 0 || failed();
}

static bool set_option_if(int fd, int level, int name, int value)
{
	return value <= 0 || set_option(fd, level, name, value);
}

static bool set_nonblocking(int fd)
{
	u_long on = 1;

	return ioctlsocket(handle_of(fd), (long)FIONBIO, &on) == 0 || failed();
}

static int socket_new(int family)
{
	SOCKET handle = WSASocketW(family, SOCK_STREAM, 0, NULL, 0, WSA_FLAG_OVERLAPPED | WSA_FLAG_NO_HANDLE_INHERIT);

	if (handle == INVALID_SOCKET) {
		(void)failed();
		return -1;
	}
	if (set_nonblocking((int)handle))
		return (int)handle;
	closesocket(handle);
	return -1;
}

/* Closes and leaves errno as it was. */
static int give_up(int fd)
{
	int saved = errno;

	closesocket(handle_of(fd));
	errno = saved;
	return -1;
}

/* ---- files of Unix sockets ---- */

static bool remove_file(const struct address *a)
{
	wchar_t *path = wide_path_of(a->u.local.sun_path);
	bool removed;

	if (path == NULL)
		return false;
	removed = DeleteFileW(path) != 0 || fail(errno_of_code(GetLastError()));
	mem_free(path);
	return removed;
}

static bool connect_to(int fd, const struct address *a)
{
	return connect(handle_of(fd), &a->u.any, a->len) == 0 || failed();
}

/* Removes a socket file behind which nobody listens. False: somebody does, or it is no socket (errno EADDRINUSE). */
static bool remove_stale_file(const struct address *a)
{
	int fd = socket_new(AF_UNIX), err = 0;

	if (fd >= 0) {
		if (!connect_to(fd, a))
			err = errno;
		closesocket(handle_of(fd));
	}
	if (err == ENOENT || (err == ECONNREFUSED && socket_file_id(a) != 0 && remove_file(a)))
		return true;
	return fail(EADDRINUSE);
}

uint64_t socket_file_id(const struct address *a)
{
	BY_HANDLE_FILE_INFORMATION facts;
	wchar_t *path = address_is_unix(a) ? wide_path_of(a->u.local.sun_path) : NULL;
	uint64_t id = 0;
	HANDLE file;

	if (path == NULL)
		return 0;
	file = CreateFileW(path, FILE_READ_ATTRIBUTES, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE, NULL,
	                   OPEN_EXISTING, FILE_FLAG_OPEN_REPARSE_POINT | FILE_FLAG_BACKUP_SEMANTICS, NULL);
	mem_free(path);
	if (file == INVALID_HANDLE_VALUE)
		return 0;
	/* the file of a socket, and no other */
	if (GetFileInformationByHandle(file, &facts) && (facts.dwFileAttributes & FILE_ATTRIBUTE_REPARSE_POINT) != 0)
		id = (uint64_t)facts.nFileIndexHigh << 32 | facts.nFileIndexLow;
	CloseHandle(file);
	return id;
}

void socket_remove_file(const struct address *a, uint64_t id)
{
	if (id != 0 && socket_file_id(a) == id)
		(void)!remove_file(a);
}

/* ---- listening ---- */

static bool bind_to(int fd, const struct address *a)
{
	return bind(handle_of(fd), &a->u.any, a->len) == 0 || failed();
}

static bool bind_unix(int fd, const struct address *a)
{
	return bind_to(fd, a) || (errno == EADDRINUSE && remove_stale_file(a) && bind_to(fd, a));
}

/* Without exclusive use anybody could bind the same port and take our clients: SO_REUSEADDR means that here. */
static bool bind_tcp(int fd, const struct address *a)
{
	if (!set_option(fd, SOL_SOCKET, SO_EXCLUSIVEADDRUSE, 1))
		return false;
	if (a->u.any.sa_family == AF_INET6 && !set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
		return false;
	if (bind_to(fd, a))
		return true;
	/* it says so of ports that others have for themselves alone, and of those that the system keeps back */
	if (errno == EACCES && port_is_taken(a->u.any.sa_family, address_port(a)))
		errno = EADDRINUSE;
	return false;
}

static int backlog_of(int backlog)
{
	if (backlog <= PLAIN_BACKLOG_MAX)
		return backlog;
	return -(backlog < BACKLOG_MAX ? backlog : BACKLOG_MAX);
}

int socket_listen(const struct address *a, int backlog, int unix_mode, bool reuseport)
{
	int fd = socket_new(a->u.any.sa_family);

	(void)unix_mode;
	(void)reuseport;
	if (fd < 0)
		return -1;
	if (address_is_unix(a) ? !bind_unix(fd, a) : !bind_tcp(fd, a))
		return give_up(fd);
	if (listen(handle_of(fd), backlog_of(backlog)) != 0) {
		(void)failed();
		if (address_is_unix(a)) {
			int saved = errno;

			(void)!remove_file(a);
			errno = saved;
		}
		return give_up(fd);
	}
	return fd;
}

int socket_try_address(const struct address *a)
{
	int fd = socket_new(a->u.any.sa_family), error;

	if (fd < 0)
		return errno;
	error = bind_tcp(fd, a) ? 0 : errno;
	socket_close(fd);
	return error;
}

static bool is_listening_stream(int fd)
{
	int type = 0, listens = 0, type_len = sizeof(type), listens_len = sizeof(listens);

	return getsockopt(handle_of(fd), SOL_SOCKET, SO_TYPE, (char *)&type, &type_len) == 0 && type == SOCK_STREAM &&
	       getsockopt(handle_of(fd), SOL_SOCKET, SO_ACCEPTCONN, (char *)&listens, &listens_len) == 0 &&
	       listens != 0;
}

int socket_adopt_listening(int fd, struct address *a)
{
	struct address got;

	if (!is_listening_stream(fd) || !socket_local_address(fd, &got)) {
		errno = ENOTSOCK;
		return -1;
	}
	if (got.u.any.sa_family != AF_INET && got.u.any.sa_family != AF_INET6 && !address_is_unix(&got)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (!set_nonblocking(fd))
		return -1;
	(void)SetHandleInformation((HANDLE)handle_of(fd), HANDLE_FLAG_INHERIT, 0);
	*a = got;
	return fd;
}

/* The process behind a Unix socket; users have no numbers here. */
static void read_credentials(int fd, struct peer *peer)
{
	ULONG pid = 0;
	DWORD n = 0;

	if (WSAIoctl(handle_of(fd), SIO_AF_UNIX_GETPEERPID, NULL, 0, &pid, sizeof(pid), &n, NULL, NULL) == 0 &&
	    n == sizeof(pid))
		memcpy(peer->bytes, &pid, 4);
}

int socket_accept(int listen_fd, struct peer *peer)
{
	struct address a;
	SOCKET handle;
	int fd;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.u);
	handle = accept(handle_of(listen_fd), &a.u.any, &a.len);
	if (handle == INVALID_SOCKET) {
		(void)failed();
		/* who has been reset meanwhile is no trouble of ours */
		if (errno == ECONNRESET || errno == ENOTCONN)
			errno = ECONNABORTED;
		return -1;
	}
	fd = (int)handle;
	(void)SetHandleInformation((HANDLE)handle, HANDLE_FLAG_INHERIT, 0);
	if (!set_nonblocking(fd))
		return give_up(fd);
	if (a.u.any.sa_family != AF_UNIX)
		socket_set_nodelay(fd);
	*peer = peer_of_address(&a);
	if (a.u.any.sa_family == AF_UNIX)
		read_credentials(fd, peer);
	return fd;
}

/* ---- connecting ---- */

/* Where nobody listens on this machine itself, the system would ask again for two seconds before it says so. */
static void do_not_insist(int fd)
{
	struct tcp_initial_rto rto = {TCP_INITIAL_RTO_UNSPECIFIED_RTT, TCP_INITIAL_RTO_NO_SYN_RETRANSMISSIONS};
	DWORD n = 0;

	(void)WSAIoctl(handle_of(fd), SIO_TCP_INITIAL_RTO, &rto, sizeof(rto), NULL, 0, &n, NULL, NULL);
}

int socket_connect(const struct address *a, const struct socket_options *options, bool *connected)
{
	int fd = socket_new(a->u.any.sa_family);
	bool now;

	if (fd < 0)
		return -1;
	if (!address_is_unix(a))
		socket_set_nodelay(fd);
	if (address_is_loopback(a))
		do_not_insist(fd);
	/* an option that the system does not like is no reason not to connect */
	if (options != NULL)
		(void)socket_set_options(fd, options);
	now = connect_to(fd, a);
	if (!now && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINPROGRESS)
		return give_up(fd);
	*connected = now;
	return fd;
}

/* Not WSAPoll: before 2020 it said nothing of connections that fail. */
bool socket_await(int fd, enum socket_direction direction, int timeout_ms)
{
	struct timeval patience = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	fd_set wanted, wrong;
	int n;

	FD_ZERO(&wanted);
	FD_ZERO(&wrong);
	FD_SET(handle_of(fd), &wanted);
	FD_SET(handle_of(fd), &wrong);
	n = select(0, direction == SOCKET_READ ? &wanted : NULL, direction == SOCKET_WRITE ? &wanted : NULL, &wrong,
	           &patience);
	if (n == SOCKET_ERROR)
		return failed();
	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

int socket_connect_result(int fd)
{
	int code = 0, len = sizeof(code);

	if (getsockopt(handle_of(fd), SOL_SOCKET, SO_ERROR, (char *)&code, &len) != 0)
		code = WSAGetLastError();
	return errno_of_code((unsigned long)code);
}

/* ---- options ---- */

static bool is_tcp(int fd)
{
	struct address a;

	return socket_local_address(fd, &a) && !address_is_unix(&a);
}

/* As before Windows 10, where the number of probes cannot be said. */
static bool set_keepalive_values(int fd, const struct socket_options *o)
{
	struct tcp_keepalive values = {
	    .onoff = 1,
	    .keepalivetime = (ULONG)(o->keepidle_s > 0 ? o->keepidle_s : SYSTEM_KEEPIDLE_S) * 1000,
	    .keepaliveinterval = (ULONG)(o->keepintvl_s > 0 ? o->keepintvl_s : SYSTEM_KEEPINTVL_S) * 1000};
	DWORD n = 0;

	return WSAIoctl(handle_of(fd), SIO_KEEPALIVE_VALS, &values, sizeof(values), NULL, 0, &n, NULL, NULL) == 0 ||
	       failed();
}

static bool set_keepalive(int fd, const struct socket_options *o)
{
	if (!set_option(fd, SOL_SOCKET, SO_KEEPALIVE, o->keepalive))
		return false;
	if (set_option_if(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle_s) &&
	    set_option_if(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl_s) &&
	    set_option_if(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt))
		return true;
	return !o->keepalive || set_keepalive_values(fd, o);
}

/* In whole seconds here. */
static bool set_user_timeout(int fd, int timeout_ms)
{
	return timeout_ms <= 0 || set_option(fd, IPPROTO_TCP, TCP_MAXRT, timeout_ms / 1000 + (timeout_ms % 1000 != 0));
}

bool socket_set_options(int fd, const struct socket_options *o)
{
	bool ok = set_option_if(fd, SOL_SOCKET, SO_SNDBUF, o->buffer_bytes);

	ok &= set_option_if(fd, SOL_SOCKET, SO_RCVBUF, o->buffer_bytes);
	if (!is_tcp(fd))
		return ok;
	ok &= set_keepalive(fd, o);
	ok &= set_user_timeout(fd, o->user_timeout_ms);
	return ok;
}

void socket_hand_on_options(int fd, const struct socket_options *o)
{
	(void)socket_set_options(fd, o);
}

bool socket_set_defer_accept(int fd, int seconds)
{
	(void)fd;
	return seconds == 0 || fail(ENOPROTOOPT);
}

bool socket_turn_away(int fd)
{
	(void)fd;
	return fail(ENOTSUP);
}

void socket_set_nodelay(int fd)
{
	(void)set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

/* ---- looking ---- */

bool socket_has_news(int fd)
{
	char byte;
	int code;

	if (recv(handle_of(fd), &byte, 1, MSG_PEEK) >= 0)
		return true;
	code = WSAGetLastError();
	return code != WSAEWOULDBLOCK && code != WSAEINTR;
}

bool socket_has_ended(int fd)
{
	WSAPOLLFD look = {.fd = handle_of(fd), .events = POLLRDNORM};

	return WSAPoll(&look, 1, 0) == 1 && (look.revents & (POLLHUP | POLLERR)) != 0;
}

/* The system tells how much is out, but not since when. */
bool socket_silence(int fd, struct socket_silence *silence)
{
	(void)fd;
	(void)silence;
	return false;
}

bool socket_local_address(int fd, struct address *a)
{
	struct address got;

	memset(&got, 0, sizeof(got));
	got.len = sizeof(got.u);
	if (getsockname(handle_of(fd), &got.u.any, &got.len) != 0)
		return failed();
	*a = got;
	return true;
}

bool socket_peer_address(int fd, struct address *a)
{
	struct address got;

	memset(&got, 0, sizeof(got));
	got.len = sizeof(got.u);
	if (getpeername(handle_of(fd), &got.u.any, &got.len) != 0)
		return failed();
	*a = got;
	return true;
}

/* ---- bytes ---- */

ssize_t socket_read(int fd, void *buf, size_t size)
{
	int n = recv(handle_of(fd), (char *)buf, size > INT_MAX ? INT_MAX : (int)size, 0);

	if (n < 0)
		(void)failed();
	/* so it says that nobody has answered its probes */
	if (n < 0 && errno == ENETRESET)
		errno = ETIMEDOUT;
	return n;
}

ssize_t socket_write(int fd, const struct iovec *v, int n)
{
	WSABUF spans[SPANS_MAX];
	DWORD put = 0, n_spans = 0;

	for (; n_spans < SPANS_MAX && (int)n_spans < n; n_spans++) {
		const struct iovec *from = &v[n_spans];

		spans[n_spans].buf = (char *)from->iov_base;
		spans[n_spans].len = from->iov_len > INT_MAX ? INT_MAX : (ULONG)from->iov_len;
		/* what follows must not go before the rest of this one */
		if (from->iov_len > INT_MAX) {
			n_spans++;
			break;
		}
	}
	if (WSASend(handle_of(fd), spans, n_spans, &put, 0, NULL, NULL) == 0)
		return (ssize_t)put;
	(void)failed();
	return -1;
}

/* There are no such sockets here. */
bool socket_send_datagram(const struct address *a, const void *bytes, size_t len)
{
	(void)a;
	(void)bytes;
	(void)len;
	return fail(EAFNOSUPPORT);
}

void socket_close(int fd)
{
	if (fd >= 0)
		closesocket(handle_of(fd));
}

long os_raise_descriptor_limit(long want, long *hard)
{
	(void)want;
	if (hard != NULL)
		*hard = -1;
	return -1;
}
