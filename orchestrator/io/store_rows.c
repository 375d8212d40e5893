/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows to statements. Text reaches the database in three ways only: as a name
 * (validated ids and our own words), as clean text (struct st_clean), or
 * sealed. There is no function here that binds any other text.
 */
#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "orchestrator/io/store_sqlite.h"
#include "redact/clean.h"
#include "schemas/mem.h"
#include "steps/kind.h"

/* A statement that is being bound: parameters are numbered in order. */
struct binding {
	struct st_store_writer *writer;
	sqlite3_stmt *stmt;
	int i;
	int rc;
};

static struct binding begin(struct st_store_writer *writer, enum st_store_sql sql)
{
	return (struct binding){.writer = writer, .stmt = writer->sql[sql]};
}

static void note(struct binding *b, int rc)
{
	if (rc != SQLITE_OK && b->rc == SQLITE_OK) {
		b->rc = rc;
	}
}

static void number(struct binding *b, int64_t n)
{
	note(b, sqlite3_bind_int64(b->stmt, ++b->i, n));
}

static void nothing(struct binding *b)
{
	note(b, sqlite3_bind_null(b->stmt, ++b->i));
}

static void moment(struct binding *b, st_time at)
{
	if (at == ST_TIME_NONE) {
		nothing(b);
	} else {
		number(b, at);
	}
}

/* Ids that were checked on their way in, and our own words. */
static void name(struct binding *b, const char *text)
{
	note(b, sqlite3_bind_text(b->stmt, ++b->i, text, -1, SQLITE_STATIC));
}

static void name_or_nothing(struct binding *b, const char *text)
{
	if (text[0] == '\0') {
		nothing(b);
	} else {
		name(b, text);
	}
}

static void clean(struct binding *b, const struct st_clean *text)
{
	if (text == NULL) {
		nothing(b);
	} else {
		note(b, sqlite3_bind_text64(b->stmt, ++b->i, st_clean_text(text),
					    st_clean_len(text), SQLITE_STATIC, SQLITE_UTF8));
	}
}

static void bytes(struct binding *b, const void *data, size_t len)
{
	note(b, sqlite3_bind_blob64(b->stmt, ++b->i, data, len, SQLITE_STATIC));
}

/* A NULL pointer is bound as NULL. */
static void hash_or_nothing(struct binding *b, bool there, const uint8_t hash[ST_HASH_BYTES])
{
	bytes(b, there ? hash : NULL, ST_HASH_BYTES);
}

static void id(struct binding *b, const struct st_id *which)
{
	bytes(b, st_id_is_none(*which) ? NULL : which->bytes, sizeof which->bytes);
}

static void amounts(struct binding *b, const struct st_amounts *of)
{
	struct st_buf json = {0};
	st_amounts_add_json(&json, of);
	note(b, sqlite3_bind_text64(b->stmt, ++b->i, json.data, json.len, SQLITE_TRANSIENT,
				    SQLITE_UTF8));
	st_buf_fini(&json);
}

static void sealed_bytes(struct binding *b, struct st_seal_bytes plain, const char *what,
			 int64_t no)
{
	uint8_t nonce[ST_SEAL_NONCE_BYTES];
	struct st_buf context = {0};
	struct st_buf out = {0};
	randombytes_buf(nonce, sizeof nonce);
	st_store_seal_context(&context, b->writer->run_id, what, no);
	const struct st_seal_bytes bound_to = {context.data, context.len};
	int err = st_seal(&b->writer->run_key, nonce, bound_to, plain, &out);
	assert(err == ST_OK); /* outputs and definitions are bounded far below the limit */
	note(b, sqlite3_bind_blob64(b->stmt, ++b->i, out.data, out.len, SQLITE_TRANSIENT));
	st_buf_fini(&context);
	st_buf_fini(&out);
}

static void sealed(struct binding *b, const char *text, const char *what, int64_t no)
{
	if (text == NULL) {
		nothing(b);
		return;
	}
	sealed_bytes(b, (struct st_seal_bytes){text, strlen(text)}, what, no);
}

