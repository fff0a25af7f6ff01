/* Listeners: accept, run out of descriptors and come back, Unix socket files. */
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../until.h"
#include "net/listener.h"
#include "net/stream.h"

static struct loop *loop;

struct door {
	struct listener *listener;
	struct stream *stream[200];
	int n, wanted;
	int fulls, overs, error;
	bool free_at_first;
};

static void let_in(void *owner, struct stream *s)
{
	struct door *d = (struct door *)owner;

	d->stream[d->n++] = s;
	if (d->free_at_first) {
		listener_free(d->listener);
		d->listener = NULL;
	}
}

static void hear_full(void *owner, int error)
{
	struct door *d = (struct door *)owner;

	if (error == 0)
		d->overs++;
	else
		d->fulls++;
	d->error = error;
}

static int set_up(void **state)
{
	(void)state;
	loop = loop_new();
	return loop == NULL ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void open_door(struct door *d, const struct address *a, int mode)
{
	struct failure why;

	failure_init(&why);
	d->listener = listener_new(loop, a, 128, mode, false, let_in, hear_full, d, &why);
	if (d->listener == NULL)
		fail_msg("listen: %s", strerror(why.code));
}

static void close_door(struct door *d)
{
	for (int i = 0; i < d->n; i++)
		stream_close(d->stream[i]);
	d->n = 0;
	listener_free(d->listener);
	d->listener = NULL;
}

static bool all_in(void *arg)
{
	struct door *d = (struct door *)arg;

	return d->n >= d->wanted;
}

static int knock(const struct address *a)
{
	bool connected;

	return socket_connect(a, NULL, &connected);
}

static void connections_are_accepted_in_batches_with_their_peers(void **state)
{
	enum { N = 100 };
	struct door d = {.wanted = N};
	struct address a, local;
	char text[64];
	int fd[N], found = 0;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	assert_int_not_equal(address_port(listener_address(d.listener)), 0);
	for (int i = 0; i < N; i++) {
		fd[i] = knock(listener_address(d.listener));
		assert_true(fd[i] >= 0);
	}
	assert_true(run_until(loop, all_in, &d));
	assert_int_equal(d.n, N);
	assert_int_equal(d.fulls, 0);
	assert_true(socket_local_address(fd[0], &local));
	for (int i = 0; i < N; i++) {
		found += stream_peer(d.stream[i])->port == address_port(&local);
		assert_string_equal(peer_text(stream_peer(d.stream[i]), text, sizeof(text)), "127.0.0.1");
		socket_close(fd[i]);
	}
	assert_int_equal(found, 1);
	close_door(&d);
}

static void the_rest_is_taken_at_once(void **state)
{
	enum { N = 100 };
	struct door d = {.wanted = N};
	struct address a;
	int fd[N];

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	for (int i = 0; i < N; i++) {
		fd[i] = knock(listener_address(d.listener));
		assert_true(fd[i] >= 0);
	}
	listener_take_rest(d.listener);
	assert_int_equal(d.n, N);
	listener_take_rest(d.listener);
	assert_int_equal(d.n, N);
	for (int i = 0; i < N; i++)
		socket_close(fd[i]);
	close_door(&d);
}

static bool is_full(void *arg)
{
	return ((struct door *)arg)->fulls > 0;
}

static bool is_over(void *arg)
{
	struct door *d = (struct door *)arg;

	return d->overs > 0 && d->n == 1;
}

static void accepting_pauses_without_descriptors_and_goes_on_by_itself(void **state)
{
	struct rlimit before, tight;
	struct door d = {0};
	struct address a;
	int client, lowest;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	client = knock(listener_address(d.listener));
	assert_true(client >= 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	lowest = dup(client);
	close(lowest);
	tight = before;
	tight.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	assert_true(run_until(loop, is_full, &d));
	assert_int_equal(d.error, EMFILE);
	/* nobody is told again, and nothing spins */
	run_turns(loop, 50);
	assert_int_equal(d.fulls, 1);
	assert_int_equal(d.n, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_true(run_until(loop, is_over, &d));
	assert_int_equal(d.fulls, 1);
	assert_int_equal(d.overs, 1);
	assert_int_equal(d.error, 0);
	close_door(&d);
	socket_close(client);
}

static void listener_may_be_freed_when_it_accepts(void **state)
{
	struct door d = {.wanted = 1, .free_at_first = true};
	struct address a;
	int one, two;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	one = knock(listener_address(d.listener));
	two = knock(listener_address(d.listener));
	assert_true(run_until(loop, all_in, &d));
	assert_int_equal(d.n, 1);
	socket_close(one);
	socket_close(two);
	close_door(&d);
}

static void port_in_use_is_a_failure(void **state)
{
	struct door d = {0};
	struct address a;
	struct failure why;

	(void)state;
	failure_init(&why);
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	a = *listener_address(d.listener);
	assert_null(listener_new(loop, &a, 5, 0, false, let_in, hear_full, &d, &why));
	assert_int_equal(why.domain, DOMAIN_ERRNO);
	assert_int_equal(why.code, EADDRINUSE);
	close_door(&d);
}

/* The one that accept will return. */
static int next_descriptor(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static int option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void options_are_inherited_by_accepted_connections(void **state)
{
	struct socket_options options = {.keepalive = true,
	                                 .keepidle_s = 77,
	                                 .keepintvl_s = 7,
	                                 .keepcnt = 5,
	                                 .user_timeout_ms = 5000,
	                                 .buffer_bytes = 20000};
	struct door d = {.wanted = 1};
	struct address a;
	int client, accepted;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	assert_true(listener_set_options(d.listener, &options));
	client = knock(listener_address(d.listener));
	accepted = next_descriptor();
	assert_true(run_until(loop, all_in, &d));
	assert_int_equal(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 77);
	assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPINTVL), 7);
	assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_KEEPCNT), 5);
	assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
	assert_int_equal(option_of(accepted, SOL_SOCKET, SO_SNDBUF), 40000); /* Linux counts its own needs, too */
	assert_int_equal(option_of(accepted, SOL_SOCKET, SO_RCVBUF), 40000);
	assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_NODELAY), 1);
	socket_close(client);
	close_door(&d);
}

