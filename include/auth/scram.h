/*
 * SCRAM-SHA-256 (RFC 5802, RFC 7677), both sides, as steps over bytes. Messages
 * are taken apart strictly and compared in constant time. Deriving keys from a
 * password is slow and a step of its own: an order that any thread can carry out.
 *
 * Owned by one thread each.
 */
#ifndef AUTH_SCRAM_H
#define AUTH_SCRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/context.h"
#include "base/attr.h"
#include "base/str.h"
#include "conf/scram_verifier.h"

#define SCRAM_MECHANISM "SCRAM-SHA-256"
#define SCRAM_MECHANISM_PLUS "SCRAM-SHA-256-PLUS" /* with channel binding */
#define SCRAM_BINDING_NAME "tls-server-end-point"
#define SCRAM_MAX_BINDING_BYTES 64u
#define SCRAM_NONCE_BYTES 18u          /* random bytes; 24 characters on the wire */
#define SCRAM_SALT_BYTES 16u           /* of salts made here */
#define SCRAM_MAX_ITERATIONS 1000000u  /* a server that asks for more is refused */
#define SCRAM_MAX_MESSAGE_BYTES 65536u /* of the text kept for the proof; longer logins fail */

bool scram_salt_same(const struct scram_salt *a, const struct scram_salt *b);

/* Enough to log in somewhere: secret. From a password, or from a client's own login (pass-through). */
struct scram_keys {
	struct scram_salt salt;
	uint8_t client_key[SHA256_BYTES];
	uint8_t server_key[SHA256_BYTES];
};

/* The text that scram_verifier_parse reads, appended. */
void scram_verifier_write(const struct scram_verifier *v, struct str *out);

/* StoredKey is the hash of ClientKey. False: out of memory. */
bool scram_verifier_from_keys(const struct auth_context *ctx, const struct scram_keys *keys,
                              struct scram_verifier *v) MUST_USE;

/* The pure derivation, SASLprep included: milliseconds. False: out of memory. */
bool scram_derive(const struct auth_context *ctx, const char *password, size_t len, const struct scram_salt *salt,
                  struct scram_keys *keys) MUST_USE;

/* ---- An order: what to derive, and the result. Owned by whoever holds the pointer. ---- */

struct scram_order {
	char *password;
	size_t password_len;
	struct scram_salt salt;
	struct scram_keys keys; /* the result */
	bool done;              /* false after scram_order_run: out of memory */
};

struct scram_order *scram_order_new(const char *password, size_t len, const struct scram_salt *salt) MUST_USE;

/* Any thread; touches nothing but the order. */
void scram_order_run(const struct auth_context *ctx, struct scram_order *order);

/* Wipes and frees; NULL is fine. */
void scram_order_free(struct scram_order *order);

/* ---- The steps ---- */

enum scram_result {
	SCRAM_GOOD,
	SCRAM_MALFORMED, /* not SCRAM; `why` of the state says which field */
	SCRAM_WRONG,     /* the proof or signature does not match */
	SCRAM_NO_MEMORY
};

/* The side that lets in. Zeroed by scram_server_init. */
struct scram_server {
	struct str auth_message; /* client-first-bare, server-first, client-final-without-proof */
	struct str nonce;        /* both halves */
	struct str binding;      /* what c= must decode to: gs2 header and binding bytes */
	uint8_t proof[SHA256_BYTES];
	bool offered_binding; /* set by the caller: a client that says we did not was lied to */
	const char *why;      /* after SCRAM_MALFORMED: constant text for the log */
};

void scram_server_init(struct scram_server *s);
void scram_server_fini(struct scram_server *s);

/* client-first-message in, server-first-message appended. `binding` is this connection's channel binding data when
   the -PLUS mechanism was chosen, NULL otherwise. */
enum scram_result scram_server_first(struct scram_server *s, const char *msg, size_t len, const char *binding_name,
                                     const void *binding, size_t binding_len, const uint8_t nonce[SCRAM_NONCE_BYTES],
                                     const struct scram_salt *salt, struct str *out) MUST_USE;

/* client-final-message in, only taken apart: the verifier is not needed yet. */
enum scram_result scram_server_read_final(struct scram_server *s, const char *msg, size_t len) MUST_USE;

/* Checks the proof, appends the server-final-message, and gives the client's keys for pass-through. */
enum scram_result scram_server_check(struct scram_server *s, const struct auth_context *ctx,
                                     const struct scram_verifier *v, struct str *out, struct scram_keys *keys) MUST_USE;

/* The side that wants in. Zeroed by scram_client_init. */
struct scram_client {
	struct str auth_message;
	struct str nonce;   /* own half, then both */
	struct str binding; /* the gs2 header, and binding bytes behind it */
	size_t header_len;
	uint8_t server_signature[SHA256_BYTES];
	const char *why;
};

void scram_client_init(struct scram_client *c);
void scram_client_fini(struct scram_client *c);

/* Before the first message. On an encrypted connection: bound to it by these bytes if the server offers the -PLUS
   mechanism; if it does not (`len` 0), it is told that we could have done so. Without this call: no binding. */
void scram_client_bind(struct scram_client *c, const void *bytes, size_t len);

/* Appends the client-first-message. The user name is left empty, as libpq does: the start-up packet has named it. */
enum scram_result scram_client_first(struct scram_client *c, const uint8_t nonce[SCRAM_NONCE_BYTES],
                                     struct str *out) MUST_USE;

/* server-first-message in: with which salt and how many iterations keys are needed. */
enum scram_result scram_client_read_first(struct scram_client *c, const char *msg, size_t len,
                                          struct scram_salt *salt) MUST_USE;

/* Appends the client-final-message. */
enum scram_result scram_client_final(struct scram_client *c, const struct auth_context *ctx,
                                     const struct scram_keys *keys, struct str *out) MUST_USE;

/* server-final-message in: does the server know the secret? */
enum scram_result scram_client_check(struct scram_client *c, const char *msg, size_t len) MUST_USE;

#endif
