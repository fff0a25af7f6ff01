/* Reads HBA rules and finds the one for a client. Any thread. */
#include "auth/hba.h"

#include <string.h>

#include "auth/pattern.h"
#include "auth/rule_lines.h"
#include "base/mem.h"
#include "conf/settings.h"
#include "os/file.h"

#define MOST_COMPARISONS 1000000u /* in hba_covers, which long lists would make slow */

enum name_kind { NAME_EXACT, NAME_ALL, NAME_SAMEUSER, NAME_REPLICATION, NAME_PATTERN };

struct name {
	enum name_kind kind;
	char *text; /* EXACT and PATTERN: as written, "/" included */
	struct pattern *pattern;
};

struct hba_names {
	unsigned n;
	struct name at[];
};

/* The part of a rule that is owned here; the rule first. */
struct owned_rule {
	struct hba_rule rule;
	char *file, *map_name;
};

struct hba {
	struct shared shared;
	struct ident *ident;
	struct owned_rule **rules;
	unsigned n, capacity;
};

static const char *const type_names[] = {"local", "host", "hostssl", "hostnossl", NULL};
static const char *const method_names[] = {"trust", "reject", "md5",  "password", "scram-sha-256",
                                           "cert",  "peer",   "ldap", "pam",      NULL};

const char *hba_type_name(enum hba_type type)
{
	return type_names[type];
}

const char *hba_method_name(enum hba_method method)
{
	return method_names[method];
}

static int find_word(const char *const *words, const char *text)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(words[i], text) == 0)
			return i;
	return -1;
}

/* ---- life ---- */

static void names_free(struct hba_names *names)
{
	for (unsigned i = 0; names != NULL && i < names->n; i++) {
		pattern_free(names->at[i].pattern);
		mem_free(names->at[i].text);
	}
	mem_free(names);
}

static void rule_free(struct owned_rule *r)
{
	if (r == NULL)
		return;
	names_free(r->rule.databases);
	names_free(r->rule.users);
	if (r->rule.ldap != NULL)
		shared_unref(&r->rule.ldap->shared);
	mem_free(r->map_name);
	mem_free(r->file);
	mem_free(r);
}

static void hba_free(struct shared *shared)
{
	struct hba *h = container_of(shared, struct hba, shared);

	for (unsigned i = 0; i < h->n; i++)
		rule_free(h->rules[i]);
	mem_free(h->rules);
	ident_free(h->ident);
	mem_free(h);
}

struct shared *hba_shared(struct hba *h)
{
	return &h->shared;
}

const struct hba *hba_of(const struct shared *shared)
{
	return container_of_const(shared, struct hba, shared);
}

const struct hba_rule *hba_rule_at(const struct hba *h, unsigned i)
{
	return i < h->n ? &h->rules[i]->rule : NULL;
}

/* Takes the rule, also on failure: no memory. */
static bool add_rule(struct hba *h, struct owned_rule *r)
{
	if (h->n == h->capacity) {
		unsigned capacity = h->capacity == 0 ? 16 : h->capacity * 2;
		struct owned_rule **rules = (struct owned_rule **)mem_resize(h->rules, capacity * sizeof(rules[0]));

		if (rules == NULL) {
			rule_free(r);
			return false;
		}
		h->rules = rules;
		h->capacity = capacity;
	}
	h->rules[h->n++] = r;
	return true;
}

/* ---- reading: who ---- */

enum list_kind { LIST_OF_DATABASES, LIST_OF_USERS };

/* What PostgreSQL would ask its catalogs for. */
static bool refuse_group(struct rule_line *l, const char *what)
{
	(void)rule_line_fail(l, "%s is not supported: who is a member of a role is not known here", what);
	return rule_line_hint(l, "Name the users, by a list, a file (@file) or a regular expression (/re).");
}

