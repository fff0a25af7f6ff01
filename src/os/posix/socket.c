/* Sockets: every difference between systems ends here. Any thread. */
#include "os/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#ifdef __linux__
#include <linux/filter.h>
#endif
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif
#ifndef MSG_NOSIGNAL
#define MSG_NOSIGNAL 0 /* SO_NOSIGPIPE is set on such systems */
#endif

static void set_int(int fd, int level, int name, int value)
{
	(void)setsockopt(fd, level, name, &value, sizeof(value));
}

static bool set_int_if(int fd, int level, int name, int value)
{
	return value <= 0 || setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

#ifndef __linux__
static void socket_prepare(int fd)
{
	(void)fcntl(fd, F_SETFL, O_NONBLOCK);
	(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
#ifdef SO_NOSIGPIPE
	set_int(fd, SOL_SOCKET, SO_NOSIGPIPE, 1);
#endif
}
#endif

static int socket_new(int family)
{
#ifdef __linux__
	return socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
#else
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd >= 0)
		socket_prepare(fd);
	return fd;
#endif
}

/* Closes and leaves errno as it was. */
static int give_up(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

/* A file in the file system, not an abstract name. */
static bool has_file(const struct address *a)
{
	return address_is_unix(a) && a->u.local.sun_path[0] != '\0';
}

/* Removes a socket file behind which nobody listens. False: somebody does, or it is no socket (errno EADDRINUSE). */
static bool remove_stale_file(const struct address *a)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(a->u.local.sun_path, &st) != 0)
		return errno == ENOENT;
	fd = S_ISSOCK(st.st_mode) ? socket_new(AF_UNIX) : -1;
	if (fd >= 0) {
		if (connect(fd, &a->u.any, a->len) != 0)
			err = errno;
		close(fd);
	}
	if (err == ENOENT || (err == ECONNREFUSED && unlink(a->u.local.sun_path) == 0))
		return true;
	errno = EADDRINUSE;
	return false;
}

static bool bind_unix(int fd, const struct address *a, int mode)
{
	if (bind(fd, &a->u.any, a->len) != 0) {
		if (errno != EADDRINUSE || !has_file(a) || !remove_stale_file(a))
			return false;
		if (bind(fd, &a->u.any, a->len) != 0)
			return false;
	}
	/* nobody can connect before listen(): there is no moment with the wrong mode */
	if (has_file(a) && chmod(a->u.local.sun_path, (mode_t)mode) != 0) {
		int saved = errno;

		unlink(a->u.local.sun_path);
		errno = saved;
		return false;
	}
	return true;
}

static bool bind_tcp(int fd, const struct address *a, bool reuseport)
{
	set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
#ifdef SO_REUSEPORT_LB
	if (reuseport && !set_int_if(fd, SOL_SOCKET, SO_REUSEPORT_LB, 1))
		return false;
#else
	if (reuseport && !set_int_if(fd, SOL_SOCKET, SO_REUSEPORT, 1))
		return false;
#endif
	if (a->u.any.sa_family == AF_INET6)
		set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	/* accepted sockets inherit this, on Linux at least */
	socket_set_nodelay(fd);
	return bind(fd, &a->u.any, a->len) == 0;
}

int socket_listen(const struct address *a, int backlog, int unix_mode, bool reuseport)
{
	int fd = socket_new(a->u.any.sa_family);

	if (fd < 0)
		return -1;
	if (address_is_unix(a) ? !bind_unix(fd, a, unix_mode) : !bind_tcp(fd, a, reuseport))
		return give_up(fd);
	if (listen(fd, backlog) != 0) {
		int saved = errno;

		if (has_file(a))
			unlink(a->u.local.sun_path);
		errno = saved;
		return give_up(fd);
	}
	return fd;
}

int socket_try_address(const struct address *a)
{
	int fd = socket_new(a->u.any.sa_family), error;

	if (fd < 0)
		return errno;
	error = bind_tcp(fd, a, false) ? 0 : errno;
	socket_close(fd);
	return error;
}

static bool is_listening_stream(int fd)
{
	int type = 0, listens = 0;
	socklen_t type_len = sizeof(type), listens_len = sizeof(listens);

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_len) == 0 && type == SOCK_STREAM &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_len) == 0 && listens != 0;
}

