/*
 * Threads ask an LDAP server, all for the first time at the same moment: what the library sets up for itself is there
 * before. Nobody listens, so each is told soon.
 */
#include "auth/ldap.h"
#include "stress.h"

#define THREADS 4
#define ROUNDS 20

static struct ldap_options *options;

static void *run(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < ROUNDS; i++) {
		struct ask *a = ask_new(ASK_LDAP, "somebody", "secret", 6, "[local]", options);

		must(a != NULL, "memory");
		ask_run(a);
		EXPECT(a->answer == ASK_NO_ANSWER);
		ask_free(a);
	}
	return NULL;
}

int main(void)
{
	pthread_t thread[THREADS];
	struct conf_error why = {0};

	options = ldap_options_parse("ldapserver=127.0.0.1 ldapport=1 ldapprefix=\"uid=\"", NULL, 0, &why);
	must(options != NULL, "options");
	ldap_prepare();
	for (unsigned i = 0; i < THREADS; i++)
		thread[i] = start_thread(run, NULL);
	for (unsigned i = 0; i < THREADS; i++)
		join_thread(thread[i]);
	shared_unref(&options->shared);
	return stress_result(THREADS * ROUNDS);
}