static bool read_database(struct rule_line *l, const struct rule_word *word, struct name *name)
{
	if (rule_word_is(word, "samerole") || rule_word_is(word, "samegroup"))
		return refuse_group(l, word->text);
	if (rule_word_is(word, "sameuser"))
		name->kind = NAME_SAMEUSER;
	else if (rule_word_is(word, "replication"))
		name->kind = NAME_REPLICATION;
	return true;
}

static bool read_name(struct rule_line *l, enum list_kind kind, const struct rule_word *word, struct name *name)
{
	char why[PATTERN_WHY_BYTES];

	name->text = mem_copy_str(word->text);
	if (name->text == NULL)
		return rule_line_no_memory(l);
	if (rule_word_is(word, "all"))
		name->kind = NAME_ALL;
	else if (word->text[0] == '/')
		name->kind = NAME_PATTERN;
	else if (kind == LIST_OF_DATABASES && !read_database(l, word, name))
		return false;
	else if (kind == LIST_OF_USERS && !word->quoted && word->text[0] == '+')
		return refuse_group(l, word->text);
	if (name->kind != NAME_PATTERN)
		return true;
	name->pattern = pattern_new(word->text + 1, why);
	return name->pattern != NULL ||
	       rule_line_fail(l, "invalid regular expression \"%.100s\": %s", word->text + 1, why);
}

static bool read_words(struct rule_line *l, enum list_kind kind, const struct rule_field *field, struct hba_names **out)
{
	struct hba_names *names = (struct hba_names *)mem_alloc(sizeof(*names) + field->n * sizeof(names->at[0]));

	if (names == NULL)
		return rule_line_no_memory(l);
	*out = names;
	for (unsigned i = 0; i < field->n; i++) {
		names->n++;
		if (!read_name(l, kind, &field->words[i], &names->at[i]))
			return false;
	}
	return true;
}

static bool read_names(struct rule_line *l, enum list_kind kind, struct hba_names **out)
{
	const char *what = kind == LIST_OF_DATABASES ? "database" : "user";
	struct rule_field field = {0};
	bool good = false;

	switch (rule_line_field(l, &field)) {
	case RULE_GOT:
		good = rule_field_expand(l, &field) && read_words(l, kind, &field, out);
		break;
	case RULE_END:
		good = rule_line_fail(l, "the %s is missing", what);
		break;
	case RULE_FAILED:
		break;
	}
	rule_field_fini(&field);
	return good;
}

/* ---- reading: from where ---- */

/* An address by itself; false: it is none. */
static bool read_ip(const char *text, uint8_t *family, uint8_t bytes[16])
{
	struct address a;
	struct peer p;

	/* else it would be the path of a socket */
	if (path_is_of_socket(text) || !address_from_text(&a, text, 0))
		return false;
	p = peer_of_address(&a);
	*family = p.family;
	memcpy(bytes, p.bytes, sizeof(p.bytes));
	return true;
}

/* "24" */
static bool read_bits(const char *text, unsigned most, unsigned *out)
{
	unsigned bits = 0;

	if (*text == '\0' || strlen(text) > 3)
		return false;
	for (; *text != '\0'; text++) {
		if (*text < '0' || *text > '9')
			return false;
		bits = bits * 10 + (unsigned)(*text - '0');
	}
	*out = bits;
	return bits <= most;
}

static unsigned bytes_of(uint8_t family)
{
	return family == PEER_V4 ? 4 : 16;
}

static void set_mask(struct hba_rule *r, unsigned bits)
{
	for (unsigned i = 0; i < bytes_of(r->family); i++) {
		unsigned here = bits >= 8 ? 8 : bits;

		r->mask[i] = (uint8_t)(0xff << (8 - here));
		bits -= here;
	}
}

/* PgBouncer warns of such a line and lets it match nobody; PostgreSQL takes the network. */
static bool check_outside(struct rule_line *l, const struct hba_rule *r)
{
	for (unsigned i = 0; i < bytes_of(r->family); i++) {
		if ((r->address[i] & ~r->mask[i]) == 0)
			continue;
		(void)rule_line_fail(l, "the address has bits outside its mask");
		return rule_line_hint(l, "Write the network, such as 10.0.0.0/8, or the one address, such as "
		                         "10.1.2.3/32. PgBouncer skips such a line, PostgreSQL means the network.");
	}
	return true;
}

