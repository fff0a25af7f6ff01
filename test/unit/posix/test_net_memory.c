/*
 * Streams, listeners and lookups when memory runs out: the n-th allocation fails, for every n until none does. Needs
 * to be linked with -Wl,--wrap=mem_alloc,--wrap=mem_resize.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../until.h"
#include "base/mem.h"
#include "net/dns.h"
#include "net/jobs.h"
#include "net/listener.h"
#include "net/loop.h"
#include "net/mailbox.h"
#include "net/stream.h"

void *__real_mem_alloc(size_t size);
void *__real_mem_resize(void *ptr, size_t size);
void *__wrap_mem_alloc(size_t size);
void *__wrap_mem_resize(void *ptr, size_t size);

static atomic_int left = -1; /* allocations until one fails; negative: none does */
static atomic_int failures;

static bool must_fail(void)
{
	if (atomic_load(&left) < 0 || atomic_fetch_sub(&left, 1) > 0)
		return false;
	atomic_fetch_add(&failures, 1);
	return true;
}

void *__wrap_mem_alloc(size_t size)
{
	return must_fail() ? NULL : __real_mem_alloc(size);
}

void *__wrap_mem_resize(void *ptr, size_t size)
{
	return must_fail() ? NULL : __real_mem_resize(ptr, size);
}

/* Runs a story with the first, second, … allocation failing, until it runs without a failure. */
static void sweep(void (*story)(void))
{
	for (int n = 0;; n++) {
		failures = 0;
		left = n;
		story();
		left = -1;
		if (failures == 0) {
			assert_true(n > 0);
			return;
		}
	}
}

static struct loop *loop;
static const struct peer nobody;
static char chunk[30000];

static void ignore(void *owner, enum stream_event event)
{
	(void)owner;
	(void)event;
}

/* Writes until bytes are pending, then more; what fails must say so, and what is pending must be what was accepted. */
static void write_much(struct stream *s)
{
	struct iovec v = {chunk, sizeof(chunk)};
	struct failure why;

	failure_init(&why);
	for (int i = 0; i < 20; i++) {
		size_t before = stream_pending_bytes(s);
		enum write_result result = stream_write(s, &v, 1, &why);

		if (result == WRITE_FAILED) {
			assert_int_equal(why.phase, PHASE_SESSION);
			assert_int_equal(why.domain, DOMAIN_POOLER);
			assert_int_equal(why.code, FAILURE_NO_MEMORY);
			assert_int_equal(stream_pending_bytes(s), before);
			return;
		}
		assert_true(result == WRITE_DONE || stream_pending_bytes(s) > before);
	}
}

