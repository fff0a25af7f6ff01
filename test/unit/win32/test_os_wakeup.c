/* Wake-ups by a pair of sockets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>

#include "os/socket.h"
#include "os/thread.h"
#include "os/wakeup.h"

#define LONG_MS 10000

static void both_ends_are_each_others(void **state)
{
	struct address local, peer;
	struct wakeup w;

	(void)state;
	assert_true(wakeup_init(&w));
	assert_true(wakeup_needs_clearing(&w));
	assert_true(socket_local_address(w.read_fd, &local));
	assert_true(socket_peer_address(w.write_fd, &peer));
	assert_true(address_same(&local, &peer));
	assert_true(address_is_loopback(&local));
	wakeup_fini(&w);
	assert_int_equal(w.read_fd, -1);
	wakeup_fini(&w);
}

static void very_many_rings_do_not_block_and_are_one(void **state)
{
	struct wakeup w;

	(void)state;
	assert_true(wakeup_init(&w));
	for (int i = 0; i < 20000; i++)
		wakeup_ring(&w);
	assert_true(socket_await(w.read_fd, SOCKET_READ, LONG_MS));
	/* what has arrived; the rest follows at once */
	while (socket_await(w.read_fd, SOCKET_READ, 200))
		wakeup_clear(&w);
	assert_false(socket_has_news(w.read_fd));
	wakeup_ring(&w);
	assert_true(socket_await(w.read_fd, SOCKET_READ, LONG_MS));
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
		assert_true(socket_await(w.read_fd, SOCKET_READ, LONG_MS));
		thread_join(&t);
		wakeup_clear(&w);
		assert_false(socket_has_news(w.read_fd));
	}
	wakeup_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(both_ends_are_each_others),
	    cmocka_unit_test(very_many_rings_do_not_block_and_are_one),
	    cmocka_unit_test(another_thread_wakes_who_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