static int run_statement(struct binding *b, struct st_diag *diag, const char *doing)
{
	int rc = b->rc;
	if (rc == SQLITE_OK) {
		rc = sqlite3_step(b->stmt);
	}
	int reset = sqlite3_reset(b->stmt);
	if (rc == SQLITE_DONE) {
		rc = reset;
	}
	return rc == SQLITE_OK ? ST_OK : st_store_fail(b->writer->db, rc, diag, doing);
}

/* The key of the run whose rows are being written. */
static void use_run(struct st_store_writer *writer, int64_t no, const struct st_id *run)
{
	if (writer->run_no == no) {
		return;
	}
	writer->run_no = no;
	writer->run_id = *run;
	st_seal_key_derive(&writer->key, *run, &writer->run_key);
}

static int find_run(struct st_store_writer *writer, int64_t no, struct st_diag *diag)
{
	sqlite3_stmt *stmt = NULL;
	int rc = SQLITE_OK;
	if (writer->run_no == no) {
		return ST_OK;
	}
	rc = sqlite3_prepare_v2(writer->db, "SELECT id FROM run WHERE no=?", -1, &stmt, NULL);
	if (rc == SQLITE_OK) {
		(void)sqlite3_bind_int64(stmt, 1, no);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW) {
		struct st_id found;
		assert(sqlite3_column_bytes(stmt, 0) == (int)sizeof found.bytes);
		memcpy(found.bytes, sqlite3_column_blob(stmt, 0), sizeof found.bytes);
		use_run(writer, no, &found);
	}
	(void)sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? ST_OK : st_store_fail(writer->db, rc, diag, "a step's run");
}

static int put_def(struct st_store_writer *writer, const struct st_row_run *row,
		   struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_DEF_INSERT);
	number(&b, row->no);
	sealed(&b, row->def, "def", 0);
	clean(&b, row->shown);
	return run_statement(&b, diag, "a definition");
}

static int put_run(struct st_store_writer *writer, const struct st_row_run *row,
		   struct st_diag *diag)
{
	if (row->head_only) {
		return ST_OK;
	}
	struct binding b =
	    begin(writer, row->insert ? ST_STORE_SQL_RUN_INSERT : ST_STORE_SQL_RUN_UPDATE);
	number(&b, row->no);
	if (row->insert) {
		use_run(writer, row->no, &row->id);
		id(&b, &row->id);
		name(&b, row->name);
		name(&b, st_run_kind_name(row->kind));
		for (int scope = ST_SCOPE_WORKFLOW; scope < ST_SCOPE_COUNT; scope++) {
			name(&b, row->scope_id[scope]);
		}
		name(&b, row->submitted_by);
		number(&b, row->created_at);
	}
	name(&b, st_machine_state_name(&st_run_machine, (int)row->state));
	moment(&b, row->started_at);
	moment(&b, row->ended_at);
	number(&b, row->last_at);
	number(&b, row->active_ms);
	moment(&b, row->active_at);
	number(&b, row->paused);
	id(&b, &row->halt);
	number(&b, row->open);
	number(&b, row->seq);
	bytes(&b, row->hash, sizeof row->hash);
	name_or_nothing(&b, row->error_code);
	clean(&b, row->error);
	hash_or_nothing(&b, row->has_approved, row->approved);
	int err = run_statement(&b, diag, "a run");
	return err == ST_OK && row->insert ? put_def(writer, row, diag) : err;
}

