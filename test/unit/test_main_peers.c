/* Cancel requests for peers: whose, how many at a time, until when. Requests and name lookups are played by this file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those first */
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "configured.h"
#include "failing_mem.h"
#include "main/supervisor.h"
#include "net/dns.h"
#include "until.h"
#include "wire/message.h"
#include "worker/cancel.h"
#include "worker/cancel_key.h"

/* ---- the others ---- */

struct cancel {
	uint8_t key[CANCEL_KEY_MAX];
	size_t len;
	uint64_t since_us;
	bool ended;
};

uint8_t *cancel_key(struct cancel *c)
{
	return c->key;
}

size_t cancel_key_len(const struct cancel *c)
{
	return c->len;
}

uint64_t cancel_since_us(const struct cancel *c)
{
	return c->since_us;
}

void cancel_end(struct office *o, struct cancel *c)
{
	(void)o;
	assert_false(c->ended);
	c->ended = true;
}

static struct dns_query *asked;

void dns_lookup(struct dns *d, const char *host, struct dns_query *q)
{
	(void)d;
	assert_string_equal(host, "peer.example");
	assert_null(asked);
	q->waiting = true;
	asked = q;
}

void dns_cancel(struct dns *d, struct dns_query *q)
{
	(void)d;
	assert_ptr_equal(q, asked);
	q->waiting = false;
	asked = NULL;
}

static void answer(const char *text)
{
	struct address a;
	struct dns_answer good = {1, &a};
	struct dns_query *q = asked;
	struct failure why;

	asked = NULL;
	q->waiting = false;
	failure_init(&why);
	failure_set(&why, PHASE_RESOLVE, DOMAIN_GAI, -2, "no such name");
	if (text != NULL)
		assert_true(address_from_text(&a, text, 0));
	q->answered(q, text == NULL ? NULL : &good, &why);
	failure_fini(&why);
}

/* ---- a supervisor with two peers, one of which is this test ---- */

struct bench {
	struct supervisor s;
	int listening;
	uint16_t port;
	size_t blocks;
	struct cancel cancel[8];
};

static void configure(struct bench *b, const char *more, const char *peers)
{
	char text[400];

	snprintf(text, sizeof(text), "[pgbouncer]\n%s\n[peers]\n%s\n", more, peers);
	config_unref(b->s.config);
	b->s.config = configured(text, NULL);
}

static void begin(struct bench *b, const char *more, const char *keys)
{
	char peers[200];
	struct address a;

	memset(b, 0, sizeof(*b));
	b->blocks = mem_blocks;
	list_init(&b->s.peer_pools);
	b->s.loop = loop_new();
	b->s.log = log_new();
	assert_true(b->s.loop != NULL && b->s.log != NULL);
	log_set_stderr(b->s.log, false);
	b->s.peers_timer = timer_new(b->s.loop, peers_look, &b->s);
	assert_true(address_from_text(&a, "127.0.0.1", 0));
	b->listening = socket_listen(&a, 16, 0, false);
	assert_true(b->listening >= 0 && socket_local_address(b->listening, &a));
	b->port = address_port(&a);
	snprintf(peers, sizeof(peers), "5=host=127.0.0.1 port=%u %s\n6=host=peer.example port=%u", b->port, keys,
	         b->port);
	configure(b, more, peers);
}

static void finish(struct bench *b)
{
	peers_stop(&b->s);
	assert_null(asked);
	assert_true(list_is_empty(&b->s.peer_pools));
	timer_free(b->s.peers_timer);
	loop_free(b->s.loop);
	log_free(b->s.log);
	config_unref(b->s.config);
	socket_close(b->listening);
	assert_int_equal(mem_blocks, b->blocks);
}

static struct cancel *take(struct bench *b, int i, int peer, int passes, size_t len)
{
	struct cancel *c = &b->cancel[i];

	memset(c, 0, sizeof(*c));
	c->len = len;
	for (size_t at = 0; at < len; at++)
		c->key[at] = (uint8_t)(at + 1);
	c->key[1] = (uint8_t)peer;
	c->key[2] = (uint8_t)(peer >> 8);
	c->key[7] = (uint8_t)(0x50 | passes);
	c->since_us = loop_now_us(b->s.loop);
	peers_take(&b->s, c);
	run_turns(b->s.loop, 5);
	return c;
}

