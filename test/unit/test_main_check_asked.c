/* Who is asked for passwords: PAM without a service file, LDAP servers that do not answer, each once. */
#include <stdio.h>
#include <unistd.h>

#include "check_bench.h"
#include "main/check_offline.h"
#include "main/rules.h"

/* port 1 of loopback: nothing listens below 1024 unless a service was installed for it */
#define NOBODY "ldapserver=127.0.0.1 ldapport=1 ldapprefix=uid="

static void check(const char *settings, const char *rules, unsigned n_warnings, const char *begins)
{
	char text[400];
	struct fake_file files[] = {{"pgweir.ini", text, 0}, {"h", rules, 0}, {NULL, NULL, 0}};
	struct conf_source source = {fake_read, fake_list, files};
	struct conf_error why;
	struct config *c;
	struct findings f;

	snprintf(text, sizeof(text), "[pgbouncer]\n%s", settings);
	c = configured(text, "");
	if (!rules_prepare(c, NULL, &source, &why))
		fail_msg("%s", why.text);
	findings_init(&f);
	check_asked(&f, c);
	assert_int_equal(f.n[SEVERITY_WARNING], n_warnings);
	assert_int_equal(f.n[SEVERITY_ERROR], 0);
	if (n_warnings > 0) {
		const struct finding *n = container_of(list_first(&f.list), struct finding, node);

		assert_memory_equal(str_text(&n->what), begins, strlen(begins));
		assert_true(n->cause.len > 0 && n->remedy.len > 0);
		assert_null(strstr(str_text(&n->what), "pencil"));
	}
	findings_fini(&f);
	config_unref(c);
}

#ifdef HAVE_LDAP
static void ldap_server_that_does_not_answer_is_named(void **state)
{
	(void)state;
	check("auth_type=ldap\nauth_ldap_options=" NOBODY "\n", "", 1, "auth_ldap_options: ");
	check("auth_type=md5\nauth_ldap_options=" NOBODY "\n", "", 0, NULL);
}

static void rules_that_ask_alike_are_tried_once(void **state)
{
	(void)state;
	check("auth_type=hba\nauth_hba_file=h\n",
	      "host a all all md5\nhost b all all ldap " NOBODY "\nhost c all all ldap " NOBODY "\n", 1, "line h:2: ");
	check("auth_type=hba\nauth_hba_file=h\n",
	      "host b all all ldap " NOBODY "\nhost c all all ldap ldapserver=127.0.0.1 ldapport=1 ldapbasedn=dc=x "
	      "ldapbinddn=cn=x ldapbindpasswd=pencil\n",
	      2, "line h:1: ");
}
#endif

#ifdef HAVE_PAM
static void pam_without_a_service_file_is_said(void **state)
{
	bool has_one = access("/etc/pam.d/pgbouncer", R_OK) == 0 || access("/usr/lib/pam.d/pgbouncer", R_OK) == 0 ||
	               access("/usr/etc/pam.d/pgbouncer", R_OK) == 0 || access("/etc/pam.d", F_OK) != 0;

	(void)state;
	check("auth_type=pam\n", "", has_one ? 0 : 1, "PAM has no service \"pgbouncer\"");
	check("auth_type=hba\nauth_hba_file=h\n", "host all all all pam\n", has_one ? 0 : 1, "PAM has no service");
}
#endif

static void who_asks_nobody_is_not_warned(void **state)
{
	(void)state;
	check("auth_type=md5\n", "", 0, NULL);
	check("auth_type=hba\nauth_hba_file=h\n", "host all all all md5\n", 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef HAVE_LDAP
	    cmocka_unit_test(ldap_server_that_does_not_answer_is_named),
	    cmocka_unit_test(rules_that_ask_alike_are_tried_once),
#endif
#ifdef HAVE_PAM
	    cmocka_unit_test(pam_without_a_service_file_is_said),
#endif
	    cmocka_unit_test(who_asks_nobody_is_not_warned),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
