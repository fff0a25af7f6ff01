/* What every DETAIL ends with: the targets that were tried, and facts in a fixed order. Pure, any thread. */
#include <string.h>

#include "base/printable.h"
#include "diag/texts.h"

/* Of the reason why one of several targets failed. */
#define REASON_MAX_BYTES 300u

static const char *phase_text(enum failure_phase phase)
{
	switch (phase) {
	case PHASE_NONE:
		return NULL;
	case PHASE_RESOLVE:
		return "name lookup";
	case PHASE_CONNECT:
		return "connect";
	case PHASE_TLS:
		return "TLS";
	case PHASE_STARTUP:
		return "start-up";
	case PHASE_AUTH:
		return "authentication";
	case PHASE_SETTLE:
		return "end of login";
	case PHASE_SESSION:
		return "session";
	case PHASE_LOOKUP:
		return "auth_query";
	}
	return NULL;
}

/* One sentence of facts: begins with a capital, parts separated by commas. */
struct sentence {
	struct str *out;
	size_t from;
};

static void sentence_begin(struct sentence *s, struct str *out)
{
	if (out->len > 0)
		str_add_char(out, ' ');
	s->out = out;
	s->from = out->len;
}

/* Before each part: the comma, and the part's name with a capital if it is the first. */
static void sentence_part(struct sentence *s, const char *name)
{
	bool first = s->out->len == s->from;

	if (!first)
		str_add_str(s->out, ", ");
	if (first && name[0] >= 'a' && name[0] <= 'z')
		str_add_char(s->out, (char)(name[0] - 'a' + 'A'));
	else
		str_add_char(s->out, name[0]);
	str_add_str(s->out, name + 1);
}

static void sentence_quoted(struct sentence *s, const char *name, const char *value)
{
	if (!is_known(value))
		return;
	sentence_part(s, name);
	str_add_str(s->out, " \"");
	printable_add(s->out, value, strlen(value));
	str_add_char(s->out, '"');
}

static void sentence_plain(struct sentence *s, const char *name, const char *value)
{
	if (!is_known(value))
		return;
	sentence_part(s, name);
	str_add_char(s->out, ' ');
	printable_add(s->out, value, strlen(value));
}

static void sentence_phase(struct sentence *s, enum failure_phase phase, uint64_t phase_us)
{
	sentence_quoted(s, "phase", phase_text(phase));
	if (phase_text(phase) == NULL || phase_us == 0)
		return;
	str_add_str(s->out, " for ");
	write_duration(phase_us, s->out);
}

static void sentence_attempts(struct sentence *s, const struct facts *facts)
{
	if (facts->attempts > 0) {
		sentence_part(s, "attempts");
		str_printf(s->out, " %u", facts->attempts);
	}
	if (facts->next_try_us != 0 && facts->next_try_us != UINT64_MAX) {
		sentence_part(s, "next attempt in ");
		write_duration(facts->next_try_us, s->out);
	}
}

/* Nothing was known: the space before it goes too. */
static void sentence_end(struct sentence *s)
{
	if (s->out->len > s->from) {
		str_add_char(s->out, '.');
	} else if (s->from > 0) {
		s->out->len = s->from - 1;
		s->out->data[s->out->len] = '\0';
	}
}

/* Shortened, because there may be many. */
static void add_reason(const struct subject *s, struct str *out)
{
	struct str reason;

	str_init(&reason, PRINTABLE_MAX_BYTES + 64);
	write_reason(s, &reason);
	if (reason.len <= REASON_MAX_BYTES) {
		str_add(out, str_text(&reason), reason.len);
	} else {
		size_t len = REASON_MAX_BYTES;

		while (len > 0 && ((unsigned char)reason.data[len] & 0xC0) == 0x80)
			len--; /* between two characters */
		str_add(out, reason.data, len);
		str_add_str(out, "…");
	}
	str_fini(&reason);
}

/* Tried: server at "a" (10.0.0.1), port 5432: connection refused; server at "b" …: timed out. Of one host only what it
   is, where it should be something else. */
static void add_tried(const struct subject *subject, struct str *out)
{
	const struct facts *facts = subject->facts;
	bool of_role = failure_is_of_pooler(subject->f, FAILURE_WRONG_ROLE);

	if (facts->n_tried < (of_role ? 1 : 2))
		return;
	str_add_str(out, out->len > 0 ? " Tried: " : "Tried: ");
	for (unsigned i = 0; i < facts->n_tried; i++) {
		const struct tried *tried = &facts->tried[i];
		struct facts at = {
		    .host = tried->host, .address = tried->address, .port = tried->port, .is_unix = tried->is_unix};
		struct subject s;

		subject_init(&s, tried->failure, &at);
		if (i > 0)
			str_add_str(out, "; ");
		write_target(&at, out);
		str_add_str(out, ": ");
		add_reason(&s, out);
	}
	str_add_char(out, '.');
}

/* The order is fixed: people compare such lines. */
static void add_common_facts(const struct subject *subject, struct str *out)
{
	const struct facts *facts = subject->facts;
	struct sentence s;

	if (facts->runs_auth_query)
		str_printf(out, "%sThis user is auth_user: it runs auth_query for clients that log in.",
		           out->len > 0 ? " " : "");
	sentence_begin(&s, out);
	sentence_quoted(&s, "database", facts->database);
	sentence_quoted(&s, "user", facts->user);
	sentence_quoted(&s, "host", facts->host);
	sentence_plain(&s, "address", facts->address);
	if (facts->port != 0) {
		sentence_part(&s, "port");
		str_printf(out, " %d", facts->port);
	}
	sentence_plain(&s, "TLS", facts->tls);
	sentence_plain(&s, "source address", facts->source_address);
	sentence_phase(&s, subject->f->phase, facts->phase_us);
	sentence_plain(&s, "since", facts->since);
	sentence_attempts(&s, facts);
	sentence_plain(&s, "incident", facts->incident);
	sentence_end(&s);
}

void detail_add_facts(const struct subject *s, struct str *out)
{
	add_tried(s, out);
	add_common_facts(s, out);
}