static bool refuse_address(struct rule_line *l, const char *text)
{
	(void)rule_line_fail(l, "\"%.100s\" is no address", text);
	return rule_line_hint(l, "An address is all, samehost, samenet, or like 10.0.0.0/8 or ::1/128. Host names are "
	                         "not supported.");
}

/* The mask as a field of its own. */
static bool read_mask(struct rule_line *l, struct hba_rule *r)
{
	struct rule_field field = {0};
	uint8_t family = 0;
	bool good = rule_line_word(l, "mask of the address", &field);

	if (good && (!read_ip(field.words[0].text, &family, r->mask) || family != r->family)) {
		good = rule_line_fail(l, "\"%.100s\" is no mask for that address", field.words[0].text);
		(void)rule_line_hint(l, "Write the address as 10.0.0.0/8, or as 10.0.0.0 255.0.0.0.");
	}
	rule_field_fini(&field);
	return good;
}

static bool read_network(struct rule_line *l, const char *text, struct hba_rule *r)
{
	const char *slash = strchr(text, '/');
	char address[64];
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	unsigned bits;

	if (len == 0 || len >= sizeof(address))
		return refuse_address(l, text);
	memcpy(address, text, len);
	address[len] = '\0';
	if (!read_ip(address, &r->family, r->address))
		return refuse_address(l, text);
	r->where = HBA_NETWORK;
	if (slash == NULL)
		return read_mask(l, r) && check_outside(l, r);
	if (!read_bits(slash + 1, bytes_of(r->family) * 8, &bits))
		return rule_line_fail(l, "\"%.20s\" is no length of a mask", slash + 1);
	set_mask(r, bits);
	return check_outside(l, r);
}

static bool read_where(struct rule_line *l, struct hba_rule *r)
{
	struct rule_field field = {0};
	bool good = rule_line_word(l, "address", &field);
	const struct rule_word *word = field.words;

	if (good && rule_word_is(word, "all"))
		r->where = HBA_ANYWHERE;
	else if (good && rule_word_is(word, "samehost"))
		r->where = HBA_SAMEHOST;
	else if (good && rule_word_is(word, "samenet"))
		r->where = HBA_SAMENET;
	else if (good)
		good = read_network(l, word->text, r);
	rule_field_fini(&field);
	return good;
}

/* ---- reading: how ---- */

static bool read_type(struct rule_line *l, struct hba_rule *r)
{
	struct rule_field field = {0};
	bool good = rule_line_word(l, "type", &field);
	int type = good ? find_word(type_names, field.words[0].text) : 0;

	if (good && type < 0) {
		good = rule_line_fail(l, "unknown type \"%.100s\"", field.words[0].text);
		(void)rule_line_hint(l, "A line begins with local, host, hostssl or hostnossl.");
	}
	if (good)
		r->type = (enum hba_type)type;
	rule_field_fini(&field);
	return good;
}

/* NULL: nothing. */
static const char *lacking(int method)
{
	switch (method) {
	case HBA_PAM:
		return CONF_LACKS_PAM;
	case HBA_LDAP:
		return CONF_LACKS_LDAP;
	default: /* it needs nothing */
		return NULL;
	}
}

static bool read_method(struct rule_line *l, struct hba_rule *r)
{
	struct rule_field field = {0};
	bool good = rule_line_word(l, "method", &field);
	int method = good ? find_word(method_names, field.words[0].text) : 0;

	if (good && method < 0) {
		good = rule_line_fail(l, "unknown method \"%.100s\"", field.words[0].text);
		(void)rule_line_hint(l, "Methods are trust, reject, md5, password, scram-sha-256, cert, peer, ldap and "
		                        "pam.");
	} else if (good && lacking(method) != NULL) {
		good = rule_line_fail(l, "%s", lacking(method));
	}
	if (good)
		r->method = (enum hba_method)method;
	rule_field_fini(&field);
	return good;
}

