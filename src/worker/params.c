/*
 * Interned sets of session parameters. Any thread: sets are immutable, the book
 * has a lock that is taken only when a set is made or freed.
 */
#include "worker/params.h"

#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"
#include "base/table.h"
#include "os/lock.h"

#define MOST_PARAMS 64u
#define MOST_BYTES 16384u
#define MORE_BYTES 3u /* of one parameter beside its name and value: its kind and two NULs */

enum param_kind {
	PARAM_REPORTED = 'r', /* servers report it: its value is known */
	PARAM_WISHED = 'w',   /* a client's wish for a parameter that servers do not report, or our SET of it */
	PARAM_UNSURE = 'u'    /* our SET of such a parameter, which may have been undone since */
};

struct param {
	const char *name, *value;
	enum param_kind kind;
};

/* Immutable once published, but for the count. */
struct params {
	atomic_uint refs;
	struct params_book *book;
	struct table_node node; /* guarded by book->lock */
	unsigned n;
	size_t n_bytes; /* of all kinds, names and values, in the order of the array: what is compared and hashed */
	const char *bytes;
	struct param at[];
};

struct params_book {
	struct lock lock;
	struct table sets; /* guarded by lock */
	struct params *empty;
};

static const char *const fixed_names[] = {"server_version",        "server_encoding",   "is_superuser",
                                          "session_authorization", "integer_datetimes", "in_hot_standby"};

bool params_is_fixed(const char *name)
{
	for (size_t i = 0; i < sizeof(fixed_names) / sizeof(fixed_names[0]); i++)
		if (strcasecmp(name, fixed_names[i]) == 0)
			return true;
	return false;
}

/* ---- building and interning ---- */

static size_t bytes_of(const struct param *list, unsigned n)
{
	size_t bytes = 0;

	for (unsigned i = 0; i < n; i++)
		bytes += strlen(list[i].name) + strlen(list[i].value) + MORE_BYTES;
	return bytes;
}

static const char *append(char **at, const char *text)
{
	const char *start = *at;
	size_t len = strlen(text) + 1;

	memcpy(*at, text, len);
	*at += len;
	return start;
}

static struct params *build(struct params_book *b, const struct param *list, unsigned n)
{
	size_t bytes = bytes_of(list, n);
	struct params *p;
	char *at;

	if (n > MOST_PARAMS || bytes > MOST_BYTES)
		return NULL;
	p = (struct params *)mem_alloc(sizeof(struct params) + n * sizeof(struct param) + bytes);
	if (p == NULL)
		return NULL;
	atomic_init(&p->refs, 1);
	p->book = b;
	p->n = n;
	p->n_bytes = bytes;
	p->bytes = at = (char *)&p->at[n];
	for (unsigned i = 0; i < n; i++) {
		p->at[i].kind = list[i].kind;
		*at++ = (char)list[i].kind;
		p->at[i].name = append(&at, list[i].name);
		p->at[i].value = append(&at, list[i].value);
	}
	return p;
}

/* A set whose last reference is just being dropped is as good as gone. */
static bool ref_unless_gone(struct params *p)
{
	unsigned refs = atomic_load(&p->refs);

	while (refs != 0)
		if (atomic_compare_exchange_weak(&p->refs, &refs, refs + 1))
			return true;
	return false;
}

static bool same_set(const struct table_node *node, const void *key)
{
	const struct params *p = container_of_const(node, struct params, node);
	const struct params *k = (const struct params *)key;

	return p->n_bytes == k->n_bytes && memcmp(p->bytes, k->bytes, p->n_bytes) == 0 && atomic_load(&p->refs) != 0;
}

/* The one set with this content; `fresh` is used or freed. */
static struct params *intern(struct params *fresh)
{
	struct params_book *b = fresh->book;
	uint32_t hash = table_hash(&b->sets, fresh->bytes, fresh->n_bytes);
	struct table_node *node;
	struct params *found = NULL;

	lock_take(&b->lock);
	node = table_find(&b->sets, hash, same_set, fresh);
	if (node != NULL && ref_unless_gone(container_of(node, struct params, node)))
		found = container_of(node, struct params, node);
	else
		table_add(&b->sets, &fresh->node, hash);
	lock_drop(&b->lock);
	if (found == NULL)
		return fresh;
	mem_free(fresh);
	return found;
}

