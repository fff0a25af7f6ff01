/* Lists and tables of the entries of one configuration. Any thread; built by one. */
#include "conf/entries.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "conf/entry.h"

#define MAX_NOTICE 2047 /* bytes; what a log line holds */

/* Names come from the operator, not from clients: the seed need not be secret. */
#define TABLE_SEED 1

struct conf_entries *entries_new(void)
{
	struct conf_entries *e = mem_new(struct conf_entries);

	if (e == NULL)
		return NULL;
	atomic_init(&e->refs, 1);
	table_init(&e->database_by_name, TABLE_SEED);
	table_init(&e->user_by_name, TABLE_SEED);
	table_init(&e->login_by_name, TABLE_SEED);
	return e;
}

struct conf_entries *entries_ref(struct conf_entries *e)
{
	atomic_fetch_add_explicit(&e->refs, 1, memory_order_relaxed);
	return e;
}

void entries_unref(struct conf_entries *e)
{
	if (e == NULL || atomic_fetch_sub_explicit(&e->refs, 1, memory_order_acq_rel) > 1)
		return;
	for (unsigned i = 0; i < e->databases.n; i++)
		conf_database_free((struct conf_database *)e->databases.at[i]);
	for (unsigned i = 0; i < e->users.n; i++)
		conf_user_free((struct conf_user *)e->users.at[i]);
	for (unsigned i = 0; i < e->peers.n; i++)
		conf_peer_free((struct conf_peer *)e->peers.at[i]);
	for (unsigned i = 0; i < e->logins.n; i++)
		conf_login_free((struct conf_login *)e->logins.at[i]);
	mem_free(e->databases.at);
	mem_free(e->users.at);
	mem_free(e->peers.at);
	mem_free(e->logins.at);
	table_fini(&e->database_by_name);
	table_fini(&e->user_by_name);
	table_fini(&e->login_by_name);
	mem_free(e);
}

/* Puts `entry` where `old` is, or at the end; false when out of memory. */
static bool list_put(struct entry_list *list, const void *old, void *entry)
{
	for (unsigned i = 0; old != NULL && i < list->n; i++) {
		if (list->at[i] == old) {
			list->at[i] = entry;
			return true;
		}
	}
	if (list->n == list->capacity) {
		unsigned capacity = list->capacity == 0 ? 16 : list->capacity * 2;
		void **at = (void **)mem_resize(list->at, capacity * sizeof(void *));

		if (at == NULL)
			return false;
		list->at = at;
		list->capacity = capacity;
	}
	list->at[list->n++] = entry;
	return true;
}

/* The entry that a node is in. */
static const void *holder(const struct table_node *node, size_t offset)
{
	return (const char *)node - offset;
}

static bool same_database(const struct table_node *node, const void *name)
{
	const struct conf_database *d =
	    (const struct conf_database *)holder(node, offsetof(struct conf_database, node));

	return strcmp(d->name, (const char *)name) == 0;
}

static bool same_user(const struct table_node *node, const void *name)
{
	const struct conf_user *u = (const struct conf_user *)holder(node, offsetof(struct conf_user, node));

	return strcmp(u->name, (const char *)name) == 0;
}

static bool same_login(const struct table_node *node, const void *name)
{
	const struct conf_login *l = (const struct conf_login *)holder(node, offsetof(struct conf_login, node));

	return strcmp(l->name, (const char *)name) == 0;
}

static struct table_node *find(const struct table *t, const char *name, table_same *same)
{
	return table_find(t, table_hash(t, name, strlen(name)), same, name);
}

struct conf_database *entries_find_database(const struct conf_entries *e, const char *name)
{
	struct table_node *node = find(&e->database_by_name, name, same_database);

	return node == NULL ? NULL : container_of(node, struct conf_database, node);
}

struct conf_user *entries_find_user(const struct conf_entries *e, const char *name)
{
	struct table_node *node = find(&e->user_by_name, name, same_user);

	return node == NULL ? NULL : container_of(node, struct conf_user, node);
}

struct conf_login *entries_find_login(const struct conf_entries *e, const char *name)
{
	struct table_node *node = find(&e->login_by_name, name, same_login);

	return node == NULL ? NULL : container_of(node, struct conf_login, node);
}

static void put_node(struct table *t, struct table_node *old, struct table_node *node, const char *name)
{
	if (old != NULL)
		table_remove(t, old);
	table_add(t, node, table_hash(t, name, strlen(name)));
}

bool entries_add_database(struct conf_entries *e, struct conf_database *d)
{
	struct conf_database *old = entries_find_database(e, d->name);

	if (!list_put(&e->databases, old, d)) {
		conf_database_free(d);
		return false;
	}
	put_node(&e->database_by_name, old == NULL ? NULL : &old->node, &d->node, d->name);
	conf_database_free(old);
	return true;
}

bool entries_add_user(struct conf_entries *e, struct conf_user *u)
{
	struct conf_user *old = entries_find_user(e, u->name);

	if (!list_put(&e->users, old, u)) {
		conf_user_free(u);
		return false;
	}
	put_node(&e->user_by_name, old == NULL ? NULL : &old->node, &u->node, u->name);
	conf_user_free(old);
	return true;
}

bool entries_add_peer(struct conf_entries *e, struct conf_peer *p)
{
	struct conf_peer *old = NULL;

	for (unsigned i = 0; i < e->peers.n; i++)
		if (((struct conf_peer *)e->peers.at[i])->id == p->id)
			old = (struct conf_peer *)e->peers.at[i];
	if (!list_put(&e->peers, old, p)) {
		conf_peer_free(p);
		return false;
	}
	conf_peer_free(old);
	return true;
}

bool entries_add_login(struct conf_entries *e, struct conf_login *l)
{
	struct conf_login *old = entries_find_login(e, l->name);

	if (!list_put(&e->logins, old, l)) {
		conf_login_free(l);
		return false;
	}
	put_node(&e->login_by_name, old == NULL ? NULL : &old->node, &l->node, l->name);
	conf_login_free(old);
	return true;
}

bool texts_add(struct conf_texts *t, const char *fmt, ...)
{
	char **grown = (char **)mem_resize(t->text, (t->n + 1) * sizeof(char *));
	struct str line;
	va_list args;

	if (grown == NULL)
		return false;
	t->text = grown;
	str_init(&line, MAX_NOTICE);
	va_start(args, fmt);
	str_vprintf(&line, fmt, args);
	va_end(args);
	t->text[t->n] = str_take(&line);
	if (t->text[t->n] == NULL) {
		str_fini(&line);
		return false;
	}
	t->n++;
	return true;
}

void texts_fini(struct conf_texts *t)
{
	for (unsigned i = 0; i < t->n; i++)
		mem_free(t->text[i]);
	mem_free(t->text);
	t->text = NULL;
	t->n = 0;
}
