/* Stored SCRAM-SHA-256 verifiers as text: the one place that knows their form. Pure, any thread. */
#ifndef CONF_SCRAM_VERIFIER_H
#define CONF_SCRAM_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define SHA256_BYTES 32u
#define SCRAM_VERIFIER_PREFIX "SCRAM-SHA-256$"
#define SCRAM_MAX_SALT_BYTES 128u /* of salts made elsewhere */

/* Two derivations from one password agree exactly if these agree. */
struct scram_salt {
	uint32_t iterations;
	uint32_t len;
	uint8_t bytes[SCRAM_MAX_SALT_BYTES];
};

/* Enough to let somebody in. */
struct scram_verifier {
	struct scram_salt salt;
	uint8_t stored_key[SHA256_BYTES];
	uint8_t server_key[SHA256_BYTES];
};

/* SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>, exactly; false otherwise. */
bool scram_verifier_parse(struct scram_verifier *v, const char *text, size_t len) MUST_USE;

/* Its parts, as they stand in messages, too. A decimal number without sign or leading zero, 1 to `max`. */
bool scram_read_number(const char *text, size_t len, uint32_t max, uint32_t *number) MUST_USE;
/* In base64: a salt, not empty; the iterations are left alone. */
bool scram_read_salt(const char *text, size_t len, struct scram_salt *salt) MUST_USE;
bool scram_read_key(const char *text, size_t len, uint8_t key[SHA256_BYTES]) MUST_USE;

#endif
