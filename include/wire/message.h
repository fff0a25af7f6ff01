/*
 * Reading and building protocol messages (PostgreSQL documentation, "Message
 * Formats"). Pure bytes, no sockets, any thread. Bodies are given and taken
 * without type byte and length.
 *
 * Builders append whole messages to a growing string; ask out->failed once at
 * the end: after a failure the string may end in half a message and must not be
 * sent.
 */
#ifndef WIRE_MESSAGE_H
#define WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "base/str.h"
#include "wire/sqlstate.h"

/* Bytes inside somebody else's memory; data is NULL for "absent". */
struct bytes {
	const char *data;
	size_t len;
};

/* True if the bytes are exactly this text. */
bool bytes_are(struct bytes b, const char *text);

/* ---- Reading ---- */

/* A position in a message body. Reading beyond the end sets `failed`, gives zeros, and every later read does so too. */
struct reader {
	const char *at, *end;
	bool failed;
};

void reader_init(struct reader *r, const void *data, size_t len);
uint8_t reader_u8(struct reader *r);
int16_t reader_i16(struct reader *r);
int32_t reader_i32(struct reader *r);
uint32_t reader_u32(struct reader *r);

/* Up to the next NUL, which is skipped and not counted; data[len] is that NUL. On failure data is "". */
struct bytes reader_cstring(struct reader *r);

/* Exactly `len` bytes. */
struct bytes reader_bytes(struct reader *r, size_t len);

/* All that is left. */
struct bytes reader_rest(struct reader *r);

size_t reader_left(const struct reader *r);

/* Nothing failed and nothing is left. */
bool reader_is_done(const struct reader *r);

/* Body of an ErrorResponse or NoticeResponse. Fields that were not sent have data NULL; texts are NUL-terminated in
   place. */
struct report {
	struct bytes severity; /* V if sent, else S */
	struct bytes sqlstate, message, detail, hint, position, where, schema, table, column, constraint;
	struct bytes source_file; /* of the server's own code */
};

/* False: malformed (no terminator, bytes behind it). Unknown fields are skipped. */
bool report_parse(struct report *report, const char *body, size_t len) MUST_USE;

/* What a body that is malformed or was cut off still says, field by field, the last one as far as it goes. */
void report_read_broken(struct report *report, const char *body, size_t len);

/*
 * Appends what can be read of a body that is malformed, or that was cut off, as a well-formed one: report_parse takes
 * it. A field without an end is kept as far as it goes, but not half a character of UTF-8. Adds at most
 * REPORT_MEND_BYTES to `len`.
 */
void report_mend(const char *body, size_t len, struct str *out);
#define REPORT_MEND_BYTES 2u

/* The others return false when malformed, which leaves the results unset. */
bool message_parse_parameter_status(const char *body, size_t len, struct bytes *name, struct bytes *value) MUST_USE;
bool message_parse_command_complete(const char *body, size_t len, struct bytes *tag) MUST_USE;
/* status is 'I', 'T' or 'E'. */
bool message_parse_ready(const char *body, size_t len, char *status) MUST_USE;
/* key is 4 to 256 bytes. */
bool message_parse_backend_key(const char *body, size_t len, uint32_t *pid, struct bytes *key) MUST_USE;
/* Front of an 'R' body: code 0 = Ok, 3, 5, 10 …; rest: what follows. */
bool message_parse_authentication(const char *body, size_t len, uint32_t *code, struct bytes *rest) MUST_USE;
/* NegotiateProtocolVersion: the version offered; the names are counted only. */
bool message_parse_negotiate(const char *body, size_t len, uint32_t *version, uint32_t *n_names) MUST_USE;

/* "ParameterStatus", for logs; "message of type 0x7f" is written by the caller when this is NULL. */
const char *server_message_name(uint8_t type);

/* Codes of authentication requests. */
enum auth_request {
	AUTH_OK = 0,
	AUTH_KERBEROS_V5 = 2,
	AUTH_CLEARTEXT = 3,
	AUTH_CRYPT = 4,
	AUTH_MD5 = 5,
	AUTH_SCM = 6,
	AUTH_GSS = 7,
	AUTH_GSS_CONTINUE = 8,
	AUTH_SSPI = 9,
	AUTH_SASL = 10,
	AUTH_SASL_CONTINUE = 11,
	AUTH_SASL_FINAL = 12
};

