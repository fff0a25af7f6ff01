/* One configuration as a whole: its life, finding things in it, and the copies that SET makes. Any thread. */
#include "conf/config.h"

#include <string.h>
#include <strings.h>

#include "base/comma_list.h"
#include "base/mem.h"
#include "conf/entries.h"
#include "conf/scram_verifier.h"
#include "conf/tls.h"

struct config *config_new(struct conf_entries *entries)
{
	struct config *c = mem_new(struct config);

	if (c == NULL) {
		entries_unref(entries);
		return NULL;
	}
	atomic_init(&c->refs, 1);
	c->entries = entries;
	if (!settings_init(&c->settings)) {
		config_unref(c);
		return NULL;
	}
	return c;
}

/* A published configuration is const for everybody; its count is the one thing that changes. */
static struct config *as_counted(const struct config *c)
{
	return (struct config *)(uintptr_t)c;
}

struct config *config_ref(const struct config *c)
{
	struct config *counted = as_counted(c);

	atomic_fetch_add_explicit(&counted->refs, 1, memory_order_relaxed);
	return counted;
}

void conf_drop_tls(struct config *c)
{
	struct conf_tls_contexts *tls = &c->tls;

	shared_unref(tls->client);
	shared_unref(tls->server);
	for (unsigned i = 0; i < tls->n_databases; i++)
		shared_unref(tls->of_database[i]);
	mem_free(tls->of_database);
	memset(tls, 0, sizeof(*tls));
}

void config_unref(const struct config *c)
{
	struct config *counted = as_counted(c);

	if (counted == NULL || atomic_fetch_sub_explicit(&counted->refs, 1, memory_order_acq_rel) > 1)
		return;
	conf_drop_tls(counted);
	if (counted->ldap != NULL)
		shared_unref(&counted->ldap->shared);
	shared_unref(counted->rules);
	settings_fini(&counted->settings);
	entries_unref(counted->entries);
	texts_fini(&counted->notices);
	mem_free(counted);
}

/* A copy whose settings may still be changed; NULL when out of memory. */
static struct config *copy_of(const struct config *from)
{
	struct config *c = mem_new(struct config);

	if (c == NULL)
		return NULL;
	atomic_init(&c->refs, 1);
	c->entries = entries_ref(from->entries);
	c->is_file_made = from->is_file_made;
	c->is_user_list_made = from->is_user_list_made;
	c->is_http_optional = from->is_http_optional;
	if (!settings_copy(&c->settings, &from->settings)) {
		config_unref(c);
		return NULL;
	}
	return c;
}

/* After SET of `name`: says so if it has no effect now. False when out of memory. */
static bool settle_change(struct config *c, const struct config *from, const char *name)
{
	enum setting_id id = setting_find(name);

	if (id == N_SETTINGS)
		return texts_add(&c->notices, "parameter \"%s\" has no effect: the command it belonged to is gone",
		                 name);
	if (setting_is_changeable(id) || setting_is_same(&c->settings, &from->settings, id))
		return true;
	return setting_copy(&c->settings, &from->settings, id) &&
	       texts_add(&c->notices, "parameter \"%s\" cannot be changed without a restart", setting_name(id));
}

/* What PostgreSQL makes unless it is told otherwise. */
#define USUAL_ITERATIONS 4096u
#define USUAL_SALT_BYTES 16u

/* The majority's iterations and length of salt, if there is a majority: one vote each. */
static void vote(struct conf_mock *mock, const struct conf_login *login, uint32_t *lead)
{
	struct scram_verifier v;

	if (!scram_verifier_parse(&v, login->secret, login->secret_len))
		return;
	if (*lead == 0) {
		mock->iterations = v.salt.iterations;
		mock->salt_len = v.salt.len;
	}
	if (mock->iterations == v.salt.iterations && mock->salt_len == v.salt.len)
		++*lead;
	else
		--*lead;
}

static void settle_mock(struct config *c)
{
	const struct conf_login *login;
	uint32_t n = 0, n_scram = 0, lead = 0;

	c->mock = (struct conf_mock){.iterations = USUAL_ITERATIONS, .salt_len = USUAL_SALT_BYTES};
	for (unsigned i = 0; (login = config_login(c, i)) != NULL; i++) {
		n += login->kind != SECRET_NONE;
		n_scram += login->kind == SECRET_SCRAM;
		if (login->kind == SECRET_SCRAM)
			vote(&c->mock, login, &lead);
	}
	if (n > 0)
		c->mock.scram_share = (uint32_t)((uint64_t)UINT32_MAX * n_scram / n);
}

