/* Takes the first packet of a connection apart. Pure bytes, any thread. */
#include "wire/startup.h"

#include <stdio.h>
#include <string.h>

#define HEADER_BYTES 8u /* length and code */
#define CODE_CANCEL 80877102u
#define CODE_SSL 80877103u
#define CODE_GSS 80877104u
#define CANCEL_KEY_MIN 8u   /* process id and the four bytes of protocol 3.0 */
#define CANCEL_KEY_MAX 260u /* process id and the 256 bytes that 3.2 allows */
#define HEX_SHOWN_BYTES 8u

static enum startup_result bad(enum startup_problem *why, enum startup_problem problem)
{
	*why = problem;
	return STARTUP_BAD;
}

static enum startup_result parse_encryption(enum startup_kind kind, uint32_t length, struct startup *out,
                                            enum startup_problem *why)
{
	if (length != HEADER_BYTES)
		return bad(why, STARTUP_BAD_HEADER);
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	out->len = length;
	return STARTUP_GOT;
}

static enum startup_result parse_cancel(const char *data, size_t len, uint32_t length, struct startup *out,
                                        enum startup_problem *why)
{
	uint32_t key_len = length - HEADER_BYTES;

	if (key_len < CANCEL_KEY_MIN || key_len > CANCEL_KEY_MAX)
		return bad(why, STARTUP_BAD_CANCEL);
	if (len < length)
		return STARTUP_MORE;
	memset(out, 0, sizeof(*out));
	out->kind = STARTUP_CANCEL;
	out->len = length;
	out->key = (struct bytes){data + HEADER_BYTES, key_len};
	return STARTUP_GOT;
}

/* Checks the layout (pairs of texts, an empty name as last byte) and finds where the pairs end. */
static bool params_end(const char *params, size_t len, const char **end)
{
	struct reader r;

	reader_init(&r, params, len);
	for (;;) {
		const char *at = r.at;
		struct bytes name = reader_cstring(&r);

		if (r.failed)
			return false;
		if (name.len == 0) {
			*end = at;
			return reader_is_done(&r);
		}
		(void)reader_cstring(&r);
	}
}

static void note_param(struct startup *s, struct bytes name, struct bytes value)
{
	if (bytes_are(name, "user"))
		s->user = value;
	else if (bytes_are(name, "database"))
		s->database = value;
	else if (startup_is_protocol_option(name))
		s->has_protocol_options = true;
}

static enum startup_result parse_login(const char *data, size_t len, uint32_t length, uint32_t version,
                                       struct startup *out, enum startup_problem *why)
{
	struct startup s = {.kind = STARTUP_LOGIN, .len = length, .version = version};
	struct bytes name, value;
	const char *at = NULL;

	if (len < length)
		return STARTUP_MORE;
	s.params = data + HEADER_BYTES;
	if (!params_end(s.params, length - HEADER_BYTES, &s.params_end))
		return bad(why, STARTUP_NO_TERMINATOR);
	while (startup_next_param(&s, &at, &name, &value))
		note_param(&s, name, value);
	if (s.user.len == 0)
		return bad(why, STARTUP_NO_USER);
	s.has_database = s.database.len > 0;
	if (!s.has_database)
		s.database = s.user;
	*out = s;
	return STARTUP_GOT;
}

enum startup_result startup_parse(const char *data, size_t len, struct startup *out, enum startup_problem *why)
{
	struct reader r;
	uint32_t length, code;

	if (len > 0 && data[0] == 'p')
		return bad(why, STARTUP_EARLY_PASSWORD);
	if (len < HEADER_BYTES)
		return STARTUP_MORE;
	reader_init(&r, data, len);
	length = reader_u32(&r);
	code = reader_u32(&r);
	if (length < HEADER_BYTES || length > STARTUP_MAX_BYTES)
		return bad(why, STARTUP_BAD_HEADER);
	if (code == CODE_SSL)
		return parse_encryption(STARTUP_SSL, length, out, why);
	if (code == CODE_GSS)
		return parse_encryption(STARTUP_GSS, length, out, why);
	if (code == CODE_CANCEL)
		return parse_cancel(data, len, length, out, why);
	if (code >> 16 == 2)
		return bad(why, STARTUP_OLD_PROTOCOL);
	if (code >> 16 != 3)
		return bad(why, STARTUP_BAD_HEADER);
	return parse_login(data, len, length, code, out, why);
}

static void bad_header_text(const char *data, size_t len, char text[STARTUP_TEXT_BYTES])
{
	char hex[2 * HEX_SHOWN_BYTES + 1] = "";

	for (size_t i = 0; i < len && i < HEX_SHOWN_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned)(uint8_t)data[i]);
	snprintf(text, STARTUP_TEXT_BYTES, "bad packet header: '%s'", hex);
}

