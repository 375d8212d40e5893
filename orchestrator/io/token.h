/* SPDX-License-Identifier: Apache-2.0 */
/* How does somebody prove who they are? */
#ifndef ST_ORCHESTRATOR_IO_TOKEN_H
#define ST_ORCHESTRATOR_IO_TOKEN_H

#include "orchestrator/decision.h"
#include "schemas/err.h"
#include "schemas/row.h"

/* "stint_" and 43 characters of base64url: 256 random bits. */
#define ST_TOKEN_TEXT_MAX 64

/* Makes the token. What is stored is BLAKE2b-256 of its text: it is
 * too random to be guessed, so a slow hash would add nothing. */
void st_token_make(const struct st_token_wish *wish, st_time now, struct st_row_token *row,
		   char text[ST_TOKEN_TEXT_MAX]);
/* Writes it into the store, durably. ST_ERR_BUSY when a daemon holds the store. */
int st_token_write(const char *uri, const struct st_row_token *row, struct st_diag *diag);
void st_token_hash(const char *text, uint8_t out[ST_HASH_BYTES]);

#endif