static int put_step(struct st_store_writer *writer, const struct st_row_step *row,
		    struct st_diag *diag)
{
	struct binding b =
	    begin(writer, row->insert ? ST_STORE_SQL_STEP_INSERT : ST_STORE_SQL_STEP_UPDATE);
	int64_t no = st_row_step_no(row->run_no, row->step, row->item);
	if (row->output != NULL) {
		int err = find_run(writer, row->run_no, diag);
		if (err != ST_OK) {
			return err;
		}
	}
	number(&b, no);
	if (row->insert) {
		name(&b, row->id);
		name(&b, row->uses);
	} else {
		b.i = 3;
	}
	name(&b, st_machine_state_name(&st_step_machine, (int)row->state));
	name(&b, st_machine_state_name(&st_item_machine, (int)row->item_state));
	number(&b, row->n_items);
	number(&b, row->attempt);
	number(&b, row->resends);
	moment(&b, row->due);
	id(&b, &row->call);
	moment(&b, row->started_at);
	moment(&b, row->ended_at);
	hash_or_nothing(&b, row->has_approved, row->approved);
	sealed(&b, row->output, "output", no);
	clean(&b, row->shown);
	clean(&b, row->citations);
	name_or_nothing(&b, row->error_code);
	clean(&b, row->error);
	return run_statement(&b, diag, "a step");
}

static int put_scope(struct st_store_writer *writer, const struct st_row_scope *row,
		     struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_SCOPE_INSERT);
	number(&b, row->no);
	name(&b, st_scope_name(row->scope));
	name(&b, row->id);
	return run_statement(&b, diag, "a scope");
}

static int put_account(struct st_store_writer *writer, const struct st_row_account *row,
		       struct st_diag *diag)
{
	struct binding b =
	    begin(writer, row->insert ? ST_STORE_SQL_ACCOUNT_INSERT : ST_STORE_SQL_ACCOUNT_UPDATE);
	number(&b, row->no);
	if (row->insert) {
		if (row->scope_no > 0) {
			number(&b, row->scope_no);
		} else {
			nothing(&b);
		}
		name(&b, st_scope_name(row->scope));
		name(&b, st_meter_name(row->meter));
	} else {
		b.i = 4;
	}
	number(&b, row->limit);
	number(&b, row->granted);
	number(&b, row->settled);
	number(&b, row->held);
	number(&b, row->overrun);
	return run_statement(&b, diag, "an account");
}

/* One row with its call, which comes next. */
static int put_hold(struct st_store_writer *writer, const struct st_row_hold *row,
		    struct st_diag *diag)
{
	(void)diag;
	writer->hold = row;
	return ST_OK;
}

static int insert_attempt(struct st_store_writer *writer, const struct st_row_call *row,
			  struct st_diag *diag)
{
	const struct st_row_hold *hold = writer->hold;
	writer->hold = NULL;
	if (hold == NULL || hold->no != row->hold_no) {
		return st_fail(diag, ST_ERR_INVALID, "a call comes without its hold");
	}
	struct binding b = begin(writer, ST_STORE_SQL_ATTEMPT_INSERT);
	number(&b, row->no);
	id(&b, &row->id);
	number(&b, row->attempt);
	id(&b, &hold->id);
	number(&b, row->run_no);
	number(&b, row->step);
	number(&b, row->item);
	name(&b, row->kind);
	number(&b, row->idempotence);
	bytes(&b, row->params_hash, sizeof row->params_hash);
	clean(&b, row->params);
	clean(&b, row->intent);
	number(&b, row->at);
	amounts(&b, &hold->amounts);
	name(&b, st_machine_state_name(&st_hold_machine, (int)row->state));
	moment(&b, row->expires_at);
	return run_statement(&b, diag, "a call");
}

/* One row with what it says of its call, which comes next. */
static int put_settlement(struct st_store_writer *writer, const struct st_row_settlement *row,
			  struct st_diag *diag)
{
	(void)diag;
	writer->settlement = row;
	return ST_OK;
}

static int insert_settlement(struct st_store_writer *writer, const struct st_row_call *call,
			     struct st_diag *diag)
{
	const struct st_row_settlement *row = writer->settlement;
	writer->settlement = NULL;
	if (row == NULL || row->hold_no != call->no || row->at != call->ended_at) {
		return st_fail(diag, ST_ERR_INVALID, "a call ends without its settlement");
	}
	struct binding b = begin(writer, ST_STORE_SQL_SETTLEMENT_INSERT);
	number(&b, row->hold_no);
	number(&b, row->at);
	number(&b, row->voided);
	number(&b, row->estimated);
	amounts(&b, &row->used);
	amounts(&b, &row->overrun);
	name(&b, row->by);
	clean(&b, call->result);
	return run_statement(&b, diag, "a settlement");
}

