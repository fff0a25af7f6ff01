/* Tests of src/os/win32/roots.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "os/roots.h"

/* Every Windows has some; the library need not know all forms. */
static void authorities_are_in_the_systems_store(void **state)
{
	int n = 0, good = 0;
	struct str pem;
	BIO *in;

	(void)state;
	str_init(&pem, 4u << 20);
	assert_int_equal(system_roots_read(&pem), SYSTEM_ROOTS_READ);
	for (const char *at = str_text(&pem); (at = strstr(at, "-----BEGIN CERTIFICATE-----\n")) != NULL; at++)
		n++;
	assert_true(n > 0);
	in = BIO_new_mem_buf(str_text(&pem), (int)pem.len);
	assert_non_null(in);
	for (int i = 0; i < n; i++) {
		X509 *cert = PEM_read_bio_X509(in, NULL, NULL, NULL);

		good += cert != NULL;
		X509_free(cert);
	}
	ERR_clear_error();
	assert_true(good > n / 2);
	BIO_free(in);
	str_fini(&pem);
}

static void a_store_that_does_not_fit_is_a_failure(void **state)
{
	struct str pem;

	(void)state;
	str_init(&pem, 100);
	assert_int_equal(system_roots_read(&pem), SYSTEM_ROOTS_FAILED);
	str_fini(&pem);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(authorities_are_in_the_systems_store),
	                                   cmocka_unit_test(a_store_that_does_not_fit_is_a_failure)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
