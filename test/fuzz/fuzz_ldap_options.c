/* Option strings for LDAP, and the names of users in what is made of them. fuzz runs: 200000 */
#include "auth/ldap.h"
#include "fuzz.h"

/* A name in a filter must not close or open anything. */
static void hold_escaped(const char *user)
{
	struct str out;

	str_init(&out, 1 << 20);
	ldap_escape_filter(user, &out);
	HOLDS(strpbrk(str_text(&out), "*()") == NULL);
	str_clear(&out);
	ldap_escape_dn(user, &out);
	HOLDS(strpbrk(str_text(&out), ",+\"<>;=") == NULL);
	str_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_copy(data, size, 1);
	struct ldap_options *o;
	struct conf_error why;
	struct str out;

	text[size] = '\0';
	memset(&why, 0, sizeof(why));
	str_init(&out, 1 << 20);
	ldap_options_show(text, &out);
	str_clear(&out);
	hold_escaped(text);
	o = ldap_options_parse(text, "a.ini", 1, &why);
	if (o == NULL) {
		HOLDS(why.text[0] != '\0');
	} else {
		HOLDS(o->servers[0] != '\0');
		ldap_uris(o, &out);
		ldap_search_filter(o, "ann", &out);
		(void)!ldap_simple_name(o, "ann", &out);
		shared_unref(&o->shared);
	}
	str_fini(&out);
	free(text);
	return 0;
}
