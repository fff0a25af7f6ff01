/* Sockets of Windows: what os/socket.h promises. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "os/socket.h"
#include "os/win32/ports.h"

#define LONG_MS 10000

static struct address address_of(const char *text, uint16_t port)
{
	struct address a;

	assert_true(address_from_text(&a, text, port));
	return a;
}

/* Listens on a port that nobody has. */
static int listen_somewhere(const char *text, struct address *a)
{
	int fd;

	*a = address_of(text, 0);
	fd = socket_listen(a, 1000, 0, true);
	assert_true(fd >= 0);
	assert_true(socket_local_address(fd, a));
	return fd;
}

static void connect_pair(int listen_fd, const struct address *a, int pair[2])
{
	struct peer peer;
	bool connected;

	pair[0] = socket_connect(a, NULL, &connected);
	assert_true(pair[0] >= 0);
	assert_true(socket_await(listen_fd, SOCKET_READ, LONG_MS));
	pair[1] = socket_accept(listen_fd, &peer);
	assert_true(pair[1] >= 0);
	assert_true(peer_is_local(&peer));
	assert_true(socket_await(pair[0], SOCKET_WRITE, LONG_MS));
	assert_int_equal(socket_connect_result(pair[0]), 0);
}

static void a_port_is_nobody_elses(void **state)
{
	static const char *const texts[] = {"127.0.0.1", "0.0.0.0", "::1", "::"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct address a;
		int fd = listen_somewhere(texts[i], &a);

		assert_int_equal(socket_listen(&a, 10, 0, true), -1);
		assert_int_equal(errno, EADDRINUSE);
		assert_int_equal(socket_try_address(&a), EADDRINUSE);
		assert_true(port_is_taken(a.u.any.sa_family, address_port(&a)));
		socket_close(fd);
		assert_int_equal(socket_try_address(&a), 0);
		assert_false(port_is_taken(a.u.any.sa_family, address_port(&a)));
	}
}

static void both_families_have_the_port(void **state)
{
	struct address a, b;
	int fd = listen_somewhere("0.0.0.0", &a), other;

	(void)state;
	b = address_of("::", address_port(&a));
	other = socket_listen(&b, 10, 0, false);
	assert_true(other >= 0);
	socket_close(other);
	socket_close(fd);
}

