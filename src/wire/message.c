/* Reads and builds protocol messages. Pure bytes, any thread. */
#include "wire/message.h"

#include <string.h>

bool bytes_are(struct bytes b, const char *text)
{
	return b.data != NULL && strlen(text) == b.len && memcmp(b.data, text, b.len) == 0;
}

/* ---- Reading ---- */

void reader_init(struct reader *r, const void *data, size_t len)
{
	r->at = len == 0 ? "" : (const char *)data;
	r->end = r->at + len;
	r->failed = false;
}

size_t reader_left(const struct reader *r)
{
	return (size_t)(r->end - r->at);
}

bool reader_is_done(const struct reader *r)
{
	return !r->failed && r->at == r->end;
}

/* Steps over `len` bytes; NULL and failed when there are fewer. */
static const char *reader_skip(struct reader *r, size_t len)
{
	const char *at = r->at;

	if (r->failed || len > reader_left(r)) {
		r->failed = true;
		return NULL;
	}
	r->at += len;
	return at;
}

uint8_t reader_u8(struct reader *r)
{
	const char *at = reader_skip(r, 1);

	return at == NULL ? 0 : (uint8_t)*at;
}

int16_t reader_i16(struct reader *r)
{
	const unsigned char *b = (const unsigned char *)reader_skip(r, 2);

	if (b == NULL)
		return 0;
	return (int16_t)(uint16_t)(b[0] << 8 | b[1]);
}

uint32_t reader_u32(struct reader *r)
{
	const unsigned char *b = (const unsigned char *)reader_skip(r, 4);

	if (b == NULL)
		return 0;
	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | (uint32_t)b[3];
}

int32_t reader_i32(struct reader *r)
{
	return (int32_t)reader_u32(r);
}

struct bytes reader_cstring(struct reader *r)
{
	const char *at = r->at;
	const char *nul = r->failed ? NULL : (const char *)memchr(at, '\0', reader_left(r));

	if (nul == NULL) {
		r->failed = true;
		return (struct bytes){"", 0};
	}
	r->at = nul + 1;
	return (struct bytes){at, (size_t)(nul - at)};
}

struct bytes reader_bytes(struct reader *r, size_t len)
{
	const char *at = reader_skip(r, len);

	return at == NULL ? (struct bytes){"", 0} : (struct bytes){at, len};
}

struct bytes reader_rest(struct reader *r)
{
	return reader_bytes(r, r->failed ? 0 : reader_left(r));
}

/* Where a field of an ErrorResponse goes; NULL: nowhere. */
static struct bytes *report_field(struct report *report, uint8_t code)
{
	switch (code) {
	case 'C':
		return &report->sqlstate;
	case 'M':
		return &report->message;
	case 'D':
		return &report->detail;
	case 'H':
		return &report->hint;
	case 'P':
		return &report->position;
	case 'W':
		return &report->where;
	case 's':
		return &report->schema;
	case 't':
		return &report->table;
	case 'c':
		return &report->column;
	case 'n':
		return &report->constraint;
	case 'F':
		return &report->source_file;
	default: /* a byte from the network, not an enum */
		return NULL;
	}
}

bool report_parse(struct report *report, const char *body, size_t len)
{
	struct bytes local = {NULL, 0}, fixed = {NULL, 0};
	struct reader r;

	memset(report, 0, sizeof(*report));
	reader_init(&r, body, len);
	for (;;) {
		uint8_t code = reader_u8(&r);
		struct bytes value, *field;

		if (r.failed)
			return false;
		if (code == 0)
			break;
		value = reader_cstring(&r);
		if (r.failed)
			return false;
		field = report_field(report, code);
		if (field != NULL)
			*field = value;
		else if (code == 'S')
			local = value;
		else if (code == 'V')
			fixed = value;
	}
	report->severity = fixed.data != NULL ? fixed : local;
	return reader_is_done(&r);
}

void report_read_broken(struct report *report, const char *body, size_t len)
{
	size_t at = 0;

	memset(report, 0, sizeof(*report));
	while (at + 1 < len && body[at] != '\0') {
		const char *value = body + at + 1, *end = (const char *)memchr(value, '\0', len - at - 1);
		struct bytes *field = report_field(report, (uint8_t)body[at]);
		size_t value_len = end == NULL ? len - at - 1 : (size_t)(end - value);

		if (field != NULL)
			*field = (struct bytes){value, value_len};
		at += value_len + 2;
	}
}

