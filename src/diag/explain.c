/*
 * Failures to verdicts: finds the row of failures.def that fits; texts.c and
 * detail.c put it into words. Pure, any thread.
 */
#include "diag/explain.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/printable.h"
#include "diag/rules.h"
#include "diag/texts.h"

/* Several of the server's texts and a good deal of ours. */
#define TEXT_LIMIT_BYTES (1u << 16)

/* ---- The table ---- */

/* clang-format off */
#define SYSTEM(phase, code, when) {PHASE_##phase, DOMAIN_ERRNO, code, "", "", when}
#define POOLER(phase, code, text, when) {PHASE_##phase, DOMAIN_POOLER, (int)(code), "", text, when}
#define NAMES(when) {PHASE_ANY, DOMAIN_GAI, ANY, "", "", when}
#define TLS(code) {PHASE_ANY, DOMAIN_TLS, FAILURE_TLS_##code, "", "", ALWAYS}
#define TLS_WHEN(code, when) {PHASE_ANY, DOMAIN_TLS, FAILURE_TLS_##code, "", "", when}
#define SERVER(phase, sqlstate, text, when) {PHASE_##phase, DOMAIN_SERVER, ANY, sqlstate, text, when}
#define OTHERWISE() {PHASE_ANY, DOMAIN_NONE, ANY, "", "", ALWAYS}