int socket_adopt_listening(int fd, struct address *a)
{
	struct address got;

	errno = ENOTSOCK;
	if (!is_listening_stream(fd) || !socket_local_address(fd, &got)) {
		errno = ENOTSOCK;
		return -1;
	}
	if (got.u.any.sa_family != AF_INET && got.u.any.sa_family != AF_INET6 && !address_is_unix(&got)) {
		errno = EAFNOSUPPORT;
		return -1;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -1;
	/* accepted sockets inherit this */
	if (!address_is_unix(&got))
		socket_set_nodelay(fd);
	*a = got;
	return fd;
}

uint64_t socket_file_id(const struct address *a)
{
	struct stat st;

	if (!has_file(a) || lstat(a->u.local.sun_path, &st) != 0)
		return 0;
	return (uint64_t)st.st_ino;
}

void socket_remove_file(const struct address *a, uint64_t id)
{
	if (id != 0 && socket_file_id(a) == id)
		unlink(a->u.local.sun_path);
}

/* Process and user behind a Unix socket. */
static void read_credentials(int fd, struct peer *peer)
{
#ifdef __linux__
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0)
		return;
	memcpy(peer->bytes, &cred.pid, 4);
	memcpy(peer->bytes + 4, &cred.uid, 4);
#elif defined(__APPLE__) || defined(__FreeBSD__) || defined(__OpenBSD__) || defined(__NetBSD__) ||                     \
    defined(__DragonFly__)
	uid_t uid;
	gid_t gid;

	if (getpeereid(fd, &uid, &gid) == 0)
		memcpy(peer->bytes + 4, &uid, 4);
#else
	(void)fd;
	(void)peer;
#endif
}

int socket_accept(int listen_fd, struct peer *peer)
{
	struct address a;
	int fd;

	memset(&a, 0, sizeof(a));
	a.len = sizeof(a.u);
#ifdef __linux__
	fd = accept4(listen_fd, &a.u.any, &a.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -1;
#else
	fd = accept(listen_fd, &a.u.any, &a.len);
	if (fd < 0)
		return -1;
	socket_prepare(fd);
	if (a.u.any.sa_family != AF_UNIX)
		socket_set_nodelay(fd);
#endif
	*peer = peer_of_address(&a);
	if (a.u.any.sa_family == AF_UNIX)
		read_credentials(fd, peer);
	return fd;
}

int socket_connect(const struct address *a, const struct socket_options *options, bool *connected)
{
	int fd = socket_new(a->u.any.sa_family);
	int r;

	if (fd < 0)
		return -1;
	if (!address_is_unix(a))
		socket_set_nodelay(fd);
	/* an option that the system does not like is no reason not to connect */
	if (options != NULL)
		(void)socket_set_options(fd, options);
	do
		r = connect(fd, &a->u.any, a->len);
	while (r != 0 && errno == EINTR && address_is_unix(a));
	if (r != 0 && errno != EINPROGRESS && errno != EINTR)
		return give_up(fd);
	*connected = r == 0;
	return fd;
}

bool socket_await(int fd, enum socket_direction direction, int timeout_ms)
{
	struct pollfd p = {fd, direction == SOCKET_READ ? POLLIN : POLLOUT, 0};
	int n = poll(&p, 1, timeout_ms);

	if (n == 0)
		errno = ETIMEDOUT;
	return n > 0;
}

int socket_connect_result(int fd)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &err, &len) != 0)
		return errno;
	return err;
}

static bool is_tcp(int fd)
{
	struct address a;

	return socket_local_address(fd, &a) && !address_is_unix(&a);
}

static bool set_always(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

static bool set_keepalive(int fd, const struct socket_options *o)
{
	bool ok = set_always(fd, SOL_SOCKET, SO_KEEPALIVE, o->keepalive);

#ifdef TCP_KEEPIDLE
	ok &= set_int_if(fd, IPPROTO_TCP, TCP_KEEPIDLE, o->keepidle_s);
#elif defined(TCP_KEEPALIVE)
	ok &= set_int_if(fd, IPPROTO_TCP, TCP_KEEPALIVE, o->keepidle_s);
#endif
#ifdef TCP_KEEPINTVL
	ok &= set_int_if(fd, IPPROTO_TCP, TCP_KEEPINTVL, o->keepintvl_s);
	ok &= set_int_if(fd, IPPROTO_TCP, TCP_KEEPCNT, o->keepcnt);
#endif
	return ok;
}

bool socket_set_options(int fd, const struct socket_options *o)
{
	bool ok = set_int_if(fd, SOL_SOCKET, SO_SNDBUF, o->buffer_bytes);

	ok &= set_int_if(fd, SOL_SOCKET, SO_RCVBUF, o->buffer_bytes);
	if (!is_tcp(fd))
		return ok;
	/* also when they are off: a listener may have had them on */
	ok &= set_keepalive(fd, o);
#ifdef TCP_USER_TIMEOUT
	ok &= set_always(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, o->user_timeout_ms);
#endif
	return ok;
}

/* They are handed on. */
void socket_hand_on_options(int fd, const struct socket_options *o)
{
	(void)fd;
	(void)o;
}

bool socket_set_defer_accept(int fd, int seconds)
{
#ifdef TCP_DEFER_ACCEPT
	return setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) == 0;
#else
	(void)fd;
	errno = ENOPROTOOPT;
	return seconds == 0;
#endif
}