/* The length of a text without the character of UTF-8 that is cut off at its end, if there is one. */
static size_t whole_characters(const char *text, size_t len)
{
	size_t back = 1;

	while (back < 4 && back <= len && ((unsigned char)text[len - back] & 0xc0) == 0x80)
		back++;
	if (back > len)
		return len;
	switch ((unsigned char)text[len - back] >> 4) {
	case 0xc:
	case 0xd:
		return back < 2 ? len - back : len;
	case 0xe:
		return back < 3 ? len - back : len;
	case 0xf:
		return back < 4 ? len - back : len;
	default: /* bytes of one-byte characters, or not UTF-8 */
		return len;
	}
}

void report_mend(const char *body, size_t len, struct str *out)
{
	const char *at = body, *end = body + len;

	while (at < end && *at != '\0') {
		const char *text = at + 1,
		           *nul = text == end ? NULL : (const char *)memchr(text, '\0', (size_t)(end - text));
		size_t n = (size_t)((nul == NULL ? end : nul) - text);

		str_add(out, at, 1);
		str_add(out, text, nul == NULL ? whole_characters(text, n) : n);
		str_add_char(out, '\0');
		at = nul == NULL ? end : nul + 1;
	}
	str_add_char(out, '\0');
}

bool message_parse_parameter_status(const char *body, size_t len, struct bytes *name, struct bytes *value)
{
	struct bytes n, v;
	struct reader r;

	reader_init(&r, body, len);
	n = reader_cstring(&r);
	v = reader_cstring(&r);
	if (!reader_is_done(&r) || n.len == 0)
		return false;
	*name = n;
	*value = v;
	return true;
}

bool message_parse_command_complete(const char *body, size_t len, struct bytes *tag)
{
	struct bytes t;
	struct reader r;

	reader_init(&r, body, len);
	t = reader_cstring(&r);
	if (!reader_is_done(&r))
		return false;
	*tag = t;
	return true;
}

bool message_parse_ready(const char *body, size_t len, char *status)
{
	if (len != 1 || (body[0] != 'I' && body[0] != 'T' && body[0] != 'E'))
		return false;
	*status = body[0];
	return true;
}

bool message_parse_backend_key(const char *body, size_t len, uint32_t *pid, struct bytes *key)
{
	struct bytes k;
	struct reader r;
	uint32_t p;

	reader_init(&r, body, len);
	p = reader_u32(&r);
	k = reader_rest(&r);
	if (r.failed || k.len < 4 || k.len > 256)
		return false;
	*pid = p;
	*key = k;
	return true;
}

bool message_parse_authentication(const char *body, size_t len, uint32_t *code, struct bytes *rest)
{
	struct reader r;
	uint32_t c;

	reader_init(&r, body, len);
	c = reader_u32(&r);
	if (r.failed)
		return false;
	*code = c;
	*rest = reader_rest(&r);
	return true;
}

bool message_parse_negotiate(const char *body, size_t len, uint32_t *version, uint32_t *n_names)
{
	struct reader r;
	uint32_t v, n;

	reader_init(&r, body, len);
	v = reader_u32(&r);
	n = reader_u32(&r);
	for (uint32_t i = 0; i < n && !r.failed; i++)
		(void)reader_cstring(&r);
	if (!reader_is_done(&r))
		return false;
	*version = v;
	*n_names = n;
	return true;
}

struct type_name {
	char type;
	const char *name;
};

static const struct type_name server_types[] = {
    {'1', "ParseComplete"},
    {'2', "BindComplete"},
    {'3', "CloseComplete"},
    {'A', "NotificationResponse"},
    {'C', "CommandComplete"},
    {'D', "DataRow"},
    {'E', "ErrorResponse"},
    {'G', "CopyInResponse"},
    {'H', "CopyOutResponse"},
    {'I', "EmptyQueryResponse"},
    {'K', "BackendKeyData"},
    {'N', "NoticeResponse"},
    {'R', "Authentication"},
    {'S', "ParameterStatus"},
    {'T', "RowDescription"},
    {'V', "FunctionCallResponse"},
    {'W', "CopyBothResponse"},
    {'Z', "ReadyForQuery"},
    {'c', "CopyDone"},
    {'d', "CopyData"},
    {'n', "NoData"},
    {'s', "PortalSuspended"},
    {'t', "ParameterDescription"},
    {'v', "NegotiateProtocolVersion"},
    {'\0', NULL},
};

