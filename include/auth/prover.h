/*
 * Our login at a server, without a socket: it answers the server's
 * Authentication messages. Freed right after the login. Owned by one thread
 * (the server's worker).
 */
#ifndef AUTH_PROVER_H
#define AUTH_PROVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "auth/context.h"
#include "auth/scram.h"
#include "auth/secret.h"
#include "base/attr.h"
#include "base/failure.h"
#include "base/str.h"

/* What we log in with. Nothing here is owned. */
struct credentials {
	const char *user;
	struct secret *secret;         /* NULL: no password is known */
	const struct scram_keys *keys; /* of a client's own login, or kept from an earlier one at this server; used if
	                                  the server's salt and iterations are theirs. NULL: none */
	const void *binding;           /* what binds SCRAM to this connection; NULL: nothing */
	size_t binding_len;            /* at most SCRAM_MAX_BINDING_BYTES */
};

enum prover_result {
	PROVER_SEND,      /* send what was appended (may be nothing), then wait for the next message */
	PROVER_NEED_KEYS, /* an order is to be carried out first */
	PROVER_DONE,      /* AuthenticationOk */
	PROVER_FAILED     /* `why` is set, phase PHASE_AUTH, DOMAIN_POOLER, FAILURE_AUTH_… or FAILURE_PROTOCOL */
};

struct prover;

/* Copies the user and the keys, takes a reference to the secret. `random` is fresh for every login. NULL: out of
   memory. */
struct prover *prover_new(const struct auth_context *ctx, const struct credentials *with,
                          const uint8_t random[SCRAM_NONCE_BYTES]) MUST_USE;
/* Wipes and frees; NULL is fine. */
void prover_free(struct prover *p);

/* Body of an 'R' message. The caller bounds its length (8 KiB are plenty). */
enum prover_result prover_take(struct prover *p, const char *body, size_t len, struct str *out,
                               struct failure *why) MUST_USE;

/* After PROVER_NEED_KEYS: the order, now the caller's. NULL: out of memory. */
struct scram_order *prover_take_order(struct prover *p) MUST_USE;

/* With the order carried out; it stays the caller's. */
enum prover_result prover_resume(struct prover *p, const struct scram_order *order, struct str *out,
                                 struct failure *why) MUST_USE;

/* After PROVER_DONE by SCRAM: the keys that were used; kept by a pool they save the next login the derivation. NULL
   otherwise. Valid until prover_free. */
const struct scram_keys *prover_keys(const struct prover *p);

#endif
