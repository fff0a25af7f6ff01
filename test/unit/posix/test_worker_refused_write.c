/* A server that dies between the loop's look and our write. A Unix socket refuses that write; one by TCP takes it. */
#include "../loss_scene.h"

struct killer {
	struct stream *stream;
	struct side *victim;
};

static void kill_now(void *owner, enum stream_event event)
{
	struct killer *k = (struct killer *)owner;

	(void)event;
	stream_pause(k->stream);
	if (k->victim->fd >= 0)
		raw_close(k->victim);
}

static void a_query_that_the_system_refuses_to_send_goes_to_another_server(void **state)
{
	static const struct peer nobody;

	(void)state;
	for (int variant = 0; variant < 3; variant++) {
		bool fits = variant > 0, in_halves = variant == 2;
		struct bench b;
		struct side *s, *c;
		struct killer killer;
		int fd[2];

		bench_init(&b, "auth_type=trust\npool_mode=transaction");
		c = fits ? scene_running(&b, &s, "select 1") : scene_login(&b, &s);
		if (fits)
			scene_done(&b, s, "SELECT 1", 'I');
		str_clear(&c->got);
		assert_true(pair_make(fd));
		killer.stream = stream_adopt(fd[0], &nobody);
		killer.victim = s;
		assert_true(stream_join(killer.stream, b.w->loop, kill_now, &killer));
		/* ready before the client, and seen in the same look */
		assert_int_equal(pair_send(fd[1], "!", 1), 1);
		if (in_halves) {
			raw(c, "Q\0\0\0\015sel", 8);
			bench_settle(&b);
			raw(c, "ect 2", 6);
		} else {
			raw_query(c, "select 2");
		}
		another_serves(&b, c, "select 2");
		assert_int_equal(only_client(&b)->n_losses, 1);
		stream_close(killer.stream);
		socket_close(fd[1]);
		bench_fini(&b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_query_that_the_system_refuses_to_send_goes_to_another_server),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