const char *server_message_name(uint8_t type)
{
	const struct type_name *row = server_types;

	while (row->name != NULL && (uint8_t)row->type != type)
		row++;
	return row->name;
}

/* ---- Building ---- */

void message_u8(struct str *out, uint8_t value)
{
	str_add(out, &value, 1);
}

void message_i16(struct str *out, int16_t value)
{
	uint16_t v = (uint16_t)value;
	uint8_t b[2] = {(uint8_t)(v >> 8), (uint8_t)v};

	str_add(out, b, sizeof(b));
}

static void put_u32(uint8_t b[4], uint32_t value)
{
	b[0] = (uint8_t)(value >> 24);
	b[1] = (uint8_t)(value >> 16);
	b[2] = (uint8_t)(value >> 8);
	b[3] = (uint8_t)value;
}

void message_u32(struct str *out, uint32_t value)
{
	uint8_t b[4];

	put_u32(b, value);
	str_add(out, b, sizeof(b));
}

void message_i32(struct str *out, int32_t value)
{
	message_u32(out, (uint32_t)value);
}

void message_cstring(struct str *out, const char *text)
{
	str_add(out, text, strlen(text) + 1);
}

void message_bytes(struct str *out, const void *data, size_t len)
{
	str_add(out, data, len);
}

size_t message_begin(struct str *out, char type)
{
	size_t offset;

	if (type != '\0')
		str_add_char(out, type);
	offset = out->len;
	message_u32(out, 0);
	return offset;
}

void message_end(struct str *out, size_t offset)
{
	size_t length = out->len - offset;

	if (length > INT32_MAX)
		out->failed = true;
	if (out->failed)
		return;
	put_u32((uint8_t *)out->data + offset, (uint32_t)length);
}

void message_bare(struct str *out, char type)
{
	message_end(out, message_begin(out, type));
}

/* A message whose body is one text with its NUL. */
static void message_of_text(struct str *out, char type, const char *text)
{
	size_t m = message_begin(out, type);

	message_cstring(out, text);
	message_end(out, m);
}

/* A message whose body is these bytes. */
static void message_of_bytes(struct str *out, char type, const void *data, size_t len)
{
	size_t m = message_begin(out, type);

	message_bytes(out, data, len);
	message_end(out, m);
}

static void message_auth(struct str *out, enum auth_request code, const void *data, size_t len)
{
	size_t m = message_begin(out, 'R');

	message_u32(out, (uint32_t)code);
	message_bytes(out, data, len);
	message_end(out, m);
}

void message_auth_ok(struct str *out)
{
	message_auth(out, AUTH_OK, "", 0);
}

void message_auth_cleartext(struct str *out)
{
	message_auth(out, AUTH_CLEARTEXT, "", 0);
}

void message_auth_md5(struct str *out, const uint8_t salt[4])
{
	message_auth(out, AUTH_MD5, salt, 4);
}

void message_auth_sasl(struct str *out, const char *preferred, const char *mechanism)
{
	size_t m = message_begin(out, 'R');

	message_u32(out, AUTH_SASL);
	if (preferred != NULL)
		message_cstring(out, preferred);
	message_cstring(out, mechanism);
	message_u8(out, 0); /* the list ends */
	message_end(out, m);
}

void message_auth_sasl_continue(struct str *out, const char *data, size_t len)
{
	message_auth(out, AUTH_SASL_CONTINUE, data, len);
}

void message_auth_sasl_final(struct str *out, const char *data, size_t len)
{
	message_auth(out, AUTH_SASL_FINAL, data, len);
}

void message_parameter_status(struct str *out, const char *name, const char *value)
{
	size_t m = message_begin(out, 'S');

	message_cstring(out, name);
	message_cstring(out, value);
	message_end(out, m);
}

void message_backend_key(struct str *out, uint32_t pid, const void *key, size_t key_len)
{
	size_t m = message_begin(out, 'K');

	message_u32(out, pid);
	message_bytes(out, key, key_len);
	message_end(out, m);
}

void message_ready(struct str *out, char status)
{
	message_of_bytes(out, 'Z', &status, 1);
}

void message_command_complete(struct str *out, const char *tag)
{
	message_of_text(out, 'C', tag);
}

