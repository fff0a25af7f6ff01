/* Streams over real sockets: every split, every partial write, every way to leave. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../until.h"
#include "base/mem.h"
#include "net/stream.h"

static struct loop *loop;

/* Owner of a stream that writes down what happens. */
struct owner {
	struct stream *stream;
	char events[64]; /* C R D B */
	char got[512];
	size_t n_got;
	bool ended;
	bool close_on[4]; /* by event */
	bool leave_alone; /* do not read */
	size_t hold;      /* give so many bytes back after each read */
	size_t hold_max;  /* but no more than so many times */
};

static const struct peer nobody;

static void note(struct owner *o, char what)
{
	size_t n = strlen(o->events);

	if (n + 1 < sizeof(o->events) && (n == 0 || what != 'R' || o->events[n - 1] != 'R'))
		o->events[n] = what;
}

static void take_bytes(struct owner *o)
{
	struct failure why;
	struct span span;
	enum read_result result;

	failure_init(&why);
	result = stream_read(o->stream, LOOP_BUFFER_BYTES, &span, &why);
	if (result == READ_END)
		o->ended = true;
	if (result == READ_END || result == READ_FAILED)
		stream_pause(o->stream);
	if (result == READ_GOT) {
		size_t back = o->hold_max > 0 && o->hold < span.len ? o->hold : 0;

		if (back > 0)
			o->hold_max--;
		assert_true(o->n_got + span.len - back <= sizeof(o->got));
		memcpy(o->got + o->n_got, span.data, span.len - back);
		o->n_got += span.len - back;
		assert_true(stream_hold(o->stream, span.data + span.len - back, back));
		assert_int_equal(stream_held_bytes(o->stream), back);
	}
	failure_fini(&why);
}