const struct rule rules[] = {
#define FAILURE(class, match, kind, sqlstate, message, detail, hint, doc) \
	{#class, match, VERDICT_##kind, sqlstate, message, detail, hint},
#include "diag/failures.def"
#undef FAILURE
	{NULL, OTHERWISE(), VERDICT_NONE, NULL, NULL, NULL, NULL},
};

const struct explain_row explain_rows[] = {
#define FAILURE(class, match, kind, sqlstate, message, detail, hint, doc) {#class, VERDICT_##kind, sqlstate, doc},
#include "diag/failures.def"
#undef FAILURE
	{NULL, VERDICT_NONE, NULL, NULL},
};
/* clang-format on */

/* Where a text goes on behind the first place that has this part in it; NULL: nowhere. */
static const char *behind(const char *from, const char *end, const char *part, size_t len)
{
	for (; (size_t)(end - from) >= len; from++)
		if (memcmp(from, part, len) == 0)
			return from + len;
	return NULL;
}

/* Are the parts of the pattern, which * divides, in the text one after the other? */
static bool contains(struct bytes text, const char *pattern)
{
	const char *at = text.data, *end;

	if (text.len == 0) /* it may be no text at all */
		return pattern[0] == '\0';
	end = text.data + text.len;
	for (;;) {
		size_t len = strcspn(pattern, "*");

		at = behind(at, end, pattern, len);
		if (at == NULL || pattern[len] == '\0')
			return at != NULL;
		pattern += len + 1;
	}
}

static bool rule_applies(enum rule_when when, const struct facts *facts)
{
	switch (when) {
	case ALWAYS:
		return true;
	case WITHOUT_HOST:
		return !is_known(facts->host) && !facts->is_unix;
	case ON_UNIX:
		return facts->is_unix;
	case ON_UNIX_IN_CONTAINER:
		return facts->is_unix && facts->in_container;
	case IN_CONTAINER:
		return facts->in_container;
	case LOCAL_IN_CONTAINER:
		return facts->in_container && !facts->is_unix && facts_are_local(facts);
	case ON_WINDOWS:
		return facts->on_windows;
	case LOCAL_ON_WINDOWS:
		return facts->on_windows && facts_are_local(facts);
	case OUTSIDE_ON_WINDOWS:
		return facts->below_windows && is_outside(facts);
	case OUTSIDE_OF_CONTAINER:
		return is_outside(facts);
	case SYSTEM_CA:
		return facts->system_ca;
	case FORCED_USER:
		return facts->forced_user;
	case SCRAM_STORED:
		return facts->stored == STORED_SCRAM;
	case MD5_STORED:
		return facts->stored == STORED_MD5;
	case MD5_STORED_FORCED_USER:
		return facts->stored == STORED_MD5 && facts->forced_user;
	}
	return false;
}

static bool rule_fits(const struct rule *rule, const struct subject *s)
{
	const struct rule_match *m = &rule->match;

	if ((m->phase != PHASE_ANY && m->phase != s->f->phase) || !rule_applies(m->when, s->facts))
		return false;
	if (m->domain == DOMAIN_NONE)
		return true;
	if (m->domain != s->f->domain || (m->code != ANY && m->code != s->f->code))
		return false;
	if (m->domain == DOMAIN_SERVER)
		return (m->sqlstate[0] == '\0' || bytes_are(s->report.sqlstate, m->sqlstate)) &&
		       contains(s->report.message, m->text);
	return strncmp(s->f->text, m->text, strlen(m->text)) == 0;
}

const struct rule *rules_find(const struct subject *s)
{
	const struct rule *rule = rules;

	while (!rule_fits(rule, s))
		rule++; /* ends: the last row fits everything */
	return rule;
}

/* ---- Verdicts ---- */

void verdict_init(struct verdict *v)
{
	memset(v, 0, sizeof(*v));
	v->class = "";
	str_init(&v->message, TEXT_LIMIT_BYTES);
	str_init(&v->detail, TEXT_LIMIT_BYTES);
	str_init(&v->hint, TEXT_LIMIT_BYTES);
}

void verdict_fini(struct verdict *v)
{
	str_fini(&v->message);
	str_fini(&v->detail);
	str_fini(&v->hint);
	verdict_init(v);
}

static void copy_text(struct str *to, const struct str *from)
{
	str_clear(to);
	str_add(to, str_text(from), from->len);
}

void verdict_copy(struct verdict *to, const struct verdict *from)
{
	if (to == from)
		return;
	to->class = from->class;
	to->kind = from->kind;
	to->scope = from->scope;
	memcpy(to->sqlstate, from->sqlstate, sizeof(to->sqlstate));
	memcpy(to->precise_sqlstate, from->precise_sqlstate, sizeof(to->precise_sqlstate));
	copy_text(&to->message, &from->message);
	copy_text(&to->detail, &from->detail);
	copy_text(&to->hint, &from->hint);
}

static bool is_sqlstate(struct bytes b)
{
	if (b.len != SQLSTATE_BYTES - 1)
		return false;
	for (size_t i = 0; i < b.len; i++)
		if (!((b.data[i] >= '0' && b.data[i] <= '9') || (b.data[i] >= 'A' && b.data[i] <= 'Z')))
			return false;
	return true;
}

static void set_sqlstates(struct verdict *v, const struct rule *rule, const struct subject *s)
{
	const char *precise = rule->sqlstate;

	if (s->f->domain == DOMAIN_SERVER && is_sqlstate(s->report.sqlstate)) {
		memcpy(v->precise_sqlstate, s->report.sqlstate.data, SQLSTATE_BYTES - 1);
		v->precise_sqlstate[SQLSTATE_BYTES - 1] = '\0';
		memcpy(v->sqlstate, v->precise_sqlstate, sizeof(v->sqlstate));
		return;
	}
	if (precise[0] == '\0')
		precise = SQLSTATE_PROTOCOL;
	snprintf(v->precise_sqlstate, sizeof(v->precise_sqlstate), "%s", precise);
	snprintf(v->sqlstate, sizeof(v->sqlstate), "%s",
	         s->facts->sqlstate_mode == SQLSTATE_PRECISE ? precise : SQLSTATE_PROTOCOL);
}

/*
 * Only what was learned before saying who we are may be shared between pools. A rule rather than a column, so that no
 * row can get it wrong: shared, one pool's refusal would shut out others that are welcome.
 */
static enum verdict_scope scope_of(enum failure_phase phase)
{
	switch (phase) {
	case PHASE_RESOLVE:
		return SCOPE_NAME;
	case PHASE_CONNECT:
	case PHASE_TLS:
		return SCOPE_ADDRESS;
	case PHASE_NONE:
	case PHASE_STARTUP:
	case PHASE_AUTH:
	case PHASE_SETTLE:
	case PHASE_SESSION:
	case PHASE_LOOKUP:
		break;
	}
	return SCOPE_POOL;
}

/* A text of the server behind one of ours. */
static void add_servers_own(struct str *out, const char *between, struct bytes text)
{
	if (text.len == 0)
		return;
	if (out->len > 0)
		str_add_str(out, between);
	printable_add(out, text.data, text.len);
}

void explain(const struct failure *f, const struct facts *facts, struct verdict *v)
{
	const struct rule *rule;
	struct subject s;

	subject_init(&s, f, facts);
	rule = rules_find(&s);
	v->class = rule->class;
	v->kind = rule->kind;
	v->scope = scope_of(f->phase);
	set_sqlstates(v, rule, &s);

	str_clear(&v->message);
	texts_expand(rule->message, &s, &v->message);
	str_clear(&v->detail);
	texts_expand(rule->detail, &s, &v->detail);
	add_servers_own(&v->detail, " ", s.report.detail);
	detail_add_facts(&s, &v->detail);
	str_clear(&v->hint);
	texts_expand(rule->hint, &s, &v->hint);
	/* the last line of ours may be one to paste */
	add_servers_own(&v->hint, "\nThe server's own hint: ", s.report.hint);
}

static enum verdict_kind kind_of(const struct facts *facts, const struct tried *tried)
{
	struct facts at = *facts;
	struct subject s;

	at.host = tried->host;
	at.address = tried->address;
	at.is_unix = tried->is_unix;
	subject_init(&s, tried->failure, &at);
	return rules_find(&s)->kind;
}

unsigned explain_choose(const struct facts *facts)
{
	unsigned first = facts->n_tried;

	for (unsigned i = 0; i < facts->n_tried; i++) {
		const struct failure *f = facts->tried[i].failure;

		if (first == facts->n_tried && kind_of(facts, &facts->tried[i]) != VERDICT_REFUSED)
			first = i;
		/* it says more than that others do not answer */
		if (failure_is_of_pooler(f, FAILURE_WRONG_ROLE) && facts->tried[first].failure->phase <= PHASE_TLS)
			first = i;
	}
	return first < facts->n_tried ? first : 0;
}

bool verdict_is_wrong_password(const struct verdict *v)
{
	return strcmp(v->class, "wrong_password") == 0;
}

static const char *text_or_null(const struct str *s)
{
	return s->len == 0 ? NULL : str_text(s);
}

struct words verdict_words(const struct verdict *v)
{
	return (struct words){.severity = "FATAL",
	                      .sqlstate = v->sqlstate,
	                      .message = v->message.len == 0 ? "out of memory" : str_text(&v->message),
	                      .detail = text_or_null(&v->detail),
	                      .hint = text_or_null(&v->hint)};
}