/* "map=name" */
static bool read_option(const struct hba *h, struct rule_line *l, const char *text, struct owned_rule *r)
{
	if (strncmp(text, "map=", 4) != 0) {
		(void)rule_line_fail(l, "unknown option \"%.*s\"", (int)strcspn(text, "="), text);
		return rule_line_hint(l, "There is one option, map=name, with a map of auth_ident_file.");
	}
	if (r->map_name != NULL)
		return rule_line_fail(l, "there may be only one map");
	r->map_name = mem_copy_str(text + 4);
	if (r->map_name == NULL)
		return rule_line_no_memory(l);
	r->rule.map_name = r->map_name;
	r->rule.map = ident_find(h->ident, r->map_name);
	if (r->rule.map != NULL)
		return true;
	(void)rule_line_fail(l, "there is no map \"%.100s\"", r->map_name);
	return rule_line_hint(l, h->ident == NULL ? "Set auth_ident_file to a file with lines of that map."
	                                          : "Add a line of that map to auth_ident_file.");
}

static bool read_options(const struct hba *h, struct rule_line *l, struct owned_rule *r)
{
	for (;;) {
		const char *before = l->at, *after = before;
		struct rule_field field = {0};
		bool good = false;

		switch (rule_line_field(l, &field)) {
		case RULE_END:
			return true;
		case RULE_GOT:
			after = l->at;
			l->at = before; /* an option in the wrong place may be a password */
			good = field.n == 1 ? read_option(h, l, field.words[0].text, r)
			                    : rule_line_fail(l, "options have blanks between them, no commas");
			break;
		case RULE_FAILED:
			break;
		}
		rule_field_fini(&field);
		if (!good)
			return false;
		l->at = after;
	}
}

/* The rest of the line has a grammar of its own. */
static bool read_ldap(struct rule_line *l, struct hba_rule *r)
{
	char *text = rule_line_rest(l);
	bool good = true;

	if (text == NULL)
		return rule_line_no_memory(l);
	if (text[0] != '\0') {
		r->ldap = ldap_options_parse(text, l->file, l->number, rule_line_why(l));
		good = r->ldap != NULL;
	}
	mem_wipe(text, strlen(text));
	mem_free(text);
	return good;
}

static bool read_rule(const struct hba *h, struct rule_line *l, struct owned_rule *r)
{
	struct hba_rule *rule = &r->rule;

	r->file = mem_copy_str(l->file);
	if (r->file == NULL)
		return rule_line_no_memory(l);
	rule->file = r->file;
	rule->line = l->number;
	if (!read_type(l, rule) || !read_names(l, LIST_OF_DATABASES, &rule->databases) ||
	    !read_names(l, LIST_OF_USERS, &rule->users))
		return false;
	if (rule->type != HBA_LOCAL && !read_where(l, rule))
		return false;
	if (!read_method(l, rule))
		return false;
	if (rule->method != HBA_LDAP)
		return read_options(h, l, r);
	return read_ldap(l, rule);
}

static bool take_line(void *context, struct rule_line *l)
{
	struct hba *h = (struct hba *)context;
	struct owned_rule *r = mem_new(struct owned_rule);

	if (r == NULL)
		return rule_line_no_memory(l);
	if (!read_rule(h, l, r)) {
		rule_free(r);
		return false;
	}
	return add_rule(h, r) || rule_line_no_memory(l);
}

struct hba *hba_load(const struct conf_source *source, const char *name, const char *ident, const char *beside,
                     struct conf_error *why)
{
	struct hba *h = mem_new(struct hba);