static bool is_empty(const char *text)
{
	return text == NULL || text[0] == '\0';
}

/* One without the other would leave open what was meant to be closed. */
static bool check_http_login(const struct config *c, struct conf_error *why)
{
	bool no_user = is_empty(c->settings.http_auth_user), no_password = is_empty(c->settings.http_auth_password);

	if (no_user == no_password)
		return true;
	(void)conf_fail(why, c->settings.conffile, 0, "%s is set, but %s is not",
	                no_user ? "http_auth_password" : "http_auth_user",
	                no_user ? "http_auth_user" : "http_auth_password");
	conf_hint(why, "Set both in the configuration file, or neither.");
	return false;
}

bool config_settle(struct config *c, struct conf_error *why)
{
	const char *options = c->settings.auth_ldap_options;

	settle_mock(c);
	if (!check_http_login(c, why))
		return false;
	if (options != NULL && options[0] != '\0') {
		c->ldap = ldap_options_parse(options, NULL, 0, why);
		return c->ldap != NULL;
	}
	if (c->settings.auth_type != AUTH_TYPE_LDAP)
		return true;
	(void)conf_fail(why, c->settings.conffile, 0, "auth_type = ldap needs auth_ldap_options, which is empty");
	conf_hint(why, "Set it to something like: ldapserver=ldap.example.net ldapprefix=\"uid=\" "
	               "ldapsuffix=\",ou=people,dc=example,dc=net\"");
	return false;
}

struct config *config_with_setting(const struct config *from, const char *name, const char *value,
                                   struct conf_error *why)
{
	struct config *c = copy_of(from);

	if (c == NULL) {
		(void)conf_fail_memory(why, NULL, 0);
		return NULL;
	}
	if (!setting_parse(&c->settings, name, value, NULL, 0, why)) {
		config_unref(c);
		return NULL;
	}
	if (!settle_change(c, from, name)) {
		(void)conf_fail_memory(why, NULL, 0);
		config_unref(c);
		return NULL;
	}
	if (!config_settle(c, why)) {
		config_unref(c);
		return NULL;
	}
	return c;
}

bool config_keep_restart_settings(struct config *fresh, const struct config *running)
{
	for (int i = 0; i < N_SETTINGS; i++) {
		enum setting_id id = (enum setting_id)i;

		if (setting_is_changeable(id) || setting_is_same(&fresh->settings, &running->settings, id))
			continue;
		if (!setting_copy(&fresh->settings, &running->settings, id) ||
		    !texts_add(&fresh->notices, "the new value of parameter \"%s\" needs a restart", setting_name(id)))
			return false;
	}
	return true;
}

const struct conf_database *config_find_database(const struct config *c, const char *name, bool *is_template)
{
	const struct conf_database *d = entries_find_database(c->entries, name);
	bool found = d != NULL && strcmp(name, "*") != 0;

	if (!found)
		d = entries_find_database(c->entries, "*");
	if (is_template != NULL)
		*is_template = !found && d != NULL;
	return d;
}

const struct conf_user *config_find_user(const struct config *c, const char *name)
{
	return entries_find_user(c->entries, name);
}

const struct conf_login *config_find_login(const struct config *c, const char *name)
{
	return entries_find_login(c->entries, name);
}

static const void *nth(const struct entry_list *list, unsigned i)
{
	return i < list->n ? list->at[i] : NULL;
}

const struct conf_database *config_database(const struct config *c, unsigned i)
{
	return (const struct conf_database *)nth(&c->entries->databases, i);
}

const struct conf_user *config_user(const struct config *c, unsigned i)
{
	return (const struct conf_user *)nth(&c->entries->users, i);
}

const struct conf_peer *config_peer(const struct config *c, unsigned i)
{
	return (const struct conf_peer *)nth(&c->entries->peers, i);
}

const struct conf_login *config_login(const struct config *c, unsigned i)
{
	return (const struct conf_login *)nth(&c->entries->logins, i);
}

static bool list_has(const char *list, const char *name, int (*order)(const char *, const char *, size_t))
{
	size_t name_len = strlen(name), len;
	const char *item;

	while (comma_list_next(&list, &item, &len))
		if (len == name_len && order(item, name, len) == 0)
			return true;
	return false;
}

bool conf_list_has(const char *list, const char *name)
{
	return list_has(list, name, strncmp);
}

bool conf_list_has_parameter(const char *list, const char *name)
{
	return list_has(list, name, strncasecmp);
}
