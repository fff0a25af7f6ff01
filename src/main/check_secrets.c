/* Stored secrets against the way in which clients log in. Which of them a server takes, the logins show. Pure; main
 * thread. */
#include "main/check_offline.h"

/* Why nobody can log in as this user, NULL: somebody can. */
static const char *cannot_prove(enum auth_type type, enum secret_kind kind)
{
	switch (type) {
	case AUTH_TYPE_ANY:
	case AUTH_TYPE_TRUST:
	case AUTH_TYPE_CERT:
	case AUTH_TYPE_HBA: /* that depends on the rule */
		return NULL;
	case AUTH_TYPE_SCRAM:
		if (kind == SECRET_MD5)
			return "an MD5 hash is stored";
		break;
	case AUTH_TYPE_PLAIN:
	case AUTH_TYPE_MD5: /* clients with a SCRAM verifier are asked for SCRAM */
	case AUTH_TYPE_LDAP:
	case AUTH_TYPE_PAM:
		break;
	}
	return kind == SECRET_NONE ? "the stored secret is empty" : NULL;
}

static void look_at(struct findings *f, const struct config *c, const struct conf_login *l)
{
	const char *why = cannot_prove(c->settings.auth_type, l->kind);
	struct finding *n;

	if (why == NULL)
		return;
	n = findings_add(f, SEVERITY_WARNING, "secrets", "user \"%s\" cannot log in by %s: %s", l->name,
	                 auth_type_name(c->settings.auth_type), why);
	if (l->kind == SECRET_NONE)
		finding_remedy(n,
		               "Put a password or a SCRAM verifier (pg_authid.rolpassword) for \"%s\" into auth_file.",
		               l->name);
	else
		finding_remedy(
		    n,
		    "Put the plain password or a SCRAM verifier of \"%s\" into auth_file, or set auth_type = md5, "
		    "which takes all kinds of secrets.",
		    l->name);
}

/* Without any user nobody but the console's own account gets in. */
static void look_for_anybody(struct findings *f, const struct config *c)
{
	const char *file = c->settings.auth_file;
	struct finding *n;

	if (c->settings.auth_type == AUTH_TYPE_ANY || config_login(c, 0) != NULL || check_looks_up(c))
		return;
	/* cert, hba: who is in [users] may come without a password, too */
	if (cannot_prove(c->settings.auth_type, SECRET_NONE) == NULL && config_user(c, 0) != NULL)
		return;
	n = findings_add(f, SEVERITY_ERROR, "secrets", "no user can log in: %s",
	                 file == NULL || file[0] == '\0' ? "auth_file is not set" : "auth_file names none");
	finding_cause(n, "auth_type is %s.", auth_type_name(c->settings.auth_type));
	finding_remedy(n,
	               "Set auth_file to a file with a line \"user\" \"password\" for each user, the quotes included.");
}

void check_secrets(struct findings *f, const struct config *c)
{
	const struct conf_login *l;

	look_for_anybody(f, c);
	for (unsigned i = 0; (l = config_login(c, i)) != NULL; i++)
		look_at(f, c, l);
}