	if (h == NULL) {
		(void)conf_fail_memory(why, name, 0);
		return NULL;
	}
	shared_init(&h->shared, hba_free);
	if (ident != NULL && ident[0] != '\0') {
		h->ident = ident_load(source, ident, beside, why);
		if (h->ident == NULL) {
			shared_unref(&h->shared);
			return NULL;
		}
	}
	if (rule_lines_read(source, "hba", name, beside, take_line, h, why))
		return h;
	shared_unref(&h->shared);
	return NULL;
}

/* ---- matching ---- */

static enum hba_result found_if(bool found)
{
	return found ? HBA_FOUND : HBA_NONE;
}

static enum hba_result match_pattern(const struct name *name, const char *text)
{
	switch (pattern_match(name->pattern, text, NULL)) {
	case PATTERN_MATCHES:
		return HBA_FOUND;
	case PATTERN_DIFFERS:
		return HBA_NONE;
	case PATTERN_FAILED:
		break;
	}
	return HBA_FAILED;
}

static enum hba_result match_database(const struct name *name, const struct hba_client *c)
{
	if (c->replicates)
		return found_if(name->kind == NAME_REPLICATION);
	switch (name->kind) {
	case NAME_EXACT:
		return found_if(strcmp(name->text, c->database) == 0);
	case NAME_ALL:
		return HBA_FOUND;
	case NAME_SAMEUSER:
		return found_if(strcmp(c->database, c->user) == 0);
	case NAME_REPLICATION:
		break;
	case NAME_PATTERN:
		return match_pattern(name, c->database);
	}
	return HBA_NONE;
}

static enum hba_result match_user(const struct name *name, const struct hba_client *c)
{
	switch (name->kind) {
	case NAME_EXACT:
		return found_if(strcmp(name->text, c->user) == 0);
	case NAME_ALL:
		return HBA_FOUND;
	case NAME_PATTERN:
		return match_pattern(name, c->user);
	case NAME_SAMEUSER:
	case NAME_REPLICATION:
		break;
	}
	return HBA_NONE;
}

static enum hba_result match_names(const struct hba_names *names, const struct hba_client *c,
                                   enum hba_result (*match)(const struct name *name, const struct hba_client *c))
{
	enum hba_result best = HBA_NONE;

	for (unsigned i = 0; i < names->n; i++) {
		enum hba_result result = match(&names->at[i], c);

		if (result == HBA_FOUND)
			return result;
		if (result == HBA_FAILED)
			best = result;
	}
	return best;
}

static bool is_in_network(const struct hba_rule *r, const struct peer *p)
{
	if (r->family != p->family)
		return false;
	for (unsigned i = 0; i < bytes_of(r->family); i++)
		if (((r->address[i] ^ p->bytes[i]) & r->mask[i]) != 0)
			return false;
	return true;
}

static bool matches_where(const struct hba_rule *r, const struct hba_client *c, const struct peer *peer)
{
	if (r->type == HBA_LOCAL)
		return peer->family == PEER_UNIX;
	if (peer->family == PEER_UNIX || (r->type == HBA_HOSTSSL && !c->encrypted) ||
	    (r->type == HBA_HOSTNOSSL && c->encrypted))
		return false;
	switch (r->where) {
	case HBA_ANYWHERE:
		return true;
	case HBA_NETWORK:
		return is_in_network(r, peer);
	case HBA_SAMEHOST:
		return c->is_near(peer, false);
	case HBA_SAMENET:
		break;
	}
	return c->is_near(peer, true);
}

/* An IPv4 client of a socket that takes both kinds is one of IPv4. */
static struct peer plain_peer(const struct peer *p)
{
	static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	struct peer plain = *p;

	if (p->family != PEER_V6 || memcmp(p->bytes, mapped, sizeof(mapped)) != 0)
		return plain;
	plain.family = PEER_V4;
	memset(plain.bytes, 0, sizeof(plain.bytes));
	memcpy(plain.bytes, p->bytes + sizeof(mapped), 4);
	return plain;
}