struct params_book *params_book_new(uint32_t seed)
{
	struct params_book *b = mem_new(struct params_book);
	struct params *empty;

	if (b == NULL)
		return NULL;
	lock_init(&b->lock);
	table_init(&b->sets, seed);
	empty = build(b, NULL, 0);
	if (empty == NULL) {
		mem_free(b);
		return NULL;
	}
	b->empty = intern(empty);
	return b;
}

void params_book_free(struct params_book *b)
{
	if (b == NULL)
		return;
	params_unref(b->empty);
	table_fini(&b->sets);
	lock_fini(&b->lock);
	mem_free(b);
}

struct params *params_empty(struct params_book *b)
{
	return params_ref(b->empty);
}

struct params *params_ref(struct params *p)
{
	atomic_fetch_add_explicit(&p->refs, 1, memory_order_relaxed);
	return p;
}

void params_unref(struct params *p)
{
	if (p == NULL || atomic_fetch_sub_explicit(&p->refs, 1, memory_order_acq_rel) != 1)
		return;
	lock_take(&p->book->lock);
	table_remove(&p->book->sets, &p->node);
	lock_drop(&p->book->lock);
	mem_free(p);
}

/* ---- changing ---- */

/* The set with this content; takes the reference to `p`, unless it returns NULL. */
static struct params *replaced(struct params *p, const struct param *list, unsigned n)
{
	struct params *fresh = build(p->book, list, n);

	if (fresh == NULL)
		return NULL;
	fresh = intern(fresh);
	params_unref(p);
	return fresh;
}

/* Where `name` is, or where it belongs; `*found` says which. */
static unsigned position_of(const struct params *p, const char *name, bool *found)
{
	unsigned i;

	for (i = 0; i < p->n; i++) {
		int order = strcasecmp(p->at[i].name, name);

		*found = order == 0;
		if (order >= 0)
			return i;
	}
	*found = false;
	return i;
}

static struct params *with_param(struct params *p, const char *name, const char *value, enum param_kind kind)
{
	struct param list[MOST_PARAMS + 1];
	bool found;
	unsigned at = position_of(p, name, &found), n = 0;

	if (found && strcmp(p->at[at].value, value) == 0 && p->at[at].kind == kind)
		return p;
	for (unsigned i = 0; i < p->n; i++) {
		if (i == at && !found)
			list[n++] = (struct param){name, value, kind};
		list[n++] = p->at[i];
	}
	if (found) {
		list[at].value = value;
		list[at].kind = kind;
	} else if (at == p->n) {
		list[n++] = (struct param){name, value, kind};
	}
	return replaced(p, list, n);
}

struct params *params_with(struct params *p, const char *name, const char *value)
{
	return with_param(p, name, value, PARAM_REPORTED);
}

bool params_have_room(const struct params *p, const char *name, const char *value)
{
	return p->n < MOST_PARAMS && p->n_bytes + strlen(name) + strlen(value) + MORE_BYTES <= MOST_BYTES;
}

struct params *params_fitted(struct params *base, const struct params *own)
{
	struct params *fitted = params_ref(base);

	for (unsigned i = 0; i < own->n; i++) {
		struct params *next;

		next = with_param(fitted, own->at[i].name, own->at[i].value,
		                  params_value(base, own->at[i].name) == NULL ? PARAM_WISHED : PARAM_REPORTED);
		if (next == NULL) {
			params_unref(fitted);
			return NULL;
		}
		fitted = next;
	}
	return fitted;
}

static const struct param *find(const struct params *p, const char *name)
{
	bool found;
	unsigned at = position_of(p, name, &found);

	return found ? &p->at[at] : NULL;
}

struct params *params_after_sets(struct params *have, const struct params *want)
{
	struct param list[2 * MOST_PARAMS];
	unsigned n = 0, i = 0, j = 0;

	while (i < have->n || j < want->n) {
		int order = i == have->n ? 1 : j == want->n ? -1 : strcasecmp(have->at[i].name, want->at[j].name);
		const struct param *old = order <= 0 ? &have->at[i++] : NULL, *new = order >= 0 ? &want->at[j++] : NULL;

		if (old != NULL && old->kind == PARAM_REPORTED)
			list[n++] = *old;
		else if (new != NULL &&new->kind == PARAM_WISHED)
			list[n++] = *new;
	}
	return replaced(have, list, n);
}