static int put_call(struct st_store_writer *writer, const struct st_row_call *row,
		    struct st_diag *diag)
{
	if (row->insert) {
		return insert_attempt(writer, row, diag);
	}
	if (row->ended_at != ST_TIME_NONE) {
		return insert_settlement(writer, row, diag);
	}
	struct binding b = begin(writer, ST_STORE_SQL_ATTEMPT_UPDATE);
	number(&b, row->no);
	name(&b, st_machine_state_name(&st_hold_machine, (int)row->state));
	moment(&b, row->expires_at);
	return run_statement(&b, diag, "a call");
}

static int put_grant(struct st_store_writer *writer, const struct st_row_grant *row,
		     struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_GRANT_INSERT);
	number(&b, row->run_no);
	id(&b, &row->halt);
	number(&b, row->step);
	name(&b, st_meter_name(row->meter));
	number(&b, row->amount);
	number(&b, row->at);
	name(&b, row->by);
	clean(&b, row->reason);
	return run_statement(&b, diag, "a grant");
}

static int put_halt(struct st_store_writer *writer, const struct st_row_halt *row,
		    struct st_diag *diag)
{
	struct binding b =
	    begin(writer, row->insert ? ST_STORE_SQL_HALT_INSERT : ST_STORE_SQL_HALT_UPDATE);
	id(&b, &row->id);
	if (row->insert) {
		number(&b, row->run_no);
		name(&b, st_halt_kind_name(row->kind));
		number(&b, row->step);
		number(&b, row->item);
		id(&b, &row->call);
		clean(&b, row->verdict);
		clean(&b, row->intent);
		bytes(&b, row->params_hash, sizeof row->params_hash);
		number(&b, row->since);
	} else {
		moment(&b, row->decided_at);
		name(&b, row->decision);
		name(&b, row->by);
		clean(&b, row->reason);
	}
	return run_statement(&b, diag, "a halt");
}

static int put_event(struct st_store_writer *writer, const struct st_row_event *row,
		     struct st_diag *diag)
{
	(void)diag;
	if (writer->n_events == writer->events_cap) {
		writer->events_cap = writer->events_cap == 0 ? 1024 : 2 * writer->events_cap;
		writer->events = st_realloc(
		    writer->events, writer->events_cap * sizeof(const struct st_row_event *));
	}
	writer->events[writer->n_events++] = row;
	return ST_OK;
}

void st_store_put_nothing(struct st_store_writer *writer)
{
	writer->n_events = 0;
	writer->hold = NULL;
	writer->settlement = NULL;
}

/* n: how many events of its run begin with this one; 0: it is not the first. */
static int insert_event(struct st_store_writer *writer, const struct st_row_event *row, size_t n,
			struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_EVENT_INSERT);
	number(&b, (int64_t)n);
	number(&b, row->run_no);
	number(&b, row->seq);
	number(&b, row->at);
	name(&b, row->type);
	name_or_nothing(&b, row->step);
	number(&b, row->item);
	id(&b, &row->call);
	clean(&b, row->data);
	bytes(&b, row->hash, sizeof row->hash);
	return run_statement(&b, diag, "an event");
}

int st_store_put_events(struct st_store_writer *writer, struct st_diag *diag)
{
	const struct st_row_event **events = writer->events;
	size_t n = writer->n_events;
	int err = ST_OK;
	writer->n_events = 0;
	assert(writer->hold == NULL); /* each was followed by its call */
	assert(writer->settlement == NULL);
	for (size_t first = 0; first < n && err == ST_OK;) {
		size_t next = first + 1;
		while (next < n && events[next]->run_no == events[first]->run_no) {
			next++;
		}
		err = insert_event(writer, events[first], next - first, diag);
		while (++first < next && err == ST_OK) {
			assert(events[first]->seq == events[first - 1]->seq + 1);
			err = insert_event(writer, events[first], 0, diag);
		}
	}
	return err;
}