/* HBA_FAILED only if the rest of the line matches. */
static enum hba_result match(const struct hba_rule *r, const struct hba_client *c, const struct peer *peer)
{
	enum hba_result databases, users;

	databases = match_names(r->databases, c, match_database);
	if (databases == HBA_NONE)
		return HBA_NONE;
	users = match_names(r->users, c, match_user);
	if (users == HBA_NONE || !matches_where(r, c, peer))
		return HBA_NONE;
	return databases == HBA_FAILED || users == HBA_FAILED ? HBA_FAILED : HBA_FOUND;
}

enum hba_result hba_find(const struct hba *h, const struct hba_client *c, const struct hba_rule **rule)
{
	struct peer peer = plain_peer(c->peer);

	if (strlen(c->database) > HBA_MAX_NAME_BYTES || strlen(c->user) > HBA_MAX_NAME_BYTES)
		return HBA_NONE;
	for (unsigned i = 0; i < h->n; i++) {
		enum hba_result result = match(&h->rules[i]->rule, c, &peer);

		if (result == HBA_NONE)
			continue;
		*rule = &h->rules[i]->rule;
		return result;
	}
	return HBA_NONE;
}

/* ---- what covers what ---- */

static bool name_covers(const struct name *a, const struct name *b)
{
	if (a->kind == NAME_ALL)
		return b->kind != NAME_REPLICATION;
	if (a->kind == NAME_PATTERN && b->kind == NAME_EXACT)
		return match_pattern(a, b->text) == HBA_FOUND;
	return a->kind == b->kind &&
	       (a->kind == NAME_SAMEUSER || a->kind == NAME_REPLICATION || strcmp(a->text, b->text) == 0);
}

static bool names_cover(const struct hba_names *a, const struct hba_names *b)
{
	if ((uint64_t)a->n * b->n > MOST_COMPARISONS)
		return false;
	for (unsigned i = 0; i < b->n; i++) {
		unsigned j = 0;

		while (j < a->n && !name_covers(&a->at[j], &b->at[i]))
			j++;
		if (j == a->n)
			return false;
	}
	return true;
}

static bool network_covers(const struct hba_rule *a, const struct hba_rule *b)
{
	if (a->family != b->family)
		return false;
	for (unsigned i = 0; i < bytes_of(a->family); i++)
		if ((a->mask[i] & ~b->mask[i]) != 0 || ((a->address[i] ^ b->address[i]) & a->mask[i]) != 0)
			return false;
	return true;
}

static bool where_covers(const struct hba_rule *a, const struct hba_rule *b)
{
	if (a->where == HBA_ANYWHERE)
		return true;
	if (a->where == HBA_NETWORK)
		return b->where == HBA_NETWORK && network_covers(a, b);
	return a->where == b->where || (a->where == HBA_SAMENET && b->where == HBA_SAMEHOST);
}

bool hba_covers(const struct hba_rule *earlier, const struct hba_rule *later)
{
	if (earlier->type != later->type && !(earlier->type == HBA_HOST && later->type != HBA_LOCAL))
		return false;
	if (earlier->type != HBA_LOCAL && !where_covers(earlier, later))
		return false;
	return names_cover(earlier->databases, later->databases) && names_cover(earlier->users, later->users);
}

/* ---- PgBouncer ---- */

static const char *foreign_name(const struct hba_names *names, bool of_users, bool *is_pattern)
{
	for (unsigned i = 0; i < names->n; i++) {
		const struct name *name = &names->at[i];

		*is_pattern = name->kind == NAME_PATTERN;
		if (*is_pattern || (of_users && name->kind == NAME_EXACT &&
		                    (strcmp(name->text, "sameuser") == 0 || strcmp(name->text, "replication") == 0)))
			return name->text;
	}
	return NULL;
}

const char *hba_foreign_name(const struct hba_rule *r, bool *is_pattern)
{
	const char *name = foreign_name(r->databases, false, is_pattern);

	return name != NULL ? name : foreign_name(r->users, true, is_pattern);
}
