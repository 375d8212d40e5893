/* SPDX-License-Identifier: Apache-2.0 */
/* Which secrets can be told by their shape alone? */
#ifndef ST_REDACT_TOKEN_H
#define ST_REDACT_TOKEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "redact/chars.h"
#include "redact/place.h"

#define ST_TOKEN_PARTS_MAX 5

/* A run of one alphabet's bytes; max 0 is any number. */
struct st_token_part {
	enum st_alphabet alphabet;
	uint16_t min;
	uint16_t max;
};

/* One row of the table. A token is the prefix and then its parts. */
struct st_token {
	const char *rule;
	const char *prefix;
	struct st_token_part parts[ST_TOKEN_PARTS_MAX];
	const char *example; /* what follows the prefix in an invented token; tests use it */
	const char *counter; /* what may follow the prefix and must survive */
};

extern const struct st_token st_tokens[];
extern const size_t st_tokens_n;
/* A Discord bot token has no prefix; it begins with a user's number in base64. */
extern const struct st_token st_token_discord;

/* Whether the token stands at `at`, where its prefix may begin. */
bool st_token_match(const struct st_token *token, struct st_place *place, size_t at,
		    struct st_find *find);
/* Telegram's "<digits>:AA...", found by its colon. */
bool st_token_match_telegram(struct st_place *place, size_t colon, struct st_find *find);

#endif
