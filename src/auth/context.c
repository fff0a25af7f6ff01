/* Digests, HMAC and key derivation over OpenSSL, fetched once. Any thread: the context is never changed. */
#include "auth/context.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/mem.h"

#define SHA256_BLOCK_BYTES 64u

struct auth_context {
	EVP_MD *sha256;
	EVP_MD *md5; /* NULL where OpenSSL refuses it (FIPS) */
	uint8_t mock_key[MOCK_KEY_BYTES];
};

struct auth_context *auth_context_new(const uint8_t mock_key[MOCK_KEY_BYTES])
{
	struct auth_context *ctx = mem_new(struct auth_context);

	if (ctx == NULL)
		return NULL;
	memcpy(ctx->mock_key, mock_key, MOCK_KEY_BYTES);
	ctx->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	ctx->md5 = EVP_MD_fetch(NULL, "MD5", NULL);
	if (ctx->sha256 == NULL) {
		auth_context_free(ctx);
		return NULL;
	}
	return ctx;
}

void auth_context_free(struct auth_context *ctx)
{
	if (ctx == NULL)
		return;
	EVP_MD_free(ctx->sha256);
	EVP_MD_free(ctx->md5);
	mem_wipe(ctx, sizeof(*ctx));
	mem_free(ctx);
}

struct piece {
	const void *data;
	size_t len;
};

/* The digest of two pieces one behind the other. */
static bool digest(EVP_MD_CTX *md, const EVP_MD *type, struct piece a, struct piece b, uint8_t *out)
{
	return EVP_DigestInit_ex2(md, type, NULL) == 1 && EVP_DigestUpdate(md, a.data, a.len) == 1 &&
	       EVP_DigestUpdate(md, b.data, b.len) == 1 && EVP_DigestFinal_ex(md, out, NULL) == 1;
}

bool auth_sha256(const struct auth_context *ctx, const void *data, size_t len, uint8_t out[SHA256_BYTES])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok;

	if (md == NULL)
		return false;
	ok = digest(md, ctx->sha256, (struct piece){data, len}, (struct piece){"", 0}, out);
	EVP_MD_CTX_free(md);
	return ok;
}

/* RFC 2104 by hand: OpenSSL's EVP_MAC looks its digest up by name at each use, which costs more than the digest. */
bool auth_hmac(const struct auth_context *ctx, const uint8_t key[SHA256_BYTES], const void *data, size_t len,
               uint8_t out[SHA256_BYTES])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	uint8_t inner_pad[SHA256_BLOCK_BYTES], outer_pad[SHA256_BLOCK_BYTES], inner[SHA256_BYTES];
	bool ok;

	if (md == NULL)
		return false;
	memset(inner_pad, 0x36, sizeof(inner_pad));
	memset(outer_pad, 0x5c, sizeof(outer_pad));
	for (size_t i = 0; i < SHA256_BYTES; i++) {
		inner_pad[i] ^= key[i];
		outer_pad[i] ^= key[i];
	}
	ok = digest(md, ctx->sha256, (struct piece){inner_pad, sizeof(inner_pad)}, (struct piece){data, len}, inner) &&
	     digest(md, ctx->sha256, (struct piece){outer_pad, sizeof(outer_pad)}, (struct piece){inner, sizeof(inner)},
	            out);
	OPENSSL_cleanse(inner_pad, sizeof(inner_pad));
	OPENSSL_cleanse(outer_pad, sizeof(outer_pad));
	EVP_MD_CTX_free(md);
	return ok;
}

bool auth_pbkdf2(const struct auth_context *ctx, const void *password, size_t len, const void *salt, size_t salt_len,
                 uint32_t iterations, uint8_t out[SHA256_BYTES])
{
	if (len > INT_MAX || salt_len > INT_MAX || iterations > INT_MAX)
		return false;
	return PKCS5_PBKDF2_HMAC((const char *)password, (int)len, (const unsigned char *)salt, (int)salt_len,
	                         (int)iterations, ctx->sha256, SHA256_BYTES, out) == 1;
}

bool auth_md5_hex(const struct auth_context *ctx, const void *a, size_t a_len, const void *b, size_t b_len,
                  char out[MD5_HEX_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t sum[MD5_HEX_BYTES / 2];
	EVP_MD_CTX *md;
	bool ok;

	if (ctx->md5 == NULL)
		return false;
	md = EVP_MD_CTX_new();
	if (md == NULL)
		return false;
	ok = digest(md, ctx->md5, (struct piece){a, a_len}, (struct piece){b, b_len}, sum);
	EVP_MD_CTX_free(md);
	if (!ok)
		return false;
	for (size_t i = 0; i < sizeof(sum); i++) {
		out[2 * i] = digits[sum[i] >> 4];
		out[2 * i + 1] = digits[sum[i] & 15];
	}
	out[MD5_HEX_BYTES] = '\0';
	OPENSSL_cleanse(sum, sizeof(sum));
	return true;
}

bool auth_mock_bytes(const struct auth_context *ctx, const char *label, const char *user, uint8_t out[SHA256_BYTES])
{
	uint8_t key[SHA256_BYTES];

	return auth_hmac(ctx, ctx->mock_key, label, strlen(label), key) && auth_hmac(ctx, key, user, strlen(user), out);
}

bool auth_same(const void *a, const void *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
