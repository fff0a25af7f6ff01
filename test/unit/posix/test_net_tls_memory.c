/* TLS when the library itself runs out of memory: the n-th allocation of OpenSSL fails, for many n. */
#include <openssl/crypto.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../tls_bench.h"
#include "../until.h"
#include "net/stream.h"

static int left = -1; /* allocations until one fails; negative: none does */
static bool has_failed;

static bool must_fail(void)
{
	if (left < 0 || left-- > 0)
		return false;
	has_failed = true;
	return true;
}

static void *allocate(size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return must_fail() ? NULL : malloc(size);
}

static void *resize(void *block, size_t size, const char *file, int line)
{
	(void)file;
	(void)line;
	return must_fail() ? NULL : realloc(block, size);
}

static void release(void *block, const char *file, int line)
{
	(void)file;
	(void)line;
	free(block);
}

static struct loop *loop;

struct end {
	struct stream *stream;
	bool secured, broken;
	size_t n_got;
};

static void on_event(void *owner, enum stream_event event)
{
	struct end *e = (struct end *)owner;
	struct span span;
	enum read_result result;

	e->secured = e->secured || event == STREAM_SECURED;
	e->broken = e->broken || event == STREAM_BROKEN;
	if (event != STREAM_READABLE)
		return;
	result = stream_read(e->stream, LOOP_BUFFER_BYTES, &span, NULL);
	if (result == READ_GOT)
		e->n_got += span.len;
	else if (result != READ_LATER)
		stream_pause(e->stream);
}

static void adopt(struct end *e, int fd)
{
	static const struct peer nobody;

	memset(e, 0, sizeof(*e));
	e->stream = stream_adopt(fd, &nobody);
	assert_non_null(e->stream);
	assert_true(stream_join(e->stream, loop, on_event, e));
}

/* A handshake and a few bytes with the n-th allocation failing. Whatever fails, somebody is told and nobody is let in
   half. */
static void story(struct shared *for_clients, struct shared *for_servers, int n)
{
	char bytes[] = "bytes";
	struct iovec v = {bytes, 5};
	struct end a, b;
	int fd[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	adopt(&a, fd[0]);
	adopt(&b, fd[1]);
	has_failed = false;
	left = n;
	if (stream_start_tls(a.stream, for_clients, NULL, NULL) &&
	    stream_start_tls(b.stream, for_servers, "localhost", NULL)) {
		run_turns(loop, 12);
		if (b.secured && stream_write(b.stream, &v, 1, NULL) == WRITE_DONE)
			run_turns(loop, 4);
		assert_true(has_failed || a.n_got == 5);
		assert_true(a.n_got == 0 || (a.secured && b.secured));
	} else {
		assert_true(has_failed);
	}
	left = -1;
	stream_close(a.stream);
	stream_close(b.stream);
}

static void missing_memory_in_the_library_is_a_failure(void **state)
{
	struct tls_settings s = tls_for_clients();
	struct shared *for_clients = tls_context(&s), *for_servers;

	(void)state;
	s = tls_for_servers(TLS_MODE_VERIFY_FULL);
	for_servers = tls_context(&s);
	story(for_clients, for_servers, -1); /* what is made once is made now */
	/* each of the first ones, for those are ours or next to ours */
	for (int n = 0; n == 0 || has_failed; n += n < 200 ? 1 : 11)
		story(for_clients, for_servers, n);
	shared_unref(for_clients);
	shared_unref(for_servers);
}

static void missing_memory_for_a_context_is_told(void **state)
{
	struct tls_settings s = tls_for_clients();

	(void)state;
	s.ca_file = tls_cert;
	for (int n = 0; n == 0 || has_failed; n += n < 200 ? 1 : 11) {
		struct shared *context = NULL;
		struct conf_error why;
		bool made;

		memset(&why, 0, sizeof(why));
		has_failed = false;
		left = n;
		made = tls_context_make(&s, NULL, &context, &why);
		left = -1;
		assert_int_equal(made, context != NULL);
		assert_true(made || why.text[0] != '\0');
		shared_unref(context);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(missing_memory_for_a_context_is_told),
	    cmocka_unit_test(missing_memory_in_the_library_is_a_failure),
	};

	/* before the library has any memory */
	if (CRYPTO_set_mem_functions(allocate, resize, release) != 1)
		return 1;
	loop = loop_new();
	if (loop == NULL || !tls_make_folder())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
