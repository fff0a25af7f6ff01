/* Addresses, peers, socket options, wake-ups, texts of errors. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "os/error.h"
#include "os/socket.h"
#include "os/wakeup.h"

static void texts_become_addresses_and_texts_again(void **state)
{
	static const struct {
		const char *in, *out;
		uint16_t port;
	} good[] = {{"10.0.0.5", "10.0.0.5", 5432},      {"0.0.0.0", "0.0.0.0", 1},         {"::1", "::1", 65535},
	            {"2001:DB8::0:1", "2001:db8::1", 7}, {"/tmp/.s.PGSQL.5432", "unix", 0}, {"@abstract", "unix", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct address a, again;
		struct peer p;
		char text[64];

		assert_true(address_from_text(&a, good[i].in, good[i].port));
		assert_string_equal(address_text(&a, text, sizeof(text)), good[i].out);
		assert_int_equal(address_port(&a), good[i].port);
		assert_int_equal(address_is_unix(&a), strcmp(good[i].out, "unix") == 0);
		assert_true(address_from_text(&again, good[i].in, good[i].port));
		assert_true(address_same(&a, &again));
		p = peer_of_address(&a);
		assert_string_equal(peer_text(&p, text, sizeof(text)), good[i].out);
		assert_int_equal(p.port, good[i].port);
		assert_int_equal(peer_uid(&p), -1);
		assert_int_equal(peer_pid(&p), 0);
	}
}

static void other_texts_are_no_addresses(void **state)
{
	static const char *const bad[] = {"",     "localhost",          "10.0.0", "10.0.0.256", "1.2.3.4 ", ":::",
	                                  "::1%", "fe80::1%no-such-if", "/",      "@",          "::1::2"};
	char longest[200];
	struct address a;

	(void)state;
	a.len = 99;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(address_from_text(&a, bad[i], 1));
	memset(longest, 'x', sizeof(longest));
	longest[0] = '/';
	longest[sizeof(a.u.local.sun_path)] = '\0';
	assert_false(address_from_text(&a, longest, 1));
	/* written only on success */
	assert_int_equal(a.len, 99);
	longest[sizeof(a.u.local.sun_path) - 1] = '\0';
	assert_true(address_from_text(&a, longest, 1));
}

static void addresses_differ_in_each_part(void **state)
{
	static const char *const text[] = {"10.0.0.5", "10.0.0.6", "::1", "::2", "/a/b", "/a/c", "@a/b"};
	struct address a, b, none = {0};

	(void)state;
	for (size_t i = 0; i < 7; i++) {
		assert_true(address_from_text(&a, text[i], 1));
		assert_false(address_same(&a, &none));
		for (size_t k = 0; k < 7; k++) {
			assert_true(address_from_text(&b, text[k], 1));
			assert_int_equal(address_same(&a, &b), i == k);
		}
		assert_true(address_from_text(&b, text[i], 2));
		assert_int_equal(address_same(&a, &b), i >= 4);
	}
	assert_true(address_same(&none, &none));
}