static void nothing_waits(void **state)
{
	struct address a;
	struct peer peer;
	int pair[2], fd = listen_somewhere("127.0.0.1", &a);
	char byte;

	(void)state;
	assert_int_equal(socket_accept(fd, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	connect_pair(fd, &a, pair);
	for (int i = 0; i < 2; i++) {
		DWORD flags = 0;

		assert_int_equal(socket_read(pair[i], &byte, 1), -1);
		assert_int_equal(errno, EAGAIN);
		assert_false(socket_has_news(pair[i]));
		assert_false(socket_has_ended(pair[i]));
		assert_true(GetHandleInformation((HANDLE)(uintptr_t)pair[i], &flags));
		assert_int_equal(flags & HANDLE_FLAG_INHERIT, 0);
	}
	for (int i = 0; i < 2; i++)
		socket_close(pair[i]);
	socket_close(fd);
}

static void many_spans_go_as_one_and_in_order(void **state)
{
	struct iovec v[100];
	struct address a;
	char out[100], in[100];
	int pair[2], fd = listen_somewhere("::1", &a);
	size_t sent = 0, got = 0;

	(void)state;
	connect_pair(fd, &a, pair);
	for (size_t i = 0; i < 100; i++) {
		out[i] = (char)i;
		v[i].iov_base = &out[i];
		v[i].iov_len = 1;
	}
	while (sent < 100) {
		ssize_t n = socket_write(pair[0], v + sent, (int)(100 - sent));

		assert_true(n > 0);
		sent += (size_t)n;
	}
	while (got < 100) {
		ssize_t n;

		assert_true(socket_await(pair[1], SOCKET_READ, LONG_MS));
		assert_true(socket_has_news(pair[1]));
		n = socket_read(pair[1], in + got, sizeof(in) - got);
		assert_true(n > 0);
		got += (size_t)n;
	}
	assert_memory_equal(in, out, sizeof(in));
	for (int i = 0; i < 2; i++)
		socket_close(pair[i]);
	socket_close(fd);
}

static void an_end_is_news_and_is_read_as_nothing(void **state)
{
	struct address a;
	int pair[2], fd = listen_somewhere("127.0.0.1", &a);
	char byte;

	(void)state;
	connect_pair(fd, &a, pair);
	socket_close(pair[0]);
	assert_true(socket_await(pair[1], SOCKET_READ, LONG_MS));
	assert_true(socket_has_news(pair[1]));
	assert_true(socket_has_ended(pair[1]));
	assert_int_equal(socket_read(pair[1], &byte, 1), 0);
	socket_close(pair[1]);
	socket_close(fd);
}

static void a_port_without_anybody_refuses(void **state)
{
	struct address a;
	int fd = listen_somewhere("127.0.0.1", &a);
	bool connected;

	(void)state;
	socket_close(fd);
	fd = socket_connect(&a, NULL, &connected);
	assert_true(fd >= 0);
	assert_true(socket_await(fd, SOCKET_WRITE, LONG_MS));
	assert_int_equal(socket_connect_result(fd), ECONNREFUSED);
	socket_close(fd);
}

static int option_of(int fd, int level, int name)
{
	int value = 0, len = sizeof(value);

	assert_int_equal(getsockopt((SOCKET)fd, level, name, (char *)&value, &len), 0);
	return value;
}

static void options_are_set_where_the_system_has_them(void **state)
{
	const struct socket_options o = {.keepalive = true, .keepidle_s = 60, .keepintvl_s = 5, .buffer_bytes = 65536};
	struct address a;
	int pair[2], fd = listen_somewhere("127.0.0.1", &a);

	(void)state;
	assert_true(socket_set_options(fd, &o));
	connect_pair(fd, &a, pair);
	socket_hand_on_options(pair[1], &o);
	assert_int_not_equal(option_of(pair[1], SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_not_equal(option_of(pair[0], IPPROTO_TCP, TCP_NODELAY), 0);
	assert_int_not_equal(option_of(pair[1], IPPROTO_TCP, TCP_NODELAY), 0);
	assert_true(socket_set_defer_accept(fd, 0));
	assert_false(socket_set_defer_accept(fd, 1));
	assert_int_equal(errno, ENOPROTOOPT);
	assert_false(socket_turn_away(fd));
	assert_int_equal(errno, ENOTSUP);
	for (int i = 0; i < 2; i++)
		socket_close(pair[i]);
	socket_close(fd);
}

static void paths_begin_with_a_drive_or_a_separator(void **state)
{
	static const char *const paths[] = {"C:\\run\\x", "c:/run/x", "/run/x", "\\run\\x"};
	struct address a;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		a = address_of(paths[i], 5432);
		assert_true(address_is_unix(&a));
		assert_string_equal(a.u.local.sun_path, paths[i]);
	}
	assert_false(address_from_text(&a, "C:run", 5432));
	assert_false(address_from_text(&a, "@name", 5432));
	assert_int_equal(socket_file_id(&a), 0);
}

static void descriptors_have_no_limit(void **state)
{
	long hard = 0;

	(void)state;
	assert_int_equal(os_raise_descriptor_limit(5000, &hard), -1);
	assert_int_equal(hard, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_port_is_nobody_elses),
	    cmocka_unit_test(both_families_have_the_port),
	    cmocka_unit_test(nothing_waits),
	    cmocka_unit_test(many_spans_go_as_one_and_in_order),
	    cmocka_unit_test(an_end_is_news_and_is_read_as_nothing),
	    cmocka_unit_test(a_port_without_anybody_refuses),
	    cmocka_unit_test(options_are_set_where_the_system_has_them),
	    cmocka_unit_test(paths_begin_with_a_drive_or_a_separator),
	    cmocka_unit_test(descriptors_have_no_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