/* The connection that was made to the peer, with what came on it; -1: none. */
static int arrived(struct bench *b, char *got, size_t size, size_t *len)
{
	struct peer peer;
	int fd = socket_accept(b->listening, &peer);
	ssize_t n;

	*len = 0;
	if (fd < 0)
		return -1;
	run_turns(b->s.loop, 5);
	n = socket_read(fd, got, size);
	*len = n > 0 ? (size_t)n : 0;
	return fd;
}

static void assert_request(const struct cancel *c, const char *got, size_t len)
{
	assert_int_equal(len, 8 + c->len);
	assert_memory_equal(got + 4, "\x04\xd2\x16\x2e", 4);
	assert_memory_equal(got + 8, c->key, c->len);
}

static bool has_ended(void *arg)
{
	return ((struct cancel *)arg)->ended;
}

/* ---- tests ---- */

static void a_request_goes_to_its_peer_and_ends_when_that_closes(void **state)
{
	static const size_t sizes[] = {8, 36, CANCEL_KEY_MAX};
	struct bench b;

	(void)state;
	begin(&b, "peer_id=1", "");
	for (size_t i = 0; i < 3; i++) {
		struct cancel *c = take(&b, (int)i, 5, 3, sizes[i]);
		char got[512];
		size_t len;
		int fd = arrived(&b, got, sizeof(got), &len);

		assert_true(fd >= 0);
		assert_int_equal(c->key[7], 0x52);
		assert_request(c, got, len);
		assert_false(c->ended);
		socket_close(fd);
		assert_true(run_until(b.s.loop, has_ended, c));
	}
	finish(&b);
}

static void requests_for_nobody_end_at_once(void **state)
{
	static const struct {
		const char *own;
		int peer, passes;
	} cases[] = {{"peer_id=0", 5, 3}, {"peer_id=5", 5, 3}, {"peer_id=1", 7, 3},
	             {"peer_id=1", 0, 3}, {"peer_id=1", 5, 0}, {"peer_id=1", 5 + 256, 3}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct bench b;
		char got[64];
		size_t len;

		begin(&b, cases[i].own, "");
		assert_true(take(&b, 0, cases[i].peer, cases[i].passes, 8)->ended);
		assert_int_equal(arrived(&b, got, sizeof(got), &len), -1);
		finish(&b);
	}
}

static void a_peer_has_at_most_pool_size_connections_and_a_queue(void **state)
{
	struct peer_counts counts;
	struct cancel *c[3];
	struct bench b;
	char got[64];
	size_t len;
	int first, second;

	(void)state;
	begin(&b, "peer_id=1", "pool_size=1");
	assert_false(peers_counts(&b.s, 5, &counts));
	for (int i = 0; i < 3; i++)
		c[i] = take(&b, i, 5, 3 - i, 8);
	assert_true(peers_counts(&b.s, 5, &counts));
	assert_true(counts.active == 1 && counts.connecting == 0 && counts.waiting == 2);
	first = arrived(&b, got, sizeof(got), &len);
	assert_true(first >= 0);
	assert_int_equal(arrived(&b, got, sizeof(got), &len), -1);
	socket_close(first);
	assert_true(run_until(b.s.loop, has_ended, c[0]));
	run_turns(b.s.loop, 5);
	second = arrived(&b, got, sizeof(got), &len);
	assert_true(second >= 0);
	assert_request(c[1], got, len);
	assert_false(c[1]->ended || c[2]->ended);
	socket_close(second);
	finish(&b);
	assert_true(c[1]->ended && c[2]->ended);
}

static void who_waited_too_long_is_ended_and_the_others_are_not(void **state)
{
	struct cancel *sent, *late, *fresh;
	struct bench b;

	(void)state;
	begin(&b, "peer_id=1\ncancel_wait_timeout=7", "pool_size=1");
	sent = take(&b, 0, 5, 3, 8);
	late = take(&b, 1, 5, 3, 8);
	fresh = take(&b, 2, 5, 3, 8);
	sent->since_us -= 8 * US_PER_S;
	late->since_us -= 8 * US_PER_S;
	peers_look(&b.s);
	assert_false(sent->ended);
	assert_true(late->ended);
	assert_false(fresh->ended);
	configure(&b, "peer_id=1\ncancel_wait_timeout=0", "5=host=127.0.0.1 pool_size=1");
	fresh->since_us -= 8 * US_PER_S;
	peers_look(&b.s);
	assert_false(fresh->ended);
	finish(&b);
}

