/* SPDX-License-Identifier: Apache-2.0 */
#include "orchestrator/io/store_access.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "orchestrator/io/store_reading.h"

int st_reader_answer(struct st_reader *reader, const uint8_t key_hash[ST_HASH_BYTES],
		     struct st_read_answer *answer, struct st_diag *diag)
{
	static const char sql[] = "SELECT body_hash, at, status, body FROM answer "
				  "WHERE key_hash = ?1";
	struct st_reading r = st_reading_begin(reader, sql);
	st_reading_bind_bytes(&r, 1, key_hash, ST_HASH_BYTES);
	answer->found = st_reading_next(&r);
	if (answer->found) {
		st_reading_bytes(&r, 0, answer->body_hash, ST_HASH_BYTES);
		answer->at = st_reading_int(&r, 1);
		answer->status = (int)st_reading_int(&r, 2);
		st_buf_add(&answer->body, st_reading_text(&r, 3),
			   (size_t)sqlite3_column_bytes(r.stmt, 3));
	}
	return st_reading_end(&r, diag);
}

static void copy_name(struct st_reading *r, int col, char *out, size_t size)
{
	int n = snprintf(out, size, "%s", st_reading_text(r, col));
	r->damaged = r->damaged || n < 0 || (size_t)n >= size;
}

static void copy_token(struct st_reading *r, struct st_row_token *token)
{
	copy_name(r, 1, token->id, sizeof token->id);
	copy_name(r, 2, token->role, sizeof token->role);
	copy_name(r, 3, token->tenant, sizeof token->tenant);
	copy_name(r, 4, token->name, sizeof token->name);
	token->created_at = st_reading_int(r, 5);
	token->expires_at = st_reading_time(r, 6);
	token->revoked_at = st_reading_time(r, 7);
}

/*
 * All tokens are gone through whatever matches, so that how long it takes says nothing about how
 * much of a hash was right. There are few, and the hash is of a random token anyway.
 */
int st_reader_token(struct st_reader *reader, const uint8_t hash[ST_HASH_BYTES],
		    struct st_row_token *token, struct st_diag *diag)
{
	static const char sql[] =
	    "SELECT hash, id, role, tenant, name, created_at, expires_at, revoked_at FROM token "
	    "ORDER BY no";
	struct st_reading r = st_reading_begin(reader, sql);
	struct st_row_token found = {.revoked_at = ST_TIME_NONE};
	while (st_reading_next(&r)) {
		uint8_t kept[ST_HASH_BYTES];
		st_reading_bytes(&r, 0, kept, sizeof kept);
		if (sodium_memcmp(kept, hash, sizeof kept) == 0) {
			copy_token(&r, &found);
			memcpy(found.hash, kept, sizeof kept);
		}
	}
	int err = st_reading_end(&r, diag);
	if (err == ST_OK && found.id[0] == '\0') {
		return st_fail(diag, ST_ERR_UNAUTHENTICATED, "this token is not known here");
	}
	if (err == ST_OK && found.revoked_at != ST_TIME_NONE) {
		return st_fail(diag, ST_ERR_UNAUTHENTICATED, "this token was revoked");
	}
	if (err == ST_OK) {
		*token = found;
	}
	return err;
}

static int ask_tokens(struct st_reader *reader, const void *arg, int64_t no, struct st_buf *out,
		      struct st_diag *diag)
{
	static const char sql[] =
	    "SELECT id, name, role, tenant, created_at, expires_at, revoked_at FROM token "
	    "WHERE ?1 IS NULL OR tenant = ?1 ORDER BY no";
	struct st_reading r = st_reading_begin(reader, sql);
	(void)no;
	st_reading_bind_text(&r, 1, arg);
	st_put_open(out, NULL, '[');
	while (st_reading_next(&r)) {
		st_put_open(out, NULL, '{');
		st_put_col_text(out, "id", &r, 0);
		st_put_col_text(out, "name", &r, 1);
		st_put_col_text(out, "role", &r, 2);
		st_put_col_text(out, "tenant", &r, 3);
		st_put_col_time(out, "created_at", &r, 4);
		st_put_col_time(out, "expires_at", &r, 5);
		st_put_col_time(out, "revoked_at", &r, 6);
		st_put_close(out, '}');
	}
	st_put_close(out, ']');
	return st_reading_end(&r, diag);
}

