/* Loading HBA rules for a configuration. Main thread. */
#include "main/rules.h"

#include "auth/hba.h"

const struct conf_source rules_source = {conf_read_file, conf_list_directory, NULL};

static bool is_same(const struct config *a, const struct config *b)
{
	return setting_is_same(&a->settings, &b->settings, SETTING_auth_type) &&
	       setting_is_same(&a->settings, &b->settings, SETTING_auth_hba_file) &&
	       setting_is_same(&a->settings, &b->settings, SETTING_auth_ident_file);
}

/* Lines without options of their own need the common ones. */
static bool check_ldap(const struct config *c, struct conf_error *why)
{
	const struct hba_rule *r;

	for (unsigned i = 0; c->ldap == NULL && (r = hba_rule_at(hba_of(c->rules), i)) != NULL; i++) {
		if (r->method != HBA_LDAP || r->ldap != NULL)
			continue;
		(void)conf_fail(
		    why, r->file, r->line,
		    "broken hba file (%.1000s:%u): method ldap without options needs auth_ldap_options, which "
		    "is empty",
		    r->file, r->line);
		conf_hint(why, "Write the options at the end of the line, or set auth_ldap_options.");
		return false;
	}
	return true;
}

bool rules_prepare(struct config *fresh, const struct config *running, const struct conf_source *source,
                   struct conf_error *why)
{
	const struct settings *s = &fresh->settings;
	struct hba *rules;

	if (s->auth_type != AUTH_TYPE_HBA)
		return true;
	if (running != NULL && is_same(fresh, running)) {
		shared_ref(running->rules);
		fresh->rules = running->rules;
		return check_ldap(fresh, why);
	}
	if (s->auth_hba_file == NULL || s->auth_hba_file[0] == '\0') {
		(void)conf_fail(why, NULL, 0, "auth_type = hba needs auth_hba_file");
		conf_hint(why, "Set auth_hba_file to a file of rules such as "
		               "\"host all all 127.0.0.1/32 scram-sha-256\".");
		return false;
	}
	rules = hba_load(source, s->auth_hba_file, s->auth_ident_file, s->conffile, why);
	if (rules == NULL)
		return false;
	fresh->rules = hba_shared(rules);
	return check_ldap(fresh, why);
}