static void names_are_looked_up(void **state)
{
	struct bench b;
	struct cancel *c;
	char got[64];
	size_t len;
	int fd;

	(void)state;
	begin(&b, "peer_id=1", "");
	c = take(&b, 0, 6, 3, 8);
	assert_non_null(asked);
	answer("127.0.0.1");
	run_turns(b.s.loop, 5);
	fd = arrived(&b, got, sizeof(got), &len);
	assert_true(fd >= 0);
	assert_request(c, got, len);
	socket_close(fd);
	assert_true(run_until(b.s.loop, has_ended, c));
	c = take(&b, 1, 6, 3, 8);
	answer(NULL);
	assert_true(c->ended);
	c = take(&b, 2, 6, 3, 8);
	assert_non_null(asked);
	finish(&b);
	assert_true(c->ended);
}

static void a_peer_that_leaves_the_configuration_takes_its_requests_along(void **state)
{
	struct peer_counts counts;
	struct cancel *sent, *waiting, *other;
	struct bench b;

	(void)state;
	begin(&b, "peer_id=1", "pool_size=1");
	sent = take(&b, 0, 5, 3, 8);
	waiting = take(&b, 1, 5, 3, 8);
	other = take(&b, 2, 6, 3, 8);
	configure(&b, "peer_id=1", "6=host=peer.example");
	peers_settings_changed(&b.s);
	assert_true(sent->ended && waiting->ended);
	assert_false(other->ended);
	assert_false(peers_counts(&b.s, 5, &counts));
	finish(&b);
}

static void a_larger_pool_is_used_at_once(void **state)
{
	struct peer_counts counts;
	struct bench b;
	char peers[100];

	(void)state;
	begin(&b, "peer_id=1", "pool_size=1");
	for (int i = 0; i < 3; i++)
		(void)take(&b, i, 5, 3, 8);
	snprintf(peers, sizeof(peers), "5=host=127.0.0.1 port=%u", b.port);
	configure(&b, "peer_id=1\ndefault_pool_size=0", peers);
	peers_settings_changed(&b.s);
	assert_true(peers_counts(&b.s, 5, &counts));
	assert_int_equal(counts.active + counts.connecting, 3);
	assert_int_equal(counts.waiting, 0);
	finish(&b);
}

static void the_queue_is_bounded(void **state)
{
	static struct cancel many[1002];
	struct bench b;
	unsigned n_ended = 0;

	(void)state;
	begin(&b, "peer_id=1", "pool_size=1");
	memset(many, 0, sizeof(many));
	for (size_t i = 0; i < 1002; i++) {
		many[i].len = 8;
		many[i].key[1] = 5;
		many[i].key[7] = 3;
		peers_take(&b.s, &many[i]);
		n_ended += many[i].ended;
	}
	assert_int_equal(n_ended, 1); /* one is active, 1,000 wait */
	assert_true(many[1001].ended);
	finish(&b);
}

static void without_memory_requests_end(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, "peer_id=1", "");
	mem_fails_once = true;
	for (size_t n = 1; n < 8; n++) {
		struct cancel *c;

		mem_until_failure = n;
		c = take(&b, 0, n % 2 == 0 ? 6 : 5, 3, 8);
		mem_until_failure = 0;
		peers_stop(&b.s);
		assert_true(c->ended);
	}
	mem_fails_once = false;
	finish(&b);
}

static void nothing_is_taken_at_the_end(void **state)
{
	struct bench b;

	(void)state;
	begin(&b, "peer_id=1", "");
	b.s.shutdown.stage = STAGE_ENDING;
	assert_true(take(&b, 0, 5, 3, 8)->ended);
	finish(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_request_goes_to_its_peer_and_ends_when_that_closes),
	    cmocka_unit_test(requests_for_nobody_end_at_once),
	    cmocka_unit_test(a_peer_has_at_most_pool_size_connections_and_a_queue),
	    cmocka_unit_test(who_waited_too_long_is_ended_and_the_others_are_not),
	    cmocka_unit_test(names_are_looked_up),
	    cmocka_unit_test(a_peer_that_leaves_the_configuration_takes_its_requests_along),
	    cmocka_unit_test(a_larger_pool_is_used_at_once),
	    cmocka_unit_test(the_queue_is_bounded),
	    cmocka_unit_test(without_memory_requests_end),
	    cmocka_unit_test(nothing_is_taken_at_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