static int put_external_id(struct st_store_writer *writer, const struct st_row_external_id *row,
			   struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_EXTERNAL_ID_INSERT);
	number(&b, row->run_no);
	number(&b, row->step);
	number(&b, row->item);
	id(&b, &row->call);
	number(&b, row->at);
	clean(&b, row->kind);
	clean(&b, row->id);
	clean(&b, row->url);
	return run_statement(&b, diag, "an external id");
}

static int put_transcript(struct st_store_writer *writer, const struct st_row_transcript *row,
			  struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_TRANSCRIPT_INSERT);
	number(&b, row->run_no);
	id(&b, &row->call);
	number(&b, row->attempt);
	number(&b, row->at);
	clean(&b, row->text);
	return run_statement(&b, diag, "a transcript");
}

static int put_artifact(struct st_store_writer *writer, const struct st_row_artifact *row,
			struct st_diag *diag)
{
	int err = find_run(writer, row->run_no, diag);
	if (err != ST_OK) {
		return err;
	}
	struct binding b = begin(writer, ST_STORE_SQL_ARTIFACT_INSERT);
	number(&b, row->no);
	number(&b, row->run_no);
	number(&b, row->step);
	number(&b, row->item);
	id(&b, &row->call);
	number(&b, row->attempt);
	number(&b, row->at);
	clean(&b, row->path);
	number(&b, (int64_t)row->len);
	bytes(&b, row->hash, sizeof row->hash);
	sealed_bytes(&b, (struct st_seal_bytes){row->bytes, row->len}, "artifact", row->no);
	return run_statement(&b, diag, "an artifact");
}

static int put_answer(struct st_store_writer *writer, const struct st_row_answer *row,
		      struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_ANSWER_INSERT);
	bytes(&b, row->key_hash, sizeof row->key_hash);
	bytes(&b, row->body_hash, sizeof row->body_hash);
	number(&b, row->at);
	number(&b, row->status);
	clean(&b, row->body);
	return run_statement(&b, diag, "an answer");
}

static int put_token(struct st_store_writer *writer, const struct st_row_token *row,
		     struct st_diag *diag)
{
	struct binding b =
	    begin(writer, row->insert ? ST_STORE_SQL_TOKEN_INSERT : ST_STORE_SQL_TOKEN_UPDATE);
	name(&b, row->id);
	if (row->insert) {
		bytes(&b, row->hash, sizeof row->hash);
		name(&b, row->role);
		name_or_nothing(&b, row->tenant);
		name(&b, row->name);
		number(&b, row->created_at);
		moment(&b, row->expires_at);
	} else {
		moment(&b, row->revoked_at);
	}
	return run_statement(&b, diag, "a token");
}

static int put_pulse(struct st_store_writer *writer, const struct st_row_pulse *row,
		     struct st_diag *diag)
{
	struct binding b = begin(writer, ST_STORE_SQL_PULSE_PUT);
	number(&b, row->at);
	int err = run_statement(&b, diag, "a pulse");
	if (err != ST_OK || row->answers_before == ST_TIME_NONE) {
		return err;
	}
	b = begin(writer, ST_STORE_SQL_ANSWER_FORGET);
	number(&b, row->answers_before);
	return run_statement(&b, diag, "forgetting old answers");
}

int st_store_put(struct st_store_writer *writer, const struct st_row *row, struct st_diag *diag)
{
	switch (row->type) {
#define X(NAME, member)                                                                            \
	case ST_ROW_##NAME:                                                                        \
		return put_##member(writer, row->member, diag);
		ST_ROW_X(X)
#undef X
	}
	return ST_OK;
}
