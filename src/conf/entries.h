/* What a configuration has besides settings; private to conf/. */
#ifndef CONF_ENTRIES_H
#define CONF_ENTRIES_H

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attr.h"
#include "base/table.h"
#include "conf/config.h"

/* Pointers in the order of the file. */
struct entry_list {
	void **at;
	unsigned n;
	unsigned capacity;
};

/* Immutable once published. Counted: configurations that SET makes share it. */
struct conf_entries {
	atomic_uint refs;
	bool has_user_list; /* auth_file was there */
	struct entry_list databases, users, peers, logins;
	struct table database_by_name, user_by_name, login_by_name;
};

/* Empty, with one reference; NULL when out of memory. */
struct conf_entries *entries_new(void) MUST_USE;
struct conf_entries *entries_ref(struct conf_entries *e);
void entries_unref(struct conf_entries *e);

/*
 * Add an entry, which belongs to `e` afterwards, whatever the outcome. One of the same name before it is freed: the
 * last one counts. False when out of memory.
 */
bool entries_add_database(struct conf_entries *e, struct conf_database *d) MUST_USE;
bool entries_add_user(struct conf_entries *e, struct conf_user *u) MUST_USE;
bool entries_add_peer(struct conf_entries *e, struct conf_peer *p) MUST_USE;
bool entries_add_login(struct conf_entries *e, struct conf_login *l) MUST_USE;

/* The entry of this name, or NULL. */
struct conf_database *entries_find_database(const struct conf_entries *e, const char *name);
struct conf_user *entries_find_user(const struct conf_entries *e, const char *name);
struct conf_login *entries_find_login(const struct conf_entries *e, const char *name);

/* Adds a formatted text to a list; false when out of memory. */
bool texts_add(struct conf_texts *t, const char *fmt, ...) PRINTF(2, 3) MUST_USE;
void texts_fini(struct conf_texts *t);

/* Last: what follows from settings and belongs together. For a configuration that nobody else has seen yet. */
bool config_settle(struct config *c, struct conf_error *why) MUST_USE;

/* Default settings and these entries (taken, also on failure); one reference. NULL when out of memory. */
struct config *config_new(struct conf_entries *entries) MUST_USE;

#endif
