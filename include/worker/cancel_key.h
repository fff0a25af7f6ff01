/*
 * Keys of CancelRequest as clients get them in BackendKeyData, and what peers may read in them. The layout is
 * PgBouncer's: bytes 1 and 2 are the id of the process that made the key, low byte first; the two lowest bits of byte 7
 * say how often the request may still be passed on. All else is random. Pure; any thread.
 */
#ifndef WORKER_CANCEL_KEY_H
#define WORKER_CANCEL_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attr.h"

#define CANCEL_KEY_BYTES 8u /* of what protocol 3.0 has room for, and the least that a request has */
#define CANCEL_KEY_MAX 260u /* process id and the 256 bytes that 3.2 allows */

/* Makes a key of at least CANCEL_KEY_BYTES random bytes. `peer_id` 0: there are no peers. */
void cancel_key_mark(uint8_t *key, int peer_id);

/* The id of the process that made the key, if that has one. */
int cancel_key_peer(const uint8_t *key);

/* The key as whoever made it knows it: as often to be passed on as at first. */
void cancel_key_restore(uint8_t *key);

/* Takes off one time of being passed on. False: there is none left. */
bool cancel_key_pass_on(uint8_t *key) MUST_USE;

#endif
