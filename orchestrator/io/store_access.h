/* SPDX-License-Identifier: Apache-2.0 */
/* Who asks, and was it asked before? Tokens and kept answers, read through a struct st_reader. */
#ifndef ST_ORCHESTRATOR_IO_STORE_ACCESS_H
#define ST_ORCHESTRATOR_IO_STORE_ACCESS_H

#include "orchestrator/io/store_read.h"

/* What a mutation was answered. All-zero before; body is the caller's to st_buf_fini. */
struct st_read_answer {
	bool found;
	uint8_t body_hash[ST_HASH_BYTES];
	st_time at;
	int status;
	struct st_buf body;
};
int st_reader_answer(struct st_reader *reader, const uint8_t key_hash[ST_HASH_BYTES],
		     struct st_read_answer *answer, struct st_diag *diag);

/* A call that a client makes itself: of which run, and how it ended if it has. */
struct st_read_client_call {
	struct st_id run;
	bool ended;
	bool voided;
	bool estimated;
	struct st_amounts used;
	struct st_buf settled; /* JSON, as the core tells of the end; the caller's to st_buf_fini */
};
/* ST_ERR_NOT_FOUND also for one of another tenant. */
int st_reader_client_call(struct st_reader *reader, struct st_id call, const char *tenant,
			  struct st_read_client_call *out, struct st_diag *diag);

/* Whose token has this hash (it is compared in constant time)? ST_ERR_UNAUTHENTICATED: nobody's, or
 * it was revoked. */
int st_reader_token(struct st_reader *reader, const uint8_t hash[ST_HASH_BYTES],
		    struct st_row_token *token, struct st_diag *diag);
/* JSON array of tokens, without their hashes. */
int st_reader_tokens(struct st_reader *reader, const char *tenant, struct st_buf *out,
		     struct st_diag *diag);

#endif