struct params *params_unsure(struct params *have)
{
	struct param list[MOST_PARAMS];
	bool any = false;

	for (unsigned i = 0; i < have->n; i++) {
		list[i] = have->at[i];
		if (list[i].kind != PARAM_WISHED)
			continue;
		list[i].kind = PARAM_UNSURE;
		any = true;
	}
	return any ? replaced(have, list, have->n) : have;
}

struct params *params_with_unsure(struct params *p, const char *name)
{
	return find(p, name) != NULL ? params_unsure(p) : with_param(p, name, "", PARAM_UNSURE);
}

bool params_is_reported(const struct params *p, const char *name)
{
	const struct param *found = find(p, name);

	return found != NULL && found->kind == PARAM_REPORTED;
}

const char *params_value(const struct params *p, const char *name)
{
	const struct param *found = find(p, name);

	return found == NULL ? NULL : found->value;
}

bool params_at(const struct params *p, unsigned i, const char **name, const char **value)
{
	if (i >= p->n)
		return false;
	*name = p->at[i].name;
	*value = p->at[i].value;
	return true;
}

/* ---- SQL ---- */

/*
 * As a string constant. Backslashes are ordinary with standard_conforming_strings (doubling one could tear a character
 * of BIG5 or SJIS apart, whose second byte may be a backslash); without it they need the E'' form.
 */
static void add_literal(struct str *sql, const char *value, bool conforming)
{
	bool escape = !conforming && strchr(value, '\\') != NULL;

	str_add_str(sql, escape ? " E'" : "'");
	for (; *value != '\0'; value++) {
		if (*value == '\'' || (escape && *value == '\\'))
			str_add_char(sql, *value);
		str_add_char(sql, *value);
	}
	str_add_char(sql, '\'');
}

static void add_set(struct str *sql, const struct param *param, bool conforming)
{
	/* a list of names cannot be given to SET as one constant */
	if (strcasecmp(param->name, "search_path") == 0) {
		str_add_str(sql, "SELECT pg_catalog.set_config('search_path',");
		add_literal(sql, param->value, conforming);
		str_add_str(sql, ",false);");
		return;
	}
	str_add_str(sql, "SET ");
	str_add_str(sql, param->name);
	str_add_char(sql, '=');
	add_literal(sql, param->value, conforming);
	str_add_char(sql, ';');
}

/* `now` is NULL for what the server has not reported: not every server knows what another one reports. */
static bool needs_set(const struct param *now, const struct param *want)
{
	if (now == NULL)
		return want->kind == PARAM_WISHED;
	return now->kind == PARAM_UNSURE || strcmp(now->value, want->value) != 0;
}

unsigned params_write_sets(const struct params *want, const struct params *have, struct str *sql)
{
	const char *strings = params_value(have, "standard_conforming_strings");
	bool conforming = strings != NULL && strcmp(strings, "on") == 0;
	unsigned n = 0;

	for (unsigned i = 0; i < want->n; i++) {
		if (!needs_set(find(have, want->at[i].name), &want->at[i]))
			continue;
		add_set(sql, &want->at[i], conforming);
		n++;
	}
	for (unsigned i = 0; i < have->n; i++) {
		if (have->at[i].kind == PARAM_REPORTED || find(want, have->at[i].name) != NULL)
			continue;
		str_printf(sql, "RESET %s;", have->at[i].name);
		n++;
	}
	return n;
}

/* ---- welcome ---- */

static void welcome_free(struct shared *s)
{
	struct welcome *w = container_of(s, struct welcome, shared);

	params_unref(w->params);
	mem_free(w->names_values);
	mem_free(w);
}

struct welcome *welcome_new(struct params *params, const char *names_values, size_t len)
{
	struct welcome *w = mem_new(struct welcome);

	if (w == NULL)
		return NULL;
	w->names_values = mem_copy(names_values, len); /* its NUL is the empty name at the end */
	if (w->names_values == NULL) {
		mem_free(w);
		return NULL;
	}
	shared_init(&w->shared, welcome_free);
	w->params = params_ref(params);
	return w;
}
