/* Tests of src/net/tls_system.c: where systems keep certificates in files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <openssl/ssl.h>
#include <sys/stat.h>

#include "../tls_bench.h"
#include "net/tls_private.h"

static char bundle[140];

static int set_up(void **state)
{
	(void)state;
	if (!tls_make_folder())
		return -1;
	snprintf(bundle, sizeof(bundle), "%s/bundle", tls_folder);
	return setenv("SSL_CERT_FILE", bundle, 1) == 0 && setenv("SSL_CERT_DIR", "/nonexistent", 1) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	unlink(bundle);
	tls_remove_folder();
	return 0;
}

/* What comes of it, and how many are known at once. */
static enum tls_system_trusted trusted(int *n)
{
	SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());
	enum tls_system_trusted result;
	bool in_directories = false;
	struct str pem;

	str_init(&pem, 1u << 20);
	assert_true(tls_system_read(&pem, &in_directories));
	assert_true(in_directories);
	result = tls_system_trust(ssl, &pem, in_directories);
	*n = sk_X509_OBJECT_num(X509_STORE_get0_objects(SSL_CTX_get_cert_store(ssl)));
	SSL_CTX_free(ssl);
	str_fini(&pem);
	return result;
}

/* Each 'c' is the certificate, anything else is written as it is. */
static void write_bundle(const char *parts)
{
	FILE *out = fopen(bundle, "w");

	assert_non_null(out);
	for (; *parts != '\0'; parts++) {
		FILE *in = *parts == 'c' ? fopen(tls_cert, "r") : NULL;
		int c;

		if (in == NULL)
			fputc(*parts, out);
		while (in != NULL && (c = fgetc(in)) != EOF)
			fputc(c, out);
		if (in != NULL)
			fclose(in);
	}
	assert_int_equal(fclose(out), 0);
}

static void what_is_no_certificate_is_passed_over(void **state)
{
	static const char broken[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
	static const char *const good[] = {"c", "# x\nc\n# y",
	                                   "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\nc",
	                                   "c-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n", "cc"};
	static const char *const empty[] = {"", "\n", "# nothing\n", broken, "-----BEGIN CERTIFICATE-----\n"};
	int n;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		write_bundle(good[i]);
		assert_int_equal(trusted(&n), TLS_SYSTEM_TRUSTED);
		assert_int_equal(n, 1);
	}
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		write_bundle(empty[i]);
		assert_int_equal(trusted(&n), TLS_SYSTEM_EMPTY);
		assert_int_equal(n, 0);
	}
}

static void a_directory_will_do(void **state)
{
	char directories[200], link[200];
	int n;

	(void)state;
	snprintf(directories, sizeof(directories), "/nonexistent::%s", tls_folder);
	assert_int_equal(setenv("SSL_CERT_DIR", directories, 1), 0);
	assert_int_equal(trusted(&n), TLS_SYSTEM_EMPTY);
	snprintf(link, sizeof(link), "%s/0badcafe.0", tls_folder);
	assert_int_equal(symlink(tls_cert, link), 0);
	assert_int_equal(trusted(&n), TLS_SYSTEM_TRUSTED);
	assert_int_equal(unlink(link), 0);
}

static void a_file_that_cannot_be_read_is_a_failure(void **state)
{
	bool in_directories;
	struct str pem;

	(void)state;
	str_init(&pem, 1u << 20);
	assert_int_equal(mkdir(bundle, 0700), 0);
	assert_false(tls_system_read(&pem, &in_directories));
	assert_int_equal(errno, EISDIR);
	assert_int_equal(rmdir(bundle), 0);
	str_fini(&pem);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(what_is_no_certificate_is_passed_over),
	    TEST(a_directory_will_do),
	    TEST(a_file_that_cannot_be_read_is_a_failure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