/* A directory for socket files. */
static char dir[] = "/tmp/pgweir-listener-XXXXXX";
static char path[128];

static int make_dir(void **state)
{
	(void)state;
	if (mkdtemp(dir) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/.s.PGSQL.6432", dir);
	return 0;
}

static int remove_dir(void **state)
{
	(void)state;
	return rmdir(dir);
}

static void unix_socket_has_its_mode_and_tells_who_connects(void **state)
{
	struct door d = {.wanted = 1};
	struct address a;
	struct stat st;
	char text[64];
	int client;

	(void)state;
	assert_true(address_from_text(&a, path, 0));
	open_door(&d, &a, 0721);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0721);
	client = knock(&a);
	assert_true(client >= 0);
	assert_true(run_until(loop, all_in, &d));
	assert_string_equal(peer_text(stream_peer(d.stream[0]), text, sizeof(text)), "unix");
#ifdef __linux__
	assert_int_equal(peer_pid(stream_peer(d.stream[0])), getpid());
#endif
	assert_int_equal(peer_uid(stream_peer(d.stream[0])), geteuid());
	socket_close(client);
	close_door(&d);
	assert_int_not_equal(stat(path, &st), 0);
}

/* Options that were on and are off now hold for the next connection. */
static void options_can_be_taken_back(void **state)
{
	struct socket_options on = {.keepalive = true, .user_timeout_ms = 5000}, off = {0};
	struct door d = {.wanted = 1};
	struct address a;
	int client, accepted;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	open_door(&d, &a, 0);
	assert_true(listener_set_options(d.listener, &on));
	assert_true(listener_set_options(d.listener, &off));
	client = knock(listener_address(d.listener));
	accepted = next_descriptor();
	assert_true(run_until(loop, all_in, &d));
	assert_int_equal(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(option_of(accepted, IPPROTO_TCP, TCP_USER_TIMEOUT), 0);
	socket_close(client);
	close_door(&d);
}

#ifdef TCP_DEFER_ACCEPT
static void showing_clients_late_can_be_switched(void **state)
{
	struct door d = {0};
	struct address a;
	int fd;

	(void)state;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	fd = next_descriptor();
	open_door(&d, &a, 0);
	assert_true(listener_set_defer_accept(d.listener, 1));
	assert_true(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT) > 0);
	assert_true(listener_set_defer_accept(d.listener, 0));
	assert_int_equal(option_of(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	close_door(&d);
}
#endif

/* As systemd passes them: blocking, inherited, with a file that is not ours. */
static int passed_socket(const char *where, struct address *a)
{
	int fd;

	assert_true(address_from_text(a, where, 0));
	fd = socket(a->u.any.sa_family, SOCK_STREAM, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, &a->u.any, a->len), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_true(socket_local_address(fd, a));
	return fd;
}

static void sockets_that_others_opened_are_taken_over(void **state)
{
	const char *where[3] = {"127.0.0.1", "::1", path};

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct door d = {.wanted = 1};
		struct failure why;
		struct address a;
		int client, fd = passed_socket(where[i], &a);

		failure_init(&why);
		d.listener = listener_adopt(loop, fd, let_in, hear_full, &d, &why);
		assert_non_null(d.listener);
		assert_true(address_same(listener_address(d.listener), &a));
		assert_true((fcntl(fd, F_GETFL) & O_NONBLOCK) != 0);
		assert_true((fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
		client = knock(&a);
		assert_true(client >= 0);
		assert_true(run_until(loop, all_in, &d));
		socket_close(client);
		close_door(&d);
		failure_fini(&why);
		/* whoever opened it keeps its file */
		assert_int_equal(access(path, F_OK), i == 2 ? 0 : -1);
	}
	unlink(path);
}

static void what_is_no_listening_stream_is_refused(void **state)
{
	struct door d = {0};
	struct failure why;
	int fd[4];

	(void)state;
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	fd[1] = socket(AF_INET, SOCK_DGRAM, 0);
	fd[2] = open("/dev/null", O_RDONLY);
	fd[3] = 9999;
	for (int i = 0; i < 4; i++) {
		failure_init(&why);
		assert_null(listener_adopt(loop, fd[i], let_in, hear_full, &d, &why));
		assert_int_equal(why.domain, DOMAIN_ERRNO);
		assert_int_equal(why.code, ENOTSOCK);
		failure_fini(&why);
		/* still its owner's */
		if (i < 3)
			assert_int_equal(close(fd[i]), 0);
	}
}

static void stale_unix_socket_is_replaced_a_living_one_is_not(void **state)
{
	struct door d = {0}, second = {0};
	struct address a;
	struct failure why;
	struct stat st;

	(void)state;
	failure_init(&why);
	assert_true(address_from_text(&a, path, 0));
	socket_close(socket_listen(&a, 5, 0700, false));
	assert_int_equal(stat(path, &st), 0);
	open_door(&d, &a, 0700);
	assert_null(listener_new(loop, &a, 5, 0700, false, let_in, hear_full, &second, &why));
	assert_int_equal(why.code, EADDRINUSE);
	assert_int_equal(stat(path, &st), 0);
	close_door(&d);
}

static void file_that_is_no_socket_is_left_alone(void **state)
{
	struct door d = {0};
	struct address a;
	struct failure why;
	FILE *f = fopen(path, "w");

	(void)state;
	failure_init(&why);
	assert_non_null(f);
	fclose(f);
	assert_true(address_from_text(&a, path, 0));
	assert_null(listener_new(loop, &a, 5, 0700, false, let_in, hear_full, &d, &why));
	assert_int_equal(why.code, EADDRINUSE);
	assert_int_equal(unlink(path), 0);
}

static void file_of_a_successor_is_not_removed(void **state)
{
	struct door d = {0}, successor = {0};
	struct address a;
	struct stat st;
	char aside[160];

	(void)state;
	assert_true(address_from_text(&a, path, 0));
	open_door(&d, &a, 0700);
	snprintf(aside, sizeof(aside), "%s.old", path);
	assert_int_equal(rename(path, aside), 0);
	open_door(&successor, &a, 0700);
	close_door(&d);
	assert_int_equal(stat(path, &st), 0);
	close_door(&successor);
	assert_int_not_equal(stat(path, &st), 0);
	assert_int_equal(unlink(aside), 0);
}

#ifdef __linux__
static void abstract_socket_has_no_file(void **state)
{
	struct door d = {.wanted = 1};
	struct address a;
	char name[64];
	int client;

	(void)state;
	snprintf(name, sizeof(name), "@pgweir-test-%ld", (long)getpid());
	assert_true(address_from_text(&a, name, 0));
	open_door(&d, &a, 0700);
	client = knock(&a);
	assert_true(client >= 0);
	assert_true(run_until(loop, all_in, &d));
	socket_close(client);
	close_door(&d);
}
#endif

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(connections_are_accepted_in_batches_with_their_peers),
	    TEST(the_rest_is_taken_at_once),
	    TEST(accepting_pauses_without_descriptors_and_goes_on_by_itself),
	    TEST(listener_may_be_freed_when_it_accepts),
	    TEST(port_in_use_is_a_failure),
	    TEST(options_are_inherited_by_accepted_connections),
	    TEST(options_can_be_taken_back),
#ifdef TCP_DEFER_ACCEPT
	    TEST(showing_clients_late_can_be_switched),
#endif
	    TEST(sockets_that_others_opened_are_taken_over),
	    TEST(what_is_no_listening_stream_is_refused),
	    TEST(unix_socket_has_its_mode_and_tells_who_connects),
	    TEST(stale_unix_socket_is_replaced_a_living_one_is_not),
	    TEST(file_that_is_no_socket_is_left_alone),
	    TEST(file_of_a_successor_is_not_removed),
#ifdef __linux__
	    TEST(abstract_socket_has_no_file),
#endif
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