static int int_option(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void accepted_and_connected_sockets_do_not_delay_block_or_leak(void **state)
{
	static const struct socket_options options = {
	    .keepalive = true, .keepidle_s = 30, .keepintvl_s = 7, .keepcnt = 3, .user_timeout_ms = 9000};
	struct address a, client_end;
	struct pollfd ready;
	struct peer peer;
	bool connected;
	int listen_fd, fd[2];

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	listen_fd = socket_listen(&a, 5, 0, true);
	assert_true(listen_fd >= 0);
	assert_true(socket_local_address(listen_fd, &a));
	assert_int_equal(socket_accept(listen_fd, &peer), -1);
	assert_int_equal(errno, EAGAIN);
	fd[0] = socket_connect(&a, &options, &connected);
	assert_true(fd[0] >= 0);
	ready = (struct pollfd){listen_fd, POLLIN, 0};
	assert_int_equal(poll(&ready, 1, 10000), 1);
	fd[1] = socket_accept(listen_fd, &peer);
	assert_true(fd[1] >= 0);
	assert_int_equal(socket_connect_result(fd[0]), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_not_equal(int_option(fd[i], IPPROTO_TCP, TCP_NODELAY), 0);
		assert_int_not_equal(fcntl(fd[i], F_GETFL) & O_NONBLOCK, 0);
		assert_int_not_equal(fcntl(fd[i], F_GETFD) & FD_CLOEXEC, 0);
	}
	assert_int_not_equal(int_option(fd[0], SOL_SOCKET, SO_KEEPALIVE), 0);
#ifdef __linux__
	assert_int_equal(int_option(fd[0], IPPROTO_TCP, TCP_KEEPIDLE), 30);
	assert_int_equal(int_option(fd[0], IPPROTO_TCP, TCP_KEEPINTVL), 7);
	assert_int_equal(int_option(fd[0], IPPROTO_TCP, TCP_KEEPCNT), 3);
	assert_int_equal(int_option(fd[0], IPPROTO_TCP, TCP_USER_TIMEOUT), 9000);
#endif
	assert_int_equal(int_option(fd[1], SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_true(socket_local_address(fd[0], &client_end));
	assert_int_equal(peer.port, address_port(&client_end));
	assert_int_equal(peer.family, 4);
	assert_true(socket_peer_address(fd[1], &a));
	assert_true(address_same(&a, &client_end));
	socket_close(fd[0]);
	socket_close(fd[1]);
	socket_close(listen_fd);
	socket_close(-1);
}

static void wakeup_is_readable_after_a_ring_and_not_before(void **state)
{
	struct wakeup w;
	struct pollfd ready;

	(void)state;
	assert_true(wakeup_init(&w));
	ready = (struct pollfd){w.read_fd, POLLIN, 0};
	assert_int_equal(poll(&ready, 1, 0), 0);
	wakeup_ring(&w);
	wakeup_ring(&w);
	assert_int_equal(poll(&ready, 1, 0), 1);
	wakeup_clear(&w);
	assert_int_equal(poll(&ready, 1, 0), 0);
#ifdef __linux__
	assert_false(wakeup_needs_clearing(&w));
#endif
	wakeup_fini(&w);
	wakeup_fini(&w);
}

static void errors_have_texts(void **state)
{
	char buf[128], small[8];

	(void)state;
	assert_string_equal(os_error_text(ECONNREFUSED, buf, sizeof(buf)), "Connection refused");
	assert_true(os_error_text(123456, buf, sizeof(buf))[0] != '\0');
	assert_string_equal(os_error_text(ECONNREFUSED, small, sizeof(small)), "Connect");
}

static void descriptor_limit_is_raised_to_the_hard_one_only_if_needed(void **state)
{
	struct rlimit before, low;
	long hard = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	low = before;
	low.rlim_cur = 100;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(os_raise_descriptor_limit(50, &hard), 100);
	assert_int_equal(hard, (long)before.rlim_max);
	assert_int_equal(os_raise_descriptor_limit(101, NULL), (long)before.rlim_max);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void news_are_bytes_and_the_end_and_stay_where_they_are(void **state)
{
	char byte;
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_false(socket_has_news(fd[0]));
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_true(socket_has_news(fd[0]));
	assert_true(socket_has_news(fd[0]));
	assert_int_equal(socket_read(fd[0], &byte, 1), 1);
	assert_false(socket_has_news(fd[0]));
	socket_close(fd[1]);
	assert_true(socket_has_news(fd[0]));
	socket_close(fd[0]);
}

static void an_end_is_seen_before_what_came_ahead_of_it_is_read(void **state)
{
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_false(socket_has_ended(fd[0]));
	assert_int_equal(write(fd[1], "x", 1), 1);
	assert_false(socket_has_ended(fd[0]));
	assert_int_equal(shutdown(fd[1], SHUT_WR), 0);
#ifdef __linux__
	assert_true(socket_has_ended(fd[0]));
#endif
	assert_false(socket_has_ended(fd[1]));
	socket_close(fd[1]);
	socket_close(fd[0]);
}

#ifdef __linux__
static void who_is_turned_away_gets_no_answer_and_who_was_there_stays(void **state)
{
	struct address a;
	struct peer peer;
	bool connected;
	char byte;
	int listening, before, accepted, after;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	listening = socket_listen(&a, 8, 0, true);
	assert_true(listening >= 0 && socket_local_address(listening, &a));
	before = socket_connect(&a, NULL, &connected);
	assert_true(before >= 0);
	if (!socket_turn_away(listening)) {
		/* a system that lets only the mighty do it: then nothing has changed */
		assert_int_equal(errno, EPERM);
		after = socket_connect(&a, NULL, &connected);
		assert_true(after >= 0 && socket_accept(listening, &peer) >= 0 && socket_accept(listening, &peer) >= 0);
		return;
	}
	after = socket_connect(&a, NULL, &connected);
	assert_true(after >= 0 && !connected);
	accepted = socket_accept(listening, &peer);
	assert_true(accepted >= 0);
	assert_int_equal(write(before, "x", 1), 1);
	assert_int_equal(read(accepted, &byte, 1), 1);
	/* on loopback an answer would have come within the call: connected, or refused */
	assert_int_equal(poll(&(struct pollfd){after, POLLOUT, 0}, 1, 50), 0);
	assert_int_equal(socket_accept(listening, &peer), -1);
	socket_close(before);
	socket_close(accepted);
	socket_close(after);
	socket_close(listening);
	assert_false(socket_turn_away(-1));
}
#endif

static void tcp_connections_know_their_silence_and_others_do_not(void **state)
{
	struct socket_silence silence = {true, 1};
	struct address a;
	struct peer peer;
	bool connected;
	int pair[2], listen_fd, one_end, other_end;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_false(socket_silence(pair[0], &silence));
	close(pair[0]);
	close(pair[1]);
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	listen_fd = socket_listen(&a, 5, 0, false);
	assert_true(listen_fd >= 0 && socket_local_address(listen_fd, &a));
	one_end = socket_connect(&a, NULL, &connected);
	assert_true(one_end >= 0);
	other_end = socket_accept(listen_fd, &peer);
	assert_true(other_end >= 0);
#ifdef __linux__
	assert_true(socket_silence(one_end, &silence));
	assert_false(silence.unacknowledged);
	assert_true(silence.quiet_us < 60 * 1000000u);
#endif
	close(one_end);
	close(other_end);
	close(listen_fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_become_addresses_and_texts_again),
	    cmocka_unit_test(other_texts_are_no_addresses),
	    cmocka_unit_test(addresses_differ_in_each_part),
	    cmocka_unit_test(accepted_and_connected_sockets_do_not_delay_block_or_leak),
	    cmocka_unit_test(wakeup_is_readable_after_a_ring_and_not_before),
	    cmocka_unit_test(errors_have_texts),
	    cmocka_unit_test(news_are_bytes_and_the_end_and_stay_where_they_are),
	    cmocka_unit_test(an_end_is_seen_before_what_came_ahead_of_it_is_read),
#ifdef __linux__
	    cmocka_unit_test(who_is_turned_away_gets_no_answer_and_who_was_there_stays),
#endif
	    cmocka_unit_test(tcp_connections_know_their_silence_and_others_do_not),
	    cmocka_unit_test(descriptor_limit_is_raised_to_the_hard_one_only_if_needed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
