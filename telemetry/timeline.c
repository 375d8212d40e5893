/* SPDX-License-Identifier: Apache-2.0 */
#include "telemetry/timeline.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "redact/clean.h"

static_assert(ST_HASH_BYTES == crypto_generichash_BYTES, "BLAKE2b-256");

static void put_number(crypto_generichash_state *state, int64_t n)
{
	uint8_t bytes[8];
	for (int i = 0; i < 8; i++) {
		bytes[i] = (uint8_t)((uint64_t)n >> (56 - 8 * i));
	}
	(void)crypto_generichash_update(state, bytes, sizeof bytes);
}

static void put_bytes(crypto_generichash_state *state, const void *bytes, size_t len)
{
	put_number(state, (int64_t)len);
	(void)crypto_generichash_update(state, bytes, len);
}

void st_timeline_relink(const uint8_t before[ST_HASH_BYTES], const struct st_link *event,
			uint8_t out[ST_HASH_BYTES])
{
	crypto_generichash_state state;
	(void)crypto_generichash_init(&state, NULL, 0, ST_HASH_BYTES);
	(void)crypto_generichash_update(&state, before, ST_HASH_BYTES);
	(void)crypto_generichash_update(&state, event->run.bytes, sizeof event->run.bytes);
	put_number(&state, event->seq);
	put_number(&state, event->at);
	put_bytes(&state, event->type, strlen(event->type));
	put_bytes(&state, event->step, strlen(event->step));
	put_number(&state, event->item);
	(void)crypto_generichash_update(&state, event->call.bytes, sizeof event->call.bytes);
	put_bytes(&state, event->data, event->data_len);
	(void)crypto_generichash_final(&state, out, ST_HASH_BYTES);
}

void st_timeline_link(const uint8_t before[ST_HASH_BYTES], const struct st_row_event *event,
		      uint8_t out[ST_HASH_BYTES])
{
	assert(event->type != NULL);
	assert(event->data != NULL);
	const struct st_link link = {
	    .run = event->run,
	    .seq = event->seq,
	    .at = event->at,
	    .type = event->type,
	    .step = event->step,
	    .item = event->item,
	    .call = event->call,
	    .data = st_clean_text(event->data),
	    .data_len = st_clean_len(event->data),
	};
	st_timeline_relink(before, &link, out);
}
