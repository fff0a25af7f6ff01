/*
 * Cuts a stream of typed protocol messages (protocol chapter, "Message Formats")
 * into frames without copying. Pure bytes, no sockets, any thread.
 *
 * A message that must be seen whole is reported only when it is all there; the
 * caller keeps the bytes until more have come. All others are reported in pieces
 * as they pass: first a piece with at least the header, then continuations.
 */
#ifndef WIRE_FRAMER_H
#define WIRE_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define FRAME_HEADER_BYTES 5u /* type byte and length */

/* What one message type needs. A table of 256 of these is the list of types allowed in a state. */
enum frame_need {
	FRAME_FORBIDDEN, /* not allowed now */
	FRAME_FLOWS,     /* the header is enough; the body may come in pieces */
	FRAME_WHOLE      /* needed in one piece; longer than the rules' limit is too large */
};

struct frame_rules {
	uint32_t whole_limit; /* bytes of a whole message, header included; below the receive buffer's size */
	uint32_t max_message; /* bytes of any message, header included */
	uint8_t need[256];    /* enum frame_need by type */
};

/* Where in a message the stream is; all zero between messages. */
struct framer {
	uint32_t left; /* body bytes still to come */
	uint8_t type;
};

struct frame {
	uint8_t type;
	bool starts;    /* data begins with the header */
	bool ends;      /* the message ends with this piece */
	uint32_t total; /* bytes of the whole message, header included; only when it starts */
	char *data;
	size_t len;
};

enum frame_result {
	FRAME_GOT,
	FRAME_MORE,       /* the bytes at hand are not enough: keep them */
	FRAME_BAD_LENGTH, /* length below 4 */
	FRAME_TOO_LARGE,  /* beyond a limit */
	FRAME_NOT_ALLOWED /* type not allowed by the rules; frame.type is set */
};

/* Looks at data[0..len) and takes one frame off its front; the caller goes on behind frame->len bytes. */
enum frame_result framer_next(struct framer *f, const struct frame_rules *rules, char *data, size_t len,
                              struct frame *frame) MUST_USE;

/* Bytes of the request at the front of what an idle client has sent: one Query or FunctionCall, or messages of the
   extended protocol up to and including their Sync. The server answers all of it with one error and one ReadyForQuery
   if it does not run it. 0: it is not all there, or is something else. */
size_t framer_request_bytes(const char *data, size_t len);

#define FRAME_PROBLEM_BYTES 40u

/* "bad packet header: '<the header in hex>'", what clients are told of a header that makes no sense. */
const char *frame_problem_text(const char *data, size_t len, char text[FRAME_PROBLEM_BYTES]);

/* True between two messages: our own messages may be put into the stream only here. */
static inline bool framer_at_boundary(const struct framer *f)
{
	return f->left == 0;
}

#endif
