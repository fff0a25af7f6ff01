/*
 * Digests fetched once, and the process's key for mock logins. Immutable once
 * published: made by main at start, shared read-only by all threads. Nothing in
 * auth/ reads a clock or draws random numbers: they are handed in.
 */
#ifndef AUTH_CONTEXT_H
#define AUTH_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"
#include "conf/scram_verifier.h"

#define MD5_HEX_BYTES 32u
#define MOCK_KEY_BYTES 32u

struct auth_context;

/* `mock_key` is random and stays the same as long as the process lives (over reloads too): the salts that users who do
   not exist are shown come from it. NULL: out of memory, or OpenSSL has no SHA-256. */
struct auth_context *auth_context_new(const uint8_t mock_key[MOCK_KEY_BYTES]) MUST_USE;
void auth_context_free(struct auth_context *ctx);

/* False: out of memory. */
bool auth_sha256(const struct auth_context *ctx, const void *data, size_t len, uint8_t out[SHA256_BYTES]) MUST_USE;
bool auth_hmac(const struct auth_context *ctx, const uint8_t key[SHA256_BYTES], const void *data, size_t len,
               uint8_t out[SHA256_BYTES]) MUST_USE;

/* PBKDF2 with HMAC-SHA-256, one block. Slow (4096 iterations: milliseconds): for helper threads. */
bool auth_pbkdf2(const struct auth_context *ctx, const void *password, size_t len, const void *salt, size_t salt_len,
                 uint32_t iterations, uint8_t out[SHA256_BYTES]) MUST_USE;

/* Lower-case hex of the MD5 of two pieces one behind the other, NUL-terminated. False: out of memory, or this OpenSSL
   refuses MD5 (FIPS). */
bool auth_md5_hex(const struct auth_context *ctx, const void *a, size_t a_len, const void *b, size_t b_len,
                  char out[MD5_HEX_BYTES + 1]) MUST_USE;

/* HMAC of a label and a user name under the mock key: always the same for the same user in this process. */
bool auth_mock_bytes(const struct auth_context *ctx, const char *label, const char *user,
                     uint8_t out[SHA256_BYTES]) MUST_USE;

/* Equal? Takes as long wherever they differ. */
bool auth_same(const void *a, const void *b, size_t len);

#endif
