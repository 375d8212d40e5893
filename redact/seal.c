/* SPDX-License-Identifier: Apache-2.0 */
#include "redact/seal.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define SEAL_VERSION 1

static_assert(ST_SEAL_KEY_BYTES == crypto_aead_xchacha20poly1305_ietf_KEYBYTES, "key size");
static_assert(ST_SEAL_NONCE_BYTES == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce size");
static_assert(ST_SEAL_OVERHEAD_BYTES == 1 + crypto_aead_xchacha20poly1305_ietf_NPUBBYTES +
					    crypto_aead_xchacha20poly1305_ietf_ABYTES,
	      "overhead");
static_assert(ST_SEAL_KEY_BYTES == crypto_kdf_KEYBYTES, "derivation key size");

/* crypto_kdf takes 64 bits of sub-key id; a run id has 128, so there is one step for each half. */
void st_seal_key_derive(const struct st_seal_key *instance, struct st_id run,
			struct st_seal_key *out)
{
	uint64_t half[2] = {0, 0};
	for (size_t i = 0; i < sizeof run.bytes; i++)
		half[i / 8] = half[i / 8] << 8 | run.bytes[i];
	struct st_seal_key middle;
	int rc = crypto_kdf_derive_from_key(middle.bytes, sizeof middle.bytes, half[0], "stintrun",
					    instance->bytes);
	assert(rc == 0);
	rc = crypto_kdf_derive_from_key(out->bytes, sizeof out->bytes, half[1], "stintsea",
					middle.bytes);
	assert(rc == 0);
	st_seal_key_wipe(&middle);
}

void st_seal_key_wipe(struct st_seal_key *key)
{
	sodium_memzero(key, sizeof *key);
}

/* The version byte goes in front of the caller's context, so that it cannot be changed either. */
static size_t context_write(struct st_seal_bytes context, uint8_t *out)
{
	out[0] = SEAL_VERSION;
	if (context.len)
		memcpy(out + 1, context.bytes, context.len);
	return 1 + context.len;
}

int st_seal(const struct st_seal_key *key, const uint8_t nonce[ST_SEAL_NONCE_BYTES],
	    struct st_seal_bytes context, struct st_seal_bytes plain, struct st_buf *out)
{
	if (plain.len > ST_SEAL_PLAIN_BYTES_MAX || context.len > ST_SEAL_CONTEXT_BYTES_MAX)
		return ST_ERR_TOO_LARGE;
	uint8_t bound[1 + ST_SEAL_CONTEXT_BYTES_MAX];
	size_t bound_len = context_write(context, bound);
	uint8_t *at = (uint8_t *)st_buf_reserve(out, ST_SEAL_OVERHEAD_BYTES + plain.len);
	at[0] = SEAL_VERSION;
	memcpy(at + 1, nonce, ST_SEAL_NONCE_BYTES);
	unsigned long long made = 0;
	int rc = crypto_aead_xchacha20poly1305_ietf_encrypt(at + 1 + ST_SEAL_NONCE_BYTES, &made,
							    plain.bytes, plain.len, bound,
							    bound_len, NULL, nonce, key->bytes);
	assert(rc == 0);
	assert(made == plain.len + crypto_aead_xchacha20poly1305_ietf_ABYTES);
	out->len += ST_SEAL_OVERHEAD_BYTES + plain.len;
	out->data[out->len] = '\0';
	return ST_OK;
}

int st_unseal(const struct st_seal_key *key, struct st_seal_bytes context,
	      struct st_seal_bytes sealed, struct st_buf *out)
{
	const uint8_t *in = sealed.bytes;
	if (sealed.len >= 1 && in[0] > SEAL_VERSION)
		return ST_ERR_NEWER;
	if (sealed.len < ST_SEAL_OVERHEAD_BYTES || in[0] != SEAL_VERSION)
		return ST_ERR_CORRUPT;
	size_t plain_len = sealed.len - ST_SEAL_OVERHEAD_BYTES;
	if (plain_len > ST_SEAL_PLAIN_BYTES_MAX || context.len > ST_SEAL_CONTEXT_BYTES_MAX)
		return ST_ERR_CORRUPT;
	uint8_t bound[1 + ST_SEAL_CONTEXT_BYTES_MAX];
	size_t bound_len = context_write(context, bound);
	uint8_t *at = (uint8_t *)st_buf_reserve(out, plain_len);
	unsigned long long made = 0;
	int rc = crypto_aead_xchacha20poly1305_ietf_decrypt(
	    at, &made, NULL, in + 1 + ST_SEAL_NONCE_BYTES, sealed.len - 1 - ST_SEAL_NONCE_BYTES,
	    bound, bound_len, in + 1, key->bytes);
	if (rc != 0) {
		out->data[out->len] = '\0';
		return ST_ERR_CORRUPT;
	}
	assert(made == plain_len);
	out->len += plain_len;
	out->data[out->len] = '\0';
	return ST_OK;
}

void st_seal_buf_wipe(struct st_buf *buf)
{
	if (buf->data != NULL)
		sodium_memzero(buf->data, buf->cap);
	st_buf_fini(buf);
}

const char *st_seal_key_mark(const struct st_seal_key *key, char out[ST_SEAL_MARK_MAX])
{
	static const char said[] = "stint: the seal key of this store";
	uint8_t mark[crypto_generichash_BYTES];
	static_assert(2 * sizeof mark + 1 == ST_SEAL_MARK_MAX, "a mark fits");
	(void)crypto_generichash(mark, sizeof mark, (const uint8_t *)said, sizeof said - 1,
				 key->bytes, sizeof key->bytes);
	return sodium_bin2hex(out, ST_SEAL_MARK_MAX, mark, sizeof mark);
}