bool socket_turn_away(int fd)
{
#ifdef __linux__
	/* of a packet the 14th byte of its TCP header: with SYN it is dropped, all others are taken whole */
	struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
	                             BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1), BPF_STMT(BPF_RET | BPF_K, 0),
	                             BPF_STMT(BPF_RET | BPF_K, 0xffffffff)};
	struct sock_fprog program = {sizeof(code) / sizeof(code[0]), code};

	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)) == 0;
#else
	(void)fd;
	errno = ENOTSUP;
	return false;
#endif
}

bool socket_has_news(int fd)
{
	char byte;

	return recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR);
}

bool socket_has_ended(int fd)
{
#ifdef POLLRDHUP
	struct pollfd look = {.fd = fd, .events = POLLRDHUP};

	return poll(&look, 1, 0) == 1;
#else
	(void)fd;
	return false;
#endif
}

bool socket_silence(int fd, struct socket_silence *silence)
{
#if defined(TCP_INFO) && defined(__linux__)
	struct tcp_info info;
	socklen_t len = sizeof(info);

	memset(&info, 0, sizeof(info));
	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0)
		return false;
	silence->unacknowledged = info.tcpi_unacked > 0;
	silence->quiet_us = (uint64_t)info.tcpi_last_ack_recv * 1000;
	return true;
#else
	(void)fd;
	(void)silence;
	return false;
#endif
}

void socket_set_nodelay(int fd)
{
	set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

bool socket_local_address(int fd, struct address *a)
{
	struct address got;

	memset(&got, 0, sizeof(got));
	got.len = sizeof(got.u);
	if (getsockname(fd, &got.u.any, &got.len) != 0)
		return false;
	*a = got;
	return true;
}

bool socket_peer_address(int fd, struct address *a)
{
	struct address got;

	memset(&got, 0, sizeof(got));
	got.len = sizeof(got.u);
	if (getpeername(fd, &got.u.any, &got.len) != 0)
		return false;
	*a = got;
	return true;
}

ssize_t socket_read(int fd, void *buf, size_t size)
{
	return recv(fd, buf, size, 0);
}

ssize_t socket_write(int fd, const struct iovec *v, int n)
{
	struct msghdr msg;

	if (n == 1)
		return send(fd, v[0].iov_base, v[0].iov_len, MSG_NOSIGNAL);
	memset(&msg, 0, sizeof(msg));
	/* sendmsg only reads the spans; its structure does not say so */
	memcpy(&msg.msg_iov, &v, sizeof(v));
	msg.msg_iovlen = (size_t)(n > IOV_MAX ? IOV_MAX : n);
	return sendmsg(fd, &msg, MSG_NOSIGNAL);
}

bool socket_send_datagram(const struct address *a, const void *bytes, size_t len)
{
	int fd = socket(a->u.any.sa_family, SOCK_DGRAM, 0);
	ssize_t n;

	if (fd < 0)
		return false;
	n = sendto(fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT, &a->u.any, a->len);
	(void)give_up(fd);
	return n == (ssize_t)len;
}

void socket_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

long os_raise_descriptor_limit(long want, long *hard)
{
	struct rlimit limit;
	rlim_t all = RLIM_INFINITY, soft;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return -1;
	if (limit.rlim_cur != all && (want > LONG_MAX - 1 || limit.rlim_cur < (rlim_t)want)) {
		soft = limit.rlim_cur;
		limit.rlim_cur = limit.rlim_max;
		if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
			limit.rlim_cur = soft;
	}
	if (hard != NULL)
		*hard = limit.rlim_max > LONG_MAX ? LONG_MAX : (long)limit.rlim_max;
	return limit.rlim_cur > LONG_MAX ? LONG_MAX : (long)limit.rlim_cur;
}
