/*
 * The first packet of a connection: start-up, cancel, or a request for
 * encryption. Pure bytes, no sockets, any thread. Nothing is copied or
 * allocated: everything found points into the packet.
 */
#ifndef WIRE_STARTUP_H
#define WIRE_STARTUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/message.h"

#define STARTUP_MAX_BYTES 65535u /* of the whole packet, as in PgBouncer; PostgreSQL itself takes 10,000 */
#define STARTUP_TEXT_BYTES 128u  /* enough for every startup_problem_text */

enum startup_kind {
	STARTUP_LOGIN,  /* StartupMessage 3.x */
	STARTUP_CANCEL, /* CancelRequest: answer nothing */
	STARTUP_SSL,    /* SSLRequest: answer one byte, S or N */
	STARTUP_GSS     /* GSSENCRequest: answer N */
};

enum startup_result {
	STARTUP_GOT,
	STARTUP_MORE, /* keep the bytes, come again with more */
	STARTUP_BAD   /* close, with startup_problem_text unless that is empty */
};

/* Texts: reference 12.1 and 14. */
enum startup_problem {
	STARTUP_BAD_HEADER,     /* bad packet header: '<first bytes in hex>' */
	STARTUP_OLD_PROTOCOL,   /* old V2 protocol not supported */
	STARTUP_NO_TERMINATOR,  /* invalid startup packet layout: expected terminator as last byte */
	STARTUP_NO_USER,        /* no username supplied */
	STARTUP_EARLY_PASSWORD, /* client password pkt before startup packet */
	STARTUP_BAD_CANCEL      /* empty text: closed silently */
};

struct startup {
	enum startup_kind kind;
	size_t len; /* bytes of the packet; what is behind it belongs to the next message */

	/* STARTUP_LOGIN */
	uint32_t version;                /* 0x3MMMM with MMMM the minor version */
	struct bytes user;               /* never empty */
	struct bytes database;           /* the user's name if none was sent */
	bool has_database;               /* it was sent and is not empty */
	bool has_protocol_options;       /* there are parameters named _pq_.… */
	const char *params, *params_end; /* for startup_next_param */

	/* STARTUP_CANCEL: process id and secret as they were sent, 8 to 260 bytes. PgBouncer's clients have 8. */
	struct bytes key;
};

/* Looks at the first `len` bytes of a connection. `out` is set for STARTUP_GOT, `why` for STARTUP_BAD. The spans in
   `out` are valid as long as `data` is; all texts are NUL-terminated in place. */
enum startup_result startup_parse(const char *data, size_t len, struct startup *out,
                                  enum startup_problem *why) MUST_USE;

/* The text for the client; `data` and `len` as given to startup_parse. "" means: close without a word. */
const char *startup_problem_text(enum startup_problem why, const char *data, size_t len, char text[STARTUP_TEXT_BYTES]);

/* Walks the parameters in the order they were sent, user, database and _pq_.… ones included. `*at` is NULL before the
   first; false after the last. */
bool startup_next_param(const struct startup *s, const char **at, struct bytes *name, struct bytes *value) MUST_USE;

/* The last parameter of that name (exact case), false if there is none. */
bool startup_find_param(const struct startup *s, const char *name, struct bytes *value) MUST_USE;

/* True for names that begin with "_pq_.": protocol options, never session parameters. */
bool startup_is_protocol_option(struct bytes name);

/* True if the client must be told which version and options we speak before anything else. */
bool startup_needs_negotiation(const struct startup *s);

/* Appends NegotiateProtocolVersion: the version that is spoken (what was asked for, 3.2 at most), and all names that
   begin with "_pq_.", for none of them is known. */
void startup_write_negotiation(const struct startup *s, struct str *out);

/* ---- The parameter "options" ---- */

enum options_result {
	OPTIONS_DONE,
	OPTIONS_FORM,    /* tell the client OPTIONS_FORM_TEXT */
	OPTIONS_STOPPED, /* the callback returned false */
	OPTIONS_NO_MEMORY
};

#define OPTIONS_FORM_TEXT "unsupported options startup parameter: only '-c config=val' and '--config=val' are allowed"

/* One setting, both NUL-terminated, valid during the call. Dashes in the name have become underscores. */
typedef bool options_setting(void *arg, const char *name, const char *value);

/* Calls `each` for every "-c name=value" and "--name=value" in order. Backslash quotes the next character. */
enum options_result startup_options(const char *text, size_t len, options_setting *each, void *arg) MUST_USE;

#endif
