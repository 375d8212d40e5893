/* SPDX-License-Identifier: Apache-2.0 */
/* How can one secret be followed through the texts without being known? */
#ifndef ST_REDACT_FINGERPRINT_H
#define ST_REDACT_FINGERPRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct st_fingerprint_key {
	bool set;
	uint8_t bytes[32];
};

/*
 * The beginning of a keyed hash of a secret, without the gaps in it. 0 when there is no key, and
 * for what has so little entropy that somebody with the key's use might find it by trying.
 */
uint32_t st_fingerprint(const struct st_fingerprint_key *key, const char *secret, size_t len);

#endif