/* ---- Building ---- */

/* Starts a message; type 0 for those without a type byte (start-up). Returns the offset that message_end wants. */
size_t message_begin(struct str *out, char type);
void message_end(struct str *out, size_t offset);

void message_u8(struct str *out, uint8_t value);
void message_i16(struct str *out, int16_t value);
void message_i32(struct str *out, int32_t value);
void message_u32(struct str *out, uint32_t value);
void message_cstring(struct str *out, const char *text); /* with its NUL */
void message_bytes(struct str *out, const void *data, size_t len);

/* A message without a body: Sync 'S', Flush 'H', Terminate 'X', CopyDone 'c'; ParseComplete '1', BindComplete '2',
   CloseComplete '3', NoData 'n', EmptyQueryResponse 'I', PortalSuspended 's'. */
void message_bare(struct str *out, char type);

/* To clients. */
void message_auth_ok(struct str *out);
void message_auth_cleartext(struct str *out);
void message_auth_md5(struct str *out, const uint8_t salt[4]);
/* `preferred` may be NULL. */
void message_auth_sasl(struct str *out, const char *preferred, const char *mechanism);
void message_auth_sasl_continue(struct str *out, const char *data, size_t len);
void message_auth_sasl_final(struct str *out, const char *data, size_t len);
void message_parameter_status(struct str *out, const char *name, const char *value);
void message_backend_key(struct str *out, uint32_t pid, const void *key, size_t key_len);
void message_ready(struct str *out, char status); /* 'I', 'T', 'E' */
void message_command_complete(struct str *out, const char *tag);

/* What an ErrorResponse or NoticeResponse of ours says. Exactly S, C, M are sent, and D and H unless NULL. */
struct words {
	const char *severity; /* "FATAL", "ERROR", "NOTICE", … */
	const char *sqlstate, *message, *detail, *hint;
};
void message_error(struct str *out, const struct words *words);
void message_notice(struct str *out, const struct words *words);

struct message_column {
	const char *name;
	uint32_t type_oid; /* TYPE_… */
	int16_t type_len;  /* bytes, -1 variable */
};
#define TYPE_OID_BOOL 16u
#define TYPE_OID_INT8 20u
#define TYPE_OID_INT4 23u
#define TYPE_OID_TEXT 25u
#define TYPE_OID_NUMERIC 1700u

/* Text format. At most INT16_MAX columns, else `out` fails. */
void message_row_description(struct str *out, const struct message_column *columns, size_t n);
/* The same with those columns in binary format: bit n for column n, columns from the 65th on are text. */
void message_row_description_in(struct str *out, const struct message_column *columns, size_t n, uint64_t binary);
/* ParameterDescription of a statement that has none. */
void message_no_parameters(struct str *out);
/* NULL texts are SQL NULLs. */
void message_data_row(struct str *out, const char *const *texts, size_t n);

/* To servers. */
void message_query(struct str *out, const char *sql);
void message_password(struct str *out, const char *password, size_t len);
void message_sasl_initial(struct str *out, const char *mechanism, const char *data, size_t len);
void message_sasl_response(struct str *out, const char *data, size_t len);
void message_copy_fail(struct str *out, const char *why);
void message_sync(struct str *out);
void message_ssl_request(struct str *out);
void message_cancel_request(struct str *out, uint32_t pid, const void *key, size_t key_len);

#define PROTOCOL_3_0 0x30000u
#define PROTOCOL_3_2 0x30002u /* cancel keys of up to 256 bytes; there never was a 3.1 */

/* A StartupMessage: begin, any number of parameters, end. Empty names are left out: they would end the message. */
size_t message_startup_begin(struct str *out, uint32_t version);
void message_startup_param(struct str *out, const char *name, const char *value);
void message_startup_end(struct str *out, size_t offset);

#endif