static void on_event(void *owner, enum stream_event event)
{
	struct owner *o = (struct owner *)owner;

	note(o, "CRDB"[event]);
	if (o->close_on[event]) {
		stream_close(o->stream);
		o->stream = NULL;
		return;
	}
	if (event == STREAM_READABLE && !o->leave_alone)
		take_bytes(o);
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

static void small_buffers(int fd)
{
	int size = 4608;

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

/* A stream on the loop; the other end is a plain descriptor, or a second stream if `other` is one. */
static int join_pair(struct owner *o, struct owner *other)
{
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	small_buffers(fd[0]);
	o->stream = stream_adopt(fd[0], &nobody);
	assert_non_null(o->stream);
	assert_true(stream_join(o->stream, loop, on_event, o));
	if (other != NULL) {
		other->stream = stream_adopt(fd[1], &nobody);
		assert_non_null(other->stream);
		assert_true(stream_join(other->stream, loop, on_event, other));
	}
	return fd[1];
}

static enum write_result put(struct stream *s, const char *bytes, size_t len)
{
	struct iovec v;
	struct failure why;
	enum write_result result;
	char *copy = mem_copy(bytes, len);

	failure_init(&why);
	v.iov_base = copy;
	v.iov_len = len;
	result = stream_write(s, &v, 1, &why);
	failure_fini(&why);
	mem_free(copy);
	return result;
}

static size_t wanted;

static bool got_wanted(void *arg)
{
	return ((struct owner *)arg)->n_got >= wanted;
}

static bool has_ended(void *arg)
{
	return ((struct owner *)arg)->ended;
}

static void bytes_arrive_whole_at_every_split_and_every_hold(void **state)
{
	static const char text[] = "to be held or not to be held";
	const size_t n = sizeof(text) - 1;

	(void)state;
	for (size_t cut = 0; cut <= n; cut++) {
		for (size_t hold = 0; hold < n; hold += 3) {
			struct owner o = {.hold = hold, .hold_max = 1};
			int fd = join_pair(&o, NULL);

			assert_int_equal(write(fd, text, cut), cut);
			run_turns(loop, 2);
			assert_int_equal(write(fd, text + cut, n - cut), n - cut);
			run_turns(loop, 2);
			if (cut == n && hold > 0) {
				struct span rest;

				assert_int_equal(stream_read_held(o.stream, &rest), READ_GOT);
				memcpy(o.got + o.n_got, rest.data, rest.len);
				o.n_got += rest.len;
			} else if (o.n_got < n) {
				/* one more byte brings what was given back last */
				assert_int_equal(write(fd, "!", 1), 1);
				run_turns(loop, 2);
				assert_int_equal(o.n_got, n + 1);
				o.n_got--;
			}
			assert_int_equal(o.n_got, n);
			assert_memory_equal(o.got, text, n);
			assert_int_equal(stream_held_bytes(o.stream), 0);
			close(fd);
			assert_true(run_until(loop, has_ended, &o));
			stream_close(o.stream);
		}
	}
}

static void held_bytes_stay_when_nothing_comes(void **state)
{
	struct owner o = {0};
	struct failure why;
	struct span span;
	int fd = join_pair(&o, NULL);

	(void)state;
	failure_init(&why);
	assert_int_equal(stream_read_held(o.stream, &span), READ_LATER);
	assert_true(stream_hold(o.stream, "abc", 3));
	assert_int_equal(stream_read(o.stream, LOOP_BUFFER_BYTES, &span, &why), READ_LATER);
	assert_int_equal(stream_held_bytes(o.stream), 3);
	assert_int_equal(stream_read_held(o.stream, &span), READ_GOT);
	assert_ptr_equal(span.data, loop_buffer(loop));
	assert_int_equal(span.len, 3);
	assert_memory_equal(span.data, "abc", 3);
	assert_int_equal(stream_held_bytes(o.stream), 0);
	assert_true(stream_hold(o.stream, span.data, LOOP_BUFFER_BYTES));
	assert_false(stream_hold(o.stream, span.data, LOOP_BUFFER_BYTES + 1));
	assert_int_equal(stream_held_bytes(o.stream), LOOP_BUFFER_BYTES);
	stream_close(o.stream);
	close(fd);
}

static void one_read_brings_at_most_what_was_asked_for_behind_the_held_bytes(void **state)
{
	struct owner o = {.leave_alone = true};
	struct failure why;
	struct span span;
	int fd = join_pair(&o, NULL);

	(void)state;
	failure_init(&why);
	assert_int_equal(write(fd, "abcdefgh", 8), 8);
	assert_int_equal(stream_read(o.stream, 3, &span, &why), READ_GOT);
	assert_int_equal(span.len, 3);
	assert_true(stream_hold(o.stream, span.data + 1, 2));
	assert_int_equal(stream_read(o.stream, 4, &span, &why), READ_GOT);
	assert_int_equal(span.len, 6);
	assert_memory_equal(span.data, "bcdefg", 6);
	assert_int_equal(stream_read(o.stream, LOOP_BUFFER_BYTES, &span, &why), READ_GOT);
	assert_int_equal(span.len, 1);
	stream_close(o.stream);
	close(fd);
}

/* The bytes that position i of all that is written should have. */
static char byte_at(size_t i)
{
	return (char)('a' + i % 23);
}

struct sink {
	int fd;
	size_t n;
	size_t total;
	size_t step; /* takes so many bytes a turn */
};

static bool sink_has_all(void *arg)
{
	struct sink *k = (struct sink *)arg;
	char buf[4096];
	ssize_t n = read(k->fd, buf, k->step < sizeof(buf) ? k->step : sizeof(buf));

	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(buf[i], byte_at(k->n + (size_t)i));
	if (n > 0)
		k->n += (size_t)n;
	return k->n == k->total;
}

/* Our turn functions poll the descriptor, so that the loop must not sleep long: a timer keeps it going. */
static struct timer *beat;

static void tick(void *owner)
{
	(void)owner;
	timer_set(beat, clock_steady_us() + 200);
}

static void drain(struct sink *k)
{
	beat = timer_new(loop, tick, NULL);
	timer_set(beat, 1);
	assert_true(run_until(loop, sink_has_all, k));
	timer_free(beat);
}

static enum write_result put_pattern(struct stream *s, size_t from, const size_t *part, int n)
{
	struct iovec v[8];
	char *bytes[8];
	struct failure why;
	enum write_result result;

	failure_init(&why);
	for (int i = 0; i < n; i++) {
		bytes[i] = (char *)malloc(part[i] + 1);
		assert_non_null(bytes[i]);
		for (size_t k = 0; k < part[i]; k++)
			bytes[i][k] = byte_at(from++);
		v[i].iov_base = bytes[i];
		v[i].iov_len = part[i];
	}
	result = stream_write(s, v, n, &why);
	for (int i = 0; i < n; i++)
		free(bytes[i]);
	failure_fini(&why);
	return result;
}

static void partial_writes_are_continued_in_order_from_every_span(void **state)
{
	static const size_t parts[][4] = {{20000, 20000, 20000, 1},
	                                  {1, 2, 3, 100000},
	                                  {0, 70000, 0, 5},
	                                  {100000, 0, 1, 1},
	                                  {3000, 3000, 3000, 90000}};

	(void)state;
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		struct owner o = {0};
		struct sink k = {.step = 1500};
		const size_t more[2] = {11, 5000};
		int fd[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		small_buffers(fd[0]);
		o.stream = stream_adopt(fd[0], &nobody);
		assert_true(stream_join(o.stream, loop, on_event, &o));
		k.fd = fd[1];
		assert_int_equal(put_pattern(o.stream, 0, parts[i], 4), WRITE_PENDING);
		for (int p = 0; p < 4; p++)
			k.total += parts[i][p];
		assert_true(stream_pending_bytes(o.stream) > 0);
		assert_true(stream_pending_bytes(o.stream) < k.total);
		/* nothing overtakes what is pending */
		assert_int_equal(put_pattern(o.stream, k.total, more, 2), WRITE_PENDING);
		k.total += more[0] + more[1];
		drain(&k);
		assert_int_equal(stream_pending_bytes(o.stream), 0);
		run_turns(loop, 2);
		assert_string_equal(o.events, "D");
		assert_int_equal(put(o.stream, "x", 1), WRITE_DONE);
		stream_close(o.stream);
		close(fd[1]);
	}
}

static void pending_bytes_grow_while_some_are_taken(void **state)
{
	struct owner o = {0};
	struct sink k = {.step = 4096};
	const size_t part[1] = {9001};
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	small_buffers(fd[0]);
	o.stream = stream_adopt(fd[0], &nobody);
	assert_true(stream_join(o.stream, loop, on_event, &o));
	k.fd = fd[1];
	for (size_t n = 0; n < 40; n++) {
		assert_int_not_equal(put_pattern(o.stream, n * part[0], part, 1), WRITE_FAILED);
		k.total += part[0];
		(void)sink_has_all(&k);
		run_turns(loop, 1);
	}
	drain(&k);
	assert_int_equal(stream_pending_bytes(o.stream), 0);
	stream_close(o.stream);
	close(fd[1]);
}

static void more_spans_than_the_system_takes_at_once_are_written(void **state)
{
	enum { N = 3000 };
	struct owner o = {0};
	struct iovec v[N];
	char bytes[N];
	struct sink k = {.total = N, .step = 4096};
	struct failure why;

	(void)state;
	failure_init(&why);
	k.fd = join_pair(&o, NULL);
	for (size_t i = 0; i < N; i++) {
		bytes[i] = byte_at(i);
		v[i].iov_base = &bytes[i];
		v[i].iov_len = 1;
	}
	assert_int_equal(stream_write(o.stream, v, N, &why), WRITE_PENDING);
	drain(&k);
	stream_close(o.stream);
	close(k.fd);
}

static void nothing_to_write_is_done(void **state)
{
	struct owner o = {0};
	int fd = join_pair(&o, NULL);

	(void)state;
	assert_int_equal(put(o.stream, "", 0), WRITE_DONE);
	stream_close(o.stream);
	stream_close(NULL);
	close(fd);
}

static void paused_stream_hears_nothing_until_resumed(void **state)
{
	struct owner o = {0};
	int fd = join_pair(&o, NULL);

	(void)state;
	stream_pause(o.stream);
	assert_true(stream_is_paused(o.stream));
	assert_int_equal(write(fd, "abc", 3), 3);
	run_turns(loop, 3);
	assert_string_equal(o.events, "");
	stream_resume(o.stream);
	stream_pause(o.stream);
	stream_resume(o.stream);
	wanted = 3;
	assert_true(run_until(loop, got_wanted, &o));
	assert_memory_equal(o.got, "abc", 3);
	stream_close(o.stream);
	close(fd);
}

static void unread_bytes_are_announced_every_turn(void **state)
{
	struct owner o = {.leave_alone = true};
	int fd = join_pair(&o, NULL);

	(void)state;
	assert_int_equal(write(fd, "abc", 3), 3);
	run_turns(loop, 4);
	assert_string_equal(o.events, "R");
	o.leave_alone = false;
	wanted = 3;
	assert_true(run_until(loop, got_wanted, &o));
	stream_close(o.stream);
	close(fd);
}

static void stream_may_be_closed_in_each_of_its_events(void **state)
{
	struct owner readable = {.close_on = {[STREAM_READABLE] = true}};
	struct owner drained = {.close_on = {[STREAM_DRAINED] = true}};
	struct owner broken = {.close_on = {[STREAM_BROKEN] = true}};
	struct sink k = {.step = 4096, .total = 200000};
	const size_t big[1] = {200000};
	int fd;

	(void)state;
	fd = join_pair(&readable, NULL);
	assert_int_equal(write(fd, "a", 1), 1);
	run_turns(loop, 3);
	assert_null(readable.stream);
	close(fd);

	k.fd = join_pair(&drained, NULL);
	if (put_pattern(drained.stream, 0, big, 1) == WRITE_DONE)
		fail_msg("200,000 bytes went through at once");
	drain(&k);
	run_turns(loop, 3);
	assert_null(drained.stream);
	close(k.fd);

	fd = join_pair(&broken, NULL);
	stream_pause(broken.stream);
	assert_int_equal(put_pattern(broken.stream, 0, big, 1), WRITE_PENDING);
	close(fd);
	run_turns(loop, 3);
	assert_null(broken.stream);
	assert_string_equal(broken.events, "B");
}

/* Closes itself and the stream that `partner` points at. */
static struct owner *partner_of[2];

static void close_both(void *owner, enum stream_event event)
{
	struct owner *o = (struct owner *)owner;

	note(o, "CRDB"[event]);
	for (int i = 0; i < 2; i++) {
		stream_close(partner_of[i]->stream);
		partner_of[i]->stream = NULL;
	}
}

static void event_of_a_stream_that_another_callback_closed_is_not_delivered(void **state)
{
	struct owner a = {0}, b = {0};
	int fd_a = join_pair(&a, NULL), fd_b = join_pair(&b, NULL);

	(void)state;
	partner_of[0] = &a;
	partner_of[1] = &b;
	stream_leave(a.stream);
	stream_leave(b.stream);
	assert_true(stream_join(a.stream, loop, close_both, &a));
	assert_true(stream_join(b.stream, loop, close_both, &b));
	assert_int_equal(write(fd_a, "x", 1), 1);
	assert_int_equal(write(fd_b, "x", 1), 1);
	run_turns(loop, 3);
	/* whichever was first */
	assert_int_equal(strlen(a.events) + strlen(b.events), 1);
	assert_null(a.stream);
	assert_null(b.stream);
	close(fd_a);
	close(fd_b);
}

static void delayed_write_to_a_closed_partner_breaks_with_its_errno(void **state)
{
	const size_t big[1] = {500000};
	struct owner o = {0};
	struct failure why;
	int fd = join_pair(&o, NULL);

	(void)state;
	failure_init(&why);
	stream_pause(o.stream);
	assert_int_equal(put_pattern(o.stream, 0, big, 1), WRITE_PENDING);
	close(fd);
	run_turns(loop, 4);
	assert_string_equal(o.events, "B");
	assert_int_equal(stream_failure(o.stream)->phase, PHASE_SESSION);
	assert_int_equal(stream_failure(o.stream)->domain, DOMAIN_ERRNO);
	assert_int_equal(stream_pending_bytes(o.stream), 0);
	assert_int_equal(put(o.stream, "x", 1), WRITE_FAILED);
	stream_close(o.stream);
}

static void last_words_can_be_read_after_a_delayed_write_broke(void **state)
{
	const size_t big[1] = {500000};
	struct owner o = {0};
	int fd = join_pair(&o, NULL);

	(void)state;
	stream_pause(o.stream);
	assert_int_equal(put_pattern(o.stream, 0, big, 1), WRITE_PENDING);
	assert_int_equal(write(fd, "FATAL", 5), 5);
	close(fd);
	run_turns(loop, 4);
	assert_string_equal(o.events, "B");
	take_bytes(&o);
	assert_int_equal(o.n_got, 5);
	assert_memory_equal(o.got, "FATAL", 5);
	stream_close(o.stream);
}

static void write_to_a_closed_partner_fails_at_once_without_a_signal(void **state)
{
	struct owner o = {0};
	struct iovec v[2] = {{.iov_len = 1}, {.iov_len = 1}};
	char byte = 'x';
	struct failure why;
	int fd = join_pair(&o, NULL);

	(void)state;
	v[0].iov_base = v[1].iov_base = &byte;
	failure_init(&why);
	close(fd);
	assert_int_equal(stream_write(o.stream, v, 1, &why), WRITE_FAILED);
	assert_int_equal(why.code, EPIPE);
	assert_int_equal(why.phase, PHASE_SESSION);
	assert_int_equal(stream_write(o.stream, v, 2, &why), WRITE_FAILED);
	assert_int_equal(why.domain, DOMAIN_ERRNO);
	failure_fini(&why);
	stream_close(o.stream);
}

static void pending_bytes_are_offered_once_more_at_close(void **state)
{
	struct owner o = {0};
	struct sink k = {.step = 4096, .total = 300000};
	const size_t big[1] = {300000};
	int fd[2];
	size_t before;

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	o.stream = stream_adopt(fd[0], &nobody);
	assert_true(stream_join(o.stream, loop, on_event, &o));
	k.fd = fd[1];
	assert_int_equal(put_pattern(o.stream, 0, big, 1), WRITE_PENDING);
	before = k.total - stream_pending_bytes(o.stream);
	while (k.n < before)
		(void)sink_has_all(&k);
	stream_close(o.stream);
	while (!sink_has_all(&k) && k.n < before + 1)
		;
	assert_true(k.n > before);
	close(fd[1]);
}

static void stream_without_a_loop_writes_and_keeps_the_rest_until_it_joins_another(void **state)
{
	struct loop *first = loop;
	struct owner o = {0};
	struct sink k = {.step = 4096};
	const size_t big[1] = {300000}, more[1] = {7};
	int fd[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	o.stream = stream_adopt(fd[0], &nobody);
	k.fd = fd[1];
	assert_int_equal(put_pattern(o.stream, 0, big, 1), WRITE_PENDING);
	assert_true(stream_join(o.stream, loop, on_event, &o));
	run_turns(loop, 3);
	assert_string_equal(o.events, "");
	assert_true(stream_hold(o.stream, "held", 4));
	stream_pause(o.stream);
	stream_leave(o.stream);
	stream_leave(o.stream);
	assert_int_equal(stream_held_bytes(o.stream), 4);
	assert_int_equal(put_pattern(o.stream, big[0], more, 1), WRITE_PENDING);
	k.total = big[0] + more[0];
	loop = loop_new();
	assert_non_null(loop);
	assert_true(stream_join(o.stream, loop, on_event, &o));
	assert_false(stream_is_paused(o.stream));
	drain(&k);
	assert_int_equal(write(k.fd, "!", 1), 1);
	wanted = 5;
	assert_true(run_until(loop, got_wanted, &o));
	assert_memory_equal(o.got, "held!", 5);
	stream_close(o.stream);
	close(fd[1]);
	loop_free(loop);
	loop = first;
}

/* A listening TCP socket on loopback. */
static int listen_on_loopback(struct address *a)
{
	int fd;

	assert_true(address_from_text(a, "127.0.0.1", 0));
	fd = socket_listen(a, 5, 0, false);
	assert_true(fd >= 0);
	assert_true(socket_local_address(fd, a));
	return fd;
}

static bool has_event(void *arg)
{
	return ((struct owner *)arg)->events[0] != '\0';
}

static void connected_stream_knows_both_ends_and_talks(void **state)
{
	struct owner o = {0}, accepted = {0};
	struct address a, local, remote;
	struct peer peer;
	char text[STREAM_TLS_TEXT_BYTES];
	struct failure why;
	int listen_fd, fd;

	(void)state;
	failure_init(&why);
	listen_fd = listen_on_loopback(&a);
	o.stream = stream_connect(loop, &a, NULL, on_event, &o, &why);
	assert_non_null(o.stream);
	/* kept until the connection stands */
	assert_int_equal(put(o.stream, "early", 5), WRITE_PENDING);
	assert_string_equal(o.events, "");
	assert_true(run_until(loop, has_event, &o));
	assert_int_equal(o.events[0], 'C');
	fd = socket_accept(listen_fd, &peer);
	assert_true(fd >= 0);
	accepted.stream = stream_adopt(fd, &peer);
	assert_true(stream_join(accepted.stream, loop, on_event, &accepted));
	wanted = 5;
	assert_true(run_until(loop, got_wanted, &accepted));
	assert_memory_equal(accepted.got, "early", 5);
	assert_true(stream_local_address(o.stream, &local));
	assert_true(stream_remote_address(o.stream, &remote));
	assert_true(address_same(&remote, &a));
	assert_int_equal(stream_peer(accepted.stream)->port, address_port(&local));
	assert_int_equal(stream_peer(o.stream)->port, address_port(&a));
	assert_string_equal(stream_tls_text(o.stream, text), "");
	assert_int_equal(put(accepted.stream, "hello", 5), WRITE_DONE);
	assert_true(run_until(loop, got_wanted, &o));
	stream_close(o.stream);
	assert_true(run_until(loop, has_ended, &accepted));
	stream_close(accepted.stream);
	socket_close(listen_fd);
}

static void refused_connect_breaks_with_connect_phase(void **state)
{
	struct owner o = {0}, closing = {.close_on = {[STREAM_BROKEN] = true}};
	struct address a;
	struct failure why;

	(void)state;
	failure_init(&why);
	socket_close(listen_on_loopback(&a));
	o.stream = stream_connect(loop, &a, NULL, on_event, &o, &why);
	if (o.stream == NULL) {
		/* some systems know at once */
		assert_int_equal(why.code, ECONNREFUSED);
		return;
	}
	assert_true(run_until(loop, has_event, &o));
	assert_string_equal(o.events, "B");
	assert_int_equal(stream_failure(o.stream)->phase, PHASE_CONNECT);
	assert_int_equal(stream_failure(o.stream)->domain, DOMAIN_ERRNO);
	assert_int_equal(stream_failure(o.stream)->code, ECONNREFUSED);
	run_turns(loop, 3);
	assert_string_equal(o.events, "B");
	stream_close(o.stream);
	closing.stream = stream_connect(loop, &a, NULL, on_event, &closing, &why);
	assert_true(run_until(loop, has_event, &closing));
	assert_null(closing.stream);
}

static void connect_that_fails_at_once_says_why(void **state)
{
	struct owner o = {0};
	struct address a;
	struct failure why;

	(void)state;
	failure_init(&why);
	assert_true(address_from_text(&a, "/nonexistent/.s.PGSQL.5432", 0));
	assert_null(stream_connect(loop, &a, NULL, on_event, &o, &why));
	assert_int_equal(why.phase, PHASE_CONNECT);
	assert_int_equal(why.domain, DOMAIN_ERRNO);
	assert_int_equal(why.code, ENOENT);
	failure_fini(&why);
}

static void connecting_stream_can_be_closed(void **state)
{
	struct owner o = {0};
	struct address a;
	struct failure why;
	int fd;

	(void)state;
	failure_init(&why);
	fd = listen_on_loopback(&a);
	o.stream = stream_connect(loop, &a, NULL, on_event, &o, &why);
	assert_int_equal(put(o.stream, "never sent", 10), WRITE_PENDING);
	stream_close(o.stream);
	run_turns(loop, 3);
	assert_string_equal(o.events, "");
	socket_close(fd);
}

static void reset_by_the_other_side_is_reported_by_read(void **state)
{
	struct owner o = {.leave_alone = true};
	struct linger hard = {1, 0};
	struct address a;
	struct failure why;
	struct span span;
	struct peer peer;
	int listen_fd, fd;

	(void)state;
	failure_init(&why);
	listen_fd = listen_on_loopback(&a);
	o.stream = stream_connect(loop, &a, NULL, on_event, &o, &why);
	assert_true(run_until(loop, has_event, &o));
	fd = socket_accept(listen_fd, &peer);
	assert_true(fd >= 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	close(fd);
	memset(o.events, 0, sizeof(o.events));
	assert_true(run_until(loop, has_event, &o));
	assert_int_equal(stream_read(o.stream, LOOP_BUFFER_BYTES, &span, &why), READ_FAILED);
	assert_int_equal(why.code, ECONNRESET);
	assert_int_equal(why.phase, PHASE_SESSION);
	stream_close(o.stream);
	socket_close(listen_fd);
	failure_fini(&why);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

/* Two streams are readable in one turn: the first to be told looks at the other. */
struct looker {
	struct stream *mine, *other;
	bool saw_mine, saw_other;
	unsigned n_told;
};

static void look_at_the_other(void *owner, enum stream_event event)
{
	struct looker *l = (struct looker *)owner;

	(void)event;
	l->n_told++;
	l->saw_mine = stream_has_news(l->mine);
	l->saw_other = stream_has_news(l->other);
	stream_pause(l->mine);
}

static void what_the_loop_has_seen_is_known_before_it_is_told(void **state)
{
	struct owner second = {.leave_alone = true};
	struct looker first = {0};
	int fd[2], far;

	(void)state;
	for (int both = 0; both <= 1; both++) {
		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
		memset(&first, 0, sizeof(first));
		first.mine = stream_adopt(fd[0], &nobody);
		assert_non_null(first.mine);
		assert_true(stream_join(first.mine, loop, look_at_the_other, &first));
		far = join_pair(&second, NULL);
		first.other = second.stream;
		assert_false(stream_has_news(second.stream));
		assert_false(stream_peek(second.stream));
		assert_int_equal(write(fd[1], "a", 1), 1);
		if (both)
			close(far); /* the end is news, too */
		assert_int_equal(stream_peek(second.stream), both);
		run_turns(loop, 2);
		assert_int_equal(first.n_told, 1);
		assert_false(first.saw_mine);
		assert_int_equal(first.saw_other, both);
		assert_false(stream_has_news(second.stream));
		stream_close(first.mine);
		stream_close(second.stream);
		close(fd[1]);
		if (!both)
			close(far);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(bytes_arrive_whole_at_every_split_and_every_hold),
	    TEST(held_bytes_stay_when_nothing_comes),
	    TEST(what_the_loop_has_seen_is_known_before_it_is_told),
	    TEST(one_read_brings_at_most_what_was_asked_for_behind_the_held_bytes),
	    TEST(partial_writes_are_continued_in_order_from_every_span),
	    TEST(pending_bytes_grow_while_some_are_taken),
	    TEST(more_spans_than_the_system_takes_at_once_are_written),
	    TEST(nothing_to_write_is_done),
	    TEST(paused_stream_hears_nothing_until_resumed),
	    TEST(unread_bytes_are_announced_every_turn),
	    TEST(stream_may_be_closed_in_each_of_its_events),
	    TEST(event_of_a_stream_that_another_callback_closed_is_not_delivered),
	    TEST(delayed_write_to_a_closed_partner_breaks_with_its_errno),
	    TEST(last_words_can_be_read_after_a_delayed_write_broke),
	    TEST(write_to_a_closed_partner_fails_at_once_without_a_signal),
	    TEST(pending_bytes_are_offered_once_more_at_close),
	    TEST(stream_without_a_loop_writes_and_keeps_the_rest_until_it_joins_another),
	    TEST(connected_stream_knows_both_ends_and_talks),
	    TEST(refused_connect_breaks_with_connect_phase),
	    TEST(connect_that_fails_at_once_says_why),
	    TEST(connecting_stream_can_be_closed),
	    TEST(reset_by_the_other_side_is_reported_by_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
