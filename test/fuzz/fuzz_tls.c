/*
 * A hostile peer in a TLS handshake: the first byte says which side we are and whether it began at once; "|||" between
 * what it sends at a time. It never gets in, whatever it says. fuzz runs: 20000
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../unit/tls_bench.h"
#include "../unit/until.h"
#include "fuzz.h"
#include "net/stream.h"

struct seen {
	struct stream *stream;
	bool secured, broken;
};

static void on_event(void *owner, enum stream_event event)
{
	struct seen *seen = (struct seen *)owner;

	seen->secured = seen->secured || event == STREAM_SECURED;
	seen->broken = seen->broken || event == STREAM_BROKEN;
}

static struct shared *make_context(bool for_clients)
{
	struct tls_settings s = for_clients ? tls_for_clients() : tls_for_servers(TLS_MODE_VERIFY_FULL);
	struct shared *context = NULL;
	struct conf_error why;

	HOLDS(tls_make_folder());
	HOLDS(tls_context_make(&s, NULL, &context, &why));
	tls_remove_folder();
	return context;
}

static bool begin(struct stream *s, struct shared *context, char mode, const char *first, size_t len)
{
	if (mode == 'd' && len > 0)
		return stream_start_direct_tls(s, context, first, len, NULL);
	return stream_start_tls(s, context, "localhost", NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct peer nobody;
	struct seen seen = {NULL, false, false};
	struct loop *loop = loop_new();
	struct shared *context;
	char mode, *part;
	size_t len;
	int fd[2];

	if (size == 0) {
		loop_free(loop);
		return 0;
	}
	mode = (char)data[0];
	data++;
	size--;
	context = make_context(mode != 's');
	HOLDS(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd) == 0);
	seen.stream = stream_adopt(fd[0], &nobody);
	HOLDS(stream_join(seen.stream, loop, on_event, &seen));
	part = fuzz_part(&data, &size, &len, 0);
	HOLDS(begin(seen.stream, context, mode, part, len));
	do {
		if (mode != 'd' || seen.broken)
			HOLDS(write(fd[1], part, len) >= -1);
		free(part);
		run_turns(loop, 3);
		mode = 'c';
	} while ((part = fuzz_part(&data, &size, &len, 0)) != NULL);
	shutdown(fd[1], SHUT_WR);
	run_turns(loop, 3);
	HOLDS(seen.broken && !seen.secured);
	HOLDS(stream_failure(seen.stream)->phase == PHASE_TLS);
	stream_close(seen.stream);
	close(fd[1]);
	shared_unref(context);
	loop_free(loop);
	return 0;
}