static const char *fixed_text(enum startup_problem why)
{
	switch (why) {
	case STARTUP_OLD_PROTOCOL:
		return "old V2 protocol not supported";
	case STARTUP_NO_TERMINATOR:
		return "invalid startup packet layout: expected terminator as last byte";
	case STARTUP_NO_USER:
		return "no username supplied";
	case STARTUP_EARLY_PASSWORD:
		return "client password pkt before startup packet";
	case STARTUP_BAD_HEADER:
	case STARTUP_BAD_CANCEL:
		break;
	}
	return "";
}

const char *startup_problem_text(enum startup_problem why, const char *data, size_t len, char text[STARTUP_TEXT_BYTES])
{
	if (why == STARTUP_BAD_HEADER)
		bad_header_text(data, len, text);
	else
		snprintf(text, STARTUP_TEXT_BYTES, "%s", fixed_text(why));
	return text;
}

bool startup_next_param(const struct startup *s, const char **at, struct bytes *name, struct bytes *value)
{
	const char *from = *at == NULL ? s->params : *at;
	struct reader r;

	if (from == NULL || from >= s->params_end)
		return false;
	reader_init(&r, from, (size_t)(s->params_end - from));
	*name = reader_cstring(&r);
	*value = reader_cstring(&r);
	*at = r.at;
	return !r.failed;
}

bool startup_find_param(const struct startup *s, const char *name, struct bytes *value)
{
	const char *at = NULL;
	struct bytes n, v;
	bool found = false;

	while (startup_next_param(s, &at, &n, &v)) {
		if (bytes_are(n, name)) {
			*value = v;
			found = true;
		}
	}
	return found;
}

bool startup_is_protocol_option(struct bytes name)
{
	static const char prefix[] = "_pq_.";

	return name.len >= sizeof(prefix) - 1 && memcmp(name.data, prefix, sizeof(prefix) - 1) == 0;
}

bool startup_needs_negotiation(const struct startup *s)
{
	return s->kind == STARTUP_LOGIN && (s->version > PROTOCOL_3_2 || s->has_protocol_options);
}

void startup_write_negotiation(const struct startup *s, struct str *out)
{
	struct bytes name, value;
	const char *at = NULL;
	uint32_t n = 0;
	size_t m;

	while (startup_next_param(s, &at, &name, &value))
		n += startup_is_protocol_option(name) ? 1 : 0;
	m = message_begin(out, 'v');
	message_u32(out, s->version < PROTOCOL_3_2 ? s->version : PROTOCOL_3_2);
	message_u32(out, n);
	at = NULL;
	while (startup_next_param(s, &at, &name, &value))
		if (startup_is_protocol_option(name))
			message_bytes(out, name.data, name.len + 1);
	message_end(out, m);
}

/* ---- The parameter "options" ---- */

struct options {
	const char *at, *end;
	struct str word; /* one word without its backslashes */
};

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The next word into o->word; false at the end of the text. */
static bool next_word(struct options *o)
{
	str_clear(&o->word);
	while (o->at < o->end && is_space(*o->at))
		o->at++;
	if (o->at == o->end)
		return false;
	while (o->at < o->end && !is_space(*o->at)) {
		if (*o->at == '\\' && ++o->at == o->end)
			break; /* it quotes nothing and means nothing */
		str_add_char(&o->word, *o->at++);
	}
	return true;
}

/* Splits "name=value" in place; false without "="; the name may be empty. */
static bool split_setting(char *text, char **value)
{
	char *equals = strchr(text, '=');

	if (equals == NULL)
		return false;
	*equals = '\0';
	*value = equals + 1;
	for (char *c = text; *c != '\0'; c++)
		if (*c == '-')
			*c = '_';
	return true;
}

/* One "-c name=value", "-cname=value" or "--name=value", whose first word is in o->word. */
static enum options_result one_setting(struct options *o, options_setting *each, void *arg)
{
	bool is_short = o->word.len >= 2 && memcmp(o->word.data, "-c", 2) == 0;
	bool is_long = o->word.len >= 2 && memcmp(o->word.data, "--", 2) == 0;
	size_t skip = 2;
	char *value;

	if (!is_short && !is_long)
		return OPTIONS_FORM;
	if (is_short && o->word.len == 2) {
		skip = 0;
		if (!next_word(o))
			return OPTIONS_FORM;
		if (o->word.failed)
			return OPTIONS_NO_MEMORY;
	}
	if (o->word.data == NULL || !split_setting(o->word.data + skip, &value))
		return OPTIONS_FORM;
	return each(arg, o->word.data + skip, value) ? OPTIONS_DONE : OPTIONS_STOPPED;
}

enum options_result startup_options(const char *text, size_t len, options_setting *each, void *arg)
{
	struct options o = {.at = text, .end = text + len};
	enum options_result result = OPTIONS_DONE;

	str_init(&o.word, STARTUP_MAX_BYTES);
	while (result == OPTIONS_DONE && next_word(&o))
		result = o.word.failed ? OPTIONS_NO_MEMORY : one_setting(&o, each, arg);
	str_fini(&o.word);
	return result;
}