static void add_field(struct str *out, char code, const char *text)
{
	if (text == NULL)
		return;
	str_add_char(out, code);
	message_cstring(out, text);
}

static void message_words(struct str *out, char type, const struct words *words)
{
	size_t m = message_begin(out, type);

	add_field(out, 'S', words->severity);
	add_field(out, 'C', words->sqlstate);
	add_field(out, 'M', words->message);
	add_field(out, 'D', words->detail);
	add_field(out, 'H', words->hint);
	message_u8(out, 0);
	message_end(out, m);
}

void message_error(struct str *out, const struct words *words)
{
	message_words(out, 'E', words);
}

void message_notice(struct str *out, const struct words *words)
{
	message_words(out, 'N', words);
}

/* The number of columns; false: more than a message can have. */
static bool add_column_count(struct str *out, size_t n)
{
	if (n > INT16_MAX) {
		out->failed = true;
		return false;
	}
	message_i16(out, (int16_t)n);
	return true;
}

void message_row_description(struct str *out, const struct message_column *columns, size_t n)
{
	message_row_description_in(out, columns, n, 0);
}

void message_row_description_in(struct str *out, const struct message_column *columns, size_t n, uint64_t binary)
{
	size_t m = message_begin(out, 'T');

	if (!add_column_count(out, n))
		return;
	for (size_t i = 0; i < n; i++) {
		message_cstring(out, columns[i].name);
		message_u32(out, 0); /* of no table */
		message_i16(out, 0); /* nor column of one */
		message_u32(out, columns[i].type_oid);
		message_i16(out, columns[i].type_len);
		message_i32(out, -1);                               /* no type modifier */
		message_i16(out, i < 64 && (binary >> i & 1) != 0); /* format */
	}
	message_end(out, m);
}

void message_no_parameters(struct str *out)
{
	size_t m = message_begin(out, 't');

	message_i16(out, 0);
	message_end(out, m);
}

void message_data_row(struct str *out, const char *const *texts, size_t n)
{
	size_t m = message_begin(out, 'D');

	if (!add_column_count(out, n))
		return;
	for (size_t i = 0; i < n; i++) {
		size_t len = texts[i] == NULL ? 0 : strlen(texts[i]);

		if (len > INT32_MAX) {
			out->failed = true;
			return;
		}
		message_i32(out, texts[i] == NULL ? -1 : (int32_t)len);
		message_bytes(out, texts[i], len);
	}
	message_end(out, m);
}

void message_query(struct str *out, const char *sql)
{
	message_of_text(out, 'Q', sql);
}

void message_password(struct str *out, const char *password, size_t len)
{
	size_t m = message_begin(out, 'p');

	message_bytes(out, password, len);
	message_u8(out, 0);
	message_end(out, m);
}

void message_sasl_initial(struct str *out, const char *mechanism, const char *data, size_t len)
{
	size_t m = message_begin(out, 'p');

	if (len > INT32_MAX) {
		out->failed = true;
		return;
	}
	message_cstring(out, mechanism);
	message_i32(out, (int32_t)len);
	message_bytes(out, data, len);
	message_end(out, m);
}

void message_sasl_response(struct str *out, const char *data, size_t len)
{
	message_of_bytes(out, 'p', data, len);
}

void message_copy_fail(struct str *out, const char *why)
{
	message_of_text(out, 'f', why);
}

void message_sync(struct str *out)
{
	message_bare(out, 'S');
}

#define CODE_CANCEL 80877102u
#define CODE_SSL 80877103u

void message_ssl_request(struct str *out)
{
	size_t m = message_begin(out, '\0');

	message_u32(out, CODE_SSL);
	message_end(out, m);
}

void message_cancel_request(struct str *out, uint32_t pid, const void *key, size_t key_len)
{
	size_t m = message_begin(out, '\0');

	message_u32(out, CODE_CANCEL);
	message_u32(out, pid);
	message_bytes(out, key, key_len);
	message_end(out, m);
}

size_t message_startup_begin(struct str *out, uint32_t version)
{
	size_t m = message_begin(out, '\0');

	message_u32(out, version);
	return m;
}

void message_startup_param(struct str *out, const char *name, const char *value)
{
	if (name[0] == '\0')
		return;
	message_cstring(out, name);
	message_cstring(out, value);
}

void message_startup_end(struct str *out, size_t offset)
{
	message_u8(out, 0);
	message_end(out, offset);
}