static void talk(void)
{
	struct stream *s;
	int fd[2], size = 4608;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	assert_int_equal(setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
	s = stream_adopt(fd[0], &nobody);
	if (s != NULL) {
		assert_true(stream_join(s, loop, ignore, NULL));
		if (stream_hold(s, "held", 4))
			assert_int_equal(stream_held_bytes(s), 4);
		else
			assert_int_equal(stream_held_bytes(s), 0);
		write_much(s);
	}
	/* breaks what is pending: saying why needs memory as well */
	close(fd[1]);
	run_turns(loop, 3);
	if (s != NULL && stream_failure(s) != NULL)
		assert_int_equal(stream_failure(s)->phase, PHASE_SESSION);
	stream_close(s);
}

static void taken(void *owner, struct stream *s)
{
	struct stream **at = (struct stream **)owner;

	*at = s;
}

static int fulls;

static void full(void *owner, int error)
{
	(void)owner;
	fulls += error != 0;
}

static bool arrived(void *arg)
{
	return *(struct stream **)arg != NULL;
}

static void connect_and_accept(void)
{
	struct stream *accepted = NULL, *s = NULL;
	struct listener *listener;
	struct address a;
	struct failure why;

	failure_init(&why);
	fulls = 0;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	listener = listener_new(loop, &a, 5, 0, false, taken, full, &accepted, &why);
	if (listener != NULL) {
		s = stream_connect(loop, listener_address(listener), NULL, ignore, NULL, &why);
		if (s != NULL) {
			run_turns(loop, 5);
			if (accepted == NULL)
				assert_int_equal(fulls, 1);
		} else {
			assert_int_equal(why.phase, PHASE_CONNECT);
		}
	}
	stream_close(s);
	stream_close(accepted);
	listener_free(listener);
	failure_fini(&why);
}

static struct dns *dns;
static int answers;

static void heard(struct dns_query *q, const struct dns_answer *answer, const struct failure *why)
{
	(void)q;
	answers++;
	assert_true(answer != NULL || (why->phase == PHASE_RESOLVE && why->code == FAILURE_NO_MEMORY));
}

static void read_letter(void *owner, struct letter *letter)
{
	(void)owner;
	dns_read(dns, letter);
}

static void look_up(void)
{
	struct mailbox *box = mailbox_new(loop, read_letter, NULL);
	struct jobs *jobs = jobs_new(1);
	struct dns_query q = {.answered = heard};
	struct dns_times times = {US_PER_S, US_PER_S, 10 * US_PER_S, 0};

	answers = 0;
	dns = NULL;
	if (box != NULL && jobs != NULL)
		dns = dns_new(loop, jobs, box, 1, &times, NULL);
	if (dns != NULL) {
		dns_lookup(dns, "localhost", &q);
		/* the helper's allocation may be the one that fails: then it is the failure that arrives */
		while (answers == 0)
			run_turns(loop, 1);
		assert_int_equal(answers, 1);
		assert_false(q.waiting);
	}
	dns_free(dns);
	jobs_free(jobs);
	mailbox_free(box);
}

static void loops_and_timers(void)
{
	struct loop *l = loop_new();
	struct timer *t = l == NULL ? NULL : timer_new(l, NULL, NULL);

	timer_free(t);
	loop_free(l);
}

static void stream_survives_every_failing_allocation(void **state)
{
	(void)state;
	sweep(talk);
}

static void connecting_and_accepting_survive_every_failing_allocation(void **state)
{
	(void)state;
	sweep(connect_and_accept);
}

static void lookup_survives_every_failing_allocation(void **state)
{
	(void)state;
	sweep(look_up);
}

static void loop_survives_every_failing_allocation(void **state)
{
	(void)state;
	sweep(loops_and_timers);
}

static bool was_full(void *arg)
{
	(void)arg;
	return fulls > 0;
}

static void full_listener_accepts_again_when_memory_is_back(void **state)
{
	struct stream *accepted = NULL, *s;
	struct listener *listener;
	struct address a;
	struct failure why;

	(void)state;
	failure_init(&why);
	fulls = 0;
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	listener = listener_new(loop, &a, 5, 0, false, taken, full, &accepted, &why);
	assert_non_null(listener);
	s = stream_connect(loop, listener_address(listener), NULL, ignore, NULL, &why);
	assert_non_null(s);
	left = 1; /* run_until needs one of its own */
	assert_true(run_until(loop, was_full, NULL));
	/* the connection that met it is lost, the next one is not */
	assert_null(accepted);
	stream_close(s);
	left = -1;
	s = stream_connect(loop, listener_address(listener), NULL, ignore, NULL, &why);
	assert_non_null(s);
	assert_true(run_until(loop, arrived, &accepted));
	assert_int_equal(fulls, 1);
	stream_close(s);
	stream_close(accepted);
	listener_free(listener);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(stream_survives_every_failing_allocation),
	    TEST(connecting_and_accepting_survive_every_failing_allocation),
	    TEST(lookup_survives_every_failing_allocation),
	    TEST(loop_survives_every_failing_allocation),
	    TEST(full_listener_accepts_again_when_memory_is_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
