/*
 * Sockets and addresses as the system has them, behind names that are the same
 * everywhere. Nothing here blocks, but socket_await. Errors are errno values. On Windows a
 * program that has this linked in starts Winsock by itself, before main().
 */
#ifndef OS_SOCKET_H
#define OS_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#ifdef _WIN32
#include <winsock2.h>

#include <afunix.h>
#include <ws2tcpip.h>
#else
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#endif

#include "base/attr.h"

#ifdef _WIN32
/* Names that others have a better right to: OpenSSL and us. */
#undef SEVERITY_ERROR
#undef X509_NAME

/* Of <sys/uio.h>. */
struct iovec {
	void *iov_base;
	size_t iov_len;
};
#endif

/* A socket address of any family. Values; copied freely. */
struct address {
	socklen_t len; /* 0: none */
	union {
		struct sockaddr any;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
		struct sockaddr_un local;
	} u;
};

enum peer_family { PEER_NONE = 0, PEER_UNIX = 1, PEER_V4 = 4, PEER_V6 = 6 };

/* Who is at the other end, in few bytes: kept for every client. */
struct peer {
	uint8_t family;    /* enum peer_family */
	uint16_t port;     /* TCP port; 0 for Unix */
	uint8_t bytes[16]; /* address; Unix: pid (4 bytes) then uid (4 bytes), native order */
};

/* Options of established connections; 0 leaves the system's value. */
struct socket_options {
	bool keepalive;
	int keepidle_s, keepintvl_s, keepcnt;
	int user_timeout_ms;
	int buffer_bytes;
};

/* "10.0.0.5", "::1", "/dir/.s.PGSQL.5432", "@abstract" → address; false if it is none of these. On Windows paths may
   also begin with a drive, and there are no abstract names. */
bool address_from_text(struct address *a, const char *text, uint16_t port) MUST_USE;

/* An IPv4 or IPv6 address as the system hands it out; false for all others. */
bool address_from_sockaddr(struct address *a, const struct sockaddr *from, size_t len) MUST_USE;

/* The address without port ("10.0.0.5", "::1", "unix"); `size` at least 64. */
const char *address_text(const struct address *a, char *buf, size_t size);
uint16_t address_port(const struct address *a);
bool address_is_unix(const struct address *a);
/* 127.0.0.0/8 or ::1: nobody else's machine gets there. */
bool address_is_loopback(const struct address *a);
bool address_same(const struct address *a, const struct address *b);
bool address_is_among(const struct address *a, const struct address *list, int n);

/* Whether this machine has the address of a TCP peer, or, with `networks`, has an address in the same network. False
   also if the system does not say. Asks the system. */
bool address_is_near(const struct peer *p, bool networks);

/* Which kinds of addresses this machine has now, loopback aside; both true if that is not known. Asks the system. */
void address_families(bool *v4, bool *v6);

struct peer peer_of_address(const struct address *a);
/* "10.0.0.5" or "unix"; `size` at least 64. */
const char *peer_text(const struct peer *p, char *buf, size_t size);
/* It came by a Unix socket, or from a loopback address. */
bool peer_is_local(const struct peer *p);
/* Unix peers: process id and user id of the other end; 0 and -1 where not known: Windows has no such user ids. */
int32_t peer_pid(const struct peer *p);
int64_t peer_uid(const struct peer *p);

/* All return a non-blocking, close-on-exec descriptor, or -1 with errno set. The mode of a Unix socket's file is that
   of its directory on Windows; ports are never shared with others there, whatever `reuseport`. */
int socket_listen(const struct address *a, int backlog, int unix_mode, bool reuseport);
/* A listening stream socket that somebody else has opened: made like our own, and its address. -1: it is not one (errno
   ENOTSOCK), or it is of a family that clients do not use (EAFNOSUPPORT). It stays open in any case. */
int socket_adopt_listening(int fd, struct address *a);
int socket_accept(int listen_fd, struct peer *peer);
int socket_connect(const struct address *a, const struct socket_options *options, bool *connected);

/* Whether a TCP address could be listened on now: 0, or an errno value. Nobody can connect meanwhile. */
int socket_try_address(const struct address *a) MUST_USE;

/* What identifies a Unix socket's file now (0: it has none), and its removal if it is still that one. */
uint64_t socket_file_id(const struct address *a);
void socket_remove_file(const struct address *a, uint64_t id);

/* Result of a non-blocking connect that became writable: 0 or an errno value. */
int socket_connect_result(int fd);

/* Waits until something can be read, or, with SOCKET_WRITE, written, or it has failed: true. False: the time is up, or
   errno says why not. */
enum socket_direction { SOCKET_READ, SOCKET_WRITE };
bool socket_await(int fd, enum socket_direction direction, int timeout_ms) MUST_USE;

bool socket_set_options(int fd, const struct socket_options *options);
/* For a connection that was accepted: the options of its listening socket, where the system does not hand them on. */
void socket_hand_on_options(int fd, const struct socket_options *options);
/* A listening TCP socket: connections are shown only once their first bytes are there (or after a while). False with
   errno set; where the system cannot do that, only `seconds` 0 succeeds. */
bool socket_set_defer_accept(int fd, int seconds) MUST_USE;
/* A listening TCP socket on a port that others listen on too: the system drops new attempts to connect, so that clients
   repeat them (after a second, mostly); what has begun goes on. False with errno set where the system cannot do that,
   or where this process may not: newer Linux wants CAP_NET_ADMIN. */
bool socket_turn_away(int fd) MUST_USE;
/* Something can be read without waiting: bytes, the end, or an error. Nothing is taken. */
bool socket_has_news(int fd);
/* The other side has ended: it sends nothing any more, whether or not all has been read. False, too, where the system
   does not tell. */
bool socket_has_ended(int fd);

/* How a TCP connection is doing, as far as the system tells. */
struct socket_silence {
	bool unacknowledged; /* bytes of ours are out that the other side's system has not acknowledged */
	uint64_t quiet_us;   /* since anything was last acknowledged */
};

/* False where the system does not know: Unix sockets, systems without TCP_INFO. */
bool socket_silence(int fd, struct socket_silence *silence) MUST_USE;

/* TCP_NODELAY; harmless on Unix sockets. */
void socket_set_nodelay(int fd);
bool socket_local_address(int fd, struct address *a);
bool socket_peer_address(int fd, struct address *a);

/* As recv and writev; -1 with errno set (EAGAIN: not now). Never raises SIGPIPE. */
ssize_t socket_read(int fd, void *buf, size_t size);
ssize_t socket_write(int fd, const struct iovec *v, int n);
void socket_close(int fd);
/* One datagram to a Unix socket. False with errno set. */
bool socket_send_datagram(const struct address *a, const void *bytes, size_t len) MUST_USE;

/* Soft limit of open descriptors raised to the hard limit if it is lower than `want`; returns the soft limit now. -1,
   and -1 for the hard one: there is none, or it is not known. */
long os_raise_descriptor_limit(long want, long *hard);

#endif
