/* Tests of src/os/posix/wakeup.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/epoll.h>
#endif

#include "os/thread.h"
#include "os/wakeup.h"

#define LONG_MS 10000

/* 1 if it can be read within this time. */
static int readable(const struct wakeup *w, int timeout_ms)
{
	struct pollfd p = {w->read_fd, POLLIN, 0};

	return poll(&p, 1, timeout_ms);
}

static void both_ends_do_not_block_and_close_on_exec(void **state)
{
	struct wakeup w;

	(void)state;
	assert_true(wakeup_init(&w));
	for (int i = 0; i < 2; i++) {
		int fd = i == 0 ? w.read_fd : w.write_fd;

		assert_int_not_equal(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
		assert_int_not_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
	}
	wakeup_fini(&w);
}

static void after_its_end_both_ends_are_closed(void **state)
{
	struct wakeup w;
	int fd[2];

	(void)state;
	assert_true(wakeup_init(&w));
	fd[0] = w.read_fd;
	fd[1] = w.write_fd;
	wakeup_fini(&w);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fcntl(fd[i], F_GETFD), -1);
		assert_int_equal(errno, EBADF);
	}
}

static void very_many_rings_do_not_block_and_are_one(void **state)
{
	struct wakeup w;

	(void)state;
	assert_true(wakeup_init(&w));
	/* more than a pipe holds */
	for (int i = 0; i < 20000; i++)
		wakeup_ring(&w);
	assert_int_equal(readable(&w, 0), 1);
	wakeup_clear(&w);
	assert_int_equal(readable(&w, 0), 0);
	wakeup_fini(&w);
}

static void clearing_without_a_ring_is_harmless(void **state)
{
	struct wakeup w;

	(void)state;
	assert_true(wakeup_init(&w));
	wakeup_clear(&w);
	assert_int_equal(readable(&w, 0), 0);
	wakeup_ring(&w);
	assert_int_equal(readable(&w, 0), 1);
	wakeup_fini(&w);
}

static void *ring(void *arg)
{
	wakeup_ring((struct wakeup *)arg);
	return NULL;
}

static void another_thread_wakes_who_waits(void **state)
{
	struct wakeup w;

	(void)state;
	assert_true(wakeup_init(&w));
	for (int i = 0; i < 10; i++) {
		struct thread t;

		assert_true(thread_start(&t, "ringer", ring, &w));
		assert_int_equal(readable(&w, LONG_MS), 1);
		thread_join(&t);
		wakeup_clear(&w);
		assert_int_equal(readable(&w, 0), 0);
	}
	wakeup_fini(&w);
}

#ifdef __linux__
static void each_ring_is_an_edge_though_nothing_is_ever_read(void **state)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};
	struct wakeup w;
	int epoll_fd = epoll_create1(EPOLL_CLOEXEC);

	(void)state;
	assert_true(epoll_fd >= 0);
	assert_true(wakeup_init(&w));
	assert_false(wakeup_needs_clearing(&w));
	assert_int_equal(epoll_ctl(epoll_fd, EPOLL_CTL_ADD, w.read_fd, &event), 0);
	assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
	for (int i = 0; i < 100; i++) {
		wakeup_ring(&w);
		assert_int_equal(epoll_wait(epoll_fd, &event, 1, LONG_MS), 1);
		assert_int_equal(epoll_wait(epoll_fd, &event, 1, 0), 0);
	}
	close(epoll_fd);
	wakeup_fini(&w);
}
#endif

static void without_descriptors_it_says_why(void **state)
{
	struct rlimit before, none;
	struct wakeup w;
	bool good;
	int error;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = before;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	good = wakeup_init(&w);
	error = errno;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	assert_false(good);
	assert_int_equal(error, EMFILE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_do_not_block_and_close_on_exec),
	    cmocka_unit_test(after_its_end_both_ends_are_closed),
	    cmocka_unit_test(very_many_rings_do_not_block_and_are_one),
	    cmocka_unit_test(clearing_without_a_ring_is_harmless),
	    cmocka_unit_test(another_thread_wakes_who_waits),
#ifdef __linux__
	    cmocka_unit_test(each_ring_is_an_edge_though_nothing_is_ever_read),
#endif
	    cmocka_unit_test(without_descriptors_it_says_why),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
