/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/fingerprint.h"

#include <assert.h>
#include <sodium.h>

#include "redact/entropy.h"
#include "redact/gap.h"

#define BITS_MIN 40
#define STRIP_MAX 4096 /* bytes; of longer ones the gaps count */

static uint32_t hash(const struct st_fingerprint_key *key, const uint8_t *bytes, size_t len)
{
	uint8_t out[crypto_generichash_BYTES];
	int rc = crypto_generichash(out, sizeof out, bytes, len, key->bytes, sizeof key->bytes);
	assert(rc == 0);
	uint32_t fingerprint =
	    (uint32_t)out[0] << 24 | (uint32_t)out[1] << 16 | (uint32_t)out[2] << 8 | out[3];
	return fingerprint != 0 ? fingerprint : 1;
}

uint32_t st_fingerprint(const struct st_fingerprint_key *key, const char *secret, size_t len)
{
	if (!key->set || (uint64_t)len * st_entropy_mibits(secret, len) < BITS_MIN * 1024)
		return 0;
	uint8_t stripped[STRIP_MAX];
	if (len > STRIP_MAX)
		return hash(key, (const uint8_t *)secret, len);
	size_t n = st_gap_strip((const uint8_t *)secret, len, stripped);
	uint32_t fingerprint = hash(key, stripped, n);
	sodium_memzero(stripped, sizeof stripped);
	return fingerprint;
}
