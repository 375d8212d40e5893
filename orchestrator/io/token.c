/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/token.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/clock.h"

#define PREFIX "stint_"
#define TOKEN_BYTES 32

void st_token_hash(const char *text, uint8_t out[ST_HASH_BYTES])
{
	(void)crypto_generichash(out, ST_HASH_BYTES, (const uint8_t *)text, strlen(text), NULL, 0);
}

void st_token_make(const struct st_token_wish *wish, st_time now, struct st_row_token *row,
		   char text[ST_TOKEN_TEXT_MAX])
{
	uint8_t random[TOKEN_BYTES];
	char id[ST_ID_TEXT_MAX];
	struct st_id_source ids = {.now = now};
	st_clock_random(ids.random, 2);
	randombytes_buf(random, sizeof random);
	memcpy(text, PREFIX, strlen(PREFIX));
	(void)sodium_bin2base64(text + strlen(PREFIX), ST_TOKEN_TEXT_MAX - strlen(PREFIX), random,
				sizeof random, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
	sodium_memzero(random, sizeof random);
	*row = (struct st_row_token){
	    .insert = true, .created_at = now, .expires_at = wish->expires_at};
	row->revoked_at = ST_TIME_NONE;
	(void)snprintf(row->id, sizeof row->id, "%s", st_id_format(st_id_next(&ids), "t_", id));
	st_token_hash(text, row->hash);
	(void)snprintf(row->role, sizeof row->role, "%s", st_role_name(wish->actor.role));
	memcpy(row->tenant, wish->actor.tenant, sizeof row->tenant);
	memcpy(row->name, wish->actor.name, sizeof row->name);
}
