/* SPDX-License-Identifier: Apache-2.0 */
/* How does a step's output reach the next step without lying on disk in clear? */
#ifndef ST_REDACT_SEAL_H
#define ST_REDACT_SEAL_H

#include <stddef.h>
#include <stdint.h>

#include "schemas/buf.h"
#include "schemas/err.h"
#include "schemas/id.h"

/*
 * Sealed bytes: version (1 byte), nonce (24), then XChaCha20-Poly1305-IETF ciphertext and tag (16).
 * The version byte and the caller's context (which run, step, field) are authenticated with it, so
 * a sealed value that was moved to another place does not open.
 */
#define ST_SEAL_KEY_BYTES 32
#define ST_SEAL_NONCE_BYTES 24
#define ST_SEAL_OVERHEAD_BYTES (1 + ST_SEAL_NONCE_BYTES + 16)
#define ST_SEAL_PLAIN_BYTES_MAX (64 * 1024 * 1024)
#define ST_SEAL_CONTEXT_BYTES_MAX 512

/* Whoever holds one wipes it with st_seal_key_wipe before its memory goes away. */
struct st_seal_key {
	uint8_t bytes[ST_SEAL_KEY_BYTES];
};

/* Derives the key of one run from the instance's key; equal inputs give equal keys. */
void st_seal_key_derive(const struct st_seal_key *instance, struct st_id run,
			struct st_seal_key *out);
void st_seal_key_wipe(struct st_seal_key *key);
#define ST_SEAL_MARK_MAX 65
/* Says which key it is without telling anything of it: 64 hexadecimal digits; returns out. */
const char *st_seal_key_mark(const struct st_seal_key *key, char out[ST_SEAL_MARK_MAX]);

/* Borrowed bytes: what is sealed, or the context that a sealed value belongs to. */
struct st_seal_bytes {
	const void *bytes;
	size_t len;
};

/*
 * Appends the sealed form of plain to out. nonce must be fresh random bytes: never the same twice
 * under one key. context (run id and step, say "r_.../find/output") is authenticated, not stored.
 * ST_ERR_TOO_LARGE when plain or context is above its maximum; out is unchanged then.
 */
int st_seal(const struct st_seal_key *key, const uint8_t nonce[ST_SEAL_NONCE_BYTES],
	    struct st_seal_bytes context, struct st_seal_bytes plain, struct st_buf *out);
/*
 * Appends the plain bytes to out. ST_ERR_CORRUPT when anything was changed, cut, or belongs to
 * another key or context; ST_ERR_NEWER when a newer stint sealed it. Nothing is added then.
 * The caller gets rid of plain bytes with st_seal_buf_wipe.
 */
int st_unseal(const struct st_seal_key *key, struct st_seal_bytes context,
	      struct st_seal_bytes sealed, struct st_buf *out);
/* Overwrites and frees a buffer that held plain bytes. */
void st_seal_buf_wipe(struct st_buf *buf);

#endif