int st_reader_tokens(struct st_reader *reader, const char *tenant, struct st_buf *out,
		     struct st_diag *diag)
{
	const struct st_question question = {.arg = tenant, .ask = ask_tokens};
	return st_reader_answer_with(reader, &question, out, diag);
}

enum {
	CLIENT_RUN,
	CLIENT_HOLD,
	CLIENT_STEP,
	CLIENT_KIND,
	CLIENT_AMOUNTS,
	CLIENT_AT,
	CLIENT_BY,
	CLIENT_VOIDED,
	CLIENT_ESTIMATED,
	CLIENT_USED,
	CLIENT_OVERRUN
};
static const char client_call_sql[] =
    "SELECT r.id, a.hold, s.id, a.kind, a.amounts, t.at, t.by, t.voided, t.estimated, t.used, "
    "t.overrun FROM attempt a JOIN run r ON r.no = a.run_no "
    "LEFT JOIN step s ON s.no = (a.run_no << 22) | (a.step << 11) "
    "LEFT JOIN settlement t ON t.hold = a.no "
    "WHERE a.call = ?1 AND a.expires_at IS NOT NULL AND r.tenant = coalesce(?2, r.tenant)";

/* Plain, as the core writes them. */
static void put_plain(struct st_buf *out, const char *key, struct st_reading *r, int col)
{
	struct st_amounts amounts;
	st_reading_amounts(r, col, &amounts);
	st_buf_addf(out, "\"%s\":", key);
	st_amounts_add_json(out, &amounts);
	st_buf_add_char(out, ',');
}

static void put_settled(struct st_buf *out, struct st_reading *r, struct st_id call,
			const struct st_read_client_call *read)
{
	st_put_open(out, NULL, '{');
	st_put_id(out, "call", call, ST_ID_CALL);
	st_put_col_id(out, "hold", r, CLIENT_HOLD, ST_ID_HOLD);
	st_put_id(out, "run", read->run, ST_ID_RUN);
	st_put_col_text(out, "step", r, CLIENT_STEP);
	st_put_col_text(out, "kind", r, CLIENT_KIND);
	put_plain(out, "amounts", r, CLIENT_AMOUNTS);
	st_put_text(out, "state",
		    st_machine_state_name(&st_hold_machine,
					  read->voided ? ST_HOLD_VOIDED : ST_HOLD_SETTLED));
	put_plain(out, "usage", r, CLIENT_USED);
	put_plain(out, "overrun", r, CLIENT_OVERRUN);
	st_put_bool(out, "estimated", read->estimated);
	st_put_col_text(out, "by", r, CLIENT_BY);
	st_put_col_time(out, "at", r, CLIENT_AT);
	st_put_close(out, '}');
	st_put_done(out);
}

int st_reader_client_call(struct st_reader *reader, struct st_id call, const char *tenant,
			  struct st_read_client_call *out, struct st_diag *diag)
{
	struct st_reading r = st_reading_begin(reader, client_call_sql);
	*out = (struct st_read_client_call){0};
	st_reading_bind_bytes(&r, 1, call.bytes, sizeof call.bytes);
	st_reading_bind_text(&r, 2, tenant);
	bool found = st_reading_next(&r);
	if (found) {
		st_reading_bytes(&r, CLIENT_RUN, out->run.bytes, sizeof out->run.bytes);
		out->ended = !st_reading_none(&r, CLIENT_AT);
	}
	if (out->ended) {
		out->voided = st_reading_int(&r, CLIENT_VOIDED) != 0;
		out->estimated = st_reading_int(&r, CLIENT_ESTIMATED) != 0;
		st_reading_amounts(&r, CLIENT_USED, &out->used);
		put_settled(&out->settled, &r, call, out);
	}
	int err = st_reading_end(&r, diag);
	if (err == ST_OK && !found) {
		err = st_fail(diag, ST_ERR_NOT_FOUND, "there is no such call of a client");
	}
	if (err != ST_OK) {
		st_buf_fini(&out->settled);
	}
	return err;
}
